/**
 * node:zlib's own binding. Driven directly it costs half of what a stream costs: no thread hand-over, no event and no new
 * buffer per chunk. It is internal, so it is tried before it is used.
 */
import * as zlib from 'node:zlib';
import { EngineError } from '../errors';

/** Decompresses what it is given in pieces. What comes is valid until the next piece is asked for. */
export interface Decoder {
	/**
	 * Every full buffer of output that `input` leads to; a promise has to be waited for before more is asked for. Throws
	 * EngineError "corrupt" with the bare reason.
	 */
	decode(input: Buffer): Generator<Buffer | Promise<void>>;
	/** What is left when there is no more input. */
	rest(): Generator<Buffer>;
	close(): void;
}

/** A decoder of what the stream decodes, with output in buffers of `size` bytes; undefined where there is no such binding. */
export function streamDecoder(newStream: () => zlib.Gunzip, size: number): Decoder | undefined {
	return isHandleAsExpected() ? newDecoder(newStream(), size) : undefined;
}

/**
 * A decoder of gzip members (RFC 1952) that does not look at their checksums, which takes an eighth of the time of
 * decompression; undefined where there is no such binding. While `hasIdleCore` says so, the next buffer is filled in
 * another thread as the last one is worked with.
 */
export function gzipDecoder(size: number, hasIdleCore: () => boolean): Decoder | undefined {
	if (!isHandleAsExpected()) {
		return undefined;
	}
	void worksAhead();
	return newGzipDecoder(size, () => mayGoAhead && hasIdleCore());
}

type Write = (
	flush: number,
	input: Buffer,
	inputStart: number,
	inputLength: number,
	output: Buffer,
	outputStart: number,
	outputLength: number,
) => void;

interface Handle {
	/** In a thread of Node's pool; calls back what `init` was given. */
	write: Write;
	writeSync: Write;
	init(
		windowBits: number,
		level: number,
		memoryLevel: number,
		strategy: number,
		state: Uint32Array,
		callback: () => void,
		dictionary: undefined,
	): void;
	reset(): void;
	close(): void;
	onerror: (message: string, errno: number, code: string) => void;
}

interface DrivenHandle {
	readonly handle: Handle;
	/** After a write: [bytes of output left, bytes of input left]. */
	readonly state: Uint32Array;
}

function handleOf(stream: zlib.Gunzip | zlib.InflateRaw): DrivenHandle | undefined {
	const { _handle: handle, _writeState: state } = stream as { _handle?: unknown; _writeState?: unknown };
	return isHandle(handle) && state instanceof Uint32Array && state.length === 2 ? { handle, state } : undefined;
}

function isHandle(value: unknown): value is Handle {
	const names = ['write', 'writeSync', 'init', 'reset', 'close', 'onerror'];
	return typeof value === 'object' && value !== null && names.every((name) => name in value);
}

function newDecoder(stream: zlib.Gunzip, size: number): Decoder | undefined {
	const driven = handleOf(stream);
	return (
		driven &&
		new StreamDecoder(new HandleDecoder(driven, size), () => {
			stream.close();
		})
	);
}

function newGzipDecoder(size: number, hasIdleCore: () => boolean): Decoder | undefined {
	const ahead = new Ahead(hasIdleCore);
	const driven = newInflateHandle(() => {
		ahead.ended();
	});
	return (
		driven &&
		new GzipDecoder(new HandleDecoder(driven, size, ahead), () => {
			driven.handle.close();
		})
	);
}

const MOST_WINDOW_BITS = 15;
const USUAL_LEVEL = -1;
const USUAL_MEMORY_LEVEL = 8;

/** A handle with a callback of its own, which a stream's has not. */
function newInflateHandle(callback: () => void): DrivenHandle | undefined {
	const stream = zlib.createInflateRaw();
	const known = handleOf(stream)?.handle;
	stream.close();
	if (known === undefined) {
		return undefined;
	}
	const handle = new (known.constructor as new (mode: number) => Handle)(zlib.constants.INFLATERAW);
	const state = new Uint32Array(2);
	const { Z_DEFAULT_STRATEGY } = zlib.constants;
	handle.init(MOST_WINDOW_BITS, USUAL_LEVEL, USUAL_MEMORY_LEVEL, Z_DEFAULT_STRATEGY, state, callback, undefined);
	return { handle, state };
}

/** A step that goes on in a thread of Node's pool. */
class Ahead {
	/** To be called when the step has ended, well or not. */
	ended: () => void = () => undefined;
	private readonly buffers: Buffer[] = [];

	constructor(readonly isWanted: () => boolean) {}

	/** Resolves at the end of the step that `start` begins. */
	begin(start: () => void): Promise<void> {
		const end = new Promise<void>((resolve) => {
			this.ended = resolve;
		});
		start();
		return end;
	}

	/** One of two buffers in turn: while one is filled, the other is worked with. */
	buffer(size: number): Buffer {
		const buffer = this.buffers.length < 2 ? Buffer.allocUnsafeSlow(size) : (this.buffers.shift() as Buffer);
		this.buffers.push(buffer);
		return buffer;
	}
}

/** Of a buffer that is filled ahead to the usual one: most of what a connection reads at once fits in it, unpacked. */
const AHEAD_FACTOR = 2;

class HandleDecoder {
	private readonly output: Buffer;
	private filled = 0;
	/** What was filled ahead and has not been worked with. */
	private held: Buffer | undefined;
	private failure: string | undefined;
	/** The decoder takes no more. */
	hasEnded = false;

	constructor(
		private readonly driven: DrivenHandle,
		size: number,
		private readonly ahead = new Ahead(() => false),
	) {
		this.output = Buffer.allocUnsafeSlow(size);
		driven.handle.onerror = (message) => {
			this.failure = message;
			this.ahead.ended(); // nothing else says so
		};
	}

	/** Every full buffer of output that the input from `position` on leads to; gives where it has ended. */
	*decode(input: Buffer, position: number): Generator<Buffer | Promise<void>, number> {
		if (this.ahead.isWanted()) {
			return yield* this.decodeAhead(input, position);
		}
		yield* this.takeHeld();
		let end = position;
		while (end < input.length && !this.hasEnded) {
			const consumed = this.step(input, end);
			end += consumed;
			if (this.filled === this.output.length) {
				this.filled = 0;
				yield this.output;
			} else if (consumed === 0) {
				this.hasEnded = true;
			}
		}
		// Output may be left inside of the decoder when the buffer was full exactly as the input ended.
		while (this.filled === 0 && this.step(input, input.length) === 0 && this.filled === this.output.length) {
			this.filled = 0;
			yield this.output;
		}
		return end;
	}

	*rest(): Generator<Buffer> {
		yield* this.takeHeld();
		if (this.filled > 0) {
			yield this.output.subarray(0, this.filled);
		}
	}

	/** For another stream, whose output follows what is there. */
	restart(): void {
		this.driven.handle.reset();
		this.hasEnded = false;
	}

	/** What one step has given is worked with during the next one, which may be that of the next input. */
	private *decodeAhead(input: Buffer, position: number): Generator<Buffer | Promise<void>, number> {
		this.held ??= this.filled > 0 ? this.output.subarray(0, this.filled) : undefined;
		this.filled = 0;
		let end = position;
		let isFull = false;
		while ((end < input.length || isFull) && !this.hasEnded) {
			const output = this.ahead.buffer(AHEAD_FACTOR * this.output.length);
			const begun = this.ahead.begin(() => {
				this.write('write', input, end, output, 0);
			});
			yield* this.takeHeld();
			yield begun;
			const { inputLeft, outputLeft } = this.result();
			end = input.length - inputLeft;
			isFull = outputLeft === 0;
			this.held = outputLeft < output.length ? output.subarray(0, output.length - outputLeft) : undefined;
			this.hasEnded = inputLeft > 0 && !isFull;
		}
		return end;
	}

	private *takeHeld(): Generator<Buffer> {
		const { held } = this;
		this.held = undefined;
		if (held !== undefined) {
			yield held;
		}
	}

	/** Gives how many bytes of input it has taken. */
	private step(input: Buffer, position: number): number {
		this.write('writeSync', input, position, this.output, this.filled);
		const { inputLeft, outputLeft } = this.result();
		this.filled = this.output.length - outputLeft;
		return input.length - position - inputLeft;
	}

	private write(how: 'write' | 'writeSync', input: Buffer, position: number, output: Buffer, filled: number): void {
		const [length, space] = [input.length - position, output.length - filled];
		this.driven.handle[how](zlib.constants.Z_NO_FLUSH, input, position, length, output, filled, space);
	}

	private result(): { readonly inputLeft: number; readonly outputLeft: number } {
		if (this.failure !== undefined) {
			throw damaged(this.failure);
		}
		const [outputLeft = 0, inputLeft = 0] = this.driven.state;
		return { inputLeft, outputLeft };
	}
}

/** Only the padding of a tape may follow the end. */
class StreamDecoder implements Decoder {
	constructor(
		private readonly handle: HandleDecoder,
		readonly close: () => void,
	) {}

	*decode(input: Buffer): Generator<Buffer | Promise<void>> {
		checkZeros(input, yield* this.handle.decode(input, 0));
	}

	rest(): Generator<Buffer> {
		return this.handle.rest();
	}
}

/** Checksum and length. */
const TRAILER = 8;
/** Bytes of a member's header; its names and extra field are hardly ever there. */
const MAX_HEADER = 72 * 1024;

/** Reads the frame of members itself, and has their content decoded. */
class GzipDecoder implements Decoder {
	/** Of a header that has not come whole yet. */
	private header: Buffer = Buffer.alloc(0);
	private part: 'header' | 'content' | 'trailer' | 'padding' = 'header';
	private trailerLeft = TRAILER;

	constructor(
		private readonly handle: HandleDecoder,
		readonly close: () => void,
	) {}

	*decode(input: Buffer): Generator<Buffer | Promise<void>> {
		for (let position = 0; position < input.length;) {
			switch (this.part) {
				case 'header':
					position = this.readHeader(input, position);
					break;
				case 'content':
					position = yield* this.handle.decode(input, position);
					this.part = this.handle.hasEnded ? 'trailer' : 'content';
					break;
				case 'trailer':
					position = this.skipTrailer(input, position);
					break;
				default:
					checkZeros(input, position);
					return;
			}
		}
	}

	rest(): Generator<Buffer> {
		return this.handle.rest();
	}

	private readHeader(input: Buffer, position: number): number {
		if (this.header.length === 0 && input[position] === 0) {
			this.part = 'padding';
			return position;
		}
		const before = this.header.length;
		const rest = input.subarray(position);
		const bytes = before === 0 ? rest : Buffer.concat([this.header, rest.subarray(0, MAX_HEADER)]);
		const length = headerLength(bytes);
		if (length === undefined && bytes.length > MAX_HEADER) {
			throw damaged('the header of a member is too long');
		}
		this.header = length === undefined ? Buffer.from(bytes) : Buffer.alloc(0);
		if (length === undefined) {
			return input.length;
		}
		this.part = 'content';
		return position + length - before;
	}

	private skipTrailer(input: Buffer, position: number): number {
		const length = Math.min(this.trailerLeft, input.length - position);
		this.trailerLeft -= length;
		if (this.trailerLeft === 0) {
			this.trailerLeft = TRAILER;
			this.handle.restart();
			this.part = 'header';
		}
		return position + length;
	}
}

const FLAGS = { headerCrc: 2, extra: 4, name: 8, comment: 16, reserved: 0xe0 };

/** Length of the member's header that `bytes` begin with (RFC 1952, 2.3); undefined when it is longer than they are. */
function headerLength(bytes: Buffer): number | undefined {
	const magic = [0x1f, 0x8b, 8];
	if (magic.some((byte, index) => index < bytes.length && bytes[index] !== byte)) {
		throw damaged('incorrect header check');
	}
	const flags = bytes[3] ?? 0;
	if ((flags & FLAGS.reserved) !== 0) {
		throw damaged('unknown header flags set');
	}
	let length = 10;
	if ((flags & FLAGS.extra) !== 0) {
		length += 2 + (bytes[length] ?? 0) + 256 * (bytes[length + 1] ?? 0);
	}
	for (const flag of [FLAGS.name, FLAGS.comment]) {
		if ((flags & flag) !== 0) {
			const end = bytes.indexOf(0, length);
			if (end < 0) {
				return undefined;
			}
			length = end + 1;
		}
	}
	length += (flags & FLAGS.headerCrc) !== 0 ? 2 : 0;
	return length <= bytes.length ? length : undefined;
}

function checkZeros(input: Buffer, position: number): void {
	if (input.subarray(position).some((byte) => byte !== 0)) {
		throw damaged('something follows the end of the stream');
	}
}

function damaged(reason: string): EngineError {
	return new EngineError('corrupt', `its compression is damaged: ${reason}`);
}

let expected: boolean | undefined;

/** Whether the internal binding still behaves: two gzip members must come out as what went in, both ways. */
function isHandleAsExpected(): boolean {
	expected ??= [() => newDecoder(zlib.createGunzip(), SMALL), () => newGzipDecoder(SMALL, () => false)].every(
		decodesTwoMembers,
	);
	return expected;
}

/** Bytes of output that are less than what is tried. */
const SMALL = 64;
const TRIED = ['first'.repeat(SMALL), 'second'];

let members: Buffer | undefined;

function twoMembers(): Buffer {
	members ??= Buffer.concat(TRIED.map((text) => zlib.gzipSync(text)));
	return members;
}

function decodesTwoMembers(newOne: () => Decoder | undefined): boolean {
	let decoder: Decoder | undefined;
	try {
		decoder = newOne();
		const pieces = decoder ? [...copies(decoder.decode(twoMembers())), ...copies(decoder.rest())] : [];
		return Buffer.concat(pieces).toString() === TRIED.join('');
	} catch (error) {
		if (!(error instanceof Error)) {
			throw error;
		}
		return false; // whatever is wrong with a binding that changed, the streams still work
	} finally {
		decoder?.close();
	}
}

function* copies(parts: Iterable<Buffer | Promise<void>>): Generator<Buffer> {
	for (const part of parts) {
		if (Buffer.isBuffer(part)) {
			yield Buffer.from(part);
		}
	}
}

let trial: Promise<boolean> | undefined;
let mayGoAhead = false;

/** Whether the binding behaves in another thread as well: tried once, and not used so before. */
export function worksAhead(): Promise<boolean> {
	trial ??= decodesAhead().then((works) => (mayGoAhead = works));
	return trial;
}

async function decodesAhead(): Promise<boolean> {
	const pieces: Buffer[] = [];
	const decoder = newGzipDecoder(SMALL, () => true);
	try {
		for (const part of decoder?.decode(twoMembers()) ?? []) {
			await part;
			pieces.push(...copies([part]));
		}
		pieces.push(...copies(decoder?.rest() ?? []));
		return Buffer.concat(pieces).toString() === TRIED.join('');
	} catch (error) {
		if (!(error instanceof Error)) {
			throw error;
		}
		return false;
	} finally {
		decoder?.close();
	}
}
