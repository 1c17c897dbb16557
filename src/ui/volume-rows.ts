import { env, l10n, type MarkdownString } from 'vscode';
import { formatBytes } from './amounts';
import { bare, engineOfRow, OWN_ID } from './engine-keys';
import type { Model } from './model';
import { shortId } from './names';
import { GONE, type Drawing, type RowSource } from './row-tree';
import { isAlive, type ContainerRow, type VolumeRow } from './rows';
import { facts } from './tooltip';
import type { VolumeSizes } from './volume-sizes';

/** The rows of the Volumes view. */
export function volumeSource(model: Model, sizes: VolumeSizes): RowSource {
	return {
		load: () => model.ready(),
		keys: (parent) => (parent === undefined ? model.volumes.keys : []),
		draw: (name) => {
			const volume = model.volumes.get(name);
			return volume === undefined ? GONE : drawVolume(volume, model, sizes.get(name));
		},
		tooltip: (name) => {
			const volume = model.volumes.get(name);
			return volume && volumeTooltip(volume, model, sizes.get(name));
		},
	};
}

/** Containers that mount the volume, running or not. */
export function volumeUsers(model: Model, name: string): readonly ContainerRow[] {
	return model.containers.filter((container) => container.volumes.includes(name));
}

/** True for a volume of our engine: another one does not let its files be read. */
export function isOurs({ name }: VolumeRow): boolean {
	return engineOfRow(name) === OWN_ID;
}

/** What a person calls the volume. */
export function volumeLabel({ name, isAnonymous }: Pick<VolumeRow, 'name' | 'isAnonymous'>): string {
	return isAnonymous ? shortId(name) : bare(name);
}

/** A volume's row; `size` in bytes, undefined as long as it is not known. */
export function drawVolume(volume: VolumeRow, model: Model, size: number | undefined): Drawing {
	const users = volumeUsers(model, volume.name);
	const fault = model.fault(volume.name);
	const failure = fault === undefined ? [] : [l10n.t('failed: {0}', fault)];
	const words = [
		...failure,
		...(size === undefined ? [] : [formatBytes(size, env.language)]),
		users.length === 0
			? l10n.t('not in use')
			: l10n.t('used by {0}', users.map((container) => container.name).join(', ')),
		...(volume.isAnonymous ? [l10n.t('anonymous')] : []),
		...(volume.driver === 'local' ? [] : [volume.driver]),
	];
	const isBusy = model.isBusy(volume.name);
	return {
		label: volumeLabel(volume),
		description: words.join(' · '),
		...(isBusy ? { icon: 'loading~spin' } : volumeIcon(users, fault)),
		context: `volume;${isBusy ? 'busy' : 'ready'};${users.length > 0 ? 'used' : 'unused'}`,
		spoken: l10n.t('Volume {0}, {1}', volumeLabel(volume), words.join(', ')),
	};
}

function volumeIcon(users: readonly ContainerRow[], fault: string | undefined): Pick<Drawing, 'icon' | 'color'> {
	if (fault !== undefined) {
		return { icon: 'error', color: 'testing.iconFailed' };
	}
	if (users.length === 0) {
		return { icon: 'database', color: 'disabledForeground' };
	}
	return users.some((container) => isAlive(container.state))
		? { icon: 'database', color: 'charts.green' }
		: { icon: 'database' };
}

function volumeTooltip(volume: VolumeRow, model: Model, size: number | undefined): MarkdownString {
	const pairs = (record: Readonly<Record<string, string>>): string =>
		Object.entries(record)
			.map(([name, value]) => `${name}=${value}`)
			.join(', ');
	return facts(volumeLabel(volume), [
		[l10n.t('Failed'), model.fault(volume.name) ?? ''],
		[l10n.t('Size'), size === undefined ? '' : formatBytes(size, env.language)],
		[
			l10n.t('Used by'),
			volumeUsers(model, volume.name)
				.map((container) => container.name)
				.join(', '),
		],
		[l10n.t('Driver'), volume.driver],
		[l10n.t('Options'), pairs(volume.options)],
		[l10n.t('Labels'), pairs(volume.labels)],
		[l10n.t('Folder'), volume.mountpoint],
		[l10n.t('Created'), volume.created > 0 ? new Date(volume.created).toLocaleString(env.language) : ''],
		[l10n.t('Name'), volume.isAnonymous ? bare(volume.name) : ''],
	]);
}
