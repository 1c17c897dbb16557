import { parseRuntimeName } from '../core/container/runtime';
import type { DeviceMapping, HealthConfig, IsolationConfig, ResourceConfig } from '../core/types';
import type { Fields } from './fields';

/** Resources of HostConfig, also the body of POST /containers/{id}/update; core checks the values. */
export function resources(host: Fields): ResourceConfig {
	const swappiness = host.optionalInteger('MemorySwappiness') ?? -1;
	return {
		cpu: host.integer('NanoCpus') / 1e9,
		memory: host.integer('Memory'),
		pids: Math.max(host.integer('PidsLimit'), 0),
		...integer('cpu_shares', host.integer('CpuShares')),
		...integer('cpu_quota', host.integer('CpuQuota')),
		...integer('cpu_period', host.integer('CpuPeriod')),
		...text('cpuset_cpus', host.string('CpusetCpus')),
		...text('cpuset_mems', host.string('CpusetMems')),
		...integer('memory_swap', host.integer('MemorySwap')),
		...integer('memory_reservation', host.integer('MemoryReservation')),
		...(swappiness === -1 ? {} : { memory_swappiness: swappiness }),
		...(host.flag('OomKillDisable') ? { oom_kill_disable: true } : {}),
		...integer('blkio_weight', host.integer('BlkioWeight')),
	};
}

/** Docker takes kernel memory limits no more; the kernel has dropped them. */
export function warnOfKernelMemory(host: Fields, warnings: string[]): void {
	if (host.integer('KernelMemory') !== 0 || host.integer('KernelMemoryTCP') !== 0) {
		warnings.push('Specifying a kernel memory limit is deprecated and will be removed in a future release.');
	}
}

/** What HostConfig says about sharing and rights, if anything; core checks the values. */
export function isolation(config: Fields, host: Fields): { readonly isolation?: IsolationConfig } {
	const runtime = host.string('Runtime');
	const [masked, readonly] = [host.words('MaskedPaths'), host.words('ReadonlyPaths')];
	const ulimits = host.objects('Ulimits').map((fields) => ({
		name: fields.string('Name'),
		soft: fields.integer('Soft'),
		hard: fields.integer('Hard'),
	}));
	const said = {
		...list('devices', host.objects('Devices').map(device)),
		...list('device_rules', host.words('DeviceCgroupRules')),
		...list('ulimits', ulimits),
		...(Object.keys(host.record('Sysctls')).length === 0 ? {} : { sysctls: host.record('Sysctls') }),
		...list('security_options', host.words('SecurityOpt')),
		...list('groups', host.words('GroupAdd')),
		...list('volumes_from', host.words('VolumesFrom')),
		...integer('shm_size', host.integer('ShmSize')),
		...integer('oom_score_adj', host.integer('OomScoreAdj')),
		...text('ipc', host.string('IpcMode')),
		...text('pid', host.string('PidMode')),
		...text('uts', host.string('UTSMode')),
		...text('userns', host.string('UsernsMode')),
		...text('cgroupns', host.string('CgroupnsMode')),
		...text('cgroup_parent', host.string('CgroupParent')),
		...text('domainname', config.string('Domainname')),
		...(runtime === '' ? {} : { runtime: parseRuntimeName(runtime) }),
		...(host.flag('Init') ? { init: true } : {}),
		// An empty list says that nothing is hidden, and is something else than no list.
		...(masked === undefined ? {} : { masked_paths: masked }),
		...(readonly === undefined ? {} : { readonly_paths: readonly }),
	};
	return Object.keys(said).length === 0 ? {} : { isolation: said };
}

/** The health check, if anything is said about one. */
export function health(config: Fields): { readonly health?: HealthConfig } {
	const check = config.fields('Healthcheck');
	const said = {
		test: check.words('Test') ?? [],
		interval: check.integer('Interval'),
		timeout: check.integer('Timeout'),
		start_period: check.integer('StartPeriod'),
		retries: check.integer('Retries'),
	};
	const isSilent = said.test.length + said.interval + said.timeout + said.start_period + said.retries === 0;
	return isSilent ? {} : { health: said };
}

function device(fields: Fields): DeviceMapping {
	const host = fields.string('PathOnHost');
	return {
		host,
		container: fields.string('PathInContainer') || host,
		permissions: fields.string('CgroupPermissions') || 'rwm',
	};
}

function list<Name extends string, T>(name: Name, values: readonly T[] = []): Partial<Record<Name, readonly T[]>> {
	return values.length === 0 ? {} : ({ [name]: values } as Record<Name, readonly T[]>);
}

function integer<Name extends string>(name: Name, value: number): Partial<Record<Name, number>> {
	return value === 0 ? {} : ({ [name]: value } as Record<Name, number>);
}

function text<Name extends string>(name: Name, value: string): Partial<Record<Name, string>> {
	return value === '' ? {} : ({ [name]: value } as Record<Name, string>);
}
