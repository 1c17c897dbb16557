import { EngineError } from '../errors';
import type { Family, Subnet } from './address';
import {
	containsAddress,
	familyOf,
	formatAddress,
	formatSubnet,
	overlaps,
	parseAddress,
	parseSubnet,
	prefixLength,
} from './address';
import type { Pool } from './ipam';
import { defaultPools, pickSubnet } from './ipam';
import type { AddressPool, Network } from './network';
import { placesOf } from './network';

/** What a person may say about a network's addresses; "" leaves it to us. */
export interface PoolOptions {
	readonly subnet: string;
	readonly gateway: string;
	readonly ip_range: string;
}

export const ANY_POOL: PoolOptions = { subnet: '', gateway: '', ip_range: '' };

export interface Surroundings {
	/** The subnets of other networks. */
	readonly others: readonly Subnet[];
	/** The host's. */
	readonly routes: readonly Subnet[];
	/** Hexadecimal digits that hardly another store has. */
	readonly store: string;
}

/** The addresses of one family of a new network. */
export function choosePool(
	options: PoolOptions,
	{ others, routes, store }: Surroundings,
	family: Family = 4,
): AddressPool {
	if (options.subnet !== '') {
		// docker does not hold a chosen subnet against the host's routes either: a person may know better.
		return userPool(options, others, family);
	}
	if (options.gateway !== '' || options.ip_range !== '') {
		throw new EngineError('invalid', 'Cannot create network: a gateway or an IP range needs a subnet');
	}
	const subnet = pickSubnet(defaultPools(family, store), [...others, ...routes]);
	return {
		subnet: formatSubnet(subnet),
		gateway: formatAddress(subnet.base + 1n),
		ip_range: '',
		has_user_subnet: false,
	};
}

function userPool(options: PoolOptions, others: readonly Subnet[], family: Family): AddressPool {
	const subnet = parseSubnet(options.subnet);
	if (subnet === undefined || familyOf(subnet.base) !== family || subnet.bits > 126 || prefixLength(subnet) < 8) {
		throw new EngineError('invalid', `Invalid subnet ${options.subnet} : invalid CIDR address: ${options.subnet}`);
	}
	if (others.some((other) => overlaps(other, subnet))) {
		throw new EngineError('conflict', 'Pool overlaps with other one on this address space');
	}
	const range = options.ip_range === '' ? subnet : parseSubnet(options.ip_range);
	if (range === undefined || !containsAddress(subnet, range.base) || range.bits < subnet.bits) {
		throw new EngineError('invalid', `invalid IP range "${options.ip_range}": it is not within ${options.subnet}`);
	}
	const first = range.base === subnet.base ? subnet.base + 1n : range.base;
	const gateway = options.gateway === '' ? first : parseAddress(options.gateway);
	if (gateway === undefined || !containsAddress(subnet, gateway) || gateway === subnet.base) {
		throw new EngineError('invalid', `invalid gateway "${options.gateway}": it is not within ${options.subnet}`);
	}
	return {
		subnet: formatSubnet(subnet),
		gateway: formatAddress(gateway),
		ip_range: options.ip_range === '' ? '' : formatSubnet(range),
		has_user_subnet: true,
	};
}

/** A family of the network's addresses as the allocator wants it. */
export function poolOf(network: Network, fields: AddressPool = network): Pool {
	const subnet = parseSubnet(fields.subnet);
	const gateway = parseAddress(fields.gateway);
	if (subnet === undefined || gateway === undefined) {
		throw new EngineError('corrupt', `Cannot use network "${network.name}": its record has no subnet`);
	}
	return {
		label: `${network.name} (${network.id.slice(0, 12)})`,
		subnet,
		range: parseSubnet(fields.ip_range) ?? subnet,
		gateway,
		used: new Set(
			Object.values(network.endpoints)
				.flatMap((endpoint) => placesOf(network, endpoint))
				.flatMap(({ address }) => parseAddress(address) ?? []),
		),
	};
}
