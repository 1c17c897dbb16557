/**
 * Unpacks one layer (image-spec, layer.md) into an empty directory that becomes an overlay lower directory.
 *
 * Path safety costs no system call: the directory starts empty and only this code writes in it, so the tree of folders
 * and symlinks kept in memory is the directory. Symlinks among the parents of a name are resolved in that tree, whose
 * root they cannot leave, and every call used here does not follow a link at the last component.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { EngineError, systemCode } from '../errors';
import { toolEnvironment } from '../exec';
import { isOnOverlay, OPAQUE_ON_OVERLAY, whiteoutEntry } from '../storage/whiteout';
import { ownerHere, userNamespace } from '../user-namespace';
import { ErofsWriter } from './erofs';
import {
	checkName,
	clampedTime,
	cleanPath,
	corrupt,
	IMPLIED,
	lostTarget,
	MAX_FOLDERS,
	MAX_PATH,
	NO_XATTRS,
	OPAQUE,
	OVERLAY_OPAQUE,
	foldersBelow,
	opaquePaths,
	printable,
	walkFolders,
	WHITEOUT,
	WHITEOUT_META,
	withKnownXattrs,
} from './layer-entry';
import type { AppliedLayer, Attributes, NodeKinds } from './layer-entry';
import { TarReader } from './tar';
import type { TarEntry, TarSink } from './tar';
import { TarFile, writeBody, type OpenBody } from './tar-file';

export type { AppliedLayer } from './layer-entry';

/** How an unpacked layer is kept: as a tree of files, or as an EROFS image of one. */
export type LayerFormat = 'files' | 'erofs';

export interface LayerOptions {
	/** An empty directory that nobody else writes in. */
	readonly directory: string;
	readonly format: LayerFormat;
	/** A path for a temporary archive, outside of `directory` and on a disk with room. */
	readonly sideArchive: string;
	/** Bytes of tar after which the layer is refused. */
	readonly maxBytes: number;
	/** Give other work a turn now and then: set where this runs in a thread that also serves requests. */
	readonly isSharedThread: boolean;
	readonly signal?: AbortSignal;
	/** Called with the bytes of tar so far; may throw. */
	readonly checkProgress?: (total: number) => void;
}

/** Entries in one layer; the largest known images have a third of this. */
const MAX_ENTRIES = 1_000_000;
const TURN_BYTES = 1024 * 1024;

/**
 * Reads a tar stream and makes its files. Throws EngineError "corrupt" or "unsupported" with the bare reason; the
 * directory is then half filled and the caller's to remove.
 */
export async function applyLayerStream(tar: AsyncIterable<Buffer>, options: LayerOptions): Promise<AppliedLayer> {
	const image = options.format === 'erofs' ? newImage(options.directory) : undefined;
	const writer = image ?? new LayerWriter(options.directory, options.sideArchive);
	try {
		const reader = new TarReader(writer, MAX_ENTRIES);
		const hash = createHash('sha256');
		let total = 0;
		let turn = 0;
		for await (const chunk of tar) {
			total += chunk.length;
			if (total > options.maxBytes) {
				throw new EngineError('corrupt', `it unpacks to more than ${options.maxBytes} bytes`);
			}
			options.checkProgress?.(total);
			hash.update(chunk);
			image?.take(chunk);
			reader.write(chunk);
			if (options.isSharedThread && total - turn > TURN_BYTES) {
				turn = total;
				await new Promise(setImmediate);
			}
			options.signal?.throwIfAborted();
		}
		reader.finish();
		return { diffId: `sha256:${hash.digest('hex')}`, ...writer.finish() };
	} finally {
		writer.close();
	}
}

const MAX_FLUSHES = 100;
const CREATE = fs.constants.O_CREAT | fs.constants.O_EXCL | fs.constants.O_WRONLY | fs.constants.O_NOFOLLOW;

interface Folder {
	readonly kind: 'folder';
	/** From the root of the layer, "" for the root itself, else with a slash at its end. */
	readonly path: string;
	readonly parent: Folder | undefined;
	/** Folders, symlinks and special entries; regular files are on disk only. */
	readonly children: Map<string, Node>;
	readonly whiteouts: Set<string>;
	isOpaque: boolean;
	attributes: Attributes;
}

interface Symlink {
	readonly kind: 'symlink';
	readonly target: string;
}

/** An entry that waits in the side archive. */
interface Special {
	readonly kind: 'special';
}

type Node = Folder | Symlink | Special;

const KINDS: NodeKinds<Folder, Node> = {
	isFolder: (node) => node.kind === 'folder',
	targetOf: (node) => (node.kind === 'symlink' ? node.target : undefined),
};

interface Place {
	readonly folder: Folder;
	readonly name: string;
}

/** In a layer's folder when it is an image: the image, and the folder that it is mounted on. */
export const IMAGE = 'image.erofs';
export const MOUNT_POINT = 'tree';

function newImage(directory: string): ErofsWriter {
	fs.mkdirSync(path.join(directory, MOUNT_POINT), { mode: 0o755 });
	return new ErofsWriter(path.join(directory, IMAGE));
}

class LayerWriter implements TarSink {
	/** The directory, by which the kernel is quickest; one character a byte, as names are. */
	private readonly base: string;
	/** The same as an open directory, for what would be too long behind the store's path. */
	private readonly openBase: string;
	private readonly rootDescriptor: number;
	private readonly root: Folder = newFolder('', undefined, IMPLIED);
	private readonly side: SideArchive;
	private readonly warnings = new Set<string>();
	private readonly uid = IMPLIED.uid;
	private readonly gid = IMPLIED.gid;
	private readonly umask = currentUmask();
	private readonly isOnOverlay: boolean;
	private lastFolderPath = '';
	private lastFolder = this.root;
	private file: OpenBody | undefined;
	private isBodyForSide = false;
	private size = 0;
	private folders = 0;

	constructor(directory: string, sideArchive: string) {
		this.rootDescriptor = fs.openSync(directory, fs.constants.O_RDONLY | fs.constants.O_DIRECTORY);
		this.base = Buffer.from(`${directory}/`).toString('latin1');
		this.openBase = `/proc/self/fd/${this.rootDescriptor}/`;
		this.isOnOverlay = isOnOverlay(directory);
		this.side = new SideArchive(sideArchive, directory, (warning) => this.warnings.add(warning));
	}

	begin(written: TarEntry): void {
		const path = cleanPath(written.name);
		if (path === '') {
			this.describeRoot(written);
			return;
		}
		if (path.startsWith(WHITEOUT_META) && path !== OPAQUE) {
			return; // AUFS's own files, which no other driver knows
		}
		const entry = ownedHere(withKnownXattrs(written));
		const place = this.placeOf(path);
		if (place.name.startsWith(WHITEOUT)) {
			this.whiteOut(place);
			return;
		}
		this.make(place, entry);
	}

	data(buffer: Buffer, start: number, length: number): void {
		if (this.isBodyForSide) {
			this.side.write(buffer, start, length);
		} else if (this.file) {
			writeBody(this.file, buffer, start, length);
		}
	}

	end(): void {
		if (this.isBodyForSide) {
			this.isBodyForSide = false;
			this.side.endBody();
		} else if (this.file) {
			const { descriptor, entry } = this.file;
			this.file = undefined;
			this.describeFile(descriptor, entry);
		}
	}

	/** Makes whiteouts, devices and attributes, then sets the times of the folders. */
	finish(): Omit<AppliedLayer, 'diffId'> {
		const folders = foldersBelow(this.root, KINDS.isFolder);
		for (const folder of folders) {
			this.addWhiteouts(folder);
		}
		for (const folder of folders) {
			this.addFolderXattrs(folder);
		}
		this.side.flush();
		for (const folder of folders) {
			const time = timeOf(folder.attributes);
			fs.utimesSync(this.at(folder.path === '' ? '.' : folder.path), time, time);
		}
		const opaque = opaquePaths(folders, KINDS.isFolder);
		return { size: this.size, isOpaque: this.root.isOpaque, opaque, warnings: [...this.warnings] };
	}

	/** Releases descriptors; safe to call at any time. */
	close(): void {
		if (this.file) {
			fs.closeSync(this.file.descriptor);
			this.file = undefined;
		}
		this.side.remove();
		fs.closeSync(this.rootDescriptor);
	}

	private make(place: Place, entry: TarEntry): void {
		switch (entry.type) {
			case 'directory':
				this.makeFolder(place, entry);
				return;
			case 'symlink':
				this.makeSymlink(place, entry);
				return;
			case 'link':
				this.makeLink(place, entry);
				return;
			case 'file':
				this.makeFile(place, entry);
				return;
			case 'character':
			case 'block':
				this.makeDevice(place, entry);
				return;
			default:
				this.makeSpecial(place, entry);
		}
	}

	private makeFile(place: Place, entry: TarEntry): void {
		this.size += entry.sparse?.size ?? entry.size;
		if (entry.xattrs.size > 0) {
			this.makeSpecial(place, entry);
			this.isBodyForSide = true;
			return;
		}
		const path = this.at(pathOf(place));
		const descriptor = this.creating(place, () => fs.openSync(path, CREATE, entry.mode & 0o777));
		this.file = { descriptor, entry, fragment: 0, written: 0 };
	}

	private describeFile(descriptor: number, entry: TarEntry): void {
		try {
			if (entry.sparse) {
				fs.ftruncateSync(descriptor, entry.sparse.size);
			}
			const isChown = entry.uid !== this.uid || entry.gid !== this.gid;
			if (isChown) {
				fs.fchownSync(descriptor, entry.uid, entry.gid);
			}
			// Set-id bits go last: chown clears them.
			if ((entry.mode & (this.umask | 0o7000)) !== 0) {
				fs.fchmodSync(descriptor, entry.mode);
			}
			const time = timeOf(entry);
			fs.futimesSync(descriptor, time, time);
		} finally {
			fs.closeSync(descriptor);
		}
	}

	private makeFolder(place: Place, entry: TarEntry): void {
		const known = place.folder.children.get(place.name);
		const folder = known?.kind === 'folder' ? known : this.newFolderAt(place);
		this.describeFolder(folder, entry);
	}

	private newFolderAt(place: Place): Folder {
		this.folders++;
		if (this.folders > MAX_FOLDERS) {
			throw corrupt(`it has more than ${MAX_FOLDERS} directories`);
		}
		const path = this.at(pathOf(place));
		this.creating(place, () => {
			fs.mkdirSync(path, 0o700);
		});
		const folder = newFolder(`${pathOf(place)}/`, place.folder, IMPLIED);
		place.folder.children.set(place.name, folder);
		return folder;
	}

	private describeFolder(folder: Folder, attributes: Attributes): void {
		const { uid, gid, mode, mtime, mtimeNanoseconds, xattrs } = attributes;
		const path = this.at(folder.path === '' ? '.' : folder.path);
		if (uid !== folder.attributes.uid || gid !== folder.attributes.gid || uid !== this.uid || gid !== this.gid) {
			fs.chownSync(path, uid, gid);
		}
		fs.chmodSync(path, mode);
		folder.attributes = { uid, gid, mode, mtime, mtimeNanoseconds, xattrs };
	}

	private describeRoot(entry: TarEntry): void {
		if (entry.type !== 'directory') {
			throw corrupt(`"${entry.name}" stands for the root of the layer and is not a directory`);
		}
		this.describeFolder(this.root, ownedHere(withKnownXattrs(entry)));
	}

	private makeSymlink(place: Place, entry: TarEntry): void {
		if (entry.linkName === '') {
			throw corrupt(`the symlink "${printable(entry.name)}" has no target`);
		}
		if (entry.xattrs.size > 0) {
			this.makeSpecial(place, entry);
			return;
		}
		// Docker's size counts a link by the length of its target, as lstat gives it.
		this.size += entry.linkName.length;
		const path = this.at(pathOf(place));
		this.creating(place, () => {
			fs.symlinkSync(asPath(entry.linkName), path);
		});
		place.folder.children.set(place.name, { kind: 'symlink', target: entry.linkName });
		if (entry.uid !== this.uid || entry.gid !== this.gid) {
			fs.lchownSync(path, entry.uid, entry.gid);
		}
		const time = timeOf(entry);
		fs.lutimesSync(path, time, time);
	}

	private makeLink(place: Place, entry: TarEntry): void {
		const target = this.linkTarget(entry);
		const node = target.folder.children.get(target.name);
		if (node?.kind === 'folder') {
			throw corrupt(`the hard link "${printable(entry.name)}" points to a directory`);
		}
		if (node?.kind === 'special') {
			this.makeSpecial(place, { ...entry, linkName: pathOf(target), xattrs: NO_XATTRS });
			return;
		}
		this.creating(place, () => {
			try {
				fs.linkSync(this.at(pathOf(target)), this.at(pathOf(place)));
			} catch (error) {
				throw systemCode(error) === 'ENOENT' ? lostTarget(entry) : error;
			}
		});
		if (node) {
			place.folder.children.set(place.name, node);
		}
	}

	/** Where a hard link points; its folders must be there. */
	private linkTarget(entry: TarEntry): Place {
		const path = cleanPath(entry.linkName);
		const slash = path.lastIndexOf('/');
		const folder = slash < 0 ? this.root : walkFolders(this.root, path.slice(0, slash), KINDS, () => undefined);
		if (path === '' || !folder) {
			throw lostTarget(entry);
		}
		return { folder, name: path.slice(slash + 1) };
	}

	/** As docker, nothing where only root of the machine may make devices; every container has its own in /dev. */
	private makeDevice(place: Place, entry: TarEntry): void {
		if (userNamespace().isInitial) {
			this.makeSpecial(place, entry);
		} else {
			this.warnings.add(
				`the device "${printable(entry.name)}" is left out: only root of the machine may make it`,
			);
		}
	}

	/** Node cannot make devices, FIFOs and extended attributes: GNU tar makes them from a small archive of their own. */
	private makeSpecial(place: Place, entry: TarEntry): void {
		this.vacate(place);
		this.side.add({ ...entry, name: pathOf(place), ...clampedTime(entry) });
		place.folder.children.set(place.name, { kind: 'special' });
	}

	/** Runs `create`; when an earlier entry has the name, that is removed first, as docker does. */
	private creating<T>(place: Place, create: () => T): T {
		if (place.folder.children.has(place.name)) {
			this.vacate(place);
		}
		try {
			return create();
		} catch (error) {
			if (systemCode(error) !== 'EEXIST') {
				throw error;
			}
			this.vacate(place);
			return create();
		}
	}

	private vacate(place: Place): void {
		const node = place.folder.children.get(place.name);
		if (node?.kind === 'special' || node?.kind === 'folder') {
			// What waits in the side archive would come back over the entry that replaces it.
			this.side.flush();
		}
		removeTree(this.openBase, pathOf(place));
		place.folder.children.delete(place.name);
		this.lastFolderPath = '';
		this.lastFolder = this.root;
	}

	private whiteOut({ folder, name }: Place): void {
		if (name === OPAQUE) {
			folder.isOpaque = true;
			return;
		}
		const hidden = name.slice(WHITEOUT.length);
		if (name.startsWith(WHITEOUT_META)) {
			return;
		}
		if (hidden === '' || hidden === '.' || hidden === '..') {
			throw corrupt(`the whiteout "${name}" names nothing`);
		}
		folder.whiteouts.add(hidden);
	}

	/** A whiteout hides lower layers only, wherever it stands in the archive (image-spec, Whiteouts). */
	private addWhiteouts(folder: Folder): void {
		for (const name of folder.whiteouts) {
			const node = folder.children.get(name);
			if (node?.kind === 'folder') {
				node.isOpaque = true;
			} else if (node === undefined && !this.exists(folder.path + name)) {
				this.side.add(whiteoutEntry(folder.path + name, this.isOnOverlay));
			}
		}
	}

	private addFolderXattrs(folder: Folder): void {
		const isMarked = folder.isOpaque && folder !== this.root;
		if (!isMarked && folder.attributes.xattrs.size === 0) {
			return;
		}
		const xattrs = new Map(folder.attributes.xattrs);
		if (isMarked) {
			xattrs.set(this.isOnOverlay ? OPAQUE_ON_OVERLAY : OVERLAY_OPAQUE, Buffer.from('y'));
		}
		this.side.add({
			...deviceEntry(folder.path === '' ? './' : folder.path),
			...folder.attributes,
			...clampedTime(folder.attributes),
			type: 'directory',
			xattrs,
		});
	}

	private exists(path: string): boolean {
		return fs.lstatSync(this.at(path), { throwIfNoEntry: false }) !== undefined;
	}

	/** The folder and last name of a clean path; folders on the way that no entry has made are made. */
	private placeOf(path: string): Place {
		const slash = path.lastIndexOf('/');
		return { folder: slash < 0 ? this.root : this.folderAt(path.slice(0, slash)), name: path.slice(slash + 1) };
	}

	private folderAt(path: string): Folder {
		if (path !== this.lastFolderPath) {
			this.lastFolder = walkFolders(this.root, path, KINDS, (place, node) => this.impliedFolder(place, node));
			this.lastFolderPath = path;
		}
		return this.lastFolder;
	}

	private impliedFolder(place: Place, node: Node | undefined): Folder {
		checkName(place.name);
		if (node !== undefined || this.exists(pathOf(place))) {
			throw corrupt(`"${printable(pathOf(place))}" is used as a directory and is not one`);
		}
		const folder = this.newFolderAt(place);
		this.describeFolder(folder, IMPLIED);
		return folder;
	}

	private at(path: string): string | Buffer {
		return asPath((this.base.length + path.length < MAX_PATH ? this.base : this.openBase) + path);
	}
}

/** The small archive that GNU tar unpacks: what Node cannot make itself. */
class SideArchive extends TarFile {
	private flushes = 0;

	constructor(
		path: string,
		private readonly directory: string,
		private readonly warn: (warning: string) => void,
	) {
		super(path);
	}

	/** Unpacks what was added so far. */
	flush(): void {
		if (!this.finish()) {
			return;
		}
		this.flushes++;
		if (this.flushes > MAX_FLUSHES) {
			throw corrupt('it replaces its own devices and attributes again and again');
		}
		this.unpack();
		fs.rmSync(this.path);
	}

	private unpack(): void {
		const extended = ['--xattrs', '--xattrs-include=*'];
		const owners = ['--numeric-owner', '--same-owner', '--preserve-permissions'];
		const args = [
			'--extract',
			`--file=${this.path}`,
			'--force-local',
			...extended,
			...owners,
			'-C',
			this.directory,
		];
		const { error, status, stderr } = spawnSync('tar', args, { env: toolEnvironment(), encoding: 'utf8' });
		if (error) {
			throw systemCode(error) === 'ENOENT'
				? new EngineError('unsupported', 'GNU tar is not installed', { cause: error })
				: error;
		}
		if (status !== 0) {
			throw new EngineError('internal', `tar refuses an entry: ${stderr.trim()}`);
		}
		if (stderr !== '') {
			this.warn(stderr.trim()); // tar only warns when the disk cannot keep an attribute; so does docker
		}
	}
}

/** Asked for each entry: nothing is made for those that stay as they are. */
function ownedHere(entry: TarEntry): TarEntry {
	return userNamespace().isInitial ? entry : ownerHere(entry, printable(entry.name));
}

function newFolder(path: string, parent: Folder | undefined, attributes: Attributes): Folder {
	return { kind: 'folder', path, parent, children: new Map(), whiteouts: new Set(), isOpaque: false, attributes };
}

function pathOf(place: Place): string {
	return place.folder.path + place.name;
}

/** One character a byte, for the file system. */
function asPath(path: string): string | Buffer {
	return /[\x80-\xff]/.test(path) ? Buffer.from(path, 'latin1') : path;
}

/** Seconds as Node takes them. */
function timeOf(entry: Pick<TarEntry, 'mtime' | 'mtimeNanoseconds'>): number {
	const { mtime, mtimeNanoseconds } = clampedTime(entry);
	return mtime + mtimeNanoseconds / 1e9;
}

/** A character device 0:0, overlayfs's whiteout. */
function deviceEntry(name: string): TarEntry {
	return {
		type: 'character',
		name,
		linkName: '',
		mode: 0,
		uid: 0,
		gid: 0,
		size: 0,
		mtime: 0,
		mtimeNanoseconds: 0,
		major: 0,
		minor: 0,
		xattrs: NO_XATTRS,
	};
}

/** Removes a file or a tree. Names are read as bytes: fs.rmSync loses those that are not UTF-8. */
function removeTree(base: string, path: string): void {
	const full = asPath(base + path);
	const status = fs.lstatSync(full, { throwIfNoEntry: false });
	if (!status) {
		return;
	}
	if (!status.isDirectory()) {
		fs.unlinkSync(full);
		return;
	}
	for (const name of fs.readdirSync(full, { encoding: 'latin1' })) {
		removeTree(base, `${path}/${name}`);
	}
	fs.rmdirSync(full);
}

/** Read from /proc because asking process.umask() means setting it, and worker threads may not. */
function currentUmask(): number {
	const match = /^Umask:\s*([0-7]+)$/m.exec(fs.readFileSync('/proc/self/status', 'latin1'));
	return match?.[1] === undefined ? 0o777 : parseInt(match[1], 8);
}
