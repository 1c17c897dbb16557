/**
 * The tar formats that image layers come in: ustar, PAX and GNU (long names, base-256 numbers, all sparse forms).
 * Names and link targets are byte strings: one character is one byte (latin1), so that a name that is not UTF-8
 * survives. Extended attributes stay bytes.
 */
import { EngineError } from '../errors';

export type EntryType = 'file' | 'link' | 'symlink' | 'character' | 'block' | 'directory' | 'fifo';

export interface TarEntry {
	readonly type: EntryType;
	/** As written, one character a byte; not checked, may be absolute or contain "..". */
	readonly name: string;
	/** Target of a link or symlink, one character a byte; "" for other types. */
	readonly linkName: string;
	/** Permission bits with set-id and sticky, 0 to 0o7777. */
	readonly mode: number;
	readonly uid: number;
	readonly gid: number;
	/** Bytes of body in the archive; for a sparse file only those of its fragments. */
	readonly size: number;
	/** Seconds since 1970, whole; may be negative. */
	readonly mtime: number;
	/** Nanoseconds after mtime, 0 to 999999999. */
	readonly mtimeNanoseconds: number;
	readonly major: number;
	readonly minor: number;
	/** Name to value, as PAX "SCHILY.xattr." records give them. */
	readonly xattrs: ReadonlyMap<string, Buffer>;
	readonly sparse?: SparseMap;
}

/** Where the body's bytes belong in a file with holes. */
export interface SparseMap {
	/** Length of the file with its holes. */
	readonly size: number;
	/** Ascending, not overlapping; their lengths add up to the entry's size. */
	readonly fragments: readonly SparseFragment[];
}

export interface SparseFragment {
	readonly offset: number;
	readonly length: number;
}

/** Receives what a TarReader reads. Buffers are only valid during the call. */
export interface TarSink {
	/** `bodyOffset`: where its body begins in the archive. */
	begin(entry: TarEntry, bodyOffset: number): void;
	/** `length` bytes of the body of the entry that began last, at `buffer[start]`. */
	data(buffer: Buffer, start: number, length: number): void;
	end(): void;
}

const BLOCK = 512;
/** The limit of Go's archive/tar, which docker reads layers with. */
const MAX_METADATA = 1024 * 1024;
const MAX_FRAGMENTS = 100_000;
const NO_XATTRS: ReadonlyMap<string, Buffer> = new Map();
const XATTR_RECORD = 'SCHILY.xattr.';

/** Records of a PAX extended header in their order; keys and values as bytes. */
type PaxRecords = readonly (readonly [key: string, value: Buffer])[];

interface MutableEntry {
	type: EntryType;
	name: string;
	linkName: string;
	mode: number;
	uid: number;
	gid: number;
	size: number;
	mtime: number;
	mtimeNanoseconds: number;
	major: number;
	minor: number;
	xattrs: ReadonlyMap<string, Buffer>;
	sparse?: SparseMap;
}

/** Bytes that are gathered before they can be understood: metadata bodies and sparse maps. */
interface Gathering {
	readonly bytes: Buffer;
	filled: number;
	readonly done: (bytes: Buffer) => void;
}

/**
 * Reads an archive that is pushed in chunks of any size. Throws EngineError "corrupt" for anything that is not exactly
 * an archive, and "unsupported" for entry types that cannot be unpacked; the message is the bare reason.
 */
export class TarReader {
	private entries = 0;
	private readonly block = Buffer.allocUnsafe(BLOCK);
	private blockFilled = 0;
	private gathering: Gathering | undefined;
	private bodyLeft = 0;
	private paddingLeft = 0;
	private isInEntry = false;
	private zeroBlocks = 0;
	/** Bytes of the archive in earlier chunks, and up to the end of the last block that was understood. */
	private past = 0;
	private understood = 0;
	private pax: PaxRecords = [];
	private longName = '';
	private longLinkName = '';

	constructor(
		private readonly sink: TarSink,
		private readonly maxEntries: number,
	) {}

	write(chunk: Buffer): void {
		let position = 0;
		while (position < chunk.length) {
			if (this.gathering) {
				position += this.gather(this.gathering, chunk, position);
			} else if (this.bodyLeft > 0) {
				const length = Math.min(this.bodyLeft, chunk.length - position);
				this.sink.data(chunk, position, length);
				this.bodyLeft -= length;
				position += length;
				this.endEntryWhenRead();
			} else if (this.paddingLeft > 0) {
				const length = Math.min(this.paddingLeft, chunk.length - position);
				this.paddingLeft -= length;
				position += length;
			} else if (this.zeroBlocks >= 2) {
				return; // what follows the end of the archive is no part of it
			} else {
				position += this.readBlock(chunk, position);
			}
		}
		this.past += chunk.length;
	}

	/** Says that no more bytes come. */
	finish(): void {
		const isInside = this.bodyLeft > 0 || this.paddingLeft > 0 || this.gathering !== undefined || this.isInEntry;
		const hasOpenMetadata = this.pax.length > 0 || this.longName !== '' || this.longLinkName !== '';
		if (isInside || this.blockFilled > 0 || hasOpenMetadata) {
			throw corrupt('the archive ends in the middle of an entry');
		}
	}

	private readBlock(chunk: Buffer, position: number): number {
		const length = Math.min(BLOCK - this.blockFilled, chunk.length - position);
		// A copy is cheaper than a view, which is an object to make and to collect.
		chunk.copy(this.block, this.blockFilled, position, position + length);
		this.blockFilled += length;
		if (this.blockFilled === BLOCK) {
			this.blockFilled = 0;
			this.understood = this.past + position + length;
			this.readHeader(this.block);
		}
		return length;
	}

	private gather(gathering: Gathering, chunk: Buffer, position: number): number {
		const length = Math.min(gathering.bytes.length - gathering.filled, chunk.length - position);
		chunk.copy(gathering.bytes, gathering.filled, position, position + length);
		gathering.filled += length;
		if (gathering.filled === gathering.bytes.length) {
			this.gathering = undefined;
			this.understood = this.past + position + length;
			gathering.done(gathering.bytes);
		}
		return length;
	}

	private startGathering(size: number, done: (bytes: Buffer) => void): void {
		if (size === 0) {
			done(Buffer.alloc(0));
			return;
		}
		this.gathering = { bytes: Buffer.allocUnsafe(size), filled: 0, done };
	}

	private readHeader(block: Buffer): void {
		const sum = sumOf(block);
		if (sum === 0) {
			this.zeroBlocks++;
			return;
		}
		if (this.zeroBlocks > 0) {
			throw corrupt('an empty block stands between entries');
		}
		checkSum(block, sum);
		const flag = String.fromCharCode(block[156] ?? 0);
		switch (flag) {
			case 'x':
			case 'X':
				this.readMetadata(block, (bytes) => {
					this.pax = parsePax(bytes);
				});
				return;
			case 'g':
				// Docker's reader does not apply global records to entries either.
				this.readMetadata(block, parsePax);
				return;
			case 'L':
				this.readMetadata(block, (bytes) => {
					this.longName = stringIn(bytes, 0, bytes.length);
				});
				return;
			case 'K':
				this.readMetadata(block, (bytes) => {
					this.longLinkName = stringIn(bytes, 0, bytes.length);
				});
				return;
			default:
				this.readEntry(block, flag);
		}
	}

	private readMetadata(block: Buffer, done: (bytes: Buffer) => void): void {
		const size = sizeIn(block);
		if (size > MAX_METADATA) {
			throw corrupt(`the metadata of an entry is larger than ${MAX_METADATA} bytes`);
		}
		this.paddingLeft = paddingOf(size);
		this.startGathering(size, done);
	}

	private readEntry(block: Buffer, flag: string): void {
		this.entries++;
		if (this.entries > this.maxEntries) {
			throw corrupt(`it has more than ${this.maxEntries} entries`);
		}
		const entry = entryIn(block, flag);
		entry.name = this.longName || entry.name;
		entry.linkName = this.longLinkName || entry.linkName;
		const sparse = applyPax(entry, this.pax);
		this.pax = [];
		this.longName = this.longLinkName = '';
		// Said of the whole name: the part of a long one that is in the header may end anywhere.
		if (entry.type === 'file' && flag !== 'S' && entry.name.endsWith('/')) {
			entry.type = 'directory';
		}
		if (entry.type !== 'file') {
			if (sparse) {
				throw corrupt(`"${entry.name}" has a sparse map and is no file`);
			}
			if (entry.type === 'directory' && entry.size > 0 && flag !== '5') {
				throw corrupt(`"${entry.name}" is a directory and has content`);
			}
			entry.size = 0; // such entries have no body, whatever their header says
		}
		this.paddingLeft = paddingOf(entry.size);
		if (flag === 'S') {
			this.readOldSparse(entry, block);
		} else if (sparse?.isInBody === true) {
			this.readSparseBody(entry, sparse.size);
		} else {
			this.beginEntry(entry, sparse && { size: sparse.size, fragments: sparse.fragments });
		}
	}

	private beginEntry(entry: MutableEntry, sparse: SparseMap | undefined): void {
		if (sparse) {
			checkSparse(entry, sparse);
			entry.sparse = sparse;
		}
		this.bodyLeft = entry.size;
		this.isInEntry = true;
		this.sink.begin(entry, this.understood);
		this.endEntryWhenRead();
	}

	private endEntryWhenRead(): void {
		if (this.bodyLeft === 0) {
			this.isInEntry = false;
			this.sink.end();
		}
	}

	/** GNU's old form: four fragments in the header, further ones in blocks between header and body. */
	private readOldSparse(entry: MutableEntry, block: Buffer): void {
		const fragments = fragmentsIn(block, 386, 4);
		const size = numberIn(block, 483, 12);
		const more = (hasMore: boolean): void => {
			if (!hasMore) {
				this.beginEntry(entry, { size, fragments });
				return;
			}
			this.startGathering(BLOCK, (extension) => {
				fragments.push(...fragmentsIn(extension, 0, 21));
				checkFragmentCount(fragments.length);
				more(extension[504] !== 0);
			});
		};
		more(block[482] !== 0);
	}

	/** PAX form 1.0: the map stands in decimal lines before the data, padded to a whole block. */
	private readSparseBody(entry: MutableEntry, size: number): void {
		const map = new SparseLines();
		const more = (): void => {
			if (entry.size < BLOCK) {
				throw corrupt(`the sparse map of "${entry.name}" is longer than its body`);
			}
			entry.size -= BLOCK;
			this.startGathering(BLOCK, (bytes) => {
				if (map.add(bytes.latin1Slice(0, BLOCK))) {
					this.beginEntry(entry, { size, fragments: map.fragments() });
				} else {
					more();
				}
			});
		};
		more();
	}
}

/** The map of PAX form 1.0 as it comes in: a count, then offsets and lengths, one a line. */
class SparseLines {
	private readonly blocks: string[] = [];
	private lines = 0;
	private wanted = Infinity;

	/** Takes a block; true when the map is whole. */
	add(block: string): boolean {
		this.blocks.push(block);
		if (this.wanted === Infinity) {
			const [count = '', ...rest] = block.split('\n');
			const fragments = rest.length === 0 ? NaN : decimal('GNU.sparse.map', count);
			checkFragmentCount(fragments);
			this.wanted = 1 + 2 * fragments;
		}
		this.lines += block.split('\n').length - 1;
		return this.lines >= this.wanted;
	}

	fragments(): SparseFragment[] {
		const lines = this.blocks.join('').split('\n', this.wanted).slice(1);
		return pairs(lines.map((line) => decimal('GNU.sparse.map', line)));
	}
}

declare global {
	interface Buffer {
		latin1Slice(start: number, end: number): string;
	}
}

function corrupt(reason: string): EngineError {
	return new EngineError('corrupt', reason);
}

function paddingOf(size: number): number {
	return (BLOCK - (size % BLOCK)) % BLOCK;
}

function sumOf(block: Buffer): number {
	let sum = 0;
	for (let i = 0; i < BLOCK; i++) {
		sum += block[i] as number;
	}
	return sum;
}

/** The sum counts its own field as eight spaces; historic writers added signed bytes. */
function checkSum(block: Buffer, sum: number): void {
	let field = 0;
	for (let i = 148; i < 156; i++) {
		field += block[i] ?? 0;
	}
	const expected = numberIn(block, 148, 8);
	const unsigned = sum - field + 8 * 32;
	if (expected !== unsigned && expected !== unsigned - 256 * negativesIn(block)) {
		throw corrupt('the checksum of a tar header is wrong');
	}
}

/** Bytes outside of the sum's own field that are negative as signed ones. */
function negativesIn(block: Buffer): number {
	let negatives = 0;
	for (let i = 0; i < BLOCK; i++) {
		negatives += i < 148 || i >= 156 ? (block[i] ?? 0) >> 7 : 0;
	}
	return negatives;
}

/** Bytes up to the first NUL, one character a byte. */
function stringIn(buffer: Buffer, start: number, length: number): string {
	let end = start;
	while (end < start + length && buffer[end] !== 0) {
		end++;
	}
	return end === start ? '' : buffer.latin1Slice(start, end);
}

/** An octal field, or GNU's base-256 when the first bit is set. */
function numberIn(block: Buffer, start: number, length: number): number {
	if (((block[start] ?? 0) & 0x80) !== 0) {
		return base256In(block, start, length);
	}
	let value = 0;
	let hasDigits = false;
	for (let i = start; i < start + length; i++) {
		const byte = block[i] ?? 0;
		if (byte >= 48 && byte <= 55) {
			value = value * 8 + byte - 48;
			hasDigits = true;
		} else if (byte !== 0 && byte !== 32) {
			throw corrupt('a number in a tar header is malformed');
		} else if (hasDigits) {
			break;
		}
	}
	return value;
}

function base256In(block: Buffer, start: number, length: number): number {
	const isNegative = ((block[start] ?? 0) & 0x40) !== 0;
	let value = BigInt((block[start] ?? 0) & 0x3f) - (isNegative ? 64n : 0n);
	for (let i = start + 1; i < start + length; i++) {
		value = value * 256n + BigInt(block[i] ?? 0);
	}
	const number = Number(value);
	if (!Number.isSafeInteger(number)) {
		throw corrupt('a number in a tar header is out of range');
	}
	return number;
}

function sizeIn(block: Buffer): number {
	const size = numberIn(block, 124, 12);
	if (size < 0) {
		throw corrupt('an entry has a negative size');
	}
	return size;
}

function entryIn(block: Buffer, flag: string): MutableEntry {
	const name = nameIn(block);
	const type = typeOf(flag, name);
	const isDevice = type === 'character' || type === 'block';
	const isLink = type === 'link' || type === 'symlink';
	return {
		type,
		name,
		linkName: isLink ? stringIn(block, 157, 100) : '',
		mode: numberIn(block, 100, 8) & 0o7777,
		uid: ownerFrom(numberIn(block, 108, 8)),
		gid: ownerFrom(numberIn(block, 116, 8)),
		size: sizeIn(block),
		mtime: numberIn(block, 136, 12),
		mtimeNanoseconds: 0,
		major: isDevice ? numberIn(block, 329, 8) : 0,
		minor: isDevice ? numberIn(block, 337, 8) : 0,
		xattrs: NO_XATTRS,
	};
}

/** Joins the prefix of ustar (155 bytes) or star (131 bytes); GNU's own format uses that place for other things. */
function nameIn(block: Buffer): string {
	const name = stringIn(block, 0, 100);
	if (block.latin1Slice(257, 263) !== 'ustar\0') {
		return name;
	}
	const prefix = stringIn(block, 345, block.latin1Slice(508, 512) === 'tar\0' ? 131 : 155);
	return prefix === '' ? name : `${prefix}/${name}`;
}

function typeOf(flag: string, name: string): EntryType {
	switch (flag) {
		case '0':
		case '\0':
		case '7':
		case 'S':
			return 'file';
		case '1':
			return 'link';
		case '2':
			return 'symlink';
		case '3':
			return 'character';
		case '4':
			return 'block';
		case '5':
			return 'directory';
		case '6':
			return 'fifo';
		default:
			throw new EngineError('unsupported', `"${name}" is of the unknown tar entry type ${JSON.stringify(flag)}`);
	}
}

/** 2^32 - 1 means "no change" to chown(2). */
function ownerFrom(id: number): number {
	if (!Number.isInteger(id) || id < 0 || id >= 0xffff_ffff) {
		throw corrupt(`the owner ${id} is out of range`);
	}
	return id;
}

/** "<length> <key>=<value>\n" records (POSIX pax, Extended Header). */
function parsePax(bytes: Buffer): PaxRecords {
	const records: [string, Buffer][] = [];
	let position = 0;
	while (position < bytes.length && bytes[position] !== 0) {
		const space = bytes.indexOf(32, position);
		const digits = space < 0 ? '' : bytes.latin1Slice(position, space);
		const end = position + Number(digits);
		const equals = bytes.indexOf(61, space + 1);
		const isWhole = /^[0-9]{1,8}$/.test(digits) && end <= bytes.length && equals > space && equals < end;
		if (!isWhole || bytes[end - 1] !== 10) {
			throw corrupt('a PAX record is malformed');
		}
		records.push([bytes.latin1Slice(space + 1, equals), bytes.subarray(equals + 1, end - 1)]);
		position = end;
	}
	return records;
}

interface PaxSparse {
	readonly size: number;
	readonly fragments: readonly SparseFragment[];
	/** The map is in the body (form 1.0). */
	readonly isInBody: boolean;
}

/** Applies the records to the entry; gives the sparse file they describe, if any. */
function applyPax(entry: MutableEntry, records: PaxRecords): PaxSparse | undefined {
	const sparse = new Map<string, string>();
	const numbers: number[] = [];
	for (const [key, value] of records) {
		if (key.startsWith(XATTR_RECORD)) {
			entry.xattrs = new Map([...entry.xattrs, [key.slice(XATTR_RECORD.length), value]]);
		} else if (key === 'GNU.sparse.offset' || key === 'GNU.sparse.numbytes') {
			numbers.push(paxNumber(key, value));
		} else if (key.startsWith('GNU.sparse.')) {
			sparse.set(key.slice('GNU.sparse.'.length), value.latin1Slice(0, value.length));
		} else if (value.length > 0) {
			applyRecord(entry, key, value); // an empty value means the header's own field counts
		}
	}
	return sparse.size === 0 && numbers.length === 0 ? undefined : sparseFrom(entry, sparse, numbers);
}

function applyRecord(entry: MutableEntry, key: string, value: Buffer): void {
	switch (key) {
		case 'path':
			entry.name = paxName(value);
			return;
		case 'linkpath':
			entry.linkName = paxName(value);
			return;
		case 'size':
			entry.size = paxNumber(key, value);
			return;
		case 'uid':
			entry.uid = ownerFrom(paxNumber(key, value));
			return;
		case 'gid':
			entry.gid = ownerFrom(paxNumber(key, value));
			return;
		case 'mtime':
			[entry.mtime, entry.mtimeNanoseconds] = paxTime(value);
	}
}

function paxName(value: Buffer): string {
	if (value.includes(0)) {
		throw corrupt('a name in a PAX record contains NUL');
	}
	return value.latin1Slice(0, value.length);
}

function paxNumber(key: string, value: Buffer): number {
	return decimal(key, value.latin1Slice(0, value.length));
}

function decimal(what: string, text: string): number {
	const number = /^[0-9]{1,16}$/.test(text) ? Number(text) : NaN;
	if (!Number.isSafeInteger(number)) {
		throw corrupt(`the PAX number "${what}" is malformed`);
	}
	return number;
}

/** Seconds rounded down, and the nanoseconds after them. */
function paxTime(value: Buffer): [number, number] {
	const match = /^(-?)([0-9]{1,15})(?:\.([0-9]*))?$/.exec(value.latin1Slice(0, value.length));
	if (!match) {
		throw corrupt('a time in a PAX record is malformed');
	}
	const seconds = Number(match[2]);
	const nanoseconds = Number((match[3] ?? '').slice(0, 9).padEnd(9, '0'));
	if (match[1] === '') {
		return [seconds, nanoseconds];
	}
	return nanoseconds === 0 ? [0 - seconds, 0] : [-seconds - 1, 1_000_000_000 - nanoseconds];
}

/** GNU's PAX forms: 0.0 repeats offset and numbytes, 0.1 has one map record, 1.0 keeps the map in the body. */
function sparseFrom(entry: MutableEntry, fields: ReadonlyMap<string, string>, numbers: number[]): PaxSparse {
	entry.name = fields.get('name') ?? entry.name;
	if (entry.type !== 'file') {
		throw corrupt(`"${entry.name}" has a sparse map and is no file`);
	}
	const isInBody = fields.get('major') === '1' && fields.get('minor') === '0';
	const size = decimal('GNU.sparse.size', fields.get('realsize') ?? fields.get('size') ?? '');
	const map = fields.get('map');
	const flat =
		map === undefined || map === '' ? numbers : map.split(',').map((text) => decimal('GNU.sparse.map', text));
	return { size, fragments: isInBody ? [] : pairs(flat), isInBody };
}

function pairs(numbers: readonly number[]): SparseFragment[] {
	if (numbers.length % 2 !== 0) {
		throw corrupt('a sparse map has an odd number of values');
	}
	checkFragmentCount(numbers.length / 2);
	return Array.from({ length: numbers.length / 2 }, (_, i) => ({
		offset: numbers[2 * i] ?? 0,
		length: numbers[2 * i + 1] ?? 0,
	}));
}

/** Fragments of GNU's old form; unused places are empty. */
function fragmentsIn(block: Buffer, start: number, count: number): SparseFragment[] {
	const fragments: SparseFragment[] = [];
	for (let i = 0; i < count; i++) {
		if (block[start + 24 * i] === 0) {
			break;
		}
		fragments.push({
			offset: numberIn(block, start + 24 * i, 12),
			length: numberIn(block, start + 24 * i + 12, 12),
		});
	}
	return fragments;
}

function checkFragmentCount(count: number): void {
	if (!(count <= MAX_FRAGMENTS)) {
		throw corrupt(`a sparse map has more than ${MAX_FRAGMENTS} fragments`);
	}
}

function checkSparse(entry: MutableEntry, sparse: SparseMap): void {
	let end = 0;
	let total = 0;
	for (const { offset, length } of sparse.fragments) {
		if (offset < end || length < 0) {
			throw corrupt(`the sparse map of "${entry.name}" overlaps`);
		}
		end = offset + length;
		total += length;
	}
	if (end > sparse.size || total !== entry.size || !Number.isSafeInteger(sparse.size)) {
		throw corrupt(`the sparse map of "${entry.name}" does not fit its size`);
	}
}

/** What encodeEntry needs; the body of `size` bytes and its padding (see padding) are the caller's to write. */
export type NewEntry = TarEntry;

const FLAGS: Readonly<Record<EntryType, string>> = {
	file: '0',
	link: '1',
	symlink: '2',
	character: '3',
	block: '4',
	directory: '5',
	fifo: '6',
};

/**
 * Headers of one entry, in GNU's format with PAX records for what it cannot hold (extended attributes, fractions of a
 * second, sparse maps). GNU tar unpacks names byte by byte, whatever the locale.
 */
export function encodeEntry(entry: NewEntry): Buffer {
	const parts: Buffer[] = [];
	const records = paxRecordsOf(entry);
	if (records.length > 0) {
		parts.push(...metadata('x', Buffer.concat(records)));
	}
	if (entry.name.length > 99) {
		parts.push(...metadata('L', Buffer.from(`${entry.name}\0`, 'latin1')));
	}
	if (entry.linkName.length > 99) {
		parts.push(...metadata('K', Buffer.from(`${entry.linkName}\0`, 'latin1')));
	}
	parts.push(header(entry, FLAGS[entry.type]));
	return Buffer.concat(parts);
}

/** The zero bytes that follow a body of `size` bytes. */
export function padding(size: number): Buffer {
	return Buffer.alloc(paddingOf(size));
}

/** The two empty blocks that end an archive. */
export function endOfArchive(): Buffer {
	return Buffer.alloc(2 * BLOCK);
}

function metadata(flag: string, bytes: Buffer): Buffer[] {
	return [header({ size: bytes.length, mode: 0o644 }, flag), bytes, padding(bytes.length)];
}

function paxRecordsOf(entry: NewEntry): Buffer[] {
	const records: Buffer[] = [];
	if (entry.mtimeNanoseconds > 0) {
		// A record holds the sum of both parts, so a fraction before 1970 counts back from the next second.
		const nanoseconds = BigInt(entry.mtime) * 1_000_000_000n + BigInt(entry.mtimeNanoseconds);
		const digits = String(nanoseconds < 0n ? -nanoseconds : nanoseconds).padStart(10, '0');
		const text = `${nanoseconds < 0n ? '-' : ''}${digits.slice(0, -9)}.${digits.slice(-9)}`;
		records.push(paxRecord('mtime', Buffer.from(text)));
	}
	for (const [name, value] of entry.xattrs) {
		records.push(paxRecord(XATTR_RECORD + name, value));
	}
	if (entry.sparse) {
		const { size, fragments } = entry.sparse;
		const map = fragments.map(({ offset, length }) => `${offset},${length}`).join(',');
		records.push(
			paxRecord('GNU.sparse.size', Buffer.from(String(size))),
			paxRecord('GNU.sparse.numblocks', Buffer.from(String(fragments.length))),
			paxRecord('GNU.sparse.map', Buffer.from(map)),
		);
	}
	return records;
}

function paxRecord(key: string, value: Buffer): Buffer {
	const rest = Buffer.concat([Buffer.from(` ${key}=`, 'latin1'), value, Buffer.from('\n')]);
	let length = rest.length + 1;
	while (String(length).length + rest.length > length) {
		length = String(length).length + rest.length;
	}
	return Buffer.concat([Buffer.from(String(length)), rest]);
}

function header(entry: Partial<NewEntry> & Pick<NewEntry, 'size' | 'mode'>, flag: string): Buffer {
	const block = Buffer.alloc(BLOCK);
	block.write((entry.name ?? '././@LongLink').slice(0, 100), 0, 'latin1');
	writeNumber(block, 100, 8, entry.mode);
	writeNumber(block, 108, 8, entry.uid ?? 0);
	writeNumber(block, 116, 8, entry.gid ?? 0);
	writeNumber(block, 124, 12, entry.size);
	writeNumber(block, 136, 12, entry.mtime ?? 0);
	block.fill(' ', 148, 156);
	block.write(flag, 156, 'latin1');
	block.write((entry.linkName ?? '').slice(0, 100), 157, 'latin1');
	block.write('ustar  \0', 257, 'latin1');
	writeNumber(block, 329, 8, entry.major ?? 0);
	writeNumber(block, 337, 8, entry.minor ?? 0);
	block.write(`${sumOf(block).toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
	return block;
}

function writeNumber(block: Buffer, start: number, length: number, value: number): void {
	const octal = value < 0 ? '' : value.toString(8);
	if (octal !== '' && octal.length < length) {
		block.write(octal.padStart(length - 1, '0'), start, 'latin1');
		return;
	}
	let rest = BigInt(value);
	for (let i = start + length - 1; i > start; i--) {
		block[i] = Number(rest & 0xffn);
		rest >>= 8n;
	}
	block[start] = value < 0 ? 0xff : 0x80;
}
