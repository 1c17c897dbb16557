import { randomBytes } from 'node:crypto';
import { EngineError } from '../errors';
import { nowNanoseconds, rfc3339 } from '../events';
import type { RecordDurability, Store } from '../store';
import type { Endpoint, Network } from './network';
import { isNetwork } from './network';

export type Connection = readonly [Network, Endpoint];

/** The networks of a store, in memory and written through to their records. Touches nothing else of the machine. */
export class NetworkRecords {
	private readonly networks = new Map<string, Network>();

	constructor(private readonly store: Store) {}

	load(): void {
		for (const key of this.store.list('network-')) {
			const network = this.store.get(key, isNetwork);
			if (network !== undefined) {
				this.networks.set(network.id, network);
			}
		}
	}

	/** Sorted by name. */
	list(): readonly Network[] {
		return [...this.networks.values()].sort((one, other) => (one.name < other.name ? -1 : 1));
	}

	/** Networks that a container is on. */
	used(): readonly Network[] {
		return this.list().filter(isUsed);
	}

	byName(name: string): Network | undefined {
		return [...this.networks.values()].find((network) => network.name === name);
	}

	byId(id: string): Network | undefined {
		return this.networks.get(id);
	}

	/** By name, id or unique id prefix. Throws "invalid" when a prefix fits several. */
	find(nameOrId: string): Network | undefined {
		const exact = this.byName(nameOrId) ?? this.byId(nameOrId);
		if (exact !== undefined || nameOrId === '') {
			return exact;
		}
		const matches = this.list().filter((network) => network.id.startsWith(nameOrId));
		if (matches.length > 1) {
			throw new EngineError(
				'invalid',
				`network ${nameOrId} is ambiguous (${matches.length} matches found on ID prefix)`,
			);
		}
		return matches[0];
	}

	get(nameOrId: string): Network {
		const network = this.find(nameOrId);
		if (network === undefined) {
			throw new EngineError('not-found', `network ${nameOrId} not found`);
		}
		return network;
	}

	/** The networks that a running container is on, in the order of its interfaces. */
	connectionsOf(containerId: string): Connection[] {
		return this.list()
			.flatMap((network): Connection[] => {
				const endpoint = network.endpoints[containerId];
				return endpoint === undefined ? [] : [[network, endpoint]];
			})
			.sort(([, one], [, other]) => interfaceNumber(one) - interfaceNumber(other));
	}

	/** The connection with the default route and the ports. */
	wayOut(containerId: string): Connection | undefined {
		return this.connectionsOf(containerId).find(([network]) => !network.internal);
	}

	save(network: Network, durability: RecordDurability = 'at once'): void {
		this.store.save(recordKey(network), network, durability);
		this.networks.set(network.id, network);
	}

	remove(network: Network): void {
		this.store.remove(recordKey(network));
		this.networks.delete(network.id);
	}

	/** In memory; `persist` follows once all of a change is known, and before anything of it is on the machine. */
	changeEndpoint(networkId: string, endpoint: Endpoint): void {
		const network = this.get(networkId);
		this.networks.set(networkId, {
			...network,
			endpoints: { ...network.endpoints, [endpoint.container_id]: endpoint },
		});
	}

	persist(networkIds: readonly string[]): void {
		for (const id of networkIds) {
			this.save(this.get(id));
		}
	}
}

/** A new network with an id of its own; not kept yet. */
export function newNetwork(
	fields: Partial<Omit<Network, 'driver'>> & Pick<Network, 'name'> & { readonly driver: string },
): Network {
	const id = randomBytes(32).toString('hex');
	const driver = fields.driver === 'host' || fields.driver === 'null' ? fields.driver : 'bridge';
	return {
		id,
		name: fields.name,
		driver,
		created: rfc3339(nowNanoseconds()),
		internal: fields.internal ?? false,
		labels: fields.labels ?? {},
		options: fields.options ?? {},
		subnet: fields.subnet ?? '',
		gateway: fields.gateway ?? '',
		ip_range: fields.ip_range ?? '',
		has_user_subnet: fields.has_user_subnet ?? false,
		...(fields.ipv6 === undefined ? {} : { ipv6: fields.ipv6 }),
		bridge: driver === 'bridge' ? `md-${id.slice(0, 8)}` : '',
		endpoints: {},
	};
}

export function isUsed(network: Network): boolean {
	return Object.keys(network.endpoints).length > 0;
}

/** 1 of "eth1". */
export function interfaceNumber(endpoint: Endpoint): number {
	return Number(endpoint.interface.slice('eth'.length));
}

function recordKey({ id }: Network): string {
	return `network-${id}`;
}
