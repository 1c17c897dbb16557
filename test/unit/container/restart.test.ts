import * as assert from 'node:assert/strict';
import { isToRestart, isToStartAtBoot, lengthOfRun, parseRestartPolicy } from '../../../src/core/container/restart';
import type { Container, RestartPolicy } from '../../../src/core/types';
import { container } from '../api/records';

function withPolicy(name: string, changes: Partial<Container> = {}, maxRetries = 0): Container {
	const policy = parseRestartPolicy(name, maxRetries);
	const plain = container({ status: 'exited', started_at: '2026-01-01T00:00:00Z', ...changes });
	return policy === undefined ? plain : { ...plain, config: { ...plain.config, restart_policy: policy } };
}

describe('restart policy', () => {
	it('parse: gives docker\'s policies, and none for "no" and ""', () => {
		const parsed: (RestartPolicy | undefined)[] = [
			parseRestartPolicy('', 0),
			parseRestartPolicy('no', 0),
			parseRestartPolicy('always', 0),
			parseRestartPolicy('on-failure', 3),
		];
		assert.deepEqual(parsed, [
			undefined,
			undefined,
			{ name: 'always', max_retries: 0 },
			{ name: 'on-failure', max_retries: 3 },
		]);
		assert.throws(() => parseRestartPolicy('no', 1), /cannot be used with restart policy 'no'/);
	});

	it('after an exit: the policy, the exit code, the count and the person decide', () => {
		const cases: [Container, number, boolean][] = [
			[withPolicy('no'), 1, false],
			[withPolicy('always'), 0, true],
			[withPolicy('always', { manual_stop: true }), 0, false],
			[withPolicy('unless-stopped', { manual_stop: true }), 1, false],
			[withPolicy('on-failure'), 0, false],
			[withPolicy('on-failure', { restart_count: 99 }), 1, true],
			[withPolicy('on-failure', { restart_count: 1 }, 2), 1, true],
			[withPolicy('on-failure', { restart_count: 2 }, 2), 1, false],
		];
		for (const [container, exitCode, expected] of cases) {
			assert.equal(isToRestart(container, exitCode), expected, JSON.stringify(container));
		}
	});

	it('after a boot: "always" starts also what was stopped, "unless-stopped" does not, "on-failure" never', () => {
		const cases: [Container, boolean][] = [
			[withPolicy('always', { manual_stop: true }), true],
			[withPolicy('always', { started_at: '', status: 'created' }), false],
			[withPolicy('unless-stopped'), true],
			[withPolicy('unless-stopped', { manual_stop: true }), false],
			[withPolicy('on-failure', { exit_code: 1 }), false],
			[withPolicy('no'), false],
		];
		for (const [container, expected] of cases) {
			assert.equal(isToStartAtBoot(container), expected, JSON.stringify(container));
		}
	});

	it('length of a run: is never negative, whatever the clock did', () => {
		const run = { started_at: '2026-01-01T00:00:10Z', finished_at: '2026-01-01T00:00:22Z' };
		assert.equal(lengthOfRun(container(run)), 12_000);
		assert.equal(lengthOfRun(container({ ...run, finished_at: '2026-01-01T00:00:00Z' })), 0);
		assert.equal(lengthOfRun(container({ ...run, finished_at: '' })), 0);
	});
});
