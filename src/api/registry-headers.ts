/** The headers with which a client says how a registry is to be used: credentials and settings. None is ever logged. */
import { EngineError } from '../core/errors';
import type { RegistryAuth } from '../core/image/credentials';
import { parseSettings } from '../core/image/registry-settings';
import type { RegistrySettings } from '../core/image/registry-settings';
import type { ApiRequest } from './request';

/** Our own header: RegistrySettings as base64url JSON. */
export const SETTINGS_HEADER = 'x-mydocker-registries';

/** What a request says about the registry that it is for. */
export function registryOptions({ incoming, signal }: ApiRequest): {
	readonly auth: RegistryAuth | undefined;
	readonly settings: RegistrySettings | undefined;
	readonly signal: AbortSignal;
} {
	const settings = decoded(incoming.headers[SETTINGS_HEADER], 'X-MyDocker-Registries');
	return {
		auth: parseRegistryAuth(incoming.headers['x-registry-auth']),
		settings: settings === undefined ? undefined : parseSettings(settings, 'the request'),
		signal,
	};
}

/** The credentials in X-Registry-Auth, base64url JSON; undefined when there are none. */
export function parseRegistryAuth(header: string | string[] | undefined): RegistryAuth | undefined {
	return authIn(decoded(header, 'X-Registry-Auth'));
}

/** The members of a value that are credentials; undefined when there are none. */
export function authIn(value: unknown): RegistryAuth | undefined {
	const member = (name: string): Record<string, string> => {
		const found: unknown = typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
		return typeof found === 'string' && found !== '' ? { [name]: found } : {};
	};
	const auth = {
		...member('username'),
		...member('password'),
		...member('identitytoken'),
		...member('registrytoken'),
	};
	return Object.keys(auth).length === 0 ? undefined : auth;
}

function decoded(header: string | string[] | undefined, name: string): unknown {
	if (typeof header !== 'string' || header === '') {
		return undefined;
	}
	try {
		return JSON.parse(Buffer.from(header, 'base64url').toString());
	} catch (error) {
		if (!(error instanceof SyntaxError)) {
			throw error;
		}
		// Without the cause: it would quote a part of the credentials.
		throw new EngineError('invalid', `invalid ${name} header: it is not base64url JSON`);
	}
}
