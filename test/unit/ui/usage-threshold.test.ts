import assert from 'node:assert/strict';
import type { UsagePoint } from '../../../src/ui/usage-points';
import { ThresholdWatch } from '../../../src/ui/usage-threshold';

const traffic = { received: 0, sent: 0, read: 0, written: 0 };
const point = (second: number, cpu: number, memory = 0): UsagePoint => ({
	...{ time: second * 1000, cpu, memory, memoryLimit: 200, rates: traffic, totals: traffic, processes: 1 },
});

describe('ThresholdWatch', () => {
	const thresholds = { cpu: 80, memory: 90, samples: 3 };

	it('tells once, after so many samples in a row above the threshold', () => {
		const watch = new ThresholdWatch();
		const told = [90, 90, 10, 90, 90, 90, 95, 95, 95, 95].map((cpu, second) =>
			watch.take('web', point(second, cpu), thresholds),
		);
		assert.deepEqual(told, [[], [], [], [], [], ['cpu'], [], [], [], []]);
	});

	it('tells again when it was below meanwhile, but not within ten minutes', () => {
		const watch = new ThresholdWatch();
		const run = (from: number): string[] =>
			[0, 90, 90, 90].flatMap((cpu, second) => watch.take('web', point(from + second, cpu), thresholds));
		assert.deepEqual([run(0), run(100), run(700)], [['cpu'], [], ['cpu']]);
	});

	it('memory: counts by its own limit, each container for itself; 0 is no threshold', () => {
		const watch = new ThresholdWatch();
		const take = (id: string, memory: number, all = thresholds): string[] =>
			[1, 2, 3].flatMap((second) => watch.take(id, point(second, 100, memory), all));
		assert.deepEqual(
			[take('a', 190), take('b', 170), take('c', 199, { cpu: 0, memory: 0, samples: 3 })],
			[['cpu', 'memory'], ['cpu'], []],
		);
	});
});
