import { listProcesses } from '../../core/container/top';
import type { ApiRequest } from '../request';
import { route, type Route } from '../route';

/** What is done with all processes of a container at once. */
export const processRoutes: readonly Route[] = [
	route('POST', '/containers/{id}/pause', pause),
	route('POST', '/containers/{id}/unpause', unpause),
	route('GET', '/containers/{id}/top', top),
];

async function pause(request: ApiRequest): Promise<void> {
	await request.core.containers.pause(request.parameter('id'));
	request.empty();
}

async function unpause(request: ApiRequest): Promise<void> {
	await request.core.containers.unpause(request.parameter('id'));
	request.empty();
}

async function top(request: ApiRequest): Promise<void> {
	const container = request.core.containers.get(request.parameter('id'));
	request.json(await listProcesses(container, request.text('ps_args')));
}
