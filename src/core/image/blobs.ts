/** The content store: an OCI image layout (image-spec, image-layout.md) that skopeo and umoci can read. */
import { createHash, randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { EngineError, systemCode } from '../errors';
import { replaceFile, syncFolder, syncBeside, writeTogether } from '../store';
import { digestOf } from './manifest';
import type { Descriptor } from './manifest';
import { isDigest } from './reference';

export interface IndexEntry {
	readonly descriptor: Descriptor;
	/** "docker.io/library/nginx:latest"; none for a dangling image. */
	readonly name?: string;
}

const HEX = /^[a-f0-9]{64}$/;
/** Milliseconds after which nobody will go on with a download. */
const PART_LIFETIME = 7 * 24 * 3600 * 1000;

/**
 * Blobs by digest. A file in blobs/sha256 is whole and has its digest: it is written under another name, checked and
 * renamed. It is durable before that, but for a layer's (commitBlob).
 */
export class Blobs {
	private readonly folder: string;

	constructor(private readonly root: string) {
		this.folder = blobFolder(root);
	}

	/** Makes the layout's files; parts of downloads that were under way in another life stay for a while. */
	load(): void {
		fs.mkdirSync(this.folder, { recursive: true, mode: 0o700 });
		this.loadParts(path.join(this.root, 'ingest'));
		this.writeUnlessSame('oci-layout', JSON.stringify({ imageLayoutVersion: '1.0.0' }));
	}

	private loadParts(folder: string): void {
		fs.mkdirSync(folder, { recursive: true, mode: 0o700 });
		for (const name of fs.readdirSync(folder)) {
			const file = path.join(folder, name);
			const stat = fs.lstatSync(file);
			const isWanted = HEX.test(name) && stat.isFile() && Date.now() - stat.mtimeMs < PART_LIFETIME;
			if (!isWanted || fs.existsSync(path.join(this.folder, name))) {
				fs.rmSync(file, { recursive: true, force: true });
			}
		}
	}

	path(digest: string): string {
		return blobPath(this.root, digest);
	}

	/** Whether the blob is there in its full size. */
	has(descriptor: Pick<Descriptor, 'digest' | 'size'>): boolean {
		return fs.statSync(this.path(descriptor.digest), { throwIfNoEntry: false })?.size === descriptor.size;
	}

	/** A small blob, its digest checked again; undefined when it is missing or damaged. */
	read(digest: string): Buffer | undefined {
		try {
			const bytes = fs.readFileSync(this.path(digest));
			return digestOf(bytes) === digest ? bytes : undefined;
		} catch (error) {
			if (systemCode(error) === 'ENOENT') {
				return undefined;
			}
			throw error;
		}
	}

	/** Stores small blobs, and makes the names of all blobs survive a power cut. */
	write(...blobs: readonly Uint8Array[]): void {
		const files = blobs.map((bytes): [string, Uint8Array] => [this.path(digestOf(bytes)), bytes]);
		const missing = new Map(files.filter(([file]) => !fs.existsSync(file)));
		if (missing.size > 0) {
			writeTogether(missing);
		} else {
			syncFolder(this.folder);
		}
	}

	/**
	 * As write, while other work goes on: then the bytes are on the disk, and their names are after syncNames. An image that has
	 * lost one of them by a power cut before that is dropped when the store is opened.
	 */
	async writeBeside(...blobs: readonly Uint8Array[]): Promise<void> {
		await Promise.all(blobs.map((bytes) => this.writeOne(bytes)));
	}

	private async writeOne(bytes: Uint8Array): Promise<void> {
		const file = this.path(digestOf(bytes));
		if (fs.existsSync(file)) {
			return;
		}
		const temporary = `${file}.${randomBytes(4).toString('hex')}.tmp`;
		try {
			const handle = await fs.promises.open(temporary, 'wx', 0o600);
			try {
				await handle.writeFile(bytes);
				await handle.sync();
			} finally {
				await handle.close();
			}
			fs.renameSync(temporary, file);
		} catch (error) {
			fs.rmSync(temporary, { force: true });
			throw error;
		}
	}

	/** Makes the names of all blobs survive a power cut. */
	async syncNames(): Promise<void> {
		await syncBeside(this.folder);
	}

	/** Bytes on the disk; 0 when it is not there. */
	diskSize(digest: string): number {
		return (fs.statSync(this.path(digest), { throwIfNoEntry: false })?.blocks ?? 0) * 512;
	}

	remove(digest: string): void {
		fs.rmSync(this.path(digest), { force: true });
	}

	/** Digests of all blobs. */
	list(): string[] {
		return fs
			.readdirSync(this.folder)
			.filter((name) => HEX.test(name))
			.map((name) => `sha256:${name}`);
	}

	/** Removes what a write that was cut off has left. */
	removeLeftovers(): void {
		for (const name of fs.readdirSync(this.folder).filter((other) => !HEX.test(other))) {
			fs.rmSync(path.join(this.folder, name), { recursive: true, force: true });
		}
	}

	/** Writes index.json, which other tools find images by; this engine's truth is in the records. */
	writeIndex(entries: readonly IndexEntry[]): void {
		const manifests = entries.map(({ descriptor, name }) => ({
			...descriptor,
			...(name === undefined ? {} : { annotations: { 'org.opencontainers.image.ref.name': name } }),
		}));
		const mediaType = 'application/vnd.oci.image.index.v1+json';
		this.writeUnlessSame('index.json', JSON.stringify({ schemaVersion: 2, mediaType, manifests }, undefined, '\t'));
	}

	private writeUnlessSame(name: string, content: string): void {
		const file = path.join(this.root, name);
		if (!fs.existsSync(file) || fs.readFileSync(file, 'utf8') !== content) {
			replaceFile(file, content); // compared and written again by load
		}
	}
}

/** The hex part of a digest: a safe file name. */
export function hexOf(digest: string): string {
	if (!isDigest(digest)) {
		throw new EngineError('invalid', `Cannot use digest "${digest}": it is not "sha256:" and 64 hex digits`);
	}
	return digest.slice('sha256:'.length);
}

/** Where the store at `root` keeps the blob. */
export function blobPath(root: string, digest: string): string {
	return path.join(blobFolder(root), hexOf(digest));
}

function blobFolder(root: string): string {
	return path.join(root, 'blobs', 'sha256');
}

/** The name of a blob's part in ingest/; whoever has no right to it (`isShared`) takes one of its own. */
export function partFile(root: string, digest: string, isShared: boolean): string {
	const name = hexOf(digest) + (isShared ? '' : `.${randomBytes(4).toString('hex')}`);
	return path.join(root, 'ingest', name);
}

/**
 * Gives a whole and checked blob its name in the store at `root`. It need not be on the disk: that it is there is noted with
 * its layer (LayerRecord), and one that a power cut has spoilt is told by its digest when the layer is unpacked again.
 */
export function commitBlob(root: string, digest: string, file: string): void {
	fs.renameSync(file, blobPath(root, digest));
}

/**
 * One blob on its way into the store at `root`. The file may hold its beginning from an earlier download: that is read
 * again first, so that the digest is one of the whole.
 */
export class Ingest {
	private readonly hash = createHash('sha256');
	private openFile: number | undefined;
	/** Bytes that were there already. */
	readonly start: number;

	constructor(
		private readonly descriptor: Descriptor,
		private readonly file: string,
	) {
		const { O_CREAT, O_RDWR, O_NOFOLLOW } = fs.constants;
		this.openFile = fs.openSync(file, O_RDWR | O_CREAT | O_NOFOLLOW, 0o600);
		const { size } = fs.fstatSync(this.openFile);
		this.start = size <= descriptor.size ? size : 0;
		// Even of an empty file it would have ext4 write all that comes to the disk when it is closed (auto_da_alloc).
		if (size !== this.start) {
			fs.ftruncateSync(this.openFile, this.start);
		}
	}

	/**
	 * What was there, then what `source` gives; the latter is written on the way. Throws EngineError "corrupt" with the
	 * bare reason at the end when size or digest are not those of the descriptor.
	 */
	async *tee(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
		const file = this.openFile;
		if (file === undefined) {
			throw new TypeError('The file is closed');
		}
		let size = 0;
		for await (const chunk of this.both(source)) {
			this.hash.update(chunk);
			if (size >= this.start) {
				for (let done = 0; done < chunk.length;) {
					done += fs.writeSync(file, chunk, done, chunk.length - done, size + done);
				}
			}
			size += chunk.length;
			yield chunk;
		}
		const digest = `sha256:${this.hash.digest('hex')}`;
		if (size !== this.descriptor.size || digest !== this.descriptor.digest) {
			throw new EngineError('corrupt', `its content has ${size} bytes and digest ${digest}`);
		}
	}

	/** Closes the file; it stays, for commitBlob or for whoever comes next. */
	close(): void {
		if (this.openFile !== undefined) {
			fs.closeSync(this.openFile);
			this.openFile = undefined;
		}
	}

	private async *both(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
		if (this.start > 0) {
			const options = { end: this.start - 1, highWaterMark: 256 * 1024 };
			for await (const chunk of fs.createReadStream(this.file, options)) {
				yield chunk as Buffer;
			}
		}
		yield* source;
	}
}
