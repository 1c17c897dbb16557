import * as fs from 'node:fs';
import type { ContainerConfig, Mount } from '../types';
import { containerCapabilities } from './capabilities';
import { cgroupPath } from './cgroup';
import { defaultSeccomp, type Seccomp } from './seccomp';
import type { User } from './user';

/** The part of the OCI runtime-spec's config.json that we write. */
export interface Spec {
	readonly ociVersion: string;
	readonly process: {
		readonly terminal: boolean;
		readonly user: { readonly uid: number; readonly gid: number; readonly additionalGids: readonly number[] };
		readonly args: readonly string[];
		readonly env: readonly string[];
		readonly cwd: string;
		readonly capabilities: Readonly<Record<string, readonly string[]>>;
		readonly noNewPrivileges: boolean;
		readonly oomScoreAdj?: number;
	};
	readonly root: { readonly path: string; readonly readonly: boolean };
	readonly hostname: string;
	readonly mounts: readonly SpecMount[];
	readonly annotations: Readonly<Record<string, string>>;
	readonly linux: {
		readonly namespaces: readonly { readonly type: string; readonly path?: string }[];
		readonly resources: Readonly<Record<string, unknown>>;
		readonly cgroupsPath: string;
		readonly rootfsPropagation: string;
		readonly maskedPaths: readonly string[];
		readonly readonlyPaths: readonly string[];
		readonly sysctl: Readonly<Record<string, string>>;
		readonly seccomp?: Seccomp;
	};
}

export interface SpecMount {
	readonly destination: string;
	readonly type: string;
	readonly source: string;
	readonly options: readonly string[];
}

export interface SpecOptions {
	readonly id: string;
	readonly config: ContainerConfig;
	readonly annotations: Readonly<Record<string, string>>;
	/** Where the shim mounts the root. */
	readonly merged: string;
	/** Folder with the container's hosts, hostname and resolv.conf. */
	readonly etc: string;
	readonly user: User;
	readonly machine: Machine;
	readonly network: SpecNetwork;
}

/** The network namespace: the host's, a new empty one, one that the shim makes, or that of another container. */
export type SpecNetwork =
	{ readonly kind: 'host' | 'none' } | { readonly kind: 'own' | 'shared'; readonly namespace: string };

/** What the spec needs to know of this machine. */
export interface Machine {
	readonly cgroupVersion: 1 | 2;
	/** The kernel can limit swap. */
	readonly canLimitSwap: boolean;
}

export const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

// Docker's list, with what newer versions added after CVE-2025-31133 and for side channels (interrupts, powercap).
const MASKED_PATHS = [
	...['/proc/acpi', '/proc/asound', '/proc/interrupts', '/proc/kcore', '/proc/keys', '/proc/latency_stats'],
	...['/proc/sched_debug', '/proc/scsi', '/proc/timer_list', '/proc/timer_stats'],
	...['/sys/devices/virtual/powercap', '/sys/firmware'],
];
const READONLY_PATHS = ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'];

// [allow, major, minor]: zero, null, urandom, random, tty, console; never fuse. The runtime adds ptys.
const DEVICES: readonly (readonly [boolean, number, number])[] = [
	...([
		[true, 1, 5],
		[true, 1, 3],
		[true, 1, 9],
		[true, 1, 8],
		[true, 5, 0],
		[true, 5, 1],
	] as const),
	[false, 10, 229],
];

/** Microseconds, docker's default CFS period. */
const CPU_PERIOD = 100_000;

/** The runtime-spec document of a container, with docker's defaults (compared with one that dockerd 20.10 wrote). */
export function containerSpec(options: SpecOptions): Spec {
	const { config, user, machine } = options;
	const capabilities = containerCapabilities(config);
	// The kernel gives an ordinary user's program no capabilities at exec; docker leaves the sets out as well.
	const effective = user.uid === 0 ? capabilities : [];
	return {
		ociVersion: '1.0.2',
		process: {
			terminal: config.tty,
			user: { uid: user.uid, gid: user.gid, additionalGids: user.additionalGids },
			args: [...config.entrypoint, ...config.command],
			env: containerEnvironment(config, user.home),
			cwd: config.working_dir === '' ? '/' : config.working_dir,
			// Never an inheritable set (CVE-2022-24769).
			capabilities: { bounding: capabilities, effective, permitted: effective, inheritable: [], ambient: [] },
			noNewPrivileges: false,
			oomScoreAdj: 0,
		},
		root: { path: options.merged, readonly: config.read_only },
		hostname: config.hostname,
		mounts: mounts(config, options.etc),
		annotations: options.annotations,
		linux: {
			namespaces: namespaces(config, options),
			resources: resources(config, machine),
			cgroupsPath: cgroupPath(options.id),
			rootfsPropagation: 'rprivate',
			maskedPaths: config.privileged ? [] : MASKED_PATHS,
			readonlyPaths: config.privileged ? [] : READONLY_PATHS,
			// A network namespace of its own can let everybody ping and bind low ports, as docker does.
			sysctl:
				options.network.kind === 'host' || options.network.kind === 'shared'
					? {}
					: { 'net.ipv4.ip_unprivileged_port_start': '0', 'net.ipv4.ping_group_range': '0 2147483647' },
			...(config.privileged ? {} : { seccomp: defaultSeccomp(capabilities) }),
		},
	};
}

/**
 * PATH and HOSTNAME first (TERM with a terminal), overridden and extended by name; "NAME" without "=" takes a variable
 * away. HOME comes from passwd when nobody has set it.
 */
export function containerEnvironment(
	config: Pick<ContainerConfig, 'env' | 'hostname' | 'tty'>,
	home: string,
): readonly string[] {
	const base = [`PATH=${DEFAULT_PATH}`, `HOSTNAME=${config.hostname}`, ...(config.tty ? ['TERM=xterm'] : [])];
	const merged = mergeEnvironment(base, config.env);
	return merged.some((variable) => variable.startsWith('HOME=')) ? merged : [...merged, `HOME=${home}`];
}

/** `base` with the variables of `changes` replaced in place, added at the end, or removed ("NAME"). */
export function mergeEnvironment(base: readonly string[], changes: readonly string[]): string[] {
	const variables = new Map(base.map((variable) => [nameOf(variable), variable]));
	for (const variable of changes) {
		if (variable.includes('=')) {
			variables.set(nameOf(variable), variable);
		} else {
			variables.delete(variable);
		}
	}
	return [...variables.values()];
}

function nameOf(variable: string): string {
	return variable.split('=', 1)[0] ?? '';
}

function mounts(config: ContainerConfig, etc: string): SpecMount[] {
	const sys = config.privileged ? 'rw' : 'ro';
	const own = [
		mount('/proc', 'proc', 'proc', 'nosuid,noexec,nodev'),
		mount('/dev', 'tmpfs', 'tmpfs', 'nosuid,strictatime,mode=755,size=65536k'),
		mount('/dev/pts', 'devpts', 'devpts', 'nosuid,noexec,newinstance,ptmxmode=0666,mode=0620,gid=5'),
		mount('/sys', 'sysfs', 'sysfs', `nosuid,noexec,nodev,${sys}`),
		mount('/sys/fs/cgroup', 'cgroup', 'cgroup', `${sys},nosuid,noexec,nodev`),
		mount('/dev/mqueue', 'mqueue', 'mqueue', 'nosuid,noexec,nodev'),
		mount('/dev/shm', 'tmpfs', 'shm', 'nosuid,noexec,nodev,mode=1777,size=67108864'),
		...['resolv.conf', 'hostname', 'hosts'].map((name) =>
			mount(`/etc/${name}`, 'bind', `${etc}/${name}`, 'rbind,rprivate'),
		),
	];
	const asked = config.mounts.map((item) => (item.type === 'bind' ? bindMount(item) : tmpfsMount(item)));
	const replaced = new Set(asked.map((item) => item.destination));
	// A parent comes before what is mounted inside it; sort keeps the order of equals.
	return [...own.filter((item) => !replaced.has(item.destination)), ...asked].sort(
		(a, b) => depth(a.destination) - depth(b.destination),
	);
}

function mount(destination: string, type: string, source: string, options: string): SpecMount {
	return { destination, type, source, options: options.split(',') };
}

function bindMount(item: Mount): SpecMount {
	const mode = item.read_only ? ['ro'] : [];
	const propagation = item.options ?? ['rprivate'];
	return {
		destination: item.destination,
		type: 'bind',
		source: item.source,
		options: ['rbind', ...mode, ...propagation],
	};
}

/** A user's "exec", "suid" or "dev" takes the place of the careful default. */
function tmpfsMount(item: Mount): SpecMount {
	const asked = item.options ?? [];
	const careful = ['noexec', 'nosuid', 'nodev'].filter((option) => !asked.includes(option.slice(2)));
	const mode = item.read_only ? ['ro'] : [];
	const options = [...new Set([...careful, ...mode, ...asked, 'rprivate'])];
	return { destination: item.destination, type: 'tmpfs', source: 'tmpfs', options };
}

function depth(destination: string): number {
	return destination.split('/').filter((name) => name !== '').length;
}

function namespaces(
	config: ContainerConfig,
	{ machine, network }: Pick<SpecOptions, 'machine' | 'network'>,
): { type: string; path?: string }[] {
	const types = ['mount', 'uts', 'pid', 'ipc'];
	// Docker's default: a private cgroup namespace on version 2, the host's on version 1.
	if (machine.cgroupVersion === 2 && !config.privileged) {
		types.push('cgroup');
	}
	const own =
		network.kind === 'host'
			? []
			: [{ type: 'network', ...('namespace' in network ? { path: network.namespace } : {}) }];
	return [...types.map((type) => ({ type })), ...own];
}

function resources(config: ContainerConfig, machine: Machine): Record<string, unknown> {
	const { cpu, memory, pids } = config.resources;
	return {
		devices: config.privileged
			? [{ allow: true, access: 'rwm' }]
			: [
					{ allow: false, access: 'rwm' },
					...DEVICES.map(([allow, major, minor]) => ({ allow, type: 'c', major, minor, access: 'rwm' })),
				],
		...(memory > 0 ? { memory: { limit: memory, ...(machine.canLimitSwap ? { swap: memory * 2 } : {}) } } : {}),
		...(cpu > 0 ? { cpu: { quota: Math.round(cpu * CPU_PERIOD), period: CPU_PERIOD } } : {}),
		...(pids > 0 ? { pids: { limit: pids } } : {}),
	};
}

/** Looks at this machine's cgroups; opens no program. */
export function machine(): Machine {
	if (fs.existsSync('/sys/fs/cgroup/cgroup.controllers')) {
		// The root group has no such file, so look at our own and at systemd's.
		const own = /^0::(.*)$/m.exec(fs.readFileSync('/proc/self/cgroup', 'utf8'))?.[1] ?? '';
		const groups = [own, '/system.slice'].map((group) => `/sys/fs/cgroup${group}/memory.swap.max`);
		return { cgroupVersion: 2, canLimitSwap: groups.some((file) => fs.existsSync(file)) };
	}
	return { cgroupVersion: 1, canLimitSwap: fs.existsSync('/sys/fs/cgroup/memory/memory.memsw.limit_in_bytes') };
}
