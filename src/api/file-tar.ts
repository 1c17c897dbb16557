/** Single files as the tar streams that an engine's archive calls take and give (POSIX.1-2017, pax "Extended Format"). */

export interface FileHead {
	/** One name, without "/". */
	readonly name: string;
	readonly isFolder: boolean;
	/** Bytes of content. */
	readonly size: number;
	/** The permission bits of stat(2): 0o644. */
	readonly mode: number;
	readonly uid: number;
	readonly gid: number;
	/** Milliseconds since 1970. */
	readonly mtime: number;
}

const BLOCK = 512;
const LONGEST_RECORDS = 1024 * 1024;

/** The blocks before the content. What the old header has no room for is in pax records. */
export function encodeHead(head: FileHead): Buffer {
	const records = Buffer.concat([
		record('path', head.name),
		record('mtime', (head.mtime / 1000).toFixed(3)),
		record('size', String(head.size)),
		record('uid', String(head.uid)),
		record('gid', String(head.gid)),
	]);
	const extension = { ...head, name: 'PaxHeader', size: records.length, mode: 0o644 };
	return Buffer.concat([
		header(extension, 'x'),
		records,
		padding(records.length),
		header(head, head.isFolder ? '5' : '0'),
	]);
}

/** The blocks after a content of `size` bytes, with the end of the archive. */
export function encodeEnd(size: number): Buffer {
	return Buffer.concat([padding(size), Buffer.alloc(2 * BLOCK)]);
}

/** A whole archive of one file or empty folder. */
export function encodeFile(head: Omit<FileHead, 'size'>, content: Uint8Array): Buffer {
	const { length: size } = content;
	return Buffer.concat([encodeHead({ ...head, size }), content, encodeEnd(size)]);
}

/**
 * The first entry of an archive and its content. Throws when the archive is not whole or is none. Whoever does not read
 * the content to its end calls `close`.
 */
export async function openFirst(
	tar: AsyncIterable<Uint8Array>,
): Promise<{ readonly head: FileHead; readonly content: AsyncIterable<Buffer>; readonly close: () => Promise<void> }> {
	const source = new Source(tar);
	try {
		const head = await readHead(source);
		return { head, content: contentOf(source, head.size), close: () => source.close() };
	} catch (error) {
		await source.close();
		throw error;
	}
}

function record(key: string, value: string): Buffer {
	const rest = Buffer.from(` ${key}=${value}\n`);
	let length = rest.length + 1;
	while (String(length).length + rest.length !== length) {
		length = String(length).length + rest.length;
	}
	return Buffer.concat([Buffer.from(String(length)), rest]);
}

/** Numbers that do not fit are 0 here: the pax records before it have them. */
function header({ name, mode, uid, gid, size, mtime }: FileHead, type: string): Buffer {
	const block = Buffer.alloc(BLOCK);
	const octal = (value: number, offset: number, digits: number): void => {
		const fits = value >= 0 && value < 8 ** digits;
		block.write((fits ? Math.floor(value) : 0).toString(8).padStart(digits, '0'), offset, 'latin1');
	};
	Buffer.from(name).copy(block, 0, 0, 100);
	octal(mode & 0o7777, 100, 7);
	octal(uid, 108, 7);
	octal(gid, 116, 7);
	octal(size, 124, 11);
	octal(mtime / 1000, 136, 11);
	block.write(type, 156, 'latin1');
	block.write('ustar\u000000', 257, 'latin1');
	block.fill(' ', 148, 156);
	block.write(`${sumOf(block).toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
	return block;
}

function padding(size: number): Buffer {
	return Buffer.alloc((BLOCK - (size % BLOCK)) % BLOCK);
}

/** The sum of the bytes, the checksum's own as spaces. */
function sumOf(block: Buffer): number {
	return block.reduce((sum, byte, index) => sum + (index >= 148 && index < 156 ? 0x20 : byte), 0);
}

async function readHead(source: Source): Promise<FileHead> {
	let records = new Map<string, string>();
	for (;;) {
		const block = await source.take(BLOCK);
		if (sumOf(block) !== octalIn(block, 148, 8)) {
			throw new Error('Cannot read the archive: it is no tar');
		}
		const type = String.fromCharCode(block[156] ?? 0);
		const size = numberIn(block, 124, 12);
		if (type !== 'x' && type !== 'g') {
			return headOf(block, type, records);
		}
		if (size > LONGEST_RECORDS) {
			throw new Error('Cannot read the archive: its extended header is too long');
		}
		const content = await source.take(size);
		await source.take(padding(size).length);
		records = type === 'x' ? parseRecords(content) : records;
	}
}

function headOf(block: Buffer, type: string, records: ReadonlyMap<string, string>): FileHead {
	const name = (records.get('path') ?? textIn(block, 0, 100)).replace(/\/+$/, '');
	const number = (key: string, offset: number, length: number): number =>
		checked(key, Number(records.get(key) ?? numberIn(block, offset, length)));
	const isFile = type === '0' || type === '\0';
	return {
		name: name.slice(name.lastIndexOf('/') + 1),
		isFolder: type === '5',
		size: isFile ? number('size', 124, 12) : 0,
		mode: numberIn(block, 100, 8) & 0o7777,
		uid: number('uid', 108, 8),
		gid: number('gid', 116, 8),
		mtime: Number(records.get('mtime') ?? numberIn(block, 136, 12)) * 1000,
	};
}

function checked(key: string, value: number): number {
	if (!Number.isSafeInteger(value) || value < 0) {
		throw new Error(`Cannot read the archive: its ${key} is no number`);
	}
	return value;
}

function parseRecords(content: Buffer): Map<string, string> {
	const records = new Map<string, string>();
	for (let offset = 0; offset < content.length;) {
		const length = Number.parseInt(content.subarray(offset, offset + 20).toString('latin1'), 10);
		if (!(length > 0)) {
			break;
		}
		const line = content.subarray(offset, offset + length - 1).toString();
		const [, key, value] = /^\d+ ([^=]+)=([^]*)$/.exec(line) ?? [];
		if (key !== undefined && value !== undefined) {
			records.set(key, value);
		}
		offset += length;
	}
	return records;
}

function textIn(block: Buffer, offset: number, length: number): string {
	const field = block.subarray(offset, offset + length);
	const end = field.indexOf(0);
	return field.subarray(0, end < 0 ? length : end).toString();
}

function octalIn(block: Buffer, offset: number, length: number): number {
	return Number.parseInt(textIn(block, offset, length).trim() || '0', 8);
}

/** Octal, or base 256 as GNU writes what is too large for it. */
function numberIn(block: Buffer, offset: number, length: number): number {
	const first = block[offset] ?? 0;
	if ((first & 0x80) === 0) {
		return octalIn(block, offset, length);
	}
	return block.subarray(offset + 1, offset + length).reduce((sum, byte) => sum * 256 + byte, first & 0x7f);
}

async function* contentOf(source: Source, size: number): AsyncGenerator<Buffer> {
	try {
		for (let left = size; left > 0;) {
			const chunk = await source.some(left);
			left -= chunk.length;
			yield chunk;
		}
	} finally {
		await source.close();
	}
}

/** A stream that is read by numbers of bytes. */
class Source {
	private readonly reader: AsyncIterator<Uint8Array>;
	private rest: Buffer = Buffer.alloc(0);

	constructor(stream: AsyncIterable<Uint8Array>) {
		this.reader = stream[Symbol.asyncIterator]();
	}

	/** At least one byte and at most `most`. */
	async some(most: number): Promise<Buffer> {
		while (this.rest.length === 0) {
			const next = await this.reader.next();
			if (next.done === true) {
				throw new Error('Cannot read the archive: it ends too early');
			}
			const { buffer, byteOffset, byteLength } = next.value;
			this.rest = Buffer.from(buffer, byteOffset, byteLength);
		}
		const taken = this.rest.subarray(0, most);
		this.rest = this.rest.subarray(taken.length);
		return taken;
	}

	async take(count: number): Promise<Buffer> {
		const parts: Buffer[] = [];
		for (let left = count; left > 0;) {
			const part = await this.some(left);
			left -= part.length;
			parts.push(part);
		}
		return Buffer.concat(parts);
	}

	async close(): Promise<void> {
		await this.reader.return?.();
	}
}
