import { env, l10n, type MarkdownString } from 'vscode';
import { formatAgo, formatBytes } from './amounts';
import type { Model } from './model';
import type { ImageRow } from './rows';
import { shortId, splitRegistry } from './names';
import type { Drawing, RowSource } from './row-tree';
import { facts } from './tooltip';

/** The rows of the Images view: one a name, so that two tags of an image are two rows. */
export function imageSource(model: Model): RowSource {
	const used = usedImages(model);
	return {
		load: () => model.ready(),
		keys: () => model.images.map((row) => row.name),
		draw: (name) => {
			const row = model.image(name);
			return row === undefined
				? GONE
				: drawImage(row, { isBusy: model.isBusy(name), isUsed: used().has(row.id) });
		},
		tooltip: (name) => {
			const row = model.image(name);
			return row && imageTooltip(row, users(model, row));
		},
	};
}

/** A row that left between a list and its drawing. */
const GONE: Drawing = { label: '', description: '', icon: 'blank', context: 'gone', spoken: '' };

/** The ids of images that containers were made from; made anew only when a container has changed. */
function usedImages(model: Model): () => ReadonlySet<string> {
	let from: Model['containers'] | undefined;
	let ids = new Set<string>();
	return () => {
		if (from !== model.containers) {
			from = model.containers;
			ids = new Set(from.map((container) => container.imageId));
		}
		return ids;
	};
}

/** Names of the containers, running or not, that were made from the image. */
function users(model: Model, row: ImageRow): string[] {
	return model.containers.filter((container) => container.imageId === row.id).map((container) => container.name);
}

function drawImage(row: ImageRow, { isBusy, isUsed }: { isBusy: boolean; isUsed: boolean }): Drawing {
	const name = row.tag ?? row.digest?.replace(/@.*$/, '') ?? '<none>';
	// What tells images apart comes first: in a narrow side bar the registry would be all that is seen.
	const { registry, rest: label } = splitRegistry(name);
	const words = [
		...(row.tag === undefined ? [shortId(row.digest?.replace(/^.*@/, '') ?? row.id)] : []),
		formatBytes(row.size, env.language),
		...(row.created > 0 ? [formatAgo(Math.max(Date.now() - row.created, 0) / 1000, env.language)] : []),
		...(isUsed ? [l10n.t('in use')] : []),
	];
	return {
		label,
		description: [...words, ...(registry === '' ? [] : [registry])].join(' · '),
		...(isBusy ? { icon: 'loading~spin' } : imageIcon(row, isUsed)),
		context: `image;${isBusy ? 'busy' : row.tag === undefined ? 'dangling' : 'tagged'}`,
		spoken: l10n.t('Image {0}, {1}', name, words.join(', ')),
	};
}

function imageIcon(row: ImageRow, isUsed: boolean): Pick<Drawing, 'icon' | 'color'> {
	if (isUsed) {
		return { icon: 'layers-active' };
	}
	return row.tag === undefined ? { icon: 'layers', color: 'disabledForeground' } : { icon: 'layers' };
}

function imageTooltip(row: ImageRow, usedBy: readonly string[]): MarkdownString {
	return facts(row.tag ?? '<none>', [
		[l10n.t('Size'), formatBytes(row.size, env.language)],
		[l10n.t('Built'), row.created > 0 ? new Date(row.created).toLocaleString(env.language) : ''],
		[l10n.t('Used by'), usedBy.join(', ')],
		[l10n.t('ID'), shortId(row.id)],
		[l10n.t('Digest'), row.digest?.replace(/^.*@/, '') ?? ''],
	]);
}
