import * as assert from 'node:assert/strict';
import type { ContainerInspect, HealthcheckJson } from '../../src/api/types';
import { bodyOf, create, launch, refused, remove, type Body } from './run';
import type { Subject } from './subject';
import { until } from './workspace';

const MILLISECOND = 1_000_000;
const SECOND = 1_000_000_000;

/** Health checks: docker's states, texts and events. */
export function healthCases(subjectOf: () => Subject): void {
	describe('health', () => {
		it('a check that succeeds: makes the container healthy, in inspect, list, filter and events', async () => {
			const subject = subjectOf();
			const began = Math.floor(Date.now() / 1000);
			const id = await launch(subject, checked({ Test: ['CMD-SHELL', 'echo fine; test -n "$HOME"'] }));
			assert.equal((await subject.client.containers.inspect(id)).State.Health?.Status, 'starting');
			const [starting] = await subject.client.containers.list({ filters: { health: ['starting'] } });
			assert.match(starting?.Status ?? '', / \(health: starting\)$/);
			const { State } = await stateUntil(subject, id, 'healthy');
			const [check] = State.Health?.Log ?? [];
			assert.deepEqual([State.Health?.FailingStreak, check?.ExitCode, check?.Output], [0, 0, 'fine\n']);
			assert.ok(Date.parse(check?.End ?? '') >= Date.parse(check?.Start ?? ''));
			const [row] = await subject.client.containers.list({ filters: { health: ['healthy'] } });
			assert.equal(row?.Id, id);
			assert.match(row.Status, / \(healthy\)$/);
			assert.ok((await actionsSince(subject, id, began)).includes('health_status: healthy'));
			await remove(subject, id);
		});

		it('a check that fails: makes it unhealthy after so many tries, and well again when it succeeds', async () => {
			const subject = subjectOf();
			const id = await launch(subject, checked({ Test: ['CMD', 'cat', '/tmp/well'], Retries: 2 }, LATER_WELL));
			const { State } = await stateUntil(subject, id, 'unhealthy');
			assert.ok((State.Health?.FailingStreak ?? 0) >= 2);
			assert.equal(State.Health?.Log.at(-1)?.ExitCode, 1);
			assert.match(State.Health.Log.at(-1)?.Output ?? '', /can't open '\/tmp\/well'/);
			const well = await stateUntil(subject, id, 'healthy');
			assert.equal(well.State.Health?.FailingStreak, 0);
			assert.ok(well.State.Health.Log.length <= 5, 'at most five checks are kept');
			await remove(subject, id);
		});

		it('a check that takes too long: fails, and is killed', async () => {
			const subject = subjectOf();
			const test = { Test: ['CMD', 'sleep', '98765'], Timeout: SECOND / 2, Retries: 1 };
			const id = await launch(subject, checked(test));
			const { State } = await stateUntil(subject, id, 'unhealthy');
			const last = State.Health?.Log[0];
			assert.deepEqual([last?.ExitCode, last?.Output], [-1, 'Health check exceeded timeout (500ms)']);
			await remove(subject, id);
		});

		it('failures within the start period: do not count', async () => {
			const subject = subjectOf();
			const id = await launch(subject, checked({ Test: ['CMD', 'false'], StartPeriod: 60 * SECOND, Retries: 1 }));
			const { State } = await until('a check has failed', async () => {
				const container = await subject.client.containers.inspect(id);
				return (container.State.Health?.Log.length ?? 0) >= 2 ? container : undefined;
			});
			assert.deepEqual([State.Health?.Status, State.Health?.FailingStreak], ['starting', 0]);
			await remove(subject, id);
		});

		it('the end of the container: ends the checks', async () => {
			const subject = subjectOf();
			const id = await launch(subject, checked({ Test: ['CMD', 'true'] }));
			await stateUntil(subject, id, 'healthy');
			await subject.client.containers.stop(id, { timeout: 0 });
			const { State } = await subject.client.containers.inspect(id);
			assert.equal(State.Health?.Status, 'unhealthy');
			await remove(subject, id);
		});

		it('NONE: is no check', async () => {
			const subject = subjectOf();
			const id = await launch(subject, checked({ Test: ['NONE'] }));
			assert.equal((await subject.client.containers.inspect(id)).State.Health, undefined);
			await remove(subject, id);
		});

		it('inspect: shows the check', async () => {
			const subject = subjectOf();
			const check = { Test: ['CMD', 'true'], Interval: SECOND, Timeout: 2 * SECOND, Retries: 4 };
			const id = await create(subject, { Cmd: ['true'], Healthcheck: check });
			assert.deepEqual((await subject.client.containers.inspect(id)).Config.Healthcheck, check);
			await remove(subject, id);
		});

		it("what makes no sense: is refused with docker's words", async () => {
			const subject = subjectOf();
			const cases: [HealthcheckJson, string][] = [
				[{ Test: ['CMD', 'true'], Interval: 5 }, 'Interval in Healthcheck cannot be less than 1ms'],
				[{ Test: ['CMD', 'true'], Timeout: 5 }, 'Timeout in Healthcheck cannot be less than 1ms'],
				[{ Test: ['CMD', 'true'], StartPeriod: 5 }, 'StartPeriod in Healthcheck cannot be less than 1ms'],
				[{ Test: ['CMD', 'true'], Retries: -1 }, 'Retries in Healthcheck cannot be negative'],
			];
			for (const [Healthcheck, message] of cases) {
				const body = bodyOf(subject, { Cmd: ['true'], Healthcheck });
				await refused(subject.client.containers.create(body), 400, message);
			}
		});
	});
}

const LATER_WELL = 'sleep 3; touch /tmp/well; sleep 100';

function checked(Healthcheck: HealthcheckJson, script = 'sleep 100'): Body {
	return { Cmd: ['sh', '-c', script], Healthcheck: { Interval: 300 * MILLISECOND, ...Healthcheck } };
}

async function stateUntil(subject: Subject, id: string, status: string): Promise<ContainerInspect> {
	return until(`the container is ${status}`, async () => {
		const container = await subject.client.containers.inspect(id);
		return container.State.Health?.Status === status ? container : undefined;
	});
}

async function actionsSince(subject: Subject, id: string, since: number): Promise<string[]> {
	const actions: string[] = [];
	const until = String(Math.ceil(Date.now() / 1000));
	const filters = { container: [id] };
	for await (const { Action } of subject.client.events({ since: String(since), until, filters })) {
		actions.push(Action);
	}
	return actions;
}
