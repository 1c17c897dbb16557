/** The client's side of routes/volume-archives.ts: calls that only our engine has. */
import { bodyOf } from './transport';
import type { Cancel, Transport } from './transport';
import type { VolumeJson } from './types';

export interface VolumeArchiveCalls {
	/** A tar of all that the volume has; reading it fails when it is not whole. The body must be read or returned. */
	backup(name: string, options?: Cancel & { readonly isCompressed?: boolean }): Promise<AsyncIterable<Buffer>>;
	/**
	 * Makes a tar, plain or compressed, the content of a volume, whole or not at all; one that is not there is made.
	 * Refused (409) while a container runs with it, and without `force` when it has content.
	 */
	restore(
		name: string,
		tar: AsyncIterable<Uint8Array> | Uint8Array,
		options?: Cancel & { readonly force?: boolean },
	): Promise<VolumeJson>;
	/** A new volume `target` with a copy of the content, seen by nobody before it is whole. */
	clone(name: string, target: string, options?: Cancel): Promise<VolumeJson>;
}

/** Makes the calls; see the interface. */
export function volumeArchiveCalls(transport: Transport): VolumeArchiveCalls {
	const path = (name: string, verb: string) => `/mydocker/volumes/${encodeURIComponent(name)}/${verb}`;
	return {
		backup: async (name, options) => {
			const call = { method: 'GET', path: path(name, 'backup'), signal: options?.signal } as const;
			const tar = bodyOf(await transport.open(call), options?.signal);
			return options?.isCompressed === true ? await gzipped(tar) : tar;
		},
		restore: (name, tar, options) =>
			transport.json<VolumeJson>({
				method: 'PUT',
				path: path(name, 'restore'),
				query: { force: options?.force },
				content: tar,
				signal: options?.signal,
			}),
		clone: (name, target, options) =>
			transport.json<VolumeJson>({
				method: 'POST',
				path: path(name, 'clone'),
				query: { target },
				signal: options?.signal,
			}),
	};
}

async function gzipped(tar: AsyncIterable<Buffer>): Promise<AsyncIterable<Buffer>> {
	// Most commands never need them, and zlib takes a while to load.
	const [{ pipeline, Readable }, { createGzip }] = await Promise.all([import('node:stream'), import('node:zlib')]);
	// A failure destroys both ends, so that it reaches whoever reads.
	return pipeline(Readable.from(tar, { objectMode: false }), createGzip(), () => undefined);
}
