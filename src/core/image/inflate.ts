/** Decompression of layers: gzip (any number of members), zstd (any number of frames) or none, told by the first bytes. */
import { once } from 'node:events';
import * as zlib from 'node:zlib';
import { EngineError, messageOf } from '../errors';

/** A whole huge page of tar at a time keeps calls few; see bench. */
const CHUNK = 256 * 1024;
const MAGIC_LENGTH = 6;

export type Compression = 'none' | 'gzip' | 'zstd' | 'xz' | 'bzip2';

/** The compression that content with these first bytes has. */
export function compressionOf(start: Uint8Array): Compression {
	const hex = Buffer.from(start.subarray(0, MAGIC_LENGTH)).toString('hex');
	if (hex.startsWith('1f8b08')) {
		return 'gzip';
	}
	// A zstd frame, or one of the 16 skippable frames that a stream may begin with.
	if (hex.startsWith('28b52ffd') || /^5[0-9a-f]2a4d18/.test(hex)) {
		return 'zstd';
	}
	if (hex.startsWith('fd377a585a00')) {
		return 'xz';
	}
	return hex.startsWith('425a68') ? 'bzip2' : 'none';
}

/**
 * The content, decompressed. Each chunk, of the source too, is only valid until the next one is asked for. The media type is not looked at,
 * as docker does not: a wrong one shows in the digest of the content. Throws EngineError "corrupt" or "unsupported"
 * with the bare reason.
 */
export async function* inflate(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
	const chunks = source[Symbol.asyncIterator]();
	try {
		const start = await readStart(chunks);
		const compression = compressionOf(start);
		const rest = chained(start, chunks);
		if (compression === 'none') {
			yield* rest;
		} else {
			yield* decompressed(rest, newDecompressor(compression));
		}
	} finally {
		await chunks.return?.();
	}
}

async function readStart(chunks: AsyncIterator<Buffer>): Promise<Buffer> {
	let start: Buffer = Buffer.alloc(0);
	while (start.length < MAGIC_LENGTH) {
		const next = await chunks.next();
		if (next.done === true) {
			break;
		}
		// A copy where another chunk is asked for.
		start =
			start.length + next.value.length < MAGIC_LENGTH || start.length > 0
				? Buffer.concat([start, next.value])
				: next.value;
	}
	return start;
}

async function* chained(start: Buffer, chunks: AsyncIterator<Buffer>): AsyncGenerator<Buffer> {
	yield start;
	for (let next = await chunks.next(); next.done !== true; next = await chunks.next()) {
		yield next.value;
	}
}

function newDecompressor(compression: Exclude<Compression, 'none'>): zlib.Gunzip {
	switch (compression) {
		case 'gzip':
			return zlib.createGunzip({ chunkSize: CHUNK });
		case 'zstd':
			return newZstd();
		default:
			throw new EngineError('unsupported', `it is compressed with ${compression}; use gzip or zstd`);
	}
}

/** The part of node:zlib that is there from Node 22.15 on; the types we build with are older. */
interface WithZstd {
	createZstdDecompress?: (options: { chunkSize: number }) => zlib.Gunzip;
}

function newZstd(): zlib.Gunzip {
	const create = (zlib as WithZstd).createZstdDecompress;
	if (!create) {
		throw new EngineError(
			'unsupported',
			`it is compressed with zstd, which Node ${process.versions.node} cannot read; run MyDocker with Node 22.15 or newer, or use an image with gzip layers`,
		);
	}
	return create({ chunkSize: CHUNK });
}

function decompressed(source: AsyncIterable<Buffer>, stream: zlib.Gunzip): AsyncGenerator<Buffer> {
	const handle = handleOf(stream);
	return handle && isHandleAsExpected() ? throughHandle(source, stream, handle) : throughStream(source, stream);
}

/**
 * node:zlib's own binding. Driven directly it costs half of what a stream costs: no thread hand-over, no event and no
 * new buffer per chunk. It is internal, so isHandleAsExpected tries it first.
 */
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
	onerror: (message: string, errno: number, code: string) => void;
}

interface DrivenHandle {
	readonly handle: Handle;
	/** After a write: [bytes of output left, bytes of input left]. */
	readonly state: Uint32Array;
}

function handleOf(stream: zlib.Gunzip): DrivenHandle | undefined {
	const { _handle: handle, _writeState: state } = stream as { _handle?: unknown; _writeState?: unknown };
	return isHandle(handle) && state instanceof Uint32Array && state.length === 2 ? { handle, state } : undefined;
}

function isHandle(value: unknown): value is Handle {
	return typeof value === 'object' && value !== null && 'onerror' in value && 'writeSync' in value;
}

async function* throughHandle(
	source: AsyncIterable<Buffer>,
	stream: zlib.Gunzip,
	driven: DrivenHandle,
): AsyncGenerator<Buffer> {
	const output = Buffer.allocUnsafeSlow(CHUNK);
	try {
		const decoder = new HandleDecoder(driven, output);
		for await (const input of source) {
			yield* decoder.decode(input);
		}
		yield* decoder.rest();
	} finally {
		stream.close();
	}
}

class HandleDecoder {
	private filled = 0;
	private failure: string | undefined;
	private hasEnded = false;

	constructor(
		private readonly driven: DrivenHandle,
		private readonly output: Buffer,
	) {
		driven.handle.onerror = (message) => {
			this.failure = message;
		};
	}

	/** Every full buffer of output that `input` leads to. */
	*decode(input: Buffer): Generator<Buffer> {
		let position = 0;
		while (position < input.length) {
			if (this.hasEnded) {
				checkZeros(input, position);
				return;
			}
			const consumed = this.step(input, position);
			position += consumed;
			if (this.filled === this.output.length) {
				this.filled = 0;
				yield this.output;
			} else if (consumed === 0) {
				this.hasEnded = true; // the decoder takes no more: only the padding of a tape may follow
			}
		}
		// Output may be left inside of the decoder when the buffer was full exactly as the input ended.
		while (this.filled === 0 && this.step(input, input.length) === 0 && this.filled === this.output.length) {
			this.filled = 0;
			yield this.output;
		}
	}

	*rest(): Generator<Buffer> {
		if (this.filled > 0) {
			yield this.output.subarray(0, this.filled);
		}
	}

	private step(input: Buffer, position: number): number {
		const { handle, state } = this.driven;
		const space = this.output.length - this.filled;
		const length = input.length - position;
		handle.writeSync(zlib.constants.Z_NO_FLUSH, input, position, length, this.output, this.filled, space);
		if (this.failure !== undefined) {
			throw new EngineError('corrupt', `its compression is damaged: ${this.failure}`);
		}
		const [outputLeft = 0, inputLeft = 0] = state;
		this.filled = this.output.length - outputLeft;
		return length - inputLeft;
	}
}

function checkZeros(input: Buffer, position: number): void {
	if (input.subarray(position).some((byte) => byte !== 0)) {
		throw new EngineError('corrupt', 'its compression is damaged: something follows the end of the stream');
	}
}

let expected: boolean | undefined;

/** Whether the internal binding still behaves: two gzip members must come out as what went in. */
function isHandleAsExpected(): boolean {
	expected ??= tryHandle();
	return expected;
}

function tryHandle(): boolean {
	const stream = zlib.createGunzip({ chunkSize: CHUNK });
	const driven = handleOf(stream);
	try {
		const members = Buffer.concat([zlib.gzipSync('first'), zlib.gzipSync('second')]);
		const decoder = driven && new HandleDecoder(driven, Buffer.alloc(4));
		const pieces = decoder ? [...copies(decoder.decode(members)), ...copies(decoder.rest())] : [];
		return Buffer.concat(pieces).toString() === 'firstsecond';
	} catch (error) {
		if (!(error instanceof Error)) {
			throw error;
		}
		return false; // whatever is wrong with a binding that changed, the streams still work
	} finally {
		stream.close();
	}
}

function* copies(chunks: Iterable<Buffer>): Generator<Buffer> {
	for (const chunk of chunks) {
		yield Buffer.from(chunk);
	}
}

async function* throughStream(source: AsyncIterable<Buffer>, stream: zlib.Gunzip): AsyncGenerator<Buffer> {
	const feeding = feed(source, stream).catch((error: unknown) => {
		stream.destroy(error instanceof Error ? error : new Error(String(error)));
	});
	try {
		for await (const chunk of stream) {
			yield chunk as Buffer;
		}
	} catch (error) {
		throw isZlibError(error)
			? new EngineError('corrupt', `its compression is damaged: ${messageOf(error)}`, { cause: error })
			: error;
	} finally {
		stream.destroy();
		await feeding;
	}
}

async function feed(source: AsyncIterable<Buffer>, stream: zlib.Gunzip): Promise<void> {
	for await (const chunk of source) {
		if (stream.destroyed) {
			return;
		}
		// A copy: the stream looks at it later.
		if (!stream.write(Buffer.from(chunk))) {
			await once(stream, 'drain');
		}
	}
	stream.end();
}

function isZlibError(error: unknown): boolean {
	return error instanceof Error && 'code' in error && /^(?:Z_|ZSTD_)/.test(String(error.code));
}
