/**
 * A layer that comes from elsewhere than a registry (an archive, a container's own files) becomes a blob and an unpacked
 * layer in one pass. Runs in a worker thread.
 */
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import * as fs from 'node:fs';
import * as path from 'node:path';
import * as zlib from 'node:zlib';
import { EngineError, messageOf } from '../errors';
import type { JobContext } from '../job-thread';
import { compressionOf, inflate } from './inflate';
import type { Compression } from './inflate';
import { complete, inflateArchive } from './inflate-archive';
import { applyLayerStream } from './layer';
import type { AppliedLayer, LayerFormat } from './layer';
import { packUpper } from './pack-upper';
import { treeOf } from './unpack';

export interface AbsorbJob {
	readonly kind: 'absorb';
	/** The store's folder. */
	readonly root: string;
	/** A folder for this job alone, not there yet. The unpacked layer is in its "tree" when the job is done. */
	readonly temporary: string;
	readonly format: LayerFormat;
	readonly source:
		| { readonly kind: 'input' }
		| { readonly kind: 'file'; readonly path: string }
		/** The upper directory of an overlay. */
		| { readonly kind: 'upper'; readonly path: string };
}

export interface AbsorbedLayer extends AppliedLayer {
	readonly blob: {
		/** Under ingest/, to be renamed. */
		readonly file: string;
		readonly digest: string;
		readonly size: number;
		readonly compression: 'gzip' | 'zstd';
	};
}

/** Quick, and within a few percent of the usual level for binaries. */
const LEVEL = 3;
const MAX_RATIO = 200;
const ALWAYS_ALLOWED = 1024 ** 3;

/**
 * Does the job. A compressed layer keeps its bytes as its blob, a plain one is compressed with gzip. Throws EngineError
 * "corrupt", "unsupported" or "no-space"; the files that it leaves then are the caller's to remove (blob under ingest/
 * excepted).
 */
export async function absorb(job: AbsorbJob, { input, signal }: JobContext): Promise<AbsorbedLayer> {
	fs.mkdirSync(job.temporary, { mode: 0o700 });
	fs.mkdirSync(treeOf(job.temporary));
	fs.chmodSync(treeOf(job.temporary), 0o755);
	const blob = new BlobFile(path.join(job.root, 'ingest', `layer-${randomBytes(8).toString('hex')}`));
	try {
		const { compression, bytes } = await peek(sourceOf(job, input, signal));
		const isKept = compression === 'gzip' || compression === 'zstd';
		const counted = new Counted(bytes);
		// What is imported has no digest that would tell that it broke off.
		const whole = job.source.kind === 'input' ? complete : <T>(tar: T): T => tar;
		const tar = isKept
			? whole(inflate(blob.tee(counted.read())))
			: blob.compress(inflateArchive(counted.read(), signal));
		const layer = await applyLayerStream(tar, {
			directory: treeOf(job.temporary),
			format: job.format,
			sideArchive: path.join(job.temporary, 'side.tar'),
			maxBytes: Infinity,
			isSharedThread: false,
			signal,
			checkProgress: (unpacked) => {
				if (isKept && unpacked > Math.max(ALWAYS_ALLOWED, MAX_RATIO * counted.bytes)) {
					throw new EngineError('corrupt', 'it unpacks to far more than an archive of its size can hold');
				}
			},
		});
		return { ...layer, blob: { ...(await blob.finish()), compression: compression === 'zstd' ? 'zstd' : 'gzip' } };
	} catch (error) {
		blob.discard();
		throw error;
	}
}

function sourceOf({ source }: AbsorbJob, input: AsyncIterable<Buffer>, signal: AbortSignal): AsyncIterable<Buffer> {
	if (source.kind === 'input') {
		return input;
	}
	return source.kind === 'file'
		? (fs.createReadStream(source.path, { highWaterMark: 256 * 1024 }) as AsyncIterable<Buffer>)
		: packUpper(source.path, signal);
}

async function peek(
	source: AsyncIterable<Buffer>,
): Promise<{ compression: Compression; bytes: AsyncGenerator<Buffer> }> {
	const chunks = source[Symbol.asyncIterator]();
	let head: Buffer = Buffer.alloc(0);
	while (head.length < 6) {
		const next = await chunks.next();
		if (next.done === true) {
			break;
		}
		head = Buffer.concat([head, next.value]);
	}
	async function* bytes(): AsyncGenerator<Buffer> {
		try {
			yield head;
			for (let next = await chunks.next(); next.done !== true; next = await chunks.next()) {
				yield next.value;
			}
		} finally {
			await chunks.return?.();
		}
	}
	return { compression: compressionOf(head), bytes: bytes() };
}

class Counted {
	bytes = 0;

	constructor(private readonly source: AsyncIterable<Buffer>) {}

	async *read(): AsyncGenerator<Buffer> {
		for await (const chunk of this.source) {
			this.bytes += chunk.length;
			yield chunk;
		}
	}
}

/** A blob being written. */
class BlobFile {
	private readonly descriptor: number;
	private readonly hash = createHash('sha256');
	private size = 0;
	private isOpen = true;

	constructor(private readonly file: string) {
		this.descriptor = fs.openSync(file, 'wx', 0o600);
	}

	/** Writes the bytes and passes them on. */
	async *tee(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
		for await (const chunk of source) {
			this.write(chunk);
			yield chunk;
		}
	}

	/** Writes the bytes compressed and passes them on as they are. */
	async *compress(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
		const gzip = zlib.createGzip({ level: LEVEL });
		const end = once(gzip, 'end');
		end.catch(() => undefined);
		let failure: Error | undefined;
		gzip.on('data', (chunk: Buffer) => {
			try {
				this.write(chunk);
			} catch (error) {
				// Thrown from here it would end the thread, and the file would stay.
				failure = error instanceof Error ? error : new Error(messageOf(error), { cause: error });
				gzip.destroy(failure);
			}
		});
		try {
			for await (const chunk of source) {
				// zlib reads it later in another thread; the source may use its buffer again.
				if (failure !== undefined) {
					throw failure;
				}
				if (!gzip.write(Buffer.from(chunk))) {
					await once(gzip, 'drain');
				}
				yield chunk;
			}
			gzip.end();
			await end;
		} finally {
			gzip.destroy();
		}
	}

	async finish(): Promise<{ file: string; digest: string; size: number }> {
		await new Promise<void>((resolve, reject) => {
			fs.fsync(this.descriptor, (error) => {
				if (error) {
					reject(error);
				} else {
					resolve();
				}
			});
		});
		this.close();
		return { file: this.file, digest: `sha256:${this.hash.digest('hex')}`, size: this.size };
	}

	discard(): void {
		this.close();
		fs.rmSync(this.file, { force: true });
	}

	private close(): void {
		if (this.isOpen) {
			this.isOpen = false;
			fs.closeSync(this.descriptor);
		}
	}

	private write(chunk: Buffer): void {
		this.hash.update(chunk);
		this.size += chunk.length;
		for (let done = 0; done < chunk.length;) {
			done += fs.writeSync(this.descriptor, chunk, done, chunk.length - done);
		}
	}
}
