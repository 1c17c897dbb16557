import { readOr } from './bridge';
import { hostsFile, parseExtraHost, rewriteMembers } from './hosts';
import { addressesOf, fullNames, membersOf } from './names';
import { DEFAULT_NETWORK, placesOf } from './network';
import type { Connection, NetworkRecords } from './network-records';
import type { View } from './resolver';
import type { DnsConfig, ResolvConf } from './resolvconf';
import { formatResolvConf, parseResolvConf, planResolvConf } from './resolvconf';

/** What names mean on the networks: for the name servers, and in the files of the containers. */
export class NameService {
	constructor(
		private readonly records: NetworkRecords,
		private readonly options: {
			/** Where a container's /etc/hosts lies on the host. */
			readonly hostsFile: (containerId: string) => string;
		},
	) {}

	/** What the member of a network with this address may ask; undefined for a stranger. */
	viewFrom(networkId: string, address: string): View | undefined {
		const asking = Object.values(this.records.byId(networkId)?.endpoints ?? {}).find(
			(endpoint) => endpoint.address === address,
		);
		if (asking === undefined) {
			return undefined;
		}
		const connections = this.records.connectionsOf(asking.container_id);
		const named = connections.map(([network]) => network).filter((network) => network.name !== DEFAULT_NETWORK);
		return {
			lookup: (name) => connections.flatMap((connection) => addressesOf(connection, name)),
			reverse: (neighbour) => named.flatMap((network) => fullNames(network, neighbour))[0],
			forwarders: connections.every(([network]) => network.internal)
				? []
				: asking.dns.length > 0
					? asking.dns
					: hostResolvConf().nameservers,
		};
	}

	/** /etc/hosts of a container that starts; `extra` is `--add-host`. */
	hostsOf(hostname: string, extra: readonly string[], connections: readonly Connection[]): string {
		const gateway = connections[0]?.[0].gateway ?? '127.0.0.1';
		return hostsFile({
			extra: extra.map((text) => parseExtraHost(text, gateway)),
			own: connections
				.flatMap(([network, endpoint]) => placesOf(network, endpoint))
				.map(({ address }) => ({ address, names: [hostname] })),
			members: membersOf(connections),
		});
	}

	/** /etc/resolv.conf of a container that starts; `hasServer` tells where a name server of ours listens. */
	resolvConfOf(
		connections: readonly Connection[],
		dns: DnsConfig,
		hasServer: (networkId: string) => boolean,
	): string {
		// The first network with names, else the default bridge.
		const [network] = connections.find(([candidate]) => candidate.name !== DEFAULT_NETWORK) ?? connections[0] ?? [];
		const plan = planResolvConf({
			host: hostResolvConf(),
			gateway: network !== undefined && hasServer(network.id) ? network.gateway : undefined,
			hasNames: network !== undefined && network.name !== DEFAULT_NETWORK,
			internal: connections.every(([candidate]) => candidate.internal),
			dns,
		});
		return formatResolvConf(plan);
	}

	/** Writes the names of neighbours into the hosts files of all members of these networks, except some containers. */
	refresh(networkIds: readonly string[], except: readonly string[] = []): void {
		const containers = new Set(networkIds.flatMap((id) => Object.keys(this.records.byId(id)?.endpoints ?? {})));
		for (const id of containers) {
			if (!except.includes(id)) {
				rewriteMembers(this.options.hostsFile(id), membersOf(this.records.connectionsOf(id)));
			}
		}
	}
}

function hostResolvConf(): ResolvConf {
	return parseResolvConf(readOr('/etc/resolv.conf', ''));
}
