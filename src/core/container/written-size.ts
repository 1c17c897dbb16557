import * as fs from 'node:fs';
import { systemCode } from '../errors';

/** As docker counts SizeRw: bytes of files and links, one with several names once; folders and whiteouts are nothing. */
export async function writtenSize(folder: string, signal: AbortSignal): Promise<number> {
	return sizeBelow(folder, new Set(), signal);
}

/** The container may write meanwhile: no folder is entered by a link, and what has gone is not counted. */
async function sizeBelow(folder: string | Buffer, linked: Set<number>, signal: AbortSignal): Promise<number> {
	signal.throwIfAborted();
	const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW } = fs.constants;
	const handle = await unlessGone(fs.promises.open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
	if (handle === undefined) {
		return 0;
	}
	try {
		const inside = `/proc/self/fd/${handle.fd}/`;
		let bytes = 0;
		for (const name of await fs.promises.readdir(inside, { encoding: 'buffer' })) {
			const file = Buffer.concat([Buffer.from(inside), name]);
			const stat = await unlessGone(fs.promises.lstat(file));
			if (stat?.isDirectory() === true) {
				bytes += await sizeBelow(file, linked, signal);
			} else if (stat !== undefined && !linked.has(stat.ino)) {
				bytes += stat.size;
				if (stat.nlink > 1) {
					linked.add(stat.ino);
				}
			}
		}
		return bytes;
	} finally {
		await handle.close();
	}
}

async function unlessGone<T>(work: Promise<T>): Promise<T | undefined> {
	try {
		return await work;
	} catch (error) {
		// Removed, or replaced by a file or a link.
		if (['ENOENT', 'ENOTDIR', 'ELOOP'].includes(systemCode(error) ?? '')) {
			return undefined;
		}
		throw error;
	}
}
