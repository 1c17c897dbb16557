import * as assert from 'node:assert/strict';
import type { CpuStatsJson, StatsJson } from '../../../src/api/types';
import { statsFields } from '../../../src/cli/stats';

function cpu(total: number, system: number): CpuStatsJson {
	return {
		cpu_usage: { total_usage: total, usage_in_kernelmode: 0, usage_in_usermode: 0 },
		system_cpu_usage: system,
		online_cpus: 2,
		throttling_data: { periods: 0, throttled_periods: 0, throttled_time: 0 },
	};
}

const SAMPLE: StatsJson = {
	read: '2026-01-01T00:00:01Z',
	preread: '2026-01-01T00:00:00Z',
	pids_stats: { current: 3 },
	blkio_stats: {
		io_service_bytes_recursive: [
			{ major: 8, minor: 0, op: 'Read', value: 4096 },
			{ major: 8, minor: 0, op: 'write', value: 1_500_000 },
			{ major: 8, minor: 0, op: 'Total', value: 9 },
		],
	},
	num_procs: 0,
	storage_stats: {},
	cpu_stats: cpu(1_500_000_000, 12_000_000_000),
	precpu_stats: cpu(1_000_000_000, 10_000_000_000),
	memory_stats: { usage: 1_048_576, limit: 52_428_800, stats: { total_inactive_file: 262_144 } },
	name: '/web',
	id: 'a'.repeat(64),
	networks: { eth0: { rx_bytes: 1000, tx_bytes: 20 }, eth1: { rx_bytes: 1, tx_bytes: 0 } },
};

describe('stats', () => {
	it("a row: has docker's numbers and units", () => {
		assert.deepEqual(statsFields('web', SAMPLE, false), {
			BlockIO: '4.1kB / 1.5MB',
			CPUPerc: '50.00%',
			Container: 'web',
			ID: 'aaaaaaaaaaaa',
			MemPerc: '1.50%',
			MemUsage: '768KiB / 50MiB',
			Name: 'web',
			NetIO: '1kB / 20B',
			PIDs: '3',
		});
	});

	it('a container that does not run: has zeros', () => {
		const zero: CpuStatsJson = {
			cpu_usage: { total_usage: 0, usage_in_kernelmode: 0, usage_in_usermode: 0 },
			throttling_data: { periods: 0, throttled_periods: 0, throttled_time: 0 },
		};
		const row = statsFields(
			'web',
			{
				...{ read: SAMPLE.read, preread: SAMPLE.preread, num_procs: 0, storage_stats: {} },
				...{ name: SAMPLE.name, id: SAMPLE.id, cpu_stats: zero, precpu_stats: zero },
				...{ pids_stats: {}, memory_stats: {}, blkio_stats: { io_service_bytes_recursive: null } },
			},
			true,
		);
		assert.deepEqual(
			[row['CPUPerc'], row['MemUsage'], row['MemPerc'], row['NetIO'], row['BlockIO'], row['PIDs'], row['ID']],
			['0.00%', '0B / 0B', '0.00%', '0B / 0B', '0B / 0B', '0', 'a'.repeat(64)],
		);
	});
});
