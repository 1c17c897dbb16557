import type { ApiRequest } from './request';

/** The Engine API version that we serve, and the oldest that we understand. */
export const API_VERSION = '1.47';
export const MINIMUM_API_VERSION = '1.24';

export interface Route {
	readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'DELETE';
	readonly path: RegExp;
	readonly handle: (request: ApiRequest) => Promise<void> | void;
}

/**
 * A row of the route table. In `path`, {id} stands for one segment and {name} for an image's name, which may have
 * slashes and colons and is therefore matched up to what follows it.
 */
export function route(method: Route['method'], path: string, handle: Route['handle']): Route {
	const pattern = path.replace('{id}', '(?<id>[^/]+)').replace('{name}', '(?<name>.+?)');
	return { method, path: new RegExp(`^${pattern}$`, 's'), handle };
}

/** The first row that fits, with its parameters. */
export function findRoute(
	routes: readonly Route[],
	method: string,
	path: string,
): { readonly route: Route; readonly parameters: Readonly<Record<string, string>> } | undefined {
	for (const candidate of routes) {
		const match = candidate.method === method ? candidate.path.exec(path) : null;
		if (match !== null) {
			return { route: candidate, parameters: { ...match.groups } };
		}
	}
	return undefined;
}

/** "/v1.41/info" is version 1.41 of "/info"; "/info" leaves the version open. */
export function splitVersion(path: string): { readonly version: string | undefined; readonly path: string } {
	const match = /^\/v(\d{1,5}\.\d{1,5})(\/.*)$/s.exec(path);
	return match === null ? { version: undefined, path } : { version: match[1], path: match[2] ?? '/' };
}
