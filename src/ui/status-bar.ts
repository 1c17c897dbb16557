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

	/** A second item, only while another engine than ours is used: which one, and a click to change it. */
	private drawEngine(): void {
		const { chosen, isOwn } = this.engines;
		if (isOwn || !settings.isInStatusBar) {
			this.engineItem?.hide();
			return;
		}
		const item = (this.engineItem ??= createItem('mydocker.engine', 'mydocker.engine.switch', 0.5));
		item.text = `$(server) ${chosen.name}`;
		item.tooltip = l10n.t('MyDocker uses the engine {0}. Click to use another one.', chosen.host);
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
		const icon = this.model.state === 'failed' ? 'error' : unhealthy > 0 ? 'warning' : 'package';
		const item = (this.item ??= createItem('mydocker', 'mydocker.containers.focus', 1));
		const text = `$(${icon}) ${running.toLocaleString(env.language)}`;
		if (item.text !== text || item.tooltip !== words) {
			item.text = text;
			item.tooltip = words;
			item.accessibilityInformation = { label: `MyDocker: ${words}` };
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
