import assert from 'node:assert/strict';
import { PushMeter } from '../../../src/ui/push-meter';

describe('PushMeter', () => {
	it('adds up the layers of a push, those that the registry has included', () => {
		const meter = new PushMeter();
		for (const [id, status] of [
			['a', 'Preparing'],
			['b', 'Preparing'],
			['c', 'Waiting'],
		] as const) {
			meter.add({ id, status });
		}
		meter.add({ status: 'The push refers to repository [localhost:5000/demo/web]' });
		meter.add({ id: 'a', status: 'Pushing', progressDetail: { current: 300, total: 1000 } });
		meter.add({ id: 'b', status: 'Layer already exists' });
		assert.deepEqual(meter.read(), { layers: 3, finishedLayers: 1, bytes: 300, total: 1000 });
		meter.add({ id: 'a', status: 'Pushed' });
		meter.add({ id: 'c', status: 'Mounted from demo/web' });
		assert.deepEqual(meter.read(), { layers: 3, finishedLayers: 3, bytes: 1000, total: 1000 });
	});

	it('a layer that turns out larger than it was said to be is never more than whole', () => {
		const meter = new PushMeter();
		meter.add({ id: 'a', status: 'Pushing', progressDetail: { current: 1200, total: 1000 } });
		assert.deepEqual(meter.read(), { layers: 1, finishedLayers: 0, bytes: 1200, total: 1200 });
	});
});
