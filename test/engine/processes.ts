import * as assert from 'node:assert/strict';
import { create, launch, logsOf, refused, run } from './run';
import type { Subject } from './subject';
import { delay, until } from './workspace';

const TICKING = ['sh', '-c', 'while :; do echo tick; sleep 0.05; done'];

/** What an engine does with all processes of a container: pause, top, init. */
export function processesCases(subjectOf: () => Subject): void {
	describe('pause', () => {
		pauseCases(subjectOf);
	});
	describe('top', () => {
		topCases(subjectOf);
	});
	describe('init', () => {
		initCases(subjectOf);
	});
}

function pauseCases(subjectOf: () => Subject): void {
	const paused = async (command = TICKING): Promise<string> => {
		const id = await launch(subjectOf(), { Cmd: command });
		await subjectOf().client.containers.pause(id);
		return id;
	};

	it('pause and unpause: nothing runs meanwhile, and the state says so', async () => {
		const subject = subjectOf();
		const id = await paused();
		const { State } = await subject.client.containers.inspect(id);
		assert.deepEqual([State.Status, State.Running, State.Paused], ['paused', true, true]);
		const [row] = await subject.client.containers.list({ filters: { status: ['paused'] } });
		assert.match(row?.Status ?? '', /^Up .*\(Paused\)$/);
		await delay(100);
		const before = (await logsOf(subject, id)).stdout;
		await delay(300);
		assert.equal((await logsOf(subject, id)).stdout, before);
		await subject.client.containers.unpause(id);
		assert.equal((await subject.client.containers.inspect(id)).State.Status, 'running');
		await until('it goes on', async () => (await logsOf(subject, id)).stdout.length > before.length);
	});

	it('in the wrong state: is refused', async () => {
		const { containers, execs } = subjectOf().client;
		const id = await paused();
		await refused(containers.pause(id), 409, `Container ${id} is already paused`);
		await refused(containers.start(id), 409, /cannot start a paused container, try unpause instead/);
		const reason = `Container ${id} is paused, unpause the container before exec`;
		await refused(execs.create(id, { Cmd: ['true'] }), 409, reason);
		await refused(containers.attach(id), 409, `container ${id} is paused, unpause the container before attach`);
		await refused(
			containers.remove(id),
			409,
			`You cannot remove a paused container ${id}. Unpause and then stop the container before attempting removal or force remove`,
		);
		await containers.unpause(id);
		await assert.rejects(containers.unpause(id), new RegExp(`Container ${id} is not paused`));
		await containers.kill(id);
		await refused(containers.pause(id), 409, `Container ${id} is not running`);
		await refused(containers.pause('nosuch'), 404, 'No such container: nosuch');
	});

	it('stop: lets it go on, so that it ends by the signal', async () => {
		const subject = subjectOf();
		const id = await launch(subject, {
			Cmd: ['sh', '-c', 'trap "exit 5" TERM; echo ready; while :; do sleep 0.05; done'],
		});
		await until('the trap is set', async () => (await logsOf(subject, id)).stdout === 'ready\n');
		await subject.client.containers.pause(id);
		await subject.client.containers.stop(id, { timeout: 10 });
		assert.equal((await subject.client.containers.inspect(id)).State.ExitCode, 5);
	});

	it('kill and forced removal: end it', async () => {
		const subject = subjectOf();
		const killed = await paused();
		await subject.client.containers.kill(killed);
		const { State } = await subject.client.containers.inspect(killed);
		assert.deepEqual([State.Status, State.Paused, State.ExitCode], ['exited', false, 137]);
		await subject.client.containers.remove(await paused(), { force: true });
	});

	it('restart: of a paused container works', async () => {
		const subject = subjectOf();
		const id = await paused();
		await subject.client.containers.restart(id, { timeout: 0 });
		assert.equal((await subject.client.containers.inspect(id)).State.Status, 'running');
	});

	it('events: pause and unpause', async () => {
		const subject = subjectOf();
		const since = String(Date.now() / 1000);
		const id = await paused();
		await subject.client.containers.unpause(id);
		const actions: string[] = [];
		const limit = String(Date.now() / 1000 + 0.3);
		for await (const event of subject.client.events({ since, until: limit, filters: { container: [id] } })) {
			actions.push(event.Action);
		}
		assert.deepEqual(actions, ['create', 'start', 'pause', 'unpause']);
	});
}

function topCases(subjectOf: () => Subject): void {
	it("processes: the container's and no others, as ps shows them", async () => {
		const subject = subjectOf();
		const id = await launch(subject, { Cmd: ['sh', '-c', 'sleep 77 & sleep 78  & wait'] });
		await until('all run', async () => ((await subject.client.containers.top(id)).Processes ?? []).length === 3);
		const { Titles, Processes } = await subject.client.containers.top(id);
		assert.deepEqual(Titles, ['UID', 'PID', 'PPID', 'C', 'STIME', 'TTY', 'TIME', 'CMD']);
		assert.deepEqual(Processes?.map((row) => row.at(-1)).sort(), [
			'sh -c sleep 77 & sleep 78 & wait',
			'sleep 77',
			'sleep 78',
		]);
		assert.ok(Processes.every((row) => row.length === Titles.length));
	});

	it('options: are those of ps', async () => {
		const subject = subjectOf();
		const id = await launch(subject, { Cmd: ['sleep', '77'] });
		const { State } = await subject.client.containers.inspect(id);
		assert.deepEqual(await subject.client.containers.top(id, { psArguments: '-o pid,args' }), {
			Titles: ['PID', 'COMMAND'],
			Processes: [[String(State.Pid), 'sleep 77']],
		});
		const all = await subject.client.containers.top(id, { psArguments: 'aux' });
		assert.deepEqual(
			all.Processes?.map((row) => row.at(-1)),
			['sleep 77'],
		);
	});

	it('options without the pid, or with another as the pid: are refused', async () => {
		const { containers } = subjectOf().client;
		const id = await launch(subjectOf(), { Cmd: ['sleep', '77'] });
		await assert.rejects(containers.top(id, { psArguments: '-o args' }), /Couldn't find PID field in ps output/);
		await assert.rejects(
			containers.top(id, { psArguments: '-o ppid=PID' }),
			/specifying "ppid=PID" is not allowed/,
		);
		await assert.rejects(containers.top(id, { psArguments: '--nosuch' }), /unknown gnu long option/);
	});

	it('a container that does not run: is refused', async () => {
		const id = await create(subjectOf(), { Cmd: ['true'] });
		await refused(subjectOf().client.containers.top(id), 409, `Container ${id} is not running`);
	});
}

function initCases(subjectOf: () => Subject): void {
	it('init: is the first process, forwards signals, reaps, and keeps the exit code', async () => {
		const subject = subjectOf();
		const script = 'trap "exit 5" TERM; cat /proc/1/cmdline | tr "\\0" " "; echo; while :; do sleep 0.05; done';
		const id = await launch(subject, { Cmd: ['sh', '-c', script], HostConfig: { Init: true } });
		await until('it speaks', async () => (await logsOf(subject, id)).stdout !== '');
		assert.match((await logsOf(subject, id)).stdout, /^\/sbin\/docker-init -- sh -c /);
		const { HostConfig } = await subject.client.containers.inspect(id);
		assert.equal(HostConfig['Init'], true);
		await subject.client.containers.stop(id);
		assert.equal((await subject.client.containers.inspect(id)).State.ExitCode, 5);
	});

	it('init: reaps what its child leaves behind', async () => {
		const script = 'sh -c "sleep 0.1 &"; sleep 0.4; grep -l "^State:.Z" /proc/[0-9]*/status; echo none';
		const result = await run(subjectOf(), { Cmd: ['sh', '-c', script], HostConfig: { Init: true } });
		assert.equal(result.stdout, 'none\n');
	});

	it('init and a missing command: has the reason in its words', async () => {
		const subject = subjectOf();
		const result = await run(subject, { Cmd: ['nosuch'], HostConfig: { Init: true } });
		assert.equal(result.exitCode, 127);
	});
}
