import * as assert from 'node:assert/strict';
import { machineWarnings } from '../../../src/core/container/warnings';
import type { ContainerConfig } from '../../../src/core/types';

describe('warnings of a machine', () => {
	const warnings = (memory: number, mode: string, hasCgroups: boolean, bridgeWarning: string) => {
		const resources = { cpu: 0, memory, pids: 0 };
		const network = { mode } as ContainerConfig['network'];
		return machineWarnings({ resources, network }, { hasCgroups, bridgeWarning });
	};

	it('limits: only when one is asked for and none can be had', () => {
		assert.deepEqual(warnings(0, 'none', false, ''), []);
		assert.deepEqual(warnings(9, 'none', true, ''), []);
		assert.match(warnings(9, 'none', false, '')[0] ?? '', /^Limitation discarded\. .* belong to root/);
	});

	it('bridge networks: only on one', () => {
		assert.deepEqual(warnings(0, 'host', true, 'no way out'), []);
		assert.deepEqual(warnings(0, 'bridge', true, 'no way out'), ['no way out']);
	});
});
