import * as fs from 'node:fs';
import * as path from 'node:path';
import { systemCode } from '../errors';
import { FileQueue } from './file-queue';
import type { Stream } from './json-lines';

interface Segment {
	readonly descriptor: number;
	readonly path: string;
	/** Its size, known once nothing more is written to it and the end was seen. */
	size: number | undefined;
}

/** Where the output that is not logged yet begins. */
export interface SegmentPosition {
	readonly segment: number;
	readonly offset: number;
}

/** Reads one stream's segment files in the shim folder (see shim.ts) in order, and removes what is done with. */
export class SegmentReader {
	/** Set when the exit file is there: then the last segment is complete too. */
	isFinished = false;
	private readonly open: Segment[] = [];
	private readonly done: Segment[] = [];
	private readonly tails = new Set<FileQueue>();

	constructor(
		private readonly folder: string,
		private readonly stream: Stream,
		private at: SegmentPosition,
	) {}

	get position(): SegmentPosition {
		return this.at;
	}

	/** `release` has segments to remove. */
	get hasDone(): boolean {
		return this.done.length > 0;
	}

	/** Fills the buffer from the position on, across segments. `isFinal` when nothing can follow what was read. */
	read(buffer: Buffer): { readonly length: number; readonly isFinal: boolean } {
		let length = 0;
		let { offset } = this.at;
		for (let index = 0; length < buffer.length;) {
			const segment = this.open[index] ?? this.openNext();
			if (segment === undefined) {
				return { length, isFinal: this.isFinished };
			}
			const count = fs.readSync(segment.descriptor, buffer, length, buffer.length - length, offset);
			length += count;
			offset += count;
			if (count > 0) {
				continue;
			}
			if (segment.size === undefined && !this.isComplete(index)) {
				return { length, isFinal: false };
			}
			if (segment.size === undefined) {
				// Now that nothing more can come, what came before this was known is read first.
				segment.size = fs.fstatSync(segment.descriptor).size;
			}
			if (offset >= segment.size) {
				offset = 0;
				index++;
			}
		}
		return { length, isFinal: false };
	}

	/** Moves the position; `release` then removes the segments that lie before it. */
	advance(count: number): void {
		let { segment, offset } = this.at;
		offset += count;
		for (
			let [first, next] = this.open;
			first?.size !== undefined && next !== undefined;
			[first, next] = this.open
		) {
			if (offset < first.size) {
				break;
			}
			offset -= first.size;
			segment++;
			this.open.shift();
			this.done.push(first);
		}
		this.at = { segment, offset };
	}

	/** Removes finished segments; the journal must already point behind them. */
	release(): void {
		for (const segment of this.done.splice(0)) {
			fs.closeSync(segment.descriptor);
			fs.rmSync(segment.path, { force: true });
		}
	}

	/** The raw output from the position on, for a reader of its own pace. Close the queue to let it go. */
	tail(): FileQueue {
		this.openNext();
		const queue = new FileQueue();
		for (const segment of this.open) {
			queue.add(segment.path);
		}
		queue.seek(0, this.at.offset);
		this.tails.add(queue);
		return queue;
	}

	/** Tells the tails that there may be more; with `isEnd` that there is no more. */
	wake(isEnd: boolean): void {
		for (const queue of this.tails) {
			if (isEnd) {
				queue.end();
			} else {
				queue.wake();
			}
		}
	}

	/** Ends the tails and closes the segments; they stay for the next engine. */
	close(): void {
		this.wake(true);
		this.tails.clear();
		for (const segment of [...this.open.splice(0), ...this.done.splice(0)]) {
			fs.closeSync(segment.descriptor);
		}
	}

	private isComplete(index: number): boolean {
		return this.isFinished || fs.existsSync(this.file(index + 1));
	}

	private openNext(): Segment | undefined {
		const file = this.file(this.open.length);
		let descriptor: number;
		try {
			descriptor = fs.openSync(file, 'r');
		} catch (error) {
			// The shim has not begun it yet.
			if (systemCode(error) === 'ENOENT') {
				return undefined;
			}
			throw error;
		}
		const segment = { descriptor, path: file, size: undefined };
		this.open.push(segment);
		for (const queue of this.tails) {
			queue.addNext(file);
		}
		return segment;
	}

	private file(index: number): string {
		return path.join(this.folder, `${this.stream}.${this.at.segment + index}`);
	}
}

/** Number of the oldest segment of a stream that is there; 0 when there is none. */
export function oldestSegment(folder: string, stream: Stream): number {
	const numbers = segmentNumbers(folder, stream);
	return numbers.length === 0 ? 0 : Math.min(...numbers);
}

/** Removes segments before `segment`: an engine may have died between noting that it is done with them and this. */
export function removeSegmentsBefore(folder: string, stream: Stream, segment: number): void {
	for (const number of segmentNumbers(folder, stream).filter((candidate) => candidate < segment)) {
		fs.rmSync(path.join(folder, `${stream}.${number}`), { force: true });
	}
}

function segmentNumbers(folder: string, stream: Stream): number[] {
	const form = new RegExp(`^${stream}\\.(\\d+)$`);
	return fs.readdirSync(folder).flatMap((name) => {
		const match = form.exec(name);
		return match === null ? [] : [Number(match[1])];
	});
}
