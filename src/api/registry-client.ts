/** The client's calls about registries, and the headers that go with every request that reaches one. */
import { registryOf } from './references';
import type { Transport } from './transport';
import type { RegistryAuth, RegistrySettings } from './types';

/** What a front knows of registries. It is asked at each request, and sends what is of that one registry only. */
export interface RegistryContext {
	/** The credentials for "docker.io/library/nginx", or for a registry; undefined when there are none. */
	readonly auth: (name: string) => Promise<RegistryAuth | undefined>;
	/** Settings that go before those of the store. */
	readonly settings?: () => RegistrySettings | undefined;
}

interface Cancel {
	readonly signal?: AbortSignal;
}

export interface RegistryCalls {
	/** Tries credentials; gives the identity token to keep in place of the password, where there is one. */
	login(
		auth: RegistryAuth & { readonly serveraddress: string },
		options?: Cancel,
	): Promise<{ readonly Status: string; readonly IdentityToken?: string }>;
}

/** Headers for a request about the image or repository; `given` credentials go before those of the context. */
export async function registryHeaders(
	context: RegistryContext | undefined,
	reference: string,
	given?: RegistryAuth,
): Promise<Readonly<Record<string, string>>> {
	const auth = given ?? (await context?.auth(registryOf(reference).name));
	return { ...(auth === undefined ? {} : { 'X-Registry-Auth': base64Json(auth) }), ...settingsHeader(context) };
}

export function registryCalls(transport: Transport, context: RegistryContext | undefined): RegistryCalls {
	return {
		login: (auth, options) =>
			transport.json({
				method: 'POST',
				path: '/auth',
				body: auth,
				headers: settingsHeader(context),
				signal: options?.signal,
			}),
	};
}

function settingsHeader(context: RegistryContext | undefined): Readonly<Record<string, string>> {
	const settings = context?.settings?.();
	return settings === undefined ? {} : { 'X-MyDocker-Registries': base64Json(settings) };
}

function base64Json(value: object): string {
	return Buffer.from(JSON.stringify(value)).toString('base64url');
}
