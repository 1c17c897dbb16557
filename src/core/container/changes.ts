/** `docker diff`: what a container's own files change of its image. */
import type { BigIntStats } from 'node:fs';
import { namesIn, printable, statIn, Tree } from '../files/tree';
import type { Folder } from '../files/tree';
import { opaqueFolders } from '../image/opaque';
import { isMountFolder, isMountPoint } from '../image/pack-upper';
import type { LookupLayer } from '../storage/driver';
import { isWhiteout } from '../storage/whiteout';
import { namesInLayers, statInLayers } from './rootfs';

/** Docker's kinds. */
export const KINDS = { changed: 0, added: 1, deleted: 2 } as const;

export interface Change {
	readonly path: string;
	readonly kind: 0 | 1 | 2;
}

const TURN = 500;
/** Files by which fuse-overlayfs marks an opaque folder, beside the attribute. */
const OPAQUE_MARKS = new Set(['.wh..wh..opq', '.wh..opq']);

/** The changes, sorted by path. `lowers` are the image's layers, top first; `upper` may be written in meanwhile. */
export async function containerChanges(
	upper: string,
	lowers: readonly LookupLayer[],
	signal: AbortSignal,
): Promise<Change[]> {
	const tree = new Tree(upper);
	try {
		const walk = new Walk(tree, lowers, await opaqueFolders(upper, signal), signal);
		await walk.folder(tree.root, true);
		return walk.changes.sort((one, other) => (one.path < other.path ? -1 : 1));
	} finally {
		tree.close();
	}
}

class Walk {
	readonly changes: Change[] = [];
	private seen = 0;

	constructor(
		private readonly tree: Tree,
		private readonly lowers: readonly LookupLayer[],
		private readonly opaque: ReadonlySet<string>,
		private readonly signal: AbortSignal,
	) {}

	/** Whether anything in the folder counts. `isKnown` says that the image has the folder too. */
	async folder(folder: Folder, isKnown: boolean): Promise<boolean> {
		const names = namesIn(folder).filter((name) => !OPAQUE_MARKS.has(name));
		let counted = 0;
		for (const name of names) {
			counted += (await this.entry(folder, name, isKnown)) ? 1 : 0;
		}
		if (isKnown && this.opaque.has(folder.path)) {
			counted += this.hidden(folder, new Set(names));
		}
		return counted > 0 || names.length === 0;
	}

	private async entry(folder: Folder, name: string, isParentKnown: boolean): Promise<boolean> {
		if (++this.seen % TURN === 0) {
			await new Promise(setImmediate);
			this.signal.throwIfAborted();
		}
		const stat = statIn(folder, name);
		const path = `${folder.path === '/' ? '' : folder.path}/${name}`;
		if (stat === undefined || (stat.isFile() && isMountPoint(path.slice(1), Number(stat.size)))) {
			return false;
		}
		const lower = isParentKnown ? statInLayers(this.lowers, path) : undefined;
		if (isWhiteout(stat)) {
			return lower !== undefined && this.add(path, KINDS.deleted);
		}
		const inner = stat.isDirectory() ? this.tree.enter(folder, name) : undefined;
		if (inner === undefined) {
			return this.add(path, lower === undefined ? KINDS.added : KINDS.changed);
		}
		try {
			const isKnown = lower?.isDirectory() === true;
			const hasContent = await this.folder(inner, isKnown);
			const isForMounts =
				isMountFolder(path.slice(1)) && (namesIn(inner).every((each) => OPAQUE_MARKS.has(each)) || !hasContent);
			const isSame = isForMounts || (isKnown && !hasContent && isLike(stat, lower));
			return !isSame && this.add(path, lower === undefined ? KINDS.added : KINDS.changed);
		} finally {
			this.tree.release(inner, folder);
		}
	}

	/** What the image has in a folder that hides it all. */
	private hidden(folder: Folder, names: ReadonlySet<string>): number {
		const lost = namesInLayers(this.lowers, folder.path).filter((name) => !names.has(name));
		for (const name of lost) {
			this.add(`${folder.path === '/' ? '' : folder.path}/${name}`, KINDS.deleted);
		}
		return lost.length;
	}

	private add(path: string, kind: Change['kind']): true {
		this.changes.push({ path: printable(path), kind });
		return true;
	}
}

function isLike(
	stat: BigIntStats,
	lower: { readonly mode: number; readonly uid: number; readonly gid: number },
): boolean {
	return Number(stat.mode) === lower.mode && Number(stat.uid) === lower.uid && Number(stat.gid) === lower.gid;
}
