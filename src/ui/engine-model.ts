import { EventEmitter, workspace, type Disposable, type LogOutputChannel } from 'vscode';
import type { Client } from '../api/client';
import type { EventMessage } from '../api/types';
import { bare, engineIn, keyOn, OWN_ID, rowKey } from './engine-keys';
import { keyedEvent } from './event-log';
import { isAbort, refusal, sentence, localSentence } from './failure';
import { Listing } from './listing';
import {
	containerRow,
	imageRows,
	isAlive,
	networkRows,
	volumeRows,
	type ContainerRow,
	type ImageRow,
	type NetworkRow,
	type VolumeRow,
} from './rows';

/**
 * idle: no connection, rows may be old · loading: first list on its way · ready: rows are true · failed: see `failure`
 * · restricted: the workspace is not trusted, nothing starts · unsupported: no engine for this operating system.
 */
export type ModelState = 'idle' | 'loading' | 'ready' | 'failed' | 'restricted' | 'unsupported';

/** Events after which a container's row may look different. */
const ROW_EVENTS = new Set([
	'create',
	'start',
	'restart',
	'die',
	'stop',
	'kill',
	'oom',
	'pause',
	'unpause',
	'rename',
	'update',
	'health_status',
]);
/** Events that show that what failed before does not count any more. */
const NEWS = new Set(['start', 'restart', 'pause', 'unpause', 'rename', 'update', 'destroy']);
/** Milliseconds that an unneeded connection stays, so that a restart or a quick look elsewhere does not end it. */
const LINGER = 10_000;
/** Milliseconds between two tries to listen. */
const SHORTEST_PAUSE = 50;
const LONGEST_PAUSE = 10_000;
/** A working engine that broke off gets more tries; one that never came up fails at once, with its reason. */
const MOST_FAILURES = 3;
const NO_SECOND_TRY = MOST_FAILURES;
/** A quick action shows its result, not a spinner that flashes. */
const SPINNER_DELAY = 150;

/**
 * What the engine holds, kept true by one list and the event stream. Nothing polls: the stream is open while a view is
 * visible, a container runs or an action is under way, and closed otherwise so that the idle engine can leave.
 *
 * Invariant: nothing but this class writes the rows, and only from the engine's answers.
 */
export class EngineModel implements Disposable {
	private readonly changedContainers = new EventEmitter<string>();
	private readonly touched = new EventEmitter<void>();
	private readonly changedState = new EventEmitter<ModelState>();
	private readonly received = new EventEmitter<EventMessage>();
	private readonly listed = new EventEmitter<void>();

	/** Says which container came, went or changed. */
	readonly onDidChangeContainer = this.changedContainers.event;
	readonly onDidChangeState = this.changedState.event;
	/** A row became busy, free, or failed. */
	readonly onDidTouchRows = this.touched.event;
	/** Every event of the engine, as it comes, while there is a connection; its actor has the key of its row. */
	readonly onDidReceive = this.received.event;

	private readonly imageList = new Listing<ImageRow>();
	readonly onDidChangeImages = this.imageList.onDidChange;
	/** By id: own ones by name, then the built-in ones. */
	readonly networks = new Listing<NetworkRow>();
	/** By name: those that have one, then the anonymous ones. */
	readonly volumes = new Listing<VolumeRow>();

	private readonly containerRows = new Map<string, ContainerRow>();
	/** The same, sorted; undefined when a row has changed since. */
	private sortedContainers: readonly ContainerRow[] | undefined;
	private readonly visibleViews = new Set<string>();
	private readonly busyRows = new Map<string, number>();
	/** What failed on a row last, by the row's key. */
	private readonly faults = new Map<string, string>();
	/** Errors that a row shows, so that nothing else has to. */
	private readonly errorsOnRows = new WeakSet<Error>();
	/** Requests under way, each with the one that has to follow it. */
	private readonly refetching = new Map<string, (() => Promise<void>) | undefined>();
	private holds = 0;
	private connection: { readonly abort: AbortController; readonly first: Promise<void> } | undefined;
	private lingering: NodeJS.Timeout | undefined;
	private currentState: ModelState = 'idle';
	private currentFailure: Error | undefined;

	constructor(
		private readonly client: Client,
		private readonly log: LogOutputChannel,
		/** The id of the engine that the client leads to. */
		readonly engine: string,
		/** Where it publishes ports; "" for this machine. */
		readonly machine: string,
	) {}

	/** Why nothing may be reached in this window; undefined when it may. */
	get refusal(): Error | undefined {
		return refusal(this.engine === OWN_ID);
	}

	/** The key that an id or a name of this engine has. */
	readonly keyOf = (id: string): string => keyOn(this.engine, id);

	get state(): ModelState {
		return this.currentState;
	}

	/** What went wrong when the state is "failed". */
	get failure(): Error | undefined {
		return this.currentFailure;
	}

	/** Newest first. */
	get containers(): readonly ContainerRow[] {
		return (this.sortedContainers ??= [...this.containerRows.values()].sort(
			(a, b) => b.created - a.created || (a.id < b.id ? -1 : 1),
		));
	}

	/** By name without the registry, as they are shown; images without a name last. */
	get images(): readonly ImageRow[] {
		return this.imageList.rows;
	}

	container(idOrName: string): ContainerRow | undefined {
		return this.containerRows.get(this.keyFor(idOrName)) ?? this.containers.find((row) => row.name === idOrName);
	}

	image(name: string): ImageRow | undefined {
		return this.imageList.get(this.keyFor(name));
	}

	/** What somebody calls it may be a key already. */
	private keyFor(name: string): string {
		return engineIn(name) === undefined ? this.keyOf(name) : rowKey(name);
	}

	/** What pickers say of a row's engine; "" while the window uses one only. */
	engineName(): string {
		return '';
	}

	/** True while an action runs on this row. */
	isBusy(key: string): boolean {
		return this.busyRows.has(key);
	}

	/** Why the last action on this row failed; undefined when it did not, or something has happened since. */
	fault(key: string): string | undefined {
		return this.faults.get(key);
	}

	/** True when rows that can be seen show this error. */
	isOnRow(error: unknown): boolean {
		return error instanceof AggregateError
			? error.errors.every((one) => this.isOnRow(one))
			: error instanceof Error && this.errorsOnRows.has(error);
	}

	/** Resolves when the rows can be shown. Unlike `load` it does not try again what has just failed. Never throws. */
	async ready(): Promise<void> {
		if (this.currentState === 'idle' || this.currentState === 'loading') {
			await this.load();
		}
	}

	/** Resolves when the rows are true, or when it is known that they cannot be had (see `state`). Never throws. */
	async load(): Promise<void> {
		if (this.engine === OWN_ID && process.platform !== 'linux') {
			this.setState('unsupported');
		} else if (!workspace.isTrusted) {
			this.setState('restricted');
		} else {
			this.connection ??= this.connect();
			await this.connection.first;
		}
	}

	/** Resolves with true when the container starts, with false when it goes or the signal aborts. Never throws. */
	whenStarted(container: string, signal: AbortSignal): Promise<boolean> {
		const id = this.keyFor(container);
		return new Promise((resolve) => {
			if (signal.aborted) {
				resolve(false);
				return;
			}
			const subscriptions = [
				this.received.event((event) => {
					if (event.Actor.ID === id && (event.Action === 'start' || event.Action === 'destroy')) {
						finish(event.Action === 'start');
					}
				}),
				// A start may have been missed while there was no connection.
				this.listed.event(() => {
					const row = this.containerRows.get(id);
					if (row === undefined || isAlive(row.state)) {
						finish(row !== undefined);
					}
				}),
			];
			const cancel = (): void => {
				finish(false);
			};
			signal.addEventListener('abort', cancel);
			function finish(hasStarted: boolean): void {
				signal.removeEventListener('abort', cancel);
				for (const subscription of subscriptions) {
					subscription.dispose();
				}
				resolve(hasStarted);
			}
		});
	}

	/** Lists again, over a new connection. */
	async reload(): Promise<void> {
		this.disconnect();
		await this.load();
	}

	/** Forgets all rows, since the window does not use the engine any more. */
	forget(): void {
		this.disconnect();
		this.faults.clear();
		this.visibleViews.clear();
		this.clear('idle');
	}

	/** Tells whether somebody looks at the view; keeps the connection while one is visible. */
	setVisible(view: string, isVisible: boolean): void {
		if (isVisible) {
			this.visibleViews.add(view);
			void this.load();
		} else {
			this.visibleViews.delete(view);
			this.releaseWhenUnneeded();
		}
	}

	/** Runs `action` on one row like `during`; the row shows the error when it fails, until something else happens. */
	async act<T>(key: string, action: () => Promise<T>): Promise<T> {
		this.clearFault(key);
		try {
			return await this.during([key], action);
		} catch (error) {
			this.setFault(key, error);
			throw error;
		}
	}

	/** Runs `action` on rows: they show a spinner when it takes its time, and the connection is kept meanwhile. */
	async during<T>(keys: readonly string[], action: () => Promise<T>): Promise<T> {
		this.holds++;
		void this.load();
		const spinner = { isShown: false };
		const timer = setTimeout(() => {
			spinner.isShown = true;
			this.setBusy(keys, 1);
		}, SPINNER_DELAY);
		try {
			return await action();
		} finally {
			clearTimeout(timer);
			if (spinner.isShown) {
				this.setBusy(keys, -1);
			}
			this.holds--;
			this.releaseWhenUnneeded();
		}
	}

	dispose(): void {
		this.disconnect();
		for (const emitter of [
			this.changedContainers,
			this.changedState,
			this.touched,
			this.received,
			this.listed,
			this.imageList,
			this.networks,
			this.volumes,
		]) {
			emitter.dispose();
		}
	}

	private connect(): NonNullable<EngineModel['connection']> {
		const abort = new AbortController();
		const first = new Promise<void>((resolve) => {
			void this.follow(abort.signal, resolve).finally(resolve);
		});
		return { abort, first };
	}

	private disconnect(): void {
		clearTimeout(this.lingering);
		this.lingering = undefined;
		this.connection?.abort.abort();
		this.connection = undefined;
		if (this.currentState === 'ready' || this.currentState === 'loading') {
			this.setState('idle');
		}
	}

	/** Lists and listens until aborted; begins again when the engine leaves, is replaced or is killed. Never throws. */
	private async follow(signal: AbortSignal, onListed: () => void): Promise<void> {
		let failures = NO_SECOND_TRY;
		for (let pause = 0; ; pause = Math.min(Math.max(pause * 2, SHORTEST_PAUSE), LONGEST_PAUSE)) {
			await sleep(pause, signal);
			// Events from before the list are asked for again: what changes in between is not missed, and the margin
			// covers the difference between this clock and the engine's.
			const since = ((Date.now() - 1000) / 1000).toFixed(3);
			try {
				this.setState('loading');
				await this.list(signal);
			} catch (error) {
				if (signal.aborted) {
					return;
				}
				if (++failures > MOST_FAILURES) {
					this.fail(error);
					return;
				}
				this.log.warn(`Cannot list, trying again: ${sentence(error)}`);
				continue;
			}
			onListed();
			failures = 0;
			const begun = Date.now();
			await this.listen(since, signal);
			if (signal.aborted) {
				return;
			}
			// An engine that keeps leaving at once is not asked ten times a second.
			pause = Date.now() - begun > LONGEST_PAUSE ? 0 : pause;
		}
	}

	private async listen(since: string, signal: AbortSignal): Promise<void> {
		try {
			for await (const event of this.client.events({ since, signal })) {
				this.receive(keyedEvent(event, this.keyOf), signal);
			}
		} catch (error) {
			if (!signal.aborted) {
				this.log.warn(`The event stream broke: ${sentence(error)}`);
			}
		}
	}

	private async list(signal: AbortSignal): Promise<void> {
		const [containers, images, networks, volumes] = await Promise.all([
			this.client.containers.list({ all: true, signal }),
			this.client.images.list({ signal }),
			this.client.networks.list({ signal }),
			this.client.volumes.list({ signal }),
		]);
		signal.throwIfAborted();
		const now = Date.now();
		const before = new Set(this.containerRows.keys());
		this.containerRows.clear();
		for (const summary of containers) {
			const row = containerRow(summary, now, this.keyOf, this.machine);
			this.containerRows.set(row.id, row);
			before.add(row.id);
		}
		this.sortedContainers = undefined;
		this.setState('ready');
		this.imageList.replace(imageRows(images, this.keyOf));
		this.networks.replace(networkRows(networks, this.keyOf));
		this.volumes.replace(volumeRows(volumes, this.keyOf));
		for (const id of before) {
			this.changedContainers.fire(id);
		}
		this.listed.fire();
		this.releaseWhenUnneeded();
	}

	private fail(error: unknown): void {
		this.connection = undefined;
		this.currentFailure = error instanceof Error ? error : new Error(String(error));
		this.clear('failed');
	}

	private clear(state: ModelState): void {
		const gone = [...this.containerRows.keys()];
		this.containerRows.clear();
		this.sortedContainers = undefined;
		this.setState(state);
		for (const listing of [this.imageList, this.networks, this.volumes]) {
			listing.replace();
		}
		for (const id of gone) {
			this.changedContainers.fire(id);
		}
	}

	private receive(event: EventMessage, signal: AbortSignal): void {
		switch (event.Type) {
			case 'container':
				this.receiveFromContainer(event, signal);
				break;
			case 'image':
				// A moved tag changes two images, so all are listed; it is one request all the same.
				this.refetch('images', async () => {
					this.imageList.replace(imageRows(await this.client.images.list({ signal }), this.keyOf));
				});
				break;
			case 'network':
				this.receiveFromNetwork(event, signal);
				break;
			case 'volume':
				this.refetch('volumes', async () => {
					this.volumes.replace(volumeRows(await this.client.volumes.list({ signal }), this.keyOf));
				});
				break;
		}
		this.received.fire(event);
	}

	/** Joining or leaving a network changes the container, not the network. */
	private receiveFromNetwork(event: EventMessage, signal: AbortSignal): void {
		const id = event.Actor.Attributes?.['container'];
		const container = id === undefined ? undefined : this.keyOf(id);
		if (container !== undefined && (event.Action === 'connect' || event.Action === 'disconnect')) {
			if (this.containerRows.has(container)) {
				this.refetch(container, () => this.refetchContainer(container, undefined, signal));
			}
			return;
		}
		this.refetch('networks', async () => {
			this.networks.replace(networkRows(await this.client.networks.list({ signal }), this.keyOf));
		});
	}

	private receiveFromContainer(event: EventMessage, signal: AbortSignal): void {
		const id = event.Actor.ID;
		if (NEWS.has(event.Action)) {
			this.clearFault(id);
		}
		if (event.Action === 'destroy') {
			this.setContainer(id, undefined);
		} else if (ROW_EVENTS.has(event.Action.replace(/:.*/, ''))) {
			const isTurn = event.Action === 'start' || event.Action === 'die';
			this.refetch(id, () => this.refetchContainer(id, isTurn ? event.time * 1000 : undefined, signal));
		}
	}

	/** Runs `fetch` now, or once more when it is running already: events in a burst cost two requests, not ten. */
	private refetch(key: string, fetch: () => Promise<void>): void {
		const isRunning = this.refetching.has(key);
		this.refetching.set(key, isRunning ? fetch : undefined);
		if (isRunning) {
			return;
		}
		const run = async (current: () => Promise<void>): Promise<void> => {
			try {
				await current();
			} catch (error) {
				if (!isAbort(error)) {
					// The stream breaks as well, and a fresh list follows.
					this.log.warn(`Cannot refresh "${key}": ${sentence(error)}`);
				}
			}
			const again = this.refetching.get(key);
			this.refetching.set(key, undefined);
			await (again === undefined ? undefined : run(again));
		};
		void run(fetch).finally(() => this.refetching.delete(key));
	}

	private async refetchContainer(id: string, since: number | undefined, signal: AbortSignal): Promise<void> {
		const summaries = await this.client.containers.list({ all: true, filters: { id: [bare(id)] }, signal });
		const summary = summaries.find((candidate) => candidate.Id === bare(id));
		const before = this.containerRows.get(id);
		const row = summary === undefined ? undefined : containerRow(summary, Date.now(), this.keyOf, this.machine);
		const isSame = row?.state === before?.state && row?.exitCode === before?.exitCode;
		this.setContainer(id, row && { ...row, since: since ?? (isSame ? before?.since : undefined) ?? row.since });
	}

	private setContainer(id: string, row: ContainerRow | undefined): void {
		if (row === undefined) {
			this.containerRows.delete(id);
		} else {
			this.containerRows.set(id, row);
		}
		this.sortedContainers = undefined;
		this.changedContainers.fire(id);
		this.releaseWhenUnneeded();
	}

	private setBusy(keys: readonly string[], change: 1 | -1): void {
		for (const key of keys) {
			const count = (this.busyRows.get(key) ?? 0) + change;
			if (count > 0) {
				this.busyRows.set(key, count);
			} else {
				this.busyRows.delete(key);
			}
		}
		this.touched.fire();
	}

	private setFault(key: string, error: unknown): void {
		if (!(error instanceof Error) || isAbort(error)) {
			return;
		}
		this.faults.set(key, localSentence(error));
		if (this.isSeen(key)) {
			this.errorsOnRows.add(error);
		}
		this.touched.fire();
	}

	private clearFault(key: string): void {
		if (this.faults.delete(key)) {
			this.touched.fire();
		}
	}

	/** True when the row's view is open. */
	private isSeen(key: string): boolean {
		const views: readonly (readonly [string, boolean])[] = [
			['containers', this.containerRows.has(key)],
			['images', this.imageList.get(key) !== undefined],
			['networks', this.networks.get(key) !== undefined],
			['volumes', this.volumes.get(key) !== undefined],
		];
		return views.some(([view, hasRow]) => hasRow && this.visibleViews.has(view));
	}

	private setState(state: ModelState): void {
		if (state !== this.currentState) {
			this.currentState = state;
			this.changedState.fire(state);
		}
	}

	private releaseWhenUnneeded(): void {
		clearTimeout(this.lingering);
		this.lingering = undefined;
		if (this.connection !== undefined && !this.isNeeded()) {
			this.lingering = setTimeout(() => {
				this.disconnect();
			}, LINGER);
		}
	}

	private isNeeded(): boolean {
		return (
			this.visibleViews.size > 0 ||
			this.holds > 0 ||
			[...this.containerRows.values()].some((row) => isAlive(row.state))
		);
	}
}

/** Waits, or returns early when aborted. */
function sleep(milliseconds: number, signal: AbortSignal): Promise<void> {
	return new Promise((resolve) => {
		const timer = setTimeout(done, milliseconds);
		signal.addEventListener('abort', done);
		function done(): void {
			clearTimeout(timer);
			signal.removeEventListener('abort', done);
			resolve();
		}
	});
}
