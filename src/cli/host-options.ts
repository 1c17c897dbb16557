import type { ContainerConfigJson, HealthcheckJson, HostConfigJson, RestartPolicyJson } from '../api/types';
import { parseDuration } from '../api/time';
import { CommandError, FlagError } from './errors';
import type { Values } from './flags';
import { hostFlags, limitFlags } from './host-flags';
import { parseSize } from './size';

type LimitFlags = Values<typeof limitFlags>;
type HostFlags = Values<typeof hostFlags>;

/** HostConfig of the limits, for `run`, `create` and `update`; only what was asked for. Throws FlagError. */
export function limitOptions(flags: LimitFlags): HostConfigJson {
	return {
		...(flags.blkioWeight !== undefined && { BlkioWeight: flags.blkioWeight }),
		...(flags.cpuPeriod !== undefined && { CpuPeriod: flags.cpuPeriod }),
		...(flags.cpuQuota !== undefined && { CpuQuota: flags.cpuQuota }),
		...(flags.cpuShares !== undefined && { CpuShares: flags.cpuShares }),
		...(flags.cpus !== undefined && { NanoCpus: nanoCpus(flags.cpus) }),
		...(flags.cpusetCpus !== undefined && { CpusetCpus: flags.cpusetCpus }),
		...(flags.cpusetMems !== undefined && { CpusetMems: flags.cpusetMems }),
		...(flags.memory !== undefined && { Memory: bytes('memory', flags.memory) }),
		...(flags.memoryReservation !== undefined && {
			MemoryReservation: bytes('memoryReservation', flags.memoryReservation),
		}),
		...(flags.memorySwap !== undefined && {
			MemorySwap: flags.memorySwap === '-1' ? -1 : bytes('memorySwap', flags.memorySwap),
		}),
		...(flags.pidsLimit !== undefined && { PidsLimit: flags.pidsLimit }),
		...(flags.restart !== undefined && { RestartPolicy: restartPolicy(flags.restart) }),
	};
}

/** HostConfig of all host flags; `readFile` reads a seccomp profile. Throws FlagError and CommandError. */
export function hostOptions(flags: HostFlags, readFile: (file: string) => string): HostConfigJson {
	const security = securityOptions(flags.securityOpt, readFile);
	return {
		...limitOptions(flags),
		...(flags.cgroupParent !== undefined && { CgroupParent: flags.cgroupParent }),
		...(flags.cgroupns !== undefined && { CgroupnsMode: flags.cgroupns }),
		...(flags.device.length > 0 && { Devices: flags.device.map(device) }),
		...(flags.deviceCgroupRule.length > 0 && { DeviceCgroupRules: flags.deviceCgroupRule }),
		...(flags.groupAdd.length > 0 && { GroupAdd: flags.groupAdd }),
		...(flags.init && { Init: true }),
		...(flags.ipc !== undefined && { IpcMode: flags.ipc }),
		...(flags.kernelMemory !== undefined && { KernelMemory: bytes('kernelMemory', flags.kernelMemory) }),
		...(flags.memorySwappiness !== undefined && { MemorySwappiness: flags.memorySwappiness }),
		...(flags.oomKillDisable && { OomKillDisable: true }),
		...(flags.oomScoreAdj !== undefined && { OomScoreAdj: flags.oomScoreAdj }),
		...(flags.pid !== undefined && { PidMode: flags.pid }),
		...(flags.runtime !== undefined && { Runtime: flags.runtime }),
		...security,
		...(flags.shmSize !== undefined && { ShmSize: bytes('shmSize', flags.shmSize) }),
		...(flags.sysctl.length > 0 && { Sysctls: Object.fromEntries(flags.sysctl.map(sysctl)) }),
		...(flags.ulimit.length > 0 && { Ulimits: flags.ulimit.map(ulimit) }),
		...(flags.userns !== undefined && { UsernsMode: flags.userns }),
		...(flags.uts !== undefined && { UTSMode: flags.uts }),
		...(flags.volumeDriver !== undefined && { VolumeDriver: flags.volumeDriver }),
		...(flags.volumesFrom.length > 0 && { VolumesFrom: flags.volumesFrom }),
	};
}

/** The members of the body beside HostConfig. */
export function configOptions(flags: HostFlags): Partial<ContainerConfigJson> {
	const health = healthcheck(flags);
	return {
		...(flags.domainname !== undefined && { Domainname: flags.domainname }),
		...(health !== undefined && { Healthcheck: health }),
	};
}

function healthcheck(flags: HostFlags): HealthcheckJson | undefined {
	const times = [flags.healthInterval, flags.healthTimeout, flags.healthStartPeriod];
	const hasAny = [flags.healthCmd, flags.healthRetries, ...times].some((value) => value !== undefined);
	if (flags.noHealthcheck) {
		if (hasAny) {
			throw new CommandError('--no-healthcheck conflicts with --health-* options', 125);
		}
		return { Test: ['NONE'] };
	}
	if (!hasAny) {
		return undefined;
	}
	if ((flags.healthRetries ?? 0) < 0) {
		throw new CommandError('--health-retries cannot be negative', 125);
	}
	return {
		...(flags.healthCmd !== undefined && flags.healthCmd !== '' && { Test: ['CMD-SHELL', flags.healthCmd] }),
		...(flags.healthInterval !== undefined && { Interval: duration('healthInterval', flags.healthInterval) }),
		...(flags.healthTimeout !== undefined && { Timeout: duration('healthTimeout', flags.healthTimeout) }),
		...(flags.healthStartPeriod !== undefined && {
			StartPeriod: duration('healthStartPeriod', flags.healthStartPeriod),
		}),
		...(flags.healthRetries !== undefined && { Retries: flags.healthRetries }),
	};
}

/** Nanoseconds, which docker wants to be no negative number. */
function duration(flag: 'healthInterval' | 'healthTimeout' | 'healthStartPeriod', value: string): number {
	const nanoseconds = parseDuration(value);
	if (nanoseconds === undefined) {
		throw new FlagError(hostFlags[flag].spelling, value, `time: invalid duration ${JSON.stringify(value)}`);
	}
	if (nanoseconds < 0n) {
		throw new CommandError(`${hostFlags[flag].spelling} cannot be negative`, 125);
	}
	return Number(nanoseconds);
}

function bytes(
	flag: 'memory' | 'memoryReservation' | 'memorySwap' | 'kernelMemory' | 'shmSize',
	value: string,
): number {
	const size = parseSize(value);
	if (typeof size === 'string') {
		throw new FlagError(hostFlags[flag].spelling, value, size);
	}
	return size;
}

/** Docker takes decimals and fractions ("1.5", "1/2") and refuses what billionths cannot say. */
function nanoCpus(value: string): number {
	const match = /^([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)(?:\/(\d+))?$/.exec(value);
	if (match === null || match[2] === '0') {
		throw new FlagError(limitFlags.cpus.spelling, value, `failed to parse ${value} as a rational number`);
	}
	const nano = (Number(match[1]) * 1e9) / Number(match[2] ?? 1);
	if (Math.abs(nano - Math.round(nano)) > 1e-3) {
		throw new FlagError(limitFlags.cpus.spelling, value, 'value is too precise');
	}
	return Math.round(nano);
}

function restartPolicy(value: string): RestartPolicyJson {
	const [name, count] = cut(value, ':');
	if (name === '' && value !== '') {
		throw new CommandError('invalid restart policy format: no policy provided before colon', 125);
	}
	if (value.includes(':') && !/^[+-]?\d+$/.test(count)) {
		throw new CommandError('invalid restart policy format: maximum retry count must be an integer', 125);
	}
	return { Name: name, MaximumRetryCount: Number(count) };
}

/** "/dev/x", "/dev/x:/dev/y", "/dev/x:rw", "/dev/x:/dev/y:rw" */
function device(value: string): object {
	const parts = value.split(':');
	const [host = '', second, third] = parts;
	if (parts.length > 3 || host === '') {
		throw new CommandError(`invalid device specification: ${value}`, 125);
	}
	const isMode = (text: string | undefined): boolean => text !== undefined && /^[rwm]{1,3}$/.test(text);
	if (third !== undefined && !isMode(third)) {
		throw new FlagError(hostFlags.device.spelling, value, `bad mode specified: ${third}`);
	}
	if (second === undefined || isMode(second)) {
		return { PathOnHost: host, PathInContainer: host, CgroupPermissions: second ?? 'rwm' };
	}
	if (!second.startsWith('/')) {
		throw new FlagError(hostFlags.device.spelling, value, `${second} is not an absolute path`);
	}
	return { PathOnHost: host, PathInContainer: second, CgroupPermissions: third ?? 'rwm' };
}

function sysctl(value: string): [string, string] {
	const [name, setting] = cut(value, '=');
	if (name === '' || !value.includes('=')) {
		throw new FlagError(hostFlags.sysctl.spelling, value, `sysctl '${value}' is not allowed`);
	}
	return [name, setting];
}

/** "nofile=1024:2048", "core=-1" */
function ulimit(value: string): object {
	const [name, limits] = cut(value, '=');
	const refuse = (reason: string): never => {
		throw new FlagError(hostFlags.ulimit.spelling, value, reason);
	};
	if (!value.includes('=') || limits === '') {
		refuse(`invalid ulimit argument: ${value}`);
	}
	const texts = limits.split(':');
	if (texts.length > 2) {
		refuse(`too many limit value arguments - ${limits}, can only have up to two, \`soft[:hard]\``);
	}
	const [soft = 0, hard = soft] = texts.map((text) => {
		const unlimited = text.toLowerCase() === 'unlimited' ? '-1' : text;
		return /^-?\d+$/.test(unlimited)
			? Number(unlimited)
			: refuse(`strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`);
	});
	if (hard !== -1 && (soft === -1 || soft > hard)) {
		refuse(`ulimit soft limit must be less than or equal to hard limit: ${soft} > ${hard}`);
	}
	return { Name: name, Soft: soft, Hard: hard };
}

/** A seccomp profile is read here, since the engine may be on another machine; systempaths is two members of its own. */
function securityOptions(options: readonly string[], readFile: (file: string) => string): HostConfigJson {
	const isUnconfined = options.includes('systempaths=unconfined');
	const rest = options
		.filter((option) => option !== 'systempaths=unconfined')
		.map((option) => {
			const profile = /^seccomp[=:](.+)$/s.exec(option)?.[1];
			if (profile === undefined || ['unconfined', 'builtin'].includes(profile) || profile.startsWith('{')) {
				return option;
			}
			return `seccomp=${compactJson(profile, readFile)}`;
		});
	return {
		...(rest.length > 0 && { SecurityOpt: rest }),
		...(isUnconfined && { MaskedPaths: [], ReadonlyPaths: [] }),
	};
}

function compactJson(file: string, readFile: (file: string) => string): string {
	try {
		return JSON.stringify(JSON.parse(readFile(file)));
	} catch (error) {
		const reason = error instanceof Error ? error.message : String(error);
		throw new CommandError(`opening seccomp profile (${file}) failed: ${reason}`, 125);
	}
}

/** Before and after the first separator; after is "" when there is none. */
function cut(text: string, separator: string): [string, string] {
	const at = text.indexOf(separator);
	return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + separator.length)];
}
