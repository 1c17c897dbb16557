import * as assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import type { ContainerInspect } from '../../src/api/types';
import { expected } from './differences';
import { defaultPath } from './fixture';
import { bodyOf, collect, create, launch, logsOf, refused, remove, run, shell, startAndFinish, type Body } from './run';
import { hostFolder, type Subject } from './subject';
import { delay, until, within } from './workspace';

/** Ends at SIGTERM with 5, saying so; prints "ready" when it can take the signal. */
const POLITE = `trap 'echo got TERM; exit 5' TERM; echo ready; while :; do sleep 0.05; done`;
const STUBBORN = `trap '' TERM; echo ready; while :; do sleep 0.05; done`;

/** What an engine does with containers: run, stop, kill, restart, rename, remove, wait. */
export function containerCases(subjectOf: () => Subject): void {
	describe('run', () => {
		runCases(subjectOf);
	});
	describe('failed start', () => {
		failedStartCases(subjectOf);
	});
	describe('process', () => {
		processCases(subjectOf);
	});
	describe('isolation', () => {
		isolationCases(subjectOf);
	});
	describe('limits', () => {
		limitCases(subjectOf);
	});
	describe('mounts', () => {
		mountCases(subjectOf);
	});
	describe('names', () => {
		nameCases(subjectOf);
	});
	describe('stop', () => {
		stopCases(subjectOf);
	});
	describe('kill', () => {
		killCases(subjectOf);
	});
	describe('restart', () => {
		restartCases(subjectOf);
	});
	describe('remove', () => {
		removeCases(subjectOf);
	});
	describe('wait', () => {
		waitCases(subjectOf);
	});
	describe('attach', () => {
		attachCases(subjectOf);
	});
	describe('list and inspect', () => {
		listCases(subjectOf);
	});
	describe('container events', () => {
		eventCases(subjectOf);
	});
}

/** A time with all nine digits of its fraction, which engines leave out at the end, so that texts sort as times. */
function nanoseconds(time: string): string {
	const [whole = '', fraction = ''] = time.replace('Z', '').split('.');
	return `${whole}.${fraction.padEnd(9, '0')}Z`;
}

function runCases(subjectOf: () => Subject): void {
	for (const code of [0, 32, 255]) {
		it(`exit ${code}: the container's exit code is ${code}`, async () => {
			assert.equal((await shell(subjectOf(), `exit ${code}`)).exitCode, code);
		});
	}

	it('output: standard output and error are kept apart, and a missing last newline stays missing', async () => {
		const result = await shell(subjectOf(), 'echo out; echo err >&2; printf end; printf "err end" >&2');
		assert.deepEqual([result.stdout, result.stderr], ['out\nend', 'err\nerr end']);
	});

	it('big output: nothing is cut off on either stream', async () => {
		const result = await shell(
			subjectOf(),
			'(seq 1 60000 | sed "s/^/a line of output /") & (seq 1 60000 | sed "s/^/a line of errors /" >&2) & wait',
		);
		const lines = Array.from({ length: 60000 }, (_, index) => index + 1);
		assert.ok(result.stdout === lines.map((line) => `a line of output ${line}\n`).join(''), 'every line of stdout');
		assert.ok(result.stderr === lines.map((line) => `a line of errors ${line}\n`).join(''), 'every line of stderr');
	});

	it('a removed container: is gone for every call', async () => {
		const subject = subjectOf();
		const { id } = await run(subject, { Cmd: ['true'] });
		await refused(subject.client.containers.inspect(id), 404, `No such container: ${id}`);
		await refused(subject.client.containers.start(id), 404, `No such container: ${id}`);
		await refused(subject.client.containers.stop(id), 404, `No such container: ${id}`);
		await refused(subject.client.containers.remove(id), 404, `No such container: ${id}`);
		await refused(subject.client.containers.rename(id, 'other'), 404, `No such container: ${id}`);
		await refused(collect(subject.client.containers.logs(id)), 404, `No such container: ${id}`);
		await refused(
			subject.client.containers.kill(id),
			404,
			`Cannot kill container: ${id}: No such container: ${id}`,
		);
	});

	it('a missing image: is refused by its name', async () => {
		const subject = subjectOf();
		await refused(
			subject.client.containers.create(bodyOf(subject, { Image: 'nosuch:1', Cmd: ['true'] })),
			404,
			'No such image: nosuch:1',
		);
		await refused(
			subject.client.containers.create(bodyOf(subject, { Image: 'nosuch', Cmd: ['true'] })),
			404,
			'No such image: nosuch:latest',
		);
	});

	it('a platform: the image has to be made for it, and is refused as missing otherwise', async () => {
		const subject = subjectOf();
		const body = bodyOf(subject, { Cmd: ['true'] });
		const { containers } = subject.client;
		const words =
			/^image with reference .+ was found but does not match the specified platform: wanted linux\/s390x/;
		await refused(containers.create(body, { platform: 'linux/s390x' }), 404, words);
		const { Os, Architecture } = await subject.client.images.inspect(body.Image);
		const { Id, Warnings } = await containers.create(body, { platform: `${Os}/${Architecture}` });
		assert.deepEqual(Warnings, []);
		await remove(subject, Id);
	});

	it('auto-remove: the container goes when it ends, whatever its exit code', async () => {
		const subject = subjectOf();
		const id = await create(subject, { Cmd: ['sh', '-c', 'exit 4'], HostConfig: { AutoRemove: true } });
		const { exit } = await subject.client.containers.wait(id, { condition: 'removed' });
		await subject.client.containers.start(id);
		assert.equal(await within('the removal', 10_000, exit), 4);
		await refused(subject.client.containers.inspect(id), 404, `No such container: ${id}`);
	});

	it('auto-remove: the container goes also when it cannot start', async () => {
		const subject = subjectOf();
		const id = await create(subject, { Cmd: ['nosuch'], HostConfig: { AutoRemove: true } });
		await refused(subject.client.containers.start(id), 400, /executable file not found in \$PATH/);
		await until('the container is gone', async () =>
			(await subject.client.containers.list({ all: true })).every((container) => container.Id !== id),
		);
	});

	it('two starts at once: the container runs once', async () => {
		const subject = subjectOf();
		const id = await create(subject, { Cmd: ['sh', '-c', 'echo started; sleep 0.5'] });
		const { exit } = await subject.client.containers.wait(id, { condition: 'next-exit' });
		await Promise.all([1, 2, 3].map(() => subject.client.containers.start(id)));
		assert.equal(await exit, 0);
		assert.deepEqual(await logsOf(subject, id), { stdout: 'started\n', stderr: '' });
		await remove(subject, id);
	});

	it('start of a running container: is a success that changes nothing', async () => {
		const subject = subjectOf();
		const id = await launch(subject, { Cmd: ['sleep', '100'] });
		const before = await subject.client.containers.inspect(id);
		await subject.client.containers.start(id);
		assert.equal((await subject.client.containers.inspect(id)).State.Pid, before.State.Pid);
		await remove(subject, id);
	});
}

function failedStartCases(subjectOf: () => Subject): void {
	interface Failure {
		readonly what: string;
		readonly body: Body;
		readonly status: 400 | 'statusOfUnknownUser';
		readonly message: RegExp;
		readonly exitCode: number;
	}
	const failures: Failure[] = [
		{
			what: 'an absolute path that does not exist',
			body: { Cmd: ['/no/such/cmd'] },
			status: 400,
			message: /exec: "\/no\/such\/cmd": stat \/no\/such\/cmd: no such file or directory/,
			exitCode: 127,
		},
		{
			what: 'a name that is not on PATH',
			body: { Cmd: ['nosuch'] },
			status: 400,
			message: /exec: "nosuch": executable file not found in \$PATH/,
			exitCode: 127,
		},
		{
			what: 'a folder',
			body: { Cmd: ['/etc'] },
			status: 400,
			message: /exec: "\/etc": permission denied/,
			exitCode: 126,
		},
		{
			what: 'a file without execute permission',
			body: { Cmd: ['/etc/not-executable'] },
			status: 400,
			message: /exec: "\/etc\/not-executable": permission denied/,
			exitCode: 126,
		},
		{
			what: 'an unknown user',
			body: { Cmd: ['true'], User: 'nosuchuser' },
			status: 'statusOfUnknownUser',
			message: /unable to find user nosuchuser: no matching entries in passwd file/,
			exitCode: 128,
		},
		{
			what: 'an unknown group',
			body: { Cmd: ['true'], User: 'demo:nosuchgroup' },
			status: 'statusOfUnknownUser',
			message: /unable to find group nosuchgroup: no matching entries in group file/,
			exitCode: 128,
		},
	];
	for (const failure of failures) {
		it(`${failure.what}: start fails, the container stays "created" with code ${failure.exitCode} and the reason`, async () => {
			const subject = subjectOf();
			const id = await create(subject, failure.body);
			const status = failure.status === 400 ? 400 : expected(failure.status, subject.name);
			const error = await refused(subject.client.containers.start(id), status, failure.message);
			const { State } = await subject.client.containers.inspect(id);
			assert.deepEqual(
				{ status: State.Status, running: State.Running, exitCode: State.ExitCode, error: State.Error },
				{ status: 'created', running: false, exitCode: failure.exitCode, error: error.message },
			);
			await subject.client.containers.remove(id);
		});
	}

	it('a relative working folder: is refused at create', async () => {
		await refused(
			create(subjectOf(), { Cmd: ['true'], WorkingDir: 'relative' }),
			400,
			"the working directory 'relative' is invalid, it needs to be an absolute path",
		);
	});

	it('a working folder that is a file: is refused', async () => {
		const subject = subjectOf();
		await assert.rejects(
			launch(subject, { Cmd: ['true'], WorkingDir: '/etc/passwd' }),
			/\/etc\/passwd(: | is )not a directory/,
		);
	});

	it('no command at all: is refused', async () => {
		const subject = subjectOf();
		await refused(create(subject, { Entrypoint: [''], Cmd: [] }), 400, /^[Nn]o command specified$/);
	});

	it('a container that could not start: starts when the reason is gone', async () => {
		const subject = subjectOf();
		const host = hostFolder(subject);
		try {
			const id = await create(subject, { Cmd: ['/host/program'], HostConfig: { Binds: [`${host}:/host`] } });
			await refused(subject.client.containers.start(id), 400, /no such file or directory/);
			fs.writeFileSync(path.join(host, 'program'), '#!/bin/sh\necho now\n', { mode: 0o755 });
			const result = await startAndFinish(subject, id);
			assert.deepEqual([result.exitCode, result.stdout], [0, 'now\n']);
			assert.equal((await subject.client.containers.inspect(id)).State.Error, '');
			await remove(subject, id);
		} finally {
			fs.rmSync(host, { recursive: true });
		}
	});
}

function processCases(subjectOf: () => Subject): void {
	it('environment: PATH, HOSTNAME and HOME by default, then what the caller set', async () => {
		const { stdout, id } = await run(subjectOf(), { Cmd: ['env'], Env: ['A=1', 'EMPTY=', 'B=x=y z'] });
		assert.deepEqual(stdout.trimEnd().split('\n'), [
			`PATH=${defaultPath}`,
			`HOSTNAME=${id.slice(0, 12)}`,
			'A=1',
			'EMPTY=',
			'B=x=y z',
			'HOME=/root',
		]);
	});

	it("environment: the caller's value replaces the image's", async () => {
		const subject = subjectOf();
		const { stdout } = await run(subject, {
			Image: subject.images.app.reference,
			Entrypoint: ['env'],
			Env: ['FLAVOUR=sweet', 'MORE=1'],
		});
		assert.deepEqual(
			stdout
				.trimEnd()
				.split('\n')
				.filter((line) => !line.startsWith('HOSTNAME=')),
			[`PATH=${defaultPath}`, 'FLAVOUR=sweet', 'MORE=1', 'EMPTY=', 'HOME=/home/demo'],
		);
	});

	it('environment: a name without value takes the variable away', async () => {
		const subject = subjectOf();
		const { stdout } = await run(subject, {
			Image: subject.images.app.reference,
			Entrypoint: ['env'],
			Env: ['FLAVOUR'],
		});
		assert.ok(!stdout.includes('FLAVOUR'), stdout);
	});

	it("entrypoint and command: the image's are used", async () => {
		const subject = subjectOf();
		assert.equal((await run(subject, { Image: subject.images.app.reference })).stdout, 'from|image|');
	});

	it("command: the caller's goes to the image's entrypoint", async () => {
		const subject = subjectOf();
		const { stdout } = await run(subject, { Image: subject.images.app.reference, Cmd: ['a', 'b c', ''] });
		assert.equal(stdout, 'a|b c||');
	});

	it("entrypoint: the caller's replaces the image's together with its command", async () => {
		const subject = subjectOf();
		const { stdout } = await run(subject, { Image: subject.images.app.reference, Entrypoint: ['echo', 'mine'] });
		assert.equal(stdout, 'mine\n');
	});

	it("entrypoint: an empty one takes the image's away", async () => {
		const subject = subjectOf();
		const { stdout } = await run(subject, {
			Image: subject.images.app.reference,
			Entrypoint: [''],
			Cmd: ['echo', 'plain'],
		});
		assert.equal(stdout, 'plain\n');
	});

	it("working folder and user: the image's are used, the folder is made", async () => {
		const subject = subjectOf();
		const { stdout } = await run(subject, {
			Image: subject.images.app.reference,
			Entrypoint: ['sh', '-c'],
			Cmd: ['pwd; id; stat -c "%U %a" .'],
		});
		assert.equal(stdout, '/srv/work\nuid=1000(demo) gid=1000(demo) groups=44(extra),1000(demo)\nroot 755\n');
	});

	it("working folder: the caller's is made when it is missing", async () => {
		const { stdout } = await run(subjectOf(), { Cmd: ['pwd'], WorkingDir: '/made/for/this' });
		assert.equal(stdout, '/made/for/this\n');
	});

	const users: [string, string][] = [
		['', 'uid=0(root) gid=0(root)'],
		['demo', 'uid=1000(demo) gid=1000(demo) groups=44(extra),1000(demo)'],
		['1000', 'uid=1000(demo) gid=1000(demo) groups=44(extra),1000(demo)'],
		['demo:extra', 'uid=1000(demo) gid=44(extra)'],
		['1234:5678', 'uid=1234 gid=5678'],
		['1234', 'uid=1234 gid=0(root)'],
	];
	for (const [user, identity] of users) {
		it(`user "${user}": runs as ${identity}`, async () => {
			const { stdout } = await run(subjectOf(), { Cmd: ['id'], User: user });
			assert.equal(stdout.trimEnd().replace(/ groups=(0\(root\)|5678|44\(extra\))$/, ''), identity);
		});
	}

	it("host name: is the short id, or the caller's, and stands in /etc/hostname and /etc/hosts", async () => {
		const subject = subjectOf();
		const script = 'hostname; cat /etc/hostname; grep -c "$(hostname)" /etc/hosts; grep localhost /etc/hosts';
		const host = { NetworkMode: 'none' };
		const own = await run(subject, { Cmd: ['sh', '-c', script], HostConfig: host });
		const given = await run(subject, { Cmd: ['sh', '-c', script], Hostname: 'web1', HostConfig: host });
		const tail = '127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n';
		const short = own.id.slice(0, 12);
		const lines = expected('linesOfOwnNameWithoutNetwork', subject.name);
		assert.equal(own.stdout, `${short}\n${short}\n${lines}\n${tail}`);
		assert.equal(given.stdout, `web1\nweb1\n${lines}\n${tail}`);
	});

	it('extra hosts: stand in /etc/hosts', async () => {
		const { stdout } = await run(subjectOf(), {
			// Not a name that the container's own, its id, could have in it.
			Cmd: ['grep', 'sql', '/etc/hosts'],
			HostConfig: { ExtraHosts: ['sql:10.1.2.3', 'sql6:fd00::1'] },
		});
		assert.equal(stdout, '10.1.2.3\tsql\nfd00::1\tsql6\n');
	});

	it('network none: has the loopback interface only', async () => {
		const { stdout } = await shell(subjectOf(), "sed -n 's/:.*//p' /proc/net/dev | tr -d ' '");
		assert.equal(stdout, 'lo\n');
	});

	it('network host: has the interfaces and the name of the host', async () => {
		const { stdout } = await shell(subjectOf(), "hostname; sed -n 's/:.*//p' /proc/net/dev | tr -d ' '", {
			NetworkMode: 'host',
		});
		const interfaces = fs.readFileSync('/proc/net/dev', 'utf8').match(/^ *[^ :|]+(?=:)/gm) ?? [];
		assert.equal(stdout, [os.hostname(), ...interfaces.map((name) => name.trim())].join('\n') + '\n');
	});

	it('network host: resolves names as the host does', async () => {
		const { stdout } = await shell(subjectOf(), 'grep -E "^(nameserver|search)" /etc/resolv.conf', {
			NetworkMode: 'host',
		});
		const host = fs.readFileSync('/etc/resolv.conf', 'utf8').match(/^(nameserver|search).*$/gm) ?? [];
		assert.equal(stdout, host.map((line) => `${line}\n`).join(''));
	});

	it('an unknown network: is refused by its name', async () => {
		await assert.rejects(
			launch(subjectOf(), { Cmd: ['true'], HostConfig: { NetworkMode: 'nosuch' } }),
			/network "?nosuch/,
		);
	});

	it('process 1: is the command, and its orphans are its own', async () => {
		const { stdout } = await shell(subjectOf(), 'echo $$; (sleep 0.1 &) ; sleep 0.3; ps | tail -n +2 | wc -l');
		assert.match(stdout, /^1\n/);
	});

	it('terminal: one stream with carriage returns', async () => {
		const subject = subjectOf();
		const result = await run(subject, {
			Cmd: ['sh', '-c', 'tty >/dev/null && echo is a tty; echo err >&2'],
			Tty: true,
		});
		assert.deepEqual([result.exitCode, result.stdout, result.stderr], [0, 'is a tty\r\nerr\r\n', '']);
	});
}

function isolationCases(subjectOf: () => Subject): void {
	let facts: Map<string, string>;

	before(async () => {
		const script = [
			'echo "== status"; grep -E "^(Cap|NoNewPrivs|Seccomp:)" /proc/self/status',
			'echo "== kcore"; head -c 1 /proc/kcore | wc -c',
			'echo "== timer"; wc -c < /proc/timer_list',
			'echo "== firmware"; ls -A /sys/firmware | wc -l',
			'echo "== sysrq"; echo h > /proc/sysrq-trigger; echo $?',
			'echo "== sysctl"; (echo x > /proc/sys/kernel/hostname) 2>&1 | sed "s/.*: //"',
			'echo "== mounts"; awk \'{print $3, $2}\' /proc/mounts | grep -E " /(proc|sys|dev|dev/pts|dev/shm|dev/mqueue)$" | sort',
			'echo "== dev"; ls /dev',
			'echo "== mknod"; mknod /tmp/disk b 8 0 && echo made; cat /tmp/disk 2>&1 >/dev/null | sed "s/.*: //"',
			'echo "== mount"; mount -t tmpfs none /tmp 2>&1 | sed "s/.*: //"',
			'echo "== processes"; ls /proc | grep -c "^[0-9]"',
			'echo "== root"; touch /written && ls /written',
			'echo "== shm"; df -k /dev/shm | awk \'NR==2 {print $2}\'',
			'echo "== limits"; ulimit -c',
		].join('\n');
		const { stdout } = await shell(subjectOf(), script);
		facts = new Map(
			stdout
				.split(/^== /m)
				.slice(1)
				.map((part) => {
					const end = part.indexOf('\n');
					return [part.slice(0, end), part.slice(end + 1).trimEnd()];
				}),
		);
	});

	it("capabilities: docker's fourteen, none inheritable; system calls filtered; new privileges allowed", () => {
		assert.deepEqual(
			facts
				.get('status')
				?.split('\n')
				.map((line) => line.split('\t')),
			[
				['CapInh:', '0000000000000000'],
				['CapPrm:', '00000000a80425fb'],
				['CapEff:', '00000000a80425fb'],
				['CapBnd:', '00000000a80425fb'],
				['CapAmb:', '0000000000000000'],
				['NoNewPrivs:', '0'],
				['Seccomp:', '2'],
			],
		);
	});

	it('masked paths: show nothing of the host', () => {
		assert.deepEqual([facts.get('kcore'), facts.get('timer'), facts.get('firmware')], ['0', '0', '0']);
	});

	it('kernel settings: cannot be written', () => {
		assert.equal(facts.get('sysrq'), '1');
		assert.equal(facts.get('sysctl'), 'Read-only file system');
	});

	it('file systems: proc, sys and dev are there', () => {
		assert.equal(
			facts.get('mounts'),
			'devpts /dev/pts\nmqueue /dev/mqueue\nproc /proc\nsysfs /sys\ntmpfs /dev\ntmpfs /dev/shm',
		);
	});

	it('devices: the usual ones and no disk', () => {
		// The runtime links /dev/core where the kernel has /proc/kcore.
		const names = facts
			.get('dev')
			?.split('\n')
			.filter((name) => name !== 'core');
		assert.equal(names?.join(' '), 'fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero');
		assert.equal(facts.get('mknod'), 'made\nOperation not permitted');
	});

	it('mount: is not permitted', () => {
		assert.match(facts.get('mount') ?? '', /denied|not permitted/);
	});

	it('processes: only its own are seen', () => {
		assert.ok(Number(facts.get('processes')) <= 4, facts.get('processes'));
	});

	it('root file system: can be written; shared memory has 64 MiB', () => {
		assert.deepEqual([facts.get('root'), facts.get('shm')], ['/written', '65536']);
	});

	it('cap-drop ALL with cap-add: leaves what was added', async () => {
		const subject = subjectOf();
		const show = 'grep CapEff /proc/self/status | cut -f2';
		const none = await shell(subject, show, { CapDrop: ['ALL'] });
		const one = await shell(subject, show, { CapDrop: ['ALL'], CapAdd: ['NET_ADMIN'] });
		const more = await shell(subject, show, { CapAdd: ['CAP_SYS_PTRACE'], CapDrop: ['chown'] });
		assert.deepEqual(
			[none.stdout, one.stdout, more.stdout],
			['0000000000000000\n', '0000000000001000\n', '00000000a80c25fa\n'],
		);
	});

	it('an unknown capability: is refused by its name', async () => {
		await refused(
			create(subjectOf(), { Cmd: ['true'], HostConfig: { CapAdd: ['NOSUCH'] } }),
			400,
			'invalid CapAdd: unknown capability: "CAP_NOSUCH"',
		);
	});

	it('another user: has no effective capability, and the same bounding set', async () => {
		const { stdout } = await run(subjectOf(), {
			Cmd: ['sh', '-c', 'grep -E "Cap(Eff|Prm|Bnd)" /proc/self/status | cut -f2'],
			User: 'demo',
		});
		assert.equal(stdout, '0000000000000000\n0000000000000000\n00000000a80425fb\n');
	});

	it('read-only: the root file system cannot be written, a tmpfs can, and has its size', async () => {
		const { stdout } = await shell(
			subjectOf(),
			'(echo x > /file) 2>&1 | sed "s/.*: //"; echo y > /scratch/file; cat /scratch/file; df -k /scratch | awk \'NR==2 {print $2}\'; stat -c %a /scratch',
			{ ReadonlyRootfs: true, Tmpfs: { '/scratch': 'size=1m' } },
		);
		assert.equal(stdout, 'Read-only file system\ny\n1024\n1777\n');
	});

	it('privileged: has every capability and no filter', async () => {
		const subject = subjectOf();
		if (expected('privilegedOnSmallMachine', subject.name) === 'refused' && !hasEveryCapability()) {
			await assert.rejects(shell(subject, 'true', { Privileged: true }), /unable to apply caps/);
			return;
		}
		const { stdout } = await shell(
			subject,
			'grep -E "^(CapEff|Seccomp:)" /proc/self/status | cut -f2; mount -t tmpfs none /tmp && echo mounted',
			{ Privileged: true },
		);
		assert.equal(stdout, `${boundingSet()}\n0\nmounted\n`);
	});
}

/** The capabilities that any process of this machine may have at all, as /proc writes them. */
function boundingSet(): string {
	return /^CapBnd:\t(.*)$/m.exec(fs.readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '';
}

function hasEveryCapability(): boolean {
	const last = Number(fs.readFileSync('/proc/sys/kernel/cap_last_cap', 'utf8'));
	return BigInt(`0x${boundingSet()}`) === (1n << BigInt(last + 1)) - 1n;
}

function limitCases(subjectOf: () => Subject): void {
	it('memory, CPU and processes: stand in the control group', async () => {
		const subject = subjectOf();
		const id = await launch(subject, {
			Cmd: ['sleep', '100'],
			HostConfig: { Memory: 64 * 1024 * 1024, NanoCpus: 500_000_000, PidsLimit: 20 },
		});
		try {
			const { State } = await subject.client.containers.inspect(id);
			assert.deepEqual(limitsOf(State.Pid), { memory: '67108864', cpu: 0.5, pids: '20' });
		} finally {
			await remove(subject, id);
		}
	});

	it('processes: the limit refuses a further one inside', async () => {
		const { stdout, stderr } = await shell(
			subjectOf(),
			'for i in 1 2 3 4 5 6 7 8 9 10; do sleep 1 & done 2>&1; wait; echo unreachable',
			{ PidsLimit: 4 },
		);
		assert.match(stdout + stderr, /can't fork|Resource temporarily unavailable/);
	});

	it('memory: a process that takes more is killed, and the container says why', async () => {
		const subject = subjectOf();
		const { exitCode, id } = await run(
			subject,
			{ Cmd: ['sh', '-c', 'exec tail /dev/zero'], HostConfig: { Memory: 16 * 1024 * 1024 } },
			{ keep: true },
		);
		const { State } = await subject.client.containers.inspect(id);
		await remove(subject, id);
		assert.deepEqual([exitCode, State.OOMKilled, State.ExitCode], [137, true, 137]);
	});

	it('less than 6 MB of memory: is refused', async () => {
		await refused(
			create(subjectOf(), { Cmd: ['true'], HostConfig: { Memory: 1000 } }),
			400,
			'Minimum memory limit allowed is 6MB',
		);
	});

	it('more CPUs than the machine has: is refused with the range', async () => {
		const count = os.cpus().length;
		await refused(
			create(subjectOf(), { Cmd: ['true'], HostConfig: { NanoCpus: 999_000_000_000 } }),
			400,
			`Range of CPUs is from 0.01 to ${count}.00, as there are only ${count} CPUs available`,
		);
	});
}

/** A process's limits as its control group (version 1 or 2) has them. */
function limitsOf(pid: number): { memory: string; cpu: number; pids: string } {
	const groups = new Map(
		fs
			.readFileSync(`/proc/${pid}/cgroup`, 'utf8')
			.trimEnd()
			.split('\n')
			.flatMap((line) => {
				const [, controllers = '', folder = ''] = line.split(':');
				return controllers.split(',').map((controller): [string, string] => [controller, folder]);
			}),
	);
	const read = (controller: string, file: string): string => {
		const root = groups.has('memory') ? `/sys/fs/cgroup/${controller}` : '/sys/fs/cgroup';
		return fs.readFileSync(path.join(root, groups.get(controller) ?? groups.get('') ?? '', file), 'utf8').trim();
	};
	if (groups.has('memory')) {
		return {
			memory: read('memory', 'memory.limit_in_bytes'),
			cpu: Number(read('cpu', 'cpu.cfs_quota_us')) / Number(read('cpu', 'cpu.cfs_period_us')),
			pids: read('pids', 'pids.max'),
		};
	}
	const [quota, period] = read('cpu', 'cpu.max').split(' ');
	return {
		memory: read('memory', 'memory.max'),
		cpu: Number(quota) / Number(period),
		pids: read('pids', 'pids.max'),
	};
}

function mountCases(subjectOf: () => Subject): void {
	let host: string;

	beforeEach(() => {
		host = hostFolder(subjectOf());
	});

	afterEach(() => {
		fs.rmSync(host, { recursive: true });
	});

	it("a bind mount: shows the host's folder, both ways", async () => {
		fs.writeFileSync(path.join(host, 'from-host'), 'hello\n');
		const { stdout } = await shell(subjectOf(), 'cat /data/from-host; echo bye > /data/from-container', {
			Binds: [`${host}:/data`],
		});
		assert.equal(stdout, 'hello\n');
		assert.equal(fs.readFileSync(path.join(host, 'from-container'), 'utf8'), 'bye\n');
	});

	it('a read-only bind mount: refuses a write', async () => {
		const { stdout } = await shell(subjectOf(), '(echo x > /data/file) 2>&1 | sed "s/.*: //"', {
			Binds: [`${host}:/data:ro`],
		});
		assert.equal(stdout, 'Read-only file system\n');
		assert.deepEqual(fs.readdirSync(host), []);
	});

	it('a bind mount of a file: shows the file', async () => {
		fs.writeFileSync(path.join(host, 'file'), 'one\n');
		const { stdout } = await shell(subjectOf(), 'cat /deep/in/the/image', {
			Binds: [`${host}/file:/deep/in/the/image`],
		});
		assert.equal(stdout, 'one\n');
	});

	it('a bind mount of a missing host folder: the folder is made', async () => {
		const { exitCode } = await shell(subjectOf(), 'ls /data', { Binds: [`${host}/not/yet:/data`] });
		assert.equal(exitCode, 0);
		assert.ok(fs.statSync(path.join(host, 'not/yet')).isDirectory());
	});

	it('what a container writes: stays with it over a restart, and is seen by no other container', async () => {
		const subject = subjectOf();
		const id = await create(subject, { Cmd: ['sh', '-c', 'echo run >> /file; cat /file'] });
		await startAndFinish(subject, id);
		const second = await startAndFinish(subject, id);
		assert.equal(second.stdout, 'run\nrun\nrun\n');
		await remove(subject, id);
		assert.equal((await shell(subject, 'ls /file')).exitCode, 1);
	});
}

function nameCases(subjectOf: () => Subject): void {
	it('a name: the container is found by it, by its id and by a part of the id', async () => {
		const subject = subjectOf();
		const id = await create(subject, { Cmd: ['true'] }, { name: 'found-by-name' });
		for (const name of ['found-by-name', id, id.slice(0, 12), id.slice(0, 6)]) {
			assert.equal((await subject.client.containers.inspect(name)).Id, id, name);
		}
		await remove(subject, id);
	});

	it('no name: one of two words is made up', async () => {
		const subject = subjectOf();
		const id = await create(subject, { Cmd: ['true'] });
		assert.match((await subject.client.containers.inspect(id)).Name, /^\/[a-z]+_[a-z]+\d*$/);
		await remove(subject, id);
	});

	for (const name of ['a b', '/x', 'x', '-x', 'grün', 'a/b']) {
		it(`name "${name}": is refused`, async () => {
			await refused(
				create(subjectOf(), { Cmd: ['true'] }, { name }),
				400,
				new RegExp(
					`^Invalid container name \\(/?${name.replace('/x', 'x')}\\), only \\[a-zA-Z0-9\\]\\[a-zA-Z0-9_\\.-\\] are allowed$`,
				),
			);
		});
	}

	it('a taken name: is refused naming the owner, and no container is made', async () => {
		const subject = subjectOf();
		const id = await create(subject, { Cmd: ['true'] }, { name: 'taken' });
		const count = (await subject.client.containers.list({ all: true })).length;
		await refused(
			create(subject, { Cmd: ['true'] }, { name: 'taken' }),
			409,
			`Conflict. The container name "/taken" is already in use by container "${id}". You have to remove (or rename) that container to be able to reuse that name.`,
		);
		assert.equal((await subject.client.containers.list({ all: true })).length, count);
		await remove(subject, id);
	});

	it('the same name at once: one wins, the others are refused', async () => {
		const subject = subjectOf();
		const results = await Promise.allSettled(
			[1, 2, 3, 4].map(() => create(subject, { Cmd: ['true'] }, { name: 'race' })),
		);
		assert.deepEqual(results.map((result) => result.status).sort(), [
			'fulfilled',
			'rejected',
			'rejected',
			'rejected',
		]);
		await remove(subject, 'race');
	});

	it('rename: the container is found by the new name only, and the old one is free', async () => {
		const subject = subjectOf();
		const id = await launch(subject, { Cmd: ['sleep', '100'] }, { name: 'before' });
		await subject.client.containers.rename(id, 'after');
		assert.equal((await subject.client.containers.inspect('after')).Id, id);
		assert.equal((await subject.client.containers.inspect(id)).Name, '/after');
		await refused(subject.client.containers.inspect('before'), 404, 'No such container: before');
		const other = await create(subject, { Cmd: ['true'] }, { name: 'before' });
		await remove(subject, other);
		await remove(subject, id);
	});

	it('rename to a taken, the same or an impossible name: is refused and changes nothing', async () => {
		const subject = subjectOf();
		const one = await create(subject, { Cmd: ['true'] }, { name: 'one' });
		const two = await create(subject, { Cmd: ['true'] }, { name: 'two' });
		const rename = (name: string): Promise<void> => subject.client.containers.rename('one', name);
		await refused(
			rename('two'),
			409,
			new RegExp(`The container name "/two" is already in use by container "${two}"`),
		);
		await refused(rename('one'), 400, 'Renaming a container with the same name as its current name');
		await refused(
			rename('a b'),
			400,
			/Invalid container name \(\/?a b\), only \[a-zA-Z0-9\]\[a-zA-Z0-9_\.-\] are allowed/,
		);
		assert.equal((await subject.client.containers.inspect(one)).Name, '/one');
		await remove(subject, one);
		await remove(subject, two);
	});
}

async function launchReady(subject: Subject, body: Body): Promise<string> {
	const id = await launch(subject, body);
	const ready = async (): Promise<void> => {
		const controller = new AbortController();
		for await (const chunk of subject.client.containers.logs(id, { follow: true, signal: controller.signal })) {
			if (chunk.data.toString().includes('ready')) {
				break;
			}
		}
		controller.abort();
	};
	await within('the first line', 10_000, ready());
	return id;
}

function stopCases(subjectOf: () => Subject): void {
	it('a container that handles SIGTERM: ends with its own code, at once', async () => {
		const subject = subjectOf();
		const id = await launchReady(subject, { Cmd: ['sh', '-c', POLITE] });
		const start = Date.now();
		await subject.client.containers.stop(id);
		assert.ok(Date.now() - start < 5000, 'does not wait for the timeout');
		const { State } = await subject.client.containers.inspect(id);
		assert.deepEqual([State.Status, State.ExitCode, State.Pid], ['exited', 5, 0]);
		assert.equal((await logsOf(subject, id)).stdout, 'ready\ngot TERM\n');
		await remove(subject, id);
	});

	it('a container that ignores SIGTERM: is killed after the timeout', async () => {
		const subject = subjectOf();
		const id = await launchReady(subject, { Cmd: ['sh', '-c', STUBBORN] });
		const start = Date.now();
		await subject.client.containers.stop(id, { timeout: 1 });
		const took = Date.now() - start;
		assert.ok(took >= 950 && took < 6000, `took ${took} ms`);
		const { State } = await subject.client.containers.inspect(id);
		assert.deepEqual([State.Status, State.ExitCode], ['exited', 137]);
		await remove(subject, id);
	});

	it('timeout 0: kills at once', async () => {
		const subject = subjectOf();
		const id = await launchReady(subject, { Cmd: ['sh', '-c', POLITE] });
		const start = Date.now();
		await subject.client.containers.stop(id, { timeout: 0 });
		assert.ok(Date.now() - start < 4000);
		const { State } = await subject.client.containers.inspect(id);
		assert.ok([137, 5].includes(State.ExitCode), `exit code ${State.ExitCode}`);
		await remove(subject, id);
	});

	it("the container's own stop signal and timeout: are used", async () => {
		const subject = subjectOf();
		const id = await launchReady(subject, {
			Cmd: ['sh', '-c', `trap 'exit 6' USR1; trap '' TERM; echo ready; while :; do sleep 0.05; done`],
			StopSignal: 'SIGUSR1',
		});
		await subject.client.containers.stop(id);
		assert.equal((await subject.client.containers.inspect(id)).State.ExitCode, 6);
		await remove(subject, id);
		const stubborn = await launchReady(subject, { Cmd: ['sh', '-c', STUBBORN], StopTimeout: 1 });
		const start = Date.now();
		await subject.client.containers.stop(stubborn);
		assert.ok(Date.now() - start < 6000, 'one second, not ten');
		await remove(subject, stubborn);
	});

	it("the image's stop signal: is used", async () => {
		const subject = subjectOf();
		const id = await launchReady(subject, {
			Image: subject.images.app.reference,
			Entrypoint: ['sh', '-c', `trap 'exit 7' USR1; echo ready; while :; do sleep 0.05; done`],
		});
		await subject.client.containers.stop(id, { timeout: 3 });
		assert.equal((await subject.client.containers.inspect(id)).State.ExitCode, 7);
		await remove(subject, id);
	});

	it('while it stops: list and inspect answer, and say so', async () => {
		const subject = subjectOf();
		const id = await launchReady(subject, { Cmd: ['sh', '-c', STUBBORN] });
		const stop = subject.client.containers.stop(id, { timeout: 1 });
		await delay(200);
		const start = Date.now();
		const { State } = await subject.client.containers.inspect(id);
		const listed = (await subject.client.containers.list()).find((container) => container.Id === id);
		assert.ok(Date.now() - start < 600, 'nobody waits for the stop');
		const status = expected('statusWhileStopping', subject.name);
		assert.deepEqual([State.Status, State.Running, listed?.State], [status, true, status]);
		await stop;
		await remove(subject, id);
	});

	it('a container that has ended, or never started: stop is a success', async () => {
		const subject = subjectOf();
		const id = await create(subject, { Cmd: ['true'] });
		await subject.client.containers.stop(id);
		assert.equal((await subject.client.containers.inspect(id)).State.Status, 'created');
		await startAndFinish(subject, id);
		await subject.client.containers.stop(id);
		await remove(subject, id);
	});

	it('stop and kill at once: both succeed, and the exit code is kept', async () => {
		const subject = subjectOf();
		const id = await launchReady(subject, { Cmd: ['sh', '-c', STUBBORN] });
		const stop = subject.client.containers.stop(id, { timeout: 5 });
		await delay(100);
		await subject.client.containers.kill(id);
		await within('the stop', 4000, stop);
		const { State } = await subject.client.containers.inspect(id);
		assert.deepEqual([State.Status, State.ExitCode], ['exited', 137]);
		await remove(subject, id);
	});

	it('two stops at once: both succeed', async () => {
		const subject = subjectOf();
		const id = await launchReady(subject, { Cmd: ['sh', '-c', POLITE] });
		await Promise.all([subject.client.containers.stop(id), subject.client.containers.stop(id)]);
		assert.equal((await subject.client.containers.inspect(id)).State.ExitCode, 5);
		await remove(subject, id);
	});
}

function killCases(subjectOf: () => Subject): void {
	it('kill: ends the container with 137', async () => {
		const subject = subjectOf();
		const id = await launch(subject, { Cmd: ['sleep', '100'] });
		const { exit } = await subject.client.containers.wait(id);
		await subject.client.containers.kill(id);
		assert.equal(await within('the exit', 5000, exit), 137);
		await remove(subject, id);
	});

	it('a signal by name or number: reaches process 1, which may go on', async () => {
		const subject = subjectOf();
		const script = `trap 'echo one' USR1; trap 'echo two' USR2; trap 'echo hup; exit 9' HUP; echo ready; while :; do sleep 0.05; done`;
		const id = await launchReady(subject, { Cmd: ['sh', '-c', script] });
		const { exit } = await subject.client.containers.wait(id);
		for (const [killSignal, answer] of [
			['SIGUSR1', 'one'],
			['usr2', 'two'],
			['10', 'one'],
			['HUP', 'hup'],
		] as const) {
			const before = (await logsOf(subject, id)).stdout;
			await subject.client.containers.kill(id, { killSignal });
			await until(
				`${killSignal} was handled`,
				async () => (await logsOf(subject, id)).stdout === `${before}${answer}\n`,
			);
		}
		assert.equal(await exit, 9);
		await remove(subject, id);
	});

	it('an unknown signal: is refused by its name', async () => {
		const subject = subjectOf();
		const id = await launch(subject, { Cmd: ['sleep', '100'] });
		await refused(subject.client.containers.kill(id, { killSignal: 'NOSUCH' }), 400, /^[Ii]nvalid signal: NOSUCH$/);
		await refused(subject.client.containers.kill(id, { killSignal: '0' }), 400, /^[Ii]nvalid signal: 0$/);
		await remove(subject, id);
	});

	it('a container that does not run: is refused', async () => {
		const subject = subjectOf();
		const id = await create(subject, { Cmd: ['true'] }, { name: 'not-running' });
		await refused(
			subject.client.containers.kill('not-running'),
			409,
			`Cannot kill container: not-running: Container ${id} is not running`,
		);
		await remove(subject, id);
	});
}

function restartCases(subjectOf: () => Subject): void {
	it('restart: keeps the id and the log, counts no restart, and starts a new process', async () => {
		const subject = subjectOf();
		const id = await launchReady(subject, { Cmd: ['sh', '-c', POLITE] });
		const before = await subject.client.containers.inspect(id);
		await subject.client.containers.restart(id, { timeout: 2 });
		await until('it is ready again', async () => (await logsOf(subject, id)).stdout === 'ready\ngot TERM\nready\n');
		const after = await subject.client.containers.inspect(id);
		assert.deepEqual([after.Id, after.RestartCount, after.State.Status], [before.Id, 0, 'running']);
		assert.notEqual(after.State.Pid, before.State.Pid);
		assert.ok(nanoseconds(after.State.StartedAt) > nanoseconds(before.State.StartedAt));
		await remove(subject, id);
	});

	it('restart of a container that has ended: starts it', async () => {
		const subject = subjectOf();
		const id = await create(subject, { Cmd: ['sleep', '100'] });
		await subject.client.containers.restart(id);
		assert.equal((await subject.client.containers.inspect(id)).State.Status, 'running');
		await remove(subject, id);
	});

	it('a second start: runs again, and the state is that of the last run', async () => {
		const subject = subjectOf();
		const id = await create(subject, { Cmd: ['sh', '-c', 'test -e /again && exit 3; touch /again; exit 2'] });
		const first = await startAndFinish(subject, id);
		const { State: between } = await subject.client.containers.inspect(id);
		const second = await startAndFinish(subject, id);
		const { State: after } = await subject.client.containers.inspect(id);
		assert.deepEqual([first.exitCode, second.exitCode, after.ExitCode], [2, 3, 3]);
		// Docker takes its times in several processes, and they differ by milliseconds.
		const seconds = [between.FinishedAt, after.StartedAt, after.FinishedAt].map((time) => Date.parse(time) / 1000);
		const [ended = 0, started = 0, endedAgain = 0] = seconds;
		assert.ok(started > ended - 0.1 && endedAgain > started - 0.1, seconds.join());
		await remove(subject, id);
	});
}

function removeCases(subjectOf: () => Subject): void {
	it('a running container: is refused, and removed by force', async () => {
		const subject = subjectOf();
		const id = await launch(subject, { Cmd: ['sleep', '100'] });
		await refused(
			subject.client.containers.remove(id),
			409,
			`You cannot remove a running container ${id}. Stop the container before attempting removal or force remove`,
		);
		assert.equal((await subject.client.containers.inspect(id)).State.Status, 'running');
		await subject.client.containers.remove(id, { force: true });
		await refused(subject.client.containers.inspect(id), 404, `No such container: ${id}`);
	});

	it('a removed container: its name can be used at once', async () => {
		const subject = subjectOf();
		const first = await launch(subject, { Cmd: ['sleep', '100'] }, { name: 'reused' });
		await subject.client.containers.remove(first, { force: true });
		const second = await create(subject, { Cmd: ['true'] }, { name: 'reused' });
		assert.notEqual(first, second);
		await remove(subject, second);
	});

	it('its log file: is removed with it', async () => {
		const subject = subjectOf();
		const { id } = await run(subject, { Cmd: ['echo', 'x'] }, { keep: true });
		const { LogPath } = await subject.client.containers.inspect(id);
		assert.ok(fs.existsSync(LogPath));
		await remove(subject, id);
		assert.ok(!fs.existsSync(LogPath));
	});
}

function waitCases(subjectOf: () => Subject): void {
	it('a container that has ended: not-running answers at once with its code', async () => {
		const subject = subjectOf();
		const { id } = await run(subject, { Cmd: ['sh', '-c', 'exit 8'] }, { keep: true });
		const { exit } = await subject.client.containers.wait(id, { condition: 'not-running' });
		assert.equal(await within('wait', 2000, exit), 8);
		await remove(subject, id);
	});

	it('next-exit: waits for the next run, also of a container that has ended', async () => {
		const subject = subjectOf();
		const id = await create(subject, { Cmd: ['sh', '-c', 'test -e /again && exit 3; touch /again; exit 2'] });
		assert.equal((await startAndFinish(subject, id)).exitCode, 2);
		const { exit } = await subject.client.containers.wait(id, { condition: 'next-exit' });
		const state = { isDone: false };
		void exit.finally(() => {
			state.isDone = true;
		});
		await delay(200);
		assert.ok(!state.isDone, 'it does not answer with the last run');
		await subject.client.containers.start(id);
		assert.equal(await within('wait', 5000, exit), 3);
		await remove(subject, id);
	});

	it('removed: answers when the container is gone', async () => {
		const subject = subjectOf();
		const id = await launch(subject, { Cmd: ['sleep', '100'] });
		const { exit } = await subject.client.containers.wait(id, { condition: 'removed' });
		await subject.client.containers.remove(id, { force: true });
		assert.equal(await within('wait', 5000, exit), 137);
	});

	it('several waiters: all get the code', async () => {
		const subject = subjectOf();
		const id = await launch(subject, { Cmd: ['sleep', '100'] });
		const waits = await Promise.all([1, 2, 3].map(() => subject.client.containers.wait(id)));
		await subject.client.containers.kill(id);
		assert.deepEqual(await within('wait', 5000, Promise.all(waits.map((wait) => wait.exit))), [137, 137, 137]);
		await remove(subject, id);
	});

	it('a missing container: is refused', async () => {
		await refused(subjectOf().client.containers.wait('nosuch'), 404, 'No such container: nosuch');
	});

	it('a waiter that leaves: does not disturb the container', async () => {
		const subject = subjectOf();
		const id = await launch(subject, { Cmd: ['sleep', '100'] });
		const controller = new AbortController();
		const { exit } = await subject.client.containers.wait(id, { signal: controller.signal });
		controller.abort();
		await assert.rejects(exit, { name: 'AbortError' });
		assert.equal((await subject.client.containers.inspect(id)).State.Status, 'running');
		await remove(subject, id);
	});
}

function attachCases(subjectOf: () => Subject): void {
	const interactive = { OpenStdin: true, StdinOnce: true, AttachStdin: true, AttachStdout: true, AttachStderr: true };

	it('output: is seen from the start when attached before it', async () => {
		const subject = subjectOf();
		const id = await create(subject, { Cmd: ['sh', '-c', 'echo out; echo err >&2; exit 3'] });
		const attachment = await subject.client.containers.attach(id, { stdout: true, stderr: true });
		const output = collect(attachment.output);
		const { exit } = await subject.client.containers.wait(id, { condition: 'next-exit' });
		await subject.client.containers.start(id);
		assert.deepEqual(await within('the output', 10_000, output), { stdout: 'out\n', stderr: 'err\n' });
		assert.equal(await exit, 3);
		await remove(subject, id);
	});

	it('input: written before and after the start arrives in order, and its end is the end of file', async () => {
		const subject = subjectOf();
		const id = await create(subject, { Cmd: ['cat'], ...interactive });
		const attachment = await subject.client.containers.attach(id, { stdin: true, stdout: true, stderr: true });
		const output = collect(attachment.output);
		const { exit } = await subject.client.containers.wait(id, { condition: 'next-exit' });
		await attachment.write(Buffer.from('early\n'));
		await subject.client.containers.start(id);
		await attachment.write(Buffer.from('late\n'));
		attachment.end();
		assert.deepEqual(await within('the echo', 10_000, output), { stdout: 'early\nlate\n', stderr: '' });
		assert.equal(await within('the exit', 5000, exit), 0);
		await remove(subject, id);
	});

	it('big input: passes whole', async () => {
		const subject = subjectOf();
		const id = await create(subject, { Cmd: ['sha256sum'], ...interactive });
		const attachment = await subject.client.containers.attach(id, { stdin: true, stdout: true, stderr: true });
		const output = collect(attachment.output);
		await subject.client.containers.start(id);
		const block = Buffer.alloc(64 * 1024, 'x');
		for (let count = 0; count < 32; count++) {
			await attachment.write(block);
		}
		attachment.end();
		const { createHash } = await import('node:crypto');
		const sum = createHash('sha256')
			.update(Buffer.alloc(2 * 1024 * 1024, 'x'))
			.digest('hex');
		assert.equal((await within('the sum', 15_000, output)).stdout, `${sum}  -\n`);
		await remove(subject, id);
	});

	it('no open input: the container reads the end of file', async () => {
		assert.deepEqual(
			await run(subjectOf(), { Cmd: ['sh', '-c', 'cat; echo end'] }).then(({ exitCode, stdout }) => [
				exitCode,
				stdout,
			]),
			[0, 'end\n'],
		);
	});

	it('closing an attachment: detaches, and the container goes on', async () => {
		const subject = subjectOf();
		const id = await create(subject, { Cmd: ['sh', '-c', 'echo one; sleep 0.4; echo two'] });
		const attachment = await subject.client.containers.attach(id, { stdout: true });
		const { exit } = await subject.client.containers.wait(id, { condition: 'next-exit' });
		await subject.client.containers.start(id);
		attachment.close();
		assert.equal(await within('the exit', 5000, exit), 0);
		assert.equal((await logsOf(subject, id)).stdout, 'one\ntwo\n');
		await remove(subject, id);
	});

	it('two attachments: both see all output', async () => {
		const subject = subjectOf();
		const id = await create(subject, { Cmd: ['seq', '1', '5000'] });
		const attachments = await Promise.all([1, 2].map(() => subject.client.containers.attach(id, { stdout: true })));
		const outputs = Promise.all(attachments.map((attachment) => collect(attachment.output)));
		await subject.client.containers.start(id);
		const all = Array.from({ length: 5000 }, (_, index) => `${index + 1}\n`).join('');
		assert.deepEqual(
			(await within('the output', 10_000, outputs)).map(({ stdout }) => stdout === all),
			[true, true],
		);
		await remove(subject, id);
	});

	it('attach with logs: gives what was printed before, then what follows', async () => {
		const subject = subjectOf();
		const id = await launchReady(subject, { Cmd: ['sh', '-c', 'echo ready; sleep 0.5; echo more'] });
		const attachment = await subject.client.containers.attach(id, { stdout: true, logs: true });
		assert.equal((await within('the output', 10_000, collect(attachment.output))).stdout, 'ready\nmore\n');
		await remove(subject, id);
	});
}

function listCases(subjectOf: () => Subject): void {
	it('list: running ones only, all when asked, the newest first', async () => {
		const subject = subjectOf();
		const ended = (await run(subject, { Cmd: ['true'] }, { keep: true, name: 'list-ended' })).id;
		const running = await launch(subject, { Cmd: ['sleep', '100'] }, { name: 'list-running' });
		const created = await create(subject, { Cmd: ['true'] }, { name: 'list-created' });
		const ids = async (options: Parameters<Subject['client']['containers']['list']>[0]): Promise<string[]> =>
			(await subject.client.containers.list(options)).map((container) => container.Id);
		assert.deepEqual(await ids({}), [running]);
		assert.deepEqual(await ids({ all: true }), [created, running, ended]);
		assert.deepEqual(await ids({ limit: 2 }), [created, running]);
		assert.deepEqual(await ids({ filters: { status: ['exited'] } }), [ended]);
		assert.deepEqual(await ids({ all: true, filters: { name: ['list-r'] } }), [running]);
		assert.deepEqual(await ids({ all: true, filters: { id: [created.slice(0, 12)] } }), [created]);
		assert.deepEqual(await ids({ all: true, filters: { exited: ['0'] } }), [ended]);
		assert.deepEqual(await ids({ all: true, filters: { status: ['created', 'exited'] } }), [created, ended]);
		assert.deepEqual(await ids({ all: true, filters: { ancestor: [subject.images.busybox.reference] } }), [
			created,
			running,
			ended,
		]);
		for (const id of [ended, running, created]) {
			await remove(subject, id);
		}
	});

	it('list by label: by name and by value', async () => {
		const subject = subjectOf();
		const one = await create(subject, { Cmd: ['true'], Labels: { team: 'a', tier: '' } });
		const two = await create(subject, { Cmd: ['true'], Labels: { team: 'b' } });
		const ids = async (label: readonly string[]): Promise<string[]> =>
			(await subject.client.containers.list({ all: true, filters: { label } })).map((container) => container.Id);
		assert.deepEqual(await ids(['team']), [two, one]);
		assert.deepEqual(await ids(['team=a']), [one]);
		assert.deepEqual(await ids(['team=a', 'tier']), [one]);
		assert.deepEqual(await ids(['team=a', 'team=b']), []);
		await remove(subject, one);
		await remove(subject, two);
	});

	it('a row: has what the views show', async () => {
		const subject = subjectOf();
		const id = await create(subject, { Cmd: ['sh', '-c', 'exit 3'], Labels: { a: '1' } }, { name: 'row' });
		const rowOf = async (): Promise<object> => {
			const row = (await subject.client.containers.list({ all: true })).find((container) => container.Id === id);
			const { Names, Image, ImageID, Command, State, Status, Labels, HostConfig } =
				row ?? assert.fail('not listed');
			return { Names, Image, ImageID, Command, State, Status, Labels, HostConfig };
		};
		const common = {
			Names: ['/row'],
			Image: subject.images.busybox.reference,
			ImageID: subject.images.busybox.fixture.id,
			Command: "sh -c 'exit 3'",
			Labels: { a: '1' },
			HostConfig: { NetworkMode: 'none' },
		};
		assert.deepEqual(await rowOf(), { ...common, State: 'created', Status: 'Created' });
		await startAndFinish(subject, id);
		const ended = await rowOf();
		assert.deepEqual(ended, { ...common, State: 'exited', Status: 'Status' in ended ? ended.Status : '' });
		assert.match(
			'Status' in ended ? String(ended.Status) : '',
			/^Exited \(3\) (Less than a second|\d+ seconds?) ago$/,
		);
		await remove(subject, id);
	});

	it('size: what it has written, and that with its image; nothing unless asked for', async () => {
		const subject = subjectOf();
		const script = 'head -c 100000 /dev/zero >/a; ln /a /b; mkdir /c; ln -s /a /d';
		const { id } = await run(subject, { Cmd: ['sh', '-c', script] }, { name: 'sized', keep: true });
		const fresh = await create(subject, { Cmd: ['true'] }, { name: 'fresh' });
		const { containers, images } = subject.client;
		const { Size } = await images.inspect(subject.images.busybox.reference);
		const sizes = new Map((await containers.list({ all: true, size: true })).map((row) => [row.Id, row]));
		assert.deepEqual([sizes.get(id)?.SizeRw, sizes.get(id)?.SizeRootFs], [100_002, Size + 100_002]);
		// Docker leaves a zero out.
		assert.deepEqual([sizes.get(fresh)?.SizeRw ?? 0, sizes.get(fresh)?.SizeRootFs], [0, Size]);
		const { SizeRw, SizeRootFs } = await containers.inspect(id, { size: true });
		assert.deepEqual([SizeRw, SizeRootFs], [100_002, Size + 100_002]);
		const [plain] = await containers.list({ all: true });
		assert.deepEqual([plain?.SizeRw, (await containers.inspect(id)).SizeRw], [undefined, undefined]);
		await remove(subject, id);
		await remove(subject, fresh);
	});

	it('inspect: says how it was made and how it is', async () => {
		const subject = subjectOf();
		const id = await launch(
			subject,
			{
				Image: subject.images.app.reference,
				Entrypoint: ['sleep'],
				Cmd: ['100'],
				Labels: { own: 'x' },
				Env: ['A=1'],
				Hostname: 'there',
				HostConfig: { Memory: 32 * 1024 * 1024, CapAdd: ['NET_ADMIN'], ReadonlyRootfs: true },
			},
			{ name: 'inspected' },
		);
		const container: ContainerInspect = await subject.client.containers.inspect('inspected');
		const { Config, HostConfig, State } = container;
		assert.deepEqual(
			{
				id: container.Id,
				name: container.Name,
				path: container.Path,
				args: container.Args,
				image: container.Image,
				platform: container.Platform,
				restarts: container.RestartCount,
				config: {
					Image: Config.Image,
					Hostname: Config.Hostname,
					User: Config.User,
					Env: Config.Env,
					Entrypoint: Config.Entrypoint,
					Cmd: Config.Cmd,
					WorkingDir: Config.WorkingDir,
					Labels: Config.Labels,
					StopSignal: Config.StopSignal,
					ExposedPorts: Config.ExposedPorts,
					Tty: Config.Tty,
					OpenStdin: Config.OpenStdin,
				},
				host: {
					NetworkMode: HostConfig.NetworkMode,
					Memory: HostConfig.Memory,
					CapAdd: HostConfig.CapAdd?.map((name) => name.replace(/^CAP_/, '')),
					ReadonlyRootfs: HostConfig.ReadonlyRootfs,
					AutoRemove: HostConfig.AutoRemove,
					Log: HostConfig.LogConfig?.Type,
				},
				state: { ...State, Pid: State.Pid > 1, StartedAt: '', Health: undefined },
			},
			{
				id,
				name: '/inspected',
				path: 'sleep',
				args: ['100'],
				image: subject.images.app.fixture.id,
				platform: 'linux',
				restarts: 0,
				config: {
					Image: subject.images.app.reference,
					Hostname: 'there',
					User: 'demo',
					Env: ['A=1', `PATH=${defaultPath}`, 'FLAVOUR=plain', 'EMPTY='],
					Entrypoint: ['sleep'],
					Cmd: ['100'],
					WorkingDir: '/srv/work',
					Labels: { own: 'x', maker: 'fixture', 'org.example.two words': 'a=b' },
					StopSignal: 'SIGUSR1',
					ExposedPorts: { '8080/tcp': {}, '53/udp': {} },
					Tty: false,
					OpenStdin: false,
				},
				host: {
					NetworkMode: 'none',
					Memory: 32 * 1024 * 1024,
					CapAdd: ['NET_ADMIN'],
					ReadonlyRootfs: true,
					AutoRemove: false,
					Log: 'json-file',
				},
				state: {
					Status: 'running',
					Running: true,
					Paused: false,
					Restarting: false,
					OOMKilled: false,
					Dead: false,
					Pid: true,
					ExitCode: 0,
					Error: '',
					StartedAt: '',
					FinishedAt: '0001-01-01T00:00:00Z',
					Health: undefined,
				},
			},
		);
		assert.ok(nanoseconds(container.Created) <= nanoseconds(State.StartedAt), 'made before it was started');
		await remove(subject, id);
	});
}

function eventCases(subjectOf: () => Subject): void {
	it('a life: is announced in order, with what one must know', async () => {
		const subject = subjectOf();
		const controller = new AbortController();
		const seen: { action: string; code: string | undefined; name: string | undefined }[] = [];
		const image = subject.images.busybox.reference;
		const reader = (async () => {
			const events = subject.client.events({ filters: { type: ['container'] }, signal: controller.signal });
			for await (const event of events) {
				const attributes = event.Actor.Attributes ?? {};
				if (attributes['team'] === 'events') {
					assert.equal(attributes['image'], image);
					seen.push({
						action: event.Action,
						code: attributes['exitCode'] ?? attributes['signal'],
						name: attributes['name'],
					});
				}
			}
		})();
		await delay(200);
		const id = await create(
			subject,
			{ Cmd: ['sh', '-c', POLITE], Labels: { team: 'events' } },
			{ name: 'evented' },
		);
		await subject.client.containers.start(id);
		await until('it is ready', async () => (await logsOf(subject, id)).stdout === 'ready\n');
		await subject.client.containers.rename(id, 'renamed');
		await subject.client.containers.stop(id);
		await subject.client.containers.start(id);
		await subject.client.containers.kill(id);
		const { exit } = await subject.client.containers.wait(id);
		await exit;
		await subject.client.containers.remove(id);
		await until('the last event', () => seen.some(({ action }) => action === 'destroy'));
		controller.abort();
		await within('the end of the events', 2000, reader);
		assert.deepEqual(
			seen.map(({ action, code, name }) => `${action} ${name ?? ''}${code === undefined ? '' : ` ${code}`}`),
			[
				'create evented',
				'start evented',
				'rename renamed',
				'kill renamed 15',
				'die renamed 5',
				'stop renamed',
				'start renamed',
				'kill renamed 9',
				'die renamed 137',
				'destroy renamed',
			],
		);
	});

	it('since and until: give the past and end', async () => {
		const subject = subjectOf();
		const since = String(Math.floor(Date.now() / 1000) - 1);
		const { id } = await run(subject, { Cmd: ['true'] });
		const actions: string[] = [];
		const events = subject.client.events({
			since,
			// A little later than now: the last event may bear a time of this very millisecond.
			until: (Date.now() / 1000 + 0.05).toFixed(3),
			filters: { container: [id] },
		});
		for await (const event of events) {
			actions.push(event.Action);
		}
		assert.deepEqual(actions, ['create', 'start', 'die', 'destroy']);
	});
}
