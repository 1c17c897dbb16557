/**
 * One pass over a layer: socket, digest of the blob (written to blobs/ on the way), decompression, digest of the tar,
 * files. Runs in the engine's thread, in a worker or in a child process: what it is given and what it gives survive
 * structured cloning.
 */
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import type { IncomingMessage } from 'node:http';
import * as os from 'node:os';
import * as path from 'node:path';
import { EngineError, fullDisk, messageOf, systemCode } from '../errors';
import { blobPath, commitBlob, Ingest } from './blobs';
import { shortened } from './connection';
import { inflate } from './inflate';
import { applyLayerStream } from './layer';
import type { AppliedLayer, LayerFormat } from './layer';
import type { Descriptor } from './manifest';
import { formatReference } from './reference';
import type { Reference } from './reference';
import { Registry } from './registry';
import type { RegistryAccess } from './registry';

export interface LayerJob {
	/** The store's folder. */
	readonly root: string;
	/** A folder for this job alone, not there yet. The unpacked layer is in its "tree" when the job is done. */
	readonly temporary: string;
	/** The compressed layer. */
	readonly descriptor: Descriptor;
	readonly diffId: string;
	readonly format: LayerFormat;
	/** Where to download the blob; null when it is in the store already. */
	readonly download: {
		readonly sources: readonly RegistryAccess[];
		readonly reference: Reference;
	} | null;
	/** The file that the download is written to, or goes on with. It is the caller's to keep or remove when the job fails. */
	readonly part: string;
}

export interface JobProgress {
	readonly phase: 'downloading' | 'verifying' | 'downloaded' | 'extracting';
	/** Bytes of the compressed layer. */
	readonly current: number;
	readonly total: number;
}

/** A download in the thread of the pull: over the connections that it has. */
export interface OwnDownload {
	readonly registry: Registry;
	/** Takes the answer to a request for the layer that was sent already. */
	readonly takeAnswer: () => Promise<IncomingMessage> | undefined;
}

export interface JobOptions {
	/** Without it the download has connections of its own. */
	readonly own?: OwnDownload | undefined;
	/** See LayerOptions. */
	readonly isSharedThread: boolean;
	/** See InflateOptions. */
	readonly hasIdleCore: () => boolean;
	readonly signal: AbortSignal;
	readonly onProgress: (progress: JobProgress) => void;
	/** Called with true when hardly anything of the blob comes in, between tries too, and with false when it does again. */
	readonly onStall: (isStalled: boolean) => void;
}

/** A layer may grow this much when unpacked; text of one letter grows a thousandfold. */
const MAX_RATIO = 200;
const ALWAYS_ALLOWED = 1024 ** 3;
const PROGRESS_MILLISECONDS = 100;
const READ_BYTES = 128 * 1024;
/** A download that gives fewer bytes than these in that time has stalled: it leaves the processor alone. */
const STALL_BYTES = 64 * 1024;
const STALL_MILLISECONDS = 2000;

const cores = os.availableParallelism();

/** Whether a core has nothing to do with layers, of which `running` (an array of one) are being unpacked. */
export function hasIdleCore(running: Int32Array): boolean {
	return Atomics.load(running, 0) < cores;
}

/** The folder in which a job's layer is when it is done. */
export function treeOf(temporary: string): string {
	return path.join(temporary, 'tree');
}

/**
 * Downloads and unpacks a layer and checks both of its digests; then the whole blob is in the job's part, for commitLayer,
 * and the layer waits in the temporary folder. That folder is the caller's to remove, whatever happens.
 */
export async function unpackLayer(job: LayerJob, options: JobOptions): Promise<AppliedLayer> {
	const { descriptor, root, temporary } = job;
	fs.mkdirSync(temporary, { mode: 0o700 });
	fs.mkdirSync(treeOf(temporary));
	fs.chmodSync(treeOf(temporary), 0o755); // the root's mode where no entry names it, whatever the umask
	const ingest = job.download && new Ingest(descriptor, job.part);
	const source = new Source(
		job.download && ingest
			? download(job.download, descriptor, { start: ingest.start, signal: options.signal, own: options.own })
			: readBlob(root, descriptor),
	);
	const watch =
		job.download &&
		setInterval(() => {
			options.onStall(source.hasStalled());
		}, STALL_MILLISECONDS);
	try {
		const bytes = source.read();
		const all = withProgress(ingest ? ingest.tee(bytes) : bytes, descriptor.size, options);
		const layer = await applyLayerStream(inflate(all, { isVerified: true, hasIdleCore: options.hasIdleCore }), {
			directory: treeOf(temporary),
			format: job.format,
			sideArchive: path.join(temporary, 'side.tar'),
			maxBytes: Math.max(ALWAYS_ALLOWED, MAX_RATIO * descriptor.size),
			isSharedThread: options.isSharedThread,
			signal: options.signal,
		});
		if (layer.diffId !== job.diffId) {
			throw new EngineError('corrupt', `its content has digest ${layer.diffId} and should have ${job.diffId}`);
		}
		return layer;
	} catch (error) {
		options.signal.throwIfAborted();
		throw job.download && error === source.failure ? error : failureOf(job, error);
	} finally {
		clearInterval(watch ?? undefined);
		ingest?.close();
	}
}

/** Gives the blob that a job has downloaded its name. */
export function commitLayer(job: LayerJob): void {
	if (job.download === null) {
		return;
	}
	try {
		commitBlob(job.root, job.descriptor.digest, job.part);
	} catch (error) {
		throw failureOf(job, error);
	}
}

/** Remembers the failure of a download, which already says all, apart from one of the unpacking; tells how it flows. */
class Source {
	failure: unknown;
	private received = 0;
	private isWaitedFor = false;

	constructor(private readonly bytes: AsyncIterable<Buffer>) {}

	async *read(): AsyncGenerator<Buffer> {
		this.isWaitedFor = true;
		try {
			for await (const chunk of this.bytes) {
				this.received += chunk.length;
				this.isWaitedFor = false;
				yield chunk;
				this.isWaitedFor = true;
			}
			this.isWaitedFor = false;
		} catch (error) {
			this.failure = error;
			throw error;
		}
	}

	/** Whether more is waited for and hardly anything has come since the last call. */
	hasStalled(): boolean {
		const { received } = this;
		this.received = 0;
		return this.isWaitedFor && received < STALL_BYTES;
	}
}

async function* download(
	{ sources, reference }: NonNullable<LayerJob['download']>,
	descriptor: Descriptor,
	{ start, signal, own }: Pick<JobOptions, 'signal' | 'own'> & { readonly start: number },
): AsyncGenerator<Buffer> {
	const registry = own?.registry.share() ?? new Registry(sources);
	const answer = start === 0 ? own?.takeAnswer() : undefined;
	try {
		yield* registry.blob(reference, descriptor, { start, signal, answer });
	} finally {
		registry.close();
	}
}

/** Throws EngineError "corrupt" at the end of a blob that is no longer what it was: a power cut can have spoilt it. */
async function* readBlob(root: string, { digest }: Descriptor): AsyncGenerator<Buffer> {
	const handle = await fs.promises.open(blobPath(root, digest));
	try {
		const hash = createHash('sha256');
		const buffer = Buffer.allocUnsafeSlow(READ_BYTES);
		for (;;) {
			const { bytesRead } = await handle.read(buffer, 0, buffer.length, null);
			if (bytesRead === 0) {
				break;
			}
			hash.update(buffer.subarray(0, bytesRead));
			yield buffer.subarray(0, bytesRead);
		}
		if (`sha256:${hash.digest('hex')}` !== digest) {
			throw new EngineError('corrupt', 'its blob in the store is damaged');
		}
	} finally {
		await handle.close();
	}
}

/** Tells about ten times a second how far the reading is, and when it is over. */
async function* withProgress(
	source: AsyncIterable<Buffer>,
	total: number,
	options: JobOptions,
): AsyncGenerator<Buffer> {
	const { onProgress } = options;
	let current = 0;
	let last = 0;
	onProgress({ phase: 'downloading', current, total });
	for await (const chunk of source) {
		current += chunk.length;
		yield chunk;
		const now = Date.now();
		if (now - last >= PROGRESS_MILLISECONDS && current < total) {
			last = now;
			onProgress({ phase: 'downloading', current, total });
		}
	}
	for (const phase of ['verifying', 'downloaded', 'extracting'] as const) {
		onProgress({ phase, current, total });
	}
}

function failureOf({ descriptor, download, root }: LayerJob, error: unknown): unknown {
	const what = download
		? `Cannot pull image "${formatReference(download.reference)}": its layer "${descriptor.digest}": `
		: `Cannot unpack layer "${descriptor.digest}": `;
	if (error instanceof EngineError) {
		return new EngineError(error.code, what + shortened(error.message), { cause: error });
	}
	switch (systemCode(error)) {
		case 'ENOSPC':
		case 'EDQUOT':
			return new EngineError('no-space', what + fullDisk(root), { cause: error });
		case 'ENAMETOOLONG':
		case 'EFBIG':
		case 'EILSEQ':
			return new EngineError('corrupt', `${what}the disk cannot hold it: ${messageOf(error)}`, { cause: error });
		default:
			return error;
	}
}
