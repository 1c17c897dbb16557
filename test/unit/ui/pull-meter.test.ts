import assert from 'node:assert/strict';
import { PullMeter } from '../../../src/ui/pull-meter';

describe('pull meter', () => {
	const downloading = (id: string, current: number, total: number) => ({
		id,
		status: 'Downloading',
		progressDetail: { current, total },
	});

	it('lines that are not about a layer: count nothing', () => {
		const meter = new PullMeter();
		meter.add({ id: 'latest', status: 'Pulling from library/nginx' }, 0);
		meter.add({ status: 'Digest: sha256:00' }, 0);
		assert.deepEqual(meter.read(0), {
			layers: 0,
			finishedLayers: 0,
			bytes: 0,
			total: 0,
			rate: 0,
			isUnpacking: false,
			fraction: 0,
		});
	});

	it('downloads: add up bytes, totals and the rate of the last seconds', () => {
		const meter = new PullMeter();
		meter.add({ id: 'aaa', status: 'Pulling fs layer' }, 0);
		meter.add({ id: 'bbb', status: 'Already exists' }, 0);
		meter.add(downloading('aaa', 0, 1000), 0);
		meter.add(downloading('aaa', 500, 1000), 1000);
		assert.deepEqual(meter.read(1000), {
			layers: 2,
			finishedLayers: 1,
			bytes: 500,
			total: 1000,
			rate: 500,
			isUnpacking: false,
			fraction: (0.7 * 0.5 + 1) / 2,
		});
		meter.add(downloading('aaa', 600, 1000), 9000);
		meter.add(downloading('aaa', 700, 1000), 10_000);
		assert.equal(meter.read(10_000).rate, 100);
	});

	it('unpacking: is told when nothing is left to download', () => {
		const meter = new PullMeter();
		meter.add(downloading('aaa', 10, 10), 0);
		meter.add(downloading('bbb', 5, 10), 0);
		meter.add({ id: 'aaa', status: 'Extracting', progressDetail: { current: 5, total: 10 } }, 1);
		assert.equal(meter.read(1).isUnpacking, false);
		meter.add({ id: 'bbb', status: 'Download complete' }, 2);
		assert.equal(meter.read(2).isUnpacking, true);
	});

	it('fraction: never falls, and ends at one', () => {
		const meter = new PullMeter();
		meter.add({ id: 'aaa', status: 'Pull complete' }, 0);
		assert.equal(meter.read(0).fraction, 1);
		meter.add({ id: 'bbb', status: 'Pulling fs layer' }, 1);
		assert.equal(meter.read(1).fraction, 1);
	});
});
