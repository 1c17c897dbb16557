import type { RuntimeName } from './container/runtime';
import type { EndpointConfig } from './network/network';
import type { PortBinding } from './network/publish';
import type { DnsConfig } from './network/resolvconf';
import type { DriverName } from './storage/driver';

/**
 * The records on disk. Field names are the seed's JSON names (../shared/spec), so a reader of the tutorial finds them
 * again; ids are real digests and 64-hex container ids. Sizes are bytes, times RFC 3339 with nanoseconds in UTC.
 */

/** One name of an image. Two tags of one image are two records with the same `id`. */
export interface Image {
	/** Digest of the image configuration, "sha256:<64 hex>" (image-spec, ImageID). */
	readonly id: string;
	/** Normalised repository, "docker.io/library/nginx"; empty when dangling. */
	readonly name: string;
	/** Empty when dangling or when pulled by digest alone. */
	readonly tag: string;
	/** DiffIDs, base layer first. */
	readonly layers: readonly string[];
	readonly config: ImageConfig;
	/** Bytes of all layers, unpacked. */
	readonly size: number;
	/** When the image was built; "" when the image does not say. */
	readonly created: string;
	/** Digest of the manifest that was pulled, in blobs/. */
	readonly digest: string;
	/** "name@sha256:…" as docker shows it; the index digest when the reference named an index. */
	readonly repo_digests: readonly string[];
	readonly platform: Platform;
	/** When this record was written. */
	readonly pulled_at: string;
}

export interface ImageConfig {
	readonly cmd: readonly string[];
	readonly entrypoint: readonly string[];
	readonly env: readonly string[];
	readonly working_dir: string;
	/** "80/tcp" → {} */
	readonly exposed_ports: Readonly<Record<string, Record<string, never>>>;
	readonly user: string;
	readonly volumes: Readonly<Record<string, Record<string, never>>>;
	readonly labels: Readonly<Record<string, string>>;
	readonly stop_signal: string;
	readonly health?: HealthConfig;
}

/** How to find out whether a container is well (docker's HEALTHCHECK). Times are nanoseconds; 0 is the default. */
export interface HealthConfig {
	/** ["CMD", program, …], ["CMD-SHELL", command], ["NONE"]; [] leaves it to the image. */
	readonly test: readonly string[];
	readonly interval: number;
	readonly timeout: number;
	/** Failures within it do not count until the first success. */
	readonly start_period: number;
	readonly retries: number;
}

export type HealthStatus = 'starting' | 'healthy' | 'unhealthy';

/** image-spec, platform. */
export interface Platform {
	readonly os: string;
	readonly architecture: string;
	readonly variant?: string;
}

export type ContainerStatus =
	'created' | 'starting' | 'running' | 'paused' | 'stopping' | 'restarting' | 'exited' | 'removing' | 'dead';

export interface Container {
	/** 64 hex digits. */
	readonly id: string;
	/** Without docker's leading slash. */
	readonly name: string;
	readonly image_id: string;
	/** Keeps its root file system; absent means "overlay". */
	readonly storage_driver?: DriverName;
	readonly status: ContainerStatus;
	readonly created_at: string;
	/** "" until first started. */
	readonly started_at: string;
	/** "" until first finished. */
	readonly finished_at: string;
	readonly config: ContainerConfig;
	readonly labels: Readonly<Record<string, string>>;
	readonly annotations: Readonly<Record<string, string>>;
	readonly restart_count: number;
	/** Of the last run: 0–255, 128 + n for signal n, 125–127 for a failed start. */
	readonly exit_code: number;
	/** Why the last start failed, else "". */
	readonly error: string;
	readonly oom_killed: boolean;
	/** True from the moment a person asked to stop or kill it, until the next start. */
	readonly manual_stop: boolean;
	/** As far as its health check has got; absent before the first start and without one. */
	readonly health?: HealthStatus;
	/** The container's first process while it runs; null otherwise. */
	readonly process: ProcessIdentity | null;
	/** The shim that watches it; null when not running. */
	readonly shim: ProcessIdentity | null;
}

/** A process that cannot be mistaken for a later one with the same number. */
export interface ProcessIdentity {
	readonly pid: number;
	/** Field 22 of /proc/<pid>/stat: clock ticks after boot. */
	readonly start_time: string;
	/** /proc/sys/kernel/random/boot_id */
	readonly boot_id: string;
}

export interface ContainerConfig {
	/** As the user wrote it. */
	readonly image: string;
	/** Arguments after the entrypoint: the user's, else the image's. */
	readonly command: readonly string[];
	readonly entrypoint: readonly string[];
	readonly env: readonly string[];
	/** Absolute; "" means the image's, else "/". */
	readonly working_dir: string;
	/** "name", "uid", "uid:gid", …; "" means root. */
	readonly user: string;
	readonly hostname: string;
	readonly tty: boolean;
	readonly open_stdin: boolean;
	/** Close stdin when the first attached client leaves. */
	readonly stdin_once: boolean;
	readonly stop_signal: string;
	/** Seconds between the stop signal and SIGKILL; -1 waits for ever. */
	readonly stop_timeout: number;
	readonly resources: ResourceConfig;
	readonly network: NetworkConfig;
	readonly log_config: LogConfig;
	readonly mounts: readonly Mount[];
	readonly read_only: boolean;
	readonly privileged: boolean;
	/** "ALL" or capability names without "CAP_". */
	readonly cap_add: readonly string[];
	readonly cap_drop: readonly string[];
	readonly auto_remove: boolean;
	readonly extra_hosts: readonly string[];
	/** Absent means "no". */
	readonly restart_policy?: RestartPolicy;
	readonly isolation?: IsolationConfig;
	/** The terminal's first size; left out it is open until the first resize. */
	readonly console_size?: { readonly rows: number; readonly columns: number };
	readonly health?: HealthConfig;
}

/** When a container that has ended starts again by itself; "no" is no policy. */
export interface RestartPolicy {
	readonly name: 'always' | 'unless-stopped' | 'on-failure';
	/** For "on-failure": restarts after which it stays down; 0 is no limit. */
	readonly max_retries: number;
}

export interface ResourceConfig {
	/** CPUs, 0.5 is half of one; 0 is no limit. */
	readonly cpu: number;
	/** Bytes; 0 is no limit. */
	readonly memory: number;
	/** Processes; 0 is no limit. */
	readonly pids: number;
	/** Weight among others that want the processor; 1024 is usual. */
	readonly cpu_shares?: number;
	/** Microseconds of processor time in each period; instead of `cpu`. */
	readonly cpu_quota?: number;
	/** Microseconds; 100 000 when there is a quota without one. */
	readonly cpu_period?: number;
	/** "0-2,4" */
	readonly cpuset_cpus?: string;
	readonly cpuset_mems?: string;
	/** Bytes of memory and swap together; -1 is no limit, absent is twice the memory. */
	readonly memory_swap?: number;
	/** Bytes that the kernel tries to get down to when memory is scarce. */
	readonly memory_reservation?: number;
	/** 0 to 100; the machine's when absent. */
	readonly memory_swappiness?: number;
	/** Processes wait for memory instead of being killed; only cgroup version 1. */
	readonly oom_kill_disable?: boolean;
	/** 10 to 1000 */
	readonly blkio_weight?: number;
}

/** What a container shares with the host or other containers, and what it may do there; all absent is docker's default. */
export interface IsolationConfig {
	readonly devices?: readonly DeviceMapping[];
	/** "c 1:3 rwm", in the words of the kernel's device list. */
	readonly device_rules?: readonly string[];
	readonly ulimits?: readonly Ulimit[];
	readonly sysctls?: Readonly<Record<string, string>>;
	/** Bytes of /dev/shm; 64 MiB when absent. */
	readonly shm_size?: number;
	/** As the user wrote them: "no-new-privileges", "seccomp=unconfined", … */
	readonly security_options?: readonly string[];
	/** Groups of the first process besides those of its user, names or numbers. */
	readonly groups?: readonly string[];
	/** "host", "none", "shareable", "private" or "container:<id>" */
	readonly ipc?: string;
	/** "host" or "container:<id>" */
	readonly pid?: string;
	/** "host" */
	readonly uts?: string;
	/** "host" */
	readonly userns?: string;
	/** "host" or "private"; the version of the control groups decides when absent. */
	readonly cgroupns?: string;
	/** Absolute path of a control group. */
	readonly cgroup_parent?: string;
	/** -1000 to 1000 */
	readonly oom_score_adj?: number;
	/** A small init process reaps orphans and passes signals on. */
	readonly init?: boolean;
	readonly domainname?: string;
	/** Paths that nobody may see, and that nobody may write, instead of docker's. */
	readonly masked_paths?: readonly string[];
	readonly readonly_paths?: readonly string[];
	/** Containers whose volumes were taken over, as the user wrote them. */
	readonly volumes_from?: readonly string[];
	/** Runs the container in place of the engine's own. */
	readonly runtime?: RuntimeName;
}

export interface DeviceMapping {
	/** Absolute paths. */
	readonly host: string;
	readonly container: string;
	/** Of "rwm". */
	readonly permissions: string;
}

/** setrlimit(2); -1 is no limit. */
export interface Ulimit {
	/** "nofile" */
	readonly name: string;
	readonly soft: number;
	readonly hard: number;
}

export interface NetworkConfig {
	/** "host", "none", "container:<id>", or the network that the container is made on, "bridge" by default. */
	readonly mode: string;
	/** The networks it is put on at each start, the default route's first; none in the other modes. */
	readonly endpoints: readonly EndpointConfig[];
	readonly ports: readonly PortBinding[];
	/** Every exposed port that has no binding gets a free host port at each start. */
	readonly publish_all: boolean;
	/** The image's and the container's own: "80/tcp". */
	readonly exposed_ports: readonly string[];
	readonly dns: DnsConfig;
}

/** The seed's LogConfig; `options` keeps every --log-opt in docker's spelling. */
export interface LogConfig {
	readonly type: string;
	readonly options: Readonly<Record<string, string>>;
}

export interface Mount {
	readonly type: 'bind' | 'tmpfs' | 'volume';
	/** Absolute path on the host, the volume's name, or "" for tmpfs. */
	readonly source: string;
	/** Absolute path in the container. */
	readonly destination: string;
	readonly read_only: boolean;
	/** More options of mount(8), such as "size=64m" for tmpfs or a bind's propagation, and a volume's "nocopy". */
	readonly options?: readonly string[];
}
