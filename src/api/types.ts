/**
 * JSON shapes of the Docker Engine API (v1.47) as far as our engine serves them and our fronts read them. Optional
 * members are those that some engine (Docker 20.10, Podman) leaves out. Times are RFC 3339 unless a comment says Unix.
 */

export interface Version {
	readonly Version: string;
	readonly ApiVersion: string;
	readonly MinAPIVersion?: string;
	readonly GitCommit?: string;
	readonly GoVersion?: string;
	readonly Os: string;
	readonly Arch: string;
	readonly KernelVersion?: string;
	readonly BuildTime?: string;
	readonly Platform?: { readonly Name: string };
	readonly Components?: readonly {
		readonly Name: string;
		readonly Version: string;
		readonly Details?: Record<string, string>;
	}[];
}

/** GET /mydocker/doctor, our engine's own call: one thing that was looked at. */
export interface DoctorFinding {
	readonly Subject: 'runtime' | 'user' | 'limits' | 'storage' | 'network' | 'outbound' | 'disk';
	/** "problem": containers cannot run. "warning": something does not work without it. */
	readonly Status: 'ok' | 'warning' | 'problem';
	/** In English. */
	readonly Message: string;
	/** What it is made of: English sentences with places to fill, {0} and so on. */
	readonly Sentences?: readonly { readonly Text: string; readonly Values: readonly string[] }[];
	/** The one command that mends it; "" when there is none to give. */
	readonly Remedy: string;
}

export interface Info {
	readonly ID?: string;
	readonly Name: string;
	readonly Containers: number;
	readonly ContainersRunning: number;
	readonly ContainersPaused: number;
	readonly ContainersStopped: number;
	readonly Images: number;
	readonly Driver: string;
	readonly DriverStatus?: readonly (readonly [string, string])[];
	readonly LoggingDriver: string;
	readonly CgroupDriver?: string;
	readonly CgroupVersion?: string;
	readonly DockerRootDir: string;
	readonly ServerVersion: string;
	readonly OperatingSystem: string;
	readonly OSType: string;
	readonly Architecture: string;
	readonly KernelVersion: string;
	readonly NCPU: number;
	/** Bytes. */
	readonly MemTotal: number;
	readonly DefaultRuntime: string;
	readonly Runtimes?: Record<string, { readonly path: string }>;
	readonly SecurityOptions?: readonly string[];
	readonly Plugins?: { readonly Network?: readonly string[] | null; readonly Volume?: readonly string[] | null };
	readonly Warnings?: readonly string[] | null;
}

export interface ImageSummary {
	/** "sha256:<hex>" */
	readonly Id: string;
	/** "nginx:latest", familiar names; "<none>:<none>" or empty when dangling. */
	readonly RepoTags: readonly string[] | null;
	readonly RepoDigests: readonly string[] | null;
	/** Unix seconds. */
	readonly Created: number;
	/** Bytes. */
	readonly Size: number;
	readonly Labels: Record<string, string> | null;
	readonly Containers: number;
	readonly ParentId?: string;
	readonly SharedSize?: number;
	/** Only in GET /system/df of our engine: bytes on the disk, also of its blobs, that come free when it alone goes. */
	readonly OwnSize?: number;
}

export interface ImageInspect {
	readonly Id: string;
	readonly RepoTags: readonly string[];
	readonly RepoDigests: readonly string[];
	readonly Created: string;
	readonly Author?: string;
	readonly Comment?: string;
	/** The container that the image was committed from; "" or left out when there is none. */
	readonly Container?: string;
	readonly Architecture: string;
	readonly Variant?: string;
	readonly Os: string;
	readonly Size: number;
	readonly Config: ImageConfigJson;
	readonly RootFS: { readonly Type: string; readonly Layers?: readonly string[] };
	readonly GraphDriver?: { readonly Name: string; readonly Data: Record<string, string> | null };
	readonly Metadata?: { readonly LastTagTime?: string };
}

export interface ImageConfigJson {
	readonly Cmd: readonly string[] | null;
	readonly Entrypoint: readonly string[] | null;
	readonly Env: readonly string[] | null;
	readonly WorkingDir: string;
	readonly User: string;
	readonly ExposedPorts?: Record<string, object> | null;
	readonly Volumes?: Record<string, object> | null;
	readonly Labels: Record<string, string> | null;
	readonly StopSignal?: string;
	readonly OnBuild?: readonly string[] | null;
	readonly Healthcheck?: HealthcheckJson | null;
	readonly Shell?: readonly string[] | null;
}

export interface ImageDeleteItem {
	readonly Untagged?: string;
	readonly Deleted?: string;
}

/** One line of a progress stream (POST /images/create). */
export interface ProgressMessage {
	readonly status?: string;
	/** A line of a load or a build, with its end. */
	readonly stream?: string;
	/** Short layer id, or the tag on the first line. */
	readonly id?: string;
	/** Bytes. */
	readonly progressDetail?: { readonly current?: number; readonly total?: number };
	readonly progress?: string;
	/** The last line of a push. */
	readonly aux?: { readonly Tag?: string; readonly Digest?: string; readonly Size?: number; readonly ID?: string };
	readonly error?: string;
	readonly errorDetail?: { readonly message: string };
	/** core/errors' ErrorCode of `error`, when our engine answered. */
	readonly code?: string;
}

export interface ContainerSummary {
	readonly Id: string;
	/** With docker's leading slash: ["/web"]. */
	readonly Names: readonly string[];
	readonly Image: string;
	readonly ImageID: string;
	readonly Command: string;
	/** Unix seconds. */
	readonly Created: number;
	/** created, running, paused, restarting, removing, exited, dead (and our own "stopping"). */
	readonly State: string;
	/** "Up 5 seconds", "Exited (0) 2 minutes ago", … */
	readonly Status: string;
	readonly Ports: readonly Port[];
	readonly Labels: Record<string, string>;
	readonly HostConfig?: { readonly NetworkMode?: string };
	/** Driver only of our engine: which way the network works. */
	readonly NetworkSettings?: { readonly Driver?: string; readonly Networks: Record<string, object> };
	readonly Mounts?: readonly object[];
	readonly SizeRw?: number;
	readonly SizeRootFs?: number;
}

export interface Port {
	readonly IP?: string;
	readonly PrivatePort: number;
	readonly PublicPort?: number;
	readonly Type: string;
}

export interface ContainerInspect {
	readonly Id: string;
	/** Bytes written, and with the image's; only when asked for. */
	readonly SizeRw?: number;
	readonly SizeRootFs?: number;
	readonly Created: string;
	readonly Path: string;
	readonly Args: readonly string[];
	readonly State: ContainerState;
	/** Image id. */
	readonly Image: string;
	/** With the leading slash. */
	readonly Name: string;
	readonly RestartCount: number;
	readonly Driver: string;
	readonly Platform: string;
	readonly LogPath: string;
	readonly Config: ContainerConfigJson;
	readonly HostConfig: HostConfigJson;
	readonly NetworkSettings: {
		readonly Networks: Record<string, object>;
		readonly Ports?: Record<string, unknown>;
		readonly [other: string]: unknown;
	};
	readonly Mounts: readonly object[];
}

export interface ContainerState {
	readonly Status: string;
	readonly Running: boolean;
	readonly Paused: boolean;
	readonly Restarting: boolean;
	readonly OOMKilled: boolean;
	readonly Dead: boolean;
	readonly Pid: number;
	readonly ExitCode: number;
	readonly Error: string;
	readonly StartedAt: string;
	readonly FinishedAt: string;
	readonly Health?: HealthJson;
}

export interface HealthJson {
	/** starting, healthy, unhealthy */
	readonly Status: string;
	readonly FailingStreak: number;
	readonly Log: readonly {
		readonly Start: string;
		readonly End: string;
		readonly ExitCode: number;
		readonly Output: string;
	}[];
}

/** Body of POST /containers/create, and `Config` of an inspected container. */
export interface ContainerConfigJson {
	readonly Image: string;
	readonly Hostname?: string;
	readonly Domainname?: string;
	readonly User?: string;
	readonly AttachStdin?: boolean;
	readonly AttachStdout?: boolean;
	readonly AttachStderr?: boolean;
	readonly Tty?: boolean;
	readonly OpenStdin?: boolean;
	readonly StdinOnce?: boolean;
	readonly Env?: readonly string[] | null;
	readonly Cmd?: readonly string[] | null;
	readonly Entrypoint?: readonly string[] | null;
	readonly WorkingDir?: string;
	readonly Labels?: Record<string, string> | null;
	readonly ExposedPorts?: Record<string, object> | null;
	readonly Volumes?: Record<string, object> | null;
	readonly OnBuild?: readonly string[] | null;
	readonly StopSignal?: string;
	/** Seconds. */
	readonly StopTimeout?: number;
	readonly MacAddress?: string;
	readonly Healthcheck?: HealthcheckJson | null;
}

/** How the engine finds out whether a container is well. Times are nanoseconds, 0 is the default. */
export interface HealthcheckJson {
	/** ["NONE"], ["CMD", argument, …], ["CMD-SHELL", command]; empty takes the image's. */
	readonly Test?: readonly string[] | null;
	readonly Interval?: number;
	readonly Timeout?: number;
	readonly StartPeriod?: number;
	readonly Retries?: number;
}

/** Body of POST /containers/{id}/exec */
export interface CreateExecBody {
	readonly Cmd: readonly string[];
	readonly Env?: readonly string[];
	readonly WorkingDir?: string;
	readonly User?: string;
	readonly Tty?: boolean;
	readonly Privileged?: boolean;
	readonly AttachStdin?: boolean;
	readonly AttachStdout?: boolean;
	readonly AttachStderr?: boolean;
	readonly DetachKeys?: string;
}

/** GET /containers/{id}/top */
export interface TopJson {
	readonly Titles: readonly string[];
	readonly Processes: readonly (readonly string[])[] | null;
}

/** GET /exec/{id}/json */
export interface ExecInspect {
	readonly ID: string;
	readonly Running: boolean;
	/** Null until it has ended. */
	readonly ExitCode: number | null;
	readonly ProcessConfig: {
		readonly tty: boolean;
		readonly entrypoint: string;
		readonly arguments: readonly string[];
		readonly privileged: boolean;
		readonly user?: string;
	};
	readonly OpenStdin: boolean;
	readonly OpenStderr: boolean;
	readonly OpenStdout: boolean;
	readonly CanRemove: boolean;
	readonly ContainerID: string;
	readonly DetachKeys: string;
	readonly Pid: number;
}

export interface RestartPolicyJson {
	/** "no", "always", "unless-stopped", "on-failure"; "" means "no". */
	readonly Name: string;
	/** With "on-failure"; 0 is no limit. */
	readonly MaximumRetryCount?: number;
}

export interface HostConfigJson {
	readonly NetworkMode?: string;
	readonly AutoRemove?: boolean;
	readonly Binds?: readonly string[] | null;
	readonly LogConfig?: { readonly Type: string; readonly Config?: Record<string, string> | null };
	readonly RestartPolicy?: RestartPolicyJson;
	readonly ReadonlyRootfs?: boolean;
	readonly Privileged?: boolean;
	readonly CapAdd?: readonly string[] | null;
	readonly CapDrop?: readonly string[] | null;
	/** Bytes. */
	readonly Memory?: number;
	/** Billionths of a CPU. */
	readonly NanoCpus?: number;
	readonly PidsLimit?: number | null;
	readonly PortBindings?: Record<string, readonly { readonly HostIp?: string; readonly HostPort?: string }[]> | null;
	readonly ExtraHosts?: readonly string[] | null;
	readonly Annotations?: Record<string, string> | null;
	readonly Tmpfs?: Record<string, string> | null;
	readonly [other: string]: unknown;
}

export interface CreateContainerBody extends ContainerConfigJson {
	readonly HostConfig?: HostConfigJson;
	readonly NetworkingConfig?: { readonly EndpointsConfig?: Readonly<Record<string, EndpointJson>> | null };
}

/** GET /networks/{id} */
export interface NetworkJson {
	readonly Name: string;
	readonly Id: string;
	readonly Created: string;
	readonly Scope: string;
	readonly Driver: string;
	readonly EnableIPv4?: boolean;
	readonly EnableIPv6: boolean;
	readonly IPAM: {
		readonly Driver: string;
		readonly Options?: Record<string, string> | null;
		readonly Config:
			readonly { readonly Subnet?: string; readonly IPRange?: string; readonly Gateway?: string }[] | null;
	};
	readonly Internal: boolean;
	readonly Attachable?: boolean;
	readonly Ingress?: boolean;
	readonly ConfigFrom?: { readonly Network: string };
	readonly ConfigOnly?: boolean;
	/** By container id; only containers that run. A list leaves them out. */
	readonly Containers?: Record<
		string,
		{
			readonly Name: string;
			readonly EndpointID: string;
			readonly MacAddress: string;
			/** With the prefix length: "10.86.0.2/24". */
			readonly IPv4Address: string;
			readonly IPv6Address: string;
		}
	>;
	readonly Options: Readonly<Record<string, string>> | null;
	readonly Labels: Readonly<Record<string, string>> | null;
}

/** Body of POST /networks/create. */
export interface CreateNetworkBody {
	readonly Name: string;
	readonly Driver?: string;
	readonly Internal?: boolean;
	readonly EnableIPv6?: boolean;
	readonly IPAM?: {
		readonly Config?: readonly { readonly Subnet?: string; readonly IPRange?: string; readonly Gateway?: string }[];
	};
	readonly Options?: Readonly<Record<string, string>>;
	readonly Labels?: Readonly<Record<string, string>>;
}

/** A member of NetworkingConfig.EndpointsConfig, and of POST /networks/{id}/connect. */
export interface EndpointJson {
	readonly Aliases?: readonly string[] | null;
	readonly IPAMConfig?: { readonly IPv4Address?: string; readonly IPv6Address?: string } | null;
	readonly MacAddress?: string;
	readonly [other: string]: unknown;
}

/** GET /volumes/{name} */
export interface VolumeJson {
	readonly Name: string;
	readonly Driver: string;
	readonly CreatedAt?: string;
	readonly Mountpoint: string;
	readonly Labels: Readonly<Record<string, string>> | null;
	readonly Options: Readonly<Record<string, string>> | null;
	readonly Scope: string;
	/** Only in GET /system/df; -1 for what the engine does not know. */
	readonly UsageData?: { readonly Size: number; readonly RefCount: number } | null;
}

/** Logs of containers, roots that the driver copy has made, downloads that were cut off, the engine's own files. */
export type OtherUsageKind = 'logs' | 'copies' | 'partial-downloads' | 'engine';

/** GET /system/df; sizes in bytes. */
export interface DiskUsage {
	/** Of all layers, each once. */
	readonly LayersSize: number;
	/** Our engine only: what comes free when all images go that no container uses, with their blobs. */
	readonly UnusedSize?: number;
	readonly Images: readonly ImageSummary[] | null;
	/** With SizeRw and SizeRootFs. */
	readonly Containers: readonly ContainerSummary[] | null;
	readonly Volumes: readonly VolumeJson[] | null;
	readonly BuildCache?: readonly { readonly Size: number }[] | null;
	/** Our engine only: the rest of what the store takes on the disk. */
	readonly Other?: readonly { readonly Kind: OtherUsageKind; readonly Size: number }[];
}

/** Body of POST /volumes/create. */
export interface CreateVolumeBody {
	readonly Name?: string;
	readonly Driver?: string;
	readonly DriverOpts?: Readonly<Record<string, string>>;
	readonly Labels?: Readonly<Record<string, string>>;
}

export interface CreatedContainer {
	readonly Id: string;
	readonly Warnings: readonly string[];
}

/** A line of GET /events. */
export interface EventMessage {
	readonly Type: string;
	readonly Action: string;
	readonly Actor: { readonly ID: string; readonly Attributes?: Record<string, string> };
	readonly scope?: string;
	/** Unix seconds. */
	readonly time: number;
	/** Unix nanoseconds; beyond 2^53, so only for display. */
	readonly timeNano?: number;
}

export interface RegistryAuth {
	readonly username?: string;
	readonly password?: string;
	readonly identitytoken?: string;
	readonly registrytoken?: string;
	readonly serveraddress?: string;
}

/** Where registries are and how they are reached; see core/image/registry-settings. */
export interface RegistrySettings {
	readonly mirrors?: Readonly<Record<string, readonly string[]>>;
	readonly insecure?: readonly string[];
	readonly certificates?: readonly string[];
	readonly proxy?: string;
	readonly noProxy?: string;
	readonly timeout?: number;
}

/** GET /containers/{id}/stats: counters since the container's start. */
export interface StatsJson {
	/** RFC 3339; year 1 when the container does not run. */
	readonly read: string;
	readonly preread: string;
	readonly pids_stats: { readonly current?: number; readonly limit?: number };
	readonly blkio_stats: Readonly<Record<string, readonly object[] | null>> & {
		readonly io_service_bytes_recursive: readonly object[] | null;
	};
	readonly num_procs: number;
	readonly storage_stats: object;
	readonly cpu_stats: CpuStatsJson;
	/** One sample earlier. */
	readonly precpu_stats: CpuStatsJson;
	readonly memory_stats: {
		/** Bytes. */
		readonly usage?: number;
		readonly max_usage?: number;
		readonly stats?: Readonly<Record<string, number>>;
		readonly failcnt?: number;
		readonly limit?: number;
	};
	/** With docker's leading slash. */
	readonly name: string;
	readonly id: string;
	readonly networks?: Readonly<Record<string, { readonly rx_bytes: number; readonly tx_bytes: number }>>;
}

/** Nanoseconds. */
export interface CpuStatsJson {
	readonly cpu_usage: {
		readonly total_usage: number;
		readonly percpu_usage?: readonly number[];
		readonly usage_in_kernelmode: number;
		readonly usage_in_usermode: number;
	};
	readonly system_cpu_usage?: number;
	readonly online_cpus?: number;
	readonly throttling_data: {
		readonly periods: number;
		readonly throttled_periods: number;
		readonly throttled_time: number;
	};
}
