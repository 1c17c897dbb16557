import * as fs from 'node:fs';
import * as path from 'node:path';
import type { Readable } from 'node:stream';
import { randomBytes } from 'node:crypto';
import { EngineError, messageOf } from '../errors';
import type { Events } from '../events';
import { nowNanoseconds, rfc3339 } from '../events';
import { tellFailure } from '../prune';
import type { PruneOptions } from '../prune';
import type { Store } from '../store';
import { mountTmpfs, unmountTmpfs } from './tmpfs';
import { packTree, removeTree, treeSize, unpackTree } from './tree';
import type { TreeOptions } from './tree';
import { wholeTar } from './whole-tar';
import type { Volume, VolumeSource } from './volume';
import { checkVolumeName, checkVolumeOptions, isVolume, sourceOf, tmpfsOptions, volumeKey } from './volume';

export interface VolumesOptions {
	/** The store's folder; volumes lie in `<root>/volumes`. */
	readonly root: string;
	readonly store: Store;
	readonly events: Events;
	readonly warn: (message: string) => void;
	/** Ids of all containers, running or not, that mount a volume. */
	readonly users: (name: string) => readonly string[];
	/** Ids of those among them that run, start or end. */
	readonly activeUsers: (name: string) => readonly string[];
	/** Put before programs that touch the files: [] or the way into the rootless holder. */
	readonly prefix: readonly string[];
}

export interface CreateVolumeOptions {
	/** "" makes an anonymous volume. */
	readonly name: string;
	/** "local"; "" is that too. */
	readonly driver: string;
	readonly labels: Readonly<Record<string, string>>;
	readonly options: Readonly<Record<string, string>>;
}

export interface RestoreOptions {
	/** Replaces what the volume has. */
	readonly force: boolean;
	readonly signal?: AbortSignal | undefined;
}

export interface PruneVolumesOptions extends PruneOptions {
	/** Ids of containers that a dry run takes for removed. */
	readonly gone: ReadonlySet<string>;
}

export interface PrunedVolumes {
	readonly removed: readonly string[];
	/** Bytes. */
	readonly reclaimed: number;
}

const TEMPORARY = '.tmp-';
const FORMER = '.tmp-former';
/** Lies in a volume's folder as long as its record is not written. */
const UNBORN = '.tmp-unborn';

/** The volumes of a store. Memory is the truth, records are written through. */
export class Volumes {
	private readonly volumes = new Map<string, Volume>();
	/** By name: the running containers that have a volume in memory. */
	private readonly holders = new Map<string, Set<string>>();
	/** False until `adopt` has told which containers of an earlier engine run. */
	private isAdopted = false;
	/** By name: the last piece of work on a volume's files; the next waits for it. */
	private readonly work = new Map<string, Promise<unknown>>();

	constructor(private readonly options: VolumesOptions) {}

	/** Reads the records and removes what a crash has left half made. */
	async load(): Promise<void> {
		fs.mkdirSync(this.directory(), { recursive: true, mode: 0o700 });
		for (const key of this.options.store.list('volume-')) {
			const volume = this.options.store.get(key, isVolume);
			if (volume !== undefined) {
				this.volumes.set(volume.name, volume);
				this.recover(this.data(volume.name));
			}
		}
		for (const name of fs.readdirSync(this.directory()).filter((entry) => this.isUnborn(entry))) {
			await this.discard(path.join(this.directory(), name));
		}
		const half = [this.directory(), ...this.list().map((volume) => path.dirname(this.data(volume.name)))];
		for (const directory of half) {
			for (const name of fs.readdirSync(directory).filter((entry) => entry.startsWith(TEMPORARY))) {
				await this.discard(path.join(directory, name));
			}
		}
	}

	/** Sorted by name. */
	list(): readonly Volume[] {
		return [...this.volumes.values()].sort((one, other) => (one.name < other.name ? -1 : 1));
	}

	find(name: string): Volume | undefined {
		return this.volumes.get(name);
	}

	get(name: string): Volume {
		const volume = this.volumes.get(name);
		if (volume === undefined) {
			throw new EngineError('not-found', `get ${name}: no such volume`);
		}
		return volume;
	}

	/** docker's Mountpoint: where the volume's own data lies on the host. */
	mountpoint(name: string): string {
		return this.data(this.get(name).name);
	}

	/** What to mount into a container. Throws "invalid" when a bind volume's folder is not there. */
	source(name: string): VolumeSource {
		const source = sourceOf(this.get(name), this.data(name));
		if (!fs.existsSync(source.path)) {
			throw new EngineError(
				'invalid',
				`failed to mount local volume: mount ${source.path}: no such file or directory`,
			);
		}
		return source;
	}

	/** Before a container starts: a volume in memory is mounted, once for all its containers. */
	async mount(name: string, containerId: string): Promise<void> {
		await this.alone(name, async () => {
			const options = tmpfsOptions(this.get(name).options);
			if (options !== undefined) {
				this.holdersOf(name).add(containerId);
				await mountTmpfs(this.options.prefix, this.data(name), options);
			}
		});
	}

	/** After a container's end: a volume in memory that none has any more is gone. Never throws: what stays is a warning. */
	async unmount(name: string, containerId: string): Promise<void> {
		await this.alone(name, async () => {
			const holders = this.holdersOf(name);
			holders.delete(containerId);
			if (this.isAdopted && holders.size === 0) {
				await this.unmountNow(name);
			}
		});
	}

	/** After a start of the engine: which containers run and have which volumes; memory that none has is given back. */
	async adopt(mounts: readonly { readonly containerId: string; readonly volume: string }[]): Promise<void> {
		for (const { containerId, volume } of mounts) {
			this.holdersOf(volume).add(containerId);
		}
		this.isAdopted = true;
		for (const { name } of this.list().filter((volume) => this.holdersOf(volume.name).size === 0)) {
			await this.alone(name, () => this.unmountNow(name));
		}
	}

	usersOf(name: string): readonly string[] {
		return this.options.users(this.get(name).name);
	}

	/** Makes the volume, or gives the one that is there already, as docker does. */
	create(options: CreateVolumeOptions): Volume {
		const name = options.name === '' ? randomBytes(32).toString('hex') : checkVolumeName(options.name);
		if (options.driver !== '' && options.driver !== 'local') {
			throw new EngineError('not-found', `create ${name}: plugin "${options.driver}" not found`);
		}
		checkVolumeOptions(name, options.options);
		const existing = this.volumes.get(name);
		if (existing !== undefined) {
			return existing;
		}
		makeData(this.data(name));
		const volume: Volume = {
			name,
			created: rfc3339(nowNanoseconds()),
			labels: options.labels,
			options: options.options,
			is_anonymous: options.name === '',
			is_new: true,
		};
		this.save(volume);
		this.announce('create', name);
		return volume;
	}

	/** Throws "conflict" with docker's text when a container, running or not, mounts it. */
	async remove(name: string, options: { readonly force: boolean }): Promise<void> {
		if (options.force && !this.volumes.has(name)) {
			return;
		}
		await this.alone(this.get(name).name, () => this.removeNow(name));
	}

	/** Removes volumes without users, those `gone` left out, that `isWanted` (the API's filters) chooses. */
	async prune(isWanted: (volume: Volume) => boolean, options: PruneVolumesOptions): Promise<PrunedVolumes> {
		const removed: string[] = [];
		let reclaimed = 0;
		for (const { name } of this.list().filter(isWanted)) {
			options.signal?.throwIfAborted();
			try {
				const bytes = await this.alone(name, () => this.pruneOne(name, options));
				if (bytes !== undefined) {
					removed.push(name);
					reclaimed += bytes;
				}
			} catch (error) {
				tellFailure(error, { kind: 'volume', name }, options);
			}
		}
		if (!options.isDryRun) {
			this.options.events.emit('volume', 'prune', '', { reclaimed: String(reclaimed) });
		}
		return { removed, reclaimed };
	}

	/** Gives its bytes; nothing for one that is gone or used: a container may have been made while others were measured. */
	private async pruneOne(name: string, options: PruneVolumesOptions): Promise<number | undefined> {
		const users = this.options.users(name).filter((id) => !options.gone.has(id));
		if (!this.volumes.has(name) || users.length > 0) {
			return undefined;
		}
		const bytes = await treeSize(this.data(name), this.tree(options.signal));
		if (!options.isDryRun) {
			await this.removeNow(name);
		}
		return bytes;
	}

	/**
	 * Before a container's first use of a volume: `copy` fills a new folder with what the image has at the mount's
	 * place, once in a volume's life and only while it is empty (never over data: CVE-2020-1726). The folder becomes
	 * the volume's data with one rename; after a failure the volume is as new as before.
	 */
	async populate(name: string, copy: (directory: string) => Promise<void>): Promise<void> {
		await this.alone(name, async () => {
			const volume = this.get(name);
			if (!volume.is_new) {
				return;
			}
			const isOwn = Object.keys(volume.options).length === 0;
			if (isOwn && fs.readdirSync(this.data(name)).length === 0) {
				await this.replace(name, copy);
			}
			this.save({ ...volume, is_new: false });
		});
	}

	/** Bytes on disk; -1 for a bind volume, whose folder is not ours to measure. */
	async size(name: string, signal?: AbortSignal): Promise<number> {
		const isOwn = Object.keys(this.get(name).options).length === 0;
		return isOwn ? treeSize(this.data(name), this.tree(signal)) : -1;
	}

	/** A tar of the volume's content. Containers may go on writing; then it is what tar happened to see. */
	backup(name: string, signal?: AbortSignal): Readable {
		return packTree(this.source(name).path, this.tree(signal));
	}

	/**
	 * Makes a tar, plain or compressed, the content of a volume; one that is not there is made. All or nothing: until
	 * the archive is unpacked as a whole nothing changes. Throws "conflict" for a volume that a container is using, or
	 * that has content unless `force` says to replace it.
	 */
	async restore(name: string, archive: AsyncIterable<Buffer>, options: RestoreOptions): Promise<Volume> {
		const fill = async (directory: string): Promise<void> => {
			try {
				await unpackTree(directory, wholeTar(archive), this.tree(options.signal));
			} catch (error) {
				throw error instanceof EngineError && error.code === 'corrupt'
					? new EngineError('invalid', `Cannot restore volume "${name}": ${error.message}`, { cause: error })
					: error;
			}
		};
		return this.alone(name, async () => {
			const volume = this.volumes.get(name);
			if (volume === undefined) {
				return this.makeFilled(name, { labels: {}, fill });
			}
			this.checkRestorable(volume, options.force);
			await this.replace(name, fill);
			this.save({ ...volume, is_new: false });
			return this.get(name);
		});
	}

	/** A new volume with a copy of another's content and its labels; nobody sees it before it is whole. */
	async clone(name: string, target: string, signal?: AbortSignal): Promise<Volume> {
		const { labels } = this.get(name);
		checkVolumeName(target);
		// Through tar on both sides: cp follows a link that a container puts in a folder's place meanwhile.
		const fill = (directory: string): Promise<void> =>
			unpackTree(directory, packTree(this.source(name).path, this.tree(signal)), this.tree(signal));
		return this.alone(target, () => this.makeFilled(target, { labels, fill }));
	}

	private checkRestorable({ name, options }: Volume, force: boolean): void {
		if (Object.keys(options).length > 0) {
			const place = tmpfsOptions(options) === undefined ? 'a folder of the host' : 'memory';
			throw new EngineError(
				'unsupported',
				`Cannot restore volume "${name}": its data lies in ${place}; restore into a volume without options`,
			);
		}
		const users = this.options.activeUsers(name);
		if (users.length > 0) {
			throw new EngineError(
				'conflict',
				`Cannot restore volume "${name}": running containers use it - [${users.join(', ')}]; stop them first`,
			);
		}
		if (!force && fs.readdirSync(this.data(name)).length > 0) {
			throw new EngineError(
				'conflict',
				`Cannot restore volume "${name}": it is not empty; use force to replace its content`,
			);
		}
	}

	/** Fills a folder under a temporary name; the record, written last, makes it a volume. */
	private async makeFilled(
		name: string,
		{ labels, fill }: Pick<Volume, 'labels'> & { readonly fill: (directory: string) => Promise<void> },
	): Promise<Volume> {
		this.checkFree(name);
		const folder = path.join(this.directory(), TEMPORARY + randomBytes(8).toString('hex'));
		const data = path.join(folder, '_data');
		makeData(data);
		try {
			await fill(data);
			this.checkFree(name);
		} catch (error) {
			await this.discard(folder);
			throw error;
		}
		// A folder that still has the mark belongs to no volume, unless there is a record (load).
		fs.writeFileSync(path.join(folder, UNBORN), '');
		const place = path.dirname(this.data(name));
		fs.renameSync(folder, place);
		const volume = {
			...{ name, created: rfc3339(nowNanoseconds()), labels, options: {} },
			...{ is_anonymous: false, is_new: false },
		};
		this.save(volume);
		fs.rmSync(path.join(place, UNBORN));
		this.announce('create', name);
		return volume;
	}

	private checkFree(name: string): void {
		checkVolumeName(name);
		if (this.volumes.has(name) || fs.existsSync(path.dirname(this.data(name)))) {
			throw new EngineError('conflict', `Cannot create volume "${name}": a volume of this name exists`);
		}
	}

	/** Whether a crash came between the folder of a filled volume and its record. */
	private isUnborn(name: string): boolean {
		return !this.volumes.has(name) && fs.existsSync(path.join(this.directory(), name, UNBORN));
	}

	private holdersOf(name: string): Set<string> {
		const holders = this.holders.get(name) ?? new Set();
		this.holders.set(name, holders);
		return holders;
	}

	private async unmountNow(name: string): Promise<void> {
		this.holders.delete(name);
		const volume = this.volumes.get(name);
		if (volume === undefined || tmpfsOptions(volume.options) === undefined) {
			return;
		}
		try {
			await unmountTmpfs(this.options.prefix, this.data(name));
		} catch (error) {
			this.options.warn(messageOf(error));
		}
	}

	private async removeNow(name: string): Promise<void> {
		const users = this.options.users(name);
		if (users.length > 0) {
			throw new EngineError('conflict', `remove ${name}: volume is in use - [${users.join(', ')}]`);
		}
		const aside = path.join(this.directory(), TEMPORARY + randomBytes(8).toString('hex'));
		// The data first: a crash before the record goes leaves an empty volume, never data that a new one would inherit.
		fs.renameSync(path.dirname(this.data(name)), aside);
		this.options.store.remove(volumeKey(name));
		this.volumes.delete(name);
		this.announce('destroy', name);
		await this.discard(aside);
	}

	/** Fills a folder beside the data, then lets it take the data's place. */
	private async replace(name: string, fill: (directory: string) => Promise<void>): Promise<void> {
		const data = this.data(name);
		const filled = path.join(path.dirname(data), TEMPORARY + randomBytes(8).toString('hex'));
		const former = path.join(path.dirname(data), FORMER);
		makeData(filled);
		try {
			await fill(filled);
		} catch (error) {
			await this.discard(filled);
			throw error;
		}
		fs.renameSync(data, former);
		// A crash here leaves no data folder, and load puts the former one back.
		fs.renameSync(filled, data);
		await this.discard(former);
	}

	/** Finishes backwards what `replace` had begun. */
	private recover(data: string): void {
		const former = path.join(path.dirname(data), FORMER);
		if (!fs.existsSync(data) && fs.existsSync(former)) {
			fs.renameSync(former, data);
		}
		if (!fs.existsSync(data)) {
			makeData(data);
		}
	}

	/** Files of containers belong to uids that, without root rights, only the holder may remove. */
	private async discard(directory: string): Promise<void> {
		await removeTree(directory, this.tree());
	}

	private async alone<Result>(name: string, work: () => Promise<Result>): Promise<Result> {
		const result = (this.work.get(name) ?? Promise.resolve()).then(work);
		const settled = result.then(
			() => undefined,
			() => undefined,
		);
		this.work.set(name, settled);
		try {
			return await result;
		} finally {
			if (this.work.get(name) === settled) {
				this.work.delete(name);
			}
		}
	}

	private save(volume: Volume): void {
		this.options.store.save(volumeKey(volume.name), volume);
		this.volumes.set(volume.name, volume);
	}

	/** Tells of something that happened with a volume. */
	announce(action: string, name: string, attributes: Readonly<Record<string, string>> = {}): void {
		this.options.events.emit('volume', action, name, { ...attributes, driver: 'local' });
	}

	private tree(signal?: AbortSignal): TreeOptions {
		return { prefix: this.options.prefix, signal };
	}

	private directory(): string {
		return path.join(this.options.root, 'volumes');
	}

	private data(name: string): string {
		return path.join(this.directory(), name, '_data');
	}
}

/** Any user of a container may enter; said in so many words, whatever the umask. */
function makeData(directory: string): void {
	fs.mkdirSync(directory, { recursive: true });
	fs.chmodSync(directory, 0o755);
}
