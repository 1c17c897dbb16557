/** The file system of a container for a piece of work on its files, whether it runs or not. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { EngineError } from '../errors';
import { run, toolEnvironment } from '../exec';
import { Tree, bytesOf, partsOf, pathIn } from '../files/tree';
import type { Folder } from '../files/tree';
import type { Container } from '../types';
import { MOUNT_FUNCTIONS, mountArguments } from '../storage/driver';
import type { RootMount } from '../storage/driver';
import type { ContainerFolder } from './bundle';
import { isAlive } from './process';

/** With what is mounted into it, as its processes see it ("inside"), or its own files only ("own"). */
export type RootView = 'inside' | 'own';

export interface BoundFolder {
	/** On the host. */
	readonly source: string;
	/** In the container. */
	readonly destination: string;
	readonly read_only: boolean;
}

export interface StoppedRoot {
	readonly folder: ContainerFolder;
	readonly mount: RootMount;
	readonly binds: readonly BoundFolder[];
	readonly isReadOnly: boolean;
}

/** A container for withRoot, which is asked anew after each wait. */
export interface RootSource {
	readonly openLive: () => Tree | undefined;
	readonly hasProcess: () => boolean;
	/** Resolves when the process that is gone has been noticed. */
	readonly settled: () => Promise<unknown>;
	/** Nothing else happens to the container while the operation goes on. */
	readonly locked: <T>(operation: () => Promise<T>) => Promise<T>;
	readonly stopped: () => Promise<StoppedRoot>;
}

/** Gives the container's file system to `work`, for as long as that takes. */
export async function withRoot<T>(source: RootSource, work: (tree: Tree) => Promise<T>): Promise<T> {
	for (;;) {
		const tree = source.openLive();
		if (tree !== undefined) {
			try {
				return await work(tree);
			} finally {
				tree.close();
			}
		}
		if (source.hasProcess()) {
			await source.settled();
			continue;
		}
		const done = await source.locked(async () =>
			// It may have been started while this waited for its turn.
			source.hasProcess() ? undefined : { value: await withStoppedRoot(await source.stopped(), work) },
		);
		if (done !== undefined) {
			return done.value;
		}
	}
}

/**
 * The root of a running container: through /proc, so that its own mount namespace decides what is where. "own" is what
 * its shim has mounted, before the runtime added anything. Undefined when it does not run (any more).
 */
export function openLiveRoot(container: Container, folder: ContainerFolder, view: RootView): Tree | undefined {
	const process = view === 'inside' ? container.process : container.shim;
	if (process === null || !isAlive(process)) {
		return undefined;
	}
	const root = `/proc/${process.pid}/root`;
	const tree = new Tree(view === 'inside' ? root : root + folder.merged);
	if (isAlive(process)) {
		return tree;
	}
	tree.close(); // of whoever has the number now
	return undefined;
}

/**
 * Mounts the root of a container that does not run, in a mount namespace that a helper process holds: it ends with the
 * work, and with the engine too, as the helper's input is a pipe from it. Nobody else may write there meanwhile.
 */
async function withStoppedRoot<T>(root: StoppedRoot, work: (tree: Tree) => Promise<T>): Promise<T> {
	const holder = await Holder.start(root);
	let tree: Tree | undefined;
	try {
		tree = new Tree(`/proc/${holder.pid}/root${root.folder.merged}`);
		for (const bind of [...root.binds].sort((a, b) => depthOf(a) - depthOf(b))) {
			await bindFolder(holder, tree, bind);
		}
		if (root.isReadOnly) {
			await holder.mount(tree.root, ['--options', 'remount,ro']);
		}
		return await work(tree);
	} finally {
		tree?.close();
		await holder.end();
	}
}

/** Arguments: those of mount_root. Ends when its input does. */
const SCRIPT = `${MOUNT_FUNCTIONS}
mount_root "$1" "$2" "$3" "$4"
echo ready
read line || :
unmount_root "$4"`;

/** The process whose mount namespace has the root. */
class Holder {
	private constructor(
		private readonly child: ChildProcess,
		readonly pid: number,
		private readonly ended: Promise<void>,
	) {}

	static async start({ folder, mount }: StoppedRoot): Promise<Holder> {
		const shell = ['sh', '-e', '-c', SCRIPT, 'root', ...mountArguments(mount, folder.merged)];
		const child = spawn('unshare', ['--mount', '--propagation', 'private', ...shell], {
			stdio: ['pipe', 'pipe', 'pipe'],
			cwd: '/',
			env: { ...toolEnvironment(), LIBMOUNT_FORCE_MOUNT2: 'always' },
		});
		let complaint = '';
		child.stderr.setEncoding('utf8').on('data', (text: string) => {
			complaint = (complaint + text).slice(0, 4096);
		});
		child.stdin.on('error', () => {
			// It has ended already, which is what the end of its input is for.
		});
		const ended = new Promise<void>((resolve) => {
			child.once('close', () => {
				resolve();
			});
		});
		await new Promise<void>((resolve, reject) => {
			child.stdout.once('data', () => {
				resolve();
			});
			child.once('error', reject);
			void ended.then(() => {
				reject(new EngineError('internal', `Cannot mount "${folder.merged}": ${complaint.trim()}`));
			});
		});
		return new Holder(child, child.pid ?? 0, ended);
	}

	/** mount(8) on an open folder or file of the tree, whose path nobody can lead astray. */
	async mount(place: Pick<Folder, 'descriptor'>, args: readonly string[]): Promise<void> {
		const target = `/proc/${process.pid}/fd/${place.descriptor}`;
		const enter = ['--target', String(this.pid), '--mount', '--', 'mount', '--no-canonicalize'];
		const { code, stderr } = await run('nsenter', [...enter, ...args, target], {
			env: { ...toolEnvironment(), LIBMOUNT_FORCE_MOUNT2: 'always' },
		});
		if (code !== 0) {
			throw new EngineError('internal', `Cannot mount a folder of a container: ${stderr.trim()}`);
		}
	}

	/** Resolves when the mounts are gone. */
	async end(): Promise<void> {
		this.child.stdin?.end();
		await this.ended;
	}
}

/** As docker, a mount point that is not there is made. */
async function bindFolder(holder: Holder, tree: Tree, { source, destination, read_only }: BoundFolder): Promise<void> {
	const isFolder = fs.statSync(source, { throwIfNoEntry: false })?.isDirectory();
	if (isFolder === undefined) {
		return; // nothing to mount; a start would make or refuse it
	}
	const opened = openMountPoint(tree, destination, isFolder);
	try {
		await holder.mount(opened, ['--rbind', source]);
	} finally {
		opened.close();
	}
	if (read_only) {
		const mounted = openMountPoint(tree, destination, isFolder);
		try {
			await holder.mount(mounted, ['--options', 'remount,bind,ro']);
		} finally {
			mounted.close();
		}
	}
}

interface OpenPlace {
	readonly descriptor: number;
	readonly close: () => void;
}

const O_PATH = 0o10000000;

function openMountPoint(tree: Tree, destination: string, isFolder: boolean): OpenPlace {
	let place = tree.resolve(bytesOf(destination), { followsLast: true });
	while (place.stat === undefined) {
		const isLast = joinedPath(place.folder, place.name) === place.path;
		if (isLast && !isFolder) {
			fs.writeFileSync(pathIn(place.folder, place.name), '', { flag: 'wx', mode: 0o755 });
		} else {
			fs.mkdirSync(pathIn(place.folder, place.name), { mode: 0o755 });
			fs.chmodSync(pathIn(place.folder, place.name), 0o755);
		}
		place = tree.resolve(bytesOf(destination), { followsLast: true });
	}
	if (place.name === '') {
		const { folder } = place;
		return {
			descriptor: folder.descriptor,
			close: () => {
				tree.release(folder, tree.root);
			},
		};
	}
	const descriptor = fs.openSync(pathIn(place.folder, place.name), O_PATH | fs.constants.O_NOFOLLOW);
	return {
		descriptor,
		close: () => {
			fs.closeSync(descriptor);
			tree.release(place.folder, tree.root);
		},
	};
}

function joinedPath(folder: Folder, name: string): string {
	return path.posix.join(folder.path, name);
}

function depthOf({ destination }: BoundFolder): number {
	return partsOf(destination).length;
}
