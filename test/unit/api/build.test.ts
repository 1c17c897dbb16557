import * as assert from 'node:assert/strict';
import { isOlderBuild } from '../../../src/api/build';

describe('builds', () => {
	// semver 2.0, 11
	const order = [
		'0.9.9',
		'0.10.0',
		'1.0.0-alpha',
		'1.0.0-alpha.1',
		'1.0.0-alpha.beta',
		'1.0.0-beta.2',
		'1.0.0-beta.11',
		'1.0.0-rc.1',
		'1.0.0',
		'1.0.1',
		'1.10.0',
	];
	for (const [index, version] of order.entries()) {
		it(`${version}: is older than all that follow, and not than itself`, () => {
			const older = order.map((other) => isOlderBuild({ version, time: 1 }, { version: other, time: 1 }));
			assert.deepEqual(
				older,
				order.map((_, at) => at > index),
			);
		});
	}

	it('one version: the build time decides', () => {
		assert.equal(isOlderBuild({ version: '1.0.0', time: 1 }, { version: '1.0.0', time: 2 }), true);
		assert.equal(isOlderBuild({ version: '1.0.1', time: 1 }, { version: '1.0.0', time: 2 }), false);
		assert.equal(isOlderBuild({ version: '1.0.0+a', time: 1 }, { version: '1.0.0+b', time: 1 }), false);
	});
});
