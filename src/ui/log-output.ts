import type { Disposable, OutputChannel } from 'vscode';

/** Milliseconds in which lines are gathered before the channel gets them. */
const BATCH_TIME = 60;
/** Characters after which the writer has to wait for the channel: a flood must not fill the memory. */
const FULL_BATCH = 256 * 1024;
/** An output channel is slow beyond these; the engine keeps the whole log. */
const MOST_LINES = 10_000;
const MOST_CHARACTERS = 4 * 1024 * 1024;
/** What stays when a channel is cut. */
const LINES_KEPT = 2_000;
const CHARACTERS_KEPT = 512 * 1024;

/** Writes text to an output channel in batches, and cuts the channel's beginning off before it gets slow. */
export class LogOutput implements Disposable {
	private batch = '';
	private timer: NodeJS.Timeout | undefined;
	private waiting: (() => void)[] = [];
	private shownLines = 0;
	private shownCharacters = 0;
	/** The newest text, at least LINES_KEPT lines or CHARACTERS_KEPT when there is that much. */
	private recent = '';

	/** `cutNotice` is the first line of a channel whose beginning was cut off. */
	constructor(
		private readonly channel: Pick<OutputChannel, 'append' | 'replace'>,
		private readonly cutNotice: string,
	) {}

	/** Takes text at once; the promise resolves when there is room for more. */
	async append(text: string): Promise<void> {
		this.batch += text;
		if (this.batch === '') {
			return;
		}
		this.timer ??= setTimeout(() => {
			this.flush();
		}, BATCH_TIME);
		if (this.batch.length > FULL_BATCH) {
			await new Promise<void>((resolve) => this.waiting.push(resolve));
		}
	}

	/** Writes what is waiting. */
	flush(): void {
		clearTimeout(this.timer);
		this.timer = undefined;
		const text = this.batch;
		this.batch = '';
		this.recent = newest(this.recent + text);
		this.shownLines += countLines(text);
		this.shownCharacters += text.length;
		if (this.shownLines > MOST_LINES || this.shownCharacters > MOST_CHARACTERS) {
			this.channel.replace(`${this.cutNotice}\n${this.recent}`);
			this.shownLines = countLines(this.recent);
			this.shownCharacters = this.recent.length;
		} else if (text !== '') {
			this.channel.append(text);
		}
		const { waiting } = this;
		this.waiting = [];
		for (const resolve of waiting) {
			resolve();
		}
	}

	dispose(): void {
		this.flush();
	}
}

function countLines(text: string): number {
	let count = 0;
	for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) {
		count++;
	}
	return count;
}

/** The last whole lines of `text`, bounded. */
function newest(text: string): string {
	let start = text.length;
	for (let line = 0; line <= LINES_KEPT && start > 0; line++) {
		const before = text.lastIndexOf('\n', start - 2);
		if (before < 0) {
			return text.slice(-CHARACTERS_KEPT);
		}
		if (text.length - before > CHARACTERS_KEPT) {
			break;
		}
		start = before + 1;
	}
	return text.slice(start);
}
