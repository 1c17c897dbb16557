import { commands, env, l10n, window, type Disposable, type Memento } from 'vscode';
import type { Model } from './model';
import type { RowUsage } from './row-usage';
import { settings } from './settings';
import type { UsagePoint } from './usage-points';
import { memoryPercent, ThresholdWatch, type ThresholdKind } from './usage-threshold';

const SILENT_KEY = 'alerts.silent';

/** Tells of containers that use more than the settings allow, with a way to their figures and a way to silence. */
export class UsageAlerts implements Disposable {
	private readonly watch = new ThresholdWatch();
	private readonly subscription: Disposable;

	constructor(
		usage: RowUsage,
		private readonly model: Model,
		private readonly memento: Memento,
	) {
		this.subscription = usage.onDidMeasure(({ id, point }) => {
			if (point === undefined) {
				this.watch.forget(id);
				return;
			}
			for (const kind of this.watch.take(id, point, settings.thresholds)) {
				if (settings.areNoticesShown && !this.silent.includes(kind)) {
					void this.show(kind, id, point);
				}
			}
		});
	}

	dispose(): void {
		this.subscription.dispose();
	}

	private get silent(): readonly string[] {
		return this.memento.get<string[]>(SILENT_KEY, []);
	}

	private async show(kind: ThresholdKind, id: string, point: UsagePoint): Promise<void> {
		const stats = l10n.t('Show Stats');
		const never = l10n.t('Do Not Show Again');
		const answer = await window.showInformationMessage(
			words(kind, this.model.container(id)?.name ?? '', point),
			stats,
			never,
		);
		if (answer === stats) {
			await commands.executeCommand('mydocker.container.stats', id);
		} else if (answer === never) {
			await this.memento.update(SILENT_KEY, [...this.silent, kind]);
		}
	}
}

function words(kind: ThresholdKind, name: string, point: UsagePoint): string {
	const percent = (value: number): string =>
		(value / 100).toLocaleString(env.language, { style: 'percent', maximumFractionDigits: 0 });
	return kind === 'cpu'
		? l10n.t('Container {0} has used {1} of a processor for some time.', name, percent(point.cpu))
		: l10n.t('Container {0} has used {1} of its memory for some time.', name, percent(memoryPercent(point)));
}
