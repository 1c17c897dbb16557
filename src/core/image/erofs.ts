/**
 * Makes a layer one EROFS image that the kernel mounts (Documentation/filesystems/erofs.rst, fs/erofs/erofs_fs.h), in one
 * pass and without a file for each entry:
 *
 *   4 KiB with the superblock | the tar, byte for byte | what sparse files and long links hold | inodes | folders
 *
 * Blocks have 512 bytes, which Linux mounts from 6.4 on: so a file's body in the tar, which begins at a multiple of 512,
 * is its data where it is.
 */
import * as fs from 'node:fs';
import {
	checkName,
	clampedTime,
	cleanPath,
	corrupt,
	IMPLIED,
	lostTarget,
	MAX_FOLDERS,
	MAX_NAME,
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
import type { EntryType, SparseMap, TarEntry, TarSink } from './tar';

const BLOCK = 512;
const HEAD = 4096;
const SUPERBLOCK = 1024;
const MAGIC = 0xe0f5e1e2;
/** Blocks are numbered with 32 bits, and the last number means a hole. */
const MAX_BLOCKS = 0xffff_fffe;
const HOLE = 0xffff_ffff;
/** Inodes are numbered by their place in units of so many bytes. */
const SLOT = 32;
const INODE = 64;
const DIRENT = 12;
const MAX_TARGET = 4095;
/** Bytes of an inode's attributes: their count is one of 16 bits, in units of 4. */
const MAX_XATTRS = 4 * 0xfffe;
const MAX_XATTR = 0xffff;
/** Chunks that a sparse file is divided into, at most. */
const MAX_CHUNKS = 65_536;
const MIN_CHUNK_BITS = 3;
/** data layouts */
const PLAIN = 0;
const INLINE = 2;
const CHUNKED = 4;
/** feature_compat: inodes have their own mtime; feature_incompat: chunked files. */
const WITH_MTIME = 2;
const WITH_CHUNKS = 4;

type InodeType = Exclude<EntryType, 'link'>;

const MODES: Readonly<Record<InodeType, number>> = {
	...{ file: 0o100000, directory: 0o040000, symlink: 0o120000 },
	...{ character: 0o020000, block: 0o060000, fifo: 0o010000 },
};
const DIRENT_TYPES: Readonly<Record<InodeType, number>> = {
	...{ file: 1, directory: 2, character: 3, block: 4, fifo: 5, symlink: 7 },
};
const XATTR_PREFIXES: readonly (readonly [prefix: string, index: number])[] = [
	['user.', 1],
	['system.posix_acl_access', 2],
	['system.posix_acl_default', 3],
	['trusted.', 4],
	['security.', 6],
];

/** Numbers that say where an inode is and what it holds come when the tree is whole. */
interface Inode {
	readonly type: InodeType;
	mode: number;
	uid: number;
	gid: number;
	mtime: number;
	mtimeNanoseconds: number;
	xattrs: ReadonlyMap<string, Buffer>;
	/** Bytes. */
	size: number;
	/** First block of the content; of a device its number. */
	block: number;
	readonly target: string;
	links: number;
	/** Its place from the first inode, in slots; -1 while it has none. */
	slot: number;
	/** Of a sparse file: block of each chunk. */
	chunks?: { readonly bits: number; readonly blocks: Uint32Array };
}

interface Folder extends Inode {
	readonly type: 'directory';
	readonly parent: Folder | undefined;
	readonly children: Map<string, Inode | Folder>;
	/** Names that are hidden below. */
	whiteouts: Set<string> | undefined;
	isOpaque: boolean;
}

interface Place {
	readonly folder: Folder;
	readonly name: string;
}

const KINDS: NodeKinds<Folder, Inode> = {
	isFolder,
	targetOf: ({ type, target }) => (type === 'symlink' ? target : undefined),
};

/** A sparse file, whose fragments lie in the tar one behind the other. */
interface Sparse {
	readonly map: SparseMap;
	readonly inode: Inode;
	/** Where the fragments are in the tar. */
	readonly at: number;
}

/** Takes a tar and what a TarReader makes of it; names are one character a byte. */
export class ErofsWriter implements TarSink {
	private readonly image: ImageFile;
	private readonly root: Folder = newFolder(undefined);
	private readonly warnings = new Set<string>();
	private readonly sparse: Sparse[] = [];
	private lastPath = '';
	private lastFolder = this.root;
	/** Bytes of the tar that are in the image. */
	private taken = 0;
	private size = 0;
	private folders = 0;

	/** `file` must not be there yet. */
	constructor(file: string) {
		this.image = new ImageFile(file);
	}

	/** The bytes of the tar, before the reader gets them. */
	take(chunk: Buffer): void {
		this.image.write(chunk, HEAD + this.taken);
		this.taken += chunk.length;
	}

	begin(written: TarEntry, bodyOffset: number): void {
		const path = cleanPath(written.name);
		if (path === '') {
			this.describeRoot(written);
			return;
		}
		if (path.startsWith(WHITEOUT_META) && path !== OPAQUE) {
			return; // AUFS's own files, which no other driver knows
		}
		const entry = withKnownXattrs(written);
		const slash = path.lastIndexOf('/');
		const folder = slash < 0 ? this.root : this.folderAt(path.slice(0, slash));
		const name = path.slice(slash + 1);
		if (name.startsWith(WHITEOUT)) {
			whiteOut({ folder, name });
		} else {
			this.make({ folder, name }, entry, bodyOffset);
		}
	}

	data(): void {
		// Bodies are in the tar already.
	}

	end(): void {
		// Nothing is open.
	}

	/** Writes what makes an image of the tar. */
	finish(): Omit<AppliedLayer, 'diffId'> {
		const folders = foldersBelow(this.root, KINDS.isFolder);
		for (const folder of folders) {
			addWhiteouts(folder);
			if (folder.isOpaque && folder !== this.root) {
				folder.xattrs = new Map([...folder.xattrs, [OVERLAY_OPAQUE, Buffer.from('y')]]);
			}
		}
		let end = aligned(HEAD + this.taken, BLOCK);
		for (const sparse of this.sparse) {
			end = this.spread(sparse, end);
		}
		this.writeMetadata(folders, end);
		const opaque = opaquePaths(folders, KINDS.isFolder);
		return { size: this.size, isOpaque: this.root.isOpaque, opaque, warnings: [...this.warnings] };
	}

	/** Releases the file; safe to call at any time. */
	close(): void {
		this.image.close();
	}

	private make(place: Place, entry: TarEntry, bodyOffset: number): void {
		switch (entry.type) {
			case 'directory':
				this.makeFolder(place, entry);
				return;
			case 'link':
				this.makeLink(place, entry);
				return;
			case 'symlink':
				this.makeSymlink(place, entry);
				return;
			case 'file':
				this.makeFile(place, entry, bodyOffset);
				return;
			default:
				this.put(place, { ...newInode(entry.type, this.attributes(entry)), block: deviceNumber(entry) });
		}
	}

	private makeFile(place: Place, entry: TarEntry, bodyOffset: number): void {
		const size = entry.sparse?.size ?? entry.size;
		const inode = newInode('file', this.attributes(entry));
		inode.size = size;
		inode.block = size === 0 ? 0 : (HEAD + bodyOffset) / BLOCK;
		this.size += size;
		if (entry.sparse && size > 0) {
			this.sparse.push({ map: entry.sparse, inode, at: HEAD + bodyOffset });
		}
		this.put(place, inode);
	}

	private makeSymlink(place: Place, entry: TarEntry): void {
		if (entry.linkName === '' || entry.linkName.length > MAX_TARGET) {
			const what = entry.linkName === '' ? 'no target' : 'a target that is too long';
			throw corrupt(`the symlink "${printable(entry.name)}" has ${what}`);
		}
		this.size += entry.linkName.length;
		const inode = { ...newInode('symlink', this.attributes(entry), entry.linkName), mode: 0o777 };
		inode.size = entry.linkName.length;
		this.put(place, inode);
	}

	private makeLink(place: Place, entry: TarEntry): void {
		const path = cleanPath(entry.linkName);
		const slash = path.lastIndexOf('/');
		const folder = slash < 0 ? this.root : walkFolders(this.root, path.slice(0, slash), KINDS, () => undefined);
		const target = folder?.children.get(path.slice(slash + 1));
		if (path === '' || target === undefined || place.folder.children.get(place.name) === target) {
			throw lostTarget(entry);
		}
		if (target.type === 'directory') {
			throw corrupt(`the hard link "${printable(entry.name)}" points to a directory`);
		}
		this.put(place, target);
		target.links++;
	}

	private makeFolder(place: Place, entry: TarEntry): void {
		const known = place.folder.children.get(place.name);
		const folder = known !== undefined && isFolder(known) ? known : this.newFolderAt(place);
		Object.assign(folder, this.attributes(entry));
	}

	private newFolderAt(place: Place): Folder {
		this.folders++;
		if (this.folders > MAX_FOLDERS) {
			throw corrupt(`it has more than ${MAX_FOLDERS} directories`);
		}
		const folder = newFolder(place.folder);
		this.put(place, folder);
		return folder;
	}

	private describeRoot(entry: TarEntry): void {
		if (entry.type !== 'directory') {
			throw corrupt(`"${entry.name}" stands for the root of the layer and is not a directory`);
		}
		Object.assign(this.root, this.attributes(withKnownXattrs(entry)));
	}

	/** Gives the name to the inode; what had it before goes, as in docker. */
	private put({ folder, name }: Place, inode: Inode): void {
		if (name.length > MAX_NAME) {
			throw corrupt(`the name "${printable(name.slice(0, 100))}…" is too long`);
		}
		const known = folder.children.get(name);
		if (known !== undefined) {
			known.links--;
			this.lastPath = '';
			this.lastFolder = this.root;
		}
		folder.children.set(name, inode);
	}

	private attributes(entry: TarEntry): Attributes {
		const { mode, uid, gid } = entry;
		return { mode, uid, gid, ...clampedTime(entry), xattrs: this.possibleXattrs(entry) };
	}

	/** As from a disk that cannot keep an attribute, there is a warning and no more. */
	private possibleXattrs({ name, xattrs }: TarEntry): ReadonlyMap<string, Buffer> {
		if (xattrs.size === 0) {
			return NO_XATTRS;
		}
		let bytes = 0;
		const possible = new Map<string, Buffer>();
		for (const [key, value] of xattrs) {
			const length = xattrLength(key, value);
			bytes += length ?? 0;
			if (length === undefined || bytes > MAX_XATTRS) {
				this.warnings.add(`the attribute "${printable(key)}" of "${printable(name)}" is left out`);
			} else {
				possible.set(key, value);
			}
		}
		return possible;
	}

	private folderAt(path: string): Folder {
		if (path !== this.lastPath) {
			this.lastFolder = walkFolders(this.root, path, KINDS, (place, node) => this.impliedFolder(place, node));
			this.lastPath = path;
		}
		return this.lastFolder;
	}

	private impliedFolder(place: Place, node: Inode | undefined): Folder {
		checkName(place.name);
		if (node !== undefined) {
			throw corrupt(`"${printable(place.name)}" is used as a directory and is not one`);
		}
		return this.newFolderAt(place);
	}

	/** Puts the chunks of a sparse file that hold something from `end` on; gives the new end. What lies between is a hole. */
	private spread({ map, inode, at }: Sparse, end: number): number {
		let bits = MIN_CHUNK_BITS;
		while (map.size > MAX_CHUNKS * BLOCK * 2 ** bits) {
			bits++;
		}
		const chunk = BLOCK * 2 ** bits;
		const blocks = new Uint32Array(Math.ceil(map.size / chunk)).fill(HOLE);
		let from = at;
		for (const { offset, length } of map.fragments) {
			for (let done = 0; done < length;) {
				const index = Math.floor((offset + done) / chunk);
				if (blocks[index] === HOLE) {
					blocks[index] = blockOf(end);
					end += chunk;
				}
				const inside = (offset + done) % chunk;
				const count = Math.min(length - done, chunk - inside);
				this.image.copy(from, (blocks[index] ?? 0) * BLOCK + inside, count);
				from += count;
				done += count;
			}
		}
		inode.chunks = { bits, blocks };
		return end;
	}

	private writeMetadata(folders: readonly Folder[], dataEnd: number): void {
		const { inodes, length, end: start } = this.place(folders, dataEnd);
		let end = start + aligned(length, BLOCK);
		for (const folder of folders) {
			folder.size = direntLength(folder);
			folder.block = blockOf(end);
			end += aligned(folder.size, BLOCK);
		}
		blockOf(end); // all that is written has a number
		for (const inode of inodes) {
			this.image.append(inodeBytes(inode), start + inode.slot * SLOT);
		}
		for (const folder of folders) {
			this.image.append(direntBytes(folder), folder.block * BLOCK);
		}
		this.image.end(end);
		this.image.write(
			superblock({
				root: this.root,
				inodes: inodes.length,
				blocks: end / BLOCK,
				start: start / BLOCK,
				hasChunks: this.sparse.length > 0,
			}),
			SUPERBLOCK,
		);
	}

	/** Numbers the inodes; targets of links that have no room beside their inode are written from `end` on. */
	private place(folders: readonly Folder[], end: number): { inodes: Inode[]; length: number; end: number } {
		const inodes: Inode[] = [];
		let length = 0;
		const place = (inode: Inode): void => {
			if (inode.slot >= 0) {
				return;
			}
			let bytes = INODE + xattrsLength(inode) + 4 * (inode.chunks?.blocks.length ?? 0);
			if (inode.type === 'symlink') {
				if (bytes + inode.size <= BLOCK) {
					bytes += inode.size;
				} else {
					inode.block = blockOf(end);
					this.image.write(Buffer.from(inode.target, 'latin1'), end);
					end += aligned(inode.size, BLOCK);
				}
			}
			length = aligned(length, SLOT);
			if (bytes <= BLOCK && (length % BLOCK) + bytes > BLOCK) {
				length = aligned(length, BLOCK);
			}
			inode.slot = length / SLOT;
			length += bytes;
			inodes.push(inode);
		};
		place(this.root);
		for (const { children } of folders) {
			for (const child of children.values()) {
				place(child);
			}
		}
		return { inodes, length, end };
	}
}

/** The image, written mostly in order. */
class ImageFile {
	private descriptor: number | undefined;
	private readonly window = Buffer.alloc(256 * 1024);
	/** Where the window begins in the file, and the bytes of it that hold something. */
	private start = 0;
	private filled = 0;

	constructor(file: string) {
		this.descriptor = fs.openSync(file, 'wx+', 0o600);
	}

	write(bytes: Uint8Array, position: number): void {
		for (let done = 0; done < bytes.length;) {
			done += fs.writeSync(this.open(), bytes, done, bytes.length - done, position + done);
		}
	}

	/** Writes small pieces with ascending positions together; what is left out between them is zero. */
	append(bytes: Buffer, position: number): void {
		if (this.filled === 0 || position + bytes.length > this.start + this.window.length) {
			this.flush();
			this.start = position;
		}
		if (bytes.length > this.window.length) {
			this.write(bytes, position);
			return;
		}
		bytes.copy(this.window, position - this.start);
		this.filled = position - this.start + bytes.length;
	}

	copy(from: number, to: number, length: number): void {
		this.flush();
		for (let done = 0; done < length;) {
			const count = Math.min(length - done, this.window.length);
			const read = fs.readSync(this.open(), this.window, 0, count, from + done);
			if (read === 0) {
				throw corrupt('a sparse file ends before its fragments');
			}
			this.write(this.window.subarray(0, read), to + done);
			done += read;
		}
		this.window.fill(0);
	}

	/** Says how long it is. */
	end(length: number): void {
		this.flush();
		fs.ftruncateSync(this.open(), length);
	}

	close(): void {
		if (this.descriptor !== undefined) {
			fs.closeSync(this.descriptor);
			this.descriptor = undefined;
		}
	}

	private flush(): void {
		if (this.filled > 0) {
			this.write(this.window.subarray(0, this.filled), this.start);
			this.window.fill(0);
			this.filled = 0;
		}
	}

	private open(): number {
		if (this.descriptor === undefined) {
			throw new TypeError('The file is closed');
		}
		return this.descriptor;
	}
}

function superblock({
	root,
	inodes,
	blocks,
	start,
	hasChunks,
}: {
	readonly root: Folder;
	readonly inodes: number;
	/** Of the whole image. */
	readonly blocks: number;
	/** First block of the inodes. */
	readonly start: number;
	readonly hasChunks: boolean;
}): Buffer {
	const bytes = Buffer.alloc(128);
	bytes.writeUInt32LE(MAGIC, 0);
	bytes.writeUInt32LE(WITH_MTIME, 8);
	bytes[12] = Math.log2(BLOCK);
	bytes.writeUInt16LE(root.slot, 14);
	writeUInt64(bytes, inodes, 16);
	writeUInt64(bytes, root.mtime, 24);
	bytes.writeUInt32LE(blocks, 36);
	bytes.writeUInt32LE(start, 40);
	bytes.writeUInt32LE(hasChunks ? WITH_CHUNKS : 0, 80);
	return bytes;
}

/** An extended inode with all that stands behind it. */
function inodeBytes(inode: Inode): Buffer {
	const xattrs = xattrsLength(inode);
	const isInline = inode.type === 'symlink' && inode.block === 0;
	const layout = inode.chunks ? CHUNKED : isInline ? INLINE : PLAIN;
	const chunks = inode.chunks?.blocks ?? new Uint32Array(0);
	const bytes = Buffer.alloc(INODE + xattrs + 4 * chunks.length + (isInline ? inode.size : 0));
	bytes.writeUInt16LE(1 | (layout << 1), 0);
	bytes.writeUInt16LE(xattrs === 0 ? 0 : (xattrs - 12) / 4 + 1, 2);
	bytes.writeUInt16LE(MODES[inode.type] | inode.mode, 4);
	writeUInt64(bytes, inode.size, 8);
	bytes.writeUInt32LE(inode.chunks?.bits ?? (isInline ? HOLE : inode.block), 16);
	bytes.writeUInt32LE((inode.slot + 1) >>> 0, 20);
	bytes.writeUInt32LE(inode.uid, 24);
	bytes.writeUInt32LE(inode.gid, 28);
	writeUInt64(bytes, inode.mtime, 32);
	bytes.writeUInt32LE(inode.mtimeNanoseconds, 40);
	bytes.writeUInt32LE(linksOf(inode), 44);
	writeXattrs(bytes, inode.xattrs, INODE);
	chunks.forEach((block, index) => bytes.writeUInt32LE(block, INODE + xattrs + 4 * index));
	if (isInline) {
		bytes.write(inode.target, INODE + xattrs, 'latin1');
	}
	return bytes;
}

function linksOf(inode: Inode): number {
	if (!isFolder(inode)) {
		return inode.links;
	}
	let folders = 0;
	for (const child of inode.children.values()) {
		folders += child.type === 'directory' ? 1 : 0;
	}
	return 2 + folders;
}

/** Bytes of one attribute; undefined when the format cannot hold it. */
function xattrLength(name: string, value: Buffer): number | undefined {
	const prefix = prefixOf(name);
	const rest = name.length - (prefix?.[0].length ?? 0);
	return prefix === undefined || rest > MAX_NAME || value.length > MAX_XATTR
		? undefined
		: aligned(4 + rest + value.length, 4);
}

function prefixOf(name: string): (typeof XATTR_PREFIXES)[number] | undefined {
	return XATTR_PREFIXES.find(([prefix]) =>
		prefix.endsWith('.') ? name.startsWith(prefix) && name.length > prefix.length : name === prefix,
	);
}

function xattrsLength({ xattrs }: Inode): number {
	let length = xattrs.size === 0 ? 0 : 12;
	for (const [name, value] of xattrs) {
		length += xattrLength(name, value) ?? 0;
	}
	return length;
}

function writeXattrs(bytes: Buffer, xattrs: ReadonlyMap<string, Buffer>, start: number): void {
	let position = start + 12;
	for (const [name, value] of xattrs) {
		const [prefix, index] = prefixOf(name) ?? ['', 0];
		const rest = name.slice(prefix.length);
		bytes[position] = rest.length;
		bytes[position + 1] = index;
		bytes.writeUInt16LE(value.length, position + 2);
		bytes.write(rest, position + 4, 'latin1');
		value.copy(bytes, position + 4 + rest.length);
		position += aligned(4 + rest.length + value.length, 4);
	}
}

/** Names in the order of their bytes, with those of the folder itself and the one above. */
function direntsOf(folder: Folder): [name: string, inode: Inode][] {
	const dirents: [string, Inode][] = [['.', folder], ['..', folder.parent ?? folder], ...folder.children];
	return dirents.sort(([one], [other]) => (one < other ? -1 : 1));
}

/** Dirents never go over the end of a block. */
function direntLength(folder: Folder): number {
	let length = 0;
	let used = 0;
	for (const [name] of direntsOf(folder)) {
		if (used + DIRENT + name.length > BLOCK) {
			length += BLOCK;
			used = 0;
		}
		used += DIRENT + name.length;
	}
	return length + used;
}

/** Each block has its dirents first, then their names. */
function direntBytes(folder: Folder): Buffer {
	const dirents = direntsOf(folder);
	const bytes = Buffer.alloc(folder.size);
	for (let start = 0, first = 0; first < dirents.length; start += BLOCK) {
		let used = 0;
		let next = first;
		for (let dirent = dirents[next]; dirent; dirent = dirents[++next]) {
			if (used + DIRENT + dirent[0].length > BLOCK) {
				break;
			}
			used += DIRENT + dirent[0].length;
		}
		let name = DIRENT * (next - first);
		for (let at = start; first < next; first++, at += DIRENT) {
			const [text, inode] = dirents[first] as [string, Inode];
			writeUInt64(bytes, inode.slot, at);
			bytes.writeUInt16LE(name, at + 8);
			bytes[at + 10] = DIRENT_TYPES[inode.type];
			bytes.write(text, start + name, 'latin1');
			name += text.length;
		}
	}
	return bytes;
}

function whiteOut({ folder, name }: Place): void {
	if (name === OPAQUE) {
		folder.isOpaque = true;
		return;
	}
	if (name.startsWith(WHITEOUT_META)) {
		return;
	}
	const hidden = name.slice(WHITEOUT.length);
	if (hidden === '' || hidden === '.' || hidden === '..') {
		throw corrupt(`the whiteout "${name}" names nothing`);
	}
	if (hidden.length > MAX_NAME) {
		throw corrupt(`the name "${printable(hidden.slice(0, 100))}…" is too long`);
	}
	folder.whiteouts ??= new Set();
	folder.whiteouts.add(hidden);
}

/** A whiteout hides lower layers only, wherever it stands in the archive (image-spec, Whiteouts); overlayfs's is a device 0:0. */
function addWhiteouts({ children, whiteouts }: Folder): void {
	for (const name of whiteouts ?? []) {
		const node = children.get(name);
		if (node === undefined) {
			children.set(name, newInode('character', { ...IMPLIED, mode: 0, uid: 0, gid: 0 }));
		} else if (isFolder(node)) {
			node.isOpaque = true;
		}
	}
}

function newInode(type: InodeType, attributes: Attributes, target = ''): Inode {
	const { mode, uid, gid, mtime, mtimeNanoseconds, xattrs } = attributes;
	return {
		...{ type, mode, uid, gid, mtime, mtimeNanoseconds, xattrs },
		...{ size: 0, block: 0, target, links: 1, slot: -1 },
	};
}

function newFolder(parent: Folder | undefined): Folder {
	const inode = newInode('directory', IMPLIED);
	return { ...inode, type: 'directory', parent, children: new Map(), whiteouts: undefined, isOpaque: false };
}

function isFolder(inode: Inode): inode is Folder {
	return inode.type === 'directory';
}

/** Parents before what is in them. */
/** As the kernel keeps it on disks (new_encode_dev). */
function deviceNumber({ type, name, major, minor }: TarEntry): number {
	if (type !== 'character' && type !== 'block') {
		return 0;
	}
	if (major < 0 || minor < 0 || major > 0xfff || minor > 0xfffff) {
		throw corrupt(`the device "${printable(name)}" has a number that is out of range`);
	}
	return ((minor & 0xff) | (major << 8) | ((minor & ~0xff) << 12)) >>> 0;
}

function blockOf(position: number): number {
	const block = position / BLOCK;
	if (block > MAX_BLOCKS) {
		throw corrupt(`it is larger than ${MAX_BLOCKS * BLOCK} bytes`);
	}
	return block;
}

function aligned(length: number, unit: number): number {
	return Math.ceil(length / unit) * unit;
}

function writeUInt64(bytes: Buffer, value: number, position: number): void {
	bytes.writeUInt32LE(value % 2 ** 32, position);
	bytes.writeUInt32LE(Math.floor(value / 2 ** 32), position + 4);
}
