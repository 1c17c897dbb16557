import assert from 'node:assert/strict';
import { sparkline } from '../../../src/ui/sparkline';

describe('sparkline', () => {
	it('values: from the lowest block to the highest, against the greatest of them', () => {
		assert.equal(sparkline([0, 20, 40, 60, 80, 100], 10), '▁▂▃▅▇▇');
		assert.equal(sparkline([0, 200, 400], 10), '▁▃▇');
	});

	it('little use: looks like little', () => {
		assert.equal(sparkline([0.1, 0.3, 1], 10), '▁▁▁');
		assert.equal(sparkline([], 10), '');
	});
});
