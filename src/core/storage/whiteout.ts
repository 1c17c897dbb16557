/**
 * How an unpacked layer, or an upper directory, says that a name is gone: by overlayfs's character device 0:0. Where the
 * store itself lies on an overlay, as in a container, that one refuses such devices, and a FIFO stands for it, whose mode
 * and time nothing else has; only the driver copy works there.
 */
import * as fs from 'node:fs';
import type { TarEntry } from '../image/tar';

/** linux/magic.h */
const OVERLAYFS = 0x794c7630;
/** Nanoseconds since 1970. */
const MARK = 727_872_000;
/** Opaque folders are marked by this there: an overlay keeps "trusted.overlay." for itself. */
export const OPAQUE_ON_OVERLAY = 'user.fuseoverlayfs.opaque';

export function isOnOverlay(folder: string): boolean {
	return fs.statfsSync(folder).type === OVERLAYFS;
}

export function isWhiteout(stat: fs.Stats | fs.BigIntStats): boolean {
	if (stat.isCharacterDevice()) {
		return Number(stat.rdev) === 0;
	}
	const time = 'mtimeNs' in stat ? Number(stat.mtimeNs) : Math.round(stat.mtimeMs * 1e6);
	return stat.isFIFO() && (Number(stat.mode) & 0o7777) === 0 && time === MARK;
}

export function isWhiteoutEntry({ type, major, minor, mode, mtime, mtimeNanoseconds }: TarEntry): boolean {
	return type === 'character'
		? major === 0 && minor === 0
		: type === 'fifo' && mode === 0 && mtime === 0 && mtimeNanoseconds === MARK;
}

/** Name it, and unpack it in a folder on an overlay, or elsewhere. */
export function whiteoutEntry(name: string, isForOverlay: boolean): TarEntry {
	return {
		...{ type: isForOverlay ? 'fifo' : 'character', name, linkName: '', mode: 0, uid: 0, gid: 0, size: 0 },
		...{ mtime: 0, mtimeNanoseconds: isForOverlay ? MARK : 0, major: 0, minor: 0, xattrs: new Map() },
	} as const;
}
