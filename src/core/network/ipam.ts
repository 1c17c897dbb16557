import { EngineError } from '../errors';
import type { Family, Subnet } from './address';
import { containsAddress, familyOf, IPV4_BITS, lastAddress, overlaps, parseAddress, parseSubnet } from './address';

/**
 * Where networks without a subnet of their own get a /24. Not 172.17–31 and 192.168 (docker), not 10.88–89 (podman),
 * not 10.42, 10.96 and 10.244 (Kubernetes), so that all of them can live on one machine.
 */
const IPV4_POOLS = ['10.86.0.0/16', '10.87.0.0/16', '172.30.0.0/16', '10.222.0.0/16'].flatMap(
	(text) => parseSubnet(text) ?? [],
);

/** Where subnets of this family come from; those of IPv6 (RFC 4193) are the store's own, by 10 hex digits of its id. */
export function defaultPools(family: Family, store: string): readonly Subnet[] {
	const groups = `fd${store.slice(0, 10)}`.replace(/.{4}(?=.)/g, '$&:');
	return family === 4 ? IPV4_POOLS : [parseSubnet(`${groups}::/48`) ?? []].flat();
}

/** The first free /24, or /64 of IPv6, that overlaps nothing in `taken`: other networks and the host's routes. */
export function pickSubnet(pools: readonly Subnet[], taken: readonly Subnet[]): Subnet {
	for (const pool of pools) {
		const bits = familyOf(pool.base) === 4 ? IPV4_BITS + 24 : 64;
		for (let index = 0n; index < 256n; index++) {
			const subnet = { base: pool.base + (index << BigInt(128 - bits)), bits };
			if (!taken.some((other) => overlaps(other, subnet))) {
				return subnet;
			}
		}
	}
	const family = familyOf(pools[0]?.base ?? 0n);
	throw new EngineError(
		'conflict',
		`could not find an available, non-overlapping IPv${family} address pool among the defaults to assign to the network`,
	);
}

export interface Pool {
	/** "name (id)" for messages. */
	readonly label: string;
	readonly subnet: Subnet;
	/** Where addresses that nobody asked for come from; the subnet by default. */
	readonly range: Subnet;
	readonly gateway: bigint;
	readonly used: ReadonlySet<bigint>;
}

/** The lowest free address of the pool's range. */
export function lowestFree(pool: Pool): bigint {
	for (let address = pool.range.base; address <= lastAddress(pool.range); address++) {
		if (isAssignable(pool, address) && !pool.used.has(address)) {
			return address;
		}
	}
	const family = familyOf(pool.subnet.base);
	throw new EngineError(
		'conflict',
		`no available IPv${family} addresses on this network's address pools: ${pool.label}`,
	);
}

/** The address that a person asked for, when it is free. */
export function staticAddress(pool: Pool, text: string): bigint {
	const address = parseAddress(text);
	const family = familyOf(pool.subnet.base);
	if (address === undefined || familyOf(address) !== family) {
		throw new EngineError('invalid', `invalid IPv${family} address: ${text}`);
	}
	if (address !== pool.gateway && !isAssignable(pool, address)) {
		throw new EngineError(
			'invalid',
			`Invalid address ${text}: It does not belong to any of this network's subnets`,
		);
	}
	if (address === pool.gateway || pool.used.has(address)) {
		throw new EngineError('conflict', 'Address already in use');
	}
	return address;
}

/** The first address is the network's, in IPv6 any router's; the last one is IPv4's broadcast address. */
function isAssignable(pool: Pool, address: bigint): boolean {
	return (
		containsAddress(pool.subnet, address) &&
		address !== pool.subnet.base &&
		(familyOf(address) === 6 || address !== lastAddress(pool.subnet)) &&
		address !== pool.gateway
	);
}

/** docker's rule: 02:42 and the IPv4 address, so that a neighbour's ARP entry stays right after a restart. */
export function hardwareAddress(address: bigint): string {
	const octets = [24n, 16n, 8n, 0n].map((shift) => ((address >> shift) & 255n).toString(16).padStart(2, '0'));
	return ['02', '42', ...octets].join(':');
}

/** Destinations of /proc/net/route, the default route left out (proc(5): hexadecimal, in the machine's byte order). */
export function parseRoutes(text: string): Subnet[] {
	return text.split('\n').flatMap((line) => {
		const [, destination, , , , , , mask] = line.split(/\s+/);
		if (!/^[0-9A-F]{8}$/.test(destination ?? '') || !/^[0-9A-F]{8}$/.test(mask ?? '') || mask === '00000000') {
			return [];
		}
		const bits = toNumber(mask ?? '')
			.toString(2)
			.replaceAll('0', '').length;
		return parseSubnet(`${toOctets(destination ?? '')}/${bits}`) ?? [];
	});
}

/** Interface of the default route with the lowest metric; undefined when there is none. */
export function defaultInterface(text: string): string | undefined {
	const routes = text
		.split('\n')
		.map((line) => line.split(/\s+/))
		.filter((fields) => fields[1] === '00000000' && fields[7] === '00000000');
	return routes.sort((one, other) => Number(one[6]) - Number(other[6]))[0]?.[0];
}

function toNumber(hexadecimal: string): number {
	return Buffer.from(hexadecimal, 'hex').readUInt32LE();
}

function toOctets(hexadecimal: string): string {
	return [...Buffer.from(hexadecimal, 'hex').reverse()].join('.');
}
