import * as fs from 'node:fs';
import type { ContainerConfig, IsolationConfig, Mount } from '../types';
import { userNamespace, type UserNamespace } from '../user-namespace';
import { containerCapabilities } from './capabilities';
import { cgroupPath, delegatedGroup, hasUnified } from './cgroup';
import { initProgram, parseSecurityOptions, specDevices, type SpecDevices } from './isolation';
import { runtimeResources } from './limits';
import { defaultSeccomp } from './seccomp';
import { parseSeccompProfile } from './seccomp-profile';
import type { User } from './user';

/** The part of runtime-spec's process that every process of a container has; `runc exec --process` reads it. */
export interface ProcessSpec {
	readonly terminal: boolean;
	readonly consoleSize?: { readonly height: number; readonly width: number };
	readonly user: { readonly uid: number; readonly gid: number; readonly additionalGids: readonly number[] };
	readonly args: readonly string[];
	readonly env: readonly string[];
	readonly cwd: string;
	readonly capabilities: Readonly<Record<string, readonly string[]>>;
	readonly noNewPrivileges: boolean;
}

/** The part of the OCI runtime-spec's config.json that we write. */
export interface Spec {
	readonly ociVersion: string;
	readonly process: ProcessSpec & {
		readonly oomScoreAdj?: number;
		readonly rlimits?: readonly { readonly type: string; readonly soft: number; readonly hard: number }[];
	};
	readonly root: { readonly path: string; readonly readonly: boolean };
	readonly hostname: string;
	readonly mounts: readonly SpecMount[];
	readonly annotations: Readonly<Record<string, string>>;
	readonly linux: {
		readonly namespaces: readonly { readonly type: string; readonly path?: string }[];
		readonly resources: Readonly<Record<string, unknown>>;
		readonly cgroupsPath?: string;
		readonly rootfsPropagation: string;
		readonly maskedPaths: readonly string[];
		readonly readonlyPaths: readonly string[];
		readonly sysctl: Readonly<Record<string, string>>;
		readonly seccomp?: { readonly defaultAction: string };
		readonly devices?: readonly object[];
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
	/** That of the container whose processes this one shall see. */
	readonly pidNamespace?: string | undefined;
	readonly ipc?: SharedIpc | undefined;
}

/** The network namespace: the host's, a new empty one, one that the shim makes, or that of another container. */
export type SpecNetwork =
	{ readonly kind: 'host' | 'none' } | { readonly kind: 'own' | 'shared'; readonly namespace: string };

/** Shared memory that is not the container's alone. */
export interface SharedIpc {
	/** Folder to be bound to /dev/shm. */
	readonly memory: string;
	/** Of the container that it is shared with. */
	readonly namespace?: string;
}

/** What the spec needs to know of this machine. */
export interface Machine {
	readonly cgroupVersion: 1 | 2;
	/** The kernel can limit swap. */
	readonly canLimitSwap: boolean;
	/** The engine may make control groups; else nothing can be limited. */
	readonly hasCgroups: boolean;
	readonly userNamespace: UserNamespace;
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

/** Where docker puts the init process of --init. */
const INIT_PATH = '/sbin/docker-init';

/** Bytes of /dev/shm. */
export const DEFAULT_SHM_SIZE = 67_108_864;

/** The runtime-spec document of a container, with docker's defaults (compared with one that dockerd 20.10 wrote). */
export function containerSpec(options: SpecOptions): Spec {
	const { config, user, machine } = options;
	const capabilities = containerCapabilities(config);
	// The kernel gives an ordinary user's program no capabilities at exec; docker leaves the sets out as well.
	const effective = user.uid === 0 ? capabilities : [];
	const { isolation = {} } = config;
	const security = parseSecurityOptions(isolation.security_options ?? []);
	const devices = specDevices(isolation, config.privileged);
	return {
		ociVersion: '1.0.2',
		process: {
			terminal: config.tty,
			...consoleSize(config),
			user: {
				uid: user.uid,
				gid: user.gid,
				additionalGids: machine.userNamespace.canSetGroups ? user.additionalGids : [],
			},
			args: [...(isolation.init === true ? [INIT_PATH, '--'] : []), ...config.entrypoint, ...config.command],
			env: containerEnvironment(config, user.home),
			cwd: config.working_dir === '' ? '/' : config.working_dir,
			// Never an inheritable set (CVE-2022-24769).
			capabilities: { bounding: capabilities, effective, permitted: effective, inheritable: [], ambient: [] },
			noNewPrivileges: security.noNewPrivileges,
			...oomScore(isolation, machine),
			...rlimits(isolation),
		},
		root: { path: options.merged, readonly: config.read_only },
		hostname: isolation.uts === 'host' ? '' : config.hostname,
		mounts: mounts(config, options),
		annotations: options.annotations,
		linux: {
			namespaces: namespaces(config, options),
			resources: machine.hasCgroups ? resources(config, machine, devices.rules) : {},
			...(devices.nodes.length === 0 ? {} : { devices: devices.nodes }),
			...(machine.hasCgroups ? { cgroupsPath: cgroupPath(options.id, isolation.cgroup_parent) } : {}),
			rootfsPropagation: rootPropagation(config.mounts),
			maskedPaths: config.privileged ? [] : (isolation.masked_paths ?? MASKED_PATHS),
			readonlyPaths: config.privileged ? [] : (isolation.readonly_paths ?? READONLY_PATHS),
			// A network namespace of its own can let everybody ping and bind low ports, as docker does.
			sysctl: {
				...(options.network.kind === 'host' || options.network.kind === 'shared'
					? {}
					: {
							'net.ipv4.ip_unprivileged_port_start': '0',
							'net.ipv4.ping_group_range': `0 ${Math.min(machine.userNamespace.gids - 1, 2147483647)}`,
						}),
				...(isolation.domainname === undefined ? {} : { 'kernel.domainname': isolation.domainname }),
				...isolation.sysctls,
			},
			...(config.privileged || security.seccomp === 'unconfined'
				? {}
				: { seccomp: seccompProfile(security.seccomp, capabilities) }),
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

function consoleSize({ tty, console_size: size }: ContainerConfig): Pick<Spec['process'], 'consoleSize'> {
	return tty && size !== undefined ? { consoleSize: { height: size.rows, width: size.columns } } : {};
}

/** Only root of the machine may lower it, so an ordinary user's containers keep the engine's when none is asked for. */
function oomScore(
	{ oom_score_adj: asked }: IsolationConfig,
	{ userNamespace: { isInitial } }: Machine,
): Pick<Spec['process'], 'oomScoreAdj'> {
	const score = asked ?? (isInitial ? 0 : undefined);
	return score === undefined ? {} : { oomScoreAdj: score };
}

function mounts(config: ContainerConfig, { etc, machine, network, ipc }: SpecOptions): SpecMount[] {
	const sys = config.privileged ? 'rw' : 'ro';
	const terminals = 'nosuid,noexec,newinstance,ptmxmode=0666,mode=0620';
	const { isInitial, gids } = machine.userNamespace;
	// The kernel shows the devices of a network only to root of the namespace that owns it.
	const isForeign = network.kind === 'host' && !isInitial;
	const own = [
		config.isolation?.pid === 'host' && !isInitial
			? mount('/proc', 'bind', '/proc', 'rbind,nosuid,noexec,nodev')
			: mount('/proc', 'proc', 'proc', 'nosuid,noexec,nodev'),
		mount('/dev', 'tmpfs', 'tmpfs', 'nosuid,strictatime,mode=755,size=65536k'),
		mount('/dev/pts', 'devpts', 'devpts', gids > 5 ? `${terminals},gid=5` : terminals),
		isForeign
			? mount('/sys', 'bind', '/sys', 'rbind,nosuid,noexec,nodev,ro')
			: mount('/sys', 'sysfs', 'sysfs', `nosuid,noexec,nodev,${sys}`),
		mount('/sys/fs/cgroup', 'cgroup', 'cgroup', `${sys},nosuid,noexec,nodev`),
		...mqueueMount(config.isolation),
		...shmMount(config.isolation, ipc),
		...initMount(config.isolation),
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
	const isRecursive = item.options?.includes('nonrecursive') !== true;
	const asked = (item.options ?? []).filter((option) => option !== 'nonrecursive');
	const propagation = asked.length === 0 ? ['rprivate'] : asked;
	return {
		destination: item.destination,
		type: 'bind',
		source: item.source,
		options: [isRecursive ? 'rbind' : 'bind', ...mode, ...propagation],
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
	{ machine, network, pidNamespace, ipc }: Pick<SpecOptions, 'machine' | 'network' | 'pidNamespace' | 'ipc'>,
): { type: string; path?: string }[] {
	const { isolation = {} } = config;
	const types = [
		'mount',
		...(isolation.uts === 'host' ? [] : ['uts']),
		...(isolation.pid === undefined ? ['pid'] : []),
		...(isolation.ipc === 'host' || ipc?.namespace !== undefined ? [] : ['ipc']),
	];
	// Docker's default: a private cgroup namespace on version 2, the host's on version 1.
	const cgroupns = isolation.cgroupns ?? (machine.cgroupVersion === 2 && !config.privileged ? 'private' : 'host');
	if (cgroupns === 'private') {
		types.push('cgroup');
	}
	const own =
		network.kind === 'host'
			? []
			: [{ type: 'network', ...('namespace' in network ? { path: network.namespace } : {}) }];
	const shared = [
		...(pidNamespace === undefined ? [] : [{ type: 'pid', path: pidNamespace }]),
		...(ipc?.namespace === undefined ? [] : [{ type: 'ipc', path: ipc.namespace }]),
	];
	return [...types.map((type) => ({ type })), ...shared, ...own];
}

function resources(config: ContainerConfig, machine: Machine, rules: SpecDevices['rules']): Record<string, unknown> {
	return {
		devices: config.privileged
			? [{ allow: true, access: 'rwm' }]
			: [
					{ allow: false, access: 'rwm' },
					...DEVICES.map(([allow, major, minor]) => ({ allow, type: 'c', major, minor, access: 'rwm' })),
					...rules,
				],
		...runtimeResources(config.resources, machine),
	};
}

function rlimits({ ulimits = [] }: IsolationConfig): Pick<Spec['process'], 'rlimits'> {
	if (ulimits.length === 0) {
		return {};
	}
	// JSON has no infinity: the runtime reads RLIM_INFINITY, which no number of JavaScript is, from -1 (see bundle.ts).
	return {
		rlimits: ulimits.map(({ name, soft, hard }) => ({ type: `RLIMIT_${name.toUpperCase()}`, soft, hard })),
	};
}

function seccompProfile(
	profile: string | undefined,
	capabilities: readonly string[],
): { readonly defaultAction: string } {
	return profile === undefined ? defaultSeccomp(capabilities) : parseSeccompProfile(profile, capabilities);
}

function mqueueMount(isolation: IsolationConfig = {}): SpecMount[] {
	if (isolation.ipc !== 'host') {
		return [mount('/dev/mqueue', 'mqueue', 'mqueue', 'nosuid,noexec,nodev')];
	}
	return fs.existsSync('/dev/mqueue') ? [mount('/dev/mqueue', 'bind', '/dev/mqueue', 'rbind,rprivate')] : [];
}

function shmMount(isolation: IsolationConfig = {}, shared?: SharedIpc): SpecMount[] {
	if (isolation.ipc === 'none') {
		return [];
	}
	const source = isolation.ipc === 'host' ? '/dev/shm' : shared?.memory;
	if (source !== undefined) {
		return [mount('/dev/shm', 'bind', source, 'rbind,rprivate')];
	}
	const size = isolation.shm_size ?? DEFAULT_SHM_SIZE;
	return [mount('/dev/shm', 'tmpfs', 'shm', `nosuid,noexec,nodev,mode=1777,size=${size}`)];
}

function initMount(isolation: IsolationConfig = {}): SpecMount[] {
	const program = isolation.init === true ? initProgram() : undefined;
	return program === undefined ? [] : [mount(INIT_PATH, 'bind', program, 'bind,ro')];
}

/** A bind mount that shall receive the host's later mounts does so only when the root does. */
function rootPropagation(mounts: readonly Mount[]): string {
	const asked = mounts.flatMap(({ type, options = [] }) => (type === 'bind' ? options : []));
	return asked.some((option) => /^r?(?:slave|shared)$/.test(option)) ? 'rslave' : 'rprivate';
}

/** Looks at this machine's cgroups; opens no program. */
export function machine(): Machine {
	const namespace = userNamespace();
	const hasCgroups = namespace.isInitial || delegatedGroup() !== undefined;
	const common = { hasCgroups, userNamespace: namespace };
	if (hasUnified()) {
		// The root group has no such file, so look at our own and at systemd's.
		const own = /^0::(.*)$/m.exec(fs.readFileSync('/proc/self/cgroup', 'utf8'))?.[1] ?? '';
		const groups = [own, '/system.slice'].map((group) => `/sys/fs/cgroup${group}/memory.swap.max`);
		return { ...common, cgroupVersion: 2, canLimitSwap: groups.some((file) => fs.existsSync(file)) };
	}
	return {
		...common,
		cgroupVersion: 1,
		canLimitSwap: fs.existsSync('/sys/fs/cgroup/memory/memory.memsw.limit_in_bytes'),
	};
}
