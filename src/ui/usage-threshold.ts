import type { UsagePoint } from './usage-points';

export type ThresholdKind = 'cpu' | 'memory';

export interface Thresholds {
	/** Percent of one processor; 0 for none. */
	readonly cpu: number;
	/** Percent of the memory that a container may use; 0 for none. */
	readonly memory: number;
	/** Samples in a row, about one a second. */
	readonly samples: number;
}

/** Milliseconds in which nothing more is said of the same container and kind. */
const QUIET = 600_000;

/** Finds containers that use more than a threshold for a while, and tells of each once. */
export class ThresholdWatch {
	/** Samples in a row by container and kind; Infinity once it was told, until one is below. */
	private readonly above = new Map<string, number>();
	private readonly told = new Map<string, number>();

	/** What is to be told after this point of a container. */
	take(id: string, point: UsagePoint, { cpu, memory, samples }: Thresholds): ThresholdKind[] {
		return [
			...(this.count(`${id} cpu`, cpu > 0 && point.cpu > cpu, samples, point.time) ? ['cpu' as const] : []),
			...(this.count(`${id} memory`, memory > 0 && memoryPercent(point) > memory, samples, point.time)
				? ['memory' as const]
				: []),
		];
	}

	/** Forgets a container that is gone or stopped. */
	forget(id: string): void {
		for (const kind of ['cpu', 'memory']) {
			this.above.delete(`${id} ${kind}`);
		}
	}

	private count(key: string, isAbove: boolean, samples: number, time: number): boolean {
		const count = isAbove ? (this.above.get(key) ?? 0) + 1 : 0;
		this.above.set(key, count);
		if (count < samples || time - (this.told.get(key) ?? -Infinity) < QUIET) {
			return false;
		}
		this.above.set(key, Infinity);
		this.told.set(key, time);
		return true;
	}
}

/** Of the container's limit, of the machine's memory without one; 0 when neither is known. */
export function memoryPercent({ memory, memoryLimit }: Pick<UsagePoint, 'memory' | 'memoryLimit'>): number {
	return memoryLimit > 0 ? (memory * 100) / memoryLimit : 0;
}
