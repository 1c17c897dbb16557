import { EventEmitter, type Disposable, type Event, type LogOutputChannel } from 'vscode';
import type { Client } from '../api/client';
import type { EventMessage } from '../api/types';
import { engineIn, engineOfRow, OWN_ID } from './engine-keys';
import { EngineModel, type ModelState } from './engine-model';
import { refusal } from './failure';
import { machineOf } from './port';
import type { ContainerRow, ImageRow, NetworkRow, VolumeRow } from './rows';

export type { ModelState } from './engine-model';

/** Rows of one kind, in order and by key. */
export type Rows<Row> = Pick<EngineModel['networks'], 'onDidChange'> & {
	readonly rows: readonly Row[];
	readonly keys: readonly string[];
	get(key: string): Row | undefined;
};

/** What views and commands see: what one engine holds, or what all do that the window uses. */
export type Model = Omit<
	Pick<EngineModel, keyof EngineModel>,
	'networks' | 'volumes' | 'engine' | 'engineName' | 'forget' | 'dispose'
> & {
	readonly networks: Rows<NetworkRow>;
	readonly volumes: Rows<VolumeRow>;
	/** What pickers say of a row's engine; "" while the window uses one only. */
	engineName(key: string): string;
};

/** Of engines.ts, which engines the window uses. */
interface Used {
	/** Ids; never empty. */
	readonly usedIds: readonly string[];
	readonly areSeveral: boolean;
	get(id: string): { readonly name: string; readonly host: string } | undefined;
	clientOf(id: string): Client;
}

/**
 * What all engines that the window uses hold, engine after engine: each has a model of its own, and every row's key says
 * whose it is. With one engine this is that engine's model.
 */
export class Models implements Model, Disposable {
	private readonly changedContainers = new EventEmitter<string>();
	private readonly changedImages = new EventEmitter<void>();
	private readonly changedNetworks = new EventEmitter<void>();
	private readonly changedVolumes = new EventEmitter<void>();
	private readonly touched = new EventEmitter<void>();
	private readonly changedState = new EventEmitter<ModelState>();
	private readonly received = new EventEmitter<EventMessage>();

	readonly onDidChangeContainer = this.changedContainers.event;
	readonly onDidChangeImages = this.changedImages.event;
	readonly onDidTouchRows = this.touched.event;
	/** One of the engines' states has changed. */
	readonly onDidChangeState = this.changedState.event;
	readonly onDidReceive = this.received.event;
	readonly networks: Rows<NetworkRow> = this.rowsOf(this.changedNetworks.event, (model) => model.networks);
	readonly volumes: Rows<VolumeRow> = this.rowsOf(this.changedVolumes.event, (model) => model.volumes);

	private readonly containerRows = joined((model) => model.containers);
	private readonly imageRows = joined((model) => model.images);
	/** Of every engine that was used: one that comes back goes on with what follows it. */
	private readonly models = new Map<string, EngineModel>();
	private readonly subscriptions: Disposable[] = [];
	private readonly visibleViews = new Set<string>();
	private used: readonly EngineModel[] = [];

	constructor(
		private readonly engines: Used,
		private readonly log: LogOutputChannel,
	) {
		this.used = this.usedModels();
	}

	/** The model of one of the engines. */
	of(engine: string): EngineModel {
		const known = this.models.get(engine);
		if (known !== undefined) {
			return known;
		}
		const model = new EngineModel(
			this.engines.clientOf(engine),
			this.log,
			engine,
			machineOf(this.engines.get(engine)?.host ?? ''),
		);
		this.models.set(engine, model);
		this.subscribe(model);
		return model;
	}

	/** The model of the engine that a row is of; the first one's when that is not in use, or the key names none. */
	at(key: string): EngineModel {
		const model = this.models.get(engineOfRow(key));
		return model !== undefined && this.used.includes(model) ? model : this.first;
	}

	/** The first engine that has the image. */
	engineOfImage(name: string): string | undefined {
		return this.used.find((model) => model.image(name) !== undefined)?.engine;
	}

	engineName(key: string): string {
		const id = engineOfRow(key);
		return this.engines.areSeveral ? (this.engines.get(id)?.name ?? id) : '';
	}

	/** The models of the engines in use, in their order. */
	get all(): readonly EngineModel[] {
		return this.used;
	}

	get refusal(): Error | undefined {
		return refusal(this.engines.usedIds.every((id) => id === OWN_ID));
	}

	/** Of several engines: ready when one of them is, and failed when all of them are. */
	get state(): ModelState {
		const states = this.used.map(({ state }) => state);
		return (['ready', 'loading', 'idle'] as const).find((state) => states.includes(state)) ?? states[0] ?? 'idle';
	}

	get failure(): Error | undefined {
		return this.used.find(({ state }) => state === 'failed')?.failure;
	}

	get containers(): readonly ContainerRow[] {
		return this.containerRows(this.used);
	}

	get images(): readonly ImageRow[] {
		return this.imageRows(this.used);
	}

	/** An id or a name without an engine is the first engine's that has it. */
	container(idOrName: string): ContainerRow | undefined {
		return this.find(idOrName, (model) => model.container(idOrName));
	}

	image(name: string): ImageRow | undefined {
		return this.find(name, (model) => model.image(name));
	}

	/** Where the window's first engine publishes ports; "" for this machine. */
	get machine(): string {
		return this.first.machine;
	}

	/** The key that a name has on the window's first engine. */
	readonly keyOf = (id: string): string => this.first.keyOf(id);

	isBusy(key: string): boolean {
		return this.at(key).isBusy(key);
	}

	fault(key: string): string | undefined {
		return this.at(key).fault(key);
	}

	isOnRow(error: unknown): boolean {
		return error instanceof AggregateError
			? error.errors.every((one) => this.isOnRow(one))
			: this.used.some((model) => model.isOnRow(error));
	}

	async ready(): Promise<void> {
		await Promise.all(this.used.map((model) => model.ready()));
	}

	/** Of several engines, one that did not answer is not waited for: its row says how to try again. */
	async load(): Promise<void> {
		const [only] = this.used;
		await (this.used.length === 1 ? only?.load() : this.ready());
	}

	whenStarted(id: string, signal: AbortSignal): Promise<boolean> {
		// A log goes on when the window does not use its engine any more.
		return (this.models.get(engineOfRow(id)) ?? this.first).whenStarted(id, signal);
	}

	async reload(): Promise<void> {
		await Promise.all(this.used.map((model) => model.reload()));
	}

	setVisible(view: string, isVisible: boolean): void {
		if (isVisible) {
			this.visibleViews.add(view);
		} else {
			this.visibleViews.delete(view);
		}
		for (const model of this.used) {
			model.setVisible(view, isVisible);
		}
	}

	act<T>(key: string, action: () => Promise<T>): Promise<T> {
		return this.at(key).act(key, action);
	}

	/** Rows of several engines keep the connections of all of them; no rows, that of the first. */
	during<T>(keys: readonly string[], action: () => Promise<T>): Promise<T> {
		const models = new Set(keys.length === 0 ? [this.first] : keys.map((key) => this.at(key)));
		return [...models].reduceRight(
			(inner, model) => () =>
				model.during(
					keys.filter((key) => this.at(key) === model),
					inner,
				),
			action,
		)();
	}

	/** Call when the window uses other engines: those that it left are forgotten, the others go on as they are. */
	switchEngines(): void {
		const before = this.used;
		this.used = this.usedModels();
		for (const model of before.filter((one) => !this.used.includes(one))) {
			model.forget();
		}
		for (const model of this.used.filter((one) => !before.includes(one))) {
			for (const view of this.visibleViews) {
				model.setVisible(view, true);
			}
		}
		for (const emitter of [this.changedImages, this.changedNetworks, this.changedVolumes, this.touched]) {
			emitter.fire();
		}
		this.changedState.fire(this.state);
	}

	dispose(): void {
		for (const disposable of [...this.subscriptions, ...this.models.values()]) {
			disposable.dispose();
		}
		for (const emitter of [
			this.changedContainers,
			this.changedImages,
			this.changedNetworks,
			this.changedVolumes,
			this.touched,
			this.changedState,
			this.received,
		]) {
			emitter.dispose();
		}
	}

	private get first(): EngineModel {
		return this.of(this.engines.usedIds[0] ?? OWN_ID);
	}

	private usedModels(): EngineModel[] {
		return this.engines.usedIds.map((id) => this.of(id));
	}

	private find<Row>(key: string, find: (model: EngineModel) => Row | undefined): Row | undefined {
		const engine = engineIn(key);
		const models =
			engine === undefined ? this.used : this.used.filter((model) => model === this.models.get(engine));
		for (const model of models) {
			const row = find(model);
			if (row !== undefined) {
				return row;
			}
		}
		return undefined;
	}

	/** Passes on what a model tells while it is in use, and that it is empty when it has just been left. */
	private subscribe(model: EngineModel): void {
		const forward = <T>(event: Event<T>, to: EventEmitter<T>): void => {
			this.subscriptions.push(
				event((value) => {
					to.fire(value);
				}),
			);
		};
		forward(model.onDidChangeContainer, this.changedContainers);
		forward(model.onDidChangeImages, this.changedImages);
		forward(model.networks.onDidChange, this.changedNetworks);
		forward(model.volumes.onDidChange, this.changedVolumes);
		forward(model.onDidTouchRows, this.touched);
		forward(model.onDidReceive, this.received);
		this.subscriptions.push(
			model.onDidChangeState(() => {
				this.changedState.fire(this.state);
			}),
		);
	}

	private rowsOf<Row>(onDidChange: Event<void>, listing: (model: EngineModel) => Rows<Row>): Rows<Row> {
		const rows = joined((model) => listing(model).rows);
		const keys = joined((model) => listing(model).keys);
		const all = (): readonly EngineModel[] => this.used;
		return {
			onDidChange,
			get rows() {
				return rows(all());
			},
			get keys() {
				return keys(all());
			},
			get: (key) => this.find(key, (model) => listing(model).get(key)),
		};
	}
}

/** Lists of all models in one: the same array as long as none of them is another one. */
function joined<Row>(list: (model: EngineModel) => readonly Row[]): (models: readonly EngineModel[]) => readonly Row[] {
	let from: readonly (readonly Row[])[] = [];
	let rows: readonly Row[] = [];
	return (models) => {
		const lists = models.map(list);
		if (lists.length !== from.length || lists.some((one, index) => one !== from[index])) {
			from = lists;
			rows = lists.length === 1 ? (lists[0] ?? []) : lists.flat();
		}
		return rows;
	};
}
