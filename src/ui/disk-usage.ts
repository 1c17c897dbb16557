import { commands, env, EventEmitter, l10n, type Disposable, type LogOutputChannel } from 'vscode';
import type { Client } from '../api/client';
import type { OtherUsageKind } from '../api/types';
import { formatBytes } from './amounts';
import { engineOfRow } from './engine-keys';
import type { EngineModel } from './engine-model';
import type { Count } from './engine-roots';
import { isAbort, sentence } from './failure';
import { partKey, partOf } from './keys';
import { Measure } from './measure';
import type { Models } from './model';
import { shortId, shortName } from './names';
import { pinned } from './routing-client';
import { GONE, type Drawing, type RowSource } from './row-tree';
import { facts } from './tooltip';
import { usageParts, type UsageItem, type UsageKind, type UsagePart } from './usage-items';

/** Events of containers after which they may take more or less room. */
const CHANGES = new Set(['create', 'die', 'destroy', 'commit']);
const PREFIX = 'usage ';

/** A kind of things on one engine: the kind as a name there. */
type EnginePart = UsagePart & { readonly key: string };

/**
 * The Disk Usage view: what takes how much room, the biggest first. An engine walks through all files for it, so it is
 * asked only while somebody looks.
 */
export class DiskUsageRows implements Disposable {
	private readonly changed = new EventEmitter<void>();
	readonly onDidChange = this.changed.event;
	/** With the engine's part in the keys. */
	private parts: readonly EnginePart[] = [];
	private readonly measuring = new Measure((signal) => this.measure(signal));
	private readonly subscriptions: readonly Disposable[];

	constructor(
		private readonly client: Client,
		private readonly models: Models,
		private readonly log: LogOutputChannel,
	) {
		const expire = (): void => {
			this.measuring.expire();
		};
		this.subscriptions = [
			models.onDidChangeImages(expire),
			models.volumes.onDidChange(expire),
			models.onDidReceive(({ Type, Action }) => {
				if (Type === 'container' && CHANGES.has(Action)) {
					this.measuring.expire();
				}
			}),
		];
	}

	/** The rows of the view. */
	get source(): RowSource {
		return {
			load: () => this.measuring.load(),
			keys: (parent) => {
				if (parent === undefined) {
					return this.parts.map(({ key }) => PREFIX + key);
				}
				const part = this.part(parent);
				return part?.items.map(({ key }) => partKey('use', part.key, key)) ?? [];
			},
			draw: (key) => {
				const part = this.part(key);
				if (part !== undefined) {
					return drawPart(part);
				}
				const found = this.item(key);
				return found === undefined ? GONE : drawItem(found.kind, found.item);
			},
			tooltip: (key) => {
				const found = this.item(key);
				return (
					found &&
					facts(labelOf(found.kind, found.item), [
						[l10n.t('Size'), formatBytes(found.item.size, env.language)],
						[
							l10n.t('Shared with other images'),
							found.item.shared > 0 ? formatBytes(found.item.shared, env.language) : '',
						],
						[l10n.t('Tags'), found.kind === 'image' ? found.item.names.join(', ') : ''],
						[l10n.t('ID'), ['volume', 'other'].includes(found.kind) ? '' : shortId(found.item.key)],
					])
				);
			},
			parent: (key) => {
				const owner = partOf(key, 'use')?.owner;
				return owner === undefined ? undefined : PREFIX + owner;
			},
		};
	}

	/** What another engine takes counts no more. */
	forget(): void {
		this.parts = [];
		this.measuring.expire();
		this.changed.fire();
	}

	/** All that is measured, and what of it can be had back, in words; "" as long as nobody has measured. */
	get total(): string {
		return this.totalOf(this.parts);
	}

	/** The same of one engine. */
	readonly totalOn: Count = ({ engine }) => [
		this.totalOf(this.parts.filter(({ key }) => engineOfRow(key) === engine)),
		'',
	];

	private totalOf(parts: readonly UsagePart[]): string {
		const sum = (member: 'size' | 'reclaimable'): string =>
			formatBytes(
				parts.reduce((all, part) => all + part[member], 0),
				env.language,
			);
		return parts.length === 0 ? '' : l10n.t('{0}, {1} can be freed', sum('size'), sum('reclaimable'));
	}

	/** Show Disk Usage: measures anew and shows the view. */
	async show(): Promise<void> {
		const refused = this.models.refusal;
		if (refused !== undefined) {
			throw refused;
		}
		this.measuring.expire();
		await commands.executeCommand('mydocker.diskUsage.focus');
		await this.measuring.load();
	}

	/** Tells whether somebody looks. */
	watch(isWatched: boolean): void {
		this.measuring.watch(isWatched);
	}

	dispose(): void {
		for (const subscription of [...this.subscriptions, this.measuring, this.changed]) {
			subscription.dispose();
		}
	}

	private part(key: string): EnginePart | undefined {
		return this.parts.find((part) => PREFIX + part.key === key);
	}

	private item(key: string): { readonly kind: UsageKind; readonly item: UsageItem } | undefined {
		const words = partOf(key, 'use');
		const part = words && this.parts.find((each) => each.key === words.owner);
		const item = part?.items.find((each) => each.key === words?.part);
		return part && item && { kind: part.kind, item };
	}

	/** Gives false when nothing could be measured. */
	private async measure(signal: AbortSignal): Promise<boolean> {
		if (this.models.refusal !== undefined) {
			return false;
		}
		const measured = await Promise.all(this.models.all.map((model) => this.measureOne(model, signal)));
		if (signal.aborted) {
			return false;
		}
		this.parts = measured.flatMap((parts) => parts ?? []);
		this.changed.fire();
		return !measured.includes(undefined);
	}

	/** Undefined when the engine does not tell; the view says how to try again. */
	private async measureOne(model: EngineModel, signal: AbortSignal): Promise<EnginePart[] | undefined> {
		try {
			const parts = usageParts(await pinned(this.client, model.keyOf('')).diskUsage({ signal }));
			return parts.map((part) => ({ ...part, key: model.keyOf(part.kind) }));
		} catch (error) {
			if (!isAbort(error)) {
				this.log.error(`Cannot measure the disk usage: ${sentence(error)}`);
			}
			return undefined;
		}
	}
}

const ICONS: Readonly<Record<UsageKind, string>> = {
	image: 'layers',
	container: 'package',
	volume: 'database',
	'build-cache': 'tools',
	other: 'archive',
};

function drawPart({ kind, total, active, size, reclaimable, items }: UsagePart): Drawing {
	const counts = [
		kind === 'container' ? l10n.t('{0} of {1} running', active, total) : l10n.t('{0} of {1} in use', active, total),
	];
	const words = [
		formatBytes(size, env.language),
		...(kind === 'other' ? [] : counts),
		...(reclaimable > 0 ? [l10n.t('{0} can be freed', formatBytes(reclaimable, env.language))] : []),
	];
	return {
		label: titleOf(kind),
		description: total === 0 ? l10n.t('nothing') : words.join(' · '),
		icon: ICONS[kind],
		context: `usage;${kind};${total > active ? 'prunable' : ''}`,
		spoken: l10n.t('{0}: {1}', titleOf(kind), total === 0 ? l10n.t('nothing') : words.join(', ')),
		...(items.length > 0 ? { children: 'collapsed' as const } : {}),
	};
}

function drawItem(kind: UsageKind, item: UsageItem): Drawing {
	const words = [
		formatBytes(item.size, env.language),
		...(item.shared > 0 ? [l10n.t('{0} of it shared', formatBytes(item.shared, env.language))] : []),
		...(kind === 'other' ? [] : [useWords(kind, item.users)]),
	];
	const label = labelOf(kind, item);
	return {
		label,
		description: words.join(' · '),
		icon: ICONS[kind],
		...(item.users === 0 ? { color: 'disabledForeground' } : {}),
		context: `use;${kind}`,
		spoken: l10n.t('{0}: {1}', label, words.join(', ')),
	};
}

function useWords(kind: UsageKind, users: number): string {
	if (kind === 'container') {
		return users > 0 ? l10n.t('running') : l10n.t('not running');
	}
	return users === 0 ? l10n.t('not in use') : l10n.t('in use');
}

function labelOf(kind: UsageKind, { key, names }: UsageItem): string {
	const [name] = names;
	if (kind === 'other') {
		return otherWords(key);
	}
	if (name === undefined || /^[0-9a-f]{64}$/.test(name)) {
		return shortId(key);
	}
	return kind === 'image' ? shortName(name) : name;
}

function titleOf(kind: UsageKind): string {
	switch (kind) {
		case 'image':
			return l10n.t('Images');
		case 'container':
			return l10n.t('Containers');
		case 'volume':
			return l10n.t('Volumes');
		case 'build-cache':
			return l10n.t('Build cache');
		case 'other':
			return l10n.t('Other');
	}
}

/** A kind that an engine of another version names is shown as it is. */
function otherWords(kind: string): string {
	switch (kind as OtherUsageKind) {
		case 'logs':
			return l10n.t('Logs of containers');
		case 'copies':
			return l10n.t('Copied roots of containers');
		case 'partial-downloads':
			return l10n.t('Partial downloads');
		case 'engine':
			return l10n.t('Files of the engine');
		default:
			return kind;
	}
}
