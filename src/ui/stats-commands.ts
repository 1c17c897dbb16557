import { l10n } from 'vscode';
import type { Parts } from './parts';
import { containersFor } from './pick';
import { isAlive } from './rows';

/** Show Stats: a live panel for each container. */
export async function showStats(
	{ model, statsPanels }: Pick<Parts, 'model' | 'statsPanels'>,
	...called: unknown[]
): Promise<void> {
	const ids = await containersFor(model, called, {
		title: l10n.t('Show Stats'),
		none: l10n.t('No container is running.'),
		fits: (row) => isAlive(row.state),
	});
	for (const id of ids) {
		statsPanels.open(id);
	}
}
