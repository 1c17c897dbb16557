import * as assert from 'node:assert/strict';
import { machineWarnings } from '../../../src/core/container/warnings';
import type { ContainerConfig } from '../../../src/core/types';

describe('warnings of a machine', () => {
	const warnings = (memory: number, mode: string, hasCgroups: boolean, bridgeWarning: string) => {
		const resources = { cpu: 0, memory, pids: 0 };
		const network = { mode } as ContainerConfig['network'];
		return machineWarnings(
			{ resources, network, privileged: false, tty: false },
			{ hasCgroups, bridgeWarning, hasConsoles: true, runtime: 'runc' },
		);
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

	it('the minimal runtime: is told of, unless no filter was wanted', () => {
		const asked = {
			resources: { cpu: 0, memory: 0, pids: 0 },
			network: { mode: 'none' } as ContainerConfig['network'],
			tty: false,
		};
		const machine = { hasCgroups: true, bridgeWarning: '', hasConsoles: true, runtime: 'minimal' } as const;
		assert.match(machineWarnings({ ...asked, privileged: false }, machine).join(), /no seccomp filter/);
		assert.deepEqual(machineWarnings({ ...asked, privileged: true }, machine), []);
	});

	it('crun without perl: is told of where the container has a terminal, whose end it may lose', () => {
		const resources = { cpu: 0, memory: 0, pids: 0 };
		const network = { mode: 'none' } as ContainerConfig['network'];
		const machine = { hasCgroups: true, bridgeWarning: '', hasConsoles: false, runtime: 'crun' } as const;
		const asked = { resources, network, privileged: false };
		assert.match(machineWarnings({ ...asked, tty: true }, machine).join(), /last output/);
		assert.deepEqual(machineWarnings({ ...asked, tty: false }, machine), []);
		assert.deepEqual(machineWarnings({ ...asked, tty: true }, { ...machine, hasConsoles: true }), []);
	});
});
