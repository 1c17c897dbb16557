import { EngineError } from '../errors';
import type { FileQueue } from './file-queue';
import type { Stream } from './json-lines';
import type { LogDriver, LogEntry } from './log';
import type { Run } from './run';

export interface AttachOptions {
	readonly stdin?: boolean;
	readonly stdout?: boolean;
	readonly stderr?: boolean;
	/** First what is in the log already. */
	readonly logs?: boolean;
	readonly signal?: AbortSignal;
}

/** Both directions of a container's run. */
export interface Attachment {
	/** Ends when the container has exited and all was read, or after `close`. */
	readonly output: AsyncIterable<{ readonly stream: Stream; readonly data: Buffer }>;
	/** Resolves when the container's pipe has taken the bytes; waits for the container's start. */
	write(data: Uint8Array): Promise<void>;
	/** This client sends nothing more: the container reads end of file, when it was made to (docker's StdinOnce). */
	end(): void;
	/** Detaches. */
	close(): void;
	/** Like close, because the person at the client asked for it by the detach keys. */
	detach(): void;
}

/** What an attachment needs of its container. */
export interface AttachmentHost {
	readonly log: LogDriver;
	/** The input of the present run; throws when the container has none. */
	readonly input: () => { write(data: Uint8Array): Promise<void> };
	/** A client with stdin has sent all, or left. */
	readonly inputEnded: () => void;
	readonly detached: (attachment: ContainerAttachment) => void;
	/** A person left by the detach keys. */
	readonly left: () => void;
}

const READ_SIZE = 64 * 1024;

/**
 * One client of a container's streams, for one run: the present one, or the next. The client reads the output from the
 * segment files at its own pace; one that is slow holds up neither the container nor its log nor memory, and is cut off
 * when it is 1 GiB behind (see FileQueue).
 */
export class ContainerAttachment implements Attachment {
	readonly output: AsyncIterable<{ readonly stream: Stream; readonly data: Buffer }>;
	private readonly gone = new AbortController();
	private readonly queues = new Map<Stream, FileQueue>();
	private readonly ready: Promise<void>;
	private resolveReady: () => void = () => undefined;
	private past: AsyncIterator<LogEntry> | undefined;
	private firstPast: Promise<IteratorResult<LogEntry>> | undefined;
	private hasRun = false;
	private isOver = false;

	constructor(
		private readonly host: AttachmentHost,
		private readonly options: AttachOptions,
	) {
		this.ready = new Promise((resolve) => {
			this.resolveReady = resolve;
		});
		this.output = this.read();
		options.signal?.addEventListener('abort', () => {
			this.close();
		});
	}

	/** The run begins, or goes on already. Log and segments are opened in one go, so they meet without gap or overlap. */
	begin(run: Run): void {
		if (this.hasRun || this.isOver) {
			return;
		}
		this.hasRun = true;
		for (const stream of (['stdout', 'stderr'] as const).filter((name) => this.options[name] !== false)) {
			const queue = run.tail(stream);
			if (queue !== undefined) {
				this.queues.set(stream, queue);
			}
		}
		if (this.options.logs === true) {
			const { stdout = true, stderr = true } = this.options;
			this.past = this.host.log.read({ stdout, stderr })[Symbol.asyncIterator]();
			this.firstPast = this.past.next();
			this.firstPast.catch(() => {
				// Told when the output is read.
			});
		}
		this.resolveReady();
	}

	end(): void {
		if (this.options.stdin === true) {
			this.host.inputEnded();
		}
	}

	/** The start failed or the container is gone: nothing comes. A run that has begun ends by itself. */
	abandon(): void {
		if (!this.hasRun) {
			this.close();
		}
	}

	async write(data: Uint8Array): Promise<void> {
		await this.ready;
		if (this.isOver || !this.hasRun) {
			throw new EngineError('conflict', 'Cannot write to the container: it is not attached any more');
		}
		await this.host.input().write(data);
	}

	detach(): void {
		this.host.left();
		this.close();
	}

	close(): void {
		if (this.isOver) {
			return;
		}
		this.isOver = true;
		this.gone.abort();
		for (const queue of this.queues.values()) {
			queue.close();
		}
		this.resolveReady();
		this.host.detached(this);
		if (this.options.stdin === true) {
			this.host.inputEnded();
		}
	}

	private async *read(): AsyncGenerator<{ readonly stream: Stream; readonly data: Buffer }, void, void> {
		await this.ready;
		try {
			for (let next = await this.firstPast; next?.done === false; next = await this.past?.next()) {
				yield { stream: next.value.stream, data: next.value.data };
			}
			yield* merge(this.queues);
		} finally {
			await this.past?.return?.();
			this.close();
		}
	}
}

/** The queues' chunks as they come, until all have ended. */
async function* merge(
	queues: ReadonlyMap<Stream, FileQueue>,
): AsyncGenerator<{ readonly stream: Stream; readonly data: Buffer }, void, void> {
	const read = async (stream: Stream, queue: FileQueue): Promise<{ stream: Stream; data: Buffer | undefined }> => ({
		stream,
		data: (await queue.read(Buffer.allocUnsafe(READ_SIZE)))?.data,
	});
	const pending = new Map([...queues].map(([stream, queue]) => [stream, read(stream, queue)]));
	while (pending.size > 0) {
		const { stream, data } = await Promise.race(pending.values());
		const queue = queues.get(stream);
		if (data === undefined || queue === undefined) {
			pending.delete(stream);
		} else {
			pending.set(stream, read(stream, queue));
			yield { stream, data };
		}
	}
}
