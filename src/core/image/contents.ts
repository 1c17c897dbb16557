/**
 * What each layer of an image brings in, changes and deletes, and what of it a later layer makes useless. Reads the
 * unpacked layers, lowest first, over each other. Runs in a worker thread (worker.ts).
 */
import * as fs from 'node:fs';
import { EngineError } from '../errors';
import type { JobContext } from '../job-thread';
import { isWhiteout } from '../storage/whiteout';
import { opaqueFolders } from './opaque';

export interface ContentsJob {
	readonly kind: 'contents';
	/** The unpacked layers, lowest first, absolute; one may come twice. */
	readonly layers: readonly { readonly directory: string; readonly isOpaque: boolean }[];
	readonly wanted:
		| { readonly kind: 'summary'; readonly largest: number }
		/** Changes of one layer below a folder ("/usr"): those right in it, with sums of what is deeper, or all. */
		| {
				readonly kind: 'folder';
				readonly layer: number;
				readonly path: string;
				readonly isRecursive: boolean;
				readonly offset: number;
				readonly limit: number;
		  };
}

export type ContentType = 'file' | 'directory' | 'symlink' | 'character' | 'block' | 'fifo' | 'socket';
/** Docker's numbers of `docker diff`. */
export type ContentKind = 0 | 1 | 2;
export const CHANGED = 0;
export const ADDED = 1;
export const DELETED = 2;

export interface Content {
	/** From "/"; bytes that are not UTF-8 are shown as U+FFFD. */
	readonly path: string;
	/** Undefined: a folder that is as below and only leads to changes. */
	readonly kind: ContentKind | undefined;
	readonly type: ContentType;
	/** Permission bits with set-id and sticky. */
	readonly mode: number;
	readonly uid: number;
	readonly gid: number;
	/** Bytes; of what is deleted, those that it had. Further names of a file (hard links) in the same layer have 0. */
	readonly size: number;
	/** Of a symlink; its length is the size. */
	readonly target?: string;
	/** Changes below a folder, where those are not listed themselves. */
	readonly below?: Sums;
}

/** How many entries were added, changed and deleted, and the bytes that the layer adds or changes. */
export interface Sums {
	readonly added: number;
	readonly changed: number;
	readonly deleted: number;
	readonly bytes: number;
}

export interface LayerContents {
	readonly sums: Sums;
	/** Bytes of files that this layer overwrites or deletes in lower ones. */
	readonly removes: number;
	/** Bytes of this layer's own files that later layers overwrite or delete. */
	readonly wasted: number;
	readonly largest: readonly Content[];
}

export interface WastedFile {
	readonly path: string;
	readonly size: number;
	/** The layer that holds the bytes, and the one that hides them; numbers of the job's layers. */
	readonly layer: number;
	readonly by: number;
}

export interface ContentsSummary {
	readonly layers: readonly LayerContents[];
	/** Bytes that a container sees, and entries. */
	readonly visible: number;
	readonly entries: number;
	/** The largest first, as many as `largest`. */
	readonly wasted: readonly WastedFile[];
}

export interface ContentsPage {
	/** Of all that fit, before offset and limit. */
	readonly total: number;
	readonly items: readonly Content[];
}

/** In all layers together. */
const MAX_ENTRIES = 3_000_000;
const TURN = 2000;
const WASTED_KEPT = 10_000;

/** Does the job. Throws EngineError "unsupported" for an image with too many files. */
export async function contents(job: ContentsJob, { signal }: JobContext): Promise<ContentsSummary | ContentsPage> {
	const { wanted, layers } = job;
	const stack = new Stack(signal);
	const last = wanted.kind === 'folder' ? wanted.layer : layers.length - 1;
	for (const [index, layer] of layers.slice(0, last + 1).entries()) {
		await stack.add(layer, wanted.kind === 'folder' ? index === last : true);
		if (wanted.kind === 'summary') {
			stack.summarize(wanted.largest);
		}
	}
	return wanted.kind === 'folder' ? pageOf(stack.changes, wanted) : stack.summary(wanted.largest);
}

/** Names are one character a byte. */
interface Node {
	readonly layer: number;
	readonly stat: fs.Stats;
	/** Of a folder. */
	readonly children: Map<string, Node> | undefined;
	/** The bytes of a regular file, shared by its names, or of a symlink: what docker counts too. */
	readonly body: { readonly size: number; links: number } | undefined;
}

class Stack {
	/** Of the layer that was added last, in no order. */
	changes: Content[] = [];
	private root: Node | undefined;
	private readonly results: Omit<LayerContents, 'wasted'>[] = [];
	private readonly wastedOf: number[] = [];
	private wastedFiles: WastedFile[] = [];
	private layer = -1;
	private removes = 0;
	private entries = 0;
	private seen = 0;
	private isListing = true;
	private opaque: ReadonlySet<string> = new Set();
	private bodies = new Map<number, NonNullable<Node['body']>>();

	constructor(private readonly signal: AbortSignal) {}

	/** Puts a layer on top. */
	async add(layer: ContentsJob['layers'][number], isListing: boolean): Promise<void> {
		this.layer++;
		this.isListing = isListing;
		this.changes = [];
		this.removes = 0;
		this.wastedOf.push(0);
		this.bodies = new Map();
		this.opaque = await opaqueFolders(layer.directory, this.signal);
		const directory = Buffer.from(layer.directory).toString('latin1');
		const root = (this.root ??= this.node(fs.lstatSync(layer.directory)));
		await this.folder(directory, '', root, layer.isOpaque);
	}

	summarize(largest: number): void {
		this.results.push({
			sums: sumsOf(this.changes),
			removes: this.removes,
			largest: largestOf(
				this.changes.filter(({ kind, type }) => kind !== DELETED && type === 'file'),
				largest,
			),
		});
	}

	summary(largest: number): ContentsSummary {
		return {
			layers: this.results.map((result, index) => ({ ...result, wasted: this.wastedOf[index] ?? 0 })),
			...this.visible(),
			wasted: largestOf(this.wastedFiles, largest),
		};
	}

	private visible(): { visible: number; entries: number } {
		const bodies = new Set<object>();
		let visible = 0;
		let entries = 0;
		const pending = this.root ? [this.root] : [];
		for (let node = pending.pop(); node !== undefined; node = pending.pop()) {
			entries++;
			if (node.body !== undefined && !bodies.has(node.body)) {
				bodies.add(node.body);
				visible += node.body.size;
			}
			for (const child of node.children?.values() ?? []) {
				pending.push(child);
			}
		}
		return { visible, entries: Math.max(0, entries - 1) };
	}

	/** `path` is the folder's in the layer, "" for the root; `directory` the layer's own. */
	private async folder(directory: string, path: string, below: Node, isOpaque: boolean): Promise<void> {
		const children = below.children ?? new Map<string, Node>();
		const names = fs.readdirSync(Buffer.from(directory + path, 'latin1'), 'latin1');
		if (isOpaque || this.opaque.has(path === '' ? '/' : path)) {
			isOpaque = true;
			const own = new Set(names);
			for (const [name, node] of children) {
				if (!own.has(name)) {
					this.remove(children, name, `${path}/${name}`, node);
				}
			}
		}
		for (const name of names) {
			await this.turn();
			await this.entry({ directory, path: `${path}/${name}`, name, isOpaque }, children);
		}
	}

	private async entry(
		place: { readonly directory: string; readonly path: string; readonly name: string; readonly isOpaque: boolean },
		children: Map<string, Node>,
	): Promise<void> {
		const { directory, path, name, isOpaque } = place;
		const file = Buffer.from(directory + path, 'latin1');
		const stat = fs.lstatSync(file);
		const below = children.get(name);
		if (isWhiteout(stat)) {
			if (below !== undefined) {
				this.remove(children, name, path, below);
			}
			return;
		}
		const isKnownFolder = stat.isDirectory() && below?.children !== undefined;
		if (below !== undefined && !isKnownFolder) {
			this.waste(below, path);
		}
		const node = this.node(stat, isKnownFolder ? below.children : undefined);
		children.set(name, node);
		if (!isKnownFolder || !isLike(stat, below.stat)) {
			this.list(path, below === undefined ? ADDED : CHANGED, stat, {
				size: node.body?.links === 1 ? node.body.size : 0,
				...(stat.isSymbolicLink() && this.isListing
					? { target: printable(fs.readlinkSync(file, 'latin1')) }
					: {}),
			});
		}
		if (stat.isDirectory()) {
			await this.folder(directory, path, node, isOpaque && isKnownFolder);
		}
	}

	private node(stat: fs.Stats, children?: Map<string, Node>): Node {
		if (++this.entries > MAX_ENTRIES) {
			const reason = `it has more than ${MAX_ENTRIES} files and folders`;
			throw new EngineError('unsupported', `Cannot list the layers of the image: ${reason}`);
		}
		return {
			layer: this.layer,
			stat,
			children: stat.isDirectory() ? (children ?? new Map<string, Node>()) : undefined,
			body: stat.isFile() || stat.isSymbolicLink() ? this.bodyOf(stat) : undefined,
		};
	}

	private bodyOf(stat: fs.Stats): NonNullable<Node['body']> {
		const known = stat.nlink > 1 ? this.bodies.get(stat.ino) : undefined;
		if (known !== undefined) {
			known.links++;
			return known;
		}
		const body = { size: stat.size, links: 1 };
		if (stat.nlink > 1) {
			this.bodies.set(stat.ino, body);
		}
		return body;
	}

	private remove(children: Map<string, Node>, name: string, path: string, node: Node): void {
		children.delete(name);
		this.list(path, DELETED, node.stat, { size: this.waste(node, path) });
	}

	/** Counts what a container will never see; gives its bytes. */
	private waste(node: Node, path: string): number {
		let bytes = 0;
		if (node.body !== undefined && --node.body.links === 0) {
			bytes = node.body.size;
			this.removes += bytes;
			this.wastedOf[node.layer] = (this.wastedOf[node.layer] ?? 0) + bytes;
			this.noteWasted({ path: printable(path), size: bytes, layer: node.layer, by: this.layer });
		}
		for (const [name, child] of node.children ?? []) {
			bytes += this.waste(child, `${path}/${name}`);
		}
		return bytes;
	}

	private noteWasted(file: WastedFile): void {
		if (file.size > 0) {
			this.wastedFiles.push(file);
		}
		if (this.wastedFiles.length > 2 * WASTED_KEPT) {
			this.wastedFiles = largestOf(this.wastedFiles, WASTED_KEPT);
		}
	}

	private list(
		path: string,
		kind: ContentKind,
		stat: fs.Stats,
		rest: { readonly size: number; readonly target?: string },
	): void {
		if (this.isListing) {
			const { mode, uid, gid } = stat;
			this.changes.push({
				path: printable(path),
				kind,
				type: typeOf(stat),
				mode: mode & 0o7777,
				uid,
				gid,
				...rest,
			});
		}
	}

	private async turn(): Promise<void> {
		if (++this.seen % TURN === 0) {
			await new Promise(setImmediate);
			this.signal.throwIfAborted();
		}
	}
}

function pageOf(
	changes: readonly Content[],
	{ path, isRecursive, offset, limit }: Extract<ContentsJob['wanted'], { kind: 'folder' }>,
): ContentsPage {
	const prefix = `/${path.split('/').filter(Boolean).join('/')}/`.replace('//', '/');
	const inside = changes.filter((change) => change.path.startsWith(prefix));
	const all = (isRecursive ? inside : grouped(inside, prefix)).sort((one, other) => compare(one.path, other.path));
	return { total: all.length, items: all.slice(offset, offset + limit) };
}

/** One item a name in the folder; what is deeper is summed up. */
function grouped(changes: readonly Content[], prefix: string): Content[] {
	const groups = new Map<string, { own?: Content; readonly below: Content[] }>();
	for (const change of changes) {
		const end = change.path.indexOf('/', prefix.length);
		const path = end < 0 ? change.path : change.path.slice(0, end);
		const group = groups.get(path) ?? { below: [] };
		groups.set(path, group);
		if (end < 0) {
			group.own = change;
		} else {
			group.below.push(change);
		}
	}
	return [...groups].map(([path, { own, below }]) => ({
		...(own ?? { path, kind: undefined, type: 'directory', mode: 0, uid: 0, gid: 0, size: 0 }),
		...(below.length === 0 ? {} : { below: sumsOf(below) }),
	}));
}

function sumsOf(changes: readonly Content[]): Sums {
	const sums = { added: 0, changed: 0, deleted: 0, bytes: 0 };
	for (const { kind, size } of changes) {
		sums.added += kind === ADDED ? 1 : 0;
		sums.changed += kind === CHANGED ? 1 : 0;
		sums.deleted += kind === DELETED ? 1 : 0;
		sums.bytes += kind === DELETED ? 0 : size;
	}
	return sums;
}

function largestOf<T extends { readonly size: number; readonly path: string }>(
	items: readonly T[],
	count: number,
): T[] {
	return [...items].sort((one, other) => other.size - one.size || compare(one.path, other.path)).slice(0, count);
}

function isLike(one: fs.Stats, other: fs.Stats): boolean {
	return one.mode === other.mode && one.uid === other.uid && one.gid === other.gid;
}

function typeOf(stat: fs.Stats): ContentType {
	switch (stat.mode & fs.constants.S_IFMT) {
		case fs.constants.S_IFDIR:
			return 'directory';
		case fs.constants.S_IFLNK:
			return 'symlink';
		case fs.constants.S_IFCHR:
			return 'character';
		case fs.constants.S_IFBLK:
			return 'block';
		case fs.constants.S_IFIFO:
			return 'fifo';
		case fs.constants.S_IFSOCK:
			return 'socket';
		default:
			return 'file';
	}
}

function printable(name: string): string {
	return Buffer.from(name, 'latin1').toString('utf8');
}

function compare(one: string, other: string): number {
	return one < other ? -1 : one > other ? 1 : 0;
}
