import { StringDecoder } from 'node:string_decoder';
import { stripVTControlCharacters } from 'node:util';
import type { OutputChunk } from './client';

/** Characters of one line that are shown; more would freeze an editor and help nobody. */
const LONGEST_LINE = 10_000;
/** Of a line that has not ended yet: the longest line with its timestamp and escape sequences. */
const LONGEST_KEPT = 8 * LONGEST_LINE;
const TIMESTAMP = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)) /;

/** A clean line of a log. */
export interface LogLine {
	/** RFC 3339; undefined when the engine gave none. */
	readonly time: string | undefined;
	readonly text: string;
}

interface Pending {
	readonly decoder: StringDecoder;
	/** The line so far, which may be cut. */
	text: string;
	/** Characters of it that were dropped. */
	missing: number;
}

/**
 * Turns the engine's log stream (with timestamps) into lines for people, and remembers where it is, so that a second
 * stream can go on where the first broke off without losing or repeating a line.
 */
export class LogLines {
	private readonly pending = new Map<OutputChunk['stream'], Pending>();
	/** Timestamp of the last line given out. */
	private last: string | undefined;
	/** How many lines with that timestamp were given out. */
	private seen = 0;
	/** How many of them the current stream repeats first. */
	private repeated = 0;

	/** `tooLong` writes what follows a line that was cut: it is told how many characters are missing. */
	constructor(private readonly tooLong: (missing: number) => string) {}

	/** Where the next stream has to begin (`since`), undefined before the first line. */
	get position(): string | undefined {
		return this.last;
	}

	/** Call before each further stream that starts at `position`: its first lines may be known. */
	resume(): void {
		this.pending.clear();
		this.repeated = this.seen;
	}

	/** The complete, clean lines that `chunk` ends, each with its newline. */
	push(chunk: OutputChunk): string {
		return textOf(this.take(chunk));
	}

	/** What a container wrote last without a newline, at the end of a stream. */
	end(): string {
		return textOf(this.takeRest());
	}

	/** The complete, clean lines that `chunk` ends. */
	take(chunk: OutputChunk): LogLine[] {
		const pending = this.pending.get(chunk.stream) ?? { decoder: new StringDecoder('utf8'), text: '', missing: 0 };
		this.pending.set(chunk.stream, pending);
		const pieces = pending.decoder.write(chunk.data).split('\n');
		const output: LogLine[] = [];
		for (const [index, piece] of pieces.entries()) {
			pending.text += piece;
			if (index < pieces.length - 1) {
				output.push(...this.finish(pending));
				pending.text = '';
				pending.missing = 0;
			}
		}
		// A program that never writes a newline must not fill the memory.
		pending.missing += Math.max(pending.text.length - LONGEST_KEPT, 0);
		pending.text = pending.text.slice(0, LONGEST_KEPT);
		return output;
	}

	/** Like `end`, as lines. */
	takeRest(): LogLine[] {
		const rest = [...this.pending.values()].filter(({ text }) => text !== '');
		this.pending.clear();
		return rest.flatMap((pending) => this.finish(pending));
	}

	private finish({ text, missing }: Pending): LogLine[] {
		const [prefix = '', time] = TIMESTAMP.exec(text) ?? [];
		return time !== undefined && this.isKnown(time)
			? []
			: [{ time, text: this.clean(text.slice(prefix.length), missing) }];
	}

	private isKnown(time: string): boolean {
		if (time !== this.last) {
			if (this.repeated > 0 && this.last !== undefined && time < this.last) {
				return true;
			}
			this.last = time;
			this.seen = 1;
			this.repeated = 0;
			return false;
		}
		if (this.repeated > 0) {
			this.repeated--;
			return true;
		}
		this.seen++;
		return false;
	}

	private clean(line: string, missing: number): string {
		const text = stripVTControlCharacters(line).replace(/\r$/, '');
		// A progress bar writes over its line; what stays in a terminal is the last version.
		const plain = text.slice(text.lastIndexOf('\r') + 1).replace(/[\x00-\x08\x0b-\x1f\x7f]/g, '');
		const cut = Math.max(plain.length - LONGEST_LINE, 0) + missing;
		return cut === 0 ? plain : plain.slice(0, LONGEST_LINE) + this.tooLong(cut);
	}
}

function textOf(lines: readonly LogLine[]): string {
	return lines.map(({ text }) => `${text}\n`).join('');
}
