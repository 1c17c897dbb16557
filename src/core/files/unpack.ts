/**
 * Unpacks a tar stream into a folder of a tree in which others may write meanwhile (see tree.ts), with docker's rules for
 * what is there already: folders are merged, anything else is replaced.
 */
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import { EngineError, systemCode } from '../errors';
import { toolEnvironment } from '../exec';
import { inflate } from '../image/inflate';
import { TarReader } from '../image/tar';
import type { TarEntry, TarSink } from '../image/tar';
import { TarFile, writeBody, type OpenBody } from '../image/tar-file';
import type { Folder, Tree } from './tree';
import { pathIn, printable, removeIn, statIn } from './tree';

export interface UnpackOptions {
	/** For messages: the folder as the caller named it. */
	readonly destination: string;
	/** Refuse to put a folder in the place of something else, and the reverse. */
	readonly keepsKind: boolean;
	/** Owner of all that is unpacked; by default what the archive says. */
	readonly owner?: { readonly uid: number; readonly gid: number } | undefined;
	/** A path for a temporary archive, on a disk with room. */
	readonly sideArchive: string;
	/** Give other work a turn now and then: set where this runs in a thread that also serves requests. */
	readonly isSharedThread: boolean;
	readonly signal: AbortSignal;
}

const MAX_ENTRIES = 5_000_000;
const MAX_FOLDERS = 500_000;
const TURN_BYTES = 512 * 1024;
const TURN_ENTRIES = 64;
const CREATE = fs.constants.O_CREAT | fs.constants.O_EXCL | fs.constants.O_WRONLY | fs.constants.O_NOFOLLOW;
/** Attributes that steer overlayfs, and labels of another machine's security module, are not an archive's to set. */
const FOREIGN_XATTR = /^(?:trusted\.|user\.overlay\.|security\.selinux$|system\.nfs4_acl$)/;

/**
 * Unpacks an archive, plain or compressed. Throws EngineError "corrupt", "conflict", "no-space" or "denied" (a read-only
 * place) with the bare reason; what was unpacked until then stays, as in docker.
 */
export async function unpackInto(
	tree: Tree,
	folder: Folder,
	archive: AsyncIterable<Buffer>,
	options: UnpackOptions,
): Promise<void> {
	const writer = new TreeWriter(tree, folder, options);
	try {
		const reader = new TarReader(writer, MAX_ENTRIES);
		let bytes = 0;
		for await (const chunk of inflate(archive)) {
			// In pieces, so that an archive of many small files does not hold a shared thread for long.
			for (let position = 0; position < chunk.length; position += TURN_BYTES) {
				reader.write(chunk.subarray(position, position + TURN_BYTES));
				bytes += TURN_BYTES;
				if (options.isSharedThread && (writer.entries >= TURN_ENTRIES || bytes >= TURN_BYTES)) {
					writer.entries = bytes = 0;
					await new Promise(setImmediate);
				}
				options.signal.throwIfAborted();
			}
		}
		reader.finish();
		writer.finish();
	} catch (error) {
		throw failureOf(error, options.destination);
	} finally {
		writer.close();
	}
}

interface FolderTime {
	/** Below the destination. */
	readonly path: string;
	readonly time: number;
}

class TreeWriter implements TarSink {
	/** Since the caller has set it to 0. */
	entries = 0;
	private readonly folderTimes: FolderTime[] = [];
	private file: OpenBody | undefined;
	private side: SideArchive | undefined;
	private isBodyForSide = false;
	private parentPath = '';
	private parent: Folder;

	constructor(
		private readonly tree: Tree,
		private readonly folder: Folder,
		private readonly options: UnpackOptions,
	) {
		this.parent = folder;
	}

	begin(written: TarEntry): void {
		this.entries++;
		const names = this.namesOf(written.name);
		const name = names.pop();
		if (name === undefined) {
			if (written.type !== 'directory') {
				throw corrupt(`"${printable(written.name)}" stands for the destination and is not a directory`);
			}
			return;
		}
		const entry = this.adjusted(written);
		this.enterParent(names.join('/'));
		const isMerged = this.makeRoom(name, entry);
		this.make(name, entry, isMerged);
		if (entry.type === 'directory') {
			this.noteTime([...names, name].join('/'), entry);
		}
	}

	data(buffer: Buffer, start: number, length: number): void {
		if (this.isBodyForSide) {
			this.side?.write(buffer, start, length);
		} else if (this.file) {
			writeBody(this.file, buffer, start, length);
		}
	}

	end(): void {
		if (this.isBodyForSide) {
			this.isBodyForSide = false;
			this.side?.endBody();
		} else if (this.file) {
			const { descriptor, entry } = this.file;
			this.file = undefined;
			describeFile(descriptor, entry);
		}
	}

	/** Makes what waits, then sets the times of folders, which later entries have changed. */
	finish(): void {
		this.flush();
		for (const { path, time } of this.folderTimes.reverse()) {
			this.enterParent(path, { isToBeMade: false });
			if (this.parentPath === path) {
				fs.utimesSync(pathIn(this.parent, ''), time, time);
			}
		}
	}

	close(): void {
		if (this.file) {
			fs.closeSync(this.file.descriptor);
			this.file = undefined;
		}
		this.side?.remove();
		this.leaveParent();
	}

	/** The names of an entry's path below the destination. */
	private namesOf(path: string): string[] {
		const names: string[] = [];
		for (const part of path.split('/')) {
			if (part === '..') {
				if (names.pop() === undefined) {
					const { destination } = this.options;
					throw new EngineError('invalid', `"${printable(path)}" is outside of "${destination}"`);
				}
			} else if (part !== '' && part !== '.') {
				names.push(part);
			}
		}
		return names;
	}

	private adjusted(entry: TarEntry): TarEntry {
		const xattrs = new Map([...entry.xattrs].filter(([name]) => !FOREIGN_XATTR.test(name)));
		return { ...entry, xattrs, ...this.options.owner };
	}

	/** Goes to the folder that the next entries belong in; as in docker, missing ones are made and links are followed. */
	private enterParent(path: string, { isToBeMade } = { isToBeMade: true }): void {
		if (path === this.parentPath) {
			return;
		}
		this.flush();
		this.leaveParent();
		let folder = this.folder;
		try {
			for (const name of path === '' ? [] : path.split('/')) {
				const place = this.tree.resolve(name, { followsLast: true, from: folder });
				if (place.stat === undefined && isToBeMade && place.folder === folder) {
					fs.mkdirSync(pathIn(folder, name), { mode: 0o755 });
					fs.chmodSync(pathIn(folder, name), 0o755);
					const made = this.tree.enter(folder, name);
					if (made === undefined) {
						throw corrupt(`"${printable(name)}" was replaced meanwhile`);
					}
					folder = made;
				} else if (place.stat?.isDirectory() === true && place.name === '') {
					folder = place.folder;
				} else if (isToBeMade) {
					throw corrupt(`"${printable(path)}" is used as a directory and is not one`);
				} else {
					this.tree.release(folder, this.folder);
					return;
				}
			}
		} catch (error) {
			this.tree.release(folder, this.folder);
			throw error;
		}
		this.parent = folder;
		this.parentPath = path;
	}

	private leaveParent(): void {
		this.tree.release(this.parent, this.folder);
		this.parent = this.folder;
		this.parentPath = '';
	}

	/** Removes what has the name, unless both are folders: then true, and they are merged. */
	private makeRoom(name: string, entry: TarEntry): boolean {
		if (this.side?.has(name) === true) {
			this.flush();
		}
		const stat = statIn(this.parent, name);
		if (stat === undefined) {
			return false;
		}
		const isFolder = stat.isDirectory();
		const becomesFolder = entry.type === 'directory';
		if (isFolder && becomesFolder) {
			return true;
		}
		if (this.options.keepsKind && isFolder !== becomesFolder) {
			const [old, next] = isFolder ? ['directory', 'non-directory'] : ['non-directory', 'directory'];
			const path = printable(`${this.parent.path === '/' ? '' : this.parent.path}/${name}`);
			const reason = `cannot overwrite ${old} "${path}" with ${next} "${this.options.destination}"`;
			throw new EngineError('conflict', reason);
		}
		removeIn(this.tree, this.parent, name);
		return false;
	}

	private make(name: string, entry: TarEntry, isMerged: boolean): void {
		const path = pathIn(this.parent, name);
		switch (entry.type) {
			case 'directory':
				this.makeFolder(name, entry, isMerged);
				return;
			case 'symlink':
				fs.symlinkSync(Buffer.from(entry.linkName, 'latin1'), path);
				fs.lchownSync(path, entry.uid, entry.gid);
				fs.lutimesSync(path, timeOf(entry), timeOf(entry));
				return;
			case 'link':
				this.makeLink(path, entry);
				return;
			case 'file':
				if (entry.xattrs.size > 0) {
					this.addToSide(name, entry);
					this.isBodyForSide = true;
				} else {
					this.file = { descriptor: fs.openSync(path, CREATE, 0o600), entry, fragment: 0, written: 0 };
				}
				return;
			default:
				this.addToSide(name, entry);
		}
	}

	private makeFolder(name: string, entry: TarEntry, isMerged: boolean): void {
		if (!isMerged) {
			fs.mkdirSync(pathIn(this.parent, name), { mode: 0o700 });
		}
		const made = this.tree.enter(this.parent, name);
		if (made === undefined) {
			throw corrupt(`"${printable(entry.name)}" was replaced meanwhile`);
		}
		try {
			fs.chownSync(pathIn(made, ''), entry.uid, entry.gid);
			fs.chmodSync(pathIn(made, ''), entry.mode);
		} finally {
			this.tree.release(made, this.parent);
		}
		if (entry.xattrs.size > 0) {
			this.addToSide(name, entry);
		}
	}

	/** A hard link's target counts from the destination, as its name does. */
	private makeLink(path: string | Buffer, entry: TarEntry): void {
		this.flush();
		const names = this.namesOf(entry.linkName);
		const name = names.pop() ?? '';
		const place = this.tree.resolve(names.join('/'), { followsLast: true, from: this.folder });
		try {
			if (name === '' || place.name !== '' || place.stat === undefined) {
				throw corrupt(`the hard link "${printable(entry.name)}" points to nothing`);
			}
			fs.linkSync(pathIn(place.folder, name), path);
		} finally {
			this.tree.release(place.folder, this.folder);
		}
	}

	private noteTime(path: string, entry: TarEntry): void {
		if (this.folderTimes.length >= MAX_FOLDERS) {
			throw corrupt(`it has more than ${MAX_FOLDERS} directories`);
		}
		this.folderTimes.push({ path, time: timeOf(entry) });
	}

	private addToSide(name: string, entry: TarEntry): void {
		this.side ??= new SideArchive(this.options.sideArchive);
		this.side.add({ ...entry, name });
	}

	private flush(): void {
		this.side?.unpack(this.parent);
	}
}

/** What Node cannot make itself, of one folder: GNU tar makes it there from a small archive of plain names. */
class SideArchive extends TarFile {
	private readonly names = new Set<string>();

	has(name: string): boolean {
		return this.names.has(name);
	}

	override add(entry: TarEntry): void {
		super.add(entry);
		this.names.add(entry.name);
	}

	unpack(folder: Folder): void {
		if (!this.finish()) {
			return;
		}
		this.names.clear();
		const args = [
			...['--extract', `--file=${this.path}`, '--force-local', '--absolute-names', '-C', '/proc/self/fd/3'],
			...['--xattrs', '--xattrs-include=*', '--numeric-owner', '--same-owner', '--preserve-permissions'],
		];
		const { error, status, stderr } = spawnSync('tar', args, {
			stdio: ['ignore', 'ignore', 'pipe', folder.descriptor],
			env: toolEnvironment(),
			encoding: 'utf8',
		});
		fs.rmSync(this.path);
		if (error) {
			throw systemCode(error) === 'ENOENT' ? new EngineError('unsupported', 'GNU tar is not installed') : error;
		}
		if (status !== 0) {
			throw new EngineError('internal', `tar refuses an entry: ${stderr.trim()}`);
		}
	}
}

function describeFile(descriptor: number, entry: TarEntry): void {
	try {
		if (entry.sparse) {
			fs.ftruncateSync(descriptor, entry.sparse.size);
		}
		fs.fchownSync(descriptor, entry.uid, entry.gid);
		// Last: chown clears the set-id bits.
		fs.fchmodSync(descriptor, entry.mode);
		fs.futimesSync(descriptor, timeOf(entry), timeOf(entry));
	} finally {
		fs.closeSync(descriptor);
	}
}

/** Seconds as Node takes them; times before 1970 and after 2262 become 1970, as in docker. */
function timeOf({ mtime, mtimeNanoseconds }: TarEntry): number {
	return mtime >= 0 && mtime < 2 ** 63 / 1e9 ? mtime + mtimeNanoseconds / 1e9 : 0;
}

function corrupt(reason: string): EngineError {
	return new EngineError('corrupt', reason);
}

function failureOf(error: unknown, destination: string): unknown {
	switch (systemCode(error)) {
		case 'ENOSPC':
		case 'EDQUOT':
			return new EngineError('no-space', `the disk is full at "${destination}"`, { cause: error });
		case 'EROFS':
			return new EngineError('denied', `"${destination}" is read-only`, { cause: error });
		default:
			return error;
	}
}
