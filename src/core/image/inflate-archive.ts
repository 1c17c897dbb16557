/** Decompression of archives that people bring: as of layers, and xz and bzip2 through the machine's own programs. */
import { spawn } from 'node:child_process';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { EngineError, messageOf } from '../errors';
import { findProgram, toolEnvironment } from '../exec';
import { compressionOf, inflate } from './inflate';

const MAGIC_LENGTH = 6;
/** Of Debian's packages; docker runs xz too. */
const PACKAGES = { xz: 'xz-utils', bzip2: 'bzip2' } as const;

/**
 * The content, decompressed. Each chunk is only valid until the next one is asked for. Throws EngineError "corrupt" or
 * "unsupported" with the bare reason.
 */
export async function* inflateArchive(source: AsyncIterable<Buffer>, signal: AbortSignal): AsyncGenerator<Buffer> {
	const chunks = source[Symbol.asyncIterator]();
	try {
		const start = await firstBytes(chunks);
		const compression = compressionOf(start);
		const whole = chained(start, chunks);
		yield* compression === 'xz' || compression === 'bzip2'
			? throughProgram(compression, whole, signal)
			: compression === 'none'
				? whole
				: complete(inflate(whole));
	} finally {
		await chunks.return?.();
	}
}

const BLOCK = 512;

/**
 * Passes a tar on. node:zlib does not tell when a compressed stream breaks off (zstd never does); a whole archive ends
 * with empty blocks. Throws EngineError "corrupt" for one that does not.
 */
export async function* complete(tar: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
	let zeros = 0;
	for await (const chunk of tar) {
		const end = lastByteThatIsNot0(chunk);
		zeros = end < 0 ? zeros + chunk.length : chunk.length - end - 1;
		yield chunk;
	}
	if (zeros < BLOCK) {
		throw new EngineError('corrupt', 'it breaks off: the end of the archive is missing');
	}
}

function lastByteThatIsNot0(chunk: Buffer): number {
	let index = chunk.length - 1;
	while (index >= 0 && chunk[index] === 0) {
		index--;
	}
	return index;
}

async function firstBytes(chunks: AsyncIterator<Buffer>): Promise<Buffer> {
	const parts: Buffer[] = [];
	for (let length = 0; length < MAGIC_LENGTH;) {
		const next = await chunks.next();
		if (next.done === true) {
			break;
		}
		parts.push(Buffer.from(next.value)); // the source may use its buffer again
		length += next.value.length;
	}
	return Buffer.concat(parts);
}

async function* chained(start: Buffer, chunks: AsyncIterator<Buffer>): AsyncGenerator<Buffer> {
	yield start;
	for (let next = await chunks.next(); next.done !== true; next = await chunks.next()) {
		yield next.value;
	}
}

async function* throughProgram(
	name: keyof typeof PACKAGES,
	source: AsyncIterable<Buffer>,
	signal: AbortSignal,
): AsyncGenerator<Buffer> {
	if (findProgram(name) === undefined) {
		const remedy = `install it (Debian's package ${PACKAGES[name]}), or use gzip or zstd`;
		throw new EngineError(
			'unsupported',
			`it is compressed with ${name}, and "${name}" is not on this machine: ${remedy}`,
		);
	}
	const child = spawn(name, ['-d', '-c', '-q'], { stdio: ['pipe', 'pipe', 'pipe'], env: toolEnvironment(), signal });
	let complaint = '';
	child.stderr.setEncoding('utf8').on('data', (text: string) => {
		complaint = (complaint + text).slice(0, 1000);
	});
	const ended = new Promise<number | null>((resolve, reject) => {
		child.once('error', reject).once('close', resolve);
	});
	ended.catch(() => undefined);
	let failure: Error | undefined;
	// A program that stops early breaks the pipe; its exit code says why. What the source throws is told as it is.
	const fed = pipeline(Readable.from(copies(source)), child.stdin).catch((error: unknown) => {
		failure = error instanceof Error ? error : new Error(messageOf(error), { cause: error });
	});
	try {
		yield* child.stdout as AsyncIterable<Buffer>;
		const code = await ended;
		await fed;
		if (code !== 0) {
			throw new EngineError('corrupt', `${name} cannot read it: ${complaint.trim() || 'it was stopped'}`);
		}
		if (failure !== undefined) {
			throw failure;
		}
	} finally {
		child.kill('SIGKILL');
	}
}

async function* copies(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
	for await (const chunk of source) {
		yield Buffer.from(chunk);
	}
}
