import { commands, l10n, window, type Disposable, type Memento } from 'vscode';
import type { Model } from './model';
import { settings } from './settings';
import { LOOP, Watch, WINDOW, type NoticeKind } from './trouble';

const SILENT_KEY = 'notices.silent';

/** Tells of containers that are in trouble: once, with a way to their logs and a way to silence. */
export class Notices implements Disposable {
	private readonly watch = new Watch();
	private readonly subscription: Disposable;

	constructor(
		model: Model,
		private readonly memento: Memento,
	) {
		this.subscription = model.onDidReceive((event) => {
			const kind = this.watch.receive(event);
			if (kind !== undefined && settings.areNoticesShown && !this.silent.includes(kind)) {
				void this.show(kind, event.Actor.ID, model.container(event.Actor.ID)?.name ?? '');
			}
		});
	}

	dispose(): void {
		this.subscription.dispose();
	}

	private get silent(): readonly string[] {
		return this.memento.get<string[]>(SILENT_KEY, []);
	}

	private async show(kind: NoticeKind, id: string, name: string): Promise<void> {
		const logs = l10n.t('Show Logs');
		const never = l10n.t('Do Not Show Again');
		const answer = await window.showWarningMessage(words(kind, name), logs, never);
		if (answer === logs) {
			await commands.executeCommand('mydocker.container.openLogs', id);
		} else if (answer === never) {
			await this.memento.update(SILENT_KEY, [...this.silent, kind]);
		}
	}
}

function words(kind: NoticeKind, name: string): string {
	switch (kind) {
		case 'crash-loop':
			return l10n.t('Container {0} has failed {1} times in {2} minutes.', name, LOOP, WINDOW / 60);
		case 'oom':
			return l10n.t('Container {0} ran out of memory.', name);
		case 'unhealthy':
			return l10n.t('Container {0} is unhealthy.', name);
	}
}
