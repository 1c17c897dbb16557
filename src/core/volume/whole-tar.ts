import { EngineError } from '../errors';
import { inflate } from '../image/inflate';

/** An archive ends with two blocks of zeros (pax(1), ustar). */
const END_LENGTH = 1024;

/**
 * The tar in an archive, plain or compressed. Fails with "corrupt" at an end that no tar has: tar(1) takes an empty
 * input, or one that was cut between two files, for a whole archive.
 */
export async function* wholeTar(archive: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
	let end = Buffer.alloc(0);
	for await (const chunk of inflate(archive)) {
		end = Buffer.from((chunk.length >= END_LENGTH ? chunk : Buffer.concat([end, chunk])).subarray(-END_LENGTH));
		// Whoever reads may hold several chunks at a time; inflate uses its buffer again.
		yield Buffer.from(chunk);
	}
	if (end.length < END_LENGTH || end.some((byte) => byte !== 0)) {
		throw new EngineError('corrupt', 'the archive is empty, cut off or no tar');
	}
}
