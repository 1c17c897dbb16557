/**
 * What docker's own types have where the JSON of a container, an image, a network or a volume has nothing: its command
 * line fills a template from Go's structs, in which a member that JSON leaves out (omitempty) or that is null has the
 * empty value of its type. Members that are always there and never null are not in these tables.
 */
export interface Type {
	/** What an empty one is; undefined is a nil pointer. */
	readonly empty?: unknown;
	/** Of a struct. */
	readonly members?: Readonly<Record<string, Type>>;
	/** The type of a list's or a map's elements. */
	readonly of?: Type | undefined;
	/** Any name may be looked up in it. */
	readonly isMap?: boolean;
	/** The member of the JSON that Go has under this name. */
	readonly sameAs?: string;
}

/** Empty to a template and null to JSON, as a nil slice and a nil map of Go are. */
const NIL_LIST: readonly unknown[] = Object.freeze(
	Object.defineProperty<unknown[]>([], 'toJSON', { value: () => null }),
);
const NIL_MAP: object = Object.freeze(Object.create({ toJSON: () => null }) as object);

const text: Type = { empty: '' };
const number: Type = { empty: 0 };
const flag: Type = { empty: false };
const pointer: Type = {};
const list = (of?: Type): Type => ({ empty: NIL_LIST, of });
const map = (of?: Type): Type => ({ empty: NIL_MAP, of, isMap: true });
const struct = (members: Readonly<Record<string, Type>>): Type => ({ members });
const sameAs = (name: string): Type => ({ sameAs: name });

const CONFIG = struct({
	...{ Hostname: text, Domainname: text, User: text, Image: text, WorkingDir: text, StopSignal: text },
	...{ MacAddress: text, ExposedPorts: map(), Volumes: map(), Labels: map() },
	...{ Env: list(), Cmd: list(), Entrypoint: list(), OnBuild: list(), Shell: list() },
	...{ AttachStdin: flag, AttachStdout: flag, AttachStderr: flag, Tty: flag, OpenStdin: flag, StdinOnce: flag },
	...{ ArgsEscaped: flag, NetworkDisabled: flag, Healthcheck: pointer, StopTimeout: pointer },
});

const GRAPH_DRIVER = struct({ Data: map() });

export const IMAGE_TYPE = struct({
	...{ ID: sameAs('Id'), VirtualSize: sameAs('Size') },
	...{ RepoTags: list(), RepoDigests: list(), Manifests: list(), Descriptor: pointer },
	...{ Parent: text, Comment: text, Created: text, Container: text, DockerVersion: text, Author: text },
	...{ Architecture: text, Variant: text, Os: text, OsVersion: text },
	...{ Config: CONFIG, ContainerConfig: CONFIG, GraphDriver: GRAPH_DRIVER, RootFS: struct({ Layers: list() }) },
});

const HOST_CONFIG = struct({
	...{ DNS: sameAs('Dns'), DNSOptions: sameAs('DnsOptions'), DNSSearch: sameAs('DnsSearch') },
	...{ CPUShares: sameAs('CpuShares'), CPUPeriod: sameAs('CpuPeriod'), CPUQuota: sameAs('CpuQuota') },
	...{ NanoCPUs: sameAs('NanoCpus'), LogConfig: struct({ Config: map() }) },
	...{ Binds: list(), VolumesFrom: list(), CapAdd: list(), CapDrop: list(), Dns: list(), DnsOptions: list() },
	...{ DnsSearch: list(), ExtraHosts: list(), GroupAdd: list(), Links: list(), SecurityOpt: list(), Mounts: list() },
	...{ MaskedPaths: list(), ReadonlyPaths: list(), Devices: list(), DeviceCgroupRules: list() },
	...{ DeviceRequests: list(), Ulimits: list(), BlkioWeightDevice: list(), BlkioDeviceReadBps: list() },
	...{ BlkioDeviceWriteBps: list(), BlkioDeviceReadIOps: list(), BlkioDeviceWriteIOps: list() },
	...{ PortBindings: map(), Annotations: map(), StorageOpt: map(), Tmpfs: map(), Sysctls: map() },
	...{ ContainerIDFile: text, VolumeDriver: text, CgroupnsMode: text, IpcMode: text, Cgroup: text, PidMode: text },
	...{ UTSMode: text, UsernsMode: text, Runtime: text, Isolation: text, CgroupParent: text },
	...{ CpusetCpus: text, CpusetMems: text, KernelMemory: number, KernelMemoryTCP: number },
	...{ CpuRealtimePeriod: number, CpuRealtimeRuntime: number, CpuCount: number, CpuPercent: number },
	...{ IOMaximumIOps: number, IOMaximumBandwidth: number },
	...{ Init: pointer, MemorySwappiness: pointer, OomKillDisable: pointer, PidsLimit: pointer },
});

const ENDPOINT = struct({
	...{ IPAMConfig: pointer, Links: list(), Aliases: list(), DriverOpts: map(), DNSNames: list(), GwPriority: number },
	...{ MacAddress: text, NetworkID: text, EndpointID: text, Gateway: text, IPAddress: text, IPPrefixLen: number },
	...{ IPv6Gateway: text, GlobalIPv6Address: text, GlobalIPv6PrefixLen: number },
});

export const CONTAINER_TYPE = struct({
	...{ ID: sameAs('Id'), Args: list(), ExecIDs: list(), SizeRw: pointer, SizeRootFs: pointer },
	...{ ImageManifestDescriptor: pointer, State: struct({ Health: struct({ Log: list() }) }) },
	...{ Config: CONFIG, HostConfig: HOST_CONFIG, GraphDriver: GRAPH_DRIVER },
	Mounts: list(struct({ Type: text, Name: text, Driver: text, Mode: text, Propagation: text })),
	NetworkSettings: struct({
		...{ Ports: map(), Networks: map(ENDPOINT), SecondaryIPAddresses: list(), SecondaryIPv6Addresses: list() },
	}),
});

export const NETWORK_TYPE = struct({
	...{ ID: sameAs('Id'), EnableIPv4: flag, EnableIPv6: flag, Internal: flag, Attachable: flag, Ingress: flag },
	...{ ConfigOnly: flag, Containers: map(), Options: map(), Labels: map(), Peers: list(), Services: map() },
	IPAM: struct({
		Options: map(),
		Config: list(
			struct({
				...{ Subnet: text, IPRange: text, Gateway: text },
				...{ AuxAddress: sameAs('AuxiliaryAddresses'), AuxiliaryAddresses: map() },
			}),
		),
	}),
});

export const VOLUME_TYPE = struct({
	...{ CreatedAt: text, Labels: map(), Options: map(), Status: map(), UsageData: pointer, ClusterVolume: pointer },
});

/** The types of all lists, maps and structs in `data`, which is of `type`. */
export function typesIn(data: unknown, type: Type | undefined): ReadonlyMap<unknown, Type> {
	const types = new Map<unknown, Type>([[NIL_MAP, map()]]);
	learn(types, data, type);
	return types;
}

function learn(types: Map<unknown, Type>, value: unknown, type: Type | undefined): void {
	if (type === undefined || typeof value !== 'object' || value === null) {
		return;
	}
	types.set(value, type);
	for (const [name, member] of Object.entries(value)) {
		learn(types, member, type.of ?? memberType(type, name));
	}
}

/** Undefined when the struct has no such member. */
export function memberType({ members = {} }: Type, name: string): Type | undefined {
	return Object.hasOwn(members, name) ? members[name] : undefined;
}
