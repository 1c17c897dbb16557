/** The client's side of archives, history, prunes and disk usage (routes/image-archives.ts). */
import { prune } from './prune-calls';
import type { Pruned, PruneOptions } from './prune-calls';
import { jsonMessages } from './stream';
import { splitReference } from './references';
import { ApiError, bodyOf } from './transport';
import type { Cancel, Transport } from './transport';
import type { ImageDeleteItem, ProgressMessage } from './types';

export type Bytes = AsyncIterable<Uint8Array> | Uint8Array;

export interface HistoryItem {
	readonly Id: string;
	/** Unix seconds. */
	readonly Created: number;
	readonly CreatedBy: string;
	readonly Tags: readonly string[] | null;
	/** Bytes of the layer, unpacked. */
	readonly Size: number;
	readonly Comment: string;
}

/** 0 changed, 1 added, 2 deleted. */
export interface ContainerChange {
	readonly Path: string;
	readonly Kind: 0 | 1 | 2;
}

export interface PrunedImages extends Pruned {
	readonly ImagesDeleted: readonly ImageDeleteItem[] | null;
	readonly SpaceReclaimed: number;
}

export interface PrunedContainers extends Pruned {
	readonly ContainersDeleted: readonly string[] | null;
	readonly SpaceReclaimed: number;
}

export interface ImageArchiveCalls {
	/** One tar, docker-archive and OCI layout at once. The body must be read or returned. */
	save(names: readonly string[], options?: Cancel): Promise<AsyncIterable<Buffer>>;
	/** docker's sentences: "Loaded image: nginx:1". Throws ApiError when the archive is refused. */
	load(archive: Bytes, options?: Cancel): AsyncIterable<ProgressMessage>;
	/** Makes an image of a root file system; gives its id. `target` is "repository[:tag]". */
	import(
		archive: Bytes,
		options?: Cancel & {
			readonly target?: string;
			readonly message?: string;
			readonly changes?: readonly string[];
		},
	): Promise<string>;
	history(name: string, options?: Cancel): Promise<HistoryItem[]>;
	prune(options?: PruneOptions): Promise<PrunedImages>;
}

export interface ContainerArchiveCalls {
	changes(id: string, options?: Cancel): Promise<readonly ContainerChange[]>;
	/** A tar of the container's own root, without what is mounted. */
	export(id: string, options?: Cancel): Promise<AsyncIterable<Buffer>>;
	/** Makes an image of the container; gives its id. */
	commit(
		id: string,
		options?: Cancel & {
			readonly target?: string;
			readonly author?: string;
			readonly message?: string;
			readonly changes?: readonly string[];
			/** Processes stand still meanwhile; true by default. */
			readonly isPaused?: boolean;
		},
	): Promise<string>;
	prune(options?: PruneOptions): Promise<PrunedContainers>;
}

export function imageArchiveCalls(transport: Transport): ImageArchiveCalls {
	const path = (name: string) => `/images/${name.split('/').map(encodeURIComponent).join('/')}`;
	return {
		save: async (names, options) => {
			const query = new URLSearchParams(names.map((name): [string, string] => ['names', name])).toString();
			const call = { method: 'GET', path: `/images/get?${query}`, signal: options?.signal } as const;
			return bodyOf(await transport.open(call), options?.signal);
		},
		load: (archive, options) => load(transport, archive, options),
		import: async (archive, options) => {
			const { name = '', tag } = options?.target === undefined ? {} : splitReference(options.target);
			const query = new URLSearchParams({ fromSrc: '-' });
			for (const [key, value] of Object.entries({ repo: name, tag, message: options?.message })) {
				if (value !== undefined && value !== '') {
					query.set(key, value);
				}
			}
			options?.changes?.forEach((change) => {
				query.append('changes', change);
			});
			const response = await transport.open({
				method: 'POST',
				path: `/images/create?${query.toString()}`,
				content: archive,
				signal: options?.signal,
			});
			let id = '';
			for await (const message of messages(bodyOf(response, options?.signal))) {
				id = message.status ?? id;
			}
			return id;
		},
		history: (name, options) =>
			transport.json<HistoryItem[]>({ method: 'GET', path: `${path(name)}/history`, signal: options?.signal }),
		prune: (options) => prune(transport, '/images/prune', options),
	};
}

export function containerArchiveCalls(transport: Transport): ContainerArchiveCalls {
	const path = (id: string, verb: string) => `/containers/${encodeURIComponent(id)}${verb}`;
	return {
		changes: async (id, options) =>
			(await transport.json<ContainerChange[] | null>({
				method: 'GET',
				path: path(id, '/changes'),
				signal: options?.signal,
			})) ?? [],
		export: async (id, options) => {
			const call = { method: 'GET', path: path(id, '/export'), signal: options?.signal } as const;
			return bodyOf(await transport.open(call), options?.signal);
		},
		commit: async (id, options) => {
			const { name = '', tag } = options?.target === undefined ? {} : splitReference(options.target);
			const query = new URLSearchParams({ container: id, pause: options?.isPaused === false ? '0' : '1' });
			const texts = { repo: name, tag, author: options?.author, comment: options?.message };
			for (const [key, value] of Object.entries(texts)) {
				if (value !== undefined && value !== '') {
					query.set(key, value);
				}
			}
			options?.changes?.forEach((change) => {
				query.append('changes', change);
			});
			const call = {
				method: 'POST',
				path: `/commit?${query.toString()}`,
				body: {},
				signal: options?.signal,
			} as const;
			return (await transport.json<{ readonly Id: string }>(call)).Id;
		},
		prune: (options) => prune(transport, '/containers/prune', options),
	};
}

async function* load(transport: Transport, archive: Bytes, options?: Cancel): AsyncGenerator<ProgressMessage> {
	const call = { method: 'POST', path: '/images/load', query: { quiet: true }, content: archive } as const;
	const response = await transport.open({ ...call, signal: options?.signal });
	yield* messages(bodyOf(response, options?.signal));
}

async function* messages(body: AsyncIterable<Buffer>): AsyncGenerator<ProgressMessage> {
	for await (const value of jsonMessages(body)) {
		const message = value as ProgressMessage;
		const failure = message.errorDetail?.message ?? message.error;
		if (failure !== undefined) {
			throw new ApiError(failure, 0, message.code);
		}
		yield message;
	}
}
