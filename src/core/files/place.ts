/** What `docker cp` looks at and takes: one path of a tree, described and packed. */
import { spawn } from 'node:child_process';
import * as fs from 'node:fs';
import type { BigIntStats } from 'node:fs';
import { EngineError, systemCode } from '../errors';
import { rfc3339 } from '../events';
import { toolEnvironment } from '../exec';
import type { ErrorCode } from '../errors';
import type { Place, Tree } from './tree';
import { bytesOf, linkIn, namesIn, notDirectory, pathIn, printable, removeIn, statIn } from './tree';

/** Docker's ContainerPathStat. */
export interface PathStat {
	/** Last part of the path that was asked for; "/" for the root. */
	readonly name: string;
	readonly size: number;
	/** In the bits of Go's os.FileMode. */
	readonly mode: number;
	readonly mtime: string;
	/** Where a symlink leads in the tree, all links followed; "" for anything else. */
	readonly linkTarget: string;
}

/** What a path is; throws "not-found" with docker's sentence, `owner` is "container web". */
export function statPath(tree: Tree, path: string, owner: string): PathStat {
	const place = find(tree, path, owner);
	return { ...describe(place.stat), name: baseOf(path), linkTarget: linkTargetOf(tree, path, place.stat) };
}

/** What is in a folder, sorted by name; throws "invalid" when it is none. A symlink's target is given as it is written. */
export function listFolder(tree: Tree, path: string, owner: string): PathStat[] {
	const place = find(tree, `${path}/.`, owner);
	const entries: PathStat[] = [];
	for (const name of namesIn(place.folder).sort()) {
		const stat = statIn(place.folder, name);
		if (stat !== undefined) {
			const linkTarget = stat.isSymbolicLink() ? printable(linkIn(place.folder, name) ?? '') : '';
			entries.push({ ...describe(stat), name: printable(name), linkTarget });
		}
	}
	return entries;
}

/** A regular file of at most `limit` bytes, links followed; undefined when there is none such. */
export function readSmallFile(tree: Tree, path: string, limit = 1024 * 1024): string | undefined {
	const { folder, name, stat } = tree.resolve(bytesOf(path), { followsLast: true });
	if (stat?.isFile() !== true) {
		return undefined;
	}
	const flags = fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW | fs.constants.O_NONBLOCK;
	const descriptor = fs.openSync(pathIn(folder, name), flags);
	try {
		const { size } = fs.fstatSync(descriptor);
		return fs.fstatSync(descriptor).isFile() && size <= limit ? fs.readFileSync(descriptor, 'utf8') : undefined;
	} finally {
		fs.closeSync(descriptor);
	}
}

/** Removes a file or a whole folder; a symlink itself and not what it leads to. The root is refused. */
export function removePath(tree: Tree, path: string, owner: string): void {
	const { folder, name } = entryAt(tree, path, owner);
	changing(path, owner, () => {
		removeIn(tree, folder, name);
	});
}

/** Renames within the tree; what has the new name is replaced as rename(2) does. */
export function renamePath(tree: Tree, path: string, target: string, owner: string): void {
	const from = entryAt(tree, path, owner);
	const parent = tree.resolve(bytesOf(`${dirOf(target)}/.`), { followsLast: true });
	const name = bytesOf(baseOf(target));
	if (parent.stat === undefined || parent.name !== '' || ['', '.', '..', '/'].includes(name)) {
		throw new EngineError('not-found', `Could not find the file ${dirOf(target) || '/'} in ${owner}`);
	}
	changing(path, owner, () => {
		fs.renameSync(pathIn(from.folder, from.name), pathIn(parent.folder, name));
	});
}

const REFUSALS: Readonly<Record<string, readonly [ErrorCode, string]>> = {
	EROFS: ['denied', 'it is read-only'],
	EBUSY: ['conflict', 'something is mounted there'],
	EXDEV: ['conflict', 'the old and the new name lie on different mounts'],
	EEXIST: ['conflict', 'the folder of the new name is not empty'],
	ENOTEMPTY: ['conflict', 'the folder is not empty'],
	EISDIR: ['conflict', 'the new name is a folder'],
	ENOTDIR: ['conflict', 'the new name is not a folder'],
	EINVAL: ['invalid', 'a folder cannot go into itself'],
	ENOSPC: ['no-space', 'the disk is full'],
	EDQUOT: ['no-space', 'the disk is full'],
};

/** What the kernel refuses, in words about the caller's path. */
function changing(path: string, owner: string, change: () => void): void {
	try {
		change();
	} catch (error) {
		const [code, reason] = REFUSALS[systemCode(error) ?? ''] ?? [];
		throw code === undefined || reason === undefined
			? error
			: new EngineError(code, `Cannot change "${path}" of ${owner}: ${reason}`, { cause: error });
	}
}

/**
 * A tar stream of what a path names, as `docker cp` expects it: the first name is the last part of the path, "." for a
 * path that ends so. Reading it fails when tar does; a file that changes meanwhile is no failure.
 */
export function packPath(tree: Tree, path: string, owner: string, signal: AbortSignal): AsyncGenerator<Buffer> {
	const { folder, name } = find(tree, path, owner);
	// A folder's own name is left to the transformation: it may have been reached by a link of another name.
	if (name !== '') {
		return tarOutput(folder.descriptor, { rename: [], file: printable(name), without: [], signal });
	}
	const rename = [`--transform=${renaming(baseOf(path))}`];
	const without = folder.parent === undefined ? KERNEL_FILES : [];
	return tarOutput(folder.descriptor, { rename, file: '.', without, signal });
}

/** A tar stream of a whole root file system, as `docker export` gives it; holes of files stay holes. */
export function packRoot(tree: Tree, signal: AbortSignal): AsyncGenerator<Buffer> {
	const rename = ['--sparse', '--transform=s,^\\./\\(.\\),\\1,rhS'];
	return tarOutput(tree.root.descriptor, { rename, file: '.', without: [], signal });
}

/** Of a running container these are no files of anybody, have no end, or cannot be read. */
const KERNEL_FILES = ['--anchored', '--exclude=./proc/*', '--exclude=./sys/*'];

/** Names and times as PAX records, nothing that differs from one reading to the next. */
const FORMAT = [
	'--format=posix',
	'--pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime',
	...['--numeric-owner', '--xattrs', '--xattrs-include=user.*', '--xattrs-include=security.capability'],
];

/** "." and "./x" become "NAME" and "NAME/x", in names and in hard links; symlinks stay as they are. */
function renaming(name: string): string {
	const replacement = name.replace(/[\\&,\n]/g, (special) => (special === '\n' ? '\\n' : `\\${special}`));
	return name === '/' ? 's,^\\./\\?,/,rhS' : `s,^\\.,${replacement},rhS`;
}

interface TarOptions {
	readonly rename: readonly string[];
	readonly file: string;
	readonly without: readonly string[];
	readonly signal: AbortSignal;
}

/**
 * GNU tar runs outside of the tree, in a folder that is handed to it open, and takes one name there: it opens whatever is
 * below name by name without following links.
 */
async function* tarOutput(descriptor: number, { rename, file, without, signal }: TarOptions): AsyncGenerator<Buffer> {
	const place = ['-C', '/proc/self/fd/3', '--absolute-names', ...rename, ...without];
	const child = spawn('tar', [...FORMAT, ...place, '-cf', '-', '--', file], {
		stdio: ['ignore', 'pipe', 'pipe', descriptor],
		env: toolEnvironment(),
		signal,
	});
	let complaint = '';
	child.stderr?.setEncoding('utf8').on('data', (text: string) => {
		complaint = (complaint + text).slice(0, 4096);
	});
	const end = new Promise<number | null>((resolve, reject) => {
		child.once('error', reject).once('close', resolve);
	});
	// Whoever reads may stop before the end is waited for.
	end.catch(() => undefined);
	try {
		yield* child.stdout as unknown as AsyncIterable<Buffer>;
		const code = await end;
		// 1: a file changed while it was read.
		if (code !== 0 && code !== 1) {
			throw new EngineError('internal', `Cannot pack "${file}": ${complaint.trim() || 'tar was stopped'}`);
		}
	} finally {
		child.kill('SIGKILL');
	}
}

/** As docker, a link at the end is followed only when the path says that it is a folder, by "/" or "/." behind it. */
function find(tree: Tree, path: string, owner: string): Place & { readonly stat: BigIntStats } {
	const isFolder = /(?:^|\/)\.?$/.test(path);
	const place = tree.resolve(bytesOf(path), { followsLast: isFolder });
	const { stat } = place;
	if (stat === undefined) {
		throw new EngineError('not-found', `Could not find the file ${path} in ${owner}`);
	}
	if (isFolder && !stat.isDirectory()) {
		throw notDirectory(bytesOf(path));
	}
	return { ...place, stat };
}

/** The folder and the name of something that has a name: not the root. */
function entryAt(tree: Tree, path: string, owner: string): Pick<Place, 'folder' | 'name'> {
	const { folder, name } = find(tree, path.replace(/(?<=.)\/+\.?$/, ''), owner);
	if (name !== '') {
		return { folder, name };
	}
	if (folder.parent === undefined) {
		throw new EngineError('invalid', `Cannot change "/" of ${owner}`);
	}
	return { folder: folder.parent, name: folder.path.slice(folder.path.lastIndexOf('/') + 1) };
}

function linkTargetOf(tree: Tree, path: string, stat: BigIntStats): string {
	return stat.isSymbolicLink() ? printable(tree.resolve(bytesOf(path), { followsLast: true }).path) : '';
}

function describe(stat: BigIntStats): Pick<PathStat, 'size' | 'mode' | 'mtime'> {
	return { size: Number(stat.size), mode: goMode(Number(stat.mode)), mtime: goTime(stat.mtimeNs) };
}

/** RFC 3339 as Go writes it: without trailing zeros. Times that it cannot write are 1970. */
function goTime(nanoseconds: bigint): string {
	const isInRange = nanoseconds >= 0n && nanoseconds < 253_402_300_800_000_000_000n;
	return rfc3339(isInRange ? nanoseconds : 0n).replace(/\.?0*Z$/, 'Z');
}

/** stat's type and set-id bits → Go's os.FileMode. */
const GO_TYPES: Readonly<Record<number, number>> = {
	0o040000: 2 ** 31,
	0o120000: 2 ** 27,
	0o060000: 2 ** 26,
	0o020000: 2 ** 26 + 2 ** 21,
	0o010000: 2 ** 25,
	0o140000: 2 ** 24,
};
const GO_SPECIAL: readonly (readonly [bit: number, go: number])[] = [
	[0o4000, 2 ** 23],
	[0o2000, 2 ** 22],
	[0o1000, 2 ** 20],
];

/** Go's os.FileMode for the mode of stat(2). */
export function goMode(mode: number): number {
	const special = GO_SPECIAL.reduce((sum, [bit, go]) => sum + ((mode & bit) === 0 ? 0 : go), 0);
	return (GO_TYPES[mode & 0o170000] ?? 0) + special + (mode & 0o777);
}

/** Go's filepath.Base. */
function baseOf(path: string): string {
	const trimmed = path.replace(/\/+$/, '');
	return trimmed === '' ? (path === '' ? '.' : '/') : trimmed.slice(trimmed.lastIndexOf('/') + 1);
}

function dirOf(path: string): string {
	const trimmed = path.replace(/\/+$/, '');
	return trimmed.slice(0, Math.max(trimmed.lastIndexOf('/'), 0));
}
