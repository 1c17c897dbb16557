import type { CpuStatsJson, StatsJson } from './types';

/** What the counters of GET /containers/{id}/stats say, counted as docker's command line counts. */

/** Percent of one processor between two samples: two that are busy are 200. */
export function cpuPercent(previous: CpuStatsJson, current: CpuStatsJson): number {
	const own = current.cpu_usage.total_usage - previous.cpu_usage.total_usage;
	const system = (current.system_cpu_usage ?? 0) - (previous.system_cpu_usage ?? 0);
	const online = current.online_cpus ?? current.cpu_usage.percpu_usage?.length ?? 0;
	return own > 0 && system > 0 ? (own / system) * online * 100 : 0;
}

/** Bytes without the file cache that the kernel gives up first; the name says which version of control groups it is. */
export function memoryInUse({ usage = 0, stats = {} }: StatsJson['memory_stats']): number {
	const cache = stats['total_inactive_file'] ?? stats['inactive_file'] ?? 0;
	return cache < usage ? usage - cache : usage;
}

/** Bytes that all devices of the container have received and sent. */
export function networkBytes({ networks }: StatsJson): { readonly received: number; readonly sent: number } {
	const devices = Object.values(networks ?? {});
	return {
		received: sum(devices.map(({ rx_bytes }) => rx_bytes)),
		sent: sum(devices.map(({ tx_bytes }) => tx_bytes)),
	};
}

/** Bytes that block devices have read and written for the container. */
export function blockBytes({ blkio_stats }: StatsJson): { readonly read: number; readonly written: number } {
	const entries = (blkio_stats.io_service_bytes_recursive ?? []) as readonly { op?: string; value?: number }[];
	const of = (letter: 'r' | 'w'): number =>
		sum(entries.filter(({ op }) => op?.[0]?.toLowerCase() === letter).map(({ value }) => value ?? 0));
	return { read: of('r'), written: of('w') };
}

function sum(numbers: readonly number[]): number {
	return numbers.reduce((total, number) => total + number, 0);
}
