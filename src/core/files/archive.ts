/** An archive that goes into a tree: small ones in the engine's thread, others in one of their own. */
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { EngineError } from '../errors';
import { runJob } from '../job-thread';
import { Tree, bytesOf } from './tree';
import { unpackInto } from './unpack';

export interface UnpackJob {
	readonly kind: 'unpack';
	/** An open folder of this process: the root of the tree. */
	readonly root: number;
	/** In the tree. */
	readonly path: string;
	readonly keepsKind: boolean;
	readonly owner: { readonly uid: number; readonly gid: number } | undefined;
	readonly sideArchive: string;
}

interface UnpackContext {
	readonly input: AsyncIterable<Buffer>;
	readonly signal: AbortSignal;
	readonly isSharedThread: boolean;
}

/** Does the job; see runJob and unpackInto. */
export async function unpackJob(job: UnpackJob, { input, signal, isSharedThread }: UnpackContext): Promise<void> {
	const tree = new Tree(`/proc/self/fd/${job.root}`);
	try {
		const { folder } = tree.resolve(bytesOf(job.path), { followsLast: true });
		await unpackInto(tree, folder, input, { ...job, destination: job.path, isSharedThread, signal });
	} finally {
		tree.close();
	}
}

export interface ExtractOptions {
	/** "container web" */
	readonly noun: string;
	readonly keepsKind: boolean;
	readonly owner?: { readonly uid: number; readonly gid: number } | undefined;
	/** Says why the place cannot be written when its disk is read-only. */
	readonly readOnlyReason: (path: string) => string;
	/** A folder for temporary files. */
	readonly scratch: string;
	/** The bundle of worker.ts. */
	readonly worker: string;
	readonly signal: AbortSignal;
}

/** Starting a thread costs more than unpacking this many bytes. */
const INLINE_SIZE = 1024 * 1024;

/**
 * Unpacks an archive, plain, gzip or zstd, into the folder that `target` names, links followed. Throws "not-found" and
 * "invalid" with docker's sentences for a target that is not there or no folder, "denied" for a read-only one.
 */
export async function extractInto(
	tree: Tree,
	target: string,
	archive: AsyncIterable<Buffer>,
	options: ExtractOptions,
): Promise<void> {
	const place = tree.resolve(bytesOf(target), { followsLast: true });
	if (place.stat === undefined) {
		throw new EngineError('not-found', `Could not find the file ${target} in ${options.noun}`);
	}
	if (place.name !== '') {
		throw new EngineError('invalid', 'extraction point is not a directory');
	}
	checkWritable(`/proc/self/fd/${place.folder.descriptor}`, options.readOnlyReason(place.path));
	const job: UnpackJob = {
		kind: 'unpack',
		root: tree.root.descriptor,
		path: target,
		keepsKind: options.keepsKind,
		owner: options.owner,
		sideArchive: path.join(options.scratch, `side-${randomBytes(8).toString('hex')}.tar`),
	};
	const input = archive[Symbol.asyncIterator]();
	const { head, isWhole } = await readHead(input);
	const { signal } = options;
	try {
		await (isWhole
			? unpackJob(job, { input: rest(head, input), signal, isSharedThread: true })
			: runJob(options.worker, job, { input: rest(head, input), signal }));
	} catch (error) {
		throw error instanceof EngineError && error.code === 'corrupt'
			? new EngineError('corrupt', `Cannot unpack archive: ${error.message}`, { cause: error })
			: error;
	}
}

function checkWritable(folder: string, reason: string): void {
	try {
		fs.accessSync(folder, fs.constants.W_OK);
	} catch (error) {
		if (error instanceof Error && 'code' in error && error.code === 'EROFS') {
			throw new EngineError('denied', reason, { cause: error });
		}
		throw error;
	}
}

async function readHead(input: AsyncIterator<Buffer>): Promise<{ head: Buffer[]; isWhole: boolean }> {
	const head: Buffer[] = [];
	for (let length = 0; length <= INLINE_SIZE;) {
		const next = await input.next();
		if (next.done === true) {
			return { head, isWhole: true };
		}
		head.push(next.value);
		length += next.value.length;
	}
	return { head, isWhole: false };
}

async function* rest(head: readonly Buffer[], input: AsyncIterator<Buffer>): AsyncGenerator<Buffer> {
	try {
		yield* head;
		for (let next = await input.next(); next.done !== true; next = await input.next()) {
			yield next.value;
		}
	} finally {
		await input.return?.();
	}
}
