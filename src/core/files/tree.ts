/**
 * A file tree in which others, hostile ones too, may write meanwhile: the root of a running container, a volume.
 *
 * Paths are resolved here and not by the kernel, which would follow a container's symlinks on the host: name by name,
 * each relative to an open folder and without following links (`/proc/self/fd/<n>/<name>`), the targets of symlinks
 * counted from the tree's own root, ".." by the folders that were gone through. So nothing that is swapped meanwhile
 * leads outside of the tree (CVE-2018-15664), and mounts inside of it are crossed as the tree's own processes see them.
 *
 * Paths and names are byte strings: one character is one byte (see bytesOf).
 */
import * as fs from 'node:fs';
import { EngineError, systemCode } from '../errors';

/** Linux: an open folder that can be gone through and not read; needs no right on what it is. */
const O_PATH = 0o10000000;
const { O_DIRECTORY, O_NOFOLLOW, O_RDONLY } = fs.constants;
/** The kernel's own limits (path_resolution(7)). */
const MAX_LINKS = 40;
const MAX_PATH = 4096;

/** An open folder, with those above it up to the root of the tree. */
export interface Folder {
	readonly descriptor: number;
	/** In the tree, without symlinks: "/", "/etc". */
	readonly path: string;
	readonly parent: Folder | undefined;
}

/** What a path means. */
export interface Place {
	/** The folder that `name` is in, or with the name "" the thing itself. */
	readonly folder: Folder;
	readonly name: string;
	/** In the tree, without symlinks but, unless they were to be followed, the last. */
	readonly path: string;
	/** Undefined when there is nothing; then folders on the way may be missing too, and `folder` is the last that is there. */
	readonly stat: fs.BigIntStats | undefined;
}

export interface ResolveOptions {
	/** Follows a symlink that is the last name too. */
	readonly followsLast: boolean;
	/** Relative paths start here; the root by default. */
	readonly from?: Folder;
}

/** A tree below one folder. Close it to close all folders that were opened. */
export class Tree {
	readonly root: Folder;
	private readonly open = new Set<number>();

	/** `directory` is trusted, its content not. */
	constructor(directory: string) {
		this.root = this.folder(fs.openSync(directory, O_RDONLY | O_DIRECTORY), '/', undefined);
	}

	close(): void {
		for (const descriptor of this.open) {
			fs.closeSync(descriptor);
		}
		this.open.clear();
	}

	/** Closes the folders that were opened since `kept` was the deepest; they may not be used any more. */
	release(folder: Folder, kept: Folder): void {
		const stays = new Set(ancestors(kept));
		for (const one of ancestors(folder)) {
			if (!stays.has(one) && this.open.delete(one.descriptor)) {
				fs.closeSync(one.descriptor);
			}
		}
	}

	/**
	 * Finds what a path means inside of the tree. A missing end is no error; throws "invalid" for links in a circle and for
	 * a path that goes through a file.
	 */
	resolve(path: string, { followsLast, from = this.root }: ResolveOptions): Place {
		const pending = partsOf(path).reverse();
		let folder = path.startsWith('/') ? this.root : from;
		let links = 0;
		for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
			if (name === '..') {
				folder = this.leave(folder, from);
				continue;
			}
			const isLast = pending.length === 0;
			const stat = statIn(folder, name);
			if (stat === undefined) {
				return { folder, name, path: joined(folder, name, pending), stat: undefined };
			}
			if (stat.isSymbolicLink() && (followsLast || !isLast)) {
				if (++links > MAX_LINKS) {
					throw tooManyLinks(path);
				}
				const target = linkIn(folder, name);
				if (target === undefined) {
					pending.push(name); // it was replaced since it was looked at
					continue;
				}
				if (pending.length > MAX_PATH) {
					throw tooManyLinks(path);
				}
				if (target.startsWith('/')) {
					this.release(folder, from);
					folder = this.root;
				}
				pending.push(...partsOf(target).reverse());
				continue;
			}
			if (isLast && !stat.isDirectory()) {
				return { folder, name, path: joined(folder, name, []), stat };
			}
			const next = this.enter(folder, name);
			if (next === undefined) {
				throw notDirectory(path);
			}
			folder = next;
		}
		return { folder, name: '', path: folder.path, stat: fs.fstatSync(folder.descriptor, { bigint: true }) };
	}

	/** Opens a folder in a folder; undefined when it is no folder, or gone. Never follows a link. */
	enter(folder: Folder, name: string): Folder | undefined {
		try {
			const descriptor = fs.openSync(pathIn(folder, name), O_PATH | O_DIRECTORY | O_NOFOLLOW);
			return this.folder(descriptor, joined(folder, name, []), folder);
		} catch (error) {
			if (['ENOTDIR', 'ELOOP', 'ENOENT'].includes(systemCode(error) ?? '')) {
				return undefined;
			}
			throw error;
		}
	}

	private leave(folder: Folder, from: Folder): Folder {
		if (folder.parent === undefined) {
			return folder;
		}
		const { parent } = folder;
		// What `from` stands on is not this walk's to close.
		if (!ancestors(from).includes(folder)) {
			this.release(folder, parent);
		}
		return parent;
	}

	private folder(descriptor: number, path: string, parent: Folder | undefined): Folder {
		this.open.add(descriptor);
		return { descriptor, path, parent };
	}
}

function tooManyLinks(path: string): EngineError {
	return new EngineError('invalid', `${printable(path)}: too many levels of symbolic links`);
}

export function notDirectory(path: string): EngineError {
	return new EngineError('invalid', `${printable(path)}: not a directory`);
}

/** For calls of node:fs that do not follow a link at the end of the path; "" is the folder itself. */
export function pathIn(folder: Folder, name: string): string | Buffer {
	const path = `/proc/self/fd/${folder.descriptor}${name === '' ? '' : `/${name}`}`;
	return /[\x80-\xff]/.test(path) ? Buffer.from(path, 'latin1') : path;
}

/** lstat; undefined when there is nothing. */
export function statIn(folder: Folder, name: string): fs.BigIntStats | undefined {
	try {
		return fs.lstatSync(pathIn(folder, name), { bigint: true });
	} catch (error) {
		if (systemCode(error) === 'ENOENT' || systemCode(error) === 'ENOTDIR') {
			return undefined;
		}
		throw systemCode(error) === 'ENAMETOOLONG'
			? new EngineError('invalid', `${printable(name.slice(0, 100))}…: file name too long`)
			: error;
	}
}

/** The target of a symlink as it is written; undefined when there is no link. */
export function linkIn(folder: Folder, name: string): string | undefined {
	try {
		return fs.readlinkSync(pathIn(folder, name), { encoding: 'latin1' });
	} catch (error) {
		if (systemCode(error) === 'ENOENT' || systemCode(error) === 'EINVAL') {
			return undefined;
		}
		throw error;
	}
}

/** Names in a folder, in no order. */
export function namesIn(folder: Folder): string[] {
	return fs.readdirSync(pathIn(folder, ''), { encoding: 'latin1' });
}

/** Removes what has the name, a whole folder too. It stays within the tree whatever is swapped meanwhile. */
export function removeIn(tree: Tree, folder: Folder, name: string): void {
	const inner = tree.enter(folder, name);
	if (inner === undefined) {
		unlinkIn(folder, name);
		return;
	}
	try {
		for (const child of namesIn(inner)) {
			removeIn(tree, inner, child);
		}
	} finally {
		tree.release(inner, folder);
	}
	fs.rmdirSync(pathIn(folder, name));
}

function unlinkIn(folder: Folder, name: string): void {
	try {
		fs.unlinkSync(pathIn(folder, name));
	} catch (error) {
		if (systemCode(error) !== 'ENOENT') {
			throw error;
		}
	}
}

/** Text as the tree's names: its UTF-8 bytes, one character each. Throws "invalid" for NUL. */
export function bytesOf(text: string): string {
	if (text.includes('\0')) {
		throw new EngineError('invalid', 'Cannot use path: it contains NUL');
	}
	return Buffer.from(text).toString('latin1');
}

/** A name of the tree for people. */
export function printable(name: string): string {
	return Buffer.from(name, 'latin1').toString('utf8');
}

/** The names of a path, without "." and emptiness. */
export function partsOf(path: string): string[] {
	return path.split('/').filter((part) => part !== '' && part !== '.');
}

function ancestors(folder: Folder): Folder[] {
	const chain: Folder[] = [];
	for (let one: Folder | undefined = folder; one !== undefined; one = one.parent) {
		chain.push(one);
	}
	return chain;
}

/** `pending` are names that follow, the first of them last. */
function joined(folder: Folder, name: string, pending: readonly string[]): string {
	const parts = [...partsOf(folder.path), name];
	for (const next of [...pending].reverse()) {
		if (next === '..') {
			parts.pop();
		} else {
			parts.push(next);
		}
	}
	return `/${parts.join('/')}`;
}
