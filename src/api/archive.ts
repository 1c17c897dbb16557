/** The client's side of `docker cp` and of our calls for explorers (routes/archive.ts). */
import { ApiError, bodyOf } from './transport';
import type { Cancel, Transport } from './transport';

/** What a path is, docker's ContainerPathStat. */
export interface PathStat {
	/** Last part of the path that was asked for; in a list, the entry's name. */
	readonly name: string;
	/** Bytes. */
	readonly size: number;
	/** In the bits of Go's os.FileMode: see isFolder and isLink. */
	readonly mode: number;
	/** RFC 3339. */
	readonly mtime: string;
	/** Where a symlink leads, all links followed; in a list, as it is written. "" for anything else. */
	readonly linkTarget: string;
}

/** Files of one container or volume. A path counts from its root; links never lead outside of that. */
export interface Archive {
	/** A symlink itself, unless the path ends with "/" or "/.". */
	stat(path: string, options?: Cancel): Promise<PathStat>;
	/** A tar of what the path names, its last part first in every name. The body must be read or returned. */
	get(path: string, options?: Cancel): Promise<{ readonly stat: PathStat; readonly tar: AsyncIterable<Buffer> }>;
	/** Unpacks a tar, plain or compressed, into a folder that is there. */
	put(
		path: string,
		tar: AsyncIterable<Uint8Array> | Uint8Array,
		options?: Cancel & {
			/** Refuse to put a folder in the place of something else, and the reverse. */
			readonly keepsKind?: boolean;
			/** The container's user owns all that is unpacked. */
			readonly isOwnedByUser?: boolean;
		},
	): Promise<void>;
	/**
	 * Entries of a folder, by name. This and the calls below are of our engine only; with another one they need a container
	 * that runs and has the programs for it (exec-files.ts).
	 */
	list(path: string, options?: Cancel): Promise<PathStat[]>;
	/** Removes a file, or a folder with all in it. */
	remove(path: string, options?: Cancel): Promise<void>;
	rename(path: string, to: string, options?: Cancel): Promise<void>;
}

const FOLDER = 2 ** 31;
const LINK = 2 ** 27;

export function isFolder({ mode }: Pick<PathStat, 'mode'>): boolean {
	return mode >= FOLDER;
}

export function isLink({ mode }: Pick<PathStat, 'mode'>): boolean {
	return (mode & LINK) !== 0;
}

/** `base` has the archive, `own` our calls. */
export function archiveCalls(transport: Transport, base: string, own: string): Archive {
	const files = `${own}/files`;
	return {
		stat: async (path, options) => {
			const call = { method: 'HEAD', path: `${base}/archive`, query: { path }, signal: options?.signal } as const;
			const response = await transport.open(call).catch((error: unknown) => {
				throw withReason(error, path);
			});
			response.destroy();
			return statIn(response.headers[STAT]);
		},
		get: async (path, options) => {
			const call = { method: 'GET', path: `${base}/archive`, query: { path }, signal: options?.signal } as const;
			const response = await transport.open(call);
			return { stat: statIn(response.headers[STAT]), tar: bodyOf(response, options?.signal) };
		},
		put: (path, tar, options) =>
			transport.done({
				method: 'PUT',
				path: `${base}/archive`,
				query: { path, noOverwriteDirNonDir: options?.keepsKind, copyUIDGID: options?.isOwnedByUser },
				content: tar,
				signal: options?.signal,
			}),
		list: (path, options) =>
			transport.json<PathStat[]>({ method: 'GET', path: files, query: { path }, signal: options?.signal }),
		remove: (path, options) =>
			transport.done({ method: 'DELETE', path: files, query: { path }, signal: options?.signal }),
		rename: (path, to, options) =>
			transport.done({ method: 'POST', path: `${files}/rename`, query: { path, to }, signal: options?.signal }),
	};
}

const STAT = 'x-docker-container-path-stat';

function statIn(header: string | string[] | undefined): PathStat {
	if (typeof header !== 'string') {
		throw new Error('The engine does not say what the path is');
	}
	return JSON.parse(Buffer.from(header, 'base64').toString()) as PathStat;
}

/** The answer to HEAD has no body and so no sentence. */
function withReason(error: unknown, path: string): unknown {
	return error instanceof ApiError && error.status === 404
		? new ApiError(`Could not find the file ${path}`, 404, error.code ?? 'not-found')
		: error;
}
