import { nowNanoseconds } from '../events';
import { jsonIn } from '../json';

export type Stream = 'stdout' | 'stderr';

/** A record of docker's json-file format, decoded. */
export interface LogRecord {
	/** Unix nanoseconds. */
	readonly time: bigint;
	readonly stream: Stream;
	/** Ends with a newline unless it is a fragment or the unfinished last line of a run. */
	readonly text: string;
	/** What docker calls attrs. */
	readonly attributes?: Readonly<Record<string, string>>;
}

/** Docker cuts a line into fragments of this many bytes. */
export const FRAGMENT = 16 * 1024;

/** No record is longer: every byte of a fragment as \u00xx, and the rest of the record. */
const MAX_RECORD = FRAGMENT * 6 + 256;
const OUTPUT = 1024 * 1024;
/** Shared by all encoders: what they give is written at once. */
const buffer = Buffer.allocUnsafe(OUTPUT);

const NEWLINE = 10;
const QUOTE = 34;
const BACKSLASH = 92;
const LETTER_N = 110;
/** Nanoseconds of one. */
const SECOND = 1_000_000_000;

const HEAD = Buffer.from('{"log":"');
const TAIL = Buffer.from('Z"}\n');
const REPLACEMENT = Buffer.from('\\ufffd');
const ESCAPES = Array.from({ length: 256 }, (_, byte) => Buffer.from(escapeByte(byte)));
/** 1 for bytes that stand for themselves. */
const PLAIN = Uint8Array.from({ length: 256 }, (_, byte) => (byte < 0x80 && ESCAPES[byte]?.length === 1 ? 1 : 0));

function escapeByte(byte: number): string {
	const character = String.fromCharCode(byte);
	if (byte === QUOTE || byte === BACKSLASH) {
		return `\\${character}`;
	}
	if (byte === 13) {
		return '\\r';
	}
	// Go's encoder escapes < > & for HTML; a tab is \u0009 there, not \t.
	return byte < 0x20 || '<>&'.includes(character) ? `\\u00${byte.toString(16).padStart(2, '0')}` : character;
}

export interface Encoded {
	/** Bytes of input that are in `output`: whole lines and whole fragments. */
	readonly consumed: number;
	/** Valid until the next call of any encoder. */
	readonly output: Buffer;
}

/** What the encoder remembers between calls; decimal strings of Unix nanoseconds, so that it survives JSON. */
export interface EncoderState {
	/** The last time stamp that was given. */
	readonly last: string;
	/** Time of the line whose first fragments are written and whose end is not; "0" for none. */
	readonly stdout: string;
	readonly stderr: string;
}

/** Nanoseconds since 1970 in two numbers: a bigint per line would cost a third of the throughput. */
interface Time {
	readonly second: number;
	readonly nanosecond: number;
}

/**
 * Turns container output into docker's json-file records, byte for byte, in one pass over the bytes. Time stamps
 * increase strictly from line to line, so that a reader can go on after the last one it saw; all fragments of a line
 * have the time of the first. Unlike docker's, a fragment never ends inside a UTF-8 sequence, so nothing is garbled.
 */
export class LineEncoder {
	/** The last time that was given; changed in place. */
	private readonly last = { second: 0, nanosecond: 0 };
	private readonly open: Record<Stream, Time | undefined> = { stdout: undefined, stderr: undefined };
	private middle = middles('');
	/** The second that stands in `middle`. */
	private writtenSecond = -1;
	// Positions in input and buffer behind the record that was encoded last: returned in fields, this is the hot path.
	private from = 0;
	private to = 0;

	/** JSON of the object that stands with each record from now on; "" for none. */
	setAttributes(json: string): void {
		this.middle = middles(json === '' ? '' : `"attrs":${json},`);
		this.writtenSecond = -1;
	}

	get state(): EncoderState {
		const { stdout, stderr } = this.open;
		return { last: toText(this.last), stdout: toText(stdout), stderr: toText(stderr) };
	}

	restore(state: EncoderState): void {
		Object.assign(this.last, toTime(BigInt(state.last)));
		this.open.stdout = state.stdout === '0' ? undefined : toTime(BigInt(state.stdout));
		this.open.stderr = state.stderr === '0' ? undefined : toTime(BigInt(state.stderr));
	}

	/**
	 * Encodes from the start of `input`, which begins where the last call ended. Stops behind the record that reaches
	 * `budget` bytes of output. `isFinal` says that no more output follows: then an unfinished line is a record too.
	 */
	encode(stream: Stream, input: Buffer, isFinal: boolean, budget: number, now = nowNanoseconds()): Encoded {
		const stop = Math.min(budget, OUTPUT - MAX_RECORD - this.middle.stdout.length);
		this.advanceTo(toTime(now));
		this.from = 0;
		this.to = 0;
		while (this.from < input.length && this.to < stop) {
			const start = this.to;
			this.to = append(start, HEAD);
			if (!this.escapeLine(input, isFinal)) {
				this.to = start;
				break;
			}
			this.finishRecord(stream, input[this.from - 1] === NEWLINE);
		}
		if (isFinal && this.from === input.length) {
			this.open[stream] = undefined;
		}
		return { consumed: this.from, output: buffer.subarray(0, this.to) };
	}

	/** Copies one line or fragment with escapes; false when neither is complete. */
	private escapeLine(input: Buffer, isFinal: boolean): boolean {
		const start = this.from;
		const limit = Math.min(input.length, start + FRAGMENT);
		let from = start;
		let to = this.to;
		// The hot loop of the engine: one table look-up and one store per ordinary byte.
		while (from < limit) {
			const byte = input[from] ?? 0;
			if (PLAIN[byte] === 1) {
				buffer[to++] = byte;
				from++;
			} else if (byte === NEWLINE) {
				buffer[to] = BACKSLASH;
				buffer[to + 1] = LETTER_N;
				this.from = from + 1;
				this.to = to + 2;
				return true;
			} else if (byte < 0x80) {
				to = append(to, ESCAPES[byte] ?? REPLACEMENT);
				from++;
			} else {
				const length = sequenceLength(input, from);
				if (from + length > limit && length > 0) {
					break;
				}
				to = copySequence(input, from, length, to);
				from += Math.max(length, 1);
			}
		}
		const isFragment = start + FRAGMENT <= input.length;
		if (!isFragment && isFinal) {
			// The output ends inside a sequence: each byte of it is broken.
			for (; from < limit; from++) {
				to = append(to, REPLACEMENT);
			}
		}
		this.from = from;
		this.to = to;
		if (!isFragment && !isFinal) {
			this.from = start;
		}
		return isFragment || isFinal;
	}

	/** Stream and time. All fragments of a line have the time of the first. */
	private finishRecord(stream: Stream, isLineEnd: boolean): void {
		const open = this.open[stream];
		if (open === undefined) {
			this.nextTime();
		}
		const { second, nanosecond } = open ?? this.last;
		this.open[stream] = isLineEnd ? undefined : { second, nanosecond };
		if (second !== this.writtenSecond) {
			this.writeSecond(second);
		}
		const to = writeFraction(append(this.to, this.middle[stream]), nanosecond);
		this.to = append(to, TAIL);
	}

	/** The clock, unless it stands still or was set back. The next time given is at or after it. */
	private advanceTo({ second, nanosecond }: Time): void {
		const { last } = this;
		if (second > last.second || (second === last.second && nanosecond > last.nanosecond)) {
			last.second = second;
			last.nanosecond = nanosecond - 1;
		}
	}

	private nextTime(): void {
		const { last } = this;
		last.nanosecond++;
		if (last.nanosecond === SECOND) {
			last.second++;
			last.nanosecond = 0;
		}
	}

	private writeSecond(second: number): void {
		this.writtenSecond = second;
		const text = new Date(second * 1000).toISOString().slice(0, 19);
		for (const middle of Object.values(this.middle)) {
			middle.write(text, middle.length - text.length, 'latin1');
		}
	}
}

/** What stands between text and fraction of the time; `attributes` with its comma. */
function middles(attributes: string): Readonly<Record<Stream, Buffer>> {
	const of = (stream: Stream): Buffer =>
		Buffer.from(`","stream":"${stream}",${attributes}"time":"0000-00-00T00:00:00`);
	return { stdout: of('stdout'), stderr: of('stderr') };
}

/** A loop: for a few bytes quicker than a call of Buffer.copy. */
function append(position: number, bytes: Buffer): number {
	const { length } = bytes;
	for (let index = 0; index < length; index++) {
		buffer[position + index] = bytes[index] ?? 0;
	}
	return position + length;
}

function toTime(nanoseconds: bigint): Time {
	return { second: Number(nanoseconds / BigInt(SECOND)), nanosecond: Number(nanoseconds % BigInt(SECOND)) };
}

function toText(time: Time | undefined): string {
	return time === undefined ? '0' : String(BigInt(time.second) * BigInt(SECOND) + BigInt(time.nanosecond));
}

/** RFC3339Nano: the fraction without trailing zeros, nothing for a whole second. */
function writeFraction(position: number, fraction: number): number {
	if (fraction === 0) {
		return position;
	}
	let digits = 9;
	let rest = fraction;
	while (rest % 10 === 0) {
		rest /= 10;
		digits--;
	}
	buffer[position] = 46;
	for (let digit = digits; digit > 0; digit--) {
		buffer[position + digit] = 48 + (rest % 10);
		rest = Math.floor(rest / 10);
	}
	return position + digits + 1;
}

/**
 * Length of the UTF-8 sequence at `from`, also when it ends beyond the input as far as one can see; 0 when the byte
 * there begins none (RFC 3629, as Go's decoder sees it).
 */
function sequenceLength(input: Buffer, from: number): number {
	const lead = input[from] ?? 0;
	const length =
		lead >= 0xc2 && lead < 0xe0 ? 2 : lead >= 0xe0 && lead < 0xf0 ? 3 : lead >= 0xf0 && lead < 0xf5 ? 4 : 0;
	for (let index = 1; index < length && from + index < input.length; index++) {
		const byte = input[from + index] ?? 0;
		const lowest = index === 1 ? (lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80) : 0x80;
		const highest = index === 1 ? (lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf) : 0xbf;
		if (byte < lowest || byte > highest) {
			return 0;
		}
	}
	return length;
}

function copySequence(input: Buffer, from: number, length: number, to: number): number {
	if (length === 0) {
		return append(to, REPLACEMENT);
	}
	// U+2028 and U+2029 end a line in JavaScript; Go escapes them.
	if (length === 3 && input[from] === 0xe2 && input[from + 1] === 0x80 && ((input[from + 2] ?? 0) & 0xfe) === 0xa8) {
		return to + buffer.write(`\\u202${((input[from + 2] ?? 0) & 0xf).toString(16)}`, to, 'latin1');
	}
	return to + input.copy(buffer, to, from, from + length);
}

/**
 * Decodes one line of a log file: docker's record, or the seed's {"timestamp","message"} whose message lacks the
 * newline. Undefined for anything else; logs are read tolerantly.
 */
export function decodeRecord(line: string): LogRecord | undefined {
	const value = jsonIn(line);
	if (typeof value !== 'object' || value === null) {
		return undefined;
	}
	const fields = value as Readonly<Record<string, unknown>>;
	const time = parseTime(fields['time'] ?? fields['timestamp']);
	if (time === undefined) {
		return undefined;
	}
	const stream = fields['stream'] === 'stderr' ? 'stderr' : 'stdout';
	const { log = '', message } = fields;
	if (typeof message === 'string' && fields['log'] === undefined) {
		return { time, stream, text: message.endsWith('\n') ? message : `${message}\n` };
	}
	const attributes = fields['attrs'];
	return typeof log === 'string'
		? { time, stream, text: log, ...(isStrings(attributes) ? { attributes } : {}) }
		: undefined;
}

function isStrings(value: unknown): value is Readonly<Record<string, string>> {
	return typeof value === 'object' && value !== null && Object.values(value).every((one) => typeof one === 'string');
}

const TIME = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9})\d*)?(Z|[+-]\d\d:\d\d)$/;
let knownSecond = '';
let knownTime = 0n;

/** RFC 3339 to Unix nanoseconds. */
function parseTime(text: unknown): bigint | undefined {
	const match = typeof text === 'string' ? TIME.exec(text) : null;
	if (match === null) {
		return undefined;
	}
	const second = `${match[1] ?? ''}${match[3] ?? ''}`;
	if (second !== knownSecond) {
		const milliseconds = Date.parse(second);
		if (Number.isNaN(milliseconds)) {
			return undefined;
		}
		knownSecond = second;
		knownTime = BigInt(milliseconds) * 1_000_000n;
	}
	return knownTime + BigInt((match[2] ?? '').padEnd(9, '0'));
}
