import { window, type Disposable, type TreeView } from 'vscode';
import type { DiskUsageRows } from './disk-usage';
import { byEngine } from './engine-roots';
import type { Engines } from './engines';
import type { EventRows } from './events';
import type { Models } from './model';
import type { RegistryRows } from './registry-rows';
import { RowTree, type RowSource } from './row-tree';

interface Parts {
	readonly engines: Engines;
	readonly model: Models;
	readonly diskUsage: DiskUsageRows;
	readonly events: EventRows;
	readonly registryRows: RegistryRows;
}

/** The views that are hidden until a person asks for them by a command: disk usage, events and registries. */
export class SecondaryViews implements Disposable {
	private readonly subscriptions: readonly Disposable[];

	constructor({ engines, model, diskUsage, events, registryRows }: Parts) {
		const usage = open('diskUsage', byEngine(diskUsage.source, engines, model, diskUsage.totalOn));
		const log = open('events', events.source);
		const registries = open('registries', registryRows.source);
		const all = [usage, log, registries];
		this.subscriptions = [
			...all.flatMap(({ tree, view }) => [tree, view]),
			usage.view.onDidChangeVisibility(({ visible }) => {
				model.setVisible('diskUsage', visible);
				diskUsage.watch(visible);
			}),
			log.view.onDidChangeVisibility(({ visible }) => {
				model.setVisible('events', visible);
				if (visible) {
					void events.load();
				}
			}),
			diskUsage.onDidChange(() => {
				usage.view.description = diskUsage.total;
				usage.tree.redraw();
			}),
			events.onDidChange(() => {
				log.view.description = events.narrowing;
				log.tree.redraw();
			}),
			registries.view.onDidChangeVisibility(({ visible }) => {
				model.setVisible('registries', visible);
			}),
			...[registryRows.onDidChange, model.onDidChangeImages].map((event) =>
				event(() => {
					registries.tree.redraw();
				}),
			),
			...all.flatMap(({ tree, view }) => [
				view.onDidExpandElement(({ element }) => {
					tree.setOpen(element, true);
				}),
				view.onDidCollapseElement(({ element }) => {
					tree.setOpen(element, false);
				}),
			]),
		];
	}

	dispose(): void {
		for (const subscription of this.subscriptions) {
			subscription.dispose();
		}
	}
}

function open(name: string, source: RowSource): { readonly tree: RowTree; readonly view: TreeView<string> } {
	const tree = new RowTree(source);
	return { tree, view: window.createTreeView(`mydocker.${name}`, { treeDataProvider: tree }) };
}
