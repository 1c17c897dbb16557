/**
 * Long work on files in a thread of its own, so that the engine goes on answering: one thread a job, which ends with it.
 * What a job is given and what it gives survive structured cloning; a stream of bytes may go in piece by piece.
 */
import { Worker } from 'node:worker_threads';
import type { MessagePort } from 'node:worker_threads';
import { EngineError, messageOf } from './errors';
import type { ErrorCode } from './errors';

/** From the engine to the thread. A chunk of null is the end of the input; "broken" says that there is no whole one. */
export type JobRequest =
	| { readonly kind: 'job'; readonly job: unknown }
	| { readonly kind: 'chunk'; readonly chunk: Uint8Array | null }
	| { readonly kind: 'broken' }
	| { readonly kind: 'abort' };

/** From the thread to the engine. */
export type JobAnswer =
	| { readonly kind: 'more' }
	| { readonly kind: 'progress'; readonly progress: unknown }
	| { readonly kind: 'done'; readonly result: unknown }
	| { readonly kind: 'failed'; readonly code: ErrorCode | undefined; readonly message: string };

export interface JobOptions {
	readonly signal: AbortSignal;
	/** Bytes for the job, read as fast as it takes them. */
	readonly input?: AsyncIterable<Uint8Array>;
	readonly onProgress?: (progress: unknown) => void;
}

/** What a job sees of the engine. */
export interface JobContext {
	readonly signal: AbortSignal;
	readonly input: AsyncIterable<Buffer>;
	readonly onProgress: (progress: unknown) => void;
}

/** Chunks that may be on their way; then the input waits. */
const WINDOW = 8;

/**
 * Runs a job in a new thread of `file` and gives its result. When the signal aborts, its reason is thrown, once the
 * thread has ended; when the input fails, the failure of that.
 */
export async function runJob<Result>(file: string, job: object, options: JobOptions): Promise<Result> {
	const { signal, input, onProgress } = options;
	signal.throwIfAborted();
	const worker = new Worker(file);
	const send = (request: JobRequest): void => {
		worker.postMessage(request);
	};
	const abort = (): void => {
		send({ kind: 'abort' });
	};
	signal.addEventListener('abort', abort, { once: true });
	let feeder: Feeder | undefined;
	try {
		return await new Promise<Result>((resolve, reject) => {
			feeder = input && new Feeder(input, send, reject);
			worker.on('message', (answer: JobAnswer) => {
				if (answer.kind === 'more') {
					feeder?.more();
				} else if (answer.kind === 'progress') {
					onProgress?.(answer.progress);
				} else if (answer.kind === 'done') {
					// The kind of the job says what its result is (worker.ts).
					resolve(answer.result as Result);
				} else {
					reject(failureOf(answer));
				}
			});
			worker.once('error', reject).once('exit', (code) => {
				reject(new Error(`A worker thread ended with exit code ${code}`));
			});
			send({ kind: 'job', job });
		});
	} catch (error) {
		signal.throwIfAborted();
		throw feeder?.failure ?? error;
	} finally {
		signal.removeEventListener('abort', abort);
		feeder?.stop();
		await worker.terminate();
	}
}

function failureOf({ code, message }: Extract<JobAnswer, { kind: 'failed' }>): Error {
	return code === undefined ? new Error(message) : new EngineError(code, message);
}

class Feeder {
	failure: unknown;
	private room = WINDOW;
	private isStopped = false;
	private wake: () => void = () => undefined;

	constructor(
		private readonly input: AsyncIterable<Uint8Array>,
		private readonly send: (request: JobRequest) => void,
		private readonly fail: (error: unknown) => void,
	) {
		void this.feed();
	}

	more(): void {
		this.room++;
		this.wake();
	}

	stop(): void {
		this.isStopped = true;
		this.wake();
	}

	private async feed(): Promise<void> {
		try {
			for await (const chunk of this.input) {
				while (this.room === 0 && !this.hasStopped()) {
					await new Promise<void>((resolve) => {
						this.wake = resolve;
					});
				}
				if (this.hasStopped()) {
					return;
				}
				this.room--;
				this.send({ kind: 'chunk', chunk });
			}
			this.send({ kind: 'chunk', chunk: null });
		} catch (error) {
			this.failure = error;
			if (!this.hasStopped()) {
				this.send({ kind: 'broken' });
				this.fail(error);
			}
		}
	}

	/** Asked after an await. */
	private hasStopped(): boolean {
		return this.isStopped;
	}
}

/** The thread's side: does the one job that comes and tells how it went. */
export function serveJob(port: MessagePort, perform: (job: unknown, context: JobContext) => Promise<unknown>): void {
	const controller = new AbortController();
	const chunks = new Chunks(() => {
		answer({ kind: 'more' });
	});
	const answer = (message: JobAnswer): void => {
		port.postMessage(message);
	};
	const context: JobContext = {
		signal: controller.signal,
		input: chunks.read(),
		onProgress: (progress) => {
			answer({ kind: 'progress', progress });
		},
	};
	port.on('message', (request: JobRequest) => {
		if (request.kind === 'abort') {
			controller.abort();
			chunks.add('broken');
		} else if (request.kind === 'broken') {
			chunks.add('broken');
		} else if (request.kind === 'chunk') {
			chunks.add(request.chunk);
		} else {
			perform(request.job, context).then(
				(result) => {
					answer({ kind: 'done', result });
				},
				(error: unknown) => {
					const code = error instanceof EngineError ? error.code : undefined;
					answer({ kind: 'failed', code, message: messageOf(error) });
				},
			);
		}
	});
}

class Chunks {
	private readonly waiting: (Uint8Array | null | 'broken')[] = [];
	private wake: () => void = () => undefined;

	constructor(private readonly taken: () => void) {}

	add(chunk: Uint8Array | null | 'broken'): void {
		this.waiting.push(chunk);
		this.wake();
	}

	async *read(): AsyncGenerator<Buffer> {
		for (;;) {
			const chunk = this.waiting.shift();
			if (chunk === undefined) {
				await new Promise<void>((resolve) => {
					this.wake = resolve;
				});
			} else if (chunk === null) {
				return;
			} else if (chunk === 'broken') {
				throw new Error('The input broke off');
			} else {
				this.taken();
				yield Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
			}
		}
	}
}
