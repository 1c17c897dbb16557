import * as fs from 'node:fs';
import * as path from 'node:path';
import { EngineError } from '../errors';
import type { LookupLayer, RootFolders, RootLayers, RootMount, StorageDriver } from './driver';

export interface OverlayLayers {
	/** Lower directories, top first, absolute. */
	readonly lowers: readonly string[];
	/** Absolute; where the container's writes go. */
	readonly upper: string;
	/** Absolute, empty, beside `upper` on the same file system. */
	readonly work: string;
	/** Keep overlayfs's marks in "user." attributes, which a mount inside of a user namespace needs (Linux 5.11). */
	readonly isRootless?: boolean;
	/** The layers are file systems of their own, and their files shall be on one device nevertheless, as on a disk. */
	readonly hasManyDisks?: boolean;
	/** Only the options that name directories. */
	readonly isPlain?: boolean;
}

export interface OverlayMount {
	/** For `mount -t overlay overlay -o <options> <target>`. */
	readonly options: string;
	/** The directory that mount must run in, as the options hold relative names. */
	readonly cwd: string;
}

/**
 * The kernel's overlayfs, over layers that are folders or EROFS images, or fuse-overlayfs, which keeps the same marks in
 * a container's upper directory.
 */
export class OverlayDriver implements StorageDriver {
	constructor(
		readonly name: 'overlay' | 'erofs' | 'fuse-overlayfs',
		/** See OverlayLayers. */
		private readonly isRootless: boolean,
	) {}

	prepare(): Promise<void> {
		return Promise.resolve();
	}

	mount({ upper, work }: RootFolders, { lowers, images }: RootLayers): RootMount {
		// fuse-overlayfs looks for both kinds of attributes by itself and knows no such options.
		const isPlain = this.name === 'fuse-overlayfs';
		const hasManyDisks = this.name === 'erofs';
		const layers = { lowers, upper, work, isRootless: this.isRootless, isPlain, hasManyDisks };
		return { kind: isPlain ? 'fuse-overlayfs' : 'overlay', ...overlayMount(layers), images };
	}

	/** What the container itself has made opaque is not known here. */
	lookup({ upper }: RootFolders, lowers: readonly LookupLayer[]): readonly LookupLayer[] {
		return [{ directory: upper, opaque: new Set() }, ...lowers];
	}

	withUpper<T>({ upper }: RootFolders, _signal: AbortSignal, work: (upper: string) => Promise<T>): Promise<T> {
		return work(upper);
	}
}

/** mount(2) takes one page of options. */
const PAGE = 4096;
/** Names of overlay options that would be cut or misread (Documentation/filesystems/overlayfs.rst). */
const SPECIAL = /[\\:,"\s]/;

/**
 * Makes the options of an overlay mount. Each lower directory gets a short symlink `l/<n>` beside `upper` and all names
 * are relative to that folder: so 127 layers fit in the one page that mount(2) takes, and a comma, colon or space in the
 * store's own path needs no escaping. Run mount(8) of util-linux 2.39 or newer with LIBMOUNT_FORCE_MOUNT2=always: the
 * newer system call takes 256 bytes only.
 */
export function overlayMount(layers: OverlayLayers): OverlayMount {
	const cwd = path.dirname(layers.upper);
	const upper = path.basename(layers.upper);
	const work = path.basename(layers.work);
	if (path.dirname(layers.work) !== cwd || SPECIAL.test(upper) || SPECIAL.test(work)) {
		throw new EngineError(
			'internal',
			`Cannot mount "${layers.upper}": upper and work must be plain names beside each other`,
		);
	}
	const links = linkLowers(path.join(cwd, 'l'), layers.lowers);
	const options = [
		`lowerdir=${links.join(':')}`,
		`upperdir=${upper}`,
		`workdir=${work}`,
		// File handles of a copied or restored store would not match (docker sets it too).
		...(layers.isPlain === true ? [] : ['index=off']),
		...(layers.hasManyDisks === true ? ['xino=on'] : []),
		...(layers.isPlain !== true && layers.isRootless === true ? ['userxattr'] : []),
	].join(',');
	if (options.length >= PAGE) {
		throw new EngineError('unsupported', `Cannot mount "${layers.upper}": ${links.length} layers are too many`);
	}
	return { options, cwd };
}

/** Relative symlinks, so that the store can be moved. There must be a lower directory: an image without layers gets an empty one. */
function linkLowers(folder: string, lowers: readonly string[]): string[] {
	fs.rmSync(folder, { recursive: true, force: true });
	fs.mkdirSync(folder, { mode: 0o700 });
	if (lowers.length === 0) {
		fs.mkdirSync(path.join(folder, 'empty'));
		return ['l/empty'];
	}
	return lowers.map((lower, index) => {
		fs.symlinkSync(path.relative(folder, lower), path.join(folder, String(index)));
		return `l/${index}`;
	});
}
