import type { AddressPool, EndpointConfig, Network } from '../core/network/network';
import { parseLink } from '../core/network/links';
import { DEFAULT_NETWORK, parseNetworkMode } from '../core/network/network';
import type { Connection } from '../core/network/network-records';
import type { PublishedPort } from '../core/network/ports';
import { networkWay } from '../core/network/way';
import type { Container, NetworkConfig } from '../core/types';
import type { Volume } from '../core/volume/volume';
import type { Core } from './request';
import type { HostConfigJson, NetworkJson, Port, VolumeJson } from './types';

/** The address of a network that has none; docker's older top-level fields say the same again. */
export const NO_ADDRESS = {
	EndpointID: '',
	Gateway: '',
	GlobalIPv6Address: '',
	GlobalIPv6PrefixLen: 0,
	IPAddress: '',
	IPPrefixLen: 0,
	IPv6Gateway: '',
	MacAddress: '',
} as const;

/** Where a running container is on a network. */
export function addressOf([network, endpoint]: Connection): object {
	return {
		...NO_ADDRESS,
		...ipv6Address([network, endpoint]),
		EndpointID: endpoint.id,
		// On an internal network nothing leads out.
		Gateway: network.internal ? '' : network.gateway,
		IPAddress: endpoint.address,
		IPPrefixLen: prefixLength(network),
		MacAddress: endpoint.mac_address,
	};
}

function ipv6Address([{ ipv6, internal }, { address6 }]: Connection): object {
	return ipv6 === undefined || address6 === undefined
		? {}
		: {
				GlobalIPv6Address: address6,
				GlobalIPv6PrefixLen: prefixLength(ipv6),
				IPv6Gateway: internal ? '' : ipv6.gateway,
			};
}

/** NetworkSettings.Driver, ours alone: which way the container's network works. */
export function networkDriver({ config }: Container, core: Core): string {
	return networkWay(parseNetworkMode(config.network.mode), core.bridgeWay);
}

/** NetworkSettings.Networks: where the container is now, and where it will be when it starts. */
export function networks(container: Container, core: Core): Record<string, object> {
	const { mode, endpoints } = container.config.network;
	const kind = parseNetworkMode(mode).kind;
	if (kind !== 'network') {
		// A shared namespace has the networks of the container that it belongs to.
		return kind === 'container' ? {} : { [mode]: settings({ networkId: core.networks.find(mode)?.id ?? '' }) };
	}
	const connections = core.networks.connectionsOf(container.id);
	const entries = endpoints.map((config): [string, object] => {
		const network = core.networks.find(config.network);
		const connection = connections.find(([candidate]) => candidate.id === network?.id);
		const names = { config, container };
		const found = network === undefined ? {} : { networkId: network.id, connection };
		return [
			network?.name ?? config.network,
			settings({ ...found, names: network?.name === 'bridge' ? undefined : names }),
		];
	});
	return Object.fromEntries(entries);
}

interface Settings {
	readonly networkId?: string;
	readonly connection?: Connection | undefined;
	/** On networks where containers have names. */
	readonly names?: { readonly config: EndpointConfig; readonly container: Container } | undefined;
}

function settings({ networkId = '', connection, names }: Settings): object {
	const { address = '', address6 = '' } = names?.config ?? {};
	const ipam = {
		...(address === '' ? {} : { IPv4Address: address }),
		...(address6 === '' ? {} : { IPv6Address: address6 }),
	};
	const short = names?.container.id.slice(0, 12) ?? '';
	const aliases = names === undefined ? null : [...names.config.aliases, short];
	return {
		...(connection === undefined ? NO_ADDRESS : addressOf(connection)),
		IPAMConfig: address === '' && address6 === '' ? null : ipam,
		Links: names?.config.links ?? null,
		Aliases: aliases,
		DriverOpts: null,
		NetworkID: networkId,
		DNSNames: names === undefined || aliases === null ? null : [...new Set([names.container.name, ...aliases])],
	};
}

/** HostConfig.Links: those on the default network, the only ones that docker shows here. */
export function hostLinks({ name, config }: Container): string[] | null {
	const links = config.network.endpoints.find(({ network }) => network === DEFAULT_NETWORK)?.links;
	return links?.map(parseLink).map(({ target, alias }) => `/${target}:/${name}/${alias}`) ?? null;
}

/** Ports of a row: those that lead into the container now, and those that are only exposed. */
export function summaryPorts(container: Container, core: Core): Port[] {
	if (container.process === null) {
		return [];
	}
	const published = core.networks.portsOf(container.id);
	const isPublished = (key: string): boolean => published.some((port) => portKey(port) === key);
	const { network } = container.config;
	const exposed = parseNetworkMode(network.mode).kind === 'network' ? exposedPorts(network) : [];
	return [
		...exposed
			.filter((key) => !isPublished(key))
			.map((key) => ({ PrivatePort: parseInt(key, 10), Type: key.split('/')[1] ?? 'tcp' })),
		...published.map((port) => ({
			IP: port.host_ip,
			PrivatePort: port.container_port,
			PublicPort: port.host_port,
			Type: port.protocol,
		})),
	];
}

/** NetworkSettings.Ports: null for what is only exposed; nothing while the container does not run. */
export function inspectPorts(container: Container, core: Core): Record<string, object[] | null> {
	const { network } = container.config;
	if (container.process === null || parseNetworkMode(network.mode).kind !== 'network') {
		return {};
	}
	const ports: Record<string, object[] | null> = Object.fromEntries(exposedPorts(network).map((key) => [key, null]));
	for (const port of core.networks.portsOf(container.id)) {
		const place = { HostIp: port.host_ip, HostPort: String(port.host_port) };
		ports[portKey(port)] = [...(ports[portKey(port)] ?? []), place];
	}
	return ports;
}

export function portKey({ container_port, protocol }: Pick<PublishedPort, 'container_port' | 'protocol'>): string {
	return `${container_port}/${protocol}`;
}

/** "80/tcp" of all that are exposed or published, each once. */
export function exposedPorts({ exposed_ports, ports }: NetworkConfig): string[] {
	return [...new Set([...exposed_ports, ...ports.map(portKey)])];
}

/** HostConfig.PortBindings, as asked for. */
export function portBindings({ ports }: NetworkConfig): NonNullable<HostConfigJson['PortBindings']> {
	const bindings: Record<string, { HostIp: string; HostPort: string }[]> = {};
	for (const port of ports) {
		const range = port.host_port === port.host_port_end ? '' : `-${port.host_port_end}`;
		const place = { HostIp: port.host_ip, HostPort: port.host_port === 0 ? '' : `${port.host_port}${range}` };
		bindings[portKey(port)] = [...(bindings[portKey(port)] ?? []), place];
	}
	return bindings;
}

/** GET /networks/{id}; a row of the list has no containers. */
export function networkJson(network: Network, hasContainers: boolean): NetworkJson {
	const { subnet, ipv6 } = network;
	return {
		Name: network.name,
		Id: network.id,
		Created: network.created,
		Scope: 'local',
		Driver: network.driver,
		EnableIPv4: true,
		EnableIPv6: ipv6 !== undefined,
		IPAM: {
			Driver: 'default',
			Options: {},
			Config: [...(subnet === '' ? [] : [network]), ...(ipv6 === undefined ? [] : [ipv6])].map(poolJson),
		},
		Internal: network.internal,
		Attachable: false,
		Ingress: false,
		ConfigFrom: { Network: '' },
		ConfigOnly: false,
		Containers: hasContainers ? networkContainers(network) : {},
		Options: network.options,
		Labels: network.labels,
	};
}

function poolJson({ subnet, gateway, ip_range }: AddressPool): object {
	return { Subnet: subnet, ...(ip_range === '' ? {} : { IPRange: ip_range }), Gateway: gateway };
}

function networkContainers(network: Network): NonNullable<NetworkJson['Containers']> {
	return Object.fromEntries(
		Object.values(network.endpoints).map((endpoint) => [
			endpoint.container_id,
			{
				Name: endpoint.container_name,
				EndpointID: endpoint.id,
				MacAddress: endpoint.mac_address,
				IPv4Address: `${endpoint.address}/${prefixLength(network)}`,
				IPv6Address:
					network.ipv6 === undefined || endpoint.address6 === undefined
						? ''
						: `${endpoint.address6}/${prefixLength(network.ipv6)}`,
			},
		]),
	);
}

function prefixLength({ subnet }: AddressPool): number {
	return Number(subnet.split('/')[1] ?? 0);
}

export function volumeJson(volume: Volume, core: Core): VolumeJson {
	return {
		CreatedAt: volume.created,
		Driver: 'local',
		Labels: volume.is_anonymous ? { ...volume.labels, 'com.docker.volume.anonymous': '' } : volume.labels,
		Mountpoint: core.volumes.mountpoint(volume.name),
		Name: volume.name,
		Options: volume.options,
		Scope: 'local',
	};
}
