import assert from 'node:assert/strict';
import {
	containerEnvironment,
	containerSpec,
	mergeEnvironment,
	type Machine,
	type SpecNetwork,
} from '../../../src/core/container/spec';
import { INITIAL } from '../../../src/core/user-namespace';
import type { ContainerConfig } from '../../../src/core/types';

const CONFIG: ContainerConfig = {
	image: 'busybox',
	command: ['-c', 'sleep 100'],
	entrypoint: ['/bin/sh'],
	env: ['A=1'],
	working_dir: '/work',
	user: '',
	hostname: '059ae0ccc951',
	tty: false,
	open_stdin: false,
	stdin_once: false,
	stop_signal: 'SIGTERM',
	stop_timeout: 10,
	resources: { cpu: 0, memory: 0, pids: 0 },
	network: {
		mode: 'none',
		endpoints: [],
		ports: [],
		publish_all: false,
		exposed_ports: [],
		dns: { servers: [], search: [], options: [] },
	},
	log_config: { type: 'json-file', options: {} },
	mounts: [],
	read_only: false,
	privileged: false,
	cap_add: [],
	cap_drop: [],
	auto_remove: false,
	extra_hosts: [],
};

const CAPABILITIES = [
	...[
		'CAP_CHOWN',
		'CAP_DAC_OVERRIDE',
		'CAP_FSETID',
		'CAP_FOWNER',
		'CAP_MKNOD',
		'CAP_NET_RAW',
		'CAP_SETGID',
		'CAP_SETUID',
	],
	...['CAP_SETFCAP', 'CAP_SETPCAP', 'CAP_NET_BIND_SERVICE', 'CAP_SYS_CHROOT', 'CAP_KILL', 'CAP_AUDIT_WRITE'],
];

const MACHINE: Machine = { cgroupVersion: 1, canLimitSwap: true, hasCgroups: true, userNamespace: INITIAL };

function spec(
	changes: Partial<ContainerConfig> = {},
	machine: Machine = MACHINE,
	uid = 0,
	network: SpecNetwork = { kind: 'none' },
) {
	return containerSpec({
		id: 'f'.repeat(64),
		config: { ...CONFIG, ...changes },
		annotations: { note: 'x' },
		merged: '/store/containers/f/merged',
		etc: '/store/containers/f/etc',
		network,
		user: { uid, gid: uid, additionalGids: [uid], home: '/root' },
		machine,
	});
}

const device = (allow: boolean, major: number, minor: number) => ({ allow, type: 'c', major, minor, access: 'rwm' });

describe('container spec', () => {
	it("default: is docker's (compared with the config.json that dockerd 20.10.24 wrote)", () => {
		const { linux, ...rest } = spec();
		const { seccomp, ...others } = linux;
		assert.equal(seccomp?.defaultAction, 'SCMP_ACT_ERRNO');
		assert.deepEqual(
			{ ...rest, linux: others },
			{
				ociVersion: '1.0.2',
				process: {
					terminal: false,
					user: { uid: 0, gid: 0, additionalGids: [0] },
					args: ['/bin/sh', '-c', 'sleep 100'],
					env: [
						'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
						'HOSTNAME=059ae0ccc951',
						'A=1',
						'HOME=/root',
					],
					cwd: '/work',
					capabilities: {
						bounding: CAPABILITIES,
						effective: CAPABILITIES,
						permitted: CAPABILITIES,
						inheritable: [],
						ambient: [],
					},
					noNewPrivileges: false,
					oomScoreAdj: 0,
				},
				root: { path: '/store/containers/f/merged', readonly: false },
				hostname: '059ae0ccc951',
				mounts: [
					{ destination: '/proc', type: 'proc', source: 'proc', options: ['nosuid', 'noexec', 'nodev'] },
					{
						destination: '/dev',
						type: 'tmpfs',
						source: 'tmpfs',
						options: ['nosuid', 'strictatime', 'mode=755', 'size=65536k'],
					},
					{
						destination: '/sys',
						type: 'sysfs',
						source: 'sysfs',
						options: ['nosuid', 'noexec', 'nodev', 'ro'],
					},
					{
						destination: '/dev/pts',
						type: 'devpts',
						source: 'devpts',
						options: ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620', 'gid=5'],
					},
					{
						destination: '/dev/mqueue',
						type: 'mqueue',
						source: 'mqueue',
						options: ['nosuid', 'noexec', 'nodev'],
					},
					{
						destination: '/dev/shm',
						type: 'tmpfs',
						source: 'shm',
						options: ['nosuid', 'noexec', 'nodev', 'mode=1777', 'size=67108864'],
					},
					...['resolv.conf', 'hostname', 'hosts'].map((name) => ({
						destination: `/etc/${name}`,
						type: 'bind',
						source: `/store/containers/f/etc/${name}`,
						options: ['rbind', 'rprivate'],
					})),
					{
						destination: '/sys/fs/cgroup',
						type: 'cgroup',
						source: 'cgroup',
						options: ['ro', 'nosuid', 'noexec', 'nodev'],
					},
				],
				annotations: { note: 'x' },
				linux: {
					namespaces: ['mount', 'uts', 'pid', 'ipc', 'network'].map((type) => ({ type })),
					resources: {
						devices: [
							{ allow: false, access: 'rwm' },
							...[device(true, 1, 5), device(true, 1, 3), device(true, 1, 9), device(true, 1, 8)],
							...[device(true, 5, 0), device(true, 5, 1), device(false, 10, 229)],
						],
					},
					cgroupsPath: `/mydocker/${'f'.repeat(64)}`,
					rootfsPropagation: 'rprivate',
					maskedPaths: [
						'/proc/acpi',
						'/proc/asound',
						'/proc/interrupts',
						'/proc/kcore',
						'/proc/keys',
						'/proc/latency_stats',
						'/proc/sched_debug',
						'/proc/scsi',
						'/proc/timer_list',
						'/proc/timer_stats',
						'/sys/devices/virtual/powercap',
						'/sys/firmware',
					],
					readonlyPaths: ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'],
					sysctl: { 'net.ipv4.ip_unprivileged_port_start': '0', 'net.ipv4.ping_group_range': '0 2147483647' },
				},
			},
		);
	});

	it('an ordinary user: has the capabilities in the bounding set only', () => {
		const { capabilities } = spec({}, undefined, 1000).process;
		assert.deepEqual(capabilities, {
			bounding: CAPABILITIES,
			effective: [],
			permitted: [],
			inheritable: [],
			ambient: [],
		});
	});

	it("network host: shares the host's network namespace and leaves its settings alone", () => {
		const { namespaces, sysctl } = spec({}, undefined, 0, { kind: 'host' }).linux;
		assert.deepEqual([namespaces.map(({ type }) => type), sysctl], [['mount', 'uts', 'pid', 'ipc'], {}]);
	});

	it("another container's network: joins its namespace and leaves its settings alone", () => {
		const { namespaces, sysctl } = spec({}, undefined, 0, { kind: 'shared', namespace: '/proc/7/ns/net' }).linux;
		assert.deepEqual([namespaces.at(-1), sysctl], [{ type: 'network', path: '/proc/7/ns/net' }, {}]);
	});

	it('cgroup version 2: has a cgroup namespace of its own', () => {
		const { namespaces } = spec({}, { ...MACHINE, cgroupVersion: 2 }).linux;
		assert.equal(namespaces.filter(({ type }) => type === 'cgroup').length, 1);
	});

	it('limits: memory with as much swap, CPU quota, processes', () => {
		const { devices, ...limits } = spec({ resources: { cpu: 0.5, memory: 67108864, pids: 9 } }).linux.resources;
		assert.ok(Array.isArray(devices));
		assert.deepEqual(limits, {
			memory: { limit: 67108864, swap: 134217728 },
			cpu: { quota: 50000, period: 100000 },
			pids: { limit: 9 },
		});
	});

	it('memory where the kernel cannot limit swap: leaves swap out', () => {
		const { memory } = spec(
			{ resources: { cpu: 0, memory: 67108864, pids: 0 } },
			{ ...MACHINE, canLimitSwap: false },
		).linux.resources;
		assert.deepEqual(memory, { limit: 67108864 });
	});

	it('privileged: nothing masked, no seccomp, all devices, a writable /sys', () => {
		const { linux, mounts } = spec({ privileged: true });
		assert.deepEqual(
			[linux.maskedPaths, linux.readonlyPaths, linux.seccomp, linux.resources['devices']],
			[[], [], undefined, [{ allow: true, access: 'rwm' }]],
		);
		assert.ok(mounts.find(({ destination }) => destination === '/sys')?.options.includes('rw'));
	});

	it('mounts: parents come first, and take the place of a default', () => {
		const { mounts } = spec({
			mounts: [
				{ type: 'bind', source: '/b', destination: '/data/in/side', read_only: true },
				{ type: 'tmpfs', source: '', destination: '/data', read_only: false, options: ['size=1m', 'exec'] },
				{ type: 'bind', source: '/my/hosts', destination: '/etc/hosts', read_only: false },
			],
		});
		const asked = mounts.filter(({ destination }) => /^\/(data|etc\/hosts)/.test(destination));
		assert.deepEqual(asked, [
			{
				destination: '/data',
				type: 'tmpfs',
				source: 'tmpfs',
				options: ['nosuid', 'nodev', 'size=1m', 'exec', 'rprivate'],
			},
			{ destination: '/etc/hosts', type: 'bind', source: '/my/hosts', options: ['rbind', 'rprivate'] },
			{ destination: '/data/in/side', type: 'bind', source: '/b', options: ['rbind', 'ro', 'rprivate'] },
		]);
	});

	it('read_only: makes the root read-only', () => {
		assert.equal(spec({ read_only: true }).root.readonly, true);
	});
});

describe('environment', () => {
	it('a variable: replaces one of its name in place, is added, or taken away', () => {
		assert.deepEqual(mergeEnvironment(['A=1', 'B=2', 'C=3'], ['B=x=y', 'D=', 'A']), ['B=x=y', 'C=3', 'D=']);
	});

	it('HOME: is the one of passwd unless given, TERM comes with a terminal', () => {
		const base = { hostname: 'h', tty: true };
		assert.deepEqual(containerEnvironment({ ...base, env: ['PATH=/bin'] }, '/home/u'), [
			'PATH=/bin',
			'HOSTNAME=h',
			'TERM=xterm',
			'HOME=/home/u',
		]);
		assert.ok(containerEnvironment({ ...base, env: ['HOME=/x'] }, '/home/u').includes('HOME=/x'));
	});
});
