import type { StatsJson } from '../api/types';
import { blockBytes, cpuPercent, memoryInUse, networkBytes } from '../api/usage';

/** What a container used at a time. */
export interface UsagePoint {
	/** Unix milliseconds. */
	readonly time: number;
	/** Percent of one processor. */
	readonly cpu: number;
	/** Bytes. */
	readonly memory: number;
	/** Bytes; the machine's memory for a container without a limit of its own. */
	readonly memoryLimit: number;
	/** Bytes a second since the point before. */
	readonly rates: Traffic;
	/** Bytes since the container's start. */
	readonly totals: Traffic;
	readonly processes: number;
}

/** Bytes over the network, and from and to block devices. */
export interface Traffic {
	readonly received: number;
	readonly sent: number;
	readonly read: number;
	readonly written: number;
}

/** The limits that a container was given; undefined for none. */
export interface UsageLimits {
	/** Percent of one processor. */
	readonly cpu: number | undefined;
	/** Bytes. */
	readonly memory: number | undefined;
}

/** Makes points of an engine's samples, which are counters; each needs the sample before it. */
export class UsageMeter {
	private before: { readonly sample: StatsJson; readonly time: number } | undefined;

	/** Undefined for the first sample, and for one of a container that does not run. */
	take(sample: StatsJson): UsagePoint | undefined {
		const time = Date.parse(sample.read);
		const { before } = this;
		// Docker's samples of a container that does not run are of the year 1.
		if (!(time > 0)) {
			this.before = undefined;
			return undefined;
		}
		if (before !== undefined && time <= before.time) {
			return undefined;
		}
		this.before = { sample, time };
		if (before === undefined) {
			return undefined;
		}
		const totals = traffic(sample);
		return {
			time,
			cpu: cpuPercent(before.sample.cpu_stats, sample.cpu_stats),
			memory: memoryInUse(sample.memory_stats),
			memoryLimit: sample.memory_stats.limit ?? 0,
			rates: perSecond(traffic(before.sample), totals, (time - before.time) / 1000),
			totals,
			processes: sample.pids_stats.current ?? 0,
		};
	}
}

function traffic(sample: StatsJson): Traffic {
	return { ...networkBytes(sample), ...blockBytes(sample) };
}

/** A counter that began anew counts from 0. */
function perSecond(before: Traffic, now: Traffic, seconds: number): Traffic {
	const rate = (name: keyof Traffic): number =>
		(now[name] < before[name] ? now[name] : now[name] - before[name]) / seconds;
	return { received: rate('received'), sent: rate('sent'), read: rate('read'), written: rate('written') };
}

/** Points of the last hour at one a second. */
export const MOST_POINTS = 3600;

/** Keeps the last MOST_POINTS. */
export function appendPoint(points: UsagePoint[], point: UsagePoint): void {
	points.push(point);
	if (points.length > MOST_POINTS) {
		points.splice(0, points.length - MOST_POINTS);
	}
}

/** Milliseconds without a point after which a line is not drawn on: the container stopped, or the engine was away. */
const GAP = 5000;

/**
 * The points since `from` (Unix milliseconds) as a chart takes them: the times, then the values of each line; a null
 * where there is a gap. `chosen` are the indices of the points, null for a gap.
 */
export function columnsOf(
	points: readonly UsagePoint[],
	from: number,
	values: readonly ((point: UsagePoint) => number | null)[],
): { readonly times: number[]; readonly lines: (number | null)[][]; readonly chosen: (number | null)[] } {
	const times: number[] = [];
	const lines: (number | null)[][] = values.map(() => []);
	const chosen: (number | null)[] = [];
	let last: number | undefined;
	points.forEach((point, index) => {
		if (point.time < from) {
			return;
		}
		if (last !== undefined && point.time - last > GAP) {
			times.push((last + point.time) / 2);
			chosen.push(null);
			lines.forEach((line) => line.push(null));
		}
		last = point.time;
		times.push(point.time);
		chosen.push(index);
		values.forEach((value, line) => lines[line]?.push(value(point)));
	});
	return { times, lines, chosen };
}

/** About `most` points, evenly over the time and the last one among them, newest first: for a table that people read. */
export function thinned(points: readonly UsagePoint[], most: number): UsagePoint[] {
	const step = Math.max(1, Math.ceil(points.length / most));
	return points.filter((_, index) => (points.length - 1 - index) % step === 0).reverse();
}
