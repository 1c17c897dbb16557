import * as fs from 'node:fs';
import { promisify } from 'node:util';
import { decodeRecord, type LogRecord, type Stream } from './json-lines';
import type { LogEntry } from './log';

const readAt = promisify(fs.read);

/** A longer line comes in several entries. */
const MAX_JOINED = 1024 * 1024;

/**
 * Joins docker's fragments to lines. A fragment is a record without a newline; it goes on in the stream's next record
 * when that has the same time. Without that it was the unfinished last line of a run.
 */
export class LineJoiner {
	private readonly pending = new Map<Stream, PendingLine>();

	/** The lines that are complete by this record, in order. */
	push(record: LogRecord): LogEntry[] {
		const { time, stream, text } = record;
		const line = this.pending.get(stream);
		const isContinued = line?.time === time;
		const isComplete = text.endsWith('\n');
		if (line === undefined && isComplete) {
			return [{ time, stream, data: Buffer.from(text), ...attributesOf(record) }];
		}
		const finished = line === undefined || isContinued ? [] : [this.finish(stream)];
		const current = isContinued ? line : { time, parts: [], size: 0, ...attributesOf(record) };
		current.parts.push(text);
		current.size += text.length;
		this.pending.set(stream, current);
		return isComplete || current.size >= MAX_JOINED ? [...finished, this.finish(stream)] : finished;
	}

	/** Unfinished lines, oldest first. */
	flush(): LogEntry[] {
		return [...this.pending.keys()].map((stream) => this.finish(stream)).sort((a, b) => Number(a.time - b.time));
	}

	private finish(stream: Stream): LogEntry {
		const line: PendingLine = this.pending.get(stream) ?? { time: 0n, parts: [], size: 0 };
		this.pending.delete(stream);
		return { time: line.time, stream, data: Buffer.from(line.parts.join('')), ...attributesOf(line) };
	}
}

interface PendingLine extends Pick<LogRecord, 'attributes'> {
	readonly time: bigint;
	readonly parts: string[];
	size: number;
}

function attributesOf({ attributes }: Pick<LogRecord, 'attributes'>): Pick<LogRecord, 'attributes'> {
	return attributes === undefined ? {} : { attributes };
}

/** Where to begin reading for the last lines, and how many lines from there are still not wanted. */
export interface TailStart {
	readonly index: number;
	readonly offset: number;
	readonly skip: number;
}

const BLOCK = 64 * 1024;

/** How far behind the last wanted line its first fragment is looked for, when the other stream wrote in between. */
const MAX_LOOKBACK = 256;

/**
 * Finds the last `count` lines (not records: docker counts fragments) by reading backwards. `files` are oldest first;
 * `ready` is waited for before one is read.
 */
export async function findTail<File extends { readonly descriptor: number; readonly limit: number }>(
	files: readonly File[],
	count: number,
	ready: (file: File) => Promise<void>,
): Promise<TailStart> {
	const counter = new TailCounter(count);
	for (let index = files.length - 1; index >= 0; index--) {
		const file = files[index];
		if (file === undefined) {
			break;
		}
		await ready(file);
		const size = Math.min(file.limit, fs.fstatSync(file.descriptor).size);
		if (index === files.length - 1) {
			counter.start = { index, offset: size };
		}
		for await (const { offset, record } of recordsBackwards(file.descriptor, size)) {
			if (!counter.add(record, { index, offset })) {
				return { ...counter.start, skip: counter.surplus };
			}
		}
	}
	return { ...counter.start, skip: counter.surplus };
}

/** Counts the ends of lines while records come newest first. */
class TailCounter {
	start = { index: 0, offset: 0 };
	private lines = 0;
	private lookback = 0;
	/** Per stream: time of the record that was seen last, which is the next one of that stream. */
	private readonly next = new Map<Stream, bigint>();
	/** Streams whose earliest wanted line may have begun earlier. */
	private readonly open = new Map<Stream, bigint>();

	constructor(private readonly wanted: number) {}

	/** Lines from `start` on that are too many. */
	get surplus(): number {
		return Math.max(0, this.lines - this.wanted);
	}

	/** False when the search is over. */
	add(record: LogRecord, position: { readonly index: number; readonly offset: number }): boolean {
		const { stream, time, text } = record;
		const isEnd = text.endsWith('\n') || this.next.get(stream) !== time;
		this.next.set(stream, time);
		if (this.lines >= this.wanted) {
			return this.lookBehind(record, position, isEnd);
		}
		this.lines += isEnd ? 1 : 0;
		this.open.set(stream, time);
		this.start = position;
		return true;
	}

	/** A wanted line's first fragments may lie before lines of the other stream; those count as surplus. */
	private lookBehind(record: LogRecord, position: { index: number; offset: number }, isEnd: boolean): boolean {
		const { stream, time } = record;
		if (isEnd) {
			this.open.delete(stream);
			this.passed++;
		} else if (this.open.get(stream) === time) {
			this.start = position;
			this.lines += this.passed;
			this.passed = 0;
		}
		return this.open.size > 0 && ++this.lookback < MAX_LOOKBACK;
	}

	private passed = 0;
}

/** Records of a file from its end to its start, with their offsets. */
async function* recordsBackwards(
	descriptor: number,
	size: number,
): AsyncGenerator<{ readonly offset: number; readonly record: LogRecord }, void, void> {
	let end = size;
	let rest: Buffer = Buffer.alloc(0);
	while (end > 0) {
		const start = Math.max(0, end - BLOCK);
		const block = Buffer.alloc(end - start);
		const { bytesRead } = await readAt(descriptor, block, 0, block.length, start);
		if (bytesRead < block.length) {
			return;
		}
		const data: Buffer = rest.length === 0 ? block : Buffer.concat([block, rest]);
		let to = data.length;
		for (
			let newline = data.lastIndexOf(10, to - 2);
			newline >= 0 && to > 1;
			newline = data.lastIndexOf(10, to - 2)
		) {
			const record = decodeRecord(data.toString('utf8', newline + 1, to));
			if (record !== undefined) {
				yield { offset: start + newline + 1, record };
			}
			to = newline + 1;
		}
		rest = data.subarray(0, to);
		end = start;
	}
	const record = decodeRecord(rest.toString('utf8'));
	if (record !== undefined) {
		yield { offset: 0, record };
	}
}
