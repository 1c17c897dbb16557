import { randomBytes } from 'node:crypto';
import { EngineError } from '../errors';
import { formatAddress } from './address';
import { hardwareAddress, lowestFree, staticAddress } from './ipam';
import type { AddressPool, Endpoint, EndpointConfig, Network } from './network';
import { DEFAULT_NETWORK, isNetworkName } from './network';
import { poolOf } from './pool';

export interface LeaseOptions {
	readonly config: EndpointConfig;
	/** Of the interface: eth0, eth1, … */
	readonly number: number;
	/** Where questions for names outside go; empty is the host's resolvers. */
	readonly dns: readonly string[];
}

/** Who is put on a network. */
export interface Member {
	readonly id: string;
	readonly name: string;
}

/** The endpoint that a container gets on a network: a free address, or the one asked for. No device, no record. */
export function leaseEndpoint(network: Network, container: Member, { config, number, dns }: LeaseOptions): Endpoint {
	const address = leaseAddress(network, network, config.address);
	return {
		id: randomBytes(32).toString('hex'),
		container_id: container.id,
		container_name: container.name,
		address: formatAddress(address),
		...leaseIpv6(network, config.address6 ?? ''),
		mac_address: config.mac_address === '' ? hardwareAddress(address) : checkHardwareAddress(config.mac_address),
		interface: `eth${number}`,
		// Random: the last run's device may still be on its way out when the next run begins.
		veth: `mv-${randomBytes(5).toString('hex')}`,
		aliases: config.aliases.filter(isNetworkName),
		...(config.links === undefined ? {} : { links: config.links }),
		dns,
		ports: [],
	};
}

function leaseAddress(network: Network, fields: AddressPool, wanted: string): bigint {
	const pool = poolOf(network, fields);
	return wanted === '' ? lowestFree(pool) : staticAddress(pool, checkStatic(network, fields, wanted));
}

/** docker leaves out an IPv6 address that was asked for where there is no IPv6; ours says so. */
function leaseIpv6(network: Network, wanted: string): Pick<Endpoint, 'address6'> {
	if (network.ipv6 !== undefined) {
		return { address6: formatAddress(leaseAddress(network, network.ipv6, wanted)) };
	}
	if (wanted !== '') {
		throw new EngineError('invalid', `Cannot use IPv6 address ${wanted}: network ${network.name} has no IPv6`);
	}
	return {};
}

/** Throws "denied" with docker's text for a network that takes no members, and for who is one already. */
export function checkMember(network: Network, container: Member): void {
	if (network.driver !== 'bridge') {
		throw new EngineError(
			'denied',
			`cannot connect container to ${network.name} network - container must be created in ${network.name} network mode`,
		);
	}
	if (network.endpoints[container.id] !== undefined) {
		throw new EngineError(
			'denied',
			`endpoint with name ${container.name} already exists in network ${network.name}`,
		);
	}
}

function checkStatic(network: Network, pool: AddressPool, address: string): string {
	if (network.name === DEFAULT_NETWORK) {
		throw new EngineError('invalid', 'user specified IP address is supported on user defined networks only');
	}
	if (!pool.has_user_subnet) {
		throw new EngineError(
			'invalid',
			'user specified IP address is supported only when connecting to networks with user configured subnets',
		);
	}
	return address;
}

function checkHardwareAddress(text: string): string {
	if (!/^[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}$/.test(text)) {
		throw new EngineError('invalid', `invalid MAC address: ${text}`);
	}
	return text.toLowerCase();
}
