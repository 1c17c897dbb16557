import * as fs from 'node:fs';
import * as path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { EngineError, fullDisk, isDiskFull, messageOf } from '../errors';
import { nowNanoseconds, rfc3339, type Events } from '../events';
import type { Images } from '../image/images';
import type { StorageDriver } from '../storage/driver';
import type { Storage } from '../storage/storage';
import type { EndpointConfig } from '../network/network';
import { parseNetworkMode } from '../network/network';
import type { Networks } from '../network/networks';
import { bindingsOf } from '../network/ports';
import type { Tree } from '../files/tree';
import type { Durability, Store } from '../store';
import type { Container, Mount } from '../types';
import type { Volumes } from '../volume/volumes';
import { ContainerAttachment, type AttachOptions, type Attachment } from './attachment';
import {
	containerFolder,
	makeContainerFolder,
	removeContainerFolder,
	writeBundle,
	type BundleNetwork,
	type ContainerFolder,
} from './bundle';
import { wasOomKilled } from './cgroup';
import { newContainer, type CreateOptions, type CreateResult } from './create';
import { Execs } from './execs';
import { hasHealthCheck, HealthMonitors } from './health';
import { Input } from './input';
import type { LogDriver, LogEntry, LogQuery } from './log';
import { createLog } from './log-drivers';
import { runtimeResources } from './limits';
import { checkName, generateName } from './names';
import { checkAttachable, checkPausable, checkPaused, isFrozen, letGo, whileHeld } from './pause';
import { currentBootId, identify, isAlive, signalProcess } from './process';
import { isContainer, isLive, recordKey } from './record';
import { containerChanges, type Change } from './changes';
import { openLiveRoot, withRoot, type RootView, type StoppedRoot } from './root';
import { isToRestart, isToStartAtBoot, lengthOfRun, RestartTimer } from './restart';
import { Run, endShim, type Begin, type RunEnd } from './run';
import type { Runtimes } from './runtimes';
import { machine, type Spec } from './spec';
import { installShim, type Launch } from './shim';
import { startFailure, type StartFailure } from './start-failure';
import { shareIpc, sharedNetwork, sharedPid, unshareIpc } from './sharing';
import { signalNumber } from './signals';
import { hasConsoles } from './console';
import { checkTerminals, resizeTerminal, type TerminalSize } from './terminal';
import { changedConfig, type ContainerChanges } from './update';
import { announceMounts, announceUnmounts, copyImageFolder, unmountVolumes } from './volume-content';
import type { ImageRoot } from './volume-content';
import { withOthers } from './volumes-from';
import { abortable, ignoreNotModified, isSettledWithin } from './waiting';
import { machineWarnings, noLimits } from './warnings';
import { writtenSize } from './written-size';

export type { Attachment, AttachOptions } from './attachment';
export type { CreateOptions, CreateResult } from './create';
export type { LogEntry, LogQuery } from './log';

export type WaitCondition = 'not-running' | 'next-exit' | 'removed';

export interface WaitResult {
	readonly exitCode: number;
	/** Why the container could not be removed or watched to its end; "" normally. */
	readonly error: string;
}

export interface StopOptions {
	/** Seconds until SIGKILL; 0 kills at once, a negative number waits for ever. The container's own by default. */
	readonly timeout?: number;
	/** The container's own by default. */
	readonly signal?: string;
}

export interface ContainersOptions {
	readonly root: string;
	readonly store: Store;
	readonly events: Events;
	readonly images: Pick<Images, 'get' | 'unpack' | 'lowerDirectories' | 'rootLayers' | 'lookupLayers'>;
	readonly runtime: Runtimes;
	readonly storage: Storage;
	readonly networks: Networks;
	readonly volumes: Volumes;
	/** What does not work on bridge networks; "" when all does. */
	readonly bridgeWarning: string;
	/** Put before every shim's command; see system/holder. */
	readonly shimPrefix: readonly string[];
	/** Why bridge networks do not work on this machine. */
	readonly bridgeProblem: string | undefined;
	readonly warn: (message: string) => void;
}

/** A container's network while it starts: for the bundle, and for the shim when the namespace is to be made. */
interface StartNetwork {
	readonly bundle: BundleNetwork;
	readonly hostname?: string;
	readonly batches?: Launch['network'];
	/** Put before the shim's command, for where its network commands run. */
	readonly place?: readonly string[];
}

interface Entry {
	record: Container;
	readonly folder: ContainerFolder;
	readonly log: LogDriver;
	readonly waiters: Set<Waiter>;
	readonly attachments: Set<ContainerAttachment>;
	run: Run | undefined;
	input: Input | undefined;
	isInputClosed: boolean;
	/** Operations that change the container come one after the other. */
	lock: Promise<void>;
	/** Restarts at work: meanwhile an exit ends neither followers of the log nor a container with auto_remove. */
	restarts: number;
	/** Waits while the status is "restarting". */
	readonly restartTimer: RestartTimer;
	isBeingRemoved: boolean;
	/** The record on the disk is older than ours. */
	isUnsaved: boolean;
}

interface Waiter {
	readonly condition: WaitCondition;
	readonly resolve: (result: WaitResult) => void;
}

const SIGKILL = 9;

/** Looks after adopted shims and lost events, in milliseconds; everything usual comes as an event. */
const SAFETY_NET_EVERY = 2000;

/** Milliseconds that a killed container has to go; after that something is wrong with the machine. */
const KILL_TIMEOUT = 10_000;

/** Milliseconds until a runtime that neither starts the container nor fails is given up. */
const START_TIMEOUT = 120_000;

/** At engine start, exits that happened meanwhile are in the records after at most this many milliseconds. */
const SETTLE_WITHIN = 700;

/**
 * The containers of a store. Memory is the truth and records are written through. Nothing but this class writes a
 * container's record; nothing but the end of a Run makes a running container exited. States and transitions are those
 * of ../../../docs/architecture.md.
 */
export class Containers {
	private readonly entries = new Map<string, Entry>();
	private readonly names = new Map<string, string>();
	private safetyNet: NodeJS.Timeout | undefined;
	private shimScript: string | undefined;
	/** Containers may be started by their restart policy: networks and images are there. */
	private isResumed = false;

	/** Further processes in running containers. */
	readonly execs: Execs;
	readonly health: HealthMonitors;

	constructor(private readonly options: ContainersOptions) {
		this.execs = new Execs({
			run: path.join(options.root, 'run'),
			runtime: options.runtime,
			container: (nameOrId) => this.get(nameOrId),
			layers: async (record) => {
				await options.images.unpack(record.image_id);
				const layers = options.images.lookupLayers(record.image_id);
				return options.storage
					.of(record.storage_driver)
					.lookup(containerFolder(options.root, record.id), layers);
			},
			emit: (id, action, attributes) => {
				const entry = this.entries.get(id);
				if (entry !== undefined) {
					this.emit(entry, action, attributes);
				}
			},
			warn: options.warn,
		});
		this.health = new HealthMonitors({
			execs: this.execs,
			container: (id) => this.entries.get(id)?.record,
			changed: (id, status) => {
				const entry = this.entries.get(id);
				if (entry !== undefined) {
					this.note(entry, { health: status });
					this.emit(entry, `health_status: ${status}`);
				}
			},
		});
	}

	/**
	 * Reads the records and brings them in line with what is: adopts containers that run, finishes those that ended or
	 * died while no engine was there, completes removals. Idempotent.
	 */
	async load(): Promise<void> {
		const { store, root } = this.options;
		fs.mkdirSync(path.join(root, 'containers'), { recursive: true, mode: 0o700 });
		for (const key of store.list('container-')) {
			const record = store.get(key, isContainer);
			if (record !== undefined) {
				this.add(record);
			}
		}
		this.execs.load();
		const strays = fs.readdirSync(path.join(root, 'containers')).filter((name) => !this.entries.has(name));
		const settled = Promise.all([
			...[...this.entries.values()].map((entry) => this.reconcile(entry)),
			...strays.map((name) => this.removeStray(name)),
		]);
		await Promise.race([settled, delay(SETTLE_WITHIN, undefined, { ref: false })]);
	}

	/**
	 * Applies the restart policies to what has ended meanwhile, and with `isNewBoot` to what ran when the machine went
	 * down. To be called once networks and images are loaded; does not wait for the starts.
	 */
	resume(isNewBoot: boolean): void {
		this.isResumed = true;
		for (const entry of this.entries.values()) {
			if (isNewBoot && isToStartAtBoot(entry.record)) {
				this.note(entry, { status: 'restarting', manual_stop: false });
			}
			if (entry.record.status === 'restarting' && entry.record.manual_stop) {
				this.cancelRestart(entry);
			} else if (entry.record.status === 'restarting') {
				this.scheduleRestart(entry);
			}
		}
	}

	/** Makes a container. Errors: "not-found" for the image, "conflict" for the name, "invalid", "unsupported". */
	async create(options: CreateOptions): Promise<CreateResult> {
		const { driver } = await this.options.storage.chosen();
		const { name } = options;
		if (name !== undefined) {
			checkName(name);
			this.checkFree(name);
		}
		const image = this.options.images.get(options.image);
		this.options.runtime.checkInstalled(options.config.isolation?.runtime);
		const { container, warnings } = newContainer(
			withOthers(options, (other) => this.get(other)),
			image,
			this.options.bridgeProblem,
		);
		for (const volume of options.volumes ?? []) {
			this.options.volumes.create(volume);
		}
		const config = {
			...container.config,
			network: { ...container.config.network, mode: this.wholeMode(container.config.network.mode) },
			mounts: container.config.mounts.map((mount) => this.withVolume(mount)),
		};
		const record = {
			...{ ...container, config, storage_driver: driver.name },
			name: name ?? generateName((candidate) => this.names.has(candidate)),
		};
		const folder = containerFolder(this.options.root, record.id);
		try {
			makeContainerFolder(folder);
			this.options.store.save(recordKey(record.id), record);
		} catch (error) {
			fs.rmSync(folder.path, { recursive: true, force: true });
			throw isDiskFull(error) ? this.noSpace('create', record.name, error) : error;
		}
		const entry = this.add(record);
		this.emit(entry, 'create');
		const { bridgeWarning } = this.options;
		const runtime = await this.options.runtime.nameFor(record.config.isolation?.runtime).catch(() => undefined);
		const machineWarned = machineWarnings(record.config, {
			hasCgroups: machine().hasCgroups,
			bridgeWarning,
			hasConsoles: hasConsoles(),
			runtime,
		});
		return { container: record, warnings: [...warnings, ...machineWarned] };
	}

	private noSpace(verb: string, name: string, cause: unknown): EngineError {
		const reason = fullDisk(this.options.root);
		return new EngineError('no-space', `Cannot ${verb} container "${name}": ${reason}`, { cause });
	}

	/** Newest first. */
	list(): readonly Container[] {
		return [...this.entries.values()]
			.map((entry) => entry.record)
			.sort((a, b) => (a.created_at < b.created_at ? 1 : a.created_at > b.created_at ? -1 : 0));
	}

	/** By id, name (with or without docker's slash) or unique beginning of an id. Throws "invalid" when several begin so. */
	find(nameOrId: string): Container | undefined {
		return this.findEntry(nameOrId)?.record;
	}

	/** Like `find`, with "not-found" and docker's text when there is none. */
	get(nameOrId: string): Container {
		return this.entry(nameOrId).record;
	}

	/**
	 * Starts a container and resolves once its program runs. "not-modified" when it runs already; "runtime" with docker's
	 * exit code when it cannot be started: then the record has the reason and the container stays as it was.
	 */
	async start(nameOrId: string, signal?: AbortSignal): Promise<void> {
		const entry = this.entry(nameOrId);
		await this.locked(entry, async () => {
			signal?.throwIfAborted();
			await this.startLocked(entry);
		});
	}

	/**
	 * Sends the stop signal, after the timeout SIGKILL, and resolves when the container has exited. "not-modified" when
	 * it is not running. Aborting ends the waiting only; the stop goes on.
	 */
	async stop(nameOrId: string, options: StopOptions = {}, abort?: AbortSignal): Promise<void> {
		const entry = this.entry(nameOrId);
		const work = this.stopEntry(entry, options);
		await (abort === undefined ? work : abortable(work, abort));
	}

	/** Stops, when it runs, and starts again. The log goes on and its followers stay. */
	async restart(nameOrId: string, options: StopOptions = {}): Promise<void> {
		const entry = this.entry(nameOrId);
		entry.restarts++;
		try {
			await ignoreNotModified(this.stopEntry(entry, options));
			await ignoreNotModified(this.locked(entry, () => this.startLocked(entry)));
			this.emit(entry, 'restart');
		} finally {
			entry.restarts--;
			if (entry.restarts === 0 && !isLive(entry.record.status)) {
				entry.log.finish();
			}
		}
	}

	/**
	 * Sends a signal (KILL by default). SIGKILL resolves when the container has exited, others at once. "conflict" when
	 * it is not running.
	 */
	async kill(nameOrId: string, signalName = 'KILL'): Promise<void> {
		const entry = this.findEntry(nameOrId);
		if (entry === undefined) {
			throw new EngineError('not-found', `Cannot kill container: ${nameOrId}: No such container: ${nameOrId}`);
		}
		const number = signalNumber(signalName);
		const ended = this.exited(entry);
		await this.locked(entry, async () => {
			const { record } = entry;
			if (!isLive(record.status)) {
				throw new EngineError(
					'conflict',
					`Cannot kill container: ${nameOrId}: Container ${record.id} is not running`,
				);
			}
			const isToEnd = number === SIGKILL || number === signalNumber(record.config.stop_signal);
			if (isToEnd) {
				this.note(entry, { manual_stop: true });
			}
			if (entry.record.status === 'restarting') {
				this.cancelRestart(entry);
				return;
			}
			this.signal(entry, number);
			if (isToEnd) {
				await this.thaw(entry);
			}
		});
		if (number === SIGKILL) {
			await this.waitForKilled(entry, ended);
		}
	}

	/** Freezes all processes of the container; "conflict" unless it runs. */
	async pause(nameOrId: string): Promise<void> {
		const entry = this.entry(nameOrId);
		await this.locked(entry, async () => {
			checkPausable(entry.record);
			await this.options.runtime.setPaused(entry.record.id, true);
			this.noteStatus(entry, 'running', 'paused');
			this.emit(entry, 'pause');
		});
	}

	/** Lets the processes of a paused container go on; "conflict" for any other. */
	async unpause(nameOrId: string): Promise<void> {
		const entry = this.entry(nameOrId);
		await this.locked(entry, async () => {
			checkPaused(entry.record);
			await this.options.runtime.setPaused(entry.record.id, false);
			this.noteStatus(entry, 'paused', 'running');
			this.emit(entry, 'unpause');
		});
	}

	/** Gives the container another name; "conflict" when it is taken. */
	rename(nameOrId: string, name: string): void {
		const entry = this.entry(nameOrId);
		const oldName = entry.record.name;
		checkName(name);
		if (name === oldName) {
			throw new EngineError('invalid', 'Renaming a container with the same name as its current name');
		}
		this.checkFree(name);
		this.update(entry, { name });
		this.names.delete(oldName);
		this.names.set(name, entry.record.id);
		this.options.networks.rename(entry.record.id, name);
		this.emit(entry, 'rename', { oldName: `/${oldName}` });
	}

	/** Docker's update: changes limits, now when it runs and at each start, and the restart policy. Gives warnings. */
	async reconfigure(nameOrId: string, changes: ContainerChanges): Promise<readonly string[]> {
		const entry = this.entry(nameOrId);
		const warnings: string[] = [];
		await this.locked(entry, async () => {
			const { id, status, process } = entry.record;
			if (status === 'removing' || status === 'dead') {
				const reason = 'container is marked for removal and cannot be "update"';
				throw new EngineError('conflict', `Cannot update container ${id}: ${reason}`);
			}
			const config = changedConfig(entry.record, changes, warnings);
			const limits = Object.values(changes.resources);
			if (!machine().hasCgroups) {
				warnings.push(...(limits.some((limit) => limit !== 0) ? [noLimits()] : []));
			} else if (process !== null && limits.length > 0) {
				const isFreed = entry.record.config.resources.pids > 0 && config.resources.pids === 0;
				const unlimited = isFreed ? { pids: { limit: -1 } } : {};
				await this.options.runtime.update(id, {
					...unlimited,
					...runtimeResources(config.resources, machine()),
				});
			}
			this.update(entry, { config });
			this.emit(entry, 'update');
		});
		return warnings;
	}

	/** Gives the container's terminal another size; one without a terminal takes no notice. "conflict" when it is stopped. */
	async resize(nameOrId: string, size: TerminalSize): Promise<void> {
		const entry = this.entry(nameOrId);
		const { id, config } = entry.record;
		if (entry.run?.isRunning !== true) {
			throw new EngineError('conflict', `Container ${id} is not running`);
		}
		if (config.tty) {
			await resizeTerminal(entry.folder.shim, size);
		}
		this.emit(entry, 'resize', { height: String(size.rows), width: String(size.columns) });
	}

	/** Puts the container on another network, now when it runs and at each start. Errors are docker's. */
	async connect(nameOrId: string, config: EndpointConfig): Promise<void> {
		const entry = this.entry(nameOrId);
		await this.locked(entry, async () => {
			const network = this.options.networks.get(config.network);
			const { endpoints } = entry.record.config.network;
			this.checkMembership(entry, network.driver === 'bridge' ? undefined : network.name);
			if (endpoints.some((endpoint) => this.options.networks.find(endpoint.network)?.id === network.id)) {
				const reason = `endpoint with name ${entry.record.name} already exists in network ${network.name}`;
				throw new EngineError('denied', reason);
			}
			const { id, name, process } = entry.record;
			if (process !== null) {
				const bindings = bindingsOf(entry.record.config.network);
				const endpoint = { ...config, network: network.id };
				await this.options.networks.connect({ id, name, pid: process.pid }, endpoint, bindings);
			}
			this.updateEndpoints(entry, [...endpoints, { ...config, network: network.name }]);
		});
	}

	/** Takes the container off a network, now when it runs and at each start. */
	async disconnect(nameOrId: string, networkName: string): Promise<void> {
		const entry = this.entry(nameOrId);
		await this.locked(entry, async () => {
			const network = this.options.networks.get(networkName);
			const { id, name, process, config } = entry.record;
			const isOther = (endpoint: EndpointConfig): boolean =>
				this.options.networks.find(endpoint.network)?.id !== network.id;
			const others = config.network.endpoints.filter(isOther);
			if (others.length === config.network.endpoints.length) {
				throw new EngineError('denied', `container ${id} is not connected to network ${network.name}`);
			}
			if (process !== null && network.endpoints[id] !== undefined) {
				await this.options.networks.disconnect(network.id, { id, name, pid: process.pid });
			}
			this.updateEndpoints(entry, others);
		});
	}

	/** Removes a container and its files; a running one only with `force`. `volumes` removes its anonymous ones. */
	async remove(nameOrId: string, options: { readonly force: boolean; readonly volumes: boolean }): Promise<void> {
		const entry = this.entry(nameOrId);
		this.claimRemoval(entry);
		try {
			await this.locked(entry, async () => {
				if (isLive(entry.record.status)) {
					await this.killForRemoval(entry, options.force);
				}
				await this.removeLocked(entry, options);
			});
		} finally {
			entry.isBeingRemoved = false;
		}
	}

	/** Registered before this returns, so a start or removal right after it is not missed. */
	wait(nameOrId: string, condition: WaitCondition, signal?: AbortSignal): Promise<WaitResult> {
		try {
			const entry = this.entry(nameOrId);
			const { record } = entry;
			if (condition === 'not-running' && !isLive(record.status)) {
				return Promise.resolve(waitResult(record));
			}
			const waiting = this.register(entry, condition);
			return signal === undefined ? waiting.result : abortable(waiting.result, signal, waiting.cancel);
		} catch (error) {
			return Promise.reject(error instanceof Error ? error : new Error(messageOf(error)));
		}
	}

	/** Lines of the log; "unsupported" with the log driver "none". */
	logs(nameOrId: string, query: LogQuery): AsyncIterable<LogEntry> {
		return this.entry(nameOrId).log.read(query);
	}

	/** Attaches to the present run, or before the start to the next one; then its output comes from the first byte on. */
	attach(nameOrId: string, options: AttachOptions): Attachment {
		const entry = this.entry(nameOrId);
		checkAttachable(entry.record, nameOrId);
		const attachment = new ContainerAttachment(
			{
				log: entry.log,
				input: () => openInput(entry),
				inputEnded: () => {
					// In a terminal the end of input would be a Ctrl-D.
					if (entry.record.config.stdin_once && !entry.record.config.tty) {
						closeInput(entry);
					}
				},
				detached: (gone) => {
					entry.attachments.delete(gone);
				},
				left: () => {
					this.emit(entry, 'detach');
				},
			},
			options,
		);
		entry.attachments.add(attachment);
		this.emit(entry, 'attach');
		if (entry.run?.isRunning === true) {
			attachment.begin(entry.run);
		}
		return attachment;
	}

	/**
	 * Gives the container's files to `work`, running or not; see root.ts. What does not run cannot be started meanwhile.
	 */
	async withRoot<T>(nameOrId: string, view: RootView, work: (tree: Tree) => Promise<T>): Promise<T> {
		const entry = this.entry(nameOrId);
		const source = {
			openLive: () => openLiveRoot(entry.record, entry.folder, view),
			hasProcess: () => entry.record.process !== null,
			settled: () => this.wait(entry.record.id, 'not-running'),
			locked: <R>(operation: () => Promise<R>) => this.locked(entry, operation),
			stopped: () => this.stoppedRoot(entry, view),
		};
		return withRoot(source, work);
	}

	/** What the container has changed of its image. */
	async changes(nameOrId: string, signal: AbortSignal): Promise<Change[]> {
		const entry = this.entry(nameOrId);
		const { images } = this.options;
		const { image_id } = entry.record;
		await images.unpack(image_id);
		return this.storage(entry).withUpper(entry.folder, signal, (upper) =>
			containerChanges(upper, images.lookupLayers(image_id), signal),
		);
	}

	private storage({ record }: Entry): StorageDriver {
		return this.options.storage.of(record.storage_driver);
	}

	/** Gives the folder of what the container has written to `work`; with `isToPause` its processes stand still meanwhile. */
	async withUpper<T>(
		nameOrId: string,
		{ isToPause, signal }: { readonly isToPause: boolean; readonly signal: AbortSignal },
		work: (record: Container, upper: string) => Promise<T>,
	): Promise<T> {
		const entry = this.entry(nameOrId);
		const { record, folder } = entry;
		const look = (): Promise<T> => this.storage(entry).withUpper(folder, signal, (upper) => work(record, upper));
		if (!isToPause || record.status !== 'running') {
			return look();
		}
		const isThere = (): boolean => this.entries.get(record.id)?.record.process !== null;
		return whileHeld(folder.shim, { runtime: this.options.runtime, id: record.id, isThere }, look);
	}

	/** Bytes of what the container has written; see written-size.ts. */
	async size(nameOrId: string, signal?: AbortSignal): Promise<number> {
		const entry = this.entry(nameOrId);
		const measured = signal ?? new AbortController().signal;
		return this.storage(entry).withUpper(entry.folder, measured, (upper) => writtenSize(upper, measured));
	}

	/** Tells listeners of something that was done to a container from outside of this class. */
	announce(nameOrId: string, action: string): void {
		this.emit(this.entry(nameOrId), action);
	}

	/** True while any container has processes. */
	hasRunning(): boolean {
		return [...this.entries.values()].some((entry) => isLive(entry.record.status));
	}

	/** The engine leaves: reading stops between two lines, followers and attachments end, containers go on. */
	async close(): Promise<void> {
		clearInterval(this.safetyNet);
		this.isResumed = false;
		this.health.close();
		this.execs.close();
		for (const entry of this.entries.values()) {
			entry.restartTimer.cancel();
			entry.run?.close();
			entry.run = undefined;
			entry.input?.close();
			for (const attachment of [...entry.attachments]) {
				attachment.close();
			}
		}
		await Promise.all([...this.entries.values()].map(async ({ log }) => log.close()));
	}

	// Start

	private async startLocked(entry: Entry): Promise<void> {
		const { status } = entry.record;
		if (status === 'paused') {
			throw new EngineError('conflict', 'cannot start a paused container, try unpause instead');
		}
		if (isLive(status)) {
			throw new EngineError('not-modified', `Container ${entry.record.id} is already running`);
		}
		if (status === 'removing' || status === 'dead') {
			throw new EngineError('conflict', 'container is marked for removal and cannot be started');
		}
		entry.restartTimer.reset();
		await this.startNow(entry, 0);
	}

	private async startNow(entry: Entry, restartCount: number): Promise<void> {
		try {
			const run = await this.launch(entry, restartCount);
			const begin = await this.awaitBegin(entry, run);
			if (begin.kind !== 'running') {
				throw new StartError(failureOf(begin, entry.record));
			}
			this.hasStarted(entry, run, begin.pid);
		} catch (error) {
			await this.startFailed(entry, error);
		}
	}

	private async launch(entry: Entry, restartCount: number): Promise<Run> {
		const { record, folder } = entry;
		const { images, runtime, root } = this.options;
		await images.unpack(record.image_id);
		const layers = images.rootLayers(record.image_id);
		const keep = record.config.resources.memory > 0;
		const runtimeName = await runtime.nameFor(record.config.isolation?.runtime, { keep });
		if (runtime.hasState(record.id)) {
			await runtime.delete(record.id);
		}
		const storage = this.storage(entry);
		await storage.prepare(folder, images.lowerDirectories(record.image_id));
		const rootFiles = {
			lookup: storage.lookup(folder, images.lookupLayers(record.image_id)),
			mount: storage.mount(folder, layers),
		};
		const mounts = await this.volumeMounts(entry, rootFiles);
		if (restartCount === 0) {
			// A syslog server that is away for a while must not end what a restart policy keeps running.
			await entry.log.connect?.();
		}
		const network = await this.startNetwork(entry);
		const config = { ...record.config, mounts, hostname: network.hostname ?? record.config.hostname };
		const pidNamespace = sharedPid(record, (other) => this.get(other));
		const ipc = await shareIpc(entry, (other) => this.entry(other));
		const shared = { network: network.bundle, pidNamespace, ipc };
		const annotate = (spec: Spec) => runtime.annotations(runtimeName, record.id, spec);
		writeBundle({ ...record, config }, folder, { lookup: rootFiles.lookup, ...shared, annotate });
		const command = await runtime.command(record.id, {
			bundle: folder.bundle,
			shim: folder.shim,
			keep,
			tty: record.config.tty,
			runtime: runtimeName,
		});
		if (record.config.tty) {
			await checkTerminals(command);
		}
		this.shimScript ??= installShim(path.join(root, 'run'));
		// Before the shim is there: an engine that comes after a crash must know that there may be one.
		this.update(
			entry,
			{
				...{ status: 'starting', manual_stop: false, restart_count: restartCount },
				...{ error: '', exit_code: restartCount > 0 ? entry.record.exit_code : 0, oom_killed: false },
			},
			'soon',
		);
		const run = this.newRun(entry);
		run.launch(this.shimScript, {
			root: rootFiles.mount,
			prefix: [...this.options.shimPrefix, ...(network.place ?? [])],
			network: network.batches,
			merged: folder.merged,
			// A terminal has an input also when nobody may write: its end would be a Ctrl-D.
			hasStdin: record.config.open_stdin || record.config.tty,
			terminal: record.config.tty ? (record.config.console_size ?? { rows: 0, columns: 0 }) : undefined,
			command,
		});
		return run;
	}

	/** Volumes become bind mounts; a new one first gets what the image has in its place. */
	private async volumeMounts(entry: Entry, root: Pick<ImageRoot, 'lookup' | 'mount'>): Promise<Mount[]> {
		const { volumes } = this.options;
		const mounts: Mount[] = [];
		for (const mount of entry.record.config.mounts) {
			if (mount.type !== 'volume') {
				mounts.push(mount);
				continue;
			}
			if (mount.options?.includes('nocopy') !== true) {
				await volumes.populate(mount.source, (target) =>
					copyImageFolder({ folder: entry.folder, ...root }, mount.destination, target),
				);
			}
			await volumes.mount(mount.source, entry.record.id);
			const { path: source, read_only } = volumes.source(mount.source);
			const { destination } = mount;
			mounts.push({ type: 'bind', source, destination, read_only: mount.read_only || read_only });
		}
		return mounts;
	}

	private async stoppedRoot(entry: Entry, view: RootView): Promise<StoppedRoot> {
		const { record, folder } = entry;
		const { images, volumes } = this.options;
		await images.unpack(record.image_id);
		const storage = this.storage(entry);
		await storage.prepare(folder, images.lowerDirectories(record.image_id));
		const mount = storage.mount(folder, images.rootLayers(record.image_id));
		const binds = record.config.mounts.flatMap((bound) => {
			if (view === 'own' || bound.type === 'tmpfs') {
				return [];
			}
			const source =
				bound.type === 'volume' ? volumes.source(bound.source) : { path: bound.source, read_only: false };
			const read_only = bound.read_only || source.read_only;
			return [{ source: source.path, destination: bound.destination, read_only }];
		});
		const etc = ['hosts', 'hostname', 'resolv.conf'].map((name) => ({
			...{ source: path.join(folder.etc, name), destination: `/etc/${name}`, read_only: false },
		}));
		const isReadOnly = view === 'inside' && record.config.read_only;
		return { folder, mount, binds: view === 'own' ? [] : [...etc, ...binds], isReadOnly };
	}

	private async startNetwork(entry: Entry): Promise<StartNetwork> {
		const { id, name, config } = entry.record;
		const mode = parseNetworkMode(config.network.mode);
		if (mode.kind === 'host' || mode.kind === 'none') {
			return { bundle: { kind: mode.kind } };
		}
		if (mode.kind === 'container') {
			return sharedNetwork(this.entry(mode.container));
		}
		const { endpoints, dns } = config.network;
		const { networks } = this.options;
		const attachment = await networks.attach({
			container: { id, name, hostname: config.hostname },
			endpoints,
			bindings: bindingsOf(config.network),
			extraHosts: config.extra_hosts,
			dns,
		});
		const { outside, inside, hosts, resolvConf } = attachment;
		const namespace = path.join(entry.folder.shim, 'netns');
		return {
			bundle: { kind: 'own', namespace, files: { hosts, resolvConf } },
			batches: { outside, inside },
			place: networks.place,
		};
	}

	private newRun(entry: Entry): Run {
		const run = new Run(entry.folder.shim, entry.log, {
			warn: this.options.warn,
			cleanUp: () => this.cleanUp(entry),
		});
		entry.run = run;
		entry.isInputClosed = false;
		this.watchOver();
		return run;
	}

	private watchOver(): void {
		this.safetyNet ??= setInterval(() => {
			this.checkAll();
		}, SAFETY_NET_EVERY).unref();
	}

	private async awaitBegin(entry: Entry, run: Run): Promise<Begin> {
		const timer = new AbortController();
		const late = delay(START_TIMEOUT, undefined, { ref: false, signal: timer.signal });
		try {
			const begin = await Promise.race([run.begin, late]);
			if (begin !== undefined) {
				return begin;
			}
			run.close();
			await endShim(run.folder);
			await this.cleanUp(entry);
			return { kind: 'vanished', reason: `the OCI runtime did not answer in ${START_TIMEOUT / 1000} s` };
		} finally {
			timer.abort();
			late.catch(() => {
				// Aborted, as asked.
			});
		}
	}

	private hasStarted(entry: Entry, run: Run, pid: number): void {
		const isNew = entry.record.status === 'starting';
		this.options.runtime.hasStarted(entry.record.id);
		this.options.networks.entered(entry.record.id, pid);
		if (isNew) {
			this.note(entry, {
				status: 'running',
				exit_code: 0,
				started_at: rfc3339(nowNanoseconds()),
				finished_at: '',
				...(hasHealthCheck(entry.record) ? { health: 'starting' } : {}),
				process: identify(pid) ?? null,
				shim: run.shim ?? null,
			});
		}
		for (const attachment of [...entry.attachments]) {
			attachment.begin(run);
		}
		this.health.start(entry.record, entry.record.health ?? 'starting');
		void run.end.then((end) => this.hasEnded(entry, run, end));
		if (isNew) {
			announceMounts(this.options.volumes, entry.record);
			this.emit(entry, 'start');
		}
	}

	/** Back to the state before, with the reason in the record. Always throws. */
	private async startFailed(entry: Entry, error: unknown): Promise<never> {
		const exitCode = error instanceof StartError ? error.failure.exitCode : 125;
		const message = messageOf(error);
		entry.run?.close();
		entry.run = undefined;
		entry.log.finish();
		fs.rmSync(entry.folder.shim, { recursive: true, force: true });
		(await this.leaveNetworks(entry))();
		await this.unmountAll(entry);
		await this.cleanUp(entry).catch((problem: unknown) => {
			this.options.warn(messageOf(problem));
		});
		this.note(entry, {
			status: entry.record.started_at === '' ? 'created' : 'exited',
			// Docker records 128 for what is neither a missing nor a forbidden program.
			exit_code: exitCode === 125 ? 128 : exitCode,
			error: message,
			process: null,
			shim: null,
		});
		for (const attachment of [...entry.attachments]) {
			attachment.abandon();
		}
		if (entry.record.config.auto_remove && !entry.isBeingRemoved) {
			await this.removeLocked(entry, { volumes: true });
		}
		if (error instanceof EngineError) {
			throw error;
		}
		if (isDiskFull(error)) {
			throw this.noSpace('start', entry.record.name, error);
		}
		throw new EngineError('runtime', message, { cause: error, exitCode });
	}

	// Exit

	private async hasEnded(entry: Entry, run: Run, end: RunEnd): Promise<void> {
		if (entry.run !== run) {
			return;
		}
		// Looked at before the cgroups go with the runtime's state, which stays for this when memory is limited.
		const oomKilled =
			machine().hasCgroups &&
			wasOomKilled(entry.record.id, undefined, entry.record.config.isolation?.cgroup_parent);
		// Or the runtime was killed and could not clean up, or did not end its container.
		if (this.options.runtime.hasState(entry.record.id) || isProcessAlive(entry.record)) {
			await this.cleanUp(entry).catch((error: unknown) => {
				this.options.warn(messageOf(error));
			});
		}
		// Before anybody learns of the exit: the next start, here or of another container, may want the same ports.
		const announceLeft = await this.leaveNetworks(entry);
		await this.unmountAll(entry);
		this.execs.containerEnded(entry.record.id);
		this.health.stop(entry.record.id);
		entry.run = undefined;
		entry.input?.close();
		entry.input = undefined;
		const exitCode = end.exitCode ?? 255;
		const isRestarting = entry.restarts === 0 && isToRestart(entry.record, exitCode);
		const isGoing = entry.record.config.auto_remove && entry.restarts === 0 && !entry.isBeingRemoved;
		this.noteEnd(entry, isGoing, {
			status: isRestarting ? 'restarting' : 'exited',
			restart_count: entry.record.restart_count + (isRestarting ? 1 : 0),
			exit_code: exitCode,
			finished_at: rfc3339(BigInt(Math.round(end.finishedAt * 1000)) * 1000n),
			error: end.exitCode === undefined ? lostReason(entry.record) : '',
			oom_killed: oomKilled,
			...(hasHealthCheck(entry.record) ? { health: 'unhealthy' } : {}),
			process: null,
			shim: null,
		});
		// An exit that is not on the disk yet is read from there again by the next engine.
		if (!entry.isUnsaved && !isGoing) {
			fs.rmSync(entry.folder.shim, { recursive: true, force: true });
		}
		if (entry.restarts > 0 || isRestarting) {
			entry.log.pause();
		} else {
			entry.log.finish();
		}
		if (oomKilled) {
			this.emit(entry, 'oom');
		}
		this.emit(entry, 'die', { exitCode: String(entry.record.exit_code) });
		announceLeft();
		announceUnmounts(this.options.volumes, entry.record);
		this.settle(entry, ['not-running', 'next-exit']);
		if (isRestarting && this.isResumed) {
			this.scheduleRestart(entry);
		}
		await this.autoRemove(entry);
	}

	private scheduleRestart(entry: Entry): void {
		entry.restartTimer.schedule(lengthOfRun(entry.record), () => {
			this.locked(entry, () => this.startAgain(entry)).catch((error: unknown) => {
				this.options.warn(`Cannot restart container "${entry.record.name}": ${messageOf(error)}`);
			});
		});
	}

	/** As docker, a start that fails ends the restarting. */
	private async startAgain(entry: Entry): Promise<void> {
		if (entry.record.status !== 'restarting') {
			return;
		}
		try {
			await this.startNow(entry, entry.record.restart_count);
		} catch (error) {
			entry.log.finish();
			this.settle(entry, ['not-running', 'next-exit']);
			throw error;
		}
	}

	/** A container that waits for its next start stays down; there is no process to signal. */
	private cancelRestart(entry: Entry): void {
		if (!entry.record.manual_stop) {
			return;
		}
		entry.restartTimer.cancel();
		this.note(entry, { status: 'exited' });
		entry.log.finish();
		this.settle(entry, ['not-running', 'next-exit']);
	}

	private async autoRemove(entry: Entry): Promise<void> {
		if (!entry.record.config.auto_remove || entry.restarts > 0 || entry.isBeingRemoved) {
			return;
		}
		entry.isBeingRemoved = true;
		try {
			await this.locked(entry, () => this.removeLocked(entry, { volumes: true }));
		} catch (error) {
			this.options.warn(messageOf(error));
		} finally {
			entry.isBeingRemoved = false;
		}
	}

	/** The result tells the world of it. */
	private async leaveNetworks(entry: Entry): Promise<() => void> {
		try {
			return await this.options.networks.detach(entry.record.id);
		} catch (error) {
			this.options.warn(`Cannot take container "${entry.record.name}" off its networks: ${messageOf(error)}`);
			return () => undefined;
		}
	}

	/** What was mounted outside of the shim's own mount namespace. */
	private async unmountAll({ record, folder }: Entry): Promise<void> {
		await unmountVolumes(this.options.volumes, record);
		await unshareIpc(folder).catch((error: unknown) => {
			this.options.warn(messageOf(error));
		});
	}

	/** Kills what is left of a container whose runtime or shim died, and removes cgroups and state. */
	private async cleanUp(entry: Entry): Promise<void> {
		if (isProcessAlive(entry.record) && entry.record.process !== null) {
			signalProcess(entry.record.process, SIGKILL);
		}
		if (this.options.runtime.hasState(entry.record.id)) {
			await this.options.runtime.delete(entry.record.id);
		}
	}

	// Stop, kill, remove

	private async stopEntry(entry: Entry, options: StopOptions): Promise<void> {
		const timeout = options.timeout ?? entry.record.config.stop_timeout;
		const number = timeout === 0 ? SIGKILL : signalNumber(options.signal ?? entry.record.config.stop_signal);
		const ended = this.exited(entry);
		await this.locked(entry, async () => {
			if (!isLive(entry.record.status)) {
				throw new EngineError('not-modified', `Container ${entry.record.id} is already stopped`);
			}
			// On the disk before the signal: a restart policy must not bring back what a person stopped.
			if (entry.record.status === 'restarting') {
				this.note(entry, { manual_stop: true });
				this.cancelRestart(entry);
				return;
			}
			this.note(entry, { status: 'stopping', manual_stop: true });
			this.signal(entry, number);
			await this.thaw(entry);
		});
		if (number === SIGKILL || !(await isSettledWithin(ended, timeout < 0 ? undefined : timeout * 1000))) {
			if (number !== SIGKILL) {
				this.signal(entry, SIGKILL);
			}
			await this.waitForKilled(entry, ended);
		}
		this.emit(entry, 'stop');
	}

	private signal(entry: Entry, number: number): void {
		if (entry.record.process !== null) {
			signalProcess(entry.record.process, number);
			this.emit(entry, 'kill', { signal: String(number) });
		}
	}

	/** A frozen process gets its signal when it goes on. */
	private async thaw(entry: Entry): Promise<void> {
		const { id, name, config } = entry.record;
		if (!machine().hasCgroups || !isFrozen(id, config.isolation?.cgroup_parent)) {
			return;
		}
		try {
			await this.options.runtime.setPaused(id, false);
		} catch (error) {
			this.options.warn(`Cannot unpause container "${name}": ${messageOf(error)}`);
		}
		this.noteStatus(entry, 'paused', 'running');
		this.emit(entry, 'unpause');
	}

	/** Unless the container has ended meanwhile. */
	private noteStatus(entry: Entry, from: Container['status'], to: Container['status']): void {
		if (entry.record.status === from) {
			this.note(entry, { status: to });
		}
	}

	private async waitForKilled(entry: Entry, ended: Promise<unknown>): Promise<void> {
		while (!(await isSettledWithin(ended, KILL_TIMEOUT))) {
			const { name, process } = entry.record;
			if (process === null || !isAlive(process)) {
				// It is gone; its last output is still on the way into the log.
				continue;
			}
			throw new EngineError('internal', `Cannot stop container "${name}": no exit within 10 s of SIGKILL`);
		}
	}

	private claimRemoval(entry: Entry): void {
		if (entry.isBeingRemoved) {
			throw new EngineError('conflict', `removal of container ${entry.record.name} is already in progress`);
		}
		entry.isBeingRemoved = true;
	}

	private async killForRemoval(entry: Entry, force: boolean): Promise<void> {
		const { id, status } = entry.record;
		const isRestarting = status === 'restarting';
		if (!force && status === 'paused') {
			throw new EngineError(
				'conflict',
				`You cannot remove a paused container ${id}. Unpause and then stop the container before attempting removal or force remove`,
			);
		}
		if (!force) {
			throw new EngineError(
				'conflict',
				`You cannot remove a ${isRestarting ? status : 'running'} container ${id}. Stop the container before attempting removal or force remove`,
			);
		}
		const ended = this.exited(entry);
		this.note(entry, { manual_stop: true });
		if (isRestarting) {
			this.cancelRestart(entry);
			return;
		}
		this.signal(entry, SIGKILL);
		entry.run?.discardOutput();
		await this.thaw(entry);
		await this.waitForKilled(entry, ended);
	}

	private async removeLocked(entry: Entry, options: { readonly volumes: boolean }): Promise<void> {
		const { id, name, config, status } = entry.record;
		if (config.auto_remove && status === 'exited') {
			// The next engine would remove it as it stands on the disk.
			entry.record = { ...entry.record, status: 'removing' };
		} else {
			this.note(entry, { status: 'removing' });
		}
		for (const attachment of [...entry.attachments]) {
			attachment.abandon();
		}
		void entry.log.close();
		try {
			await unshareIpc(entry.folder);
			await removeContainerFolder(entry.folder);
		} catch (error) {
			this.note(entry, { status: 'dead', error: messageOf(error) });
			throw new EngineError('internal', `Cannot remove container "${name}": ${messageOf(error)}`, {
				cause: error,
			});
		}
		// Should the power go now, the next engine finds what is to be removed and does so.
		this.options.store.remove(recordKey(id), config.auto_remove ? 'soon' : 'at once');
		this.entries.delete(id);
		this.names.delete(name);
		this.execs.containerRemoved(id);
		this.health.forget(id);
		if (options.volumes) {
			await this.removeAnonymousVolumes(config.mounts);
		}
		this.emit(entry, 'destroy');
		this.settle(entry, ['not-running', 'next-exit', 'removed']);
	}

	/** Those that nobody else uses by now. */
	private async removeAnonymousVolumes(mounts: readonly Mount[]): Promise<void> {
		const { volumes, warn } = this.options;
		const names = mounts.filter(({ type }) => type === 'volume').map(({ source }) => source);
		for (const name of new Set(names)) {
			try {
				if (volumes.find(name)?.is_anonymous === true && volumes.usersOf(name).length === 0) {
					await volumes.remove(name, { force: true });
				}
			} catch (error) {
				warn(messageOf(error));
			}
		}
	}

	// Engine start

	private async reconcile(entry: Entry): Promise<void> {
		const { record } = entry;
		try {
			if (record.status === 'removing') {
				await this.removeLocked(entry, { volumes: record.config.auto_remove });
			} else if (record.status === 'restarting') {
				// Its last run is over; what remains of it was read already.
				fs.rmSync(entry.folder.shim, { recursive: true, force: true });
			} else if (isLive(record.status)) {
				await this.reconcileLive(entry);
			} else if (record.config.auto_remove && (record.status === 'exited' || record.error !== '')) {
				await this.autoRemove(entry);
			}
		} catch (error) {
			this.options.warn(`Cannot restore container "${record.name}": ${messageOf(error)}`);
		}
	}

	/** A folder without a record: nothing may go on in it. The files stay when the record was set aside as corrupt. */
	private async removeStray(id: string): Promise<void> {
		const { root, runtime, warn } = this.options;
		const folder = containerFolder(root, id);
		try {
			await endShim(folder.shim);
			if (runtime.hasState(id)) {
				await runtime.delete(id);
			}
			await unshareIpc(folder);
			const records = fs.readdirSync(path.join(root, 'records'));
			// A record that was set aside may be mended by a person, who then wants the files.
			if (!records.some((name) => name.startsWith(`${recordKey(id)}.json.corrupt-`))) {
				await fs.promises.rm(folder.path, { recursive: true, force: true });
			}
		} catch (error) {
			warn(`Cannot remove "${folder.path}", which belongs to no container: ${messageOf(error)}`);
		}
	}

	private async reconcileLive(entry: Entry): Promise<void> {
		const { record } = entry;
		if (isOfEarlierBoot(record)) {
			// Nothing of it runs any more. An exit file may still tell the exit code.
			this.options.runtime.forget(record.id);
		}
		const run = this.newRun(entry);
		if (!run.adopt()) {
			await this.reconcileLost(entry);
			return;
		}
		const isStop = record.status === 'stopping';
		const ended = this.exited(entry);
		await this.locked(entry, async () => {
			const begin = await this.awaitBegin(entry, run);
			if (begin.kind === 'running') {
				this.hasStarted(entry, run, begin.pid);
				await this.alignPaused(entry);
			} else {
				const failed = new StartError(failureOf(begin, entry.record));
				await (begin.kind === 'vanished' ? this.startLost(entry, failed) : this.startRefused(entry, failed));
			}
		});
		if (run.isEnding) {
			await ended;
		} else if (isStop && isLive(entry.record.status)) {
			// The engine died between the signal and the end of its patience.
			await ignoreNotModified(this.stopEntry(entry, {}));
		}
	}

	/** The engine may have died between the freezing and the note of it. */
	private async alignPaused(entry: Entry): Promise<void> {
		const { id, status, config } = entry.record;
		const parent = config.isolation?.cgroup_parent;
		await letGo(entry.folder.shim, { runtime: this.options.runtime, id, parent });
		const actual = machine().hasCgroups && isFrozen(id, parent) ? 'paused' : 'running';
		if ((status === 'paused' || status === 'running') && status !== actual) {
			this.note(entry, { status: actual });
		}
	}

	/** There is no trace of a shim. */
	private async reconcileLost(entry: Entry): Promise<void> {
		const { record } = entry;
		if (record.status === 'starting') {
			const reason = { message: 'the engine ended while it started the container', exitCode: 125 };
			await this.startLost(entry, new StartError(reason));
			return;
		}
		const { run } = entry;
		if (run !== undefined) {
			await this.hasEnded(entry, run, { exitCode: undefined, finishedAt: Date.now() });
		}
	}

	/** A failed start that nobody waits for: the record tells why. */
	private async startRefused(entry: Entry, error: StartError): Promise<void> {
		await this.startFailed(entry, error).catch(() => undefined);
	}

	/** A start that the engine did not see to its end; a restart policy tries again, and it counts as one. */
	private async startLost(entry: Entry, error: StartError): Promise<void> {
		await this.startRefused(entry, error);
		if (this.entries.has(entry.record.id) && isToRestart(entry.record, entry.record.exit_code)) {
			this.note(entry, { status: 'restarting' });
			if (this.isResumed) {
				this.scheduleRestart(entry);
			}
		}
	}

	private checkAll(): void {
		const watched = [...this.entries.values()].filter((entry) => entry.run !== undefined || entry.isUnsaved);
		for (const entry of watched) {
			entry.run?.check();
			if (entry.isUnsaved) {
				this.saveAgain(entry);
			}
		}
		if (watched.length === 0) {
			clearInterval(this.safetyNet);
			this.safetyNet = undefined;
		}
	}

	// Book-keeping

	private add(record: Container): Entry {
		const folder = containerFolder(this.options.root, record.id);
		const entry: Entry = {
			record,
			folder,
			log: createLog(record.config.log_config, folder.log, () => entry.record, this.options.warn),
			waiters: new Set(),
			attachments: new Set(),
			run: undefined,
			input: undefined,
			isInputClosed: false,
			lock: Promise.resolve(),
			restarts: 0,
			restartTimer: new RestartTimer(),
			isBeingRemoved: false,
			isUnsaved: false,
		};
		this.entries.set(record.id, entry);
		this.names.set(record.name, record.id);
		return entry;
	}

	/** A mount of a volume with the volume's name, which is made when it is not there. */
	private withVolume(mount: Mount): Mount {
		if (mount.type !== 'volume') {
			return mount;
		}
		const { name } = this.options.volumes.create({ name: mount.source, driver: '', labels: {}, options: {} });
		return { ...mount, source: name };
	}

	/** "container:NAME" with the id, which stays the same container after a rename. */
	private wholeMode(text: string): string {
		const mode = parseNetworkMode(text);
		return mode.kind === 'container' ? `container:${this.get(mode.container).id}` : text;
	}

	/** Docker's refusals for a container without bridges of its own, and for a network that is none. */
	private checkMembership(entry: Entry, network: string | undefined): void {
		const { kind } = parseNetworkMode(entry.record.config.network.mode);
		if (kind === 'none') {
			const reason =
				'container cannot be connected to multiple networks with one of the networks in private (none) mode';
			throw new EngineError('denied', reason);
		}
		if (kind !== 'network') {
			const reason =
				'container sharing network namespace with another container or host cannot be connected to any other network';
			throw new EngineError('denied', reason);
		}
		if (network !== undefined) {
			const reason =
				network === 'host'
					? 'container cannot be disconnected from host network or connected to host network'
					: 'container cannot be connected to multiple networks with one of the networks in private (none) mode';
			throw new EngineError('denied', reason);
		}
	}

	private updateEndpoints(entry: Entry, endpoints: readonly EndpointConfig[]): void {
		const { config } = entry.record;
		this.update(entry, { config: { ...config, network: { ...config.network, endpoints } } });
	}

	/** Changes what a person asked to change: it is on the disk, or it has not happened. */
	private update(entry: Entry, changes: Partial<Container>, durability: Durability = 'at once'): void {
		const record = { ...entry.record, ...changes };
		this.options.store.save(recordKey(record.id), record, durability);
		entry.record = record;
		entry.isUnsaved = false;
	}

	/** Notes what has happened. A full disk cannot undo it, nor may it keep anybody from stopping what fills it. */
	private note(entry: Entry, changes: Partial<Container>): void {
		try {
			// Where a container was when the power went matters no more: nothing runs then.
			this.update(entry, changes, 'soon');
		} catch (error) {
			entry.record = { ...entry.record, ...changes };
			entry.isUnsaved = true;
			this.options.warn(`Cannot save container "${entry.record.name}", trying again: ${messageOf(error)}`);
			this.watchOver();
		}
	}

	/** Of what is removed at once nothing is written: a next engine finds the exit in the shim's folder, or that folder gone. */
	private noteEnd(entry: Entry, isGoing: boolean, changes: Partial<Container>): void {
		if (isGoing) {
			entry.record = { ...entry.record, ...changes };
		} else {
			this.note(entry, changes);
		}
	}

	private saveAgain(entry: Entry): void {
		try {
			this.update(entry, {});
		} catch (error) {
			// A full disk was told of when it was first met.
			if (!isDiskFull(error)) {
				this.options.warn(`Cannot save container "${entry.record.name}": ${messageOf(error)}`);
			}
		}
	}

	private emit(entry: Entry, action: string, attributes: Readonly<Record<string, string>> = {}): void {
		const { id, name, config, labels } = entry.record;
		this.options.events.emit('container', action, id, { ...labels, image: config.image, name, ...attributes });
	}

	private async locked<T>(entry: Entry, operation: () => T | Promise<T>): Promise<T> {
		const result = entry.lock.then(() => {
			if (this.entries.get(entry.record.id) !== entry) {
				throw notFound(entry.record.name);
			}
			return operation();
		});
		entry.lock = result.then(
			() => undefined,
			() => undefined,
		);
		return result;
	}

	private exited(entry: Entry): Promise<WaitResult> {
		return this.register(entry, 'next-exit').result;
	}

	private register(entry: Entry, condition: WaitCondition): { result: Promise<WaitResult>; cancel: () => void } {
		let cancel = (): void => undefined;
		const result = new Promise<WaitResult>((resolve) => {
			const waiter = { condition, resolve };
			entry.waiters.add(waiter);
			cancel = () => {
				entry.waiters.delete(waiter);
			};
		});
		return { result, cancel };
	}

	private settle(entry: Entry, conditions: readonly WaitCondition[]): void {
		for (const waiter of [...entry.waiters]) {
			if (conditions.includes(waiter.condition)) {
				entry.waiters.delete(waiter);
				waiter.resolve(waitResult(entry.record));
			}
		}
	}

	private checkFree(name: string): void {
		const owner = this.names.get(name);
		if (owner !== undefined) {
			throw new EngineError(
				'conflict',
				`Conflict. The container name "/${name}" is already in use by container "${owner}". You have to remove (or rename) that container to be able to reuse that name.`,
			);
		}
	}

	private entry(nameOrId: string): Entry {
		const entry = this.findEntry(nameOrId);
		if (entry === undefined) {
			throw notFound(nameOrId);
		}
		return entry;
	}

	private findEntry(nameOrId: string): Entry | undefined {
		const id = this.names.get(nameOrId.replace(/^\//, ''));
		const exact = this.entries.get(nameOrId) ?? (id === undefined ? undefined : this.entries.get(id));
		if (exact !== undefined || !/^[0-9a-f]{1,63}$/.test(nameOrId)) {
			return exact;
		}
		const matches = [...this.entries.values()].filter((entry) => entry.record.id.startsWith(nameOrId));
		if (matches.length > 1) {
			throw new EngineError('invalid', `multiple IDs found with provided prefix: ${nameOrId}`);
		}
		return matches[0];
	}
}

/** A start that the runtime or the shim refused. */
class StartError extends Error {
	constructor(readonly failure: StartFailure) {
		super(failure.message);
	}
}

function failureOf(begin: Exclude<Begin, { kind: 'running' }>, { config }: Container): StartFailure {
	const [program = ''] = [...config.entrypoint, ...config.command];
	return begin.kind === 'refused' ? startFailure({ ...begin, program }) : { message: begin.reason, exitCode: 125 };
}

function notFound(nameOrId: string): EngineError {
	return new EngineError('not-found', `No such container: ${nameOrId}`);
}

function waitResult({ exit_code: exitCode, status, error }: Container): WaitResult {
	return { exitCode, error: status === 'dead' ? error : '' };
}

function isProcessAlive({ process }: Container): boolean {
	return process !== null && isAlive(process);
}

function isOfEarlierBoot({ shim, process }: Container): boolean {
	const boot = shim?.boot_id ?? process?.boot_id;
	return boot !== undefined && boot !== currentBootId();
}

function lostReason(record: Container): string {
	return isOfEarlierBoot(record)
		? 'the machine was restarted meanwhile, exit code lost'
		: 'monitor vanished, exit code lost';
}

function openInput(entry: Entry): Input {
	if (!entry.record.config.open_stdin || entry.run === undefined || entry.isInputClosed) {
		throw new EngineError('conflict', `Cannot write to container "${entry.record.name}": its input is closed`);
	}
	entry.input ??= new Input(entry.folder.shim);
	return entry.input;
}

function closeInput(entry: Entry): void {
	if (entry.run?.isRunning === true && entry.record.config.open_stdin && !entry.isInputClosed) {
		openInput(entry).end();
		entry.isInputClosed = true;
	}
}
