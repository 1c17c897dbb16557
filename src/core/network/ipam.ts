import { EngineError } from '../errors';
import type { Subnet } from './address';
import { containsAddress, lastAddress, overlaps, parseAddress } from './address';

/**
 * Where networks without a subnet of their own get a /24. Not 172.17–31 and 192.168 (docker), not 10.88–89 (podman),
 * not 10.42, 10.96 and 10.244 (Kubernetes), so that all of them can live on one machine.
 */
const POOLS: readonly Subnet[] = ['10.86.0.0', '10.87.0.0', '172.30.0.0', '10.222.0.0'].map((base) => ({
	base: parseAddress(base) ?? 0,
	bits: 16,
}));

/** The first free /24 that overlaps nothing in `taken`: other networks and the host's routes. */
export function pickSubnet(taken: readonly Subnet[]): Subnet {
	for (const pool of POOLS) {
		for (let index = 0; index < 256; index++) {
			const subnet = { base: pool.base + index * 256, bits: 24 };
			if (!taken.some((other) => overlaps(other, subnet))) {
				return subnet;
			}
		}
	}
	throw new EngineError(
		'conflict',
		'could not find an available, non-overlapping IPv4 address pool among the defaults to assign to the network',
	);
}

export interface Pool {
	/** "name (id)" for messages. */
	readonly label: string;
	readonly subnet: Subnet;
	/** Where addresses that nobody asked for come from; the subnet by default. */
	readonly range: Subnet;
	readonly gateway: number;
	readonly used: ReadonlySet<number>;
}

/** The lowest free address of the pool's range. */
export function lowestFree(pool: Pool): number {
	for (let address = pool.range.base; address <= lastAddress(pool.range); address++) {
		if (isAssignable(pool, address) && !pool.used.has(address)) {
			return address;
		}
	}
	throw new EngineError('conflict', `no available IPv4 addresses on this network's address pools: ${pool.label}`);
}

/** The address that a person asked for, when it is free. */
export function staticAddress(pool: Pool, text: string): number {
	const address = parseAddress(text);
	if (address === undefined) {
		throw new EngineError('invalid', `invalid IPv4 address: ${text}`);
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

function isAssignable(pool: Pool, address: number): boolean {
	return (
		containsAddress(pool.subnet, address) &&
		address !== pool.subnet.base &&
		address !== lastAddress(pool.subnet) &&
		address !== pool.gateway
	);
}

/** docker's rule: 02:42 and the address, so that a neighbour's ARP entry stays right after a restart. */
export function hardwareAddress(address: number): string {
	const octets = [24, 16, 8, 0].map((shift) => ((address >>> shift) & 255).toString(16).padStart(2, '0'));
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
		return [{ base: toNumber(destination ?? ''), bits }];
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
	const buffer = Buffer.from(hexadecimal, 'hex');
	return buffer.readUInt32LE();
}
