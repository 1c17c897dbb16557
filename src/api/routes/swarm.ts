import type { Route } from '../route';
import { route } from '../route';

const MESSAGE =
	'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.';

/** This engine is no swarm node: docker's own answer, so that tools go on without one. */
export const swarmRoutes: readonly Route[] = ['swarm', 'nodes', 'services', 'tasks', 'secrets', 'configs'].flatMap(
	(noun) =>
		(['GET', 'POST', 'DELETE'] as const).map((method) =>
			route(method, `/${noun}(?:/.*)?`, (request) => {
				request.json({ message: MESSAGE, code: 'unsupported' }, 503);
			}),
		),
);
