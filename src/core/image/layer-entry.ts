/** What every way to unpack a layer makes of the entries of its archive: names, attributes, whiteouts (image-spec, layer.md). */
import { EngineError } from '../errors';
import { userNamespace } from '../user-namespace';
import type { TarEntry } from './tar';

export interface AppliedLayer {
	/** sha256 of the tar. */
	readonly diffId: string;
	/** Bytes of all regular files. */
	readonly size: number;
	/** The layer hides everything below it; overlayfs does not look at the mark on a lower root, so a caller must. */
	readonly isOpaque: boolean;
	/** See opaquePaths. */
	readonly opaque: readonly string[] | undefined;
	/** What could not be unpacked as written and does no harm, such as an attribute that the disk cannot keep. */
	readonly warnings: readonly string[];
}

/** Folders are kept in memory until the end. */
export const MAX_FOLDERS = 250_000;
export const WHITEOUT = '.wh.';
export const WHITEOUT_META = '.wh..wh.';
export const OPAQUE = '.wh..wh..opq';
/** Bytes of a path that every system call takes (PATH_MAX, less the NUL at its end). */
export const MAX_PATH = 4095;
export const MAX_NAME = 255;
/** A slash too many, "." or "..": most names have none. */
export const UNCLEAN = /(?:^|\/)\.{0,2}(?:\/|$)/;
const MAX_LINKS = 40;
/** Inside of a user namespace overlayfs is mounted with userxattr (storage/overlay.ts). */
export const OVERLAY_OPAQUE = userNamespace().isInitial ? 'trusted.overlay.opaque' : 'user.overlay.opaque';
/** Attributes that steer overlayfs are ours alone, and labels of another machine's security module mean nothing here. */
export const FOREIGN_XATTR = /^(?:trusted\.overlay\.|user\.overlay\.|security\.selinux$|system\.nfs4_acl$)/;
export const NO_XATTRS: ReadonlyMap<string, Buffer> = new Map();

export type Attributes = Pick<TarEntry, 'mode' | 'uid' | 'gid' | 'mtime' | 'mtimeNanoseconds' | 'xattrs'>;

/** A folder that no entry describes, as docker makes it; root's, or of whoever unpacks. */
export const IMPLIED: Attributes = {
	mode: 0o755,
	uid: process.getuid?.() ?? 0,
	gid: process.getgid?.() ?? 0,
	mtime: 0,
	mtimeNanoseconds: 0,
	xattrs: NO_XATTRS,
};

export function withKnownXattrs(entry: TarEntry): TarEntry {
	if (entry.xattrs.size === 0) {
		return entry;
	}
	const known = [...entry.xattrs].filter(([name]) => !FOREIGN_XATTR.test(name));
	return known.length === entry.xattrs.size ? entry : { ...entry, xattrs: new Map(known) };
}

export function lostTarget(entry: TarEntry): EngineError {
	const link = `"${printable(entry.name)}" points to "${printable(entry.linkName)}"`;
	return corrupt(`the hard link ${link}, which is not in the layer`);
}

export function corrupt(reason: string): EngineError {
	return new EngineError('corrupt', reason);
}

/**
 * The path without leading, doubled and trailing slashes, "." and "..": relative to the layer's root, "" for the root.
 * An absolute name counts from the root, as in docker; a name that leaves the root is refused.
 */
export function cleanPath(name: string): string {
	if (name.length <= MAX_NAME && !UNCLEAN.test(name)) {
		return name;
	}
	const path = name.replace(/^(?:\.?\/)+/, '').replace(/\/+$/, '');
	if (path === '' || path === '.') {
		return '';
	}
	const names = path.split('/');
	const clean: string[] = [];
	for (const part of names) {
		if (part === '..') {
			if (clean.pop() === undefined) {
				throw corrupt(`the name "${printable(name)}" leaves the layer`);
			}
		} else if (part !== '' && part !== '.') {
			clean.push(part);
		}
	}
	const last = clean[clean.length - 1];
	if (path.length > MAX_PATH || (last !== undefined && last.length > MAX_NAME + WHITEOUT.length)) {
		throw corrupt(`the name "${printable(name.slice(0, 100))}…" is too long`);
	}
	return clean.length === names.length ? path : clean.join('/');
}

/** A folder's name; the last names of entries are checked by the kernel and by whiteOut. */
export function checkName(name: string): void {
	if (name.startsWith(WHITEOUT)) {
		throw corrupt(`"${printable(name)}" is used as a directory, and such names are whiteouts`);
	}
}

/** A name from the archive for a message. */
export function printable(name: string): string {
	return Buffer.from(name, 'latin1').toString('utf8');
}

/** Docker sets times outside of what Go can express to 1970. */
export function clampedTime(
	entry: Pick<TarEntry, 'mtime' | 'mtimeNanoseconds'>,
): Pick<TarEntry, 'mtime' | 'mtimeNanoseconds'> {
	const isInRange = entry.mtime >= 0 && entry.mtime < 2 ** 63 / 1e9;
	return isInRange
		? { mtime: entry.mtime, mtimeNanoseconds: entry.mtimeNanoseconds }
		: { mtime: 0, mtimeNanoseconds: 0 };
}

/** What a folder of a layer in memory needs, for paths to be followed through it: `Node` is whatever it may hold. */
interface FolderOf<Node> {
	readonly parent: FolderOf<Node> | undefined;
	readonly children: ReadonlyMap<string, Node>;
}

/** How the nodes of a layer in memory are told from each other. */
export interface NodeKinds<Folder, Node> {
	readonly isFolder: (node: Node) => node is Folder & Node;
	/** Of a symlink where it points, else undefined. */
	readonly targetOf: (node: Node) => string | undefined;
}

/**
 * Goes along a clean path from the layer's root, which nothing leads out of; symlinks are followed in memory. `missing`
 * gives what to do where there is no folder: another one, or undefined to give up. Throws "corrupt" for endless links.
 */
export function walkFolders<
	Node,
	Folder extends FolderOf<Node> & { readonly parent: Folder | undefined },
	Found extends Folder | undefined,
>(
	root: Folder,
	path: string,
	{ isFolder, targetOf }: NodeKinds<Folder, Node>,
	missing: (place: { readonly folder: Folder; readonly name: string }, node: Node | undefined) => Found,
): Folder | Found {
	const pending = path.split('/').reverse();
	let folder = root;
	let links = 0;
	for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
		if (name === '' || name === '.') {
			continue;
		}
		if (name === '..') {
			folder = folder.parent ?? root;
			continue;
		}
		const node = folder.children.get(name);
		const target = node === undefined ? undefined : targetOf(node);
		if (node !== undefined && isFolder(node)) {
			folder = node;
		} else if (target !== undefined) {
			links++;
			if (links > MAX_LINKS || pending.length > MAX_PATH) {
				throw corrupt(`the path "${printable(path)}" goes through too many symlinks`);
			}
			folder = target.startsWith('/') ? root : folder;
			pending.push(...target.split('/').reverse());
		} else {
			const made = missing({ folder, name }, node);
			if (!made) {
				return made;
			}
			folder = made;
		}
	}
	return folder;
}

/** A folder and all below it, each after the one that it is in. */
export function foldersBelow<Node, Folder extends FolderOf<Node>>(
	root: Folder,
	isFolder: (node: Node) => node is Folder & Node,
): Folder[] {
	const folders = [root];
	for (const folder of folders) {
		for (const child of folder.children.values()) {
			if (isFolder(child)) {
				folders.push(child);
			}
		}
	}
	return folders;
}

/** What a layer's record holds of its opaque folders, at most; other layers have a handful. */
const MAX_OPAQUE = 4096;
const MAX_OPAQUE_BYTES = 256 * 1024;

/**
 * The folders that hide what lower layers have in them, from "/", one character a byte; the root and those inside of
 * another one are not named. Undefined when there are more than a record should hold.
 */
export function opaquePaths<Node, Folder extends FolderOf<Node> & { readonly isOpaque: boolean }>(
	folders: readonly Folder[],
	isFolder: (node: Node) => node is Folder & Node,
): readonly string[] | undefined {
	const [root] = folders;
	// Few layers have any: no path is made for the others.
	if (root === undefined || !folders.some((folder) => folder !== root && folder.isOpaque)) {
		return [];
	}
	const paths: string[] = [];
	const pending: (readonly [folder: Folder, path: string])[] = [[root, '']];
	for (const [folder, path] of pending) {
		for (const [name, child] of folder.children) {
			if (!isFolder(child)) {
				continue;
			}
			if (child.isOpaque) {
				paths.push(`${path}/${name}`);
			} else {
				pending.push([child, `${path}/${name}`]);
			}
		}
	}
	return recordedOpaque(paths);
}

/** The paths, or undefined when there are more than a record should hold. */
export function recordedOpaque(paths: readonly string[]): readonly string[] | undefined {
	const bytes = paths.reduce((sum, path) => sum + path.length, 0);
	return paths.length <= MAX_OPAQUE && bytes <= MAX_OPAQUE_BYTES ? paths : undefined;
}
