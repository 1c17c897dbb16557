import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import * as path from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { EngineError } from '../errors';
import { run, toolEnvironment } from '../exec';

/**
 * Work on a volume's files. Done by programs of the system, which keep owners, hard links and attributes and are safe
 * against a container that changes the tree meanwhile. `prefix` enters the rootless holder, whose uids own the files.
 */
export interface TreeOptions {
	readonly prefix: readonly string[];
	readonly signal?: AbortSignal | undefined;
}

/** Bytes on disk, each hard-linked file once, other file systems left out; like `du`. */
export async function treeSize(directory: string, { prefix, signal }: TreeOptions): Promise<number> {
	const [program, ...args] = [...prefix, 'du', '-skx', directory];
	const result = await run(program, args, signal === undefined ? {} : { signal });
	const kibibytes = /^(\d+)\s/.exec(result.stdout)?.[1];
	// A file that vanished meanwhile makes du complain, and still print the sum.
	if (kibibytes === undefined) {
		throw new EngineError('internal', `Cannot measure folder "${directory}": ${result.stderr.trim()}`);
	}
	return Number(kibibytes) * 1024;
}

/** As treeSize, of a folder (named "") and of each folder in it, in one walk: a file with several links counts once. */
export async function folderSizes(directory: string, { prefix, signal }: TreeOptions): Promise<Map<string, number>> {
	const [program, ...args] = [...prefix, 'du', '-kx0', '--max-depth=1', directory];
	const result = await run(program, args, signal === undefined ? {} : { signal });
	const sizes = new Map<string, number>();
	for (const line of result.stdout.split('\0')) {
		const [, kibibytes, name = ''] = /^(\d+)\t(.*)$/s.exec(line) ?? [];
		if (kibibytes !== undefined) {
			sizes.set(path.relative(directory, name), Number(kibibytes) * 1024);
		}
	}
	if (!sizes.has('')) {
		throw new EngineError('internal', `Cannot measure folder "${directory}": ${result.stderr.trim()}`);
	}
	return sizes;
}

/** Removes a folder with all that is in it; one that is gone is no error. */
export async function removeTree(directory: string, { prefix }: TreeOptions): Promise<void> {
	const [program, ...args] = [...prefix, 'rm', '-rf', directory];
	const result = await run(program, args);
	if (result.code !== 0) {
		throw new EngineError('internal', `Cannot remove folder "${directory}": ${result.stderr.trim()}`);
	}
}

/** posix keeps extended attributes and nanoseconds. */
const TAR = ['--format=posix', '--numeric-owner', '--acls', '--xattrs', '--xattrs-include=*'];
/** tar(1): a file was written while it was read. */
const CHANGED_MEANWHILE = 1;

/** A tar stream of the folder's content; reading it fails when tar does. */
export function packTree(directory: string, { prefix, signal }: TreeOptions): Readable {
	const [program, ...args] = [...prefix, 'tar', '-C', directory, ...TAR, '--sparse', '-cf', '-', '.'];
	return Readable.from(tarOutput(program, args, signal), { objectMode: false });
}

async function* tarOutput(program: string, args: string[], signal: AbortSignal | undefined): AsyncGenerator<Buffer> {
	const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], env: toolEnvironment(), signal });
	const end = endOf(child, CHANGED_MEANWHILE);
	// Whoever reads may stop before the end is waited for.
	end.catch(() => undefined);
	try {
		yield* child.stdout as AsyncIterable<Buffer>;
		await end;
	} finally {
		child.kill('SIGKILL');
	}
}

/**
 * Unpacks a tar stream into a folder that must be new and empty: GNU tar leaves out a leading "/", refuses ".." and
 * does not go through links of the archive itself, but it would follow a link that was there before.
 */
export async function unpackTree(
	directory: string,
	archive: AsyncIterable<Buffer>,
	{ prefix, signal }: TreeOptions,
): Promise<void> {
	await checkTar(prefix);
	const [program, ...args] = [...prefix, 'tar', '-C', directory, ...TAR, '-xpf', '-'];
	const child = spawn(program, args, { stdio: ['pipe', 'ignore', 'pipe'], env: toolEnvironment(), signal });
	const end = endOf(child);
	const source = new Watched(archive);
	try {
		// A closed pipe only says that tar has ended, maybe before the last zeros: how, its exit tells.
		const fed = pipeline(source.read(), child.stdin).catch(() => {
			source.throwFailure();
		});
		await Promise.all([end, fed]);
	} finally {
		child.kill('SIGKILL');
	}
}

/** Tells a source that failed from a reader that went away. */
class Watched {
	private failure: Error | undefined;

	constructor(private readonly source: AsyncIterable<Buffer>) {}

	async *read(): AsyncGenerator<Buffer> {
		try {
			yield* this.source;
		} catch (error) {
			this.failure = error instanceof Error ? error : new Error(String(error));
			throw error;
		}
	}

	throwFailure(): void {
		if (this.failure !== undefined) {
			throw this.failure;
		}
	}
}

/** Resolves on exit code 0 and on `fine`; else an error with what the program printed. */
async function endOf(child: ChildProcess, fine = 0): Promise<void> {
	let complaint = '';
	child.stderr?.setEncoding('utf8').on('data', (text: string) => {
		complaint = (complaint + text).slice(0, 4096);
	});
	return new Promise((resolve, reject) => {
		child.once('error', reject);
		child.once('close', (code) => {
			if (code === 0 || code === fine) {
				resolve();
			} else {
				const reason =
					complaint.split('\n').find((line) => line !== '' && !line.includes('Removing leading')) ?? '';
				reject(
					// tar has one exit code for all that goes wrong: only its text tells a full disk from a bad archive.
					new EngineError(
						/No space left on device|Disk quota exceeded/.test(complaint) ? 'no-space' : 'corrupt',
						`Cannot process archive: ${reason === '' ? 'tar was stopped' : reason}`,
					),
				);
			}
		});
	});
}

/** Other tars (busybox) follow links of the archive. */
async function checkTar(prefix: readonly string[]): Promise<void> {
	const [program, ...args] = [...prefix, 'tar', '--version'];
	const result = await run(program, args);
	if (!result.stdout.includes('GNU tar')) {
		throw new EngineError('unsupported', 'Cannot unpack an archive: GNU tar is not installed');
	}
}
