/** The unpacked layers, layers/<DiffID>/: each one overlay lower directory, shared by all images that have it. */
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import type { IncomingMessage } from 'node:http';
import * as path from 'node:path';
import * as v from 'valibot';
import { EngineError, messageOf, systemCode } from '../errors';
import { run } from '../exec';
import type { RootLayers } from '../storage/driver';
import { hexOf, partFile } from './blobs';
import { EarlyAnswers } from './early';
import { IMAGE, MOUNT_POINT } from './layer';
import type { AppliedLayer, LayerFormat } from './layer';
import { recordedOpaque } from './layer-entry';
import { mountPointsIn, unmountLayers } from './layer-mounts';
import { LayerNamespace } from './layer-namespace';
import { isInline, LayerThreads } from './layer-threads';
import type { Descriptor } from './manifest';
import { opaqueFolders } from './opaque';
import type { Registry } from './registry';
import { commitLayer, treeOf } from './unpack';
import type { JobProgress, LayerJob } from './unpack';

/** What is known of an unpacked layer, layers/<DiffID>.json. */
export interface LayerRecord {
	/** Bytes of all regular files. */
	readonly size: number;
	/** The layer hides all below it. */
	readonly is_opaque: boolean;
	/**
	 * See opaquePaths. Missing where it is not known: in records of earlier versions, and where the layer has too many
	 * for a record.
	 */
	readonly opaque?: readonly string[] | undefined;
	/**
	 * The boot in which the layer was unpacked; its files and its blob may still be in memory only. "" once they are on the
	 * disk. After a power cut a layer of another boot is not trusted and unpacked again from its blob, whose digest then tells
	 * whether it is whole.
	 */
	readonly boot_id: string;
}

/** A layer that is there. */
interface StoredLayer extends LayerRecord {
	readonly format: LayerFormat;
}

export interface LayerRequest {
	readonly descriptor: Descriptor;
	readonly diffId: string;
	readonly download: LayerJob['download'];
	/** Has connections to where it is downloaded from. */
	readonly registry?: Registry;
}

export interface ObtainOptions {
	readonly signal: AbortSignal;
	readonly onProgress: (progress: JobProgress) => void;
}

const recordSchema = v.object({
	size: v.number(),
	is_opaque: v.boolean(),
	opaque: v.optional(v.array(v.string())),
	boot_id: v.string(),
});
/** An image's folder is told by its name, so that an engine that does not know images takes it for none of its own. */
const LAYER = /^([a-f0-9]{64})(\.erofs)?$/;
/** Milliseconds. */
const SYNC_DELAY = 500;
/** Small layers that are requested before it is certain that they are needed. */
const MOST_EARLY = 4;

/**
 * Invariant: a folder named by a DiffID is whole, and its record is beside it. It is filled under a temporary name and
 * renamed; it is renamed away before it is removed.
 */
export class Layers {
	private readonly folder: string;
	private readonly records = new Map<string, StoredLayer>();
	/** Opaque folders of those whose record does not name them. */
	private readonly found = new Map<string, readonly string[]>();
	private readonly flights = new Map<string, Flight>();
	/** Parts of blobs that are being written. */
	private readonly parts = new Set<string>();
	private readonly threads: LayerThreads;
	private readonly answers = new EarlyAnswers();
	private readonly background = new Set<Promise<void>>();
	private syncTimer: NodeJS.Timeout | undefined;
	private isMountable = true;
	private realFolder: string | undefined;
	private readonly namespace = new LayerNamespace();

	constructor(
		private readonly root: string,
		private readonly warn: (message: string) => void,
		/** What new layers become; those that are there stay as they are. */
		readonly format: LayerFormat,
		workerFile: string,
	) {
		this.folder = path.join(root, 'layers');
		this.threads = new LayerThreads(workerFile);
	}

	/** Reads what is there and removes what was half done. */
	load(): void {
		fs.mkdirSync(this.folder, { recursive: true, mode: 0o700 });
		const boot = bootId();
		const names = new Set(fs.readdirSync(this.folder));
		for (const name of names) {
			const [, hex, ending] = LAYER.exec(name) ?? [];
			const record = hex === undefined ? undefined : readRecord(this.recordFile(name));
			const diffId = `sha256:${hex ?? ''}`;
			if (record && (record.boot_id === '' || record.boot_id === boot) && !this.records.has(diffId)) {
				this.records.set(diffId, { ...record, format: ending === undefined ? 'files' : 'erofs' });
			} else if (!name.endsWith('.json') || !names.has(name.slice(0, -'.json'.length))) {
				this.discard(name);
			}
		}
		this.syncInBackground();
	}

	/** DiffIDs of all layers. */
	list(): string[] {
		return [...this.records.keys()];
	}

	get(diffId: string): LayerRecord | undefined {
		return this.records.get(diffId);
	}

	/** Bytes on the disk of those of these layers that are there, with their records, as du counts them. */
	async diskSizes(diffIds: readonly string[], signal?: AbortSignal): Promise<ReadonlyMap<string, number>> {
		const owners = new Map(
			diffIds
				.filter((diffId) => this.records.has(diffId))
				.flatMap((diffId) => {
					const name = this.nameOf(diffId);
					return [path.join(this.folder, name), this.recordFile(name)].map((file) => [file, diffId] as const);
				}),
		);
		const sizes = new Map<string, number>();
		if (owners.size === 0) {
			return sizes;
		}
		const input = [...owners.keys()].map((file) => `${file}\0`).join('');
		const { stdout } = await run('du', ['-skx0', '--files0-from=-'], { input, ...(signal && { signal }) });
		for (const line of stdout.split('\0')) {
			const [, kibibytes, file = ''] = /^(\d+)\t(.*)$/s.exec(line) ?? [];
			const diffId = owners.get(file);
			if (diffId !== undefined) {
				sizes.set(diffId, (sizes.get(diffId) ?? 0) + Number(kibibytes) * 1024);
			}
		}
		return sizes;
	}

	/** Makes ready what `paths` needs for these layers. Throws EngineError "unsupported" when that fails. */
	async ready(diffIds: readonly string[]): Promise<void> {
		if (!diffIds.some((diffId) => this.isImage(diffId))) {
			return;
		}
		await this.namespace.open();
		if (this.namespace.place !== undefined) {
			// Of earlier versions, which mounted in the machine's own.
			unmountLayers(mountPointsIn(fs.realpathSync(this.folder)));
		}
	}

	/** Where the layers' files can be read, absolute. Mounts what must be; throws EngineError "unsupported" when that fails. */
	paths(diffIds: readonly string[]): string[] {
		this.mount(diffIds.filter((diffId) => this.isImage(diffId)));
		return diffIds.map((diffId) => (this.isImage(diffId) ? this.readable(diffId) : this.treePath(diffId)));
	}

	/** The same for a root file system to be mounted of. */
	mountable(diffIds: readonly string[]): RootLayers {
		this.mount(diffIds.filter((diffId) => this.isImage(diffId)));
		const { place } = this.namespace;
		const lowers = diffIds.map((diffId) => this.treePath(diffId));
		return place !== undefined && diffIds.some((diffId) => this.isImage(diffId))
			? { lowers, images: place }
			: { lowers };
	}

	/** See LowerLayer; nothing of a layer that learnOpaque was not asked for and whose record does not say it. */
	opaque(diffId: string): readonly string[] {
		return this.records.get(diffId)?.opaque ?? this.found.get(diffId) ?? [];
	}

	/** Looks for the opaque folders of layers whose record does not name them. */
	async learnOpaque(diffIds: readonly string[], signal: AbortSignal): Promise<void> {
		for (const diffId of diffIds) {
			if (this.records.get(diffId)?.opaque === undefined && !this.found.has(diffId)) {
				const [directory = ''] = this.paths([diffId]);
				this.noteOpaque(diffId, [...(await opaqueFolders(directory, signal))]);
			}
		}
	}

	private noteOpaque(diffId: string, found: readonly string[]): void {
		const record = this.records.get(diffId);
		const opaque = recordedOpaque(found);
		if (record === undefined) {
			return; // removed meanwhile
		}
		if (opaque === undefined) {
			this.found.set(diffId, found);
			return;
		}
		this.note(diffId, { ...record, opaque });
	}

	/** Removes layers that cannot be mounted here: they are unpacked again as files. */
	async removeUnusable(diffIds: readonly string[]): Promise<void> {
		try {
			await this.ready(diffIds);
			this.paths(diffIds);
		} catch (error) {
			if (!(error instanceof EngineError) || error.code !== 'unsupported') {
				throw error;
			}
			this.warn(`Layers are unpacked again, as they cannot be mounted: ${error.message}`);
			this.isMountable = false;
			this.remove(diffIds.filter((diffId) => this.isImage(diffId)));
		}
	}

	/**
	 * Unpacks the layer, or waits for whoever is just doing that. The work stops when nobody waits for it any more, and
	 * then nothing is left of it.
	 */
	async obtain(request: LayerRequest, options: ObtainOptions): Promise<void> {
		options.signal.throwIfAborted();
		const key = `${request.diffId} ${request.descriptor.digest}`;
		let flight = this.flights.get(key);
		if (!flight) {
			const started = (flight = new Flight((flightOptions) => this.unpack(request, flightOptions)));
			this.flights.set(key, started);
			started.onEnd(() => {
				if (this.flights.get(key) === started) {
					this.flights.delete(key);
				}
			});
		}
		await flight.join(options);
	}

	/** Removes layers; the names are gone at once, the files soon after. */
	remove(diffIds: readonly string[]): void {
		for (const diffId of diffIds) {
			const name = this.nameOf(diffId);
			this.found.delete(diffId);
			if (this.records.delete(diffId)) {
				this.discard(name);
			}
		}
	}

	/**
	 * Soon starts to write all unpacked files to the disk and notes when they are there: once for all that comes together,
	 * and not while somebody waits for an answer.
	 */
	syncInBackground(): void {
		this.syncTimer ??= setTimeout(() => {
			this.startSync();
		}, SYNC_DELAY).unref();
	}

	/** Resolves when no work goes on in the background, all layers are on the disk, and none is mounted. */
	async close(): Promise<void> {
		if (this.syncTimer !== undefined) {
			this.startSync();
		}
		while (this.background.size > 0) {
			await Promise.all(this.background);
		}
		// Containers that run keep what they use.
		await this.namespace.close();
		try {
			unmountLayers(mountPointsIn(fs.realpathSync(this.folder)));
		} catch (error) {
			this.warn(messageOf(error)); // of a machine that has no namespace for them: the next engine takes them over
		}
	}

	private startSync(): void {
		clearTimeout(this.syncTimer);
		this.syncTimer = undefined;
		const unsynced = new Map([...this.records].filter(([, record]) => record.boot_id !== ''));
		if (unsynced.size > 0) {
			this.inBackground(this.sync(unsynced));
		}
	}

	/**
	 * Says that these layers will be asked for soon: threads start, and the first small ones are requested already. The
	 * result drops what was not needed.
	 */
	prepare(layers: readonly Descriptor[], request: (layer: Descriptor) => Promise<IncomingMessage>): () => void {
		this.threads.prepare(layers.map(({ size }) => size));
		const underWay = [...this.flights.keys()];
		const isNew = ({ digest }: Descriptor): boolean =>
			!underWay.some((key) => key.endsWith(digest)) && sizeOf(partFile(this.root, digest, true)) === 0;
		return this.answers.ask(
			layers.filter((layer) => isInline(layer.size) && isNew(layer)).slice(0, MOST_EARLY),
			request,
		);
	}

	/** Keeps the part of a download that was cut off, for the next one. */
	private async unpack(request: LayerRequest, options: ObtainOptions): Promise<void> {
		const shared = partFile(this.root, request.descriptor.digest, true);
		const isShared = !this.parts.has(shared);
		const part = isShared ? shared : partFile(this.root, request.descriptor.digest, false);
		this.parts.add(part);
		try {
			await this.unpackFrom(request, part, options);
		} catch (error) {
			if (!isShared || !mayResume(error) || sizeOf(part) === 0) {
				fs.rmSync(part, { force: true });
			}
			throw error;
		} finally {
			this.parts.delete(part);
		}
	}

	/** What is wrong may be the part of an earlier download, or a mirror: then it is tried once more without them. */
	private async unpackFrom(request: LayerRequest, part: string, options: ObtainOptions): Promise<void> {
		const { download } = request;
		const isFresh = sizeOf(part) === 0 && (download?.sources.length ?? 0) <= 1;
		try {
			await this.unpackOnce(request, part, options);
		} catch (error) {
			if (isFresh || download === null || !(error instanceof EngineError) || error.code !== 'corrupt') {
				throw error;
			}
			fs.rmSync(part, { force: true });
			const origin = { ...download, sources: download.sources.slice(-1) };
			const { descriptor, diffId } = request;
			await this.unpackOnce({ descriptor, diffId, download: origin }, part, options);
		}
	}

	private async unpackOnce(request: LayerRequest, part: string, options: ObtainOptions): Promise<void> {
		const temporary = path.join(this.folder, `.tmp-${randomBytes(8).toString('hex')}`);
		const format = this.isMountable ? this.format : 'files';
		const { registry, ...rest } = request;
		const job: LayerJob = { ...rest, format, root: this.root, temporary, part };
		const own = registry && { registry, takeAnswer: () => this.answers.take(rest.descriptor.digest) };
		try {
			const layer = await this.threads.run(job, { ...options, own });
			for (const warning of layer.warnings) {
				this.warn(`Layer ${request.descriptor.digest}: ${warning}`);
			}
			commitLayer(job);
			this.settle(request.diffId, temporary, { ...layer, format });
		} finally {
			// Nobody waits for that: a cancelled pull is over at once.
			this.inBackground(removeTree(temporary));
		}
	}

	/** A folder for a job that unpacks a layer. */
	temporaryFolder(): string {
		return path.join(this.folder, `.tmp-${randomBytes(8).toString('hex')}`);
	}

	/** Takes the layer that a job has left in a temporary folder, and removes the rest of that. */
	async adopt(diffId: string, temporary: string, layer: AppliedLayer): Promise<void> {
		try {
			this.settle(diffId, temporary, { ...layer, format: this.format });
		} finally {
			await removeTree(temporary);
		}
	}

	/** Removes what a job that failed has left. */
	async dropTemporary(temporary: string): Promise<void> {
		await removeTree(temporary);
	}

	private settle(diffId: string, temporary: string, layer: AppliedLayer & { readonly format: LayerFormat }): void {
		const known = this.records.get(diffId);
		if (known) {
			this.note(diffId, { ...known, boot_id: bootId() }); // it came with another blob
			return;
		}
		const { size, isOpaque, opaque, format } = layer;
		const record = { size, is_opaque: isOpaque, opaque, boot_id: bootId() };
		const name = nameOf(diffId, format);
		this.writeRecord(name, record);
		fs.renameSync(treeOf(temporary), path.join(this.folder, name));
		this.records.set(diffId, { ...record, format });
	}

	private note(diffId: string, layer: StoredLayer): void {
		const { format, ...record } = layer;
		this.writeRecord(nameOf(diffId, format), record);
		this.records.set(diffId, layer);
	}

	private mount(diffIds: readonly string[]): void {
		// Somebody may have unmounted them, or in the machine's own namespace an engine that was killed have left them.
		const missing = [...new Set(diffIds)].filter((diffId) => !isMounted(this.readable(diffId)));
		const targets = missing.map((diffId) => this.treePath(diffId));
		this.namespace.mount(targets.map((target) => ({ image: path.join(path.dirname(target), IMAGE), target })));
	}

	private isImage(diffId: string): boolean {
		return this.records.get(diffId)?.format === 'erofs';
	}

	/** Real, so that no link leads out of the namespace. */
	private readable(diffId: string): string {
		this.realFolder ??= fs.realpathSync(this.folder);
		return this.namespace.readable(path.join(this.realFolder, this.nameOf(diffId), MOUNT_POINT));
	}

	private treePath(diffId: string): string {
		const folder = path.join(this.folder, this.nameOf(diffId));
		return this.isImage(diffId) ? path.join(folder, MOUNT_POINT) : folder;
	}

	private nameOf(diffId: string): string {
		return nameOf(diffId, this.records.get(diffId)?.format ?? 'files');
	}

	private async sync(unsynced: ReadonlyMap<string, StoredLayer>): Promise<void> {
		const { code, stderr } = await run('sync', ['--file-system', this.folder]);
		if (code !== 0) {
			this.warn(`Cannot write layers to the disk: ${stderr.trim()}`);
			return;
		}
		for (const [diffId, record] of unsynced) {
			if (this.records.get(diffId) === record) {
				this.note(diffId, { ...record, boot_id: '' });
			}
		}
	}

	/** Not made durable: a record that is lost makes the layer be unpacked again. */
	private writeRecord(name: string, record: LayerRecord): void {
		const file = this.recordFile(name);
		const temporary = `${file}.tmp`;
		fs.writeFileSync(temporary, `${JSON.stringify(record)}\n`, { mode: 0o600 });
		fs.renameSync(temporary, file);
	}

	private recordFile(name: string): string {
		return path.join(this.folder, `${name}.json`);
	}

	private discard(name: string): void {
		const point = path.join(this.folder, name, MOUNT_POINT);
		if (name.endsWith('.erofs') && isMounted(point)) {
			unmountLayers([point]);
		}
		const trash = path.join(this.folder, `.trash-${randomBytes(8).toString('hex')}`);
		fs.renameSync(path.join(this.folder, name), trash);
		fs.rmSync(this.recordFile(name), { force: true });
		this.inBackground(removeTree(trash));
	}

	/** Work that nobody waits for before close; its failure is a warning. */
	inBackground(work: Promise<void>): void {
		const watched = work
			.catch((error: unknown) => {
				this.warn(`Work on images failed: ${messageOf(error)}`);
			})
			.finally(() => this.background.delete(watched));
		this.background.add(watched);
	}
}

/** Whether an image's folder for it has another file system than what is around it. */
function isMounted(point: string): boolean {
	const inside = fs.statSync(point, { throwIfNoEntry: false });
	return inside !== undefined && inside.dev !== fs.statSync(path.dirname(point)).dev;
}

/** The folder's name. */
function nameOf(diffId: string, format: LayerFormat): string {
	return hexOf(diffId) + (format === 'erofs' ? '.erofs' : '');
}

/** One piece of work that several wait for. */
class Flight {
	private readonly controller = new AbortController();
	private readonly waiters = new Set<ObtainOptions>();
	private readonly work: Promise<void>;
	private last: JobProgress | undefined;

	constructor(start: (options: ObtainOptions) => Promise<void>) {
		const onProgress = (progress: JobProgress): void => {
			this.last = progress;
			for (const waiter of this.waiters) {
				waiter.onProgress(progress);
			}
		};
		this.work = start({ signal: this.controller.signal, onProgress });
	}

	/** Called once, when the work is over or not worth joining any more. */
	onEnd(callback: () => void): void {
		this.controller.signal.addEventListener('abort', callback, { once: true });
		this.work.then(callback, callback);
	}

	/** Waits for the work. The last one who leaves before its end stops it, and waits until it has stopped. */
	async join(waiter: ObtainOptions): Promise<void> {
		this.waiters.add(waiter);
		if (this.last) {
			waiter.onProgress(this.last);
		}
		let leave: () => void = () => undefined;
		const left = new Promise<never>((_, reject) => {
			leave = () => {
				this.waiters.delete(waiter);
				if (this.waiters.size === 0) {
					this.controller.abort(waiter.signal.reason);
				} else {
					reject(waiter.signal.reason as Error);
				}
			};
		});
		waiter.signal.addEventListener('abort', leave, { once: true });
		try {
			await Promise.race([this.work, left]);
		} finally {
			waiter.signal.removeEventListener('abort', leave);
			this.waiters.delete(waiter);
		}
	}
}

/** Whether another attempt may go on where this one was cut off: by whoever cancelled it, or by the network. */
function mayResume(error: unknown): boolean {
	return !(error instanceof EngineError) || error.code === 'unreachable';
}

function sizeOf(file: string): number {
	return fs.statSync(file, { throwIfNoEntry: false })?.size ?? 0;
}

function readRecord(file: string): LayerRecord | undefined {
	try {
		const result = v.safeParse(recordSchema, JSON.parse(fs.readFileSync(file, 'utf8')));
		return result.success ? result.output : undefined;
	} catch (error) {
		if (systemCode(error) === 'ENOENT' || error instanceof SyntaxError) {
			return undefined; // never finished, or lost with the power
		}
		throw error;
	}
}

/** rm(1) is quicker than Node, does not hold the engine up and removes names that are not UTF-8. */
async function removeTree(folder: string): Promise<void> {
	try {
		fs.rmdirSync(folder); // all that is left of a job that went well
		return;
	} catch (error) {
		if (systemCode(error) === 'ENOENT') {
			return;
		}
		if (systemCode(error) !== 'ENOTEMPTY' && systemCode(error) !== 'ENOTDIR') {
			throw error;
		}
	}
	const { code, stderr } = await run('rm', ['-rf', '--', folder]);
	if (code !== 0) {
		throw new Error(`rm -rf "${folder}": ${stderr.trim()}`);
	}
}

/** Identifies the time since the machine was started. */
function bootId(): string {
	return fs.readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
}
