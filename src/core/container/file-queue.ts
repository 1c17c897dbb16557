import * as fs from 'node:fs';
import { promisify } from 'node:util';
import { EngineError } from '../errors';
import { decompress } from './log-compression';

const readAt = promisify(fs.read);

const MAX_FILES = 512;
const MAX_BACKLOG = 1024 * 1024 * 1024;

interface QueuedFile {
	descriptor: number;
	/** Name of a file that is compressed still. */
	compressed: string | undefined;
	/** Bytes from here on are not for this reader. */
	readonly limit: number;
	/** Counts the files of this queue. */
	readonly number: number;
	/** Size of the file before it, which counts as backlog until the reader gets here. */
	readonly waiting: number;
}

export interface QueueChunk {
	readonly data: Buffer;
	/** Number of the file that the bytes are from: 0, 1, …; a record never goes on in the next file. */
	readonly file: number;
}

/**
 * Files that one writer of this process fills one after another, read in order by one reader that may be slow. Each
 * file is opened at once when it is added, so its later rename or removal takes nothing away: neither the writer waits
 * nor memory grows; the reader's backlog lies on the disk. A reader more than 1 GiB or 512 files behind gets an error.
 */
export class FileQueue {
	private readonly files: QueuedFile[] = [];
	private offset = 0;
	private added = 0;
	private backlog = 0;
	private isEnded = false;
	private hasOverflowed = false;
	private isReading = false;
	private isClosed = false;
	private wakeReader: (() => void) | undefined;
	private changes = 0;

	/** Adds a file that is there when the reading begins. */
	add(file: string, limit = Infinity): void {
		this.open(file, limit, 0);
	}

	/** Adds a complete gzip file; it is decompressed, on the disk, when the reader gets to it. */
	addCompressed(file: string): void {
		this.open(file, Infinity, 0, file);
	}

	/** Adds the file that the writer begins now; the one before it has its final size. */
	addNext(file: string): void {
		if (this.isClosed || this.hasOverflowed) {
			return;
		}
		const previous = this.files.at(-1);
		const waiting = previous === undefined ? 0 : fs.fstatSync(previous.descriptor).size;
		this.backlog += waiting;
		this.hasOverflowed = this.files.length >= MAX_FILES || this.backlog > MAX_BACKLOG;
		if (!this.hasOverflowed) {
			this.open(file, Infinity, waiting);
		}
		this.wake();
	}

	private open(file: string, limit: number, waiting: number, compressed?: string): void {
		const descriptor = fs.openSync(file, fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW);
		this.files.push({ descriptor, limit, number: this.added++, waiting, compressed });
	}

	/** Says that the writer has appended. */
	wake(): void {
		this.changes++;
		this.wakeReader?.();
	}

	/** Says that nothing is added or appended any more. */
	end(): void {
		this.isEnded = true;
		this.wake();
	}

	/** Lets `work` look at the open files, oldest first, before the first read. They stay open until it has ended. */
	async look<T>(work: (files: readonly QueuedFile[]) => Promise<T>): Promise<T> {
		this.isReading = true;
		try {
			return await work(this.files);
		} finally {
			this.isReading = false;
			this.closeIfIdle();
		}
	}

	/** Decompresses one of the files that `look` gives, when it is not yet: before its size and content are looked at. */
	async ready(file: QueuedFile): Promise<void> {
		if (file.compressed === undefined) {
			return;
		}
		const plain = await decompress(file.descriptor, file.compressed);
		fs.closeSync(file.descriptor);
		file.descriptor = plain;
		file.compressed = undefined;
	}

	/** Begins at `offset` of the file at `index` of those that `look` gives. */
	seek(index: number, offset: number): void {
		for (const file of this.files.splice(0, index)) {
			fs.closeSync(file.descriptor);
		}
		this.offset = offset;
	}

	/** The next bytes, in `buffer`; undefined at the end. Waits for the writer; abort wakes it with the signal's reason. */
	async read(buffer: Buffer, signal?: AbortSignal): Promise<QueueChunk | undefined> {
		this.isReading = true;
		try {
			for (;;) {
				signal?.throwIfAborted();
				const { changes, isEnded } = this;
				const [file, next] = this.files;
				const count = file === undefined ? 0 : await this.readFile(file, buffer);
				if (file !== undefined && count > 0) {
					this.offset += count;
					return { data: buffer.subarray(0, count), file: file.number };
				}
				if (file !== undefined && next !== undefined) {
					this.advance(file, next);
				} else if (this.hasOverflowed) {
					throw new EngineError('internal', 'Cannot follow the output: the reader is too far behind');
				} else if (isEnded || this.isClosed) {
					return undefined;
				} else if (changes === this.changes && signal?.aborted !== true) {
					await this.change(signal);
				}
			}
		} finally {
			this.isReading = false;
			this.closeIfIdle();
		}
	}

	/** Ends a waiting read and closes all files. */
	close(): void {
		this.isClosed = true;
		this.wake();
		this.closeIfIdle();
	}

	private async readFile(file: QueuedFile, buffer: Buffer): Promise<number> {
		await this.ready(file);
		const length = Math.min(buffer.length, file.limit - this.offset);
		if (length <= 0 || this.isClosed) {
			return 0;
		}
		return (await readAt(file.descriptor, buffer, 0, length, this.offset)).bytesRead;
	}

	private advance(file: QueuedFile, next: QueuedFile): void {
		this.backlog -= next.waiting;
		fs.closeSync(file.descriptor);
		this.files.shift();
		this.offset = 0;
	}

	private async change(signal: AbortSignal | undefined): Promise<void> {
		await new Promise<void>((resolve) => {
			const done = (): void => {
				this.wakeReader = undefined;
				signal?.removeEventListener('abort', done);
				resolve();
			};
			this.wakeReader = done;
			signal?.addEventListener('abort', done, { once: true });
		});
	}

	// A descriptor must not be closed under a running read: its number may be another file's by then.
	private closeIfIdle(): void {
		if (this.isClosed && !this.isReading) {
			for (const file of this.files.splice(0)) {
				fs.closeSync(file.descriptor);
			}
		}
	}
}
