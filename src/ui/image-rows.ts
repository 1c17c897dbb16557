import { env, l10n, type MarkdownString } from 'vscode';
import { formatAgo, formatBytes } from './amounts';
import { bare, beside } from './engine-keys';
import type { Model } from './model';
import type { ImageRow } from './rows';
import { repositoryOfName, shortId, splitRegistry } from './names';
import { repositoryKey, repositoryOf } from './keys';
import type { NewerImages } from './newer-images';
import type { Pulls } from './pulls';
import { GONE, type Drawing, type RowSource } from './row-tree';
import type { Scope } from './scope';
import { facts } from './tooltip';

/**
 * The rows of the Images view: one a name, so that two tags of an image are two rows. Several tags of a repository, and
 * images without a name, are below a row of their own. What is being pulled is above them.
 */
export function imageSource(model: Model, scope: Scope, pulls: Pulls, newer: NewerImages): RowSource {
	const used = usedImages(model);
	const repositories = imagesByRepository(scope);
	return {
		load: () => model.ready(),
		keys: (parent) => {
			if (parent === undefined) {
				return [...pulls.keys, ...topKeys(repositories())];
			}
			return (repositories().get(repositoryOf(parent) ?? parent) ?? []).map((row) => row.name);
		},
		draw: (key) => {
			const pull = pulls.draw(key);
			if (pull !== undefined) {
				return pull;
			}
			const repository = repositoryOf(key);
			if (repository !== undefined) {
				return drawRepository(repository, repositories().get(repository) ?? [], used());
			}
			const row = model.image(key);
			if (row === undefined) {
				return GONE;
			}
			const drawing = drawImage(row, { model, isUsed: used().has(row.id), isOld: newer.has(row) });
			// Below the row of its repository the tag alone tells it apart.
			const isShort = row.tag !== undefined && isGroup(repositoryName(row), repositories());
			return isShort ? { ...drawing, label: row.tag.replace(/^.*:/, '') } : drawing;
		},
		tooltip: (key) => {
			const row = model.image(key);
			return (
				row && imageTooltip(row, { usedBy: users(model, row), fault: model.fault(key), isOld: newer.has(row) })
			);
		},
		parent: (key) => {
			const row = model.image(key);
			const repository = row === undefined ? undefined : repositoryName(row);
			return repository !== undefined && isGroup(repository, repositories())
				? repositoryKey(repository)
				: undefined;
		},
	};
}

/** The names of a repository's images as they are shown; undefined for a row that is no repository. */
export function imagesOfRepository(scope: Scope, key: string): readonly string[] | undefined {
	const repository = repositoryOf(key);
	return repository === undefined
		? undefined
		: scope.images.filter((row) => repositoryName(row) === repository).map((row) => row.name);
}

/** A name on the image's engine, with "" there for an image without a name. */
function repositoryName(row: ImageRow): string {
	return beside(row.id, repositoryOfName(row.tag ?? row.digest ?? ''));
}

type Repositories = ReadonlyMap<string, readonly ImageRow[]>;

/** In the order of the list; made anew only when an image has changed. */
function imagesByRepository(scope: Scope): () => Repositories {
	let from: readonly ImageRow[] | undefined;
	let repositories = new Map<string, ImageRow[]>();
	return () => {
		if (from !== scope.images) {
			from = scope.images;
			repositories = new Map();
			for (const row of from) {
				const name = repositoryName(row);
				repositories.set(name, [...(repositories.get(name) ?? []), row]);
			}
		}
		return repositories;
	};
}

function isGroup(repository: string, repositories: Repositories): boolean {
	return bare(repository) === '' || (repositories.get(repository)?.length ?? 0) > 1;
}

function topKeys(repositories: Repositories): string[] {
	return [...repositories].flatMap(([name, rows]) =>
		isGroup(name, repositories) ? [repositoryKey(name)] : rows.map((row) => row.name),
	);
}

function drawRepository(key: string, rows: readonly ImageRow[], used: ReadonlySet<string>): Drawing {
	const name = bare(key);
	const { registry, rest } = splitRegistry(name);
	const unique = new Map(rows.map((row) => [row.id, row.size]));
	const count = rows.length.toLocaleString(env.language);
	const words = [
		name === '' ? l10n.t('{0} images', count) : l10n.t('{0} tags', count),
		formatBytes(
			[...unique.values()].reduce((sum, size) => sum + size, 0),
			env.language,
		),
		...(rows.some((row) => used.has(row.id)) ? [l10n.t('in use')] : []),
	];
	const label = name === '' ? l10n.t('Without a name') : rest;
	return {
		label,
		description: [...words, ...(registry === '' ? [] : [registry])].join(' · '),
		icon: name === '' ? 'question' : 'library',
		context: name === '' ? 'images;dangling' : 'images;repository',
		spoken: l10n.t('Images {0}, {1}', name === '' ? label : name, words.join(', ')),
		children: name === '' ? 'collapsed' : 'expanded',
	};
}

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

/** An image's row. */
export function drawImage(
	row: ImageRow,
	{ model, isUsed, isOld = false }: { model: Model; isUsed: boolean; isOld?: boolean },
): Drawing {
	const isBusy = model.isBusy(row.name);
	const fault = model.fault(row.name);
	const failure = fault === undefined ? [] : [l10n.t('failed: {0}', fault)];
	const name = row.tag ?? row.digest?.replace(/@.*$/, '') ?? '<none>';
	// What tells images apart comes first: in a narrow side bar the registry would be all that is seen.
	const { registry, rest: label } = splitRegistry(name);
	const words = [
		...(isOld ? [l10n.t('newer in the registry')] : []),
		...(row.tag === undefined ? [shortId(row.digest?.replace(/^.*@/, '') ?? row.id)] : []),
		formatBytes(row.size, env.language),
		...(row.created > 0 ? [formatAgo(Math.max(Date.now() - row.created, 0) / 1000, env.language)] : []),
		...(isUsed ? [l10n.t('in use')] : []),
	];
	return {
		label,
		description: [...failure, ...words, ...(registry === '' ? [] : [registry])].join(' · '),
		...(isBusy ? { icon: 'loading~spin' } : imageIcon(row, isUsed, fault)),
		context: `image;${isBusy ? 'busy' : row.tag === undefined ? 'dangling' : isOld ? 'tagged;old' : 'tagged'}`,
		spoken: l10n.t('Image {0}, {1}', name, [...words, ...failure].join(', ')),
	};
}

function imageIcon(row: ImageRow, isUsed: boolean, fault: string | undefined): Pick<Drawing, 'icon' | 'color'> {
	if (fault !== undefined) {
		return { icon: 'error', color: 'testing.iconFailed' };
	}
	if (isUsed) {
		return { icon: 'layers-active' };
	}
	return row.tag === undefined ? { icon: 'layers', color: 'disabledForeground' } : { icon: 'layers' };
}

function imageTooltip(
	row: ImageRow,
	{ usedBy, fault, isOld }: { usedBy: readonly string[]; fault: string | undefined; isOld: boolean },
): MarkdownString {
	return facts(row.tag ?? '<none>', [
		[l10n.t('Failed'), fault ?? ''],
		[l10n.t('Registry'), isOld ? l10n.t('has another image of this name; pull it to have it here, too') : ''],
		[l10n.t('Size'), formatBytes(row.size, env.language)],
		[l10n.t('Built'), row.created > 0 ? new Date(row.created).toLocaleString(env.language) : ''],
		[l10n.t('Used by'), usedBy.join(', ')],
		[l10n.t('ID'), shortId(row.id)],
		[l10n.t('Digest'), row.digest?.replace(/^.*@/, '') ?? ''],
	]);
}
