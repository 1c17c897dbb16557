import { l10n } from 'vscode';
import type { Parts } from './parts';
import { runningContainers } from './terminals';

/** Open Terminal: a shell in each container. */
export async function openTerminals({ model, terminals }: Parts, ...called: unknown[]): Promise<void> {
	for (const id of await runningContainers(model, called, l10n.t('Open Terminal'))) {
		terminals.openShell(id);
	}
}

/** Attach Terminal: what the container itself shows and reads. */
export async function attachTerminals({ model, terminals }: Parts, ...called: unknown[]): Promise<void> {
	for (const id of await runningContainers(model, called, l10n.t('Attach Terminal'))) {
		terminals.attach(id);
	}
}
