import * as crypto from 'node:crypto';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { Transform, type TransformCallback } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import * as zlib from 'node:zlib';
import { messageOf, systemCode } from '../errors';
import { rfc3339 } from '../events';
import { decodeRecord } from './json-lines';

const writeAll = promisify(fs.write);
const sync = promisify(fs.fsync);

/** Of a gzip file: RFC 1952, section 2.3.1. */
const HEADER_SIZE = 10;
const FLAGS = 3;
const FEXTRA = 4;
/** More than the longest record has. */
const LAST_RECORD = 256 * 1024;

/**
 * Compresses rotated files, `file.N` to `file.N.gz`, one at a time and outside of this thread. The file may be shifted
 * meanwhile: it is known by its inode. A plain file goes only when its compressed one is complete on the disk.
 */
export class LogCompressor {
	private isRunning = false;
	private isClosed = false;

	constructor(
		private readonly file: string,
		private readonly options: { readonly maxFiles: number; readonly warn: (message: string) => void },
	) {}

	/** Removes what an engine that died in the middle left behind. */
	recover(): void {
		fs.rmSync(this.part, { force: true });
		for (let number = 1; number < this.options.maxFiles; number++) {
			const plain = `${this.file}.${number}`;
			if (fs.existsSync(`${plain}.gz`)) {
				fs.rmSync(plain, { force: true });
			}
		}
	}

	/** Compresses all rotated files that are not; does nothing while it is at it. A failure leaves the plain file. */
	start(): void {
		if (this.isRunning || this.isClosed) {
			return;
		}
		this.compressAll().catch((error: unknown) => {
			if (!this.isClosed) {
				this.options.warn(`Cannot compress log "${this.file}", it stays as it is: ${messageOf(error)}`);
			}
		});
	}

	/** Nothing is made from now on. */
	close(): void {
		this.isClosed = true;
	}

	private get part(): string {
		return `${this.file}.gz.part`;
	}

	private async compressAll(): Promise<void> {
		this.isRunning = true;
		try {
			for (let number = this.find(fs.existsSync); number !== undefined; number = this.find(fs.existsSync)) {
				await this.compress(`${this.file}.${number}`);
			}
		} finally {
			// Without a pause behind the last look: the next rotation must not be missed.
			this.isRunning = false;
		}
	}

	private async compress(plain: string): Promise<void> {
		const source = fs.openSync(plain, fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW);
		const { ino } = fs.fstatSync(source);
		try {
			await compressFile(source, this.part);
			this.replace(ino);
		} finally {
			fs.rmSync(this.part, { force: true });
		}
	}

	private replace(inode: number): void {
		const number = this.find((file) => fs.statSync(file, { throwIfNoEntry: false })?.ino === inode);
		// Gone when the container writes faster than this.
		if (number !== undefined) {
			fs.renameSync(this.part, `${this.file}.${number}.gz`);
			fs.rmSync(`${this.file}.${number}`);
		}
	}

	/** Number of the newest rotated plain file like that. */
	private find(matches: (file: string) => boolean): number | undefined {
		for (let number = 1; number < this.options.maxFiles && !this.isClosed; number++) {
			if (matches(`${this.file}.${number}`)) {
				return number;
			}
		}
		return undefined;
	}
}

async function compressFile(source: number, target: string): Promise<void> {
	const extra = JSON.stringify({ lastTime: lastTime(source) });
	const input = fs.createReadStream('', { fd: source, start: 0 });
	const output = fs.openSync(target, 'w', 0o600);
	try {
		await pipeline(input, zlib.createGzip(), new ExtraField(extra), async (chunks: AsyncIterable<Buffer>) => {
			for await (const chunk of chunks) {
				for (let written = 0; written < chunk.length;) {
					written += (await writeAll(output, chunk, written)).bytesWritten;
				}
			}
		});
		await sync(output);
	} finally {
		fs.closeSync(output);
	}
}

/** Puts docker's field into the header that zlib writes: by it a reader skips files that are too old. */
class ExtraField extends Transform {
	private header: Buffer | undefined = Buffer.alloc(0);

	constructor(private readonly extra: string) {
		super();
	}

	override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
		if (this.header === undefined) {
			done(null, chunk);
			return;
		}
		this.header = Buffer.concat([this.header, chunk]);
		if (this.header.length < HEADER_SIZE) {
			done();
			return;
		}
		const length = Buffer.alloc(2);
		length.writeUInt16LE(Buffer.byteLength(this.extra));
		this.header[FLAGS] = FEXTRA;
		const rest = this.header.subarray(HEADER_SIZE);
		const parts = [this.header.subarray(0, HEADER_SIZE), length, Buffer.from(this.extra), rest];
		this.header = undefined;
		done(null, Buffer.concat(parts));
	}
}

/** Time of a log file's last record as it stands there, RFC 3339 without needless zeros; Go's zero time when there is none. */
function lastTime(descriptor: number): string {
	const { size } = fs.fstatSync(descriptor);
	const length = Math.min(size, LAST_RECORD);
	const data = Buffer.alloc(length);
	fs.readSync(descriptor, data, 0, length, size - length);
	const line = data.toString('utf8').trimEnd();
	const record = decodeRecord(line.slice(line.lastIndexOf('\n') + 1));
	return record === undefined ? '0001-01-01T00:00:00Z' : rfc3339(record.time).replace(/\.?0+Z$/, 'Z');
}

/**
 * Decompresses an open file into one without a name, and gives its descriptor. Of a damaged file, what comes before the
 * damage.
 */
export async function decompress(source: number, near: string): Promise<number> {
	const target = openUnnamed(near);
	try {
		const input = fs.createReadStream('', { fd: source, start: 0, autoClose: false });
		await pipeline(input, zlib.createGunzip(), async (chunks: AsyncIterable<Buffer>) => {
			for await (const chunk of chunks) {
				for (let written = 0; written < chunk.length;) {
					written += (await writeAll(target, chunk, written)).bytesWritten;
				}
			}
		});
		return target;
	} catch (error) {
		if (['Z_BUF_ERROR', 'Z_DATA_ERROR'].includes(systemCode(error) ?? '')) {
			return target;
		}
		fs.closeSync(target);
		throw error;
	}
}

function openUnnamed(near: string): number {
	const { dir, base } = path.parse(near);
	const name = path.join(dir, `.${base}.${crypto.randomBytes(6).toString('hex')}`);
	const { O_RDWR, O_CREAT, O_EXCL } = fs.constants;
	const descriptor = fs.openSync(name, O_RDWR | O_CREAT | O_EXCL, 0o600);
	fs.unlinkSync(name);
	return descriptor;
}
