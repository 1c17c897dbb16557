import * as assert from 'node:assert/strict';
import type { CreateExecBody } from '../../src/api/types';
import { expected } from './differences';
import { collect, launch, refused, remove } from './run';
import { ask, type Subject } from './subject';
import { until, within } from './workspace';

/** A container that waits, and goes at once when it is removed. */
const IDLE = ['sh', '-c', 'trap "exit 0" TERM; while :; do sleep 0.1; done'];

interface Result {
	readonly id: string;
	readonly exitCode: number | null;
	readonly stdout: string;
	readonly stderr: string;
}

/** Runs a program in a container to its end. */
export async function exec(subject: Subject, container: string, body: CreateExecBody, input?: string): Promise<Result> {
	const { execs } = subject.client;
	const id = await execs.create(container, { AttachStdout: true, AttachStderr: true, ...body });
	const session = await execs.start(id, { tty: body.Tty ?? false });
	const output = collect(session.output);
	if (input !== undefined) {
		await session.write(Buffer.from(input));
		session.end();
	}
	const result = await within('the exec', 20_000, output);
	return { id, exitCode: (await execs.inspect(id)).ExitCode, ...result };
}

/** What an engine does with further processes in a running container. */
export function execCases(subjectOf: () => Subject): void {
	describe('exec', () => {
		let container: string;

		beforeEach(async () => {
			container = await launch(subjectOf(), { Cmd: IDLE, Env: ['OWN=container', 'KEPT=yes'] });
		});

		processCases(subjectOf, () => container);
		failureCases(subjectOf, () => container);
		lifeCases(subjectOf, () => container);
	});
}

function processCases(subjectOf: () => Subject, containerOf: () => string): void {
	const script = async (text: string, body: Partial<CreateExecBody> = {}): Promise<Result> =>
		exec(subjectOf(), containerOf(), { Cmd: ['sh', '-c', text], ...body });

	it('output and exit code: both streams are kept apart, and the code is known when they end', async () => {
		const result = await script('echo out; echo err >&2; printf end; exit 7');
		assert.deepEqual([result.exitCode, result.stdout, result.stderr], [7, 'out\nend', 'err\n']);
	});

	it('exit code 255: is the one of the command', async () => {
		assert.equal((await script('exit 255')).exitCode, 255);
	});

	it('a signal: is 128 and its number', async () => {
		assert.equal((await script('kill -9 $$')).exitCode, 137);
	});

	it('input: arrives, and its end is the end of file', async () => {
		const result = await exec(subjectOf(), containerOf(), { Cmd: ['cat'], AttachStdin: true }, 'one\ntwo\n');
		assert.deepEqual([result.exitCode, result.stdout], [0, 'one\ntwo\n']);
	});

	it('no input attached: the command reads end of file at once', async () => {
		assert.equal((await script('cat; echo over')).stdout, 'over\n');
	});

	it('big output: nothing is cut off', async () => {
		const result = await script('seq 1 100000');
		assert.ok(result.stdout === Array.from({ length: 100_000 }, (_, index) => `${index + 1}\n`).join(''));
	});

	it("environment: the container's, with what is given replaced and added", async () => {
		const result = await script('echo $OWN $KEPT $MORE $HOME $HOSTNAME $TERM', { Env: ['OWN=exec', 'MORE=1'] });
		assert.equal(result.stdout, `exec yes 1 /root ${containerOf().slice(0, 12)}\n`);
	});

	it('environment of the engine: stays out', async () => {
		const names = (await script('env')).stdout.split('\n').flatMap((line) => line.split('=')[0] || []);
		assert.deepEqual(names.filter((name) => !['_', 'PWD', 'SHLVL'].includes(name)).sort(), [
			...['HOME', 'HOSTNAME', 'KEPT', 'OWN', 'PATH'],
		]);
	});

	it('files of the engine: are not open in it', async () => {
		assert.equal((await script('ls /proc/self/fd | sort -n | tr "\\n" " "')).stdout, '0 1 2 3 ');
	});

	it('user: by name with its groups and home, and by number', async () => {
		const named = await script('id; echo $HOME', { User: 'demo' });
		assert.equal(named.stdout, 'uid=1000(demo) gid=1000(demo) groups=44(extra),1000(demo)\n/home/demo\n');
		assert.match((await script('id', { User: '1234:5678' })).stdout, /^uid=1234 gid=5678/);
	});

	it('working folder: as given', async () => {
		assert.equal((await script('pwd', { WorkingDir: '/etc' })).stdout, '/etc\n');
	});

	it("capabilities: the container's", async () => {
		assert.match((await script('grep CapEff /proc/self/status')).stdout, /a80425fb$/m);
	});

	it('privileged: has more capabilities', async () => {
		if (expected('privilegedOnSmallMachine', subjectOf().name) === 'refused') {
			return;
		}
		const { stdout } = await script('grep CapEff /proc/self/status', { Privileged: true });
		assert.ok(BigInt(`0x${stdout.split('\t')[1]?.trim() ?? ''}`) > 0xa80425fbn);
	});

	it('the command line: is shown by inspect, and the container shows the exec while it runs', async () => {
		const subject = subjectOf();
		const { execs } = subject.client;
		const id = await execs.create(containerOf(), { Cmd: ['sleep', '50'], User: 'demo', Tty: false });
		await execs.startDetached(id);
		const { Pid, ...running } = await execs.inspect(id);
		assert.deepEqual(running, {
			ID: id,
			Running: true,
			ExitCode: null,
			ProcessConfig: { tty: false, entrypoint: 'sleep', arguments: ['50'], privileged: false, user: 'demo' },
			OpenStdin: false,
			OpenStderr: false,
			OpenStdout: false,
			CanRemove: false,
			ContainerID: containerOf(),
			DetachKeys: '',
		});
		assert.ok(Pid > 0);
		const { body } = await ask(subject, 'GET', `/containers/${containerOf()}/json`);
		const { ExecIDs } = JSON.parse(body.toString()) as {
			ExecIDs: unknown;
		};
		assert.deepEqual(ExecIDs, [id]);
	});
}

function failureCases(subjectOf: () => Subject, containerOf: () => string): void {
	const cases = [
		['a name that is not on PATH', ['nosuch'], /exec: "nosuch": executable file not found in \$PATH/, true],
		['a path that is not there', ['/no/such'], /exec: "\/no\/such": stat \/no\/such: no such file/, true],
		['a folder', ['/etc'], /exec: "\/etc": permission denied/, false],
		['a file that is not executable', ['/etc/not-executable'], /permission denied/, false],
	] as const;
	for (const [what, command, message, isMissing] of cases) {
		it(`${what}: the reason is told in the output, and the exit code says which kind it is`, async () => {
			const result = await exec(subjectOf(), containerOf(), { Cmd: command });
			assert.match(result.stdout, message);
			assert.match(result.stdout, /^OCI runtime exec failed: .*\r\n$/);
			assert.equal(result.stderr, '');
			assert.equal(result.exitCode, isMissing ? expected('execOfMissingCommand', subjectOf().name) : 126);
		});

		it(`${what}, detached: is refused`, async () => {
			const { execs } = subjectOf().client;
			const id = await execs.create(containerOf(), { Cmd: command });
			await refused(execs.startDetached(id), 400, message);
		});
	}

	it('no command: is refused', async () => {
		await refused(subjectOf().client.execs.create(containerOf(), { Cmd: [] }), 400, 'No exec command specified');
	});

	it('an unknown user: is refused', async () => {
		const { execs } = subjectOf().client;
		const id = await execs.create(containerOf(), { Cmd: ['true'], User: 'nosuchuser' });
		await assert.rejects(execs.startDetached(id), /unable to find user nosuchuser: no matching entries in passwd/);
	});

	it('unknown detach keys: are refused', async () => {
		await assert.rejects(
			subjectOf().client.execs.create(containerOf(), { Cmd: ['true'], DetachKeys: 'ctrl-1' }),
			/Invalid escape keys \(ctrl-1\) provided/,
		);
	});

	it('a missing container and a missing exec: are named', async () => {
		const { execs } = subjectOf().client;
		await refused(execs.create('nosuch', { Cmd: ['true'] }), 404, 'No such container: nosuch');
		await refused(execs.inspect('nosuch'), 404, 'No such exec instance: nosuch');
		await refused(execs.startDetached('nosuch'), 404, 'No such exec instance: nosuch');
	});

	it('a container that does not run: is refused', async () => {
		const subject = subjectOf();
		await subject.client.containers.stop(containerOf());
		const text = `Container ${containerOf()} is not running`;
		await refused(subject.client.execs.create(containerOf(), { Cmd: ['true'] }), 409, text);
	});

	it('a second start: is refused', async () => {
		const { execs } = subjectOf().client;
		const id = await execs.create(containerOf(), { Cmd: ['sleep', '50'] });
		await execs.startDetached(id);
		await refused(execs.startDetached(id), 409, `Error: Exec command ${id} is already running`);
		const over = await exec(subjectOf(), containerOf(), { Cmd: ['true'] });
		await refused(execs.startDetached(over.id), 409, `Error: Exec command ${over.id} has already run`);
	});
}

function lifeCases(subjectOf: () => Subject, containerOf: () => string): void {
	it("the container's end: ends what runs in it", async () => {
		const subject = subjectOf();
		const id = await subject.client.execs.create(containerOf(), { Cmd: ['sleep', '50'], AttachStdout: true });
		const session = await subject.client.execs.start(id, { tty: false });
		const output = collect(session.output);
		await subject.client.containers.kill(containerOf());
		await within('the end of the exec', 10_000, output);
		await refused(subject.client.execs.create(containerOf(), { Cmd: ['true'] }), 409, /is not running/);
	});

	it('after a restart: a new exec works', async () => {
		const subject = subjectOf();
		await subject.client.containers.restart(containerOf());
		assert.equal((await exec(subject, containerOf(), { Cmd: ['echo', 'again'] })).stdout, 'again\n');
	});

	it('a client that leaves: does not end the command', async () => {
		const subject = subjectOf();
		const text = 'sleep 0.3; echo still here; touch /tmp/done';
		const id = await subject.client.execs.create(containerOf(), { Cmd: ['sh', '-c', text], AttachStdout: true });
		const session = await subject.client.execs.start(id, { tty: false });
		session.close();
		const isDone = async (): Promise<boolean> =>
			(await exec(subject, containerOf(), { Cmd: ['ls', '/tmp'] })).stdout === 'done\n';
		await until('the command has done its work', isDone);
	});

	it('events: create, start and die, with the command', async () => {
		const subject = subjectOf();
		const since = String(Date.now() / 1000);
		const { id } = await exec(subject, containerOf(), { Cmd: ['sh', '-c', 'exit 3'] });
		const seen: [string, string | undefined, string | undefined][] = [];
		const until = String(Date.now() / 1000 + 0.3);
		for await (const event of subject.client.events({ since, until, filters: { container: [containerOf()] } })) {
			seen.push([event.Action, event.Actor.Attributes?.['execID'], event.Actor.Attributes?.['exitCode']]);
		}
		assert.deepEqual(seen, [
			['exec_create: sh -c exit 3', id, undefined],
			['exec_start: sh -c exit 3', id, undefined],
			['exec_die', id, '3'],
		]);
	});

	it('over a plain answer, as dockerode asks: the output ends with the connection', async () => {
		const subject = subjectOf();
		const id = await subject.client.execs.create(containerOf(), { Cmd: ['echo', 'plain'], AttachStdout: true });
		const answer = await ask(subject, 'POST', `/exec/${id}/start`, { Detach: false, Tty: false });
		assert.equal(answer.status, 200);
		assert.match(answer.body.toString(), /plain\n$/);
		await remove(subject, containerOf());
	});
}
