import assert from 'node:assert/strict';
import type { StatsJson } from '../../../src/api/types';
import {
	appendPoint,
	columnsOf,
	MOST_POINTS,
	thinned,
	UsageMeter,
	type UsagePoint,
} from '../../../src/ui/usage-points';

/** A sample `seconds` after the first, with counters that grow by the same every second. */
function sample(seconds: number, counters = seconds): StatsJson {
	const cpu = (own: number, system: number): StatsJson['cpu_stats'] => ({
		cpu_usage: { total_usage: own, usage_in_kernelmode: 0, usage_in_usermode: 0 },
		system_cpu_usage: system,
		online_cpus: 2,
		throttling_data: { periods: 0, throttled_periods: 0, throttled_time: 0 },
	});
	return {
		read: new Date(Date.UTC(2026, 10, 26) + seconds * 1000).toISOString(),
		preread: '0001-01-01T00:00:00Z',
		pids_stats: { current: 3 },
		blkio_stats: {
			io_service_bytes_recursive: [
				{ op: 'read', value: counters * 10 },
				{ op: 'Write', value: counters * 20 },
			],
		},
		num_procs: 0,
		storage_stats: {},
		cpu_stats: cpu(counters * 5e8, counters * 2e9),
		precpu_stats: cpu(0, 0),
		memory_stats: { usage: 5000, stats: { inactive_file: 1000 }, limit: 64_000 },
		name: '/web',
		id: 'abc',
		networks: { eth0: { rx_bytes: counters * 100, tx_bytes: counters * 50 } },
	};
}

const point = (time: number): UsagePoint => ({
	time,
	cpu: time / 1000,
	memory: 0,
	memoryLimit: 0,
	rates: { received: 0, sent: 0, read: 0, written: 0 },
	totals: { received: 0, sent: 0, read: 0, written: 0 },
	processes: 1,
});

describe('UsageMeter', () => {
	it('take: needs two samples; counts per second, and percent of one processor', () => {
		const meter = new UsageMeter();
		assert.equal(meter.take(sample(1)), undefined);
		assert.deepEqual(meter.take(sample(3)), {
			time: Date.UTC(2026, 10, 26) + 3000,
			cpu: 50,
			memory: 4000,
			memoryLimit: 64_000,
			rates: { received: 100, sent: 50, read: 10, written: 20 },
			totals: { received: 300, sent: 150, read: 30, written: 60 },
			processes: 3,
		});
	});

	it('take: counters that began anew are no traffic backwards', () => {
		const meter = new UsageMeter();
		meter.take(sample(10));
		assert.deepEqual(meter.take(sample(12, 1))?.rates, { received: 50, sent: 25, read: 5, written: 10 });
	});

	it('take: a container that does not run gives nothing, and the next sample is a first one', () => {
		const meter = new UsageMeter();
		meter.take(sample(1));
		assert.equal(meter.take({ ...sample(2), read: '0001-01-01T00:00:00Z' }), undefined);
		assert.equal(meter.take(sample(3)), undefined);
		assert.notEqual(meter.take(sample(4)), undefined);
	});

	it('take: the same sample twice is one', () => {
		const meter = new UsageMeter();
		meter.take(sample(1));
		meter.take(sample(2));
		assert.equal(meter.take(sample(2)), undefined);
	});
});

describe('points of usage', () => {
	it('appendPoint: keeps the last hour', () => {
		const points: UsagePoint[] = [];
		for (let second = 0; second < MOST_POINTS + 5; second++) {
			appendPoint(points, point(second * 1000));
		}
		assert.deepEqual([points.length, points[0]?.time], [MOST_POINTS, 5000]);
	});

	it('columnsOf: leaves out what is too old, and tells a gap from a line', () => {
		const points = [1000, 2000, 3000, 13_000].map(point);
		assert.deepEqual(columnsOf(points, 2000, [(each) => each.cpu, () => null]), {
			times: [2000, 3000, 8000, 13_000],
			lines: [
				[2, 3, null, 13],
				[null, null, null, null],
			],
			chosen: [1, 2, null, 3],
		});
	});

	it('thinned: the newest first, and not more than people read', () => {
		const points = [1, 2, 3, 4, 5, 6, 7].map(point);
		assert.deepEqual(
			thinned(points, 3).map(({ time }) => time),
			[7, 4, 1],
		);
		assert.equal(thinned(points, 10).length, 7);
	});
});
