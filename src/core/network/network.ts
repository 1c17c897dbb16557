import { isIP } from 'node:net';
import { isObject } from '../json';
import type { Family } from './address';
import { familyOf, parseAddress, parseSubnet } from './address';
import type { PublishedPort } from './ports';

export type NetworkDriver = 'bridge' | 'host' | 'null';

/** Addresses of one family. */
export interface AddressPool {
	/** "10.86.0.0/24"; of IPv4 "" until the default network is first used, and for host and none. */
	readonly subnet: string;
	readonly gateway: string;
	/** Part of the subnet that addresses are taken from; "" is all of it. */
	readonly ip_range: string;
	/** Whether a person chose the subnet; docker allows static addresses only then. */
	readonly has_user_subnet: boolean;
}

/** The record `network-<id>.json`; the pool that every network has is IPv4's. */
export interface Network extends AddressPool {
	/** 64 hex digits. */
	readonly id: string;
	readonly name: string;
	readonly driver: NetworkDriver;
	readonly created: string;
	/** Reaches nothing outside itself, and nothing outside reaches it. */
	readonly internal: boolean;
	readonly labels: Readonly<Record<string, string>>;
	readonly options: Readonly<Record<string, string>>;
	/** With `--ipv6`: every container gets an address from here as well. */
	readonly ipv6?: AddressPool;
	/** The bridge device, "md-<8 hex>"; "" for host and none. It exists while a container is on the network. */
	readonly bridge: string;
	/** By container id; only containers that run (or start) have one. */
	readonly endpoints: Readonly<Record<string, Endpoint>>;
}

/** A running container's place on a network. */
export interface Endpoint {
	/** 64 hex digits. */
	readonly id: string;
	readonly container_id: string;
	readonly container_name: string;
	readonly address: string;
	/** On a network with IPv6. */
	readonly address6?: string;
	readonly mac_address: string;
	/** In the container: "eth0". */
	readonly interface: string;
	/** The other end, on the host. */
	readonly veth: string;
	/** Other names on this network, as asked for. */
	readonly aliases: readonly string[];
	/** "container:alias", names that only this container knows. */
	readonly links?: readonly string[];
	/** Where this container's questions for names outside go; empty is the host's resolvers. */
	readonly dns: readonly string[];
	/** Only on the network that the container's published ports lead through. */
	readonly ports: readonly PublishedPort[];
}

/** What a container's configuration says about one network it is on; kept in the container's record. */
export interface EndpointConfig {
	/** Name or id of the network. */
	readonly network: string;
	readonly aliases: readonly string[];
	/** `--link`: "container:alias". */
	readonly links?: readonly string[] | undefined;
	/** A static address, or "". */
	readonly address: string;
	/** A static IPv6 address. */
	readonly address6?: string | undefined;
	/** "" derives it from the address. */
	readonly mac_address: string;
}

/** docker's default network: no name resolution, subnet chosen at first use. */
export const DEFAULT_NETWORK = 'bridge';
export const PREDEFINED: readonly string[] = ['bridge', 'host', 'none'];

const NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/;

/** What a network, and a name on it, may be called. */
export function isNetworkName(name: string): boolean {
	return NAME.test(name);
}

/** The addresses of an endpoint, IPv4's first, each with what the network says of its family. */
export function placesOf(
	{ ipv6, ...ipv4 }: Network,
	{ address, address6 }: Endpoint,
): { readonly address: string; readonly pool: AddressPool }[] {
	return [
		{ address, pool: ipv4 },
		...(ipv6 === undefined || address6 === undefined ? [] : [{ address: address6, pool: ipv6 }]),
	];
}

/** Names by which the members of a network know a container: its name, its aliases, its short id. */
export function namesOf(endpoint: Endpoint): string[] {
	return [...new Set([endpoint.container_name, ...endpoint.aliases, endpoint.container_id.slice(0, 12)])];
}

/** Whether a record on disk can be used; the store sets aside what cannot. What gets into commands is checked closely. */
export function isNetwork(value: unknown): value is Network {
	return (
		isObject(value) &&
		hasStrings(value, ['id', 'name', 'driver', 'created', 'bridge']) &&
		isPool(value, 4) &&
		(value['ipv6'] === undefined || (isObject(value['ipv6']) && isPool(value['ipv6'], 6))) &&
		/^[0-9a-f]{64}$/.test(value['id']) &&
		/^(md-[0-9a-f]{8})?$/.test(value['bridge']) &&
		['bridge', 'host', 'null'].includes(value['driver']) &&
		typeof value['internal'] === 'boolean' &&
		isStringMap(value['labels']) &&
		isStringMap(value['options']) &&
		isObject(value['endpoints']) &&
		Object.values(value['endpoints']).every(isEndpoint)
	);
}

function isPool(value: Plain, family: Family): boolean {
	const isSubnet = (text: string): boolean => text === '' || isOf(parseSubnet(text)?.base, family);
	return (
		hasStrings(value, ['subnet', 'gateway', 'ip_range']) &&
		isSubnet(value['subnet']) &&
		isSubnet(value['ip_range']) &&
		(value['gateway'] === '' || isAddress(value['gateway'], family)) &&
		typeof value['has_user_subnet'] === 'boolean'
	);
}

function isAddress(value: unknown, family: Family): boolean {
	return typeof value === 'string' && isOf(parseAddress(value), family);
}

function isOf(address: bigint | undefined, family: Family): boolean {
	return address !== undefined && familyOf(address) === family;
}

function isEndpoint(value: unknown): value is Endpoint {
	return (
		isObject(value) &&
		hasStrings(value, ['id', 'container_id', 'container_name', 'address', 'mac_address', 'interface', 'veth']) &&
		isAddress(value['address'], 4) &&
		(value['address6'] === undefined || isAddress(value['address6'], 6)) &&
		/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/.test(value['mac_address']) &&
		/^eth\d{1,3}$/.test(value['interface']) &&
		/^mv-[0-9a-f]{10}$/.test(value['veth']) &&
		isStringList(value['aliases']) &&
		(value['links'] === undefined || isStringList(value['links'])) &&
		isStringList(value['dns']) &&
		Array.isArray(value['ports']) &&
		value['ports'].every(isPublishedPort)
	);
}

function isPublishedPort(value: unknown): value is PublishedPort {
	return (
		isObject(value) &&
		hasStrings(value, ['host_ip', 'protocol']) &&
		isIP(value['host_ip']) !== 0 &&
		['tcp', 'udp'].includes(value['protocol']) &&
		isPort(value['host_port']) &&
		isPort(value['container_port'])
	);
}

function isPort(value: unknown): boolean {
	return typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= 65535;
}

type Plain = Readonly<Record<string, unknown>>;

function hasStrings<Name extends string>(value: Plain, names: readonly Name[]): value is Plain & Record<Name, string> {
	return names.every((name) => typeof value[name] === 'string');
}

function isStringList(value: unknown): value is string[] {
	return Array.isArray(value) && value.every((item) => typeof item === 'string');
}

function isStringMap(value: unknown): value is Record<string, string> {
	return isObject(value) && Object.values(value).every((item) => typeof item === 'string');
}

/** HostConfig.NetworkMode. */
export type NetworkMode =
	| { readonly kind: 'host' }
	| { readonly kind: 'none' }
	/** Shares the namespace of another container, by name or id. */
	| { readonly kind: 'container'; readonly container: string }
	| { readonly kind: 'network'; readonly network: string };

/** "" and "default" are the default bridge. */
export function parseNetworkMode(text: string): NetworkMode {
	if (text === 'host' || text === 'none') {
		return { kind: text };
	}
	if (text.startsWith('container:')) {
		return { kind: 'container', container: text.slice('container:'.length) };
	}
	return { kind: 'network', network: text === '' || text === 'default' ? DEFAULT_NETWORK : text };
}
