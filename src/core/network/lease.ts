import { randomBytes } from 'node:crypto';
import { EngineError } from '../errors';
import { formatAddress } from './address';
import { hardwareAddress, lowestFree, staticAddress } from './ipam';
import type { Endpoint, EndpointConfig, Network } from './network';
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
	const pool = poolOf(network);
	const address =
		config.address === '' ? lowestFree(pool) : staticAddress(pool, checkStatic(network, config.address));
	return {
		id: randomBytes(32).toString('hex'),
		container_id: container.id,
		container_name: container.name,
		address: formatAddress(address),
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

function checkStatic(network: Network, address: string): string {
	if (network.name === DEFAULT_NETWORK) {
		throw new EngineError('invalid', 'user specified IP address is supported on user defined networks only');
	}
	if (!network.has_user_subnet) {
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
