import type { HostEntry } from './hosts';
import type { Endpoint, Network } from './network';
import { DEFAULT_NETWORK, namesOf } from './network';

/** Every member of the user networks among these, the container itself included. */
export function membersOf(connections: readonly (readonly [Network, Endpoint])[]): HostEntry[] {
	return connections
		.filter(([network]) => network.name !== DEFAULT_NETWORK)
		.flatMap(([network]) => Object.values(network.endpoints))
		.map((endpoint) => ({ address: endpoint.address, names: namesOf(endpoint) }));
}

/** Addresses of the members that go by this name (lower case), alone or followed by the network's name. */
export function addressesOf(network: Network, name: string): string[] {
	const suffix = `.${network.name.toLowerCase()}`;
	const short = name.endsWith(suffix) ? name.slice(0, -suffix.length) : name;
	return Object.values(network.endpoints)
		.filter((endpoint) => namesOf(endpoint).some((known) => [name, short].includes(known.toLowerCase())))
		.map((endpoint) => endpoint.address);
}

/** "name.network" of the member with this address. */
export function fullNames(network: Network, address: string): string[] {
	return Object.values(network.endpoints)
		.filter((endpoint) => endpoint.address === address)
		.map((endpoint) => `${endpoint.container_name}.${network.name}`);
}
