/** What is asked of registries beside pulling and pushing: logging in, and looking what is there. */
import * as v from 'valibot';
import { EngineError } from '../errors';
import { jsonIn } from '../json';
import { allPages, catalogPage, tagPage } from './browse';
import type { Page, PageOptions } from './browse';
import { Connection } from './connection';
import type { RegistryAuth } from './credentials';
import { MANIFEST_ACCEPT } from './manifest';
import type { Descriptor, ImageManifest } from './manifest';
import { resolveImage } from './pull';
import { normalizedName, parseReference, withDefaultTag } from './reference';
import type { Reference } from './reference';
import { digestIn, documentOf, manifestPath, Registry } from './registry';
import { RegistrySettingsFile } from './registry-settings';
import type { RegistrySettings } from './registry-settings';
import type { ImageConfig, Platform } from '../types';

/** What comes with a request to a registry. */
export interface RegistryOptions {
	readonly auth?: RegistryAuth | undefined;
	/** Go before those of the store's file. */
	readonly settings?: RegistrySettings | undefined;
	readonly signal?: AbortSignal | undefined;
}

/** What a registry says of an image, without a pull. */
export interface RemoteImage {
	/** Of what the reference named. */
	readonly digest: string;
	readonly mediaType: string;
	/** Of an index: what it has. */
	readonly platforms: readonly Platform[];
	/** Of the image for this machine, or the platform asked for. */
	readonly platform: Platform;
	readonly id: string;
	readonly created: string;
	/** Bytes of all layers, compressed. */
	readonly size: number;
	readonly layers: readonly { readonly digest: string; readonly mediaType: string; readonly size: number }[];
	readonly config: ImageConfig;
}

/** What a name stands for in a registry, without what it consists of. */
export interface Distribution {
	readonly descriptor: Descriptor;
	/** Of an index all that it has. */
	readonly platforms: readonly Platform[];
}

/** A repository that a search found. */
export interface FoundRepository {
	readonly name: string;
	readonly description: string;
	readonly stars: number;
	readonly isOfficial: boolean;
	readonly isAutomated: boolean;
}

/** Docker Hub answers searches at another address than pulls. */
const HUB_SEARCH = 'index.docker.io';
const MAX_FOUND = 100;
const MAX_SEARCH_ANSWER = 4 * 1024 * 1024;
const searchSchema = v.object({
	results: v.array(
		v.object({
			name: v.string(),
			description: v.nullish(v.string(), ''),
			star_count: v.nullish(v.number(), 0),
			is_official: v.nullish(v.boolean(), false),
			is_automated: v.nullish(v.boolean(), false),
		}),
	),
});
const HOST = /^(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9a-fA-F:]+\])(?::\d{1,5})?$/;
const MAX_ANSWER = 64 * 1024;

export class Registries {
	readonly settings: RegistrySettingsFile;

	/** `root` is the store's folder. */
	constructor(root: string) {
		this.settings = new RegistrySettingsFile(root);
	}

	/**
	 * Tries the credentials (distribution-spec, "Determining Support"). Gives the identity token that may be kept in place of
	 * the password, where the registry has such. Throws EngineError "unauthorized" when they are wrong.
	 */
	async login(server: string, options: RegistryOptions): Promise<{ readonly identityToken?: string }> {
		const host = registryHost(server);
		return this.connected(host, options, async (connection) => {
			const request = {
				action: `log in to registry "${host}"`,
				target: '/v2/',
				scope: '',
				signal: options.signal,
			};
			await connection.read(request, MAX_ANSWER);
			const identityToken = connection.identityToken;
			return identityToken === undefined ? {} : { identityToken };
		});
	}

	/** A page of the tags of "registry/repository". */
	async tags(name: string, page: PageOptions, options: RegistryOptions): Promise<Page> {
		const reference = parseReference(name);
		return this.fromFirst(reference, options, (connection, repository) =>
			tagPage(connection, repository, { ...page, signal: options.signal }),
		);
	}

	/** All tags of a repository. */
	async allTags(reference: Reference, options: RegistryOptions): Promise<string[]> {
		return this.fromFirst(reference, options, (connection, repository) =>
			allPages((page) => tagPage(connection, repository, page), options.signal),
		);
	}

	/** A page of the repositories of a registry. */
	async catalog(server: string, page: PageOptions, options: RegistryOptions): Promise<Page> {
		return this.connected(registryHost(server), options, (connection) =>
			catalogPage(connection, { ...page, signal: options.signal }),
		);
	}

	/** The digest of what the name stands for now (distribution-spec, "Pulling manifests": HEAD); "" where it is not said. */
	async digest(name: string, options: RegistryOptions): Promise<string> {
		const reference = withDefaultTag(parseReference(name));
		return this.fromFirst(reference, options, async (connection, repository) => {
			const response = await connection.open({
				action: `look for image "${name}"`,
				target: `/v2/${repository}/${manifestPath(reference)}`,
				method: 'HEAD',
				headers: { accept: MANIFEST_ACCEPT },
				scope: `repository:${repository}:pull`,
				attempts: 1,
				signal: options.signal,
			});
			response.destroy();
			return digestIn(response.headers);
		});
	}

	/** What the reference names, without its layers. */
	async describe(name: string, platform: Platform | undefined, options: RegistryOptions): Promise<RemoteImage> {
		return this.reading(name, options, async (registry, reference, signal) => {
			const fetched = await registry.manifest(reference, signal);
			const image = await resolveImage(registry, reference, fetched, {
				platform,
				signal,
				known: () => undefined,
			});
			const named = documentOf(fetched);
			const entries = named.kind === 'index' ? named.manifests : [];
			return {
				digest: fetched.digest,
				mediaType: named.mediaType,
				platforms: entries.flatMap((entry) => entry.platform ?? []),
				platform: image.configuration.platform,
				id: image.manifest.config.digest,
				created: image.configuration.created,
				size: sizeOf(image.manifest),
				layers: image.manifest.layers,
				config: image.configuration.config,
			};
		});
	}

	/** What the reference leads to. The configuration is asked for only where no index names the platform. */
	async distribution(name: string, options: RegistryOptions): Promise<Distribution> {
		return this.reading(name, options, async (registry, reference, signal) => {
			const fetched = await registry.manifest(reference, signal);
			const named = documentOf(fetched);
			const { mediaType } = named;
			const descriptor = { mediaType, digest: fetched.digest, size: fetched.bytes.length };
			if (named.kind === 'index') {
				return { descriptor, platforms: named.manifests.flatMap(({ platform }) => platform ?? []) };
			}
			const how = { platform: undefined, signal, known: () => undefined };
			const { configuration } = await resolveImage(registry, reference, fetched, how);
			return { descriptor, platforms: [configuration.platform] };
		});
	}

	private async reading<T>(
		name: string,
		{ auth, settings, signal = new AbortController().signal }: RegistryOptions,
		work: (registry: Registry, reference: Reference, signal: AbortSignal) => Promise<T>,
	): Promise<T> {
		const reference = withDefaultTag(parseReference(name));
		const registry = new Registry(this.settings.sources(reference, auth, settings));
		try {
			return await work(registry, reference, signal);
		} finally {
			registry.close();
		}
	}

	/**
	 * Looks for repositories: "nginx" on Docker Hub, by its own search; "host/part" in the catalog of another registry, by
	 * a part of the name.
	 */
	async search(term: string, limit: number, options: RegistryOptions): Promise<FoundRepository[]> {
		const [first = '', ...rest] = term.split('/');
		const isHost = rest.length > 0 && (/[.:]/.test(first) || first === 'localhost');
		const count = Math.min(limit, MAX_FOUND);
		if (isHost && registryHost(first) !== 'docker.io') {
			const part = rest.join('/').toLowerCase();
			const all = await this.connected(registryHost(first), options, (connection) =>
				allPages((page) => catalogPage(connection, page), options.signal),
			);
			const names = all.filter((name) => name.includes(part)).slice(0, count);
			return names.map((name) => ({
				...{ name: `${first}/${name}`, description: '', stars: 0, isOfficial: false, isAutomated: false },
			}));
		}
		return this.searchHub(isHost ? rest.join('/') : term, count, options);
	}

	private async searchHub(
		term: string,
		count: number,
		{ settings, signal }: RegistryOptions,
	): Promise<FoundRepository[]> {
		return this.connected(HUB_SEARCH, { settings }, async (connection) => {
			const query = new URLSearchParams({ q: term, n: String(count) });
			const action = `search Docker Hub for "${term}"`;
			const request = { action, target: `/v1/search?${query.toString()}`, scope: '', attempts: 1, signal };
			const { body } = await connection.read(request, MAX_SEARCH_ANSWER);
			const answer = v.safeParse(searchSchema, jsonIn(body));
			if (!answer.success) {
				throw new EngineError('corrupt', `Cannot ${action}: its answer is not a list`);
			}
			return answer.output.results.slice(0, count).map((found) => ({
				name: found.name,
				description: found.description,
				stars: found.star_count,
				isOfficial: found.is_official,
				isAutomated: found.is_automated,
			}));
		});
	}

	/** Asks the mirrors of a repository, then its own registry. */
	private async fromFirst<T>(
		reference: Reference,
		{ auth, settings, signal }: RegistryOptions,
		work: (connection: Connection, repository: string) => Promise<T>,
	): Promise<T> {
		let failure: Error | undefined;
		for (const access of this.settings.sources(reference, auth, settings)) {
			const connection = new Connection(access);
			try {
				return await work(connection, access.repository ?? reference.repository);
			} catch (error) {
				signal?.throwIfAborted();
				if (!(error instanceof EngineError)) {
					throw error;
				}
				failure = error;
			} finally {
				connection.close();
			}
		}
		throw failure ?? new EngineError('internal', `Cannot reach "${normalizedName(reference)}": there is no source`);
	}

	private async connected<T>(
		host: string,
		{ auth, settings }: RegistryOptions,
		work: (connection: Connection) => Promise<T>,
	): Promise<T> {
		const connection = new Connection(this.settings.origin(host, auth, settings), true);
		try {
			return await work(connection);
		} finally {
			connection.close();
		}
	}
}

function sizeOf({ layers }: ImageManifest): number {
	return layers.reduce((total, { size }) => total + size, 0);
}

/** The host of what a person calls a registry: "https://index.docker.io/v1/", "registry.example:5000". */
export function registryHost(server: string): string {
	const host = server.replace(/^https?:\/\//, '').split('/', 1)[0] ?? '';
	if (host === '' || host === 'index.docker.io' || host === 'registry-1.docker.io') {
		return 'docker.io';
	}
	if (!HOST.test(host)) {
		throw new EngineError('invalid', `"${host.slice(0, 200)}" is not the host of a registry`);
	}
	return host;
}
