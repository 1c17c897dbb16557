import { commands, env, l10n, window, type Disposable, type Memento } from 'vscode';
import type { Model } from './model';
import type { RowUsage } from './row-usage';
import { settings } from './settings';
import { SilenceableNotices } from './silenceable';
import type { UsagePoint } from './usage-points';
import { memoryPercent, ThresholdWatch, type ThresholdKind } from './usage-threshold';

/** Tells of containers that use more than the settings allow, with a way to their figures and a way to silence. */
export class UsageAlerts implements Disposable {
	private readonly watch = new ThresholdWatch();
	private readonly subscription: Disposable;

	constructor(usage: RowUsage, model: Model, memento: Memento) {
		const notices = new SilenceableNotices<ThresholdKind>(memento, 'alerts.silent', (text, ...buttons) =>
			window.showInformationMessage(text, ...buttons),
		);
		this.subscription = usage.onDidMeasure(({ id, point }) => {
			if (point === undefined) {
				this.watch.forget(id);
				return;
			}
			for (const kind of this.watch.take(id, point, settings.thresholds)) {
				if (notices.isWanted(kind)) {
					void notices.show({
						kind,
						text: words(kind, model.container(id)?.name ?? '', point),
						button: l10n.t('Show Stats'),
						follow: () => commands.executeCommand('mydocker.container.stats', id),
					});
				}
			}
		});
	}

	dispose(): void {
		this.subscription.dispose();
	}
}

function words(kind: ThresholdKind, name: string, point: UsagePoint): string {
	const percent = (value: number): string =>
		(value / 100).toLocaleString(env.language, { style: 'percent', maximumFractionDigits: 0 });
	return kind === 'cpu'
		? l10n.t('Container {0} has used {1} of a processor for some time.', name, percent(point.cpu))
		: l10n.t('Container {0} has used {1} of its memory for some time.', name, percent(memoryPercent(point)));
}
