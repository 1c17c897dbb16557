import * as fs from 'node:fs';
import * as path from 'node:path';
import * as v from 'valibot';
import { messageOf } from '../errors';
import { jsonIn } from '../json';
import type { FileQueue } from './file-queue';
import type { Stream } from './json-lines';
import type { LogDriver } from './log';
import { SegmentReader, oldestSegment, removeSegmentsBefore, type SegmentPosition } from './segments';
import { readText } from './shim';

const STREAMS = ['stdout', 'stderr'] as const;

/** Read, encoded and written without a pause; between chunks the engine answers others. */
const buffer = Buffer.allocUnsafe(256 * 1024);

/** On a disk that is nearly full the log is written in pieces that small; two of docker's fragments. */
const LEAST = 32 * 1024;

/** A full disk announces no room: there is no event to wait for. */
const RETRY_AFTER = 1000;

/** Milliseconds; output that comes in small pieces is taken together, each look costs about as much as 10 KiB of it. */
const GATHER_FOR = 4;

/** The journal has this length always, so that it is overwritten in place and needs no new block on a full disk. */
const JOURNAL_SIZE = 512;

const positionSchema = v.object({
	segment: v.pipe(v.number(), v.safeInteger()),
	offset: v.pipe(v.number(), v.safeInteger()),
});
const decimal = v.pipe(v.string(), v.regex(/^\d{1,25}$/));
const journalSchema = v.object({
	log: v.object({
		inode: v.number(),
		size: v.number(),
		encoder: v.object({ last: decimal, stdout: decimal, stderr: decimal }),
	}),
	stdout: positionSchema,
	stderr: positionSchema,
});

/**
 * Carries a container's output from the segment files into its log. The journal in the shim folder always describes a
 * state between two appends: how long the log was, and where in the segments the output begins that is not in it. An
 * engine that died at any instant is continued by cutting the log back to that length and reading on from there, so no
 * line is lost and none is there twice. (After the loss of power nothing runs any more; what was not on the disk yet is
 * gone.)
 */
export class Pump {
	private readers: Record<Stream, SegmentReader> | undefined;
	private journal: number | undefined;
	private isScheduled = false;
	/** Of performance.now(), of the last look that found nothing more to do. */
	private lastWork = 0;
	private isComplete = false;
	private isDiscarding = false;
	private hasWarned = false;
	private retry: NodeJS.Timeout | undefined;
	/** Bytes taken at once. */
	private portion = buffer.length;

	constructor(
		private readonly folder: string,
		private readonly log: LogDriver,
		private readonly events: {
			/** Everything is logged; comes after `finish`, once. */
			readonly onComplete: () => void;
			readonly warn: (message: string) => void;
		},
	) {}

	/** Begins, or goes on where an earlier engine stopped. */
	start(): void {
		const known = parseJournal(readText(this.journalFile));
		const at = (stream: Stream): SegmentPosition =>
			known?.[stream] ?? { segment: oldestSegment(this.folder, stream), offset: 0 };
		this.readers = {
			stdout: new SegmentReader(this.folder, 'stdout', at('stdout')),
			stderr: new SegmentReader(this.folder, 'stderr', at('stderr')),
		};
		for (const stream of STREAMS) {
			removeSegmentsBefore(this.folder, stream, at(stream).segment);
		}
		this.wake();
	}

	/** There may be more output. A first sign is followed at once, a storm of them a few times in a hundredth second. */
	wake(): void {
		if (this.isScheduled || this.readers === undefined) {
			return;
		}
		this.isScheduled = true;
		const work = (): void => {
			this.isScheduled = false;
			this.work();
		};
		if (performance.now() - this.lastWork > GATHER_FOR) {
			setImmediate(work);
		} else {
			setTimeout(work, GATHER_FOR);
		}
	}

	/** The exit file is there, or everything that wrote has ended: nothing is added to the segments any more. */
	finish(): void {
		for (const reader of Object.values(this.readers ?? {})) {
			reader.isFinished = true;
		}
		this.wake();
	}

	/** The log is going to be removed: what is not in it yet is read, so that nobody waits for room, and dropped. */
	discard(): void {
		this.isDiscarding = true;
		this.wake();
	}

	/** Raw output of a stream from the first byte on that is not logged. */
	tail(stream: Stream): FileQueue | undefined {
		return this.readers?.[stream].tail();
	}

	/** Stops between two appends and closes the files; the next `start` goes on from here. */
	close(): void {
		clearTimeout(this.retry);
		for (const reader of Object.values(this.readers ?? {})) {
			reader.close();
		}
		this.readers = undefined;
		if (this.journal !== undefined) {
			fs.closeSync(this.journal);
			this.journal = undefined;
		}
	}

	private get journalFile(): string {
		return path.join(this.folder, 'journal');
	}

	private openLog(): void {
		if (this.journal === undefined) {
			this.log.begin(parseJournal(readText(this.journalFile))?.log);
			this.journal = fs.openSync(this.journalFile, fs.constants.O_RDWR | fs.constants.O_CREAT, 0o600);
			this.note();
		}
	}

	private work(): void {
		const { readers } = this;
		if (readers === undefined || this.isComplete) {
			return;
		}
		this.lastWork = performance.now();
		try {
			this.openLog();
			const states = STREAMS.map((stream) => this.carry(stream, readers[stream]));
			this.hasWarned = false;
			this.portion = Math.min(this.portion * 2, buffer.length);
			if (states.includes('more')) {
				this.lastWork = 0;
				this.wake();
			} else if (states.every((state) => state === 'end')) {
				this.isComplete = true;
				this.events.onComplete();
			}
		} catch (error) {
			this.holdBack(error);
		}
	}

	/** Nothing is lost: the output stays in the segments, and the container waits when there are too many. */
	private holdBack(error: unknown): void {
		if (this.portion > LEAST) {
			this.portion /= 2;
			this.wake();
			return;
		}
		if (!this.hasWarned) {
			this.events.warn(`Cannot write the log of "${this.folder}", trying again: ${messageOf(error)}`);
		}
		this.hasWarned = true;
		this.retry = setTimeout(() => {
			this.wake();
		}, RETRY_AFTER);
	}

	/** Logs one chunk of one stream. */
	private carry(stream: Stream, reader: SegmentReader): 'more' | 'idle' | 'end' {
		if (this.log.prepare()) {
			this.note();
		}
		const { length, isFinal } = reader.read(buffer.subarray(0, this.portion));
		const taken = this.isDiscarding ? length : this.log.take(stream, buffer.subarray(0, length), isFinal);
		reader.advance(taken);
		if (taken > 0 || reader.hasDone) {
			this.note();
		}
		reader.release();
		const isEnd = isFinal && taken === length;
		reader.wake(isEnd);
		return isEnd ? 'end' : taken > 0 ? 'more' : 'idle';
	}

	private note(): void {
		if (this.readers === undefined || this.journal === undefined) {
			return;
		}
		const { stdout, stderr } = this.readers;
		const state = { log: this.log.checkpoint, stdout: stdout.position, stderr: stderr.position };
		fs.writeSync(this.journal, JSON.stringify(state).padEnd(JOURNAL_SIZE - 1) + '\n', 0);
	}
}

function parseJournal(text: string | undefined): v.InferOutput<typeof journalSchema> | undefined {
	if (text === undefined) {
		return undefined;
	}
	const result = v.safeParse(journalSchema, jsonIn(text));
	return result.success ? result.output : undefined;
}
