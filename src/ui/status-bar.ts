import { env, l10n, StatusBarAlignment, window, workspace, type Disposable, type StatusBarItem } from 'vscode';
import type { Engines } from './engines';
import type { Model } from './model';
import { settings } from './settings';

/** One item at the bottom: how many containers run. A click opens the side bar. Hidden until there is something. */
export class StatusBar implements Disposable {
	private item: StatusBarItem | undefined;
	private engineItem: StatusBarItem | undefined;
	private readonly subscriptions: readonly Disposable[];

	constructor(
		private readonly model: Model,
		private readonly engines: Engines,
	) {
		this.subscriptions = [
			engines.onDidSwitch(() => {
				this.draw();
				this.drawEngine();
			}),
			model.onDidChangeContainer(() => {
				this.draw();
			}),
			model.onDidChangeState(() => {
				this.draw();
			}),
			workspace.onDidChangeConfiguration((change) => {
				if (change.affectsConfiguration('mydocker.statusBar')) {
					this.draw();
					this.drawEngine();
				}
			}),
		];
		this.drawEngine();
	}

	dispose(): void {
		for (const subscription of this.subscriptions) {
			subscription.dispose();
		}
		this.item?.dispose();
		this.engineItem?.dispose();
	}

	/** A second item, only while other engines than ours are used: which, and a click to change them. */
	private drawEngine(): void {
		const { used, chosen, isOwn, areSeveral } = this.engines;
		if ((isOwn && !areSeveral) || !settings.isInStatusBar) {
			this.engineItem?.hide();
			return;
		}
		const item = (this.engineItem ??= createItem('mydocker.engine', 'mydocker.engine.switch', 0.5));
		item.text = `$(server) ${areSeveral ? l10n.t('{0} engines', used.length) : chosen.name}`;
		item.tooltip = areSeveral
			? l10n.t('MyDocker shows the engines {0}. Click to choose others.', used.map(({ name }) => name).join(', '))
			: l10n.t('MyDocker uses the engine {0}. Click to use another one.', chosen.host);
		item.command = areSeveral ? 'mydocker.engine.choose' : 'mydocker.engine.switch';
		item.accessibilityInformation = { label: item.tooltip };
		item.show();
	}

	private draw(): void {
		const rows = this.model.containers;
		if (!settings.isInStatusBar || (rows.length === 0 && this.model.state !== 'failed')) {
			this.item?.hide();
			return;
		}
		const running = rows.filter((row) => row.state === 'running').length;
		const unhealthy = rows.filter((row) => row.state === 'running' && row.health === 'unhealthy').length;
		const words =
			this.model.state === 'failed'
				? l10n.t('The engine did not start')
				: l10n.t('{0} of {1} containers running', running.toLocaleString(env.language), rows.length);
		// A warning sign before the first number would say that so many are unhealthy.
		const icon = this.model.state === 'failed' ? 'error' : 'package';
		const sick = unhealthy === 0 ? '' : unhealthy.toLocaleString(env.language);
		const item = (this.item ??= createItem('mydocker', 'mydocker.containers.focus', 1));
		const text = `$(${icon}) ${running.toLocaleString(env.language)}${sick && ` $(warning) ${sick}`}`;
		const tooltip = sick === '' ? words : l10n.t('{0}, {1} unhealthy', words, sick);
		if (item.text !== text || item.tooltip !== tooltip) {
			item.text = text;
			item.tooltip = tooltip;
			item.accessibilityInformation = { label: `MyDocker: ${tooltip}` };
		}
		item.show();
	}
}

function createItem(id: string, command: string, priority: number): StatusBarItem {
	const item = window.createStatusBarItem(id, StatusBarAlignment.Left, priority);
	item.name = 'MyDocker';
	item.command = command;
	return item;
}
