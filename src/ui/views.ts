import {
	commands,
	env,
	l10n,
	Uri,
	window,
	workspace,
	type Disposable,
	type TreeDragAndDropController,
	type TreeView,
} from 'vscode';
import { containerSource } from './container-rows';
import type { Doctor } from './doctor';
import { engineSource } from './engine-rows';
import { lastingKey } from './engine-keys';
import { byEngine, type Count } from './engine-roots';
import type { Engines } from './engines';
import { Failure, type Failures } from './failure';
import { imageSource } from './image-rows';
import { engineKey } from './keys';
import type { Models } from './model';
import { networkSource } from './network-rows';
import type { NewerImages } from './newer-images';
import type { Pulls } from './pulls';
import { RowTree, type RowSource } from './row-tree';
import type { RowUsage } from './row-usage';
import type { Scope } from './scope';
import { volumeSource } from './volume-rows';
import type { VolumeSizes } from './volume-sizes';

/** Milliseconds between redraws that only let "2 minutes" become 3; a look at the clock, not at the engine. */
const CLOCK = 30_000;

/** A view of the side bar with its tree. */
interface View {
	readonly name: 'containers' | 'images' | 'networks' | 'volumes' | 'engine';
	readonly tree: RowTree;
	readonly view: TreeView<string>;
}

/** The views of the side bar: they draw the model, and tell it whether somebody looks. */
export class Views implements Disposable {
	private readonly containers: View;
	private readonly images: View;
	private readonly networks: View;
	private readonly volumes: View;
	private readonly all: readonly View[];
	private readonly subscriptions: Disposable[];
	/** Context keys as VS Code has them. */
	private readonly context = new Map<string, unknown>();
	private clock: NodeJS.Timeout | undefined;

	private readonly model: Models;
	private readonly engines: Engines;
	private readonly scope: Scope;
	private readonly volumeSizes: VolumeSizes;
	private readonly rowUsage: RowUsage;
	private readonly failures: Failures;

	constructor(parts: {
		readonly model: Models;
		readonly engines: Engines;
		readonly scope: Scope;
		readonly volumeSizes: VolumeSizes;
		readonly pulls: Pulls;
		readonly doctor: Doctor;
		readonly rowUsage: RowUsage;
		readonly failures: Failures;
		readonly newerImages: NewerImages;
	}) {
		const { model, engines, scope, volumeSizes, pulls, doctor, rowUsage, failures, newerImages } = parts;
		this.model = model;
		this.engines = engines;
		this.scope = scope;
		this.volumeSizes = volumeSizes;
		this.rowUsage = rowUsage;
		this.failures = failures;
		const grouped = (source: RowSource, count: Count): RowSource => byEngine(source, engines, model, count);
		// The counts change with the rows, or the header would say "1 running" above a row that says "created".
		this.containers = open('containers', grouped(containerSource(model, scope, rowUsage), runningCount), () => {
			this.showCounts();
		});
		this.images = open('images', grouped(imageSource(model, scope, pulls, newerImages), imageCount), () => {
			this.showCounts();
		});
		this.networks = open('networks', grouped(networkSource(model), networkCount));
		this.volumes = open('volumes', grouped(volumeSource(model, volumeSizes), volumeCount));
		const engine = open('engine', engineSource(engines, doctor, model));
		this.all = [this.containers, this.images, this.networks, this.volumes, engine];
		this.subscriptions = [
			...this.all.flatMap(({ tree, view }) => [tree, view]),
			...this.all.map(({ name, view }) =>
				view.onDidChangeVisibility(({ visible }) => {
					this.setVisible(name, visible);
				}),
			),
			...this.all.flatMap(({ tree, view }) => [
				view.onDidExpandElement(({ element }) => {
					tree.setOpen(element, true);
				}),
				view.onDidCollapseElement(({ element }) => {
					tree.setOpen(element, false);
				}),
			]),
			// Marks of what is in use depend on the containers.
			model.onDidChangeContainer(() => {
				this.redraw(...this.all);
			}),
			model.onDidChangeImages(() => {
				this.redraw(this.images);
				this.setContext('hasImages', model.images.length > 0);
			}),
			model.networks.onDidChange(() => {
				this.redraw(this.networks);
			}),
			model.volumes.onDidChange(() => {
				this.redraw(this.volumes);
			}),
			volumeSizes.onDidChange(() => {
				this.redraw(this.volumes);
			}),
			rowUsage.onDidChange(() => {
				this.redraw(this.containers);
			}),
			newerImages.onDidChange(() => {
				this.redraw(this.images);
			}),
			pulls.onDidChange(() => {
				this.redraw(this.images);
			}),
			doctor.onDidChange(() => {
				this.redraw(engine);
			}),
			engines.onDidChange(() => {
				this.redraw(engine);
			}),
			engines.onDidSwitch(() => {
				this.showEngine();
				if (engine.view.visible) {
					void engines.ask();
				}
			}),
			model.onDidTouchRows(() => {
				this.redraw(...this.all);
			}),
			scope.onDidChange(() => {
				this.redraw(this.containers, this.images);
			}),
			model.onDidChangeState(() => {
				this.showState();
				if (engines.areSeveral) {
					this.redraw(...this.all);
				}
			}),
			workspace.onDidGrantWorkspaceTrust(() => {
				void model.reload();
			}),
		];
		this.showScope();
		this.showEngine();
	}

	/** True for a row that is selected in its view. */
	isSelected(key: string): boolean {
		return this.all.some(({ view }) => view.selection.includes(key));
	}

	/**
	 * The rows that a key is for: all that are selected in the view, or the one that has the focus. VS Code tells the
	 * selection only, so it is asked to select the row with the focus first. Empty when the view has no row.
	 */
	async rowsForKey(name: string): Promise<readonly string[]> {
		const view = this.all.find((each) => each.name === name);
		if (view === undefined || view.view.selection.length > 1) {
			return view?.view.selection ?? [];
		}
		await commands.executeCommand('list.select');
		const [key] = view.view.selection;
		if (key !== undefined && view.tree.hasChildren(key)) {
			// The first time has opened or closed it.
			await commands.executeCommand('list.select');
		}
		return view.view.selection;
	}

	/** True when somebody looks at the view of images. */
	get areImagesVisible(): boolean {
		return this.images.view.visible;
	}

	/** Opens what the doctor found, which is below the engines when there are others. */
	async openChecks(): Promise<void> {
		const { engines } = this;
		const view = this.all.find(({ name }) => name === 'engine')?.view;
		if (view !== undefined && engines.all.length > 1) {
			for (const id of engines.usedIds.toReversed()) {
				await view.reveal(engineKey(id), { expand: true, select: false, focus: id === engines.chosen.id });
			}
		}
	}

	/** Tells of a new image, by its key: the row shows it to who looks at the view, a message to who does not. */
	tellImage(message: string, reference: string): void {
		if (!this.areImagesVisible) {
			const run = l10n.t('Run…');
			void window.showInformationMessage(message, run).then((answer) => {
				if (answer === run) {
					void commands.executeCommand('mydocker.image.run', lastingKey(reference));
				}
			});
		}
	}

	dispose(): void {
		clearInterval(this.clock);
		for (const subscription of this.subscriptions) {
			subscription.dispose();
		}
	}

	private redraw(...views: readonly View[]): void {
		for (const { tree } of views) {
			tree.redraw();
		}
	}

	private setVisible(name: View['name'], isVisible: boolean): void {
		this.model.setVisible(name, isVisible);
		if (name === 'volumes') {
			this.volumeSizes.watch(isVisible);
		}
		if (name === 'engine' && isVisible) {
			void this.engines.ask();
		}
		if (name === 'containers') {
			this.rowUsage.watch(isVisible);
		}
		clearInterval(this.clock);
		this.clock = this.all.some(({ view }) => view.visible)
			? setInterval(() => {
					this.redraw(...this.all);
				}, CLOCK)
			: undefined;
	}

	/** The engine that all rows are of, where it is not our own; "" when rows say it themselves. */
	private get engineName(): string {
		const { chosen, isOwn, areSeveral } = this.engines;
		return isOwn || areSeveral ? '' : chosen.name;
	}

	/** Which engine the rows are of. */
	private showEngine(): void {
		const { isOwn, areSeveral } = this.engines;
		for (const { view, name } of this.all) {
			if (name !== 'containers') {
				view.description = this.engineName;
			}
		}
		this.setContext('isAttached', !isOwn);
		this.setContext('areEnginesSeveral', areSeveral);
		// Rows come or go at the top, which their models do not tell.
		this.redraw(...this.all);
		this.showCounts();
	}

	/** Welcome texts in package.json depend on these. */
	private showState(): void {
		const { state, failure } = this.model;
		this.setContext('state', state);
		if (state === 'failed') {
			// The welcome text cannot tell the reason, and a message in the view would hide it.
			this.failures.show(new Failure(failure, 'mydocker.refresh'));
		}
		this.showCounts();
	}

	private showCounts(): void {
		const { containers, images } = this.model;
		const running = containers.filter((row) => row.state === 'running').length;
		const unhealthy = containers.filter((row) => row.health === 'unhealthy' && row.state === 'running').length;
		// To write numbers takes 20 ms the first time, which is none before anything runs.
		const tooltip = running === 0 ? '' : runningWords(running, unhealthy);
		const { badge } = this.containers.view;
		if ((badge?.value ?? 0) !== running || (running > 0 && badge?.tooltip !== tooltip)) {
			this.containers.view.badge = running === 0 ? undefined : { value: running, tooltip };
		}
		const counts = [
			...(this.engineName === '' ? [] : [this.engineName]),
			...(containers.length === 0 ? [] : [l10n.t('{0} of {1} running', running, containers.length)]),
		].join(' · ');
		if ((this.containers.view.description ?? '') !== counts) {
			this.containers.view.description = counts;
		}
		this.setContext('hasImages', images.length > 0);
		this.setContext('hasContainers', containers.length > 0);
		this.showScope();
	}

	/** What the views leave out, above their rows; an empty one has a welcome text instead. */
	private showScope(): void {
		const { filter, isRunningOnly, isWorkspaceOnly, areHiddenShown } = this.scope.choices;
		const { hidden, rows, images } = this.scope;
		const hiddenWords = (count: number): string[] =>
			count === 0 ? [] : [areHiddenShown ? l10n.t('hidden ones shown') : l10n.t('{0} hidden', count)];
		const words = [
			...(filter === '' ? [] : [l10n.t('filter “{0}”', filter)]),
			...(isRunningOnly ? [l10n.t('running only')] : []),
			...(isWorkspaceOnly ? [l10n.t('this workspace only')] : []),
			...hiddenWords(hidden.containers),
		];
		const shown = rows.length;
		const count = l10n.t('{0} of {1}', shown, this.model.containers.length);
		showMessage(this.containers, words.length === 0 || shown === 0 ? [] : [count, ...words]);
		showMessage(this.images, images.length === 0 ? [] : hiddenWords(hidden.images));
		this.setContext('isNarrowed', this.scope.isNarrowed);
		this.setContext('isRunningOnly', isRunningOnly);
		this.setContext('isWorkspaceOnly', isWorkspaceOnly);
		this.setContext('hasHidden', hidden.containers + hidden.images > 0);
		this.setContext('areHiddenShown', areHiddenShown);
	}

	private setContext(key: string, value: unknown): void {
		if (this.context.get(key) !== value) {
			this.context.set(key, value);
			void commands.executeCommand('setContext', `mydocker.${key}`, value);
		}
	}
}

function showMessage({ view }: View, words: readonly string[]): void {
	const message = words.join(' · ');
	if ((view.message ?? '') !== message) {
		view.message = message;
	}
}

function open(name: View['name'], source: RowSource, onRedraw?: () => void): View {
	const tree = new RowTree(source, onRedraw);
	const view = window.createTreeView(`mydocker.${name}`, {
		treeDataProvider: tree,
		canSelectMany: true,
		showCollapseAll: name !== 'volumes' && name !== 'engine',
		...(name === 'containers' || name === 'volumes' ? { dragAndDropController: uploading(name) } : {}),
	});
	return { name, tree, view };
}

/** Files of this machine that are dropped on a container or a volume are uploaded there. */
function uploading(name: 'containers' | 'volumes'): TreeDragAndDropController<string> {
	return {
		dragMimeTypes: [],
		dropMimeTypes: ['text/uri-list'],
		handleDrop: async (target, data) => {
			const list = (await data.get('text/uri-list')?.asString()) ?? '';
			const files = list
				.split(/\r?\n/)
				.filter((line) => line.startsWith('file:'))
				.map((line) => Uri.parse(line));
			if (target !== undefined && files.length > 0) {
				const command = name === 'containers' ? 'mydocker.container.upload' : 'mydocker.volume.upload';
				await commands.executeCommand(command, target, undefined, files);
			}
		},
	};
}

function runningWords(running: number, unhealthy: number): string {
	const words =
		running === 1
			? l10n.t('1 container is running')
			: l10n.t('{0} containers are running', running.toLocaleString(env.language));
	return unhealthy === 0 ? words : l10n.t('{0}, {1} unhealthy', words, unhealthy.toLocaleString(env.language));
}

/** What the row of an engine says of its rows: the figure that a person looks for first; and that it has none. */
const runningCount: Count = ({ containers }) =>
	containers.length === 0
		? [l10n.t('{0} containers', '0'), l10n.t('There are no containers yet.')]
		: [
				l10n.t(
					'{0} of {1} running',
					containers.filter(({ state }) => state === 'running').length,
					containers.length,
				),
				l10n.t('No container matches the filter.'),
			];
const imageCount: Count = ({ images }) => [
	countWords(images.length, l10n.t('1 image'), (n) => l10n.t('{0} images', n)),
	l10n.t('There are no images yet.'),
];
const networkCount: Count = ({ networks }) => [
	countWords(networks.rows.length, l10n.t('1 network'), (n) => l10n.t('{0} networks', n)),
	l10n.t('There are no networks.'),
];
const volumeCount: Count = ({ volumes }) => [
	countWords(volumes.rows.length, l10n.t('1 volume'), (n) => l10n.t('{0} volumes', n)),
	l10n.t('There are no volumes yet.'),
];

function countWords(count: number, one: string, many: (count: string) => string): string {
	return count === 1 ? one : many(count.toLocaleString(env.language));
}
