import { l10n, window } from 'vscode';
import { sentence } from './failure';
import { isAlive, type ContainerRow } from './rows';
import type { Parts } from './parts';
import { containersFor } from './pick';

/** Start Container. */
export async function startContainers(
	{ client, model }: Pick<Parts, 'client' | 'model'>,
	...called: unknown[]
): Promise<void> {
	const ids = await containersFor(model, called, {
		title: l10n.t('Start Container'),
		none: l10n.t('There is no container to start.'),
		fits: canStart,
	});
	await forEach(ids, (id) => model.act(id, () => client.containers.start(id)));
}

/** Stop Container. */
export async function stopContainers(
	{ client, model }: Pick<Parts, 'client' | 'model'>,
	...called: unknown[]
): Promise<void> {
	const ids = await containersFor(model, called, {
		title: l10n.t('Stop Container'),
		none: l10n.t('No container is running.'),
		fits: (row) => isAlive(row.state),
	});
	await forEach(ids, (id) => model.act(id, () => client.containers.stop(id)));
}

/** Restart Container. */
export async function restartContainers(
	{ client, model }: Pick<Parts, 'client' | 'model'>,
	...called: unknown[]
): Promise<void> {
	const ids = await containersFor(model, called, {
		title: l10n.t('Restart Container'),
		none: l10n.t('There is no container to restart.'),
	});
	await forEach(ids, (id) => model.act(id, () => client.containers.restart(id)));
}

/** Pause Container. */
export async function pauseContainers(
	{ client, model }: Pick<Parts, 'client' | 'model'>,
	...called: unknown[]
): Promise<void> {
	const ids = await containersFor(model, called, {
		title: l10n.t('Pause Container'),
		none: l10n.t('No container is running.'),
		fits: (row) => row.state === 'running',
	});
	await forEach(ids, (id) => model.act(id, () => client.containers.pause(id)));
}

/** Unpause Container. */
export async function unpauseContainers(
	{ client, model }: Pick<Parts, 'client' | 'model'>,
	...called: unknown[]
): Promise<void> {
	const ids = await containersFor(model, called, {
		title: l10n.t('Unpause Container'),
		none: l10n.t('No container is paused.'),
		fits: (row) => row.state === 'paused',
	});
	await forEach(ids, (id) => model.act(id, () => client.containers.unpause(id)));
}

/** Remove Container…: asks once, says what goes; a running container is stopped first, and the button says so. */
export async function removeContainers(
	{ client, model }: Pick<Parts, 'client' | 'model'>,
	...called: unknown[]
): Promise<void> {
	const ids = await containersFor(model, called, {
		title: l10n.t('Remove Container'),
		none: l10n.t('There is no container to remove.'),
	});
	if (ids.length === 0 || !(await confirmRemoval(model, ids))) {
		return;
	}
	await forEach(ids, (id) =>
		model.act(id, async () => {
			// The row may be older than the container; stopping a stopped one changes nothing.
			await client.containers.stop(id);
			await client.containers.remove(id);
		}),
	);
}

async function confirmRemoval(model: Parts['model'], ids: readonly string[]): Promise<boolean> {
	const rows = ids.map((id) => model.container(id)).filter((row) => row !== undefined);
	const running = rows.filter((row) => isAlive(row.state)).map((row) => row.name);
	const name = rows[0]?.name ?? ids[0] ?? '';
	const remove = running.length > 0 ? l10n.t('Stop and Remove') : l10n.t('Remove');
	const detail = [
		...(ids.length > 1 ? [rows.map((row) => row.name).join(', ')] : []),
		...(running.length > 0 ? [stopWords(ids.length, running)] : []),
		l10n.t('Files written inside and logs go for good. Images stay.'),
	];
	const answer = await window.showWarningMessage(
		ids.length === 1 ? l10n.t('Remove container "{0}"?', name) : l10n.t('Remove {0} containers?', ids.length),
		{ modal: true, detail: detail.join('\n') },
		remove,
	);
	return answer === remove;
}

function stopWords(count: number, running: readonly string[]): string {
	return count === 1 ? l10n.t('It will be stopped first.') : l10n.t('Stopped first: {0}', running.join(', '));
}

function canStart(row: ContainerRow): boolean {
	return row.state === 'created' || row.state === 'exited' || row.state === 'dead';
}

/** Acts on all at once. What failed is told in one message, after all have been tried. */
export async function forEach(keys: readonly string[], act: (key: string) => Promise<void>): Promise<void> {
	const results = await Promise.allSettled(keys.map(act));
	const errors = results.flatMap((result) => (result.status === 'rejected' ? [result.reason as unknown] : []));
	if (errors.length === 1) {
		throw errors[0];
	}
	if (errors.length > 1) {
		throw new AggregateError(errors, errors.map(sentence).join('\n'));
	}
}
