import * as assert from 'node:assert/strict';
import type { ContainerInspect, RestartPolicyJson } from '../../src/api/types';
import { bodyOf, create, launch, logsOf, refused, remove, type Body } from './run';
import type { Subject } from './subject';
import { endProcess, until } from './workspace';

/** Restart policies: docker's rules, delays and words. */
export function restartPolicyCases(subjectOf: () => Subject): void {
	describe('restart policy', () => {
		describe('refusals', () => {
			refusalCases(subjectOf);
		});
		describe('after an exit', () => {
			exitCases(subjectOf);
		});
		describe('while it waits', () => {
			waitingCases(subjectOf);
		});
	});
}

function withPolicy(Name: string, script: string, MaximumRetryCount = 0): Body {
	return { Cmd: ['sh', '-c', script], HostConfig: { RestartPolicy: { Name, MaximumRetryCount } } };
}

async function stateUntil(
	subject: Subject,
	id: string,
	what: string,
	condition: (container: ContainerInspect) => boolean,
): Promise<ContainerInspect> {
	return until(`the container ${what}`, async () => {
		const container = await subject.client.containers.inspect(id);
		return condition(container) ? container : undefined;
	});
}

function refusalCases(subjectOf: () => Subject): void {
	const refusals: [string, RestartPolicyJson, boolean, string][] = [
		['an unknown policy', { Name: 'sometimes', MaximumRetryCount: 0 }, false, "invalid restart policy 'sometimes'"],
		[
			'a negative count',
			{ Name: 'on-failure', MaximumRetryCount: -1 },
			false,
			'maximum retry count cannot be negative',
		],
		[
			'a count with "always"',
			{ Name: 'always', MaximumRetryCount: 3 },
			false,
			"maximum retry count cannot be used with restart policy 'always'",
		],
		[
			'a policy with auto-remove',
			{ Name: 'always', MaximumRetryCount: 0 },
			true,
			"can't create 'AutoRemove' container with restart policy",
		],
	];
	for (const [what, RestartPolicy, AutoRemove, message] of refusals) {
		it(`${what}: is refused with docker's words`, async () => {
			const subject = subjectOf();
			const body = bodyOf(subject, { Cmd: ['true'], HostConfig: { RestartPolicy, AutoRemove } });
			await refused(subject.client.containers.create(body), 400, message);
		});
	}

	it('inspect: shows the policy, "no" when there is none', async () => {
		const subject = subjectOf();
		const policies: RestartPolicyJson[] = [
			{ Name: 'no', MaximumRetryCount: 0 },
			{ Name: 'unless-stopped', MaximumRetryCount: 0 },
			{ Name: 'on-failure', MaximumRetryCount: 4 },
		];
		for (const RestartPolicy of policies) {
			const id = await create(subject, { Cmd: ['true'], HostConfig: { RestartPolicy } });
			const { HostConfig } = await subject.client.containers.inspect(id);
			assert.deepEqual(HostConfig.RestartPolicy, RestartPolicy);
			await remove(subject, id);
		}
	});
}

function exitCases(subjectOf: () => Subject): void {
	it('on-failure:2 and exit 3: it runs three times and stays exited, with one log of all runs', async () => {
		const subject = subjectOf();
		const id = await launch(subject, withPolicy('on-failure', 'echo run; exit 3', 2));
		const container = await stateUntil(
			...([subject, id, 'stays down'] as const),
			({ State, RestartCount }) => State.Status === 'exited' && RestartCount === 2,
		);
		assert.deepEqual(
			[container.State.ExitCode, container.State.Running, container.State.Restarting],
			[3, false, false],
		);
		assert.equal((await logsOf(subject, id)).stdout, 'run\nrun\nrun\n');
		await remove(subject, id);
	});

	it('on-failure and exit 0: it is not restarted', async () => {
		const subject = subjectOf();
		const id = await launch(subject, withPolicy('on-failure', 'exit 0'));
		const { RestartCount } = await stateUntil(subject, id, 'ends', ({ State }) => State.Status === 'exited');
		assert.equal(RestartCount, 0);
		await remove(subject, id);
	});

	for (const policy of ['always', 'unless-stopped']) {
		it(`${policy}, killed from outside: it is started again`, async () => {
			const subject = subjectOf();
			const id = await launch(subject, withPolicy(policy, 'sleep 100'));
			const before = await subject.client.containers.inspect(id);
			await endProcess(before.State.Pid, 'SIGKILL');
			const after = await stateUntil(
				...([subject, id, 'runs again'] as const),
				({ State }) => State.Running && State.Pid > 0 && State.Pid !== before.State.Pid,
			);
			assert.deepEqual([after.RestartCount, after.State.ExitCode], [1, 0]);
			assert.ok(after.State.StartedAt > before.State.StartedAt, 'a later start');
			await remove(subject, id);
		});

		it(`${policy}, stopped or killed by a person: it stays down until it is started`, async () => {
			const subject = subjectOf();
			const id = await launch(subject, withPolicy(policy, 'sleep 100'));
			await subject.client.containers.stop(id, { timeout: 0 });
			assert.equal((await subject.client.containers.inspect(id)).State.Status, 'exited');
			await subject.client.containers.start(id);
			await subject.client.containers.kill(id);
			const { State, RestartCount } = await subject.client.containers.inspect(id);
			assert.deepEqual([State.Status, State.ExitCode, RestartCount], ['exited', 137, 0]);
			await remove(subject, id);
		});
	}

	it('a start by a person: counts anew', async () => {
		const subject = subjectOf();
		const id = await launch(subject, withPolicy('on-failure', 'exit 1', 1));
		await stateUntil(
			...([subject, id, 'stays down'] as const),
			({ State, RestartCount }) => State.Status === 'exited' && RestartCount === 1,
		);
		await subject.client.containers.start(id);
		const { RestartCount } = await subject.client.containers.inspect(id);
		assert.ok(RestartCount <= 1, `${RestartCount} is a new count`);
		await stateUntil(subject, id, 'stays down again', ({ State }) => State.Status === 'exited');
		await remove(subject, id);
	});

	it('the wait between restarts: grows', async () => {
		const subject = subjectOf();
		const id = await launch(subject, withPolicy('on-failure', 'date +%s.%N >/dev/null; exit 1', 4));
		const began = Date.now();
		await stateUntil(
			...([subject, id, 'has used up its tries'] as const),
			({ State, RestartCount }) => State.Status === 'exited' && RestartCount === 4,
		);
		// 100 + 200 + 400 + 800 ms
		assert.ok(Date.now() - began >= 1450, `${Date.now() - began} ms`);
		await remove(subject, id);
	});
}

/** A container that fails at once: after some restarts it is nearly always waiting for the next one. */
async function launchFailing(subject: Subject): Promise<string> {
	const id = await launch(subject, withPolicy('always', 'exit 7'));
	await stateUntil(
		...([subject, id, 'waits for its next start'] as const),
		({ State, RestartCount }) => State.Status === 'restarting' && RestartCount >= 4,
	);
	return id;
}

function waitingCases(subjectOf: () => Subject): void {
	it('inspect and list: show it as restarting', async () => {
		const subject = subjectOf();
		const id = await launchFailing(subject);
		const { State } = await subject.client.containers.inspect(id);
		assert.deepEqual(
			[State.Status, State.Running, State.Restarting, State.Pid, State.ExitCode],
			['restarting', true, true, 0, 7],
		);
		const [row] = await subject.client.containers.list({ filters: { status: ['restarting'] } });
		assert.deepEqual([row?.Id, row?.State], [id, 'restarting']);
		assert.match(row?.Status ?? '', /^Restarting \(7\) .* ago$/);
		await remove(subject, id);
	});

	it('stop: ends it', async () => {
		const subject = subjectOf();
		const id = await launchFailing(subject);
		await subject.client.containers.stop(id);
		const { State, RestartCount } = await subject.client.containers.inspect(id);
		assert.deepEqual([State.Status, State.Running, State.ExitCode], ['exited', false, 7]);
		await new Promise((resolve) => setTimeout(resolve, 2500));
		assert.equal((await subject.client.containers.inspect(id)).RestartCount, RestartCount);
		await remove(subject, id);
	});

	it('kill: ends it', async () => {
		const subject = subjectOf();
		const id = await launchFailing(subject);
		await subject.client.containers.kill(id);
		assert.equal((await subject.client.containers.inspect(id)).State.Status, 'exited');
		await remove(subject, id);
	});

	it('remove: is refused without force, and ends it with force', async () => {
		const subject = subjectOf();
		const id = await launchFailing(subject);
		await refused(
			subject.client.containers.remove(id),
			409,
			`You cannot remove a restarting container ${id}. Stop the container before attempting removal or force remove`,
		);
		await remove(subject, id);
		await refused(subject.client.containers.inspect(id), 404, `No such container: ${id}`);
	});

	it('start: changes nothing', async () => {
		const subject = subjectOf();
		const id = await launchFailing(subject);
		await subject.client.containers.start(id);
		assert.equal((await subject.client.containers.inspect(id)).State.Status, 'restarting');
		await remove(subject, id);
	});

	it('wait: ends with the next exit', async () => {
		const subject = subjectOf();
		const id = await launchFailing(subject);
		const { exit } = await subject.client.containers.wait(id);
		assert.equal(await exit, 7);
		await remove(subject, id);
	});

	it('attach: is refused', async () => {
		const subject = subjectOf();
		const id = await launchFailing(subject);
		await refused(
			subject.client.containers.attach(id, { stdout: true }).then((attached) => {
				attached.close();
			}),
			409,
			`container ${id} is restarting, wait until the container is running`,
		);
		await remove(subject, id);
	});
}
