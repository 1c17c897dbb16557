import * as assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as os from 'node:os';
import type { HostConfigJson } from '../../src/api/types';
import { bodyOf, create, launch, refused, remove, run, shell } from './run';
import { hostFolder, type Subject } from './subject';

const MEBIBYTE = 1024 * 1024;
const cpus = os.cpus().length;

/** What a container may share with the host, may use of it and may do: docker's words for what makes no sense. */
export function optionCases(subjectOf: () => Subject): void {
	describe('run options', () => {
		describe('refused', () => {
			refusalCases(subjectOf);
		});
		describe('limits', () => {
			limitCases(subjectOf);
		});
		describe('sharing', () => {
			sharingCases(subjectOf);
		});
		describe('rights', () => {
			rightCases(subjectOf);
		});
		describe('inspect', () => {
			inspectCases(subjectOf);
		});
	});
}

function refusalCases(subjectOf: () => Subject): void {
	const refusals: [string, HostConfigJson, RegExp][] = [
		['little memory', { Memory: MEBIBYTE }, /Minimum memory limit allowed is 6MB/],
		[
			'less swap than memory',
			{ Memory: 64 * MEBIBYTE, MemorySwap: 32 * MEBIBYTE },
			/Minimum memoryswap limit should be larger than memory limit, see usage/,
		],
		[
			'swap without memory',
			{ MemorySwap: 64 * MEBIBYTE },
			/You should always set the Memory limit when using Memoryswap limit, see usage/,
		],
		[
			'a reservation above the limit',
			{ Memory: 32 * MEBIBYTE, MemoryReservation: 64 * MEBIBYTE },
			/Minimum memory limit can not be less than memory reservation limit, see usage/,
		],
		['too many processors', { NanoCpus: (cpus + 1) * 1e9 }, /Range of CPUs is from 0\.01 to \d+\.00/],
		['a quota with cpus', { NanoCpus: 1e9, CpuQuota: 5000 }, /Nano CPUs and CPU Quota cannot both be set/],
		['a short period', { CpuPeriod: 10 }, /CPU cfs period can not be less than 1ms/],
		['a short quota', { CpuQuota: 10 }, /CPU cfs quota can not be less than 1ms/],
		[
			'processors that are not there',
			{ CpusetCpus: '0-99' },
			/Requested CPUs are not available - requested 0-99, available: /,
		],
		['a set that is none', { CpusetCpus: 'zero' }, /Invalid value zero for cpuset cpus/],
		['memory nodes that are not there', { CpusetMems: '77' }, /Requested memory nodes are not available/],
		[
			'a score out of range',
			{ OomScoreAdj: 1001 },
			/Invalid value 1001, range for oom score adj is \[-1000, 1000\]/,
		],
		['a negative shared memory', { ShmSize: -1 }, /SHM size can not be less than 0/],
		['an unknown runtime', { Runtime: 'nosuch' }, /[Uu]nknown runtime specified nosuch/],
	];
	for (const [what, HostConfig, message] of refusals) {
		it(`${what}: is refused with docker's words`, async () => {
			const subject = subjectOf();
			await refused(
				subject.client.containers.create(bodyOf(subject, { Cmd: ['true'], HostConfig })),
				400,
				message,
			);
		});
	}

	it('an unknown security option: is refused', async () => {
		const subject = subjectOf();
		for (const SecurityOpt of [['nosuch'], ['nosuch=1'], ['no-new-privileges=maybe']]) {
			const body = bodyOf(subject, { Cmd: ['true'], HostConfig: { SecurityOpt } });
			const creation = subject.client.containers.create(body);
			await assert.rejects(creation, /invalid --security-opt [12]: "/);
		}
	});

	it('a device that is not there: keeps the container from starting', async () => {
		const subject = subjectOf();
		const Devices = [{ PathOnHost: '/dev/nosuch', PathInContainer: '/dev/nosuch', CgroupPermissions: 'rwm' }];
		const id = await create(subject, { Cmd: ['true'], HostConfig: { Devices } });
		await assert.rejects(
			subject.client.containers.start(id),
			/error gathering device information while adding custom device "\/dev\/nosuch": no such file or directory/,
		);
		await remove(subject, id);
	});

	it('volumes of a container that is not there: are refused', async () => {
		const subject = subjectOf();
		const body = bodyOf(subject, { Cmd: ['true'], HostConfig: { VolumesFrom: ['nosuch'] } });
		await assert.rejects(subject.client.containers.create(body), /No such container: nosuch/);
	});
}

function limitCases(subjectOf: () => Subject): void {
	it('ulimit: holds inside', async () => {
		const Ulimits = [
			{ Name: 'nofile', Soft: 100, Hard: 200 },
			{ Name: 'core', Soft: 0, Hard: 0 },
		];
		const { stdout } = await shell(subjectOf(), 'ulimit -Sn; ulimit -Hn; ulimit -c', { Ulimits });
		assert.equal(stdout, '100\n200\n0\n');
	});

	it('shared memory: has the size asked for', async () => {
		const { stdout } = await shell(subjectOf(), 'df -k /dev/shm | tail -1 | awk "{print \\$2}"', {
			ShmSize: 3 * MEBIBYTE,
		});
		assert.equal(stdout, '3072\n');
	});

	it('processors, weights and memory: are in the control groups', async function () {
		if (fs.existsSync('/sys/fs/cgroup/cgroup.controllers')) {
			this.skip();
		}
		const script = [
			'cpuset/cpuset.cpus cpu/cpu.shares cpu/cpu.cfs_quota_us cpu/cpu.cfs_period_us',
			'memory/memory.soft_limit_in_bytes memory/memory.memsw.limit_in_bytes pids/pids.max',
		]
			.join(' ')
			.split(' ')
			.map((file) => `cat /sys/fs/cgroup/${file}`)
			.join('; ');
		const { stdout } = await shell(subjectOf(), script, {
			...{ CpusetCpus: '0', CpuShares: 512, CpuQuota: 20_000, CpuPeriod: 50_000, PidsLimit: 33 },
			...{ Memory: 64 * MEBIBYTE, MemorySwap: 96 * MEBIBYTE, MemoryReservation: 32 * MEBIBYTE },
		});
		const expected = ['0', 512, 20_000, 50_000, 32 * MEBIBYTE, 96 * MEBIBYTE, 33];
		assert.equal(stdout, expected.map((value) => `${value}\n`).join(''));
	});

	it('oom score: is that of the first process', async () => {
		const { stdout } = await shell(subjectOf(), 'cat /proc/self/oom_score_adj', { OomScoreAdj: 500 });
		assert.equal(stdout, '500\n');
	});
}

function sharingCases(subjectOf: () => Subject): void {
	const link = (name: string): string => fs.readlinkSync(`/proc/self/ns/${name}`);

	for (const [option, name] of [
		['PidMode', 'pid'],
		['UTSMode', 'uts'],
		['IpcMode', 'ipc'],
	] as const) {
		it(`${option} "host": is the host's namespace, and otherwise one of its own`, async () => {
			const subject = subjectOf();
			const script = `readlink /proc/self/ns/${name}`;
			assert.equal((await shell(subject, script, { [option]: 'host' })).stdout.trim(), link(name));
			assert.notEqual((await shell(subject, script)).stdout.trim(), link(name));
		});
	}

	it('PidMode "container:": sees the processes of the other', async () => {
		const subject = subjectOf();
		const other = await launch(subject, { Cmd: ['sleep', '4321'] }, { name: 'pid-owner' });
		const { stdout } = await shell(subject, 'ps -o args', { PidMode: 'container:pid-owner' });
		assert.match(stdout, /sleep 4321/);
		await remove(subject, other);
	});

	it('IpcMode "container:": joins one that is shareable, its memory and its queues too', async () => {
		const subject = subjectOf();
		const host = { IpcMode: 'shareable', ShmSize: 3 * MEBIBYTE, NetworkMode: 'none' };
		const script = 'echo shared >/dev/shm/file; sleep 60';
		const donor = await launch(subject, { Cmd: ['sh', '-c', script], HostConfig: host }, { name: 'ipc-owner' });
		const joined = [
			'until cat /dev/shm/file 2>/dev/null; do sleep 0.1; done; df -k /dev/shm | tail -1 | awk "{print \\$2}"',
			'mount | grep -c " on /dev/mqueue type mqueue"; readlink /proc/self/ns/ipc; echo back >/dev/shm/other',
		].join('; ');
		const { stdout } = await shell(subject, joined, { IpcMode: 'container:ipc-owner' });
		const { State } = await subject.client.containers.inspect(donor);
		assert.equal(stdout, `shared\n3072\n1\n${fs.readlinkSync(`/proc/${State.Pid}/ns/ipc`)}\n`);
		assert.equal(fs.readFileSync(`/proc/${State.Pid}/root/dev/shm/other`, 'utf8'), 'back\n');
		await subject.client.containers.restart(donor, { timeout: 0 });
		const again = await shell(subject, 'ls /dev/shm', { IpcMode: `container:${donor}` });
		assert.doesNotMatch(again.stdout, /other/);
		await subject.client.containers.stop(donor, { timeout: 0 });
		const late = shell(subject, 'true', { IpcMode: `container:${donor}` });
		await assert.rejects(late, /can't join IPC of container \w+: container \w+ is not running/);
		await remove(subject, donor);
	});

	it('IpcMode "container:" of one that does not share: is refused, "none" has no shared memory', async () => {
		const subject = subjectOf();
		for (const IpcMode of ['private', 'none']) {
			const donor = await launch(subject, { Cmd: ['sleep', '60'], HostConfig: { IpcMode, NetworkMode: 'none' } });
			const join = shell(subject, 'true', { IpcMode: `container:${donor}` });
			await assert.rejects(
				join,
				/can't join IPC of container \w+: non-shareable IPC \(hint: use IpcMode:shareable/,
			);
			await remove(subject, donor);
		}
		const missing = shell(subject, 'true', { IpcMode: 'container:nosuch' });
		await assert.rejects(missing, /No such container: nosuch/);
		await assert.rejects(shell(subject, 'true', { IpcMode: 'nosuch' }), /nvalid IPC mode: nosuch/);
		const { stdout } = await shell(subject, 'test -e /dev/shm || echo nothing', { IpcMode: 'none' });
		assert.equal(stdout, 'nothing\n');
	});

	it('volumes of another container: are there, read-only when asked, and lose to a mount of its own', async () => {
		const subject = subjectOf();
		const folder = hostFolder(subject);
		fs.writeFileSync(`${folder}/file`, 'bound');
		try {
			const donor = await create(subject, {
				Cmd: ['true'],
				HostConfig: { Binds: [`${folder}:/bound`, `${folder}:/other`] },
			});
			const { stdout, stderr } = await shell(
				subject,
				'cat /bound/file; touch /bound/new; ls /other; mount | grep -c " /other type tmpfs"',
				{ VolumesFrom: [`${donor}:ro`], Tmpfs: { '/other': '' } },
			);
			assert.equal(stdout, 'bound1\n');
			assert.match(stderr, /Read-only file system/);
			await remove(subject, donor);
		} finally {
			fs.rmSync(folder, { recursive: true });
		}
	});
}

function rightCases(subjectOf: () => Subject): void {
	it('a device: is there with the permissions asked for', async () => {
		const Devices = [{ PathOnHost: '/dev/zero', PathInContainer: '/dev/nought', CgroupPermissions: 'r' }];
		const { stdout } = await shell(subjectOf(), 'head -c 3 /dev/nought | od -An -tx1; stat -c %t,%T /dev/nought', {
			Devices,
		});
		assert.equal(stdout, ' 00 00 00\n1,5\n');
	});

	it('no-new-privileges: is set', async () => {
		const script = 'grep NoNewPrivs /proc/self/status';
		const { stdout } = await shell(subjectOf(), script, { SecurityOpt: ['no-new-privileges'] });
		assert.equal(stdout, 'NoNewPrivs:\t1\n');
	});

	it('seccomp unconfined, and a profile of its own: take the place of the default one', async () => {
		const subject = subjectOf();
		const mode = 'grep Seccomp: /proc/self/status';
		const { stdout } = await shell(subject, mode, { SecurityOpt: ['seccomp=unconfined'] });
		assert.equal(stdout, 'Seccomp:\t0\n');
		const profile = {
			defaultAction: 'SCMP_ACT_ALLOW',
			syscalls: [
				{ names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_ERRNO' },
				{ names: ['chmod', 'fchmodat'], action: 'SCMP_ACT_ERRNO', includes: { caps: ['CAP_SYS_TIME'] } },
				{ names: ['sethostname'], action: 'SCMP_ACT_ERRNO', excludes: { caps: ['CAP_CHOWN'] } },
			],
		};
		const script = 'mkdir /tmp/folder || echo refused; touch /tmp/file && chmod 600 /tmp/file && echo changed';
		const result = await shell(subject, script, { SecurityOpt: [`seccomp=${JSON.stringify(profile)}`] });
		assert.equal(result.stdout, 'refused\nchanged\n');
	});

	it('a profile that is none: is refused', async () => {
		const subject = subjectOf();
		const attempt = shell(subject, 'true', { SecurityOpt: ['seccomp={"nosuch'] });
		await assert.rejects(attempt, /[Dd]ecoding seccomp profile failed/);
	});

	it('groups: are the ones of the image, by name or number', async () => {
		const { stdout } = await shell(subjectOf(), 'id -G', { GroupAdd: ['4242', 'root'] });
		assert.deepEqual(stdout.trim().split(' ').sort(), ['0', '4242']);
	});

	it('sysctl: of a namespace is set, of the host refused', async () => {
		const subject = subjectOf();
		const { stdout } = await shell(subject, 'cat /proc/sys/kernel/shm_rmid_forced', {
			Sysctls: { 'kernel.shm_rmid_forced': '1' },
		});
		assert.equal(stdout, '1\n');
		await assert.rejects(
			shell(subject, 'true', { Sysctls: { 'kernel.panic': '1' } }),
			/sysctl ["']kernel\.panic["'] /,
		);
	});

	it('init: is the first process, and the exit code is that of the program', async () => {
		const result = await shell(subjectOf(), 'cat /proc/1/comm; exit 7', { Init: true });
		assert.deepEqual([result.stdout, result.exitCode], ['docker-init\n', 7]);
	});

	it('domain name: is the one asked for', async () => {
		const { stdout } = await run(subjectOf(), {
			Domainname: 'example.org',
			Cmd: ['cat', '/proc/sys/kernel/domainname'],
		});
		assert.equal(stdout, 'example.org\n');
	});
}

function inspectCases(subjectOf: () => Subject): void {
	it('every option: is shown as it was given', async () => {
		const subject = subjectOf();
		const host = {
			...{ CpuShares: 512, CpusetCpus: '0', CpuPeriod: 50_000, CpuQuota: 20_000 },
			...{ Memory: 64 * MEBIBYTE, MemorySwap: -1, MemoryReservation: 32 * MEBIBYTE, OomScoreAdj: 100 },
			Devices: [{ PathOnHost: '/dev/zero', PathInContainer: '/dev/nought', CgroupPermissions: 'r' }],
			DeviceCgroupRules: ['c 1:3 rwm'],
			Ulimits: [{ Name: 'nofile', Hard: 200, Soft: 100 }],
			Sysctls: { 'kernel.shm_rmid_forced': '1' },
			...{ GroupAdd: ['4242'], ShmSize: 3 * MEBIBYTE },
			...{ PidMode: 'host', UTSMode: 'host', IpcMode: 'host', UsernsMode: 'host' },
			...{ CgroupParent: '/parent', Init: true },
		};
		const id = await create(subject, { Cmd: ['true'], HostConfig: host });
		const { HostConfig } = await subject.client.containers.inspect(id);
		const shown = Object.fromEntries(Object.keys(host).map((name) => [name, HostConfig[name]]));
		assert.deepEqual(shown, host);
		await remove(subject, id);
	});

	it("no option: shows docker's defaults", async () => {
		const subject = subjectOf();
		const id = await create(subject, { Cmd: ['true'], HostConfig: { Memory: 64 * MEBIBYTE } });
		const { HostConfig: host } = await subject.client.containers.inspect(id);
		assert.deepEqual(
			[host['MemorySwap'], host['CpuShares'], host['ShmSize'], host['IpcMode'], host['PidMode']],
			[128 * MEBIBYTE, 0, 64 * MEBIBYTE, 'private', ''],
		);
		assert.deepEqual([host['Ulimits'], host['SecurityOpt'], host['VolumesFrom']], [null, null, null]);
		await remove(subject, id);
	});
}
