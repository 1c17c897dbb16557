import type { Disposable } from 'vscode';

/** Milliseconds after the last change before it is measured again. */
const QUIET_TIME = 2000;

/**
 * Something that takes an engine long to find out: it is asked only while somebody looks, and again some time after what
 * it tells may have changed.
 */
export class Measure implements Disposable {
	private isWatched = false;
	private isStale = true;
	private running: Promise<void> | undefined;
	private timer: NodeJS.Timeout | undefined;
	private readonly abort = new AbortController();

	/** `ask` measures and never throws; it gives false when there is no answer, so that it is asked again. */
	constructor(private readonly ask: (signal: AbortSignal) => Promise<boolean>) {}

	/** Tells whether somebody looks. */
	watch(isWatched: boolean): void {
		this.isWatched = isWatched;
		if (isWatched) {
			void this.load();
		}
	}

	/** Something has happened after which the answer may be another. */
	expire(): void {
		this.isStale = true;
		clearTimeout(this.timer);
		if (this.isWatched) {
			this.timer = setTimeout(() => void this.load(), QUIET_TIME);
		}
	}

	/** Measures when the last answer may not be true any more. Never throws. */
	async load(): Promise<void> {
		if (this.isStale) {
			await this.now();
		}
	}

	/** Measures now. Never throws. */
	async now(): Promise<void> {
		await (this.running ??= this.run().finally(() => {
			this.running = undefined;
		}));
	}

	dispose(): void {
		clearTimeout(this.timer);
		this.abort.abort();
	}

	private async run(): Promise<void> {
		this.isStale = false;
		const isAnswered = await this.ask(this.abort.signal);
		this.isStale ||= !isAnswered;
	}
}
