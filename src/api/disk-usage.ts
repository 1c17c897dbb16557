import type { DiskUsage } from './types';

/** One kind of thing in GET /system/df, counted as docker's command line counts. */
export interface UsageSummary {
	readonly kind: 'image' | 'container' | 'volume' | 'build-cache';
	readonly total: number;
	/** Used by a container; of containers, alive. */
	readonly active: number;
	/** Bytes. */
	readonly size: number;
	/** Bytes that come back when all that is not active goes. */
	readonly reclaimable: number;
}

const ALIVE = ['running', 'paused', 'restarting', 'stopping'];

/** Images, containers, volumes and the build cache. */
export function summarizeUsage(usage: DiskUsage): UsageSummary[] {
	return [images(usage), containers(usage), volumes(usage), buildCache(usage)];
}

function images({ Images, LayersSize, UnusedSize }: DiskUsage): UsageSummary {
	const used = (Images ?? []).filter((image) => image.Containers > 0);
	// As docker: what used images do not need for themselves alone can be had back.
	const needed = used.reduce((sum, image) => sum + image.Size - Math.max(image.SharedSize ?? 0, 0), 0);
	const reclaimable = UnusedSize ?? Math.max(LayersSize - needed, 0);
	return { kind: 'image', total: Images?.length ?? 0, active: used.length, size: LayersSize, reclaimable };
}

function containers({ Containers }: DiskUsage): UsageSummary {
	const all = Containers ?? [];
	const stopped = all.filter(({ State }) => !ALIVE.includes(State));
	return {
		kind: 'container',
		total: all.length,
		active: all.length - stopped.length,
		size: bytes(all.map(({ SizeRw }) => SizeRw)),
		reclaimable: bytes(stopped.map(({ SizeRw }) => SizeRw)),
	};
}

function volumes({ Volumes }: DiskUsage): UsageSummary {
	const all = Volumes ?? [];
	const isUsed = ({ UsageData }: (typeof all)[number]): boolean => (UsageData?.RefCount ?? 0) > 0;
	const sizes = (list: typeof all): number => bytes(list.map(({ UsageData }) => UsageData?.Size));
	return {
		kind: 'volume',
		total: all.length,
		active: all.filter(isUsed).length,
		size: sizes(all),
		reclaimable: sizes(all.filter((volume) => !isUsed(volume))),
	};
}

function buildCache({ BuildCache }: DiskUsage): UsageSummary {
	const all = BuildCache ?? [];
	return {
		kind: 'build-cache',
		total: all.length,
		active: 0,
		size: bytes(all.map(({ Size }) => Size)),
		reclaimable: 0,
	};
}

/** The sum; what the engine does not know (-1) counts as nothing. */
function bytes(list: readonly (number | undefined)[]): number {
	return list.reduce<number>((sum, one) => sum + Math.max(one ?? 0, 0), 0);
}
