import * as assert from 'node:assert/strict';
import {
	afterCheck,
	healthCommand,
	healthConfig,
	type Health,
	type HealthCheck,
} from '../../../src/core/container/health';

const OWN = { test: ['CMD', 'true'], interval: 5_000_000, timeout: 0, start_period: 0, retries: 2 };
const IMAGE = { test: ['CMD-SHELL', 'check me'], interval: 1_000_000, timeout: 9_000_000, start_period: 0, retries: 7 };
const STARTED = '2026-01-01T00:00:00Z';

function check(exit_code: number, start = '2026-01-01T00:01:00Z'): HealthCheck {
	return { start, end: start, exit_code, output: '' };
}

describe('health', () => {
	it("the image's check: holds as far as the container says nothing", () => {
		assert.equal(healthConfig(undefined, undefined), undefined);
		assert.deepEqual(healthConfig(undefined, IMAGE), IMAGE);
		assert.deepEqual(healthConfig(OWN, IMAGE), OWN);
		assert.deepEqual(healthConfig({ ...OWN, test: [] }, IMAGE), { ...IMAGE, interval: 5_000_000, retries: 2 });
		assert.equal(healthConfig({ ...OWN, test: [] }, undefined), undefined);
		assert.deepEqual(healthConfig({ ...OWN, test: ['NONE'] }, IMAGE)?.test, ['NONE']);
	});

	it('the command: is the program, or a shell', () => {
		assert.deepEqual(healthCommand(OWN), ['true']);
		assert.deepEqual(healthCommand(IMAGE), ['/bin/sh', '-c', 'check me']);
		assert.equal(healthCommand({ ...OWN, test: ['NONE'] }), undefined);
		assert.equal(healthCommand({ ...OWN, test: ['CMD'] }), undefined);
	});

	it('checks: count failures after the start period, and keep five results', () => {
		let health: Health = { status: 'starting', failing_streak: 0, log: [] };
		const config = { ...OWN, start_period: 30_000_000_000 };
		const next = (result: HealthCheck): Health => {
			health = afterCheck(health, result, { config, startedAt: STARTED });
			return health;
		};
		assert.deepEqual(next(check(1, '2026-01-01T00:00:10Z')).failing_streak, 0);
		assert.deepEqual([next(check(1)).status, health.failing_streak], ['starting', 1]);
		assert.deepEqual([next(check(-1)).status, health.failing_streak], ['unhealthy', 2]);
		assert.deepEqual([next(check(0)).status, health.failing_streak], ['healthy', 0]);
		assert.deepEqual([next(check(1)).status, health.failing_streak], ['healthy', 1]);
		next(check(0));
		assert.deepEqual(
			health.log.map(({ exit_code }) => exit_code),
			[1, -1, 0, 1, 0],
		);
	});
});
