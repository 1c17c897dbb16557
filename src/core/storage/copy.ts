/**
 * A root file system as a copy of the image, for machines and disks that have no overlay: slower to start and larger,
 * and with no demands. Blocks are shared where the disk can (reflinks); hard links would let a container write in layers.
 */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { EngineError, systemCode } from '../errors';
import { run, toolEnvironment } from '../exec';
import { namesIn, pathIn, statIn, Tree } from '../files/tree';
import type { Folder } from '../files/tree';
import { opaqueFolders } from '../image/opaque';
import { encodeEntry, endOfArchive } from '../image/tar';
import type { LookupLayer, RootFolders, RootMount, StorageDriver } from './driver';
import { isOnOverlay, isWhiteout, whiteoutEntry } from './whiteout';

const TURN = 500;

/**
 * The copy is `<container>/copy/tree`, and `copy/list` says what was in it at first: so the changes can be told without
 * the image. The folder gets its name when it is whole.
 */
export class CopyDriver implements StorageDriver {
	readonly name = 'copy';
	/** Temporary folders at work; others with such a name are left over from an engine that was killed. */
	private readonly busy = new Set<string>();

	async prepare(folders: RootFolders, lowers: readonly string[]): Promise<void> {
		if (fs.existsSync(copyOf(folders))) {
			return;
		}
		await this.withTemporary(folders, async (temporary) => {
			const tree = path.join(temporary, 'tree');
			fs.mkdirSync(tree);
			fs.chmodSync(tree, 0o755);
			for (const [index, layer] of [...lowers].reverse().entries()) {
				await addLayer(layer, tree, index === 0);
			}
			await writeList(tree, path.join(temporary, 'list'));
			await check('sync', ['--file-system', temporary]);
			fs.renameSync(temporary, copyOf(folders));
		});
	}

	mount(folders: RootFolders): RootMount {
		return { kind: 'bind', cwd: '/', options: treeOf(folders) };
	}

	lookup(folders: RootFolders, lowers: readonly LookupLayer[]): readonly LookupLayer[] {
		return fs.existsSync(copyOf(folders)) ? [{ directory: treeOf(folders), opaque: new Set() }] : lowers;
	}

	/** The upper directory is made for the occasion, of hard links to what has changed. */
	async withUpper<T>(folders: RootFolders, signal: AbortSignal, work: (upper: string) => Promise<T>): Promise<T> {
		return this.withTemporary(folders, async (temporary) => {
			const upper = path.join(temporary, 'upper');
			fs.mkdirSync(upper);
			fs.chmodSync(upper, 0o755);
			if (fs.existsSync(copyOf(folders))) {
				await gatherChanges(folders, upper, signal);
			}
			return work(upper);
		});
	}

	private async withTemporary<T>(folders: RootFolders, work: (temporary: string) => Promise<T>): Promise<T> {
		const temporary = path.join(folders.path, `.copy-${randomBytes(6).toString('hex')}`);
		const leftOver = fs
			.readdirSync(folders.path)
			.filter((name) => name.startsWith('.copy-'))
			.map((name) => path.join(folders.path, name))
			.filter((file) => !this.busy.has(file));
		this.busy.add(temporary);
		try {
			await removeAll(leftOver);
			fs.mkdirSync(temporary, { mode: 0o700 });
			return await work(temporary);
		} finally {
			await removeAll([temporary]);
			this.busy.delete(temporary);
		}
	}
}

function copyOf(folders: RootFolders): string {
	return path.join(folders.path, 'copy');
}

function treeOf(folders: RootFolders): string {
	return path.join(copyOf(folders), 'tree');
}

/** Puts a layer over what is in the tree, as overlayfs would show it. Both are ours alone. */
async function addLayer(layer: string, tree: string, isLowest: boolean): Promise<void> {
	const opaque = await opaqueFolders(layer, new AbortController().signal);
	const marks = new Marks(layer, tree, opaque);
	await marks.find();
	if (!isLowest && marks.hidden.length > 0) {
		await check('xargs', ['-0', 'rm', '-rf', '--'], { cwd: tree, input: nulSeparated(marks.hidden) });
	}
	// cp(1) shares blocks, and copies overlayfs's marks; tar can leave those out.
	await (marks.hasWhiteouts || opaque.size > 0
		? copyWithoutMarks(marks.kept, layer, tree)
		: check('cp', ['-a', '--reflink=auto', '--remove-destination', '-T', '--', layer, tree]));
}

/** Finds what a layer hides of those below. Names are one character a byte. */
class Marks {
	/** What of the layer is no whiteout, as "./a/b", folders before what is in them. */
	readonly kept: string[] = ['.'];
	/** What of the tree must go first. */
	readonly hidden: string[] = [];
	hasWhiteouts = false;
	private seen = 0;

	constructor(
		private readonly layer: string,
		private readonly tree: string,
		private readonly opaque: ReadonlySet<string>,
	) {}

	find(): Promise<void> {
		return this.folder('');
	}

	/** `folder` is "" or "/a/b". */
	private async folder(folder: string): Promise<void> {
		if (this.opaque.has(folder === '' ? '/' : folder) && lstat(this.tree, folder)?.isDirectory() === true) {
			this.hidden.push(...names(this.tree, folder).map((name) => `.${folder}/${name}`));
		}
		for (const name of names(this.layer, folder)) {
			if (++this.seen % TURN === 0) {
				await new Promise(setImmediate);
			}
			await this.entry(`${folder}/${name}`);
		}
	}

	private async entry(file: string): Promise<void> {
		const stat = lstat(this.layer, file);
		const below = lstat(this.tree, file);
		if (stat !== undefined && isWhiteout(stat)) {
			this.hasWhiteouts = true;
			this.hidden.push(`.${file}`);
			return;
		}
		this.kept.push(`.${file}`);
		if (stat?.isDirectory() === true) {
			if (below?.isDirectory() === false) {
				this.hidden.push(`.${file}`);
			}
			await this.folder(file);
		} else if (below?.isDirectory() === true) {
			this.hidden.push(`.${file}`);
		}
	}
}

async function copyWithoutMarks(kept: readonly string[], layer: string, tree: string): Promise<void> {
	const list = `${tree}.kept`;
	fs.writeFileSync(list, nulSeparated(kept), { mode: 0o600 });
	const attributes = [
		'--xattrs',
		'--xattrs-include=*',
		'--xattrs-exclude=*.overlay.*',
		'--xattrs-exclude=user.fuseoverlayfs.*',
	];
	const options = { env: toolEnvironment() };
	const from = ['--null', '--no-recursion', '--verbatim-files-from', `--files-from=${list}`];
	const pack = spawn(
		'tar',
		['-C', layer, '--format=posix', '--numeric-owner', '--sparse', ...attributes, ...from, '-cf', '-'],
		{ ...options, stdio: ['ignore', 'pipe', 'inherit'] },
	);
	const unpack = spawn('tar', ['-C', tree, '--numeric-owner', '-p', ...attributes, '-xf', '-'], {
		...options,
		stdio: [pack.stdout, 'ignore', 'pipe'],
	});
	let complaint = '';
	unpack.stderr.setEncoding('utf8').on('data', (text: string) => {
		complaint = (complaint + text).slice(0, 4096);
	});
	const codes = await Promise.all(
		[pack, unpack].map(
			(child) =>
				new Promise<number | null>((resolve, reject) => child.once('error', reject).once('exit', resolve)),
		),
	);
	if (codes.some((code) => code !== 0)) {
		throw new EngineError('internal', `Cannot copy layer "${layer}": ${complaint.trim()}`);
	}
	fs.rmSync(list);
}

/** What a path was when the copy was made. */
interface Known {
	readonly ino: string;
	/** Nanoseconds. */
	readonly ctime: string;
	readonly mode: number;
	readonly uid: number;
	readonly gid: number;
	readonly size: number;
	readonly mtime: string;
	/** Names of the file; a change of their number changes ctime too. */
	readonly links: number;
}

function knownOf(stat: fs.BigIntStats): Known {
	return {
		...{ ino: String(stat.ino), ctime: String(stat.ctimeNs), mode: Number(stat.mode), uid: Number(stat.uid) },
		...{ gid: Number(stat.gid), size: Number(stat.size), mtime: String(stat.mtimeNs), links: Number(stat.nlink) },
	};
}

/** One JSON line a path: [path, Known]. */
async function writeList(tree: string, file: string): Promise<void> {
	const lines: string[] = [];
	const walked = new Tree(tree);
	try {
		await walk(walked, walked.root, undefined, (folder, name, stat) => {
			lines.push(JSON.stringify([placeOf(folder, name), knownOf(stat)]));
		});
	} finally {
		walked.close();
	}
	fs.writeFileSync(file, lines.join('\n'), { mode: 0o600 });
}

function readList(file: string): Map<string, Known> {
	const text = fs.readFileSync(file, 'utf8');
	return new Map(text === '' ? [] : text.split('\n').map((line) => JSON.parse(line) as [string, Known]));
}

function placeOf(folder: Folder, name: string): string {
	return `${folder.path === '/' ? '' : folder.path}/${name}`;
}

type Visit = (folder: Folder, name: string, stat: fs.BigIntStats) => void;

async function walk(tree: Tree, folder: Folder, signal: AbortSignal | undefined, visit: Visit): Promise<void> {
	let seen = 0;
	for (const name of namesIn(folder)) {
		if (++seen % TURN === 0) {
			await new Promise(setImmediate);
			signal?.throwIfAborted();
		}
		const stat = statIn(folder, name);
		if (stat === undefined) {
			continue; // gone meanwhile
		}
		visit(folder, name, stat);
		const inner = stat.isDirectory() ? tree.enter(folder, name) : undefined;
		if (inner !== undefined) {
			try {
				await walk(tree, inner, signal, visit);
			} finally {
				tree.release(inner, folder);
			}
		}
	}
}

/** Makes an overlay's upper directory of what a container, which may go on, has changed. */
async function gatherChanges(folders: RootFolders, upper: string, signal: AbortSignal): Promise<void> {
	const known = readList(path.join(copyOf(folders), 'list'));
	const tree = new Tree(treeOf(folders));
	try {
		const changes = new Changes(upper, known, tree);
		await walk(tree, tree.root, signal, (folder, name, stat) => {
			changes.add(folder, name, stat);
		});
		await changes.finish();
	} finally {
		tree.close();
	}
}

/** All that is written lies in the new directory, whose folders are real ones: no link of a container is followed. */
class Changes {
	private readonly seen = new Set<string>();
	private readonly folders = new Set<string>(['/']);
	/** Folders that were made, with their times. */
	private readonly made = new Map<string, fs.BigIntStats>();

	constructor(
		private readonly upper: string,
		private readonly known: ReadonlyMap<string, Known>,
		private readonly tree: Tree,
	) {}

	add(folder: Folder, name: string, stat: fs.BigIntStats): void {
		const place = placeOf(folder, name);
		const known = this.known.get(place);
		this.seen.add(place);
		if (stat.isDirectory()) {
			this.folders.add(place);
			if (known === undefined || !isLike(known, stat)) {
				this.makeFolder(place, stat);
			}
		} else if (known === undefined || !isSame(known, stat)) {
			this.makeParents(folder);
			this.link(folder, name, place);
		}
	}

	async finish(): Promise<void> {
		const gone = [...this.known.keys()].filter((place) => {
			const parent = path.posix.dirname(place);
			return !this.seen.has(place) && this.folders.has(parent);
		});
		for (const place of gone) {
			this.makeKnownParents(path.posix.dirname(place));
		}
		if (gone.length > 0) {
			const isForOverlay = isOnOverlay(this.upper);
			const entries = gone.map((place) => encodeEntry(whiteoutEntry(`.${place}`, isForOverlay)));
			await check('tar', ['-C', this.upper, '-xpf', '-'], { input: Buffer.concat([...entries, endOfArchive()]) });
		}
		for (const [place, stat] of [...this.made].reverse()) {
			fs.utimesSync(this.at(place), Number(stat.atimeNs) / 1e9, Number(stat.mtimeNs) / 1e9);
		}
	}

	private link(folder: Folder, name: string, place: string): void {
		try {
			fs.linkSync(pathIn(folder, name), this.at(place));
		} catch (error) {
			// Gone meanwhile, or its folder is and another has its name.
			if (systemCode(error) !== 'ENOENT') {
				throw error;
			}
		}
	}

	private makeParents(folder: Folder): void {
		if (folder.parent !== undefined && !this.made.has(folder.path)) {
			this.makeParents(folder.parent);
			this.makeFolder(folder.path, fs.fstatSync(folder.descriptor, { bigint: true }));
		}
	}

	private makeKnownParents(place: string): void {
		const at = this.tree.resolve(place, { followsLast: false });
		try {
			this.makeParents(at.folder);
		} finally {
			this.tree.release(at.folder, this.tree.root);
		}
	}

	private makeFolder(place: string, stat: fs.BigIntStats): void {
		if (this.made.has(place)) {
			return;
		}
		fs.mkdirSync(this.at(path.posix.dirname(place)), { recursive: true });
		fs.mkdirSync(this.at(place), { recursive: true });
		fs.chownSync(this.at(place), Number(stat.uid), Number(stat.gid));
		fs.chmodSync(this.at(place), Number(stat.mode) & 0o7777);
		this.made.set(place, stat);
	}

	private at(place: string): Buffer {
		return Buffer.concat([Buffer.from(this.upper), Buffer.from(place, 'latin1')]);
	}
}

function isLike(known: Known, stat: fs.BigIntStats): boolean {
	return known.mode === Number(stat.mode) && known.uid === Number(stat.uid) && known.gid === Number(stat.gid);
}

function isSame(known: Known, stat: fs.BigIntStats): boolean {
	if (known.ino !== String(stat.ino)) {
		return false;
	}
	const isUntouched = known.ctime === String(stat.ctimeNs);
	// Another of its names may have gone, which is no change of this one.
	const hasOtherNames = known.links > 1 && known.links !== Number(stat.nlink);
	const isEqual = known.size === Number(stat.size) && known.mtime === String(stat.mtimeNs) && isLike(known, stat);
	return isUntouched || (hasOtherNames && isEqual);
}

function names(root: string, file: string): string[] {
	return fs.readdirSync(bytes(root, file), 'latin1');
}

function lstat(root: string, file: string): fs.Stats | undefined {
	try {
		return fs.lstatSync(bytes(root, file));
	} catch (error) {
		if (systemCode(error) === 'ENOENT' || systemCode(error) === 'ENOTDIR') {
			return undefined;
		}
		throw error;
	}
}

function bytes(root: string, file: string): Buffer {
	return Buffer.concat([Buffer.from(root), Buffer.from(file, 'latin1')]);
}

function nulSeparated(paths: readonly string[]): Buffer {
	return Buffer.from(paths.map((file) => `${file}\0`).join(''), 'latin1');
}

async function removeAll(files: readonly string[]): Promise<void> {
	if (files.length > 0) {
		await check('rm', ['-rf', '--', ...files]);
	}
}

async function check(program: string, args: readonly string[], options: Parameters<typeof run>[2] = {}): Promise<void> {
	const { code, stderr } = await run(program, args, options);
	if (code !== 0) {
		throw new EngineError('internal', `Cannot copy the image's files (${program}): ${stderr.trim()}`);
	}
}
