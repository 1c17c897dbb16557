import type { DiskUsage } from '../api/types';
import { summarizeUsage, type UsageSummary } from '../api/disk-usage';

/** What docker has a word for, and the rest of what our engine's store takes. */
export type UsageKind = UsageSummary['kind'] | 'other';

/** One thing that takes room. */
export interface UsageItem {
	/** The id of an image or a container, the name of a volume, the kind of the rest. */
	readonly key: string;
	/** All tags of an image; none for one without a name. */
	readonly names: readonly string[];
	/** Bytes; of an image with what it shares, of a container what it wrote itself. */
	readonly size: number;
	/** Bytes of `size` that other images have too. */
	readonly shared: number;
	/** Containers that use it; of a container 1 while it is alive. */
	readonly users: number;
}

export interface UsagePart extends Omit<UsageSummary, 'kind'> {
	readonly kind: UsageKind;
	/** The biggest first. */
	readonly items: readonly UsageItem[];
}

/** What GET /system/df tells, as rows need it. */
export function usageParts(usage: DiskUsage): UsagePart[] {
	const alive = new Set(['running', 'paused', 'restarting', 'stopping']);
	const items: Readonly<Record<UsageSummary['kind'], readonly UsageItem[]>> = {
		image: (usage.Images ?? []).map(({ Id, RepoTags, Size, SharedSize, Containers }) => ({
			key: Id,
			names: (RepoTags ?? []).filter((tag) => !tag.includes('<none>')),
			size: Size,
			shared: Math.max(SharedSize ?? 0, 0),
			users: Math.max(Containers, 0),
		})),
		container: (usage.Containers ?? []).map(({ Id, Names, SizeRw, State }) => ({
			key: Id,
			names: Names.map((name) => name.replace(/^\//, '')),
			size: SizeRw ?? 0,
			shared: 0,
			users: alive.has(State) ? 1 : 0,
		})),
		volume: (usage.Volumes ?? []).map(({ Name, UsageData }) => ({
			key: Name,
			names: [Name],
			size: Math.max(UsageData?.Size ?? 0, 0),
			shared: 0,
			users: Math.max(UsageData?.RefCount ?? 0, 0),
		})),
		'build-cache': [],
	};
	const parts = summarizeUsage(usage).map((part) => ({
		...part,
		...(part.kind === 'image' && part.active > 0 && usage.UnusedSize === undefined
			? { reclaimable: ofUnused(items.image) }
			: {}),
		items: items[part.kind].toSorted(bySize),
	}));
	return [...parts, ...otherPart(usage)];
}

/**
 * Bytes that go with the images that no container uses, at least. Docker's own figure counts what images in use share as
 * well, so that it promises room where nothing can go.
 */
function ofUnused(images: readonly UsageItem[]): number {
	return images.filter(({ users }) => users === 0).reduce((sum, { size, shared }) => sum + size - shared, 0);
}

/** Nothing for an engine that does not tell it. */
function otherPart({ Other }: DiskUsage): UsagePart[] {
	const items = (Other ?? [])
		.filter(({ Size }) => Size > 0)
		.map(({ Kind, Size }): UsageItem => ({ key: Kind, names: [], size: Size, shared: 0, users: 1 }))
		.toSorted(bySize);
	const size = items.reduce((sum, item) => sum + item.size, 0);
	const { length } = items;
	return length === 0 ? [] : [{ kind: 'other', total: length, active: length, size, reclaimable: 0, items }];
}

function bySize(a: UsageItem, b: UsageItem): number {
	return b.size - a.size || (a.key < b.key ? -1 : 1);
}
