/** Small archives for the tests of the image folder, written with our own encoder. */
import type { EntryType, TarEntry } from '../../../src/core/image/tar';
import { encodeEntry, endOfArchive, padding } from '../../../src/core/image/tar';

export type Written = Partial<TarEntry> & { readonly name: string; readonly body?: string | Buffer };

/** An entry with all members, a file of mode 644 unless said otherwise. */
export function entryOf({ body = '', ...given }: Written): TarEntry {
	return {
		type: given.name.endsWith('/') ? 'directory' : 'file',
		linkName: '',
		mode: given.name.endsWith('/') ? 0o755 : 0o644,
		// Its own owner, so that the tests need no root.
		uid: process.getuid?.() ?? 0,
		gid: process.getgid?.() ?? 0,
		size: Buffer.byteLength(body),
		mtime: 1_700_000_000,
		mtimeNanoseconds: 0,
		major: 0,
		minor: 0,
		xattrs: new Map(),
		...given,
	};
}

/** The bytes of an archive of these entries. */
export function archive(...entries: readonly Written[]): Buffer {
	return Buffer.concat([
		...entries.flatMap((written) => {
			const entry = entryOf(written);
			return [encodeEntry(entry), Buffer.from(written.body ?? ''), padding(entry.size)];
		}),
		endOfArchive(),
	]);
}

/** A link, symlink, FIFO or device. */
export function special(type: EntryType, name: string, linkName = ''): Written {
	return { type, name, linkName };
}

/** The bytes in pieces of the given size. */
export async function* pieces(bytes: Buffer, size = bytes.length): AsyncGenerator<Buffer> {
	for (let start = 0; start < bytes.length; start += size) {
		yield await Promise.resolve(bytes.subarray(start, start + size));
	}
}
