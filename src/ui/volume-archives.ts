import { createReadStream } from 'node:fs';
import { l10n, Uri, window } from 'vscode';
import { ask } from './ask';
import { bare, beside } from './engine-keys';
import { isContainerName } from './names';
import type { Parts } from './parts';
import { volumesFor } from './pick';
import { askArchive, askTarget, writeWhole } from './saved-files';
import { withProgress } from './transfer';
import { isOurs } from './volume-rows';

type Needs = Pick<Parts, 'client' | 'model'>;
/** Back Up Volume…: its content as a tar, compressed when the file's name says so. A test may hand in the file. */
export async function backUpVolume({ client, model }: Needs, ...called: unknown[]): Promise<void> {
	const name = await volumeFor({ model }, called, l10n.t('Back Up Volume'));
	const target =
		name === undefined
			? undefined
			: (fileIn(called) ?? (await askTarget(l10n.t('Back Up Volume'), `${bare(name)}.tar.gz`)));
	if (name === undefined || target === undefined) {
		return;
	}
	const file = target.fsPath;
	await withProgress(l10n.t('Backing up volume {0}', bare(name)), async (signal, count) => {
		const isCompressed = /\.t?gz$/i.test(file);
		const tar = await model.during([name], () => client.volumes.backup(name, { signal, isCompressed }));
		await writeWhole(file, count(tar), { signal, mode: 0o600 });
	});
}

/** Restore Volume…: a tar becomes its content. Asks before it replaces any. */
export async function restoreVolume({ client, model }: Needs, ...called: unknown[]): Promise<void> {
	const name = await volumeFor({ model }, called, l10n.t('Restore Volume'));
	const source =
		name === undefined
			? undefined
			: (fileIn(called) ?? (await askArchive(l10n.t('Restore volume {0}', bare(name)), l10n.t('Restore'))));
	if (name === undefined || source === undefined) {
		return;
	}
	const hasContent = (await client.volumes.archive(name).list('/')).length > 0;
	if (hasContent && !(await confirmReplacement(name))) {
		return;
	}
	await withProgress(l10n.t('Restoring volume {0}', bare(name)), async (signal, count) => {
		const tar = count(createReadStream(source.fsPath) as AsyncIterable<Buffer>);
		await model.act(name, () => client.volumes.restore(name, tar, { signal, force: hasContent }));
	});
}

/** Clone Volume…: a new volume with a copy of the content. Gives its name. */
export async function cloneVolume({ client, model }: Needs, ...called: unknown[]): Promise<string | undefined> {
	const name = await volumeFor({ model }, called, l10n.t('Clone Volume'));
	const [, given] = called;
	const target = name === undefined || typeof given === 'string' ? given : await askClone({ model }, name);
	if (name === undefined || typeof target !== 'string') {
		return undefined;
	}
	await withProgress(l10n.t('Cloning volume {0}', bare(name)), async (signal) => {
		await model.act(name, () => client.volumes.clone(name, target, { signal }));
	});
	return beside(name, target);
}

async function volumeFor(
	{ model }: Pick<Needs, 'model'>,
	[first]: readonly unknown[],
	title: string,
): Promise<string | undefined> {
	const [name] = await volumesFor(model, [first], { title, none: l10n.t('There are no volumes yet.'), fits: isOurs });
	return name;
}

function fileIn([, second]: readonly unknown[]): Uri | undefined {
	return second instanceof Uri ? second : undefined;
}

async function confirmReplacement(name: string): Promise<boolean> {
	const replace = l10n.t('Replace');
	const answer = await window.showWarningMessage(
		l10n.t('Replace the content of volume "{0}"?', bare(name)),
		{ modal: true, detail: l10n.t('What it has now goes for good once the archive is unpacked.') },
		replace,
	);
	return answer === replace;
}

async function askClone({ model }: Pick<Needs, 'model'>, name: string): Promise<string | undefined> {
	const value = `${bare(name).slice(0, 200)}-copy`;
	const answer = await ask({
		title: l10n.t('Clone volume {0}', bare(name)),
		prompt: l10n.t('Name of the new volume'),
		value,
		selection: [0, value.length],
		check: (typed, isFinal) => {
			if (!isContainerName(typed)) {
				return typed.length < 2 && !isFinal
					? undefined
					: l10n.t(
							'A name has at least two letters, digits, "_", "." or "-", and begins with a letter or a digit',
						);
			}
			return model.volumes.get(beside(name, typed)) === undefined
				? undefined
				: l10n.t('Another volume has this name');
		},
	});
	return typeof answer === 'string' ? answer : undefined;
}
