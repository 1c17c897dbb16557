import { EngineError } from '../errors';
import type { Subnet } from './address';
import { containsAddress, formatAddress, formatSubnet, overlaps, parseAddress, parseSubnet } from './address';
import type { Pool } from './ipam';
import { pickSubnet } from './ipam';
import type { Network } from './network';

/** What a person may say about a network's addresses; "" leaves it to us. */
export interface PoolOptions {
	readonly subnet: string;
	readonly gateway: string;
	readonly ip_range: string;
}

export type PoolFields = Pick<Network, 'subnet' | 'gateway' | 'ip_range' | 'has_user_subnet'>;

/** The addresses of a new network. `others` are the subnets of other networks, `routes` the host's. */
export function choosePool(options: PoolOptions, others: readonly Subnet[], routes: readonly Subnet[]): PoolFields {
	if (options.subnet !== '') {
		// docker does not hold a chosen subnet against the host's routes either: a person may know better.
		return userPool(options, others);
	}
	if (options.gateway !== '' || options.ip_range !== '') {
		throw new EngineError('invalid', 'Cannot create network: a gateway or an IP range needs a subnet');
	}
	const subnet = pickSubnet([...others, ...routes]);
	return {
		subnet: formatSubnet(subnet),
		gateway: formatAddress(subnet.base + 1),
		ip_range: '',
		has_user_subnet: false,
	};
}

function userPool(options: PoolOptions, others: readonly Subnet[]): PoolFields {
	const subnet = options.subnet.includes(':') ? undefined : parseSubnet(options.subnet);
	if (options.subnet.includes(':')) {
		throw new EngineError(
			'unsupported',
			`Cannot create network: IPv6 subnets such as "${options.subnet}" are not supported`,
		);
	}
	if (subnet === undefined || subnet.bits > 30 || subnet.bits < 8) {
		throw new EngineError('invalid', `Invalid subnet ${options.subnet} : invalid CIDR address: ${options.subnet}`);
	}
	if (others.some((other) => overlaps(other, subnet))) {
		throw new EngineError('conflict', 'Pool overlaps with other one on this address space');
	}
	const range = options.ip_range === '' ? subnet : parseSubnet(options.ip_range);
	if (range === undefined || !containsAddress(subnet, range.base) || range.bits < subnet.bits) {
		throw new EngineError('invalid', `invalid IP range "${options.ip_range}": it is not within ${options.subnet}`);
	}
	const first = range.base === subnet.base ? subnet.base + 1 : range.base;
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

/** The network's addresses as the allocator wants them. */
export function poolOf(network: Network): Pool {
	const subnet = parseSubnet(network.subnet);
	const gateway = parseAddress(network.gateway);
	if (subnet === undefined || gateway === undefined) {
		throw new EngineError('corrupt', `Cannot use network "${network.name}": its record has no subnet`);
	}
	return {
		label: `${network.name} (${network.id.slice(0, 12)})`,
		subnet,
		range: parseSubnet(network.ip_range) ?? subnet,
		gateway,
		used: new Set(Object.values(network.endpoints).flatMap((endpoint) => parseAddress(endpoint.address) ?? [])),
	};
}
