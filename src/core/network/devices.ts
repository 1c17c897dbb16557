import { messageOf } from '../errors';
import { isIP } from 'node:net';
import { identify } from '../container/process';
import type { Family } from './address';
import { isLoopback } from './address';
import { addressLines, batch, gatewaysOf, hostMtu, listBridges, makeBridge, removeDevices, vethLines } from './bridge';
import { forgetConversations } from './conntrack';
import type { NetworkFacts } from './firewall';
import { applyFirewall } from './firewall';
import type { NameService } from './name-service';
import type { Endpoint, Network } from './network';
import { DEFAULT_NETWORK } from './network';
import type { NetworkRecords } from './network-records';
import type { NetworkPlace } from './place';
import type { PublishedPort } from './ports';
import { isTaken, Resolver } from './resolver';
import type { FirewallNetwork } from './rules';

export interface DevicesOptions {
	readonly place: NetworkPlace;
	readonly facts: NetworkFacts;
	readonly warn: (message: string) => void;
}

/**
 * What the networks in use have on the host: a bridge, firewall rules and a name server each. They are there while a
 * container is on the network, so nothing is left on the machine when no container runs.
 */
export class NetworkDevices {
	/** By network id, for networks with a bridge up; undefined when another program has the address. */
	private readonly resolvers = new Map<string, Resolver | undefined>();

	constructor(
		private readonly records: NetworkRecords,
		private readonly names: NameService,
		private readonly options: DevicesOptions,
	) {}

	get mtu(): number {
		return hostMtu(this.options.place);
	}

	/** Whether a name server of ours listens on the network's gateway. */
	hasServer(networkId: string): boolean {
		return this.resolvers.get(networkId) !== undefined;
	}

	/** Bridge, rules and name server of networks that have got an endpoint. */
	async bringUp(ids: readonly string[], signal?: AbortSignal): Promise<void> {
		const { place } = this.options;
		if (this.resolvers.size === 0) {
			await place.open();
		}
		const down = ids.filter((id) => !this.resolvers.has(id)).map((id) => this.records.get(id));
		for (const network of down) {
			// Marked before it is made, so that a failure half way is cleaned up like any network.
			this.resolvers.set(network.id, undefined);
		}
		await Promise.all([this.applyRules(), ...down.map((network) => makeBridge(place, network, this.mtu, signal))]);
		for (const network of down) {
			this.resolvers.set(network.id, await this.startResolver(network));
		}
	}

	/** Name server and bridge of a network that nobody is on any more. */
	async release(networkId: string): Promise<void> {
		if (this.resolvers.has(networkId)) {
			this.resolvers.get(networkId)?.close();
			this.resolvers.delete(networkId);
			await this.removeLinks([this.records.get(networkId).bridge]);
			if (this.resolvers.size === 0) {
				this.options.place.close();
			}
		}
	}

	/** Gives a running container, known by its process, an interface on a network that is up. */
	async plug(network: Network, endpoint: Endpoint, pid: number): Promise<void> {
		const { place } = this.options;
		const lines = vethLines(network, endpoint, { mtu: this.mtu, namespace: String(pid) })
			.trimEnd()
			.split('\n');
		await batch(place, lines);
		await batch(place, addressLines(network, endpoint), { pid });
		if (!network.internal) {
			await this.routeOut(endpoint.container_id, pid);
		}
	}

	/** A running container's default routes; nothing when it has just ended. */
	async routeOut(containerId: string, pid: number): Promise<void> {
		const gateways = gatewaysOf(this.records.connectionsOf(containerId));
		const lines = gateways.map((gateway) => `route replace default via ${gateway}`);
		try {
			await batch(this.options.place, lines, { pid });
		} catch (error) {
			// A container that has ended meanwhile needs no route.
			if (identify(pid) !== undefined) {
				throw error;
			}
		}
	}

	async removeLinks(names: readonly string[]): Promise<void> {
		await removeDevices(this.options.place, names);
	}

	/** Bridges that a crash has left of networks that nobody is on. */
	async removeUnused(): Promise<void> {
		const present = new Set(await listBridges(this.options.place));
		const used = this.records.used();
		const unused = this.records.list().filter((network) => !used.includes(network) && present.has(network.bridge));
		await this.removeLinks(unused.map((network) => network.bridge));
	}

	/** After the rules have changed: clients that knew these UDP ports before are led to where they lead now. */
	async forgetConversations(ports: readonly PublishedPort[]): Promise<void> {
		await forgetConversations(this.options.place, ports);
	}

	/** Makes the firewall what the networks in use need. */
	async applyRules(): Promise<void> {
		const { facts, place } = this.options;
		const store = this.records.get(DEFAULT_NETWORK).id.slice(0, 8);
		const used = this.records.used();
		const apply = (family: Family): Promise<void> =>
			applyFirewall(
				{ facts, place, store, family },
				used.flatMap((network) => firewallNetwork(network, family)),
			);
		// Where no network has ever had IPv6 there are no rules to look for.
		const hasIpv6 = this.records.list().some(({ ipv6 }) => ipv6 !== undefined);
		await Promise.all([apply(4), ...(hasIpv6 ? [apply(6)] : [])]);
	}

	/** The engine leaves: bridges and rules stay, so containers keep their network. */
	close(): void {
		for (const resolver of this.resolvers.values()) {
			resolver?.close();
		}
		this.resolvers.clear();
	}

	private async startResolver(network: Network): Promise<Resolver | undefined> {
		const resolver = new Resolver({
			address: network.gateway,
			sockets: this.options.place.sockets,
			view: (address) => this.names.viewFrom(network.id, address),
			warn: this.options.warn,
		});
		try {
			await resolver.listen();
			return resolver;
		} catch (error) {
			if (!isTaken(error)) {
				throw error;
			}
			this.options.warn(`No name server on network "${network.name}", hosts files only: ${messageOf(error)}`);
			return undefined;
		}
	}
}

/** What the firewall has to know of one family of a network, if the network has it. */
function firewallNetwork(network: Network, family: Family): FirewallNetwork[] {
	const pool = family === 4 ? network : network.ipv6;
	if (pool === undefined) {
		return [];
	}
	const option = (name: string): string | undefined => network.options[`com.docker.network.bridge.${name}`];
	const fields = {
		bridge: network.bridge,
		subnet: pool.subnet,
		gateway: pool.gateway,
		internal: network.internal,
		isConnected: option('enable_icc') !== 'false',
		isMasqueraded: option('enable_ip_masquerade') !== 'false',
		ports: Object.values(network.endpoints).flatMap((endpoint) =>
			endpoint.ports
				.filter((port) => isIP(port.host_ip) === family && isTranslatable(port))
				.map((port) => ({ ...port, address: (family === 4 ? endpoint.address : endpoint.address6) ?? '' })),
		),
	};
	return [fields];
}

/** The kernel lets no packet with the address ::1 pass between interfaces: those connections are relayed. */
function isTranslatable({ host_ip }: PublishedPort): boolean {
	return isIP(host_ip) === 4 || !isLoopback(host_ip);
}
