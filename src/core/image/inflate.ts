/** Decompression of layers: gzip (any number of members), zstd (any number of frames) or none, told by the first bytes. */
import { once } from 'node:events';
import * as zlib from 'node:zlib';
import { EngineError, messageOf } from '../errors';
import { gzipDecoder, streamDecoder, type Decoder } from './zlib-handle';

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

export interface InflateOptions {
	/** Whoever reads compares a digest of the content, so a checksum in the stream itself need not be looked at. */
	readonly isVerified?: boolean;
	/** Asked again and again: whether another thread would run at once. Then it decompresses ahead of whoever reads. */
	readonly hasIdleCore?: () => boolean;
}

/**
 * The content, decompressed. Each chunk, of the source too, is only valid until the next one is asked for. The media type is not looked at,
 * as docker does not: a wrong one shows in the digest of the content. Throws EngineError "corrupt" or "unsupported"
 * with the bare reason.
 */
export async function* inflate(source: AsyncIterable<Buffer>, options: InflateOptions = {}): AsyncGenerator<Buffer> {
	const chunks = source[Symbol.asyncIterator]();
	try {
		const start = await readStart(chunks);
		const compression = compressionOf(start);
		const rest = chained(start, chunks);
		if (compression === 'none') {
			yield* rest;
			return;
		}
		const decoder = decoderFor(compression, options);
		yield* decoder ? throughDecoder(rest, decoder) : throughStream(rest, newDecompressor(compression));
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

/** Undefined where only streams are to be had. */
function decoderFor(
	compression: Exclude<Compression, 'none'>,
	{ isVerified = false, hasIdleCore = () => false }: InflateOptions,
): Decoder | undefined {
	return compression === 'gzip' && isVerified
		? gzipDecoder(CHUNK, hasIdleCore)
		: streamDecoder(() => newDecompressor(compression), CHUNK);
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

async function* throughDecoder(source: AsyncIterable<Buffer>, decoder: Decoder): AsyncGenerator<Buffer> {
	try {
		for await (const input of source) {
			for (const part of decoder.decode(input)) {
				if (part instanceof Promise) {
					await part;
				} else {
					yield part;
				}
			}
		}
		yield* decoder.rest();
	} finally {
		decoder.close();
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
