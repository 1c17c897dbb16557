/**
 * node:zlib's own binding. Driven directly it costs half of what a stream costs: no thread hand-over, no event and no new
 * buffer per chunk. It is internal, so it is tried before it is used.
 */
import * as zlib from 'node:zlib';
import { EngineError } from '../errors';

/** Decompresses what it is given in pieces. What comes is valid until the next piece is asked for. */
export interface Decoder {
	/** Every full buffer of output that `input` leads to. Throws EngineError "corrupt" with the bare reason. */
	decode(input: Buffer): Generator<Buffer>;
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
 * decompression; undefined where there is no such binding.
 */
export function gzipDecoder(size: number): Decoder | undefined {
	return isHandleAsExpected() ? newGzipDecoder(size) : undefined;
}

interface Handle {
	writeSync(
		flush: number,
		input: Buffer,
		inputStart: number,
		inputLength: number,
		output: Buffer,
		outputStart: number,
		outputLength: number,
	): void;
	reset(): void;
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
	const names = ['writeSync', 'reset', 'onerror'];
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

function newGzipDecoder(size: number): Decoder | undefined {
	const stream = zlib.createInflateRaw();
	const driven = handleOf(stream);
	return (
		driven &&
		new GzipDecoder(new HandleDecoder(driven, size), () => {
			stream.close();
		})
	);
}

class HandleDecoder {
	private readonly output: Buffer;
	private filled = 0;
	private failure: string | undefined;
	/** The decoder takes no more. */
	hasEnded = false;

	constructor(
		private readonly driven: DrivenHandle,
		size: number,
	) {
		this.output = Buffer.allocUnsafeSlow(size);
		driven.handle.onerror = (message) => {
			this.failure = message;
		};
	}

	/** Every full buffer of output that the input from `position` on leads to; gives where it has ended. */
	*decode(input: Buffer, position: number): Generator<Buffer, number> {
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
		if (this.filled > 0) {
			yield this.output.subarray(0, this.filled);
		}
	}

	/** For another stream, whose output follows what is there. */
	restart(): void {
		this.driven.handle.reset();
		this.hasEnded = false;
	}

	private step(input: Buffer, position: number): number {
		const { handle, state } = this.driven;
		const space = this.output.length - this.filled;
		const length = input.length - position;
		handle.writeSync(zlib.constants.Z_NO_FLUSH, input, position, length, this.output, this.filled, space);
		if (this.failure !== undefined) {
			throw damaged(this.failure);
		}
		const [outputLeft = 0, inputLeft = 0] = state;
		this.filled = this.output.length - outputLeft;
		return length - inputLeft;
	}
}

/** Only the padding of a tape may follow the end. */
class StreamDecoder implements Decoder {
	constructor(
		private readonly handle: HandleDecoder,
		readonly close: () => void,
	) {}

	*decode(input: Buffer): Generator<Buffer> {
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

	*decode(input: Buffer): Generator<Buffer> {
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
	expected ??= [() => newDecoder(zlib.createGunzip(), SMALL), () => newGzipDecoder(SMALL)].every(decodesTwoMembers);
	return expected;
}

/** Bytes of output that are less than what is tried. */
const SMALL = 64;

function decodesTwoMembers(newOne: () => Decoder | undefined): boolean {
	const texts = ['first'.repeat(SMALL), 'second'];
	const members = Buffer.concat(texts.map((text) => zlib.gzipSync(text)));
	let decoder: Decoder | undefined;
	try {
		decoder = newOne();
		const pieces = decoder ? [...copies(decoder.decode(members)), ...copies(decoder.rest())] : [];
		return Buffer.concat(pieces).toString() === texts.join('');
	} catch (error) {
		if (!(error instanceof Error)) {
			throw error;
		}
		return false; // whatever is wrong with a binding that changed, the streams still work
	} finally {
		decoder?.close();
	}
}

function* copies(chunks: Iterable<Buffer>): Generator<Buffer> {
	for (const chunk of chunks) {
		yield Buffer.from(chunk);
	}
}
