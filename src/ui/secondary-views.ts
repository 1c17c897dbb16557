import { window, type Disposable, type TreeView } from 'vscode';
import type { DiskUsageRows } from './disk-usage';
import type { EventRows } from './events';
import type { Model } from './model';
import { RowTree, type RowSource } from './row-tree';

interface Parts {
	readonly model: Model;
	readonly diskUsage: DiskUsageRows;
	readonly events: EventRows;
}

/** The views that are hidden until a person asks for them by a command: disk usage and events. */
export class SecondaryViews implements Disposable {
	private readonly subscriptions: readonly Disposable[];

	constructor({ model, diskUsage, events }: Parts) {
		const usage = open('diskUsage', diskUsage.source);
		const log = open('events', events.source);
		this.subscriptions = [
			...[usage, log].flatMap(({ tree, view }) => [tree, view]),
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
			...[usage, log].flatMap(({ tree, view }) => [
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
