import * as fs from 'node:fs';
import * as path from 'node:path';
import { systemCode } from '../errors';
import { nowNanoseconds } from '../events';
import { FileQueue } from './file-queue';
import { LineEncoder, decodeRecord, type LogRecord, type Stream } from './json-lines';
import { LineJoiner, findTail } from './log-lines';
import type { LogCheckpoint, LogDriver, LogEntry, LogQuery } from './log';
import { LogCompressor } from './log-compression';

/** Ends of the names of a rotated file. */
const FORMS = ['', '.gz'];

const READ_SIZE = 256 * 1024;

export interface JsonFileOptions {
	/** Bytes at which a file is full; Infinity never rotates. */
	readonly maxSize: number;
	/** Files kept, the one being written included; at least 1. */
	readonly maxFiles: number;
	/** Rotated files become `file.N.gz` in the background. */
	readonly compress?: boolean;
	/** Told of what fails in the background. */
	readonly warn?: (message: string) => void;
	/** JSON of what stands with each line, asked at each start; "" for nothing. */
	readonly attributes?: () => string;
}

/**
 * Docker's json-file driver: `file` is written, `file.1` is the newest of the older ones. Writing, rotating and opening
 * readers happen in this thread without a pause between them, so a reader always finds a consistent set of files.
 */
export class JsonFileLog implements LogDriver {
	private readonly encoder = new LineEncoder();
	private readonly followers = new Set<FileQueue>();
	private descriptor: number | undefined;
	private inode = 0;
	private size = 0;
	private isLive = false;
	private readonly compressor: LogCompressor | undefined;
	/** Rotated files wait: not before an append shows that no checkpoint points into them any more. */
	private hasUncompressed = false;

	constructor(
		private readonly file: string,
		private readonly options: JsonFileOptions,
	) {
		const { maxFiles, warn = () => undefined } = options;
		this.compressor = options.compress === true ? new LogCompressor(file, { maxFiles, warn }) : undefined;
	}

	begin(checkpoint?: LogCheckpoint): void {
		fs.mkdirSync(path.dirname(this.file), { recursive: true, mode: 0o710 });
		if (checkpoint !== undefined) {
			this.rollBack(checkpoint);
			this.encoder.restore(checkpoint.encoder);
		}
		this.compressor?.recover();
		this.hasUncompressed = true;
		this.encoder.setAttributes(this.options.attributes?.() ?? '');
		this.open();
		this.isLive = true;
	}

	prepare(): boolean {
		if (this.size < this.options.maxSize) {
			return false;
		}
		this.rotate();
		return true;
	}

	take(stream: Stream, data: Buffer, isFinal: boolean): number {
		const before = this.encoder.state;
		const { consumed, output } = this.encoder.encode(stream, data, isFinal, this.options.maxSize - this.size);
		if (output.length > 0) {
			try {
				this.append(output);
			} catch (error) {
				this.encoder.restore(before);
				throw error;
			}
			for (const follower of this.followers) {
				follower.wake();
			}
			if (this.hasUncompressed) {
				this.hasUncompressed = false;
				this.compressor?.start();
			}
		}
		return consumed;
	}

	get checkpoint(): LogCheckpoint {
		return { inode: this.inode, size: this.size, encoder: this.encoder.state };
	}

	pause(): void {
		if (this.descriptor !== undefined) {
			fs.closeSync(this.descriptor);
			this.descriptor = undefined;
		}
	}

	finish(): void {
		this.pause();
		this.isLive = false;
		for (const follower of this.followers) {
			follower.end();
		}
	}

	close(): void {
		this.finish();
		this.compressor?.close();
	}

	async *read(query: LogQuery): AsyncGenerator<LogEntry, void, void> {
		const isFollowing = query.follow === true && this.isLive;
		const queue = this.openQueue(isFollowing);
		const timer = isFollowing ? endAt(queue, query.until) : undefined;
		try {
			yield* filter(joinLines(queue, query), query);
		} finally {
			clearTimeout(timer);
			this.followers.delete(queue);
			queue.close();
		}
	}

	/** All files as they are now; a follower is told of what comes. */
	private openQueue(isFollowing: boolean): FileQueue {
		const queue = new FileQueue();
		for (let number = this.options.maxFiles - 1; number >= 0; number--) {
			const file = number === 0 ? this.file : `${this.file}.${number}`;
			const size = sizeOf(file);
			if (size !== undefined) {
				queue.add(file, isFollowing ? Infinity : size);
			} else if (number > 0 && fs.existsSync(`${file}.gz`)) {
				queue.addCompressed(`${file}.gz`);
			}
		}
		if (isFollowing) {
			this.followers.add(queue);
		} else {
			queue.end();
		}
		return queue;
	}

	/** All or nothing: a full disk leaves no half record. */
	private append(output: Buffer): void {
		if (this.descriptor === undefined) {
			throw new Error(`Cannot write log "${this.file}": it is closed`);
		}
		try {
			for (let written = 0; written < output.length;) {
				written += fs.writeSync(this.descriptor, output, written);
			}
			this.size += output.length;
		} catch (error) {
			fs.ftruncateSync(this.descriptor, this.size);
			throw error;
		}
	}

	private open(): void {
		this.pause();
		this.descriptor = fs.openSync(this.file, 'a', 0o600);
		const stat = fs.fstatSync(this.descriptor);
		this.inode = stat.ino;
		this.size = stat.size;
		if (!endsWithNewline(this.file, stat.size)) {
			// Torn by the loss of power: closed off, so that it spoils no record but itself.
			this.append(Buffer.from('\n'));
		}
	}

	/** Shifts only up to the first gap, so that doing it again after a crash in the middle drops nothing. */
	private rotate(): void {
		const { maxFiles } = this.options;
		let free = 1;
		while (free < maxFiles - 1 && FORMS.some((form) => fs.existsSync(`${this.file}.${free}${form}`))) {
			free++;
		}
		// Removed first and not replaced by rename: ext4 waits for the disk to have a file that replaces another.
		for (const form of FORMS) {
			fs.rmSync(maxFiles === 1 ? this.file : `${this.file}.${free}${form}`, { force: true });
		}
		for (let number = free; number > 1; number--) {
			this.shift(number);
		}
		if (maxFiles > 1) {
			fs.renameSync(this.file, `${this.file}.1`);
		}
		this.hasUncompressed = true;
		this.open();
		for (const follower of this.followers) {
			follower.addNext(this.file);
		}
	}

	private shift(number: number): void {
		for (const form of FORMS) {
			const from = `${this.file}.${number - 1}${form}`;
			if (fs.existsSync(from)) {
				fs.renameSync(from, `${this.file}.${number}${form}`);
			}
		}
	}

	/** Takes back what was written after the checkpoint; `prepare` makes sure that it is all in the checkpoint's file. */
	private rollBack(checkpoint: LogCheckpoint): void {
		for (let number = 0; number < this.options.maxFiles; number++) {
			const file = number === 0 ? this.file : `${this.file}.${number}`;
			const stat = fs.statSync(file, { throwIfNoEntry: false });
			if (stat?.ino === checkpoint.inode && stat.size > checkpoint.size) {
				fs.truncateSync(file, checkpoint.size);
			}
		}
	}
}

/** Reads a queue of files as logical lines, from the query's tail on. */
async function* joinLines(queue: FileQueue, query: LogQuery): AsyncGenerator<LogEntry, void, void> {
	let skip = 0;
	if (query.tail !== undefined) {
		const { tail } = query;
		const start = await queue.look((files) => findTail(files, tail, (file) => queue.ready(file)));
		queue.seek(start.index, start.offset);
		skip = start.skip;
	}
	const joiner = new LineJoiner();
	for await (const record of records(queue, query.signal)) {
		for (const entry of joiner.push(record)) {
			if (skip > 0) {
				skip--;
			} else {
				yield entry;
			}
		}
	}
	yield* joiner.flush().slice(skip);
}

async function* records(queue: FileQueue, signal: AbortSignal | undefined): AsyncGenerator<LogRecord, void, void> {
	const buffer = Buffer.allocUnsafe(READ_SIZE);
	let file = -1;
	let rest: Buffer = Buffer.alloc(0);
	for (let chunk = await queue.read(buffer, signal); chunk !== undefined; chunk = await queue.read(buffer, signal)) {
		// A torn last line of an older file belongs to nothing.
		const data = chunk.file === file && rest.length > 0 ? Buffer.concat([rest, chunk.data]) : chunk.data;
		({ file } = chunk);
		const end = data.lastIndexOf(10) + 1;
		rest = Buffer.from(data.subarray(end));
		if (rest.length > MAX_LINE) {
			rest = Buffer.alloc(0);
		}
		for (const line of data.toString('utf8', 0, end).split('\n')) {
			const record = line === '' ? undefined : decodeRecord(line);
			if (record !== undefined) {
				yield record;
			}
		}
	}
}

/** No driver writes longer lines; a file without newlines must not fill the memory. */
const MAX_LINE = 4 * 1024 * 1024;

async function* filter(entries: AsyncIterable<LogEntry>, query: LogQuery): AsyncGenerator<LogEntry, void, void> {
	const { since, until } = query;
	let hasBegun = since === undefined;
	for await (const entry of entries) {
		// As docker: once a line is late enough all that follow are, whatever a clock that was set back says.
		hasBegun ||= since !== undefined && entry.time >= since;
		if (until !== undefined && entry.time > until) {
			return;
		}
		if (hasBegun && (entry.stream === 'stdout' ? query.stdout : query.stderr) !== false) {
			yield entry;
		}
	}
}

/** Ends a follower when the clock reaches `until`. */
function endAt(queue: FileQueue, until: bigint | undefined): NodeJS.Timeout | undefined {
	const milliseconds = until === undefined ? Infinity : Number((until - nowNanoseconds()) / 1_000_000n) + 1;
	if (milliseconds > MAX_TIMEOUT) {
		return undefined;
	}
	return setTimeout(() => {
		queue.end();
	}, milliseconds);
}

/** setTimeout's limit, 24 days. */
const MAX_TIMEOUT = 2 ** 31 - 1;

function endsWithNewline(file: string, size: number): boolean {
	if (size === 0) {
		return true;
	}
	const descriptor = fs.openSync(file, 'r');
	try {
		const last = Buffer.alloc(1);
		fs.readSync(descriptor, last, 0, 1, size - 1);
		return last[0] === 10;
	} finally {
		fs.closeSync(descriptor);
	}
}

function sizeOf(file: string): number | undefined {
	try {
		return fs.statSync(file).size;
	} catch (error) {
		if (systemCode(error) === 'ENOENT') {
			return undefined;
		}
		throw error;
	}
}
