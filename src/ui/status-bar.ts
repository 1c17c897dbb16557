import { env, l10n, StatusBarAlignment, window, workspace, type Disposable, type StatusBarItem } from 'vscode';
import type { Model } from './model';
import { settings } from './settings';

/** One item at the bottom: how many containers run. A click opens the side bar. Hidden until there is something. */
export class StatusBar implements Disposable {
	private item: StatusBarItem | undefined;
	private readonly subscriptions: readonly Disposable[];

	constructor(private readonly model: Model) {
		this.subscriptions = [
			model.onDidChangeContainer(() => {
				this.draw();
			}),
			model.onDidChangeState(() => {
				this.draw();
			}),
			workspace.onDidChangeConfiguration((change) => {
				if (change.affectsConfiguration('mydocker.statusBar')) {
					this.draw();
				}
			}),
		];
	}

	dispose(): void {
		for (const subscription of this.subscriptions) {
			subscription.dispose();
		}
		this.item?.dispose();
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
		const item = (this.item ??= this.create());
		const text = `$(${icon}) ${running.toLocaleString(env.language)}`;
		if (item.text !== text || item.tooltip !== words) {
			item.text = text;
			item.tooltip = words;
			item.accessibilityInformation = { label: `MyDocker: ${words}` };
		}
		item.show();
	}

	private create(): StatusBarItem {
		const item = window.createStatusBarItem('mydocker', StatusBarAlignment.Left, 1);
		item.name = 'MyDocker';
		item.command = 'mydocker.containers.focus';
		return item;
	}
}
