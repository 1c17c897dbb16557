/** The client's side of what an image's layers hold (routes/image-layers.ts): our engine's own calls. */
import { bodyOf } from './transport';
import type { Cancel, Transport } from './transport';

/** GET /mydocker/images/{name}/layers?largest=N */
export interface ImageLayersJson {
	/** The image's, "sha256:<hex>". */
	readonly Id: string;
	/** Bytes of the files of all layers, and of those that a container sees. */
	readonly Size: number;
	readonly VisibleSize: number;
	/** Files, folders and so on that a container sees. */
	readonly VisibleEntries: number;
	/** Bytes of files that a later layer overwrites or deletes. */
	readonly WastedSize: number;
	/** In the order of the history, the base first, layers without files too. */
	readonly Layers: readonly ImageLayerJson[];
	/** The largest files whose bytes are wasted, as many as `largest`. */
	readonly Wasted: readonly WastedFileJson[];
}

export interface ImageLayerJson {
	/** The place in the history, from 0: what ImageLayerFilesJson is asked for by. */
	readonly Index: number;
	/** The build's command, as the history has it; "" when it has none. */
	readonly CreatedBy: string;
	/** RFC 3339, or "". */
	readonly Created: string;
	readonly Comment: string;
	/** True for a step that only changed the configuration: then all else is empty. */
	readonly Empty: boolean;
	/** Digest of the tar, "sha256:<hex>"; "" when empty. */
	readonly DiffId: string;
	/** Digest and bytes of the compressed layer. */
	readonly Digest: string;
	readonly CompressedSize: number;
	/** Bytes of its files, unpacked. */
	readonly Size: number;
	/** Entries of the layer; Bytes are those of what it adds or changes. */
	readonly Changes: LayerChangesJson;
	/** Bytes of its files that later layers overwrite or delete. */
	readonly WastedSize: number;
	/** Bytes of files of lower layers that it overwrites or deletes. */
	readonly RemovesSize: number;
	/** Its largest files, as many as `largest`. */
	readonly Largest: readonly LayerFileJson[];
}

export interface LayerChangesJson {
	readonly Added: number;
	readonly Changed: number;
	readonly Deleted: number;
	readonly Bytes: number;
}

export interface LayerFileJson {
	/** From "/"; bytes that are not UTF-8 are shown as U+FFFD. */
	readonly Path: string;
	/** Docker's numbers, 0 changed, 1 added, 2 deleted; null: a folder that the layer leaves as it is, on the way to changes. */
	readonly Kind: 0 | 1 | 2 | null;
	readonly Type: 'file' | 'directory' | 'symlink' | 'character' | 'block' | 'fifo' | 'socket';
	/** Permission bits with set-id and sticky, 0 to 0o7777. Mode, Uid and Gid of a folder with Kind null are 0. */
	readonly Mode: number;
	readonly Uid: number;
	readonly Gid: number;
	/** Bytes; of what is deleted, those that are wasted by it. Further hard links of a file in the same layer have 0. */
	readonly Size: number;
	/** Of a symlink, else "". */
	readonly Target: string;
	/** Changes deeper in a folder, when those are not listed themselves; else null. */
	readonly Below: LayerChangesJson | null;
}

export interface WastedFileJson {
	readonly Path: string;
	readonly Size: number;
	/** Index of the layer that holds the bytes, and of the one that hides them. */
	readonly Layer: number;
	readonly By: number;
}

/** GET /mydocker/images/{name}/layer-files?layer=INDEX&path=/usr&recursive=0&offset=0&limit=1000 */
export interface ImageLayerFilesJson {
	/** All that fit; Files is one page of them. */
	readonly Total: number;
	/** Sorted by path. */
	readonly Files: readonly LayerFileJson[];
}

export interface ImageLayerCalls {
	/** What each layer holds, and what is wasted. `largest` (20 by default, at most 1000) bounds each list of files. */
	layers(name: string, options?: Cancel & { readonly largest?: number }): Promise<ImageLayersJson>;
	/**
	 * What a layer adds, changes and deletes below a folder ("/" by default): one item for each name right in the folder,
	 * or with `isRecursive` every change. A page has 1000 items by default, 10000 at most.
	 */
	layerFiles(
		name: string,
		options: Cancel & {
			/** Index of the layer. */
			readonly layer: number;
			readonly path?: string;
			readonly isRecursive?: boolean;
			readonly offset?: number;
			readonly limit?: number;
		},
	): Promise<ImageLayerFilesJson>;
	/** The bytes of one regular file of a layer. The body must be read or returned. */
	layerFile(
		name: string,
		options: Cancel & { readonly layer: number; readonly path: string },
	): Promise<AsyncIterable<Buffer>>;
}

export function imageLayerCalls(transport: Transport): ImageLayerCalls {
	const path = (name: string) => `/mydocker/images/${name.split('/').map(encodeURIComponent).join('/')}`;
	return {
		layers: (name, options) =>
			transport.json<ImageLayersJson>({
				method: 'GET',
				path: `${path(name)}/layers`,
				query: { largest: options?.largest },
				signal: options?.signal,
			}),
		layerFiles: (name, { layer, path: folder, isRecursive, offset, limit, signal }) =>
			transport.json<ImageLayerFilesJson>({
				method: 'GET',
				path: `${path(name)}/layer-files`,
				query: { layer, path: folder, recursive: isRecursive, offset, limit },
				signal,
			}),
		layerFile: async (name, { layer, path: file, signal }) => {
			const query = { layer, path: file };
			const call = { method: 'GET', path: `${path(name)}/layer-file`, query, signal } as const;
			return bodyOf(await transport.open(call), signal);
		},
	};
}
