import { commands, l10n, window, type Disposable, type Memento } from 'vscode';
import type { Model } from './model';
import { SilenceableNotices } from './silenceable';
import { LOOP, Watch, WINDOW, type NoticeKind } from './trouble';

/** Tells of containers that are in trouble: once, with a way to their logs and a way to silence. */
export class Notices implements Disposable {
	private readonly watch = new Watch();
	private readonly subscription: Disposable;

	constructor(model: Model, memento: Memento) {
		const notices = new SilenceableNotices<NoticeKind>(memento, 'notices.silent', (text, ...buttons) =>
			window.showWarningMessage(text, ...buttons),
		);
		this.subscription = model.onDidReceive((event) => {
			const kind = this.watch.receive(event);
			if (kind !== undefined && notices.isWanted(kind)) {
				const { ID: id } = event.Actor;
				void notices.show({
					kind,
					text: words(kind, nameOf(model, id)),
					button: l10n.t('Show Logs'),
					follow: () => commands.executeCommand('mydocker.container.openLogs', id),
				});
			}
		});
	}

	dispose(): void {
		this.subscription.dispose();
	}
}

function nameOf(model: Model, id: string): string {
	const [name, engine] = [model.container(id)?.name ?? '', model.engineName(id)];
	return engine === '' ? name : `${name} (${engine})`;
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
