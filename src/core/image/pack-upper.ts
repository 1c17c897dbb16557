/** The upper directory of an overlay as a layer (image-spec, layer.md): overlayfs's marks become whiteouts. */
import { spawn } from 'node:child_process';
import { EngineError } from '../errors';
import { toolEnvironment } from '../exec';
import { isWhiteoutEntry } from '../storage/whiteout';
import { encodeEntry, endOfArchive, padding, TarReader } from './tar';
import type { TarEntry, TarSink } from './tar';

const MAX_ENTRIES = 10_000_000;
const OPAQUE = /^(?:(?:trusted|user)\.overlay|user\.fuseoverlayfs)\.opaque$/;
const OVERLAY = /^(?:(?:trusted|user)\.overlay|user\.fuseoverlayfs)\./;
/** As a file fuse-overlayfs's mark, and as a device; in a layer the first is the same mark. */
const OPAQUE_FILE = /(?:^|\/)\.wh\.(?:\.wh\.)?\.opq$/;
/** What a runtime makes to mount on, and docker hides in a layer of its own. */
const MOUNT_POINTS = new Set(['etc/hosts', 'etc/hostname', 'etc/resolv.conf', 'dev/console', '.dockerenv']);

/** Whether a path of an upper directory (without leading slash) is a file that was only made to mount on. */
export function isMountPoint(path: string, size: number): boolean {
	return size === 0 && MOUNT_POINTS.has(path);
}

const MOUNT_FOLDERS = new Set(['dev', 'proc', 'sys', 'dev/pts', 'dev/shm', 'dev/mqueue']);

/** Whether a folder of an upper directory (without leading slash) is one that the runtime mounts on. */
export function isMountFolder(path: string): boolean {
	return MOUNT_FOLDERS.has(path);
}

/** A tar stream of the layer. Reading it fails when tar does. */
export async function* packUpper(directory: string, signal: AbortSignal): AsyncGenerator<Buffer> {
	const args = [
		...['-C', directory, '--format=posix', '--numeric-owner', '--sparse', '--xattrs', '--xattrs-include=*'],
		...['--pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime', '-cf', '-', '.'],
	];
	const child = spawn('tar', args, { stdio: ['ignore', 'pipe', 'pipe'], env: toolEnvironment(), signal });
	let complaint = '';
	child.stderr.setEncoding('utf8').on('data', (text: string) => {
		complaint = (complaint + text).slice(0, 4096);
	});
	const end = new Promise<number | null>((resolve, reject) => {
		child.once('error', reject).once('close', resolve);
	});
	end.catch(() => undefined);
	const layer = new LayerEncoder();
	const reader = new TarReader(layer, MAX_ENTRIES);
	try {
		for await (const chunk of child.stdout as AsyncIterable<Buffer>) {
			reader.write(chunk);
			yield* layer.take();
		}
		const code = await end;
		// 1: a file changed while it was read.
		if (code !== 0 && code !== 1) {
			throw new EngineError('internal', `Cannot pack "${directory}": ${complaint.trim() || 'tar was stopped'}`);
		}
		reader.finish();
		yield* layer.take();
		yield endOfArchive();
	} finally {
		child.kill('SIGKILL');
	}
}

class LayerEncoder implements TarSink {
	private waiting: Buffer[] = [];
	private readonly whiteouts = new Set<string>();
	/** Marks of opaque folders that are written; fuse-overlayfs keeps several kinds. */
	private readonly opaque = new Set<string>();
	private size = 0;
	private isSkipped = false;

	take(): Buffer[] {
		const taken = this.waiting;
		this.waiting = [];
		return taken;
	}

	begin(entry: TarEntry): void {
		const name = entry.name.replace(/^\.\//, '');
		this.isSkipped = true;
		this.size = 0;
		if (OPAQUE_FILE.test(name)) {
			this.markOpaque(name.replace(/[^/]*$/, '.wh..wh..opq'));
			return;
		}
		if (this.isWhiteout(entry)) {
			this.whiteouts.add(entry.name);
			this.whiteOut(name);
			return;
		}
		const isOpaque = [...entry.xattrs.keys()].some((key) => OPAQUE.test(key));
		const isRoot = name === '' || name === '.';
		const isForMounts = entry.type === 'directory' && isMountFolder(name.replace(/\/$/, ''));
		if (
			!isRoot &&
			!isForMounts &&
			!(entry.type === 'file' && isMountPoint(name, entry.sparse?.size ?? entry.size))
		) {
			this.isSkipped = false;
			this.size = entry.size;
			const xattrs = new Map([...entry.xattrs].filter(([key]) => !OVERLAY.test(key)));
			const linkName = entry.type === 'link' ? entry.linkName.replace(/^\.\//, '') : entry.linkName;
			this.waiting.push(encodeEntry({ ...entry, name, linkName, xattrs }));
		}
		if (isOpaque) {
			this.markOpaque(`${isRoot ? '' : name}.wh..wh..opq`);
		}
	}

	data(buffer: Buffer, start: number, length: number): void {
		if (!this.isSkipped) {
			this.waiting.push(Buffer.from(buffer.subarray(start, start + length)));
		}
	}

	end(): void {
		if (!this.isSkipped) {
			this.waiting.push(padding(this.size));
		}
	}

	private markOpaque(name: string): void {
		if (!this.opaque.has(name)) {
			this.opaque.add(name);
			this.waiting.push(encodeEntry(emptyFile(name)));
		}
	}

	/** Overlayfs makes one device and links it, so further ones come as hard links. */
	private isWhiteout(entry: TarEntry): boolean {
		return isWhiteoutEntry(entry) || (entry.type === 'link' && this.whiteouts.has(entry.linkName));
	}

	private whiteOut(name: string): void {
		const slash = name.lastIndexOf('/') + 1;
		this.waiting.push(encodeEntry(emptyFile(`${name.slice(0, slash)}.wh.${name.slice(slash)}`)));
	}
}

function emptyFile(name: string): TarEntry {
	return {
		...{ type: 'file', name, linkName: '', mode: 0, uid: 0, gid: 0, size: 0 },
		...{ mtime: 0, mtimeNanoseconds: 0, major: 0, minor: 0, xattrs: new Map() },
	} as const;
}
