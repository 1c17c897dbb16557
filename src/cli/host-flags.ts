import { integer, list, text, toggle } from './flags';

/** Flags of `create`, `run` and `update` that limit a container. */
export const limitFlags = {
	blkioWeight: integer(
		'--blkio-weight',
		'Block IO (relative weight), between 10 and 1000, or 0 to disable (default 0)',
	),
	cpuPeriod: integer('--cpu-period', 'Limit CPU CFS (Completely Fair Scheduler) period'),
	cpuQuota: integer('--cpu-quota', 'Limit CPU CFS (Completely Fair Scheduler) quota'),
	cpuShares: integer('-c, --cpu-shares', 'CPU shares (relative weight)'),
	cpus: text('--cpus', 'decimal', 'Number of CPUs'),
	cpusetCpus: text('--cpuset-cpus', 'string', 'CPUs in which to allow execution (0-3, 0,1)'),
	cpusetMems: text('--cpuset-mems', 'string', 'MEMs in which to allow execution (0-3, 0,1)'),
	memory: text('-m, --memory', 'bytes', 'Memory limit'),
	memoryReservation: text('--memory-reservation', 'bytes', 'Memory soft limit'),
	memorySwap: text('--memory-swap', 'bytes', "Swap limit equal to memory plus swap: '-1' to enable unlimited swap"),
	pidsLimit: integer('--pids-limit', 'Tune container pids limit (set -1 for unlimited)'),
	restart: text('--restart', 'string', 'Restart policy to apply when a container exits (default "no")'),
};

/** Flags of `create` and `run`: what the container shares with the host, what it may do there, and its health check. */
export const hostFlags = {
	...limitFlags,
	cgroupParent: text('--cgroup-parent', 'string', 'Optional parent cgroup for the container'),
	cgroupns: text('--cgroupns', 'string', 'Cgroup namespace to use (host|private)'),
	device: list('--device', 'list', 'Add a host device to the container'),
	deviceCgroupRule: list('--device-cgroup-rule', 'list', 'Add a rule to the cgroup allowed devices list'),
	domainname: text('--domainname', 'string', 'Container NIS domain name'),
	groupAdd: list('--group-add', 'list', 'Add additional groups to join'),
	healthCmd: text('--health-cmd', 'string', 'Command to run to check health'),
	healthInterval: text('--health-interval', 'duration', 'Time between running the check (ms|s|m|h) (default 0s)'),
	healthRetries: integer('--health-retries', 'Consecutive failures needed to report unhealthy'),
	healthStartPeriod: text(
		'--health-start-period',
		'duration',
		'Start period for the container to initialize before starting health-retries countdown (ms|s|m|h) (default 0s)',
	),
	healthTimeout: text(
		'--health-timeout',
		'duration',
		'Maximum time to allow one check to run (ms|s|m|h) (default 0s)',
	),
	init: toggle('--init', 'Run an init inside the container that forwards signals and reaps processes'),
	ipc: text('--ipc', 'string', 'IPC mode to use'),
	kernelMemory: text('--kernel-memory', 'bytes', 'Kernel memory limit'),
	memorySwappiness: integer('--memory-swappiness', 'Tune container memory swappiness (0 to 100) (default -1)'),
	noHealthcheck: toggle('--no-healthcheck', 'Disable any container-specified HEALTHCHECK'),
	oomKillDisable: toggle('--oom-kill-disable', 'Disable OOM Killer'),
	oomScoreAdj: integer('--oom-score-adj', "Tune host's OOM preferences (-1000 to 1000)"),
	pid: text('--pid', 'string', 'PID namespace to use'),
	runtime: text('--runtime', 'string', 'Runtime to use for this container'),
	securityOpt: list('--security-opt', 'list', 'Security Options'),
	shmSize: text('--shm-size', 'bytes', 'Size of /dev/shm'),
	sysctl: list('--sysctl', 'map', 'Sysctl options'),
	ulimit: list('--ulimit', 'ulimit', 'Ulimit options'),
	userns: text('--userns', 'string', 'User namespace to use'),
	uts: text('--uts', 'string', 'UTS namespace to use'),
	volumeDriver: text('--volume-driver', 'string', 'Optional volume driver for the container'),
	volumesFrom: list('--volumes-from', 'list', 'Mount volumes from the specified container(s)'),
};
