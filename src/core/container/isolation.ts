import * as fs from 'node:fs';
import { findProgram } from '../exec';
import { EngineError, systemCode } from '../errors';
import type { DeviceMapping, IsolationConfig, Ulimit } from '../types';
import { parseSeccompProfile } from './seccomp-profile';

/**
 * Checks what a new container shall share and may do; what is said with docker's default words is left out. Throws
 * EngineError "invalid" and "unsupported" with docker's texts; what has no effect here gets a sentence in `warnings`.
 */
export function checkIsolation(asked: IsolationConfig, warnings: string[]): IsolationConfig {
	checkModes(asked);
	asked.devices?.forEach(checkDevice);
	asked.device_rules?.forEach(checkDeviceRule);
	asked.ulimits?.forEach((ulimit) => {
		checkUlimit(ulimit);
	});
	Object.keys(asked.sysctls ?? {}).forEach(checkSysctl);
	parseSecurityOptions(asked.security_options ?? [], warnings);
	if ((asked.shm_size ?? 0) < 0) {
		throw invalid('SHM size can not be less than 0');
	}
	const score = asked.oom_score_adj ?? 0;
	if (score < -1000 || score > 1000) {
		throw invalid(`Invalid value ${score}, range for oom score adj is [-1000, 1000]`);
	}
	const parent = asked.cgroup_parent ?? '';
	if (parent.split('/').includes('..')) {
		throw invalid(`invalid cgroup parent: "${parent}" must not contain ".."`);
	}
	if (asked.init === true && initProgram() === undefined) {
		throw new EngineError(
			'unsupported',
			'exec: "docker-init": executable file not found in $PATH: install the package "tini"',
		);
	}
	const entries = Object.entries(asked).filter(
		([name, value]) => !isUnset(name, value) && !(value === 'private' && (name === 'pid' || name === 'uts')),
	);
	return Object.fromEntries(entries);
}

/** Empty lists of hidden paths say something: nothing is hidden. */
function isUnset(name: string, value: unknown): boolean {
	if (name === 'masked_paths' || name === 'readonly_paths') {
		return value === undefined;
	}
	if (typeof value === 'object' && value !== null) {
		return Object.keys(value).length === 0;
	}
	return value === undefined || value === '' || value === 0 || value === false;
}

function checkModes({ ipc = '', pid = '', uts = '', userns = '', cgroupns = '' }: IsolationConfig): void {
	const known: readonly (readonly [string, string, readonly string[]])[] = [
		['IPC mode', ipc, ['', 'private', 'shareable', 'host', 'none']],
		['PID mode', pid, ['', 'private', 'host']],
		['UTS mode', uts, ['', 'private', 'host']],
		['userns mode', userns, ['', 'host']],
		['cgroup namespace mode', cgroupns, ['', 'private', 'host']],
	];
	const wrong = known.find(([, mode, modes]) => !modes.includes(mode) && !/^container:.+/.test(mode));
	if (wrong !== undefined) {
		throw invalid(`invalid ${wrong[0]}: ${wrong[1]}`);
	}
	const shared = known.slice(2).find(([, mode]) => mode.startsWith('container:'));
	if (shared !== undefined) {
		throw invalid(`invalid ${shared[0]}: ${shared[1]}`);
	}
}

function checkDevice({ host, container, permissions }: DeviceMapping): void {
	if (!host.startsWith('/') || !container.startsWith('/')) {
		throw invalid(`invalid device: "${host}:${container}" must be absolute paths`);
	}
	if (!/^[rwm]{1,3}$/.test(permissions)) {
		throw invalid(`invalid device permissions: "${permissions}"`);
	}
}

const DEVICE_RULE = /^([acb]) ([0-9]+|\*):([0-9]+|\*) ([rwm]{1,3})$/;

function checkDeviceRule(rule: string): void {
	if (!DEVICE_RULE.test(rule)) {
		throw invalid(`invalid device cgroup rule format: '${rule}'`);
	}
}

/** Names of getrlimit(2) as docker spells them, with the line of /proc/self/limits. */
const ULIMITS: Readonly<Record<string, string>> = {
	core: 'Max core file size',
	cpu: 'Max cpu time',
	data: 'Max data size',
	fsize: 'Max file size',
	locks: 'Max file locks',
	memlock: 'Max locked memory',
	msgqueue: 'Max msgqueue size',
	nice: 'Max nice priority',
	nofile: 'Max open files',
	nproc: 'Max processes',
	rss: 'Max resident set',
	rtprio: 'Max realtime priority',
	rttime: 'Max realtime timeout',
	sigpending: 'Max pending signals',
	stack: 'Max stack size',
};

const CAP_SYS_RESOURCE = 24n;

/**
 * A limit that the kernel would refuse is refused here, by its name: without CAP_SYS_RESOURCE nobody may go above the
 * hard limit that there is, and nofile is never above fs.nr_open.
 */
export function checkUlimit({ name, soft, hard }: Ulimit, machine = machineLimits()): void {
	const line = ULIMITS[name];
	if (line === undefined) {
		throw invalid(`invalid ulimit type: ${name}`);
	}
	const [low, high] = [unlimited(soft), unlimited(hard)];
	if (low > high) {
		throw invalid(`ulimit soft limit must be less than or equal to hard limit: ${soft} > ${hard}`);
	}
	const most = Math.min(machine.hardLimit(line), name === 'nofile' ? machine.mostFiles : Infinity);
	if (high > most) {
		throw invalid(`Cannot set ulimit "${name}" to ${hard}: the hard limit of this machine is ${most}`);
	}
}

function unlimited(value: number): number {
	return value < 0 ? Infinity : value;
}

interface MachineLimits {
	/** Infinity when there is none, or when it may be raised. */
	readonly hardLimit: (line: string) => number;
	readonly mostFiles: number;
}

function machineLimits(): MachineLimits {
	const status = fs.readFileSync('/proc/self/status', 'utf8');
	const capabilities = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? '0'}`);
	const mayRaise = ((capabilities >> CAP_SYS_RESOURCE) & 1n) === 1n;
	const limits = fs.readFileSync('/proc/self/limits', 'utf8');
	return {
		mostFiles: Number(fs.readFileSync('/proc/sys/fs/nr_open', 'utf8')),
		hardLimit: (line) => {
			const text = limits.split('\n').find((one) => one.startsWith(line)) ?? '';
			const hard = text.slice(line.length).trim().split(/\s+/)[1] ?? 'unlimited';
			return mayRaise || hard === 'unlimited' ? Infinity : Number(hard);
		},
	};
}

const IPC_SYSCTLS = [
	...['kernel.msgmax', 'kernel.msgmnb', 'kernel.msgmni', 'kernel.sem', 'kernel.shmall', 'kernel.shmmax'],
	...['kernel.shmmni', 'kernel.shm_rmid_forced'],
];

/** Only what belongs to a namespace may be set. */
function checkSysctl(name: string): void {
	if (!IPC_SYSCTLS.includes(name) && !/^(?:net\.|fs\.mqueue\.)[^/]+$/.test(name) && name !== 'kernel.domainname') {
		throw invalid(`sysctl '${name}' is not allowed`);
	}
}

/** What --security-opt says. */
export interface SecurityOptions {
	readonly noNewPrivileges: boolean;
	/** "unconfined", a profile in docker's JSON form, or undefined for the default one. */
	readonly seccomp: string | undefined;
}

/** Reads docker's security options; what this engine has no module for is told in `warnings`. */
export function parseSecurityOptions(options: readonly string[], warnings: string[] = []): SecurityOptions {
	let noNewPrivileges = false;
	let seccomp: string | undefined;
	for (const option of options) {
		const [, name = '', value] = /^([^=:]*)(?:[=:]([\s\S]*))?$/.exec(option) ?? [];
		if (value === undefined && !['no-new-privileges', 'disable'].includes(name)) {
			throw invalid(`invalid --security-opt 1: ${JSON.stringify(option)}`);
		}
		switch (name) {
			case 'no-new-privileges':
				if (value !== undefined && !/^(?:true|false|0|1|t|f)$/i.test(value)) {
					throw invalid(`invalid --security-opt 2: ${JSON.stringify(option)}`);
				}
				noNewPrivileges = value === undefined || /^(?:true|1|t)$/i.test(value);
				break;
			case 'seccomp':
				seccomp = value === 'builtin' ? undefined : value;
				if (seccomp !== undefined && seccomp !== 'unconfined') {
					parseSeccompProfile(seccomp, []);
				}
				break;
			case 'apparmor':
				warnings.push('AppArmor is not supported; the security option "apparmor" is ignored');
				break;
			case 'label':
			case 'disable':
				warnings.push('SELinux is not supported; the security option "label" is ignored');
				break;
			default:
				throw invalid(`invalid --security-opt 2: ${JSON.stringify(option)}`);
		}
	}
	return { noNewPrivileges, seccomp };
}

/** runtime-spec, linux.devices and linux.resources.devices. */
export interface SpecDevices {
	readonly nodes: readonly { readonly path: string; readonly type: string; readonly [other: string]: unknown }[];
	readonly rules: readonly object[];
}

/** The device nodes asked for, all of the host's when privileged, and what may be done with them. */
export function specDevices({ devices = [], device_rules = [] }: IsolationConfig, isPrivileged: boolean): SpecDevices {
	if (isPrivileged) {
		const nodes = hostDevices('/dev');
		const extra = devices.flatMap((device) => deviceNodes(device)).map(({ node }) => node);
		return {
			nodes: [...nodes, ...extra.filter(({ path }) => !nodes.some((node) => node.path === path))],
			rules: [],
		};
	}
	const mapped = devices.flatMap((device) => deviceNodes(device));
	return {
		nodes: mapped.map(({ node }) => node),
		rules: [...mapped.map(({ rule }) => rule), ...device_rules.map(parseDeviceRule)],
	};
}

function parseDeviceRule(rule: string): object {
	const [, type = '', major = '', minor = '', access = ''] = DEVICE_RULE.exec(rule) ?? [];
	const number = (name: string, text: string): object => (text === '*' ? {} : { [name]: Number(text) });
	return { allow: true, type, ...number('major', major), ...number('minor', minor), access };
}

interface MappedDevice {
	readonly node: SpecDevices['nodes'][number];
	readonly rule: object;
}

/** One device, or all below a folder. */
function deviceNodes({ host, container, permissions }: DeviceMapping): MappedDevice[] {
	let stat: fs.Stats;
	try {
		stat = fs.statSync(host);
	} catch (error) {
		if (systemCode(error) !== 'ENOENT') {
			throw error;
		}
		throw invalid(
			`error gathering device information while adding custom device "${host}": no such file or directory`,
		);
	}
	if (stat.isDirectory()) {
		return hostDevices(host).flatMap(({ path }) =>
			deviceNodes({ host: path, container: container + path.slice(host.length), permissions }),
		);
	}
	const node = deviceNode(container, stat);
	if (node === undefined) {
		throw invalid(`error gathering device information while adding custom device "${host}": not a device node`);
	}
	const { type, major, minor } = node;
	return [{ node, rule: { allow: true, type, major, minor, access: permissions } }];
}

function deviceNode(
	path: string,
	stat: fs.Stats,
): (SpecDevices['nodes'][number] & { major: number; minor: number }) | undefined {
	const type = stat.isCharacterDevice() ? 'c' : stat.isBlockDevice() ? 'b' : undefined;
	if (type === undefined) {
		return undefined;
	}
	// makedev(3): the bits of major and minor are interleaved.
	const number = BigInt(stat.rdev);
	const major = Number(((number >> 8n) & 0xfffn) | ((number >> 32n) & 0xfffff000n));
	const minor = Number((number & 0xffn) | ((number >> 12n) & 0xffffff00n));
	return { path, type, major, minor, fileMode: stat.mode & 0o777, uid: stat.uid, gid: stat.gid };
}

/** What the runtime makes itself, and folders with file systems of their own. */
const LEFT_OUT = ['pts', 'shm', 'fd', 'mqueue', '.lxc', '.lxd-mounts', '.udev', 'console', 'ptmx'];

function hostDevices(folder: string): SpecDevices['nodes'][number][] {
	return fs.readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
		const path = `${folder}/${entry.name}`;
		if (LEFT_OUT.includes(entry.name) || entry.isSymbolicLink()) {
			return [];
		}
		if (entry.isDirectory()) {
			return hostDevices(path);
		}
		const node = entry.isFile() ? undefined : deviceNode(path, fs.lstatSync(path));
		return node === undefined ? [] : [node];
	});
}

/** An init for --init on this machine: docker's, or the program that it is. */
export function initProgram(): string | undefined {
	// Linked statically first: the container's libraries are not the host's.
	const programs = ['docker-init', 'tini-static', 'catatonit', 'tini'];
	const found = programs.map((program) => findProgram(program)).find((file) => file !== undefined);
	return found ?? ['/usr/libexec/docker/docker-init'].find((program) => fs.existsSync(program));
}

function invalid(message: string): EngineError {
	return new EngineError('invalid', message);
}
