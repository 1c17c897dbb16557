import * as assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { exec } from './exec';
import { create, launch, logsOf, refused, remove, run, shell } from './run';
import { hostFolder, type Subject } from './subject';
import { freePort, until } from './workspace';

/** The part of the contract that holds with every runtime: run, exit codes, signals, stop, logs, exec, volumes, ports. */
export function mainJobCases(subjectOf: () => Subject): void {
	it('run: the exit code and both streams are the program’s', async () => {
		const { exitCode, stdout, stderr } = await shell(subjectOf(), 'echo out; echo err >&2; exit 7');
		assert.deepEqual({ exitCode, stdout, stderr }, { exitCode: 7, stdout: 'out\n', stderr: 'err\n' });
	});

	it('run: environment, user, groups, working folder and name are as asked', async () => {
		const { stdout } = await run(subjectOf(), {
			Cmd: ['sh', '-c', 'echo "$A|$TEXT|$(id -u):$(id -g)|$(id -G)|$(pwd)|$(hostname)|$$"'],
			Env: ['A=1 2', "TEXT=it's\n\\n $x"],
			User: '1000:1000',
			WorkingDir: '/srv/made here',
			Hostname: 'box',
			HostConfig: { GroupAdd: ['7'] },
		});
		assert.equal(stdout, "1 2|it's\n\\n $x|1000:1000|1000 7|/srv/made here|box|1\n");
	});

	it('run: a program that is ended by a signal has 128 and the signal’s number', async () => {
		const { exitCode } = await shell(subjectOf(), 'sh -c "kill -TERM \\$\\$"; echo $?; exec kill -9 1');
		assert.equal(exitCode, 0);
		const id = await launch(subjectOf(), { Cmd: ['sleep', '60'] });
		await subjectOf().client.containers.kill(id);
		assert.equal((await subjectOf().client.containers.inspect(id)).State.ExitCode, 137);
		await remove(subjectOf(), id);
	});

	const unstartable: readonly (readonly [string, string, RegExp, number])[] = [
		['a program that is not there', 'nosuch', /exec: "nosuch": executable file not found in \$PATH/, 127],
		['a path that is not there', '/no/such', /exec: "\/no\/such": .*no such file or directory/, 127],
		['a file that is no program', '/etc/passwd', /exec: "\/etc\/passwd": permission denied/, 126],
		['a folder', '/etc', /exec: "\/etc": (permission denied|is a directory)/, 126],
	];
	for (const [what, program, message, exitCode] of unstartable) {
		it(`run: ${what} is told of, and the exit code is ${exitCode}`, async () => {
			const subject = subjectOf();
			const id = await create(subject, { Cmd: [program] });
			await refused(subject.client.containers.start(id), 400, message);
			const { State: state } = await subject.client.containers.inspect(id);
			assert.deepEqual([state.Status, state.ExitCode], ['created', exitCode]);
			await remove(subject, id);
		});

		it(`exec: ${what} is told of`, async () => {
			const subject = subjectOf();
			const id = await launch(subject, { Cmd: ['sleep', '60'] });
			const execId = await subject.client.execs.create(id, { Cmd: [program] });
			await refused(subject.client.execs.startDetached(execId), 400, message);
			await remove(subject, id);
		});
	}

	it('stop: the program gets the signal, and its own exit code counts', async () => {
		const subject = subjectOf();
		const id = await launch(subject, {
			Cmd: ['sh', '-c', 'trap "exit 5" TERM; echo up; while :; do sleep 0.1; done'],
		});
		await until('the trap is set', async () => (await logsOf(subject, id)).stdout === 'up\n');
		await subject.client.containers.stop(id);
		assert.equal((await subject.client.containers.inspect(id)).State.ExitCode, 5);
		await remove(subject, id);
	});

	it('exec: user, environment, working folder, exit code; it sees the container’s processes only', async () => {
		const subject = subjectOf();
		const id = await launch(subject, { Cmd: ['sleep', '60'], Env: ['OF=container'] });
		const command = 'echo "$OF $A $(id -u) $(pwd)"; tr "\\0" " " </proc/1/cmdline; exit 9';
		const result = await exec(subject, id, {
			...{ Cmd: ['sh', '-c', command], Env: ['A=b'], User: '1000', WorkingDir: '/tmp' },
		});
		assert.deepEqual([result.exitCode, result.stdout], [9, 'container b 1000 /tmp\nsleep 60 ']);
		await remove(subject, id);
	});

	it('rights: what is masked, read-only or dropped stays so; root cannot mount', async () => {
		const script = [
			'cat /proc/kcore 2>/dev/null | head -c 1 | wc -c',
			'echo 1 2>/dev/null >/proc/sys/kernel/printk || echo read-only',
			'mount -t tmpfs x /mnt 2>/dev/null || echo no mount',
			'grep -E "^(CapBnd|CapInh|NoNewPrivs)" /proc/self/status',
			'ulimit -n',
		];
		const { stdout } = await shell(subjectOf(), script.join('\n'), {
			CapDrop: ['ALL'],
			CapAdd: ['KILL'],
			SecurityOpt: ['no-new-privileges'],
			Ulimits: [{ Name: 'nofile', Soft: 100, Hard: 200 }],
		});
		assert.equal(
			stdout.trim().split(/\s+/).join(' '),
			'0 read-only no mount CapInh: 0000000000000000 CapBnd: 0000000000000020 NoNewPrivs: 1 100',
		);
	});

	it('volumes and bind mounts: are seen, kept, and read-only where asked', async () => {
		const subject = subjectOf();
		const host = hostFolder(subject);
		fs.writeFileSync(path.join(host, 'given'), 'from the host\n');
		await subject.client.volumes.create({ Name: 'kept' });
		const script =
			'cat /host/given; echo new 2>/dev/null >/host/new || echo read-only; echo data >>/data/file; cat /data/file';
		const host2 = { Binds: [`${host}:/host:ro`, 'kept:/data'] };
		assert.equal((await shell(subject, script, host2)).stdout, 'from the host\nread-only\ndata\n');
		assert.equal((await shell(subject, script, host2)).stdout, 'from the host\nread-only\ndata\ndata\n');
		await subject.client.volumes.remove('kept');
		fs.rmSync(host, { recursive: true });
	});

	it('a published port: is reached from the host', async () => {
		const subject = subjectOf();
		const port = await freePort();
		const serve = 'mkdir /www; echo hello >/www/index.html; exec busybox httpd -f -p 80 -h /www';
		const id = await launch(subject, {
			Cmd: ['sh', '-c', serve],
			ExposedPorts: { '80/tcp': {} },
			HostConfig: {
				NetworkMode: 'bridge',
				PortBindings: { '80/tcp': [{ HostIp: '127.0.0.1', HostPort: String(port) }] },
			},
		});
		const page = await until('the page is there', () =>
			fetch(`http://127.0.0.1:${port}/`).then(
				(answer) => answer.text(),
				() => undefined,
			),
		);
		assert.equal(page, 'hello\n');
		await remove(subject, id);
	});

	it('a terminal: is one, in the container too', async () => {
		const { stdout, exitCode } = await run(subjectOf(), {
			Tty: true,
			Cmd: ['sh', '-c', 'test -t 0 && test -t 1 && echo yes >/dev/tty && exit 3'],
		});
		assert.deepEqual([stdout, exitCode], ['yes\r\n', 3]);
	});

	it('a terminal in raw mode: gets what is written, of an exec, too', async () => {
		const subject = subjectOf();
		const script = 'stty raw; printf "a\\nb\\n"; exit 4';
		const { stdout, exitCode } = await run(subject, { Tty: true, Cmd: ['sh', '-c', script] });
		assert.deepEqual([stdout, exitCode], ['a\nb\n', 4]);
		const id = await launch(subject, { Cmd: ['sleep', '60'] });
		const result = await exec(subject, id, { Tty: true, Cmd: ['sh', '-c', script] });
		assert.deepEqual([result.stdout, result.exitCode], ['a\nb\n', 4]);
		await remove(subject, id);
	});

	it('remove by force: no process of it is left', async () => {
		const subject = subjectOf();
		const id = await launch(subject, { Cmd: ['sh', '-c', 'sleep 61 & sleep 62 & wait'] });
		const { State: state } = await subject.client.containers.inspect(id);
		await remove(subject, id);
		assert.equal(fs.existsSync(`/proc/${state.Pid}`), false);
	});
}
