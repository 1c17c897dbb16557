import { parseRestartPolicy } from '../../core/container/restart';
import type { ContainerChanges } from '../../core/container/update';
import type { ResourceConfig } from '../../core/types';
import { Fields, object } from '../fields';
import { resources, warnOfKernelMemory } from '../host-options';
import type { ApiRequest } from '../request';
import { route } from '../route';
import type { Route } from '../route';

export const updateRoutes: readonly Route[] = [route('POST', '/containers/{id}/update', update)];

/** Limits and restart policy of a container, also of one that runs. */
async function update(request: ApiRequest): Promise<void> {
	const body = new Fields(object(await request.body(), 'body'), '');
	const warnings: string[] = [];
	warnOfKernelMemory(body, warnings);
	const more = await request.core.containers.reconfigure(request.parameter('id'), changes(body));
	const all = [...warnings, ...more];
	request.json({ Warnings: all.length === 0 ? null : all });
}

/** A limit of 0 stays as it is, but for the number of processes, where it means no limit. */
function changes(body: Fields): ContainerChanges {
	const asked = Object.entries(resources(body)).filter(([, value]) => value !== 0);
	const pids = body.optionalInteger('PidsLimit');
	const policy = body.fields('RestartPolicy');
	const name = policy.string('Name');
	const parsed = parseRestartPolicy(name, policy.integer('MaximumRetryCount'));
	return {
		resources: {
			...(Object.fromEntries(asked) as Partial<ResourceConfig>),
			...(pids === undefined ? {} : { pids: Math.max(0, pids) }),
		},
		...(name === '' ? {} : { restart_policy: parsed ?? 'no' }),
	};
}
