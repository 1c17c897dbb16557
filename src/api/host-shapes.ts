import type { Health } from '../core/container/health';
import { swapLimit } from '../core/container/limits';
import { DEFAULT_SHM_SIZE } from '../core/container/spec';
import type { HealthConfig, IsolationConfig, ResourceConfig } from '../core/types';
import type { HealthJson } from './types';

/** Settings that this engine does not offer, as docker shows them for a container that does not set them. */
export const UNSET_HOST_CONFIG = {
	BlkioDeviceReadBps: null,
	BlkioDeviceReadIOps: null,
	BlkioDeviceWriteBps: null,
	BlkioDeviceWriteIOps: null,
	BlkioWeightDevice: null,
	Cgroup: '',
	ContainerIDFile: '',
	CpuRealtimePeriod: 0,
	CpuRealtimeRuntime: 0,
	DeviceRequests: null,
	Isolation: '',
	VolumeDriver: '',
} as const;

/** Limits of HostConfig. */
export function resourcesJson(resources: ResourceConfig): object {
	return {
		BlkioWeight: resources.blkio_weight ?? 0,
		CpuPeriod: resources.cpu_period ?? 0,
		CpuQuota: resources.cpu_quota ?? 0,
		CpuShares: resources.cpu_shares ?? 0,
		CpusetCpus: resources.cpuset_cpus ?? '',
		CpusetMems: resources.cpuset_mems ?? '',
		Memory: resources.memory,
		MemoryReservation: resources.memory_reservation ?? 0,
		MemorySwap: swapLimit(resources),
		MemorySwappiness: resources.memory_swappiness ?? null,
		NanoCpus: Math.round(resources.cpu * 1e9),
		OomKillDisable: resources.oom_kill_disable ?? false,
		PidsLimit: resources.pids === 0 ? null : resources.pids,
	};
}

/** Sharing and rights of HostConfig. */
export function isolationJson(isolation: IsolationConfig, cgroupVersion: string): object {
	return {
		CgroupParent: isolation.cgroup_parent ?? '',
		CgroupnsMode: isolation.cgroupns ?? (cgroupVersion === '2' ? 'private' : 'host'),
		DeviceCgroupRules: isolation.device_rules ?? null,
		Devices:
			isolation.devices?.map(({ host, container, permissions }) => ({
				PathOnHost: host,
				PathInContainer: container,
				CgroupPermissions: permissions,
			})) ?? null,
		GroupAdd: isolation.groups ?? null,
		...(isolation.init === undefined ? {} : { Init: isolation.init }),
		IpcMode: isolation.ipc ?? 'private',
		OomScoreAdj: isolation.oom_score_adj ?? 0,
		PidMode: isolation.pid ?? '',
		SecurityOpt: isolation.security_options ?? null,
		ShmSize: isolation.shm_size ?? DEFAULT_SHM_SIZE,
		...(isolation.sysctls === undefined ? {} : { Sysctls: isolation.sysctls }),
		UTSMode: isolation.uts ?? '',
		Ulimits: isolation.ulimits?.map(({ name, soft, hard }) => ({ Name: name, Hard: hard, Soft: soft })) ?? null,
		UsernsMode: isolation.userns ?? '',
		VolumesFrom: isolation.volumes_from ?? null,
		...(isolation.masked_paths === undefined ? {} : { MaskedPaths: isolation.masked_paths }),
		...(isolation.readonly_paths === undefined ? {} : { ReadonlyPaths: isolation.readonly_paths }),
	};
}

/** Config.Healthcheck of a container or an image. */
export function healthcheckJson(health: HealthConfig): object {
	return {
		Test: health.test,
		...(health.interval === 0 ? {} : { Interval: health.interval }),
		...(health.timeout === 0 ? {} : { Timeout: health.timeout }),
		...(health.start_period === 0 ? {} : { StartPeriod: health.start_period }),
		...(health.retries === 0 ? {} : { Retries: health.retries }),
	};
}

/** State.Health */
export function healthJson(health: Health): HealthJson {
	return {
		Status: health.status,
		FailingStreak: health.failing_streak,
		Log: health.log.map(({ start, end, exit_code, output }) => ({
			...{ Start: start, End: end, ExitCode: exit_code, Output: output },
		})),
	};
}
