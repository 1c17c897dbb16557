import { ApiError, type Client } from './client';
import { planBody, type RunPlan } from './run-plan';
import type { CreateContainerBody } from './types';

/** Creates a container as the plan says; `env` are lines that the plan's own override. Gives its id. */
export async function createPlanned(
	client: Client,
	plan: RunPlan,
	{ env = [], labels }: { readonly env?: readonly string[]; readonly labels: Readonly<Record<string, string>> },
): Promise<string> {
	const { Config: config } = await client.images.inspect(plan.image);
	const body = planBody(plan, { env, exposed: Object.keys(config.ExposedPorts ?? {}), labels });
	const options = plan.name === '' ? {} : { name: plan.name };
	try {
		return (await client.containers.create(body, options)).Id;
	} catch (error) {
		// A machine without bridge networks: the container shares the host's, where its ports are there anyway.
		if (error instanceof ApiError && error.code === 'unsupported' && plan.ports === undefined) {
			return (await client.containers.create(withoutPorts(body), options)).Id;
		}
		throw error;
	}
}

function withoutPorts(body: CreateContainerBody): CreateContainerBody {
	return { ...body, ExposedPorts: {}, HostConfig: { ...body.HostConfig, PortBindings: {} } };
}
