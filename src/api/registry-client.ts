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
	/** Repositories on Docker Hub, or in another registry's catalog: "host/part". */
	search(
		term: string,
		options?: Cancel & { readonly limit?: number; readonly filters?: Readonly<Record<string, readonly string[]>> },
	): Promise<SearchResult[]>;
	/** Our engine only: the repositories of a registry, and the tags of "registry/repository", page by page. */
	catalog(registry: string, options?: PageOptions): Promise<RegistryPage>;
	tags(repository: string, options?: PageOptions): Promise<RegistryPage>;
	/** Our engine only: the digest that a name stands for now; "" when the registry does not say. */
	digest(reference: string, options?: Cancel): Promise<{ readonly Digest: string }>;
	/** Our engine only: what a reference names, without pulling it. */
	image(reference: string, options?: Cancel & { readonly platform?: string }): Promise<RemoteImageJson>;
}

type PageOptions = Cancel & { readonly limit?: number; readonly next?: string };

export interface RegistryPage {
	readonly Items: readonly string[];
	/** For the next page; "" at the end. */
	readonly Next: string;
}

/** GET /images/search */
export interface SearchResult {
	readonly name: string;
	readonly description: string;
	readonly star_count: number;
	readonly is_official: boolean;
	readonly is_automated: boolean;
}

export interface RemoteImageJson {
	readonly Digest: string;
	readonly MediaType: string;
	/** "linux/amd64", … of an index. */
	readonly Platforms: readonly string[];
	readonly Platform: string;
	readonly Id: string;
	readonly Created: string;
	/** Bytes, compressed. */
	readonly Size: number;
	readonly Layers: readonly { readonly Digest: string; readonly MediaType: string; readonly Size: number }[];
	readonly Labels: Readonly<Record<string, string>>;
	readonly Cmd: readonly string[];
	readonly Entrypoint: readonly string[];
	readonly ExposedPorts: readonly string[];
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
		search: async (term, options) => {
			const [host = '', ...rest] = term.split('/');
			const isHost = rest.length > 0 && (/[.:]/.test(host) || host === 'localhost');
			return transport.json<SearchResult[]>({
				method: 'GET',
				path: '/images/search',
				query: {
					term,
					limit: options?.limit,
					filters: options?.filters === undefined ? undefined : JSON.stringify(options.filters),
				},
				headers: isHost ? await registryHeaders(context, term) : settingsHeader(context),
				signal: options?.signal,
			});
		},
		catalog: async (registry, options) =>
			transport.json<RegistryPage>({
				method: 'GET',
				path: '/mydocker/registry/catalog',
				query: { registry, limit: options?.limit, next: options?.next },
				headers: await registryHeaders(context, `${registry}/x`),
				signal: options?.signal,
			}),
		tags: async (repository, options) =>
			transport.json<RegistryPage>({
				method: 'GET',
				path: '/mydocker/registry/tags',
				query: { repository, limit: options?.limit, next: options?.next },
				headers: await registryHeaders(context, repository),
				signal: options?.signal,
			}),
		digest: async (reference, options) =>
			transport.json<{ Digest: string }>({
				method: 'GET',
				path: '/mydocker/registry/digest',
				query: { name: reference },
				headers: await registryHeaders(context, reference),
				signal: options?.signal,
			}),
		image: async (reference, options) =>
			transport.json<RemoteImageJson>({
				method: 'GET',
				path: '/mydocker/registry/image',
				query: { name: reference, platform: options?.platform },
				headers: await registryHeaders(context, reference),
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
