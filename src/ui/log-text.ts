/** The text is kept in about so many pieces, of which the oldest are let go as a whole. */
const PIECES = 20;

/** The newest part of a text that grows, in bounded memory. */
export class LogText {
	private readonly pieces: { data: Buffer[]; bytes: number; lines: number }[] = [];
	private totalBytes = 0;
	private totalLines = 0;
	private dropped = 0;
	private skipped = 0;

	/** `most` is how many bytes and lines are kept, roughly. */
	constructor(private readonly most: { readonly bytes: number; readonly lines: number }) {}

	get bytes(): number {
		return this.totalBytes;
	}

	/** Lines before the first one that is kept: let go, or skipped from the start. */
	get linesBefore(): number {
		return this.skipped + this.dropped;
	}

	/** Lines that are kept. */
	get lines(): number {
		return this.totalLines;
	}

	/** True when more would have the oldest let go. */
	get isFull(): boolean {
		return this.totalBytes > 0.9 * this.most.bytes || this.totalLines > 0.9 * this.most.lines;
	}

	/** Takes whole lines. */
	append(text: string, lines: number): void {
		const data = Buffer.from(text);
		let last = this.pieces.at(-1);
		const { most } = this;
		if (last === undefined || last.bytes > most.bytes / PIECES || last.lines > most.lines / PIECES) {
			last = { data: [], bytes: 0, lines: 0 };
			this.pieces.push(last);
		}
		last.data.push(data);
		last.bytes += data.length;
		last.lines += lines;
		this.totalBytes += data.length;
		this.totalLines += lines;
		this.shrink();
	}

	/** All that is kept, after `head`. */
	read(head = ''): Buffer {
		return Buffer.concat([Buffer.from(head), ...this.pieces.flatMap(({ data }) => data)]);
	}

	/** Begins anew with a text whose first `skipped` lines are left out. */
	clear(skipped = 0): void {
		this.skipped = skipped;
		this.pieces.length = 0;
		this.totalBytes = 0;
		this.totalLines = 0;
		this.dropped = 0;
	}

	/** A tenth at once: each cut makes an editor read all anew. */
	private shrink(): void {
		const { bytes, lines } = this.most;
		if (this.totalBytes <= bytes && this.totalLines <= lines) {
			return;
		}
		while (this.pieces.length > 1 && (this.totalBytes > 0.9 * bytes || this.totalLines > 0.9 * lines)) {
			const oldest = this.pieces.shift();
			this.totalBytes -= oldest?.bytes ?? 0;
			this.totalLines -= oldest?.lines ?? 0;
			this.dropped += oldest?.lines ?? 0;
		}
	}
}
