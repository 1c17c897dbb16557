import { env, l10n, ProgressLocation, window } from 'vscode';
import type { DiskUsage } from '../api/types';
import { formatBytes } from './amounts';
import { check, type Candidate, type Checklist } from './checklist';
import { bare } from './engine-keys';
import { sentence } from './failure';
import { shortId } from './names';
import { members } from './network-rows';
import type { Parts } from './parts';
import { loadOrThrow } from './pick';
import { prunableContainers, prunableImages, prunableVolumes, type Prunable, type PrunableKind } from './prunable';

type Needs = Pick<Parts, 'client' | 'model'>;

interface Prune {
	readonly view: `mydocker.${string}`;
	readonly checklist: Checklist;
	readonly find: (usage: DiskUsage) => readonly Prunable[];
	/** Checked from the start. */
	readonly isPicked: (prunable: Prunable) => boolean;
	/** With a line above each kind. */
	readonly isGrouped?: boolean;
}

/** What has to go before what: an image cannot while a container of it is there. */
const ORDER: readonly PrunableKind[] = ['container', 'image', 'network', 'volume'];

/** Prune Containers…: a list of those that do not run, in which a person unchecks what stays. */
export async function pruneContainers(needs: Needs): Promise<void> {
	await prune(needs, {
		view: 'mydocker.containers',
		find: prunableContainers,
		isPicked: () => true,
		checklist: {
			title: l10n.t('Prune Containers'),
			none: l10n.t('Every container is running.'),
			warning: l10n.t('Files written inside and logs go for good. Images and volumes stay.'),
		},
	});
}

/** Prune Images…: a list of those that no container uses. Only those without a name are checked from the start. */
export async function pruneImages(needs: Needs): Promise<void> {
	await prune(needs, {
		view: 'mydocker.images',
		find: (usage) => prunableImages(usage),
		isPicked: ({ isNameless }) => isNameless,
		checklist: {
			title: l10n.t('Prune Images'),
			none: l10n.t('Every image is in use.'),
			warning: l10n.t('Checked images go with all their names.'),
		},
	});
}

/** Prune Networks…: a list of those that no container uses, in which a person unchecks what stays. */
export async function pruneNetworks(needs: Needs): Promise<void> {
	await prune(needs, {
		view: 'mydocker.networks',
		find: () => prunableNetworks(needs),
		isPicked: () => true,
		checklist: {
			title: l10n.t('Prune Networks'),
			none: l10n.t('Every network is in use.'),
			warning: l10n.t('Checked networks are removed.'),
		},
	});
}

/** Prune Volumes…: a list of those that no container uses. Only the anonymous ones are checked from the start. */
export async function pruneVolumes(needs: Needs): Promise<void> {
	await prune(needs, {
		view: 'mydocker.volumes',
		find: prunableVolumes,
		isPicked: ({ isNameless }) => isNameless,
		checklist: {
			title: l10n.t('Prune Volumes'),
			none: l10n.t('Every volume is in use.'),
			warning: l10n.t('Their files go for good.'),
		},
	});
}

/** Prune Everything…: all of these in one list. No volume is checked from the start: its files are nowhere else. */
export async function pruneEverything(needs: Needs): Promise<void> {
	await prune(needs, {
		view: 'mydocker.containers',
		find: (usage) => [
			...prunableContainers(usage),
			...prunableImages(usage, true),
			...prunableNetworks(needs),
			...prunableVolumes(usage),
		],
		isPicked: ({ kind, isNameless }) =>
			kind === 'container' || kind === 'network' || (kind === 'image' && isNameless),
		isGrouped: true,
		checklist: {
			title: l10n.t('Prune Everything'),
			none: l10n.t('Everything is in use.'),
			warning: l10n.t('What is checked goes for good.'),
		},
	});
}

function prunableNetworks({ model }: Needs): Prunable[] {
	return model.networks.rows
		.filter((network) => !network.isBuiltIn && members(model, network).length === 0)
		.map(({ id, name }) => ({
			kind: 'network',
			key: bare(id),
			names: [name],
			bytes: undefined,
			users: [],
			isNameless: false,
		}));
}

async function prune(needs: Needs, { view, checklist, find, isPicked, isGrouped }: Prune): Promise<void> {
	const { client, model } = needs;
	await loadOrThrow(model);
	const location = { viewId: view };
	const before = await window.withProgress({ location }, () => client.diskUsage());
	const prunables = find(before).map((prunable) => ({ ...prunable, key: model.keyOf(prunable.key) }));
	const candidates = prunables.map((prunable): Candidate => ({
		key: prunable.key,
		label: labelOf(prunable),
		description: descriptionOf(prunable, model),
		bytes: prunable.bytes,
		isPicked: isPicked(prunable),
		...(isGrouped === true ? { group: kindWords(prunable.kind) } : {}),
	}));
	const keys = new Set(await check(candidates, checklist));
	const chosen = prunables.filter(({ key }) => keys.has(key));
	if (chosen.length === 0) {
		return;
	}
	const { removed, freed, errors } = await window.withProgress(
		{ location: ProgressLocation.Notification, title: checklist.title },
		() => removeAll(needs, chosen, before),
	);
	if (removed.length > 0) {
		void window.showInformationMessage(resultWords(removed, freed));
	}
	if (errors.length > 0) {
		throw errors.length === 1 ? errors[0] : new AggregateError(errors, errors.map(sentence).join('\n'));
	}
}

/** Removes kind after kind. What cannot go is told at the end, after all have been tried. */
async function removeAll(
	needs: Needs,
	chosen: readonly Prunable[],
	before: DiskUsage,
): Promise<{ readonly removed: readonly Prunable[]; readonly freed: number; readonly errors: readonly unknown[] }> {
	const removed: Prunable[] = [];
	const errors: unknown[] = [];
	for (const kind of ORDER) {
		const prunables = chosen.filter((prunable) => prunable.kind === kind);
		const results = await Promise.allSettled(prunables.map((prunable) => remove(needs, prunable)));
		results.forEach((result, index) => {
			const prunable = prunables[index];
			if (result.status === 'rejected') {
				errors.push(result.reason);
			} else if (prunable !== undefined) {
				removed.push(prunable);
			}
		});
	}
	return { removed, freed: await freedBytes(needs, removed, before), errors };
}

/** Nothing is forced: the engine refuses what came into use since the list was made. */
async function remove({ client, model }: Needs, { kind, key, names }: Prunable): Promise<void> {
	switch (kind) {
		case 'container':
			return model.act(key, () => client.containers.remove(key));
		case 'network':
			return model.act(key, () => client.networks.remove(key));
		case 'volume':
			return model.act(key, () => client.volumes.remove(key));
		case 'image':
			for (const name of names.length === 0 ? [key] : names.map(model.keyOf)) {
				await model.act(name, () => client.images.remove(name));
			}
	}
}

/** Images share layers, so that only the engine knows what is left of them. */
async function freedBytes({ client }: Needs, removed: readonly Prunable[], before: DiskUsage): Promise<number> {
	const own = removed.filter(({ kind }) => kind !== 'image').reduce((sum, { bytes = 0 }) => sum + bytes, 0);
	if (!removed.some(({ kind }) => kind === 'image')) {
		return own;
	}
	const after = await client.diskUsage();
	return own + Math.max(before.LayersSize - after.LayersSize, 0);
}

function labelOf({ kind, key, names }: Prunable): string {
	if (kind === 'volume') {
		return /^[0-9a-f]{64}$/.test(bare(key)) ? shortId(key) : bare(key);
	}
	return names.length === 0 ? shortId(key) : names.join(', ');
}

function descriptionOf({ kind, key, users, isNameless }: Prunable, model: Needs['model']): string {
	switch (kind) {
		case 'container':
			return model.container(key)?.image ?? '';
		case 'network': {
			const network = model.networks.get(key);
			return network === undefined ? '' : [network.driver, ...network.subnets].join(' · ');
		}
		case 'image':
			return [
				...(isNameless ? [l10n.t('without a name')] : []),
				...(users.length > 0 ? [l10n.t('used by {0}', users.join(', '))] : []),
			].join(' · ');
		case 'volume':
			return isNameless ? l10n.t('anonymous') : '';
	}
}

function kindWords(kind: PrunableKind): string {
	switch (kind) {
		case 'container':
			return l10n.t('Containers that do not run');
		case 'image':
			return l10n.t('Images that nothing running uses');
		case 'network':
			return l10n.t('Networks without a container');
		case 'volume':
			return l10n.t('Volumes without a container');
	}
}

/** "Removed 2 containers, 1 image: 12 MB freed." */
function resultWords(removed: readonly Prunable[], freed: number): string {
	const words = ORDER.flatMap((kind) => {
		const count = removed.filter((prunable) => prunable.kind === kind).length;
		return count === 0 ? [] : [countWords(kind, count)];
	});
	const list = new Intl.ListFormat(env.language, { type: 'conjunction' }).format(words);
	return removed.every(({ bytes }) => bytes === undefined)
		? l10n.t('Removed {0}.', list)
		: l10n.t('Removed {0}: {1} freed.', list, formatBytes(freed, env.language));
}

function countWords(kind: PrunableKind, count: number): string {
	const number = count.toLocaleString(env.language);
	switch (kind) {
		case 'container':
			return count === 1 ? l10n.t('1 container') : l10n.t('{0} containers', number);
		case 'image':
			return count === 1 ? l10n.t('1 image') : l10n.t('{0} images', number);
		case 'network':
			return count === 1 ? l10n.t('1 network') : l10n.t('{0} networks', number);
		case 'volume':
			return count === 1 ? l10n.t('1 volume') : l10n.t('{0} volumes', number);
	}
}
