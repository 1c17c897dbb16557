import { Worker } from 'node:worker_threads';
import { EngineError } from '../errors';
import type { AppliedLayer } from './layer';
import type { WorkerAnswer, WorkerRequest } from './layer-worker';
import { hasIdleCore, unpackLayer } from './unpack';
import type { JobOptions, LayerJob } from './unpack';

export type RunOptions = Pick<JobOptions, 'own' | 'signal' | 'onProgress'>;
type ThreadOptions = Pick<JobOptions, 'signal' | 'onProgress' | 'onStall'>;

/** Starting a thread costs more than unpacking a layer of this many compressed bytes. */
const INLINE_SIZE = 2 * 1024 * 1024;
/** Hardly anything in a thread lives longer than an entry: more room for young objects is only more memory. */
const YOUNG_MEGABYTES = 6;
const MAX_THREADS = 2;
const MAX_INLINE = 4;

/** A thread without work waits so long for more before it ends. */
const IDLE_MILLISECONDS = 2000;

/** Whether a layer of so many bytes is unpacked in this thread. */
export function isInline(size: number): boolean {
	return size < INLINE_SIZE;
}

/**
 * Unpacks layers: small ones in this thread, others in up to two worker threads, which end soon after their work. A layer
 * whose download has stalled gives its place on and keeps its thread.
 */
export class LayerThreads {
	/** For all threads: how many layers are being unpacked. */
	private readonly running = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
	private readonly inline = new Lanes(MAX_INLINE, this.running);
	private readonly threads = new Lanes(MAX_THREADS, this.running);
	private readonly idle = new Map<Worker, NodeJS.Timeout>();

	constructor(
		/** The bundle of layer-worker.ts. */
		private readonly workerFile: string,
	) {}

	/** Runs the job as soon as there is a place; see unpackLayer. */
	run(job: LayerJob, options: RunOptions): Promise<AppliedLayer> {
		const from = job.download?.reference.registry ?? '';
		if (isInline(job.descriptor.size)) {
			const inline = { ...options, isSharedThread: true, hasIdleCore: () => hasIdleCore(this.running) };
			return this.inline.enter(from, (onStall) => unpackLayer(job, { ...inline, onStall }), options.signal);
		}
		return this.threads.enter(from, (onStall) => this.runInThread(job, { ...options, onStall }), options.signal);
	}

	/** Starts the threads that layers of these sizes in bytes will need: they are ready sooner. */
	prepare(sizes: readonly number[]): void {
		const wanted = Math.min(MAX_THREADS, sizes.filter((size) => !isInline(size)).length);
		for (let there = this.idle.size + this.threads.busy; there < wanted; there++) {
			this.keepIdle(this.newWorker());
		}
	}

	private async runInThread(job: LayerJob, options: ThreadOptions): Promise<AppliedLayer> {
		const worker = this.takeIdle() ?? this.newWorker();
		let isHealthy = false;
		try {
			const layer = await converse(worker, job, options);
			isHealthy = true;
			return layer;
		} finally {
			if (isHealthy) {
				this.keepIdle(worker);
			} else {
				await worker.terminate();
			}
		}
	}

	private newWorker(): Worker {
		const worker = new Worker(this.workerFile, {
			workerData: this.running,
			resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MEGABYTES },
		});
		// Whoever waits for it hears of the error too (converse); without any listener it would end the engine.
		worker.on('error', () => {
			clearTimeout(this.idle.get(worker));
			this.idle.delete(worker);
		});
		return worker;
	}

	private takeIdle(): Worker | undefined {
		const [[worker, timer] = []] = this.idle;
		if (worker) {
			clearTimeout(timer);
			this.idle.delete(worker);
			worker.ref();
		}
		return worker;
	}

	/** Keeps the thread for a while; an engine that has nothing else to do ends nevertheless. */
	private keepIdle(worker: Worker): void {
		worker.unref();
		const timer = setTimeout(() => {
			this.idle.delete(worker);
			void worker.terminate();
		}, IDLE_MILLISECONDS).unref();
		this.idle.set(worker, timer);
	}
}

/** Sends the job to the thread and waits for its end; an abort is passed on and its effect waited for. */
function converse(
	worker: Worker,
	job: LayerJob,
	{ signal, onProgress, onStall }: ThreadOptions,
): Promise<AppliedLayer> {
	return new Promise<AppliedLayer>((resolve, reject) => {
		const send = (request: WorkerRequest): void => {
			worker.postMessage(request);
		};
		const abort = (): void => {
			send({ kind: 'abort' });
		};
		const onAnswer = (answer: WorkerAnswer): void => {
			if (answer.kind === 'progress') {
				onProgress(answer.progress);
				return;
			}
			if (answer.kind === 'stall') {
				onStall(answer.isStalled);
				return;
			}
			done();
			if (answer.kind === 'done') {
				resolve(answer.layer);
			} else {
				reject(signal.aborted ? (signal.reason as Error) : new EngineError(answer.code, answer.message));
			}
		};
		const onError = (error: Error): void => {
			done();
			const reason = `its thread failed: ${error.message}`;
			const message = `Cannot unpack layer "${job.descriptor.digest}": ${reason}`;
			reject(new EngineError('internal', message, { cause: error }));
		};
		const onExit = (code: number): void => {
			onError(new Error(`exit code ${code}`));
		};
		const done = (): void => {
			signal.removeEventListener('abort', abort);
			worker.off('message', onAnswer).off('error', onError).off('exit', onExit);
		};
		signal.addEventListener('abort', abort, { once: true });
		worker.on('message', onAnswer).on('error', onError).on('exit', onExit);
		send({ kind: 'unpack', job });
	});
}

interface Waiter {
	readonly registry: string;
	readonly enter: () => void;
}

/**
 * So many layers at a time, in the order of their coming. One whose download has stalled is not counted until bytes come
 * again, so that a registry that sends nothing holds nobody else up. A registry gets no more than twice as many, stalled
 * ones too: all that it has of a large image need not be tried at once.
 */
class Lanes {
	/** Those that have not stalled; more than `count` when several go on at the same time. */
	busy = 0;
	/** How many of each registry there are, stalled or not. */
	private readonly entered = new Map<string, number>();
	private readonly waiting = new Set<Waiter>();

	constructor(
		private readonly count: number,
		/** Counts those of all lanes that have not stalled. */
		private readonly running: Int32Array,
	) {}

	async enter<T>(
		registry: string,
		work: (onStall: (isStalled: boolean) => void) => Promise<T>,
		signal: AbortSignal,
	): Promise<T> {
		await this.place(registry, signal);
		let isCounted = true;
		const onStall = (isStalled: boolean): void => {
			if (isStalled === isCounted) {
				isCounted = !isStalled;
				this.add(isCounted ? 1 : -1);
				this.fill();
			}
		};
		try {
			return await work(onStall);
		} finally {
			this.entered.set(registry, this.enteredOf(registry) - 1);
			onStall(true);
			this.fill();
		}
	}

	private place(registry: string, signal: AbortSignal): Promise<void> {
		signal.throwIfAborted();
		return new Promise((resolve, reject) => {
			const enter = (): void => {
				signal.removeEventListener('abort', give);
				resolve();
			};
			const waiter = { registry, enter };
			const give = (): void => {
				this.waiting.delete(waiter);
				reject(signal.reason as Error);
			};
			this.waiting.add(waiter);
			signal.addEventListener('abort', give, { once: true });
			this.fill();
		});
	}

	/** Lets those in for whom there is a place. */
	private fill(): void {
		for (const waiter of this.waiting) {
			const entered = this.enteredOf(waiter.registry);
			if (this.busy < this.count && entered < 2 * this.count) {
				this.waiting.delete(waiter);
				this.entered.set(waiter.registry, entered + 1);
				this.add(1);
				waiter.enter();
			}
		}
	}

	private enteredOf(registry: string): number {
		return this.entered.get(registry) ?? 0;
	}

	private add(change: 1 | -1): void {
		this.busy += change;
		Atomics.add(this.running, 0, change);
	}
}
