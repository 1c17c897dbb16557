import { EngineError } from '../errors';
import type { Endpoint, Network } from './network';
import { DEFAULT_NETWORK } from './network';

/** `--link`: another name for a container, that only the container with the link knows. */
export interface Link {
	/** Name or id of the container meant. */
	readonly target: string;
	readonly alias: string;
}

/** "target:alias", or "target" for a link under its own name; docker's older clients put slashes before names. */
export function parseLink(text: string): Link {
	const [target = '', alias = target, ...rest] = text.split(':');
	const link = { target: target.replace(/^\//, ''), alias: alias.replace(/^.*\//, '') };
	if (link.target === '' || link.alias === '' || rest.length > 0) {
		throw new EngineError('invalid', `bad format for links: ${text}`);
	}
	return link;
}

/** Other names under which `own` knows its neighbour. */
export function linksTo(own: Endpoint, neighbour: Endpoint): string[] {
	return (own.links ?? [])
		.map(parseLink)
		.filter(({ target }) => isMeant(target, neighbour))
		.map(({ alias }) => alias);
}

/** docker's refusal on the default network, where a link is all that there is of names. */
export function checkLinks(network: Network, own: Endpoint): void {
	const neighbours = Object.values(network.endpoints);
	const missing = (own.links ?? [])
		.map(parseLink)
		.find(({ target }) => !neighbours.some((neighbour) => isMeant(target, neighbour)));
	if (network.name === DEFAULT_NETWORK && missing !== undefined) {
		throw new EngineError(
			'invalid',
			`Cannot link to a non running container: /${missing.target} AS /${own.container_name}/${missing.alias}`,
		);
	}
}

function isMeant(target: string, { container_id, container_name }: Endpoint): boolean {
	return target === container_name || (target.length >= 12 && container_id.startsWith(target));
}
