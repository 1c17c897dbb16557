import type { HostEntry } from './hosts';
import { linksTo } from './links';
import type { Endpoint, Network } from './network';
import { DEFAULT_NETWORK, namesOf, placesOf } from './network';

/** A container's own place on a network. */
type Connection = readonly [Network, Endpoint];

/**
 * Names under which a container knows a member of a network that it is on. On the default network, as with docker,
 * there are none but those of its links.
 */
function knownNames([network, own]: Connection, member: Endpoint): string[] {
	const links = linksTo(own, member);
	const hasNames = network.name !== DEFAULT_NETWORK || links.length > 0;
	return hasNames ? [...new Set([...links, ...namesOf(member)])] : [];
}

/** Every member that a container has names for, itself included. */
export function membersOf(connections: readonly Connection[]): HostEntry[] {
	return connections.flatMap((connection) =>
		Object.values(connection[0].endpoints)
			.flatMap((member) => {
				const names = knownNames(connection, member);
				return placesOf(connection[0], member).map(({ address }) => ({ address, names }));
			})
			.filter(({ names }) => names.length > 0),
	);
}

/** Addresses of the members that a container knows by this name (lower case), alone or followed by the network's name. */
export function addressesOf(connection: Connection, name: string): string[] {
	const [network] = connection;
	const suffix = `.${network.name.toLowerCase()}`;
	const short = name.endsWith(suffix) ? name.slice(0, -suffix.length) : name;
	return Object.values(network.endpoints)
		.filter((member) => knownNames(connection, member).some((known) => [name, short].includes(known.toLowerCase())))
		.flatMap((member) => placesOf(network, member))
		.map(({ address }) => address);
}

/** "name.network" of the member with this address. */
export function fullNames(network: Network, address: string): string[] {
	return Object.values(network.endpoints)
		.filter((endpoint) => placesOf(network, endpoint).some((place) => place.address === address))
		.map((endpoint) => `${endpoint.container_name}.${network.name}`);
}
