import { setTimeout as delay } from 'node:timers/promises';
import type { IoEntry } from '../../core/container/cgroup-stats';
import { sampleStats, type StatsSample } from '../../core/container/stats';
import { EngineError } from '../../core/errors';
import { rfc3339 } from '../../core/events';
import type { Container } from '../../core/types';
import type { ApiRequest } from '../request';
import { route } from '../route';
import type { Route } from '../route';
import { NEVER } from '../shapes';
import type { CpuStatsJson, StatsJson } from '../types';

/** Milliseconds between two samples, docker's. */
const EVERY = 1000;

export const statsRoutes: readonly Route[] = [route('GET', '/containers/{id}/stats', stats)];

/**
 * One sample a second until the client or the container goes; with stream=0 one sample with the one before it, with
 * one-shot=1 one sample at once.
 */
async function stats(request: ApiRequest): Promise<void> {
	const isStream = request.text('stream') === undefined || request.flag('stream');
	const isOneShot = request.flag('one-shot');
	if (isStream && isOneShot) {
		throw new EngineError('invalid', 'cannot have stream=true and one-shot=true');
	}
	const { containers } = request.core;
	const { id } = containers.get(request.parameter('id'));
	let previous: StatsSample | undefined;
	if (!isStream) {
		previous = isOneShot ? undefined : sampleStats(containers.get(id));
		if (previous !== undefined) {
			await delay(EVERY, undefined, { signal: request.signal });
		}
		const container = containers.get(id);
		request.json(statsJson(container, sampleStats(container), previous));
		return;
	}
	request.begin('application/json');
	for (let container = containers.find(id); container !== undefined; container = containers.find(id)) {
		const current = sampleStats(container);
		await request.write(Buffer.from(JSON.stringify(statsJson(container, current, previous)) + '\n'));
		previous = current;
		await delay(EVERY, undefined, { signal: request.signal });
	}
	request.end();
}

/** Docker's StatsJSON; a container that does not run has nothing but its names. */
export function statsJson(container: Container, current?: StatsSample, previous?: StatsSample): StatsJson {
	const io = current?.blockIo;
	const others = current?.version === 1 ? [] : null;
	return {
		read: current === undefined ? NEVER : rfc3339(current.time),
		preread: previous === undefined || current === undefined ? NEVER : rfc3339(previous.time),
		pids_stats: {
			...(current === undefined ? {} : { current: current.pids.current }),
			...(current === undefined || current.pids.limit === Infinity ? {} : { limit: current.pids.limit }),
		},
		blkio_stats: {
			io_service_bytes_recursive: io?.serviceBytes.map(ioEntry) ?? null,
			io_serviced_recursive: current?.version === 1 ? current.blockIo.serviced.map(ioEntry) : null,
			io_queue_recursive: others,
			io_service_time_recursive: others,
			io_wait_time_recursive: others,
			io_merged_recursive: others,
			io_time_recursive: others,
			sectors_recursive: others,
		},
		num_procs: 0,
		storage_stats: {},
		cpu_stats: cpuStats(current),
		precpu_stats: cpuStats(current === undefined ? undefined : previous),
		memory_stats: current === undefined ? {} : memoryStats(current),
		name: `/${container.name}`,
		id: container.id,
		...(current === undefined || Object.keys(current.networks).length === 0 ? {} : { networks: current.networks }),
	};
}

function ioEntry({ major, minor, op, value }: IoEntry): object {
	return { major, minor, op, value };
}

function cpuStats(sample: StatsSample | undefined): CpuStatsJson {
	const cpu = sample?.cpu;
	return {
		cpu_usage: {
			total_usage: cpu?.total ?? 0,
			...(cpu?.perCpu === undefined ? {} : { percpu_usage: cpu.perCpu }),
			usage_in_kernelmode: cpu?.kernel ?? 0,
			usage_in_usermode: cpu?.user ?? 0,
		},
		...(sample === undefined ? {} : { system_cpu_usage: sample.systemTime, online_cpus: sample.onlineCpus }),
		throttling_data: {
			periods: cpu?.periods ?? 0,
			throttled_periods: cpu?.throttledPeriods ?? 0,
			throttled_time: cpu?.throttledTime ?? 0,
		},
	};
}

function memoryStats({ version, memory, machineMemory }: StatsSample): StatsJson['memory_stats'] {
	const names = version === 1 ? MEMORY_STATS_1 : MEMORY_STATS_2;
	const stats = Object.entries(memory.stat)
		.filter(([name]) => names.has(name))
		.sort(([a], [b]) => (a < b ? -1 : 1));
	return {
		...(memory.usage === 0 ? {} : { usage: memory.usage }),
		...(memory.maxUsage === 0 ? {} : { max_usage: memory.maxUsage }),
		...(stats.length === 0 ? {} : { stats: Object.fromEntries(stats) }),
		...(memory.failures === 0 ? {} : { failcnt: memory.failures }),
		limit: Math.min(memory.limit, machineMemory),
	};
}

const OF_GROUP_1 = [
	...['active_anon', 'active_file', 'cache', 'dirty', 'inactive_anon', 'inactive_file', 'mapped_file', 'pgfault'],
	...['pgmajfault', 'pgpgin', 'pgpgout', 'rss', 'rss_huge', 'unevictable', 'writeback'],
];

/** What docker shows of memory.stat (moby, daemon/stats_unix.go). */
const MEMORY_STATS_1: ReadonlySet<string> = new Set([
	...OF_GROUP_1.flatMap((name) => [name, `total_${name}`]),
	...['hierarchical_memory_limit', 'hierarchical_memsw_limit'],
]);
const MEMORY_STATS_2: ReadonlySet<string> = new Set([
	...['anon', 'file', 'kernel_stack', 'slab', 'sock', 'shmem', 'file_mapped', 'file_dirty', 'file_writeback'],
	...['anon_thp', 'inactive_anon', 'active_anon', 'inactive_file', 'active_file', 'unevictable'],
	...['slab_reclaimable', 'slab_unreclaimable', 'pgfault', 'pgmajfault', 'workingset_refault'],
	...['workingset_activate', 'workingset_nodereclaim', 'pgrefill', 'pgscan', 'pgsteal', 'pgactivate'],
	...['pgdeactivate', 'pglazyfree', 'pglazyfreed', 'thp_fault_alloc', 'thp_collapse_alloc'],
]);
