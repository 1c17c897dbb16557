/**
 * The two framings of the Docker Engine API, as pure functions: 8-byte headers around a container's output when it has
 * no terminal, and JSON messages separated by newlines for progress and events.
 */

/** A piece of a container's output. A terminal's output is all "stdout". */
export interface OutputChunk {
	readonly stream: 'stdout' | 'stderr';
	readonly data: Buffer;
}

/** Content-Type of output in frames. Engines before API 1.42 call both kinds RAW_STREAM. */
export const MULTIPLEXED_STREAM = 'application/vnd.docker.multiplexed-stream';
/** Content-Type of a terminal's output, which has no frames. */
export const RAW_STREAM = 'application/vnd.docker.raw-stream';

const HEADER = 8;
const LONGEST_FRAME = 0xffff_ffff;
/** Longer than any message of a real engine; guards the reader's memory. */
const LONGEST_MESSAGE = 16 * 1024 * 1024;

/** One frame: [1 stdout | 2 stderr, 0, 0, 0, length big-endian] and the data. */
export function frame(stream: 'stdout' | 'stderr', data: Uint8Array): Buffer {
	if (data.length > LONGEST_FRAME) {
		throw new RangeError(`Cannot frame ${data.length} bytes: a frame holds at most ${LONGEST_FRAME}`);
	}
	const framed = Buffer.allocUnsafe(HEADER + data.length);
	framed.writeUInt32BE(stream === 'stdout' ? 0x0100_0000 : 0x0200_0000, 0);
	framed.writeUInt32BE(data.length, 4);
	framed.set(data, HEADER);
	return framed;
}

/**
 * Takes frames apart. A frame's data is given on as it comes, not collected, so a frame of any length costs no memory;
 * frames of one stream that come together are given as one chunk, since each line of a log is a frame.
 * Frames of type 0 (input echoed) count as stdout, as in Docker's own client; type 3 is an error of the engine and
 * is thrown. A source that ends inside a frame throws.
 */
export async function* demultiplex(source: AsyncIterable<Uint8Array>): AsyncGenerator<OutputChunk, void> {
	const header = Buffer.alloc(HEADER);
	let filled = 0;
	let left = 0;
	let type = 0;
	let engineError = '';
	for await (const piece of source) {
		let rest = asBuffer(piece);
		const gathered: Buffer[] = [];
		let stream: OutputChunk['stream'] = 'stdout';
		while (rest.length > 0) {
			if (left === 0) {
				const taken = rest.copy(header, filled, 0, HEADER - filled);
				filled += taken;
				rest = rest.subarray(taken);
				if (filled < HEADER) {
					break;
				}
				filled = 0;
				type = frameType(header);
				left = header.readUInt32BE(4);
				continue;
			}
			const data = rest.subarray(0, left);
			rest = rest.subarray(data.length);
			left -= data.length;
			if (type !== 3) {
				const of = type === 2 ? 'stderr' : 'stdout';
				if (of !== stream && gathered.length > 0) {
					yield { stream, data: Buffer.concat(gathered.splice(0)) };
				}
				stream = of;
				gathered.push(data);
				continue;
			}
			if (gathered.length > 0) {
				yield { stream, data: Buffer.concat(gathered.splice(0)) };
			}
			engineError = (engineError + data.toString()).slice(0, 4096);
			if (left === 0) {
				throw new Error(`Error of the engine inside the stream: ${engineError}`);
			}
		}
		if (gathered.length > 0) {
			yield { stream, data: Buffer.concat(gathered) };
		}
	}
	if (left > 0 || filled > 0) {
		throw new Error('Cannot read container output: the stream ended inside a frame');
	}
}

function frameType(header: Buffer): number {
	const type = header.readUInt8(0);
	if (type > 3 || (header.readUInt32BE(0) & 0xff_ffff) !== 0) {
		throw new Error(`Cannot read container output: ${header.toString('hex')} is not a frame header`);
	}
	return type;
}

/** A terminal's output: all of it is stdout. */
export async function* rawOutput(source: AsyncIterable<Uint8Array>): AsyncGenerator<OutputChunk, void> {
	for await (const piece of source) {
		yield { stream: 'stdout', data: asBuffer(piece) };
	}
}

/** Parses a stream of JSON values, one a line; empty lines are skipped. Throws for a line that is not JSON. */
export async function* jsonMessages(source: AsyncIterable<Uint8Array>): AsyncGenerator<unknown, void> {
	let pieces: Buffer[] = [];
	let length = 0;
	for await (const piece of source) {
		let rest = asBuffer(piece);
		for (let end = rest.indexOf(0x0a); end >= 0; end = rest.indexOf(0x0a)) {
			const line = Buffer.concat([...pieces, rest.subarray(0, end)])
				.toString()
				.trim();
			pieces = [];
			length = 0;
			rest = rest.subarray(end + 1);
			if (line !== '') {
				yield JSON.parse(line);
			}
		}
		pieces.push(rest);
		length += rest.length;
		if (length > LONGEST_MESSAGE) {
			throw new Error(`Cannot read message stream: a line is longer than ${LONGEST_MESSAGE} bytes`);
		}
	}
	const last = Buffer.concat(pieces).toString().trim();
	if (last !== '') {
		yield JSON.parse(last);
	}
}

function asBuffer(piece: Uint8Array): Buffer {
	return Buffer.isBuffer(piece) ? piece : Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength);
}
