import { env, l10n, window } from 'vscode';
import { formatBytes } from './amounts';
import { ask } from './ask';
import { bare } from './engine-keys';
import { forEach } from './lifecycle';
import { isContainerName } from './names';
import type { Parts } from './parts';
import { loadOrThrow, volumesFor } from './pick';
import { volumeLabel, volumeUsers } from './volume-rows';

type Needs = Pick<Parts, 'client' | 'model' | 'volumeSizes'>;

/** Create Volume…: asks for a name. Gives it. */
export async function createVolume(
	{ client, model }: Pick<Needs, 'client' | 'model'>,
	given?: unknown,
): Promise<string | undefined> {
	await loadOrThrow(model);
	const answer = typeof given === 'string' ? given : await askName({ model });
	if (answer === undefined) {
		return undefined;
	}
	const body = answer === '' ? {} : { Name: answer };
	return model.keyOf((await model.during([], () => client.volumes.create(body))).Name);
}

async function askName({ model }: Pick<Needs, 'model'>): Promise<string | undefined> {
	const taken = new Set(model.volumes.keys.map(bare));
	const answer = await ask({
		title: l10n.t('Create Volume'),
		prompt: l10n.t('Name of the volume, or nothing for a made-up one'),
		check: (value, isFinal) => {
			if (value === '' || (value.length < 2 && !isFinal)) {
				return undefined;
			}
			if (!isContainerName(value)) {
				return l10n.t(
					'A name has at least two letters, digits, "_", "." or "-", and begins with a letter or a digit',
				);
			}
			return taken.has(value) ? l10n.t('Another volume has this name') : undefined;
		},
	});
	return typeof answer === 'string' ? answer : undefined;
}

/** Remove Volume…: asks once and says what is lost. The engine refuses a volume that a container uses. */
export async function removeVolumes({ client, model, volumeSizes }: Needs, ...called: unknown[]): Promise<void> {
	const names = await volumesFor(model, called, {
		title: l10n.t('Remove Volume'),
		none: l10n.t('There are no volumes yet.'),
	});
	if (names.length === 0) {
		return;
	}
	const remove = l10n.t('Remove');
	const labels = names.map((name) => labelOf({ model }, name));
	const users = [...new Set(names.flatMap((name) => volumeUsers(model, name).map((container) => container.name)))];
	const bytes = names.reduce((sum, name) => sum + (volumeSizes.get(name) ?? 0), 0);
	const answer = await window.showWarningMessage(
		names.length === 1
			? l10n.t('Remove volume "{0}"?', labels[0] ?? '')
			: l10n.t('Remove {0} volumes?', names.length.toLocaleString(env.language)),
		{
			modal: true,
			detail: [
				...(names.length > 1 ? [labels.join(', ')] : []),
				bytes > 0
					? l10n.t('Its files go for good: {0}.', formatBytes(bytes, env.language))
					: l10n.t('Its files go for good.'),
				...(users.length === 0
					? []
					: [l10n.t('What containers use is kept until they are removed: {0}.', users.join(', '))]),
			].join('\n'),
		},
		remove,
	);
	if (answer === remove) {
		await forEach(names, (name) => model.act(name, () => client.volumes.remove(name)));
	}
}

function labelOf({ model }: Pick<Needs, 'model'>, name: string): string {
	const row = model.volumes.get(name);
	return row === undefined ? bare(name) : volumeLabel(row);
}
