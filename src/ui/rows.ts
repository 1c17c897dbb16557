import type { ContainerSummary, ImageSummary, NetworkJson, Port, VolumeJson } from '../api/types';
import { repositoryOfName, splitRegistry } from './names';
import { parseStatus } from './status';

/** A container as a row needs it. */
export interface ContainerRow {
	readonly id: string;
	readonly name: string;
	/** As its creator wrote it. */
	readonly image: string;
	readonly imageId: string;
	readonly command: string;
	/** created, running, paused, restarting, stopping, removing, exited, dead */
	readonly state: string;
	/** Of an exited container. */
	readonly exitCode: number | undefined;
	/** Unix milliseconds since when it has been in its state, as exact as the engine says. */
	readonly since: number;
	/** healthy, unhealthy, starting; undefined for a container without a health check. */
	readonly health: string | undefined;
	readonly ports: readonly PortRow[];
	readonly labels: Readonly<Record<string, string>>;
	/** Address by name of network; "" while there is none. */
	readonly networks: Readonly<Record<string, string>>;
	/** Which way they work: "bridge (ip, iptables)"; "" when the engine does not say. */
	readonly networkDriver: string;
	/** Names of volumes, as their rows have them. */
	readonly volumes: readonly string[];
	/** Folders of the host. */
	readonly binds: readonly string[];
	readonly created: number;
}

/** A port that a container listens on, and where the host publishes it. */
export interface PortRow {
	readonly port: number;
	/** tcp, udp, sctp */
	readonly protocol: string;
	/** Undefined for a port that is only exposed. */
	readonly host: { readonly ip: string; readonly port: number } | undefined;
}

export interface NetworkRow {
	readonly id: string;
	readonly name: string;
	readonly driver: string;
	readonly scope: string;
	readonly subnets: readonly string[];
	readonly gateway: string;
	readonly isInternal: boolean;
	/** One of those that every engine has and nobody can remove. */
	readonly isBuiltIn: boolean;
	readonly labels: Readonly<Record<string, string>>;
	/** Unix milliseconds. */
	readonly created: number;
}

export interface VolumeRow {
	readonly name: string;
	readonly driver: string;
	readonly mountpoint: string;
	/** Made without a name for one container. */
	readonly isAnonymous: boolean;
	readonly options: Readonly<Record<string, string>>;
	readonly labels: Readonly<Record<string, string>>;
	/** Unix milliseconds; 0 when the engine does not say. */
	readonly created: number;
}

/** One name of an image, or an image without a name. */
export interface ImageRow {
	/** "repository:tag", or the image's id when it has no name. The engine takes either. */
	readonly name: string;
	readonly id: string;
	/** Undefined for a dangling image, and for one that was pulled by digest. */
	readonly tag: string | undefined;
	/** "repository@sha256:…", of the tag's repository where it has one. */
	readonly digest: string | undefined;
	/** All of them. */
	readonly digests: readonly string[];
	/** Bytes. */
	readonly size: number;
	/** Unix milliseconds. */
	readonly created: number;
}

/** True while a container has a process. */
export function isAlive(state: string): boolean {
	return state === 'running' || state === 'paused' || state === 'restarting' || state === 'stopping';
}

/** Makes keys of ids and names (engine-keys.ts). */
type KeyOf = (id: string) => string;
const asItIs: KeyOf = (id) => id;

/**
 * `now` in Unix milliseconds is when the engine answered; `machine` is where it publishes ports, "" for this one.
 */
export function containerRow(summary: ContainerSummary, now: number, keyOf = asItIs, machine = ''): ContainerRow {
	const { exitCode, age } = parseStatus(summary.Status);
	const isNew = summary.State === 'created';
	return {
		id: keyOf(summary.Id),
		name: summary.Names[0]?.replace(/^\//, '') ?? summary.Id.slice(0, 12),
		image: summary.Image,
		imageId: keyOf(summary.ImageID),
		command: summary.Command,
		state: summary.State,
		exitCode: isNew ? undefined : exitCode,
		since: isNew || age === undefined ? summary.Created * 1000 : now - age * 1000,
		health: /\((?:health: )?(healthy|unhealthy|starting)\)/.exec(summary.Status)?.[1],
		ports: portRows(summary.Ports, machine),
		labels: summary.Labels,
		networks: Object.fromEntries(
			Object.entries(summary.NetworkSettings?.Networks ?? {}).map(([name, endpoint]) => [
				name,
				'IPAddress' in endpoint && typeof endpoint.IPAddress === 'string' ? endpoint.IPAddress : '',
			]),
		),
		networkDriver: summary.NetworkSettings?.Driver ?? '',
		volumes: mounts(summary, 'volume', 'Name').map(keyOf),
		binds: mounts(summary, 'bind', 'Source'),
		created: summary.Created * 1000,
	};
}

/** By number. Docker lists a port that is published on IPv4 and IPv6 twice; here it is once. */
function portRows(ports: readonly Port[], machine: string): PortRow[] {
	const place = (ip: string): string => (machine !== '' && /^(|0\.0\.0\.0|::)$/.test(ip) ? machine : ip);
	const rows = ports.map((port) => ({
		port: port.PrivatePort,
		protocol: port.Type,
		host: port.PublicPort === undefined ? undefined : { ip: place(port.IP ?? ''), port: port.PublicPort },
	}));
	const key = (row: PortRow): string =>
		`${row.port}/${row.protocol} ${row.host?.ip === '::' ? '0.0.0.0' : row.host?.ip} ${row.host?.port}`;
	const unique = new Map(rows.toReversed().map((row) => [key(row), row]));
	return [...unique.values()].sort((a, b) => a.port - b.port || (a.host?.port ?? 0) - (b.host?.port ?? 0));
}

function mounts(summary: ContainerSummary, type: string, member: 'Name' | 'Source'): string[] {
	return (summary.Mounts ?? []).flatMap((mount) => {
		const fields = mount as Readonly<Record<string, unknown>>;
		const value = fields[member];
		return fields['Type'] === type && typeof value === 'string' ? [value] : [];
	});
}

/** Own networks by name, then the built-in ones. */
export function networkRows(networks: readonly NetworkJson[], keyOf = asItIs): ReadonlyMap<string, NetworkRow> {
	const rows = networks.map((network): NetworkRow => {
		const configs = network.IPAM.Config ?? [];
		return {
			id: keyOf(network.Id),
			name: network.Name,
			driver: network.Driver,
			scope: network.Scope,
			subnets: configs.flatMap(({ Subnet }) => (Subnet ? [Subnet] : [])),
			gateway: configs[0]?.Gateway ?? '',
			isInternal: network.Internal,
			isBuiltIn: ['bridge', 'host', 'none'].includes(network.Name),
			labels: network.Labels ?? {},
			created: Date.parse(network.Created) || 0,
		};
	});
	rows.sort((a, b) => Number(a.isBuiltIn) - Number(b.isBuiltIn) || (a.name < b.name ? -1 : 1));
	return new Map(rows.map((row) => [row.id, row]));
}

/** Volumes with a name by name, then the anonymous ones, newest first. */
export function volumeRows(volumes: readonly VolumeJson[], keyOf = asItIs): ReadonlyMap<string, VolumeRow> {
	const rows = volumes.map((volume): VolumeRow => ({
		name: keyOf(volume.Name),
		driver: volume.Driver,
		mountpoint: volume.Mountpoint,
		isAnonymous: /^[0-9a-f]{64}$/.test(volume.Name),
		options: volume.Options ?? {},
		labels: volume.Labels ?? {},
		created: Date.parse(volume.CreatedAt ?? '') || 0,
	}));
	rows.sort(
		(a, b) =>
			Number(a.isAnonymous) - Number(b.isAnonymous) ||
			(a.isAnonymous ? b.created - a.created : 0) ||
			(a.name < b.name ? -1 : 1),
	);
	return new Map(rows.map((row) => [row.name, row]));
}

/** By name without the registry, as they are shown; images without a name last. */
export function imageRows(summaries: readonly ImageSummary[], keyOf = asItIs): ReadonlyMap<string, ImageRow> {
	const rows = summaries.flatMap((summary): ImageRow[] => {
		const tags = (summary.RepoTags ?? []).filter((tag) => !tag.includes('<none>'));
		const digests = (summary.RepoDigests ?? []).filter((name) => !name.includes('<none>'));
		const common = { id: keyOf(summary.Id), size: summary.Size, created: summary.Created * 1000, digests };
		const digestOf = (tag: string): string | undefined =>
			digests.find((digest) => digest.startsWith(`${repositoryOfName(tag)}@`)) ?? digests[0];
		return tags.length > 0
			? tags.map((tag) => ({ ...common, name: keyOf(tag), tag, digest: digestOf(tag) }))
			: [{ ...common, name: keyOf(summary.Id), tag: undefined, digest: digests[0] }];
	});
	const order = (row: ImageRow): string =>
		`${row.tag === undefined ? '~' : ''}${splitRegistry(row.tag ?? row.id).rest} ${row.name}`;
	rows.sort((a, b) => (order(a) < order(b) ? -1 : 1));
	return new Map(rows.map((row) => [row.name, row]));
}
