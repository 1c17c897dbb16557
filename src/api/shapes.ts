import * as path from 'node:path';
import type { Health } from '../core/container/health';
import type { EngineEvent } from '../core/events';
import { isObject } from '../core/json';
import { familiarName } from '../core/image/reference';
import { DEFAULT_NETWORK } from '../core/network/network';
import type { EngineFacts } from '../core/system/info';
import type { Container, Image, ImageConfig, Mount } from '../core/types';
import type { Core } from './request';
import {
	addressOf,
	exposedPorts,
	hostLinks,
	networkDriver,
	inspectPorts,
	networks,
	NO_ADDRESS,
	portBindings,
	summaryPorts,
} from './network-shapes';
import { healthcheckJson, healthJson, isolationJson, resourcesJson, UNSET_HOST_CONFIG } from './host-shapes';
import { statusText } from './status';
import { isOlderVersion } from './transport';
import type {
	ContainerConfigJson,
	ContainerInspect,
	ContainerState,
	ContainerSummary,
	HostConfigJson,
	ImageConfigJson,
	ImageInspect,
	ImageSummary,
} from './types';

/** Go's zero time, which docker shows for "never". */
export const NEVER = '0001-01-01T00:00:00Z';

/**
 * One row of GET /images/json: `records` are all names of one image, of which only those that are wanted are shown.
 * `version` is the client's API version.
 */
export function imageSummary(
	records: readonly [Image, ...Image[]],
	version: string,
	isWanted: (reference: string) => boolean = () => true,
): ImageSummary {
	const [image] = records;
	const tags = repoTags(records).filter(isWanted);
	const digests = repoDigests(records).filter(isWanted);
	// Until API 1.43 an image without a name had one made of <none>.
	const isNamedNone = isOlderVersion(version, '1.43') && repoTags(records).length === 0;
	return {
		Id: image.id,
		ParentId: '',
		RepoTags: isNamedNone ? ['<none>:<none>'] : tags,
		RepoDigests: isNamedNone && digests.length === 0 ? ['<none>@<none>'] : digests,
		Created: unixSeconds(image.created),
		Size: image.size,
		SharedSize: -1,
		...(isOlderVersion(version, '1.44') ? { VirtualSize: image.size } : {}),
		Labels: { ...image.config.labels },
		Containers: -1,
	};
}

export interface ImageInspectOptions {
	/** The client's API version. */
	readonly version: string;
	/** Of the storage. */
	readonly driver: string;
	/** The image's configuration as it is written, by whomever. */
	readonly document: Readonly<Record<string, unknown>>;
}

/** GET /images/{name}/json */
export function imageInspect(
	records: readonly [Image, ...Image[]],
	{ version, driver, document }: ImageInspectOptions,
): ImageInspect {
	const [image] = records;
	const config = { ...imageConfig(image.config), ...buildConfig(document) };
	const { os, architecture, variant } = image.platform;
	const inspect = {
		Id: image.id,
		RepoTags: repoTags(records),
		RepoDigests: repoDigests(records),
		Parent: '',
		Comment: commentOf(document),
		Created: image.created === '' ? NEVER : image.created,
		// Gone since API 1.45, which compose 1 does not know: it asks this for the image's volumes.
		Container: textOf(document, 'container'),
		ContainerConfig: config,
		DockerVersion: textOf(document, 'docker_version'),
		Author: textOf(document, 'author'),
		Config: config,
		Architecture: architecture,
		...(variant === undefined ? {} : { Variant: variant }),
		Os: os,
		Size: image.size,
		...(isOlderVersion(version, '1.44') ? { VirtualSize: image.size } : {}),
		GraphDriver: { Data: null, Name: driver },
		RootFS: { Type: 'layers', Layers: image.layers },
		Metadata: { LastTagTime: image.pulled_at === '' ? NEVER : image.pulled_at },
	};
	return inspect;
}

function textOf(document: Readonly<Record<string, unknown>>, name: string): string {
	const value = document[name];
	return typeof value === 'string' ? value : '';
}

/** Docker's own images have it at the top; else it is what the newest step says. */
function commentOf(document: Readonly<Record<string, unknown>>): string {
	const { history } = document;
	const newest: unknown = Array.isArray(history) ? history.at(-1) : undefined;
	return textOf(document, 'comment') || (isObject(newest) ? textOf(newest, 'comment') : '');
}

/** What only builds made from the image ask for; the record of an image does not hold it. */
function buildConfig({ config }: Readonly<Record<string, unknown>>): Pick<ImageConfigJson, 'OnBuild' | 'Shell'> {
	const members = isObject(config) ? config : {};
	const shell = textsOf(members['Shell']);
	return { OnBuild: orNull(textsOf(members['OnBuild'])), ...(shell.length === 0 ? {} : { Shell: shell }) };
}

function textsOf(value: unknown): string[] {
	return Array.isArray(value) && value.every((one) => typeof one === 'string') ? value : [];
}

/** What an image cannot say; docker has it in Config all the same until API 1.50, and templates ask for it. */
const OF_CONTAINERS_ALONE = {
	...{ Hostname: '', Domainname: '', Image: '' },
	...{ AttachStdin: false, AttachStdout: false, AttachStderr: false },
	...{ Tty: false, OpenStdin: false, StdinOnce: false },
};

function imageConfig(config: ImageConfig): ImageConfigJson {
	return {
		...OF_CONTAINERS_ALONE,
		User: config.user,
		...(isEmpty(config.exposed_ports) ? {} : { ExposedPorts: config.exposed_ports }),
		Env: orNull(config.env),
		Cmd: orNull(config.cmd),
		...(isEmpty(config.volumes) ? {} : { Volumes: config.volumes }),
		WorkingDir: config.working_dir,
		Entrypoint: orNull(config.entrypoint),
		Labels: isEmpty(config.labels) ? null : config.labels,
		...(config.stop_signal === '' ? {} : { StopSignal: config.stop_signal }),
		...(config.health === undefined ? {} : { Healthcheck: healthcheckJson(config.health) }),
	};
}

/** "nginx:latest" for each tag of the image. */
export function repoTags(records: readonly Image[]): string[] {
	return records
		.filter(({ name, tag }) => name !== '' && tag !== '')
		.map((one) => `${familiarName(one.name)}:${one.tag}`);
}

function repoDigests(records: readonly Image[]): string[] {
	return [...new Set(records.flatMap((image) => image.repo_digests.map(familiarDigest)))];
}

function familiarDigest(reference: string): string {
	const at = reference.indexOf('@');
	return at < 0 ? reference : familiarName(reference.slice(0, at)) + reference.slice(at);
}

/** One row of GET /containers/json. `now` is Unix milliseconds. */
export function containerSummary(container: Container, image: string, now: number, core: Core): ContainerSummary {
	const [program = '', ...args] = commandLine(container);
	const quoted = args.map((arg) => (arg.includes(' ') ? `'${arg}'` : arg));
	return {
		Id: container.id,
		Names: [`/${container.name}`],
		Image: image,
		ImageID: container.image_id,
		Command: [program, ...quoted].join(' '),
		Created: unixSeconds(container.created_at),
		Ports: summaryPorts(container, core),
		Labels: { ...container.labels },
		State: stateWord(container),
		Status: statusText(container, now),
		HostConfig: { NetworkMode: container.config.network.mode },
		NetworkSettings: { Driver: networkDriver(container, core), Networks: networks(container, core) },
		Mounts: container.config.mounts.map((mount) => mountPoint(mount, core)),
	};
}

/** GET /containers/{id}/json */
export function containerInspect(container: Container, core: Core, facts: EngineFacts): ContainerInspect {
	const [program = '', ...args] = commandLine(container);
	const folder = path.join(core.root, 'containers', container.id);
	const hasLog = container.config.log_config.type === 'json-file';
	const inspect = {
		Id: container.id,
		Created: container.created_at,
		Path: program,
		Args: args,
		State: containerState(container, core.containers.health.of(container)),
		Image: container.image_id,
		ResolvConfPath: path.join(folder, 'etc', 'resolv.conf'),
		HostnamePath: path.join(folder, 'etc', 'hostname'),
		HostsPath: path.join(folder, 'etc', 'hosts'),
		LogPath: hasLog ? path.join(folder, 'log', `${container.id}-json.log`) : '',
		Name: `/${container.name}`,
		RestartCount: container.restart_count,
		Driver: container.storage_driver ?? 'overlay',
		Platform: 'linux',
		MountLabel: '',
		ProcessLabel: '',
		AppArmorProfile: '',
		ExecIDs: orNull(core.containers.execs.of(container.id).map((exec) => exec.id)),
		HostConfig: hostConfig(container, facts),
		GraphDriver: { Data: null, Name: container.storage_driver ?? 'overlay' },
		Mounts: container.config.mounts.map((mount) => mountPoint(mount, core)),
		Config: containerConfig(container),
		NetworkSettings: {
			Bridge: '',
			SandboxID: '',
			SandboxKey: '',
			HairpinMode: false,
			LinkLocalIPv6Address: '',
			LinkLocalIPv6PrefixLen: 0,
			SecondaryIPAddresses: null,
			SecondaryIPv6Addresses: null,
			Driver: networkDriver(container, core),
			...defaultAddress(container, core),
			Ports: inspectPorts(container, core),
			Networks: networks(container, core),
		},
	};
	return inspect;
}

function containerState(container: Container, health: Health | undefined): ContainerState {
	const { status } = container;
	return {
		Status: stateWord(container),
		Running: ['running', 'paused', 'stopping', 'restarting'].includes(stateWord(container)),
		Paused: status === 'paused',
		Restarting: stateWord(container) === 'restarting',
		OOMKilled: container.oom_killed,
		Dead: status === 'dead',
		Pid: container.process?.pid ?? 0,
		ExitCode: container.exit_code,
		Error: container.error,
		StartedAt: container.started_at || NEVER,
		FinishedAt: container.finished_at || NEVER,
		...(health === undefined || container.started_at === '' ? {} : { Health: healthJson(health) }),
	};
}

/** Docker's word. A container that is being started still counts as what it was before. */
export function stateWord({ status, finished_at, restart_count }: Container): string {
	if (status !== 'starting') {
		return status;
	}
	// A start by a person begins to count anew.
	return restart_count > 0 ? 'restarting' : finished_at === '' ? 'created' : 'exited';
}

function containerConfig({ config, labels }: Container): ContainerConfigJson {
	const exposed = exposedPorts(config.network);
	const volumes = config.mounts.filter(({ type }) => type === 'volume');
	return {
		Hostname: config.hostname,
		Domainname: config.isolation?.domainname ?? '',
		User: config.user,
		AttachStdin: config.stdin_once,
		AttachStdout: true,
		AttachStderr: true,
		Tty: config.tty,
		OpenStdin: config.open_stdin,
		StdinOnce: config.stdin_once,
		Env: config.env,
		Cmd: orNull(config.command),
		...(exposed.length === 0 ? {} : { ExposedPorts: Object.fromEntries(exposed.map((port) => [port, {}])) }),
		Image: config.image,
		Volumes: volumes.length === 0 ? null : Object.fromEntries(volumes.map((mount) => [mount.destination, {}])),
		WorkingDir: config.working_dir,
		Entrypoint: orNull(config.entrypoint),
		OnBuild: null,
		Labels: { ...labels },
		StopSignal: config.stop_signal,
		StopTimeout: config.stop_timeout,
		...(config.health === undefined ? {} : { Healthcheck: healthcheckJson(config.health) }),
	};
}

function hostConfig(container: Container, facts: EngineFacts): HostConfigJson {
	const { config, annotations } = container;
	// Docker names anonymous volumes among the mounts only.
	const binds = config.mounts.filter(
		({ type, source }) => type === 'bind' || (type === 'volume' && !/^[0-9a-f]{64}$/.test(source)),
	);
	const tmpfs = config.mounts.filter(({ type }) => type === 'tmpfs');
	return {
		...UNSET_HOST_CONFIG,
		...resourcesJson(config.resources),
		...isolationJson(config.isolation ?? {}, facts.cgroupVersion),
		ConsoleSize: [config.console_size?.rows ?? 0, config.console_size?.columns ?? 0],
		Runtime: config.isolation?.runtime ?? facts.runtime.name,
		Binds: orNull(binds.map((mount) => `${mount.source}:${mount.destination}${mount.read_only ? ':ro' : ''}`)),
		LogConfig: { Type: config.log_config.type, Config: { ...config.log_config.options } },
		NetworkMode: config.network.mode,
		PortBindings: portBindings(config.network),
		PublishAllPorts: config.network.publish_all,
		Dns: config.network.dns.servers,
		DnsOptions: config.network.dns.options,
		DnsSearch: config.network.dns.search,
		RestartPolicy: {
			Name: config.restart_policy?.name ?? 'no',
			MaximumRetryCount: config.restart_policy?.max_retries ?? 0,
		},
		AutoRemove: config.auto_remove,
		CapAdd: orNull(config.cap_add),
		CapDrop: orNull(config.cap_drop),
		ExtraHosts: orNull(config.extra_hosts),
		Links: hostLinks(container),
		Privileged: config.privileged,
		ReadonlyRootfs: config.read_only,
		...(tmpfs.length === 0 ? {} : { Tmpfs: Object.fromEntries(tmpfs.map(tmpfsEntry)) }),
		...(isEmpty(annotations) ? {} : { Annotations: annotations }),
	};
}

function isPropagation(option: string): boolean {
	return /^r?(private|slave|shared)$/.test(option);
}

function tmpfsEntry({ destination, read_only, options = [] }: Mount): [string, string] {
	return [destination, [...(read_only ? ['ro'] : []), ...options].join(',')];
}

function mountPoint(mount: Mount, { volumes }: Core): object {
	if (mount.type === 'volume') {
		return {
			Type: 'volume',
			Name: mount.source,
			Source: volumes.find(mount.source) === undefined ? '' : volumes.mountpoint(mount.source),
			Destination: mount.destination,
			Driver: 'local',
			Mode: mount.read_only ? 'ro' : 'z',
			RW: !mount.read_only,
			Propagation: '',
		};
	}
	return {
		Type: mount.type,
		Source: mount.source,
		Destination: mount.destination,
		Mode: mount.read_only ? 'ro' : '',
		RW: !mount.read_only,
		Propagation: mount.type === 'bind' ? (mount.options?.find(isPropagation) ?? 'rprivate') : '',
	};
}

/** Docker's older top-level fields: the address on the default network. */
function defaultAddress({ id }: Container, core: Core): object {
	const connection = core.networks.connectionsOf(id).find(([network]) => network.name === DEFAULT_NETWORK);
	return connection === undefined ? NO_ADDRESS : addressOf(connection);
}

function commandLine({ config }: Container): string[] {
	return [...config.entrypoint, ...config.command];
}

/**
 * One event as JSON text. The top-level status, id and from are what older clients read. timeNano does not fit in a
 * number of JavaScript, so it is written by hand.
 */
export function eventJson({ type, action, id, attributes, time }: EngineEvent): string {
	const isOfImage = type === 'image' || type === 'container';
	const message = {
		...(isOfImage ? { status: action, id } : {}),
		...(type === 'container' && attributes['image'] !== undefined ? { from: attributes['image'] } : {}),
		Type: type,
		Action: action,
		Actor: { ID: id, Attributes: attributes },
		scope: 'local',
		time: Number(time / 1_000_000_000n),
	};
	return `${JSON.stringify(message).slice(0, -1)},"timeNano":${time}}`;
}

/** Whole seconds of an RFC 3339 time; 0 for a missing or malformed one. */
function unixSeconds(time: string): number {
	return Math.floor(Date.parse(time) / 1000) || 0;
}

function orNull(list: readonly string[]): readonly string[] | null {
	return list.length === 0 ? null : list;
}

function isEmpty(record: object): boolean {
	return Object.keys(record).length === 0;
}
