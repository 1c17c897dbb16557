import { randomBytes } from 'node:crypto';
import { EngineError, messageOf } from '../errors';
import type { Events } from '../events';
import { nowNanoseconds, rfc3339 } from '../events';
import type { Store } from '../store';
import { formatAddress, parseAddress, parseSubnet } from './address';
import {
	addressLines,
	batch,
	hostMtu,
	insideBatch,
	listBridges,
	makeBridge,
	outsideBatch,
	readOr,
	removeDevices,
	vethLines,
} from './bridge';
import type { NetworkFacts } from './firewall';
import { applyFirewall } from './firewall';
import { hostsFile, parseExtraHost, rewriteMembers } from './hosts';
import { hardwareAddress, lowestFree, parseRoutes, staticAddress } from './ipam';
import { addressesOf, fullNames, membersOf } from './names';
import type { Endpoint, EndpointConfig, Network } from './network';
import { DEFAULT_NETWORK, isNetwork, PREDEFINED } from './network';
import type { NetworkPlace } from './place';
import type { PoolFields, PoolOptions } from './pool';
import { choosePool, poolOf } from './pool';
import type { PublishedPort } from './ports';
import type { PortBinding } from './publish';
import type { Relay } from './relay';
import { closeRelays, formatHostPort, openRelay, openRelays, PortError } from './relay';
import type { View } from './resolver';
import { isTaken, Resolver } from './resolver';
import type { DnsConfig } from './resolvconf';
import { checkDnsConfig, formatResolvConf, parseResolvConf, planResolvConf } from './resolvconf';
import type { FirewallNetwork } from './rules';

export interface NetworksOptions {
	readonly store: Store;
	readonly events: Events;
	readonly warn: (message: string) => void;
	readonly place: NetworkPlace;
	readonly facts: NetworkFacts;
	/** Where a container's /etc/hosts lies on the host. */
	readonly hostsFile: (containerId: string) => string;
}

export interface CreateNetworkOptions extends PoolOptions {
	readonly name: string;
	/** "bridge"; "" is that too. */
	readonly driver: string;
	readonly internal: boolean;
	readonly labels: Readonly<Record<string, string>>;
	readonly options: Readonly<Record<string, string>>;
}

/** Who is put on a network. */
export interface Member {
	readonly id: string;
	readonly name: string;
}

export interface AttachRequest {
	readonly container: Member & { readonly hostname: string };
	/** In this order they are eth0, eth1, …; the first that is not internal gets the default route and the ports. */
	readonly endpoints: readonly EndpointConfig[];
	readonly bindings: readonly PortBinding[];
	/** `--add-host`. */
	readonly extraHosts: readonly string[];
	readonly dns: DnsConfig;
	readonly signal?: AbortSignal | undefined;
}

export type Connection = readonly [Network, Endpoint];

/** What a container's start needs; everything outside its namespace is ready. */
export interface Attachment {
	/** Input of `ip -batch`, run in the folder that holds the namespace file `netns`. */
	readonly outside: string;
	/** Input of `ip -batch`, run inside the namespace after that. */
	readonly inside: string;
	/** Content of /etc/hosts and /etc/resolv.conf. */
	readonly hosts: string;
	readonly resolvConf: string;
	readonly connections: readonly Connection[];
	readonly ports: readonly PublishedPort[];
}

const NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/;
/**
 * The networks of a store. Memory is the truth and every change is written through. Bridge, rules and name server of a
 * network exist while a container is on it, so nothing is left on the machine when no container runs.
 *
 * Invariant: all that changes endpoints or devices runs one after the other (`exclusive`).
 */
export class Networks {
	private readonly networks = new Map<string, Network>();
	/** By network id, for networks with a bridge up; undefined when another program has the address. */
	private readonly resolvers = new Map<string, Resolver | undefined>();
	/** By container id. */
	private readonly relays = new Map<string, readonly Relay[]>();
	private last: Promise<unknown> = Promise.resolve();

	constructor(private readonly options: NetworksOptions) {}

	/**
	 * Reads the records, makes the predefined networks, and puts the machine right after a crash or a restart of the
	 * engine: what belongs to containers that are not in `live` goes, what the others need is made again.
	 */
	async load(live: ReadonlySet<string>): Promise<void> {
		for (const key of this.options.store.list('network-')) {
			const network = this.options.store.get(key, isNetwork);
			if (network !== undefined) {
				this.networks.set(network.id, network);
			}
		}
		for (const name of PREDEFINED) {
			if (this.byName(name) === undefined) {
				this.save(newNetwork({ name, driver: name === 'none' ? 'null' : name }));
			}
		}
		await this.exclusive(() => this.reconcile(live));
	}

	/** Sorted by name. */
	list(): readonly Network[] {
		return [...this.networks.values()].sort((one, other) => (one.name < other.name ? -1 : 1));
	}

	/** By name, id or unique id prefix. Throws "invalid" when a prefix fits several. */
	find(nameOrId: string): Network | undefined {
		const exact = this.byName(nameOrId) ?? this.networks.get(nameOrId);
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

	/** The ports of a running container that lead to it now. */
	portsOf(containerId: string): readonly PublishedPort[] {
		return this.connectionsOf(containerId).flatMap(([, endpoint]) => endpoint.ports);
	}

	/** Throws "conflict" for a taken name or an overlapping subnet, "invalid", "unsupported". Touches no device. */
	create(options: CreateNetworkOptions): Network {
		if (PREDEFINED.includes(options.name)) {
			throw new EngineError('denied', `operation is not permitted on predefined ${options.name} network`);
		}
		if (!NAME.test(options.name)) {
			throw new EngineError(
				'invalid',
				`Cannot create network "${options.name}": only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed`,
			);
		}
		if (this.byName(options.name) !== undefined) {
			throw new EngineError('conflict', `network with name ${options.name} already exists`);
		}
		if (options.driver !== '' && options.driver !== 'bridge') {
			throw new EngineError('not-found', `plugin "${options.driver}" not found`);
		}
		if ('com.docker.network.bridge.name' in options.options) {
			throw new EngineError(
				'unsupported',
				`Cannot create network "${options.name}": bridges cannot be given a name`,
			);
		}
		const network = newNetwork({ ...options, driver: 'bridge', ...this.choosePool(options) });
		this.save(network);
		this.announce('create', network);
		return network;
	}

	/** docker's refusals: predefined, or in use. */
	async remove(nameOrId: string): Promise<Network> {
		return this.exclusive(async () => {
			const network = this.get(nameOrId);
			if (PREDEFINED.includes(network.name)) {
				throw new EngineError('denied', `${network.name} is a pre-defined network and cannot be removed`);
			}
			if (isUsed(network)) {
				throw new EngineError(
					'denied',
					`error while removing network: network ${network.name} id ${network.id} has active endpoints`,
				);
			}
			this.forget(network);
			return Promise.resolve(network);
		});
	}

	/** Removes user networks that no running container is on and that `isWanted` (the API's filters) chooses. */
	async prune(isWanted: (network: Network) => boolean): Promise<Network[]> {
		return this.exclusive(() => {
			const unused = this.list().filter(
				(network) => !PREDEFINED.includes(network.name) && !isUsed(network) && isWanted(network),
			);
			for (const network of unused) {
				this.forget(network);
			}
			return Promise.resolve(unused);
		});
	}

	/**
	 * Puts a container that is about to start on its networks. Addresses, host ports, bridges, rules and names are ready
	 * when this returns; when it throws, nothing is left. A busy port is "runtime" with exit code 125 and docker's text.
	 */
	async attach(request: AttachRequest): Promise<Attachment> {
		if (!this.options.facts.hasBridge) {
			throw new EngineError(
				'unsupported',
				`Cannot start container "${request.container.name}": ${this.problem()}`,
			);
		}
		checkDnsConfig(request.dns);
		return this.exclusive(async () => {
			try {
				return await this.attachNow(request);
			} catch (error) {
				await this.detachNow(request.container.id);
				throw error;
			}
		});
	}

	/** Gives back all that a container had; after its end. Never throws: what cannot be cleaned up is a warning. */
	async detach(containerId: string): Promise<void> {
		await this.exclusive(async () => {
			const connections = this.connectionsOf(containerId);
			await this.detachNow(containerId);
			for (const [network] of connections) {
				this.announce('disconnect', network, containerId);
			}
		});
	}

	/** Puts a running container, known by its process, on another network. */
	async connect(container: Member & { readonly pid: number }, config: EndpointConfig): Promise<void> {
		await this.exclusive(async () => {
			const network = this.get(config.network);
			this.checkConnect(network, container);
			const connections = this.connectionsOf(container.id);
			const number = 1 + Math.max(-1, ...connections.map(([, endpoint]) => interfaceNumber(endpoint)));
			const dns = connections[0]?.[1].dns ?? [];
			try {
				const endpoint = this.lease(this.prepare(network), container, { config, number, dns });
				this.persist([network.id]);
				await this.bringUp([network.id]);
				await this.plug(this.get(network.id), endpoint, container.pid);
			} catch (error) {
				await this.unplug(container.id, network.id);
				throw error;
			}
			this.refreshHosts([network.id]);
			this.announce('connect', network, container.id);
		});
	}

	/** Takes a running container off a network; its published ports move to another network if it is on one. */
	async disconnect(nameOrId: string, container: Member & { readonly pid: number }): Promise<void> {
		await this.exclusive(async () => {
			const network = this.get(nameOrId);
			const endpoint = network.endpoints[container.id];
			if (endpoint === undefined) {
				throw new EngineError(
					'denied',
					`container ${container.id} is not connected to network ${network.name}`,
				);
			}
			const former = this.wayOut(container.id);
			await this.unplug(container.id, network.id);
			const next = this.wayOut(container.id);
			if (former?.[0].id === network.id && next !== undefined) {
				this.changeEndpoint(next[0].id, { ...next[1], ports: endpoint.ports });
				this.persist([next[0].id]);
				await this.applyRules();
				await batch(this.options.place, [`route replace default via ${next[0].gateway}`], {
					pid: container.pid,
				});
			} else if (former?.[0].id === network.id) {
				this.closeRelaysOf(container.id);
			}
			this.refreshHosts([network.id], [container.id]);
			this.announce('disconnect', network, container.id);
		});
	}

	/** A container's new name, for the name server and its neighbours' hosts files. */
	rename(containerId: string, name: string): void {
		const connections = this.connectionsOf(containerId);
		for (const [network, endpoint] of connections) {
			this.changeEndpoint(network.id, { ...endpoint, container_name: name });
		}
		this.persist(connections.map(([network]) => network.id));
		this.refreshHosts(connections.map(([network]) => network.id));
	}

	/** The engine leaves: sockets close, bridges and rules stay, so containers keep their network. */
	async close(): Promise<void> {
		await this.exclusive(() => {
			for (const resolver of this.resolvers.values()) {
				resolver?.close();
			}
			for (const relays of this.relays.values()) {
				closeRelays(relays);
			}
			this.resolvers.clear();
			this.relays.clear();
			return Promise.resolve();
		});
	}

	private async attachNow(request: AttachRequest): Promise<Attachment> {
		const { container, bindings, dns, signal } = request;
		// A container that starts is not running: an endpoint it still has is left over.
		await this.detachNow(container.id);
		const ids = request.endpoints.map((config, number) => {
			const network = this.get(config.network);
			this.checkConnect(network, container);
			this.lease(this.prepare(network), container, { config, number, dns: dns.servers });
			return network.id;
		});
		await this.publish(container, bindings);
		this.persist(ids);
		await this.bringUp(ids, signal);
		this.refreshHosts(ids, [container.id]);
		const connections = this.connectionsOf(container.id);
		for (const [network] of connections) {
			this.announce('connect', network, container.id);
		}
		return {
			outside: outsideBatch(connections, hostMtu(this.options.place)),
			inside: insideBatch(connections),
			hosts: this.hostsOf(request, connections),
			resolvConf: this.resolvConfOf(connections, dns),
			connections,
			ports: this.portsOf(container.id),
		};
	}

	/** Endpoint and record; no device yet. */
	private lease(
		network: Network,
		container: Member,
		{ config, number, dns }: { config: EndpointConfig; number: number; dns: readonly string[] },
	): Endpoint {
		const pool = poolOf(network);
		const address =
			config.address === '' ? lowestFree(pool) : staticAddress(pool, this.checkStatic(network, config.address));
		const endpoint: Endpoint = {
			id: randomBytes(32).toString('hex'),
			container_id: container.id,
			container_name: container.name,
			address: formatAddress(address),
			mac_address:
				config.mac_address === '' ? hardwareAddress(address) : checkHardwareAddress(config.mac_address),
			interface: `eth${number}`,
			// Random: the last run's device may still be on its way out when the next run begins.
			veth: `mv-${randomBytes(5).toString('hex')}`,
			aliases: config.aliases.filter((alias) => NAME.test(alias)),
			dns,
			ports: [],
		};
		this.changeEndpoint(network.id, endpoint);
		return endpoint;
	}

	private async publish(container: Member, bindings: readonly PortBinding[]): Promise<void> {
		const connection = this.wayOut(container.id);
		if (connection === undefined || bindings.length === 0) {
			return;
		}
		const [network, endpoint] = connection;
		const fallback = network.options['com.docker.network.bridge.host_binding_ipv4'] ?? '';
		const wanted = bindings.map((binding) =>
			binding.host_ip === '' ? { ...binding, host_ip: fallback } : binding,
		);
		try {
			const relays = await openRelays(wanted, () => this.wayOut(container.id)?.[1].address);
			this.relays.set(container.id, relays);
			this.changeEndpoint(network.id, { ...endpoint, ports: relays.map((relay) => relay.port) });
		} catch (error) {
			if (!(error instanceof PortError)) {
				throw error;
			}
			const text = `driver failed programming external connectivity on endpoint ${container.name} (${endpoint.id}): `;
			throw new EngineError('runtime', text + portReason(error), { cause: error, exitCode: 125 });
		}
	}

	/** Bridge, rules and name server of networks that have got an endpoint. */
	private async bringUp(ids: readonly string[], signal?: AbortSignal): Promise<void> {
		const { place } = this.options;
		const down = ids.filter((id) => !this.resolvers.has(id)).map((id) => this.get(id));
		for (const network of down) {
			// Marked before it is made, so that a failure half way is cleaned up like any network.
			this.resolvers.set(network.id, undefined);
		}
		await Promise.all([
			this.applyRules(),
			...down.map((network) => makeBridge(place, network, hostMtu(place), signal)),
		]);
		for (const network of down) {
			this.resolvers.set(network.id, await this.startResolver(network));
		}
	}

	private async startResolver(network: Network): Promise<Resolver | undefined> {
		const resolver = new Resolver({
			address: network.gateway,
			view: (address) => this.viewFrom(network.id, address),
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

	private async detachNow(containerId: string): Promise<void> {
		const connections = this.connectionsOf(containerId);
		this.closeRelaysOf(containerId);
		for (const [network] of connections) {
			await this.unplug(containerId, network.id);
		}
		this.refreshHosts(connections.map(([network]) => network.id));
	}

	/** Removes an endpoint with its device, and all of the network when it was the last. */
	private async unplug(containerId: string, networkId: string): Promise<void> {
		const network = this.get(networkId);
		const { [containerId]: endpoint, ...endpoints } = network.endpoints;
		if (endpoint === undefined) {
			return;
		}
		this.save({ ...network, endpoints });
		await this.attempt(() => removeDevices(this.options.place, [endpoint.veth]));
		if (Object.keys(endpoints).length === 0) {
			await this.release(networkId);
		}
		await this.attempt(() => this.applyRules());
	}

	private async release(networkId: string): Promise<void> {
		if (this.resolvers.has(networkId)) {
			this.resolvers.get(networkId)?.close();
			this.resolvers.delete(networkId);
			await this.attempt(() => removeDevices(this.options.place, [this.get(networkId).bridge]));
		}
	}

	private async plug(network: Network, endpoint: Endpoint, pid: number): Promise<void> {
		const { place } = this.options;
		const lines = vethLines(network, endpoint, { mtu: hostMtu(place), namespace: String(pid) })
			.trimEnd()
			.split('\n');
		await batch(place, lines);
		const isWayOut = this.wayOut(endpoint.container_id)?.[0].id === network.id;
		const route = isWayOut ? [`route replace default via ${network.gateway}`] : [];
		await batch(place, [...addressLines(network, endpoint), ...route], { pid });
	}

	private async reconcile(live: ReadonlySet<string>): Promise<void> {
		for (const network of this.networks.values()) {
			const endpoints = Object.fromEntries(Object.entries(network.endpoints).filter(([id]) => live.has(id)));
			if (Object.keys(endpoints).length !== Object.keys(network.endpoints).length) {
				this.save({ ...network, endpoints });
			}
		}
		if (!this.options.facts.hasBridge) {
			return;
		}
		const used = this.list().filter(isUsed);
		await this.attempt(() => this.applyRules());
		for (const network of used) {
			await this.attempt(() => this.bringUp([network.id]));
		}
		await this.attempt(async () => {
			const present = new Set(await listBridges(this.options.place));
			const unused = this.list().filter((network) => !used.includes(network) && present.has(network.bridge));
			await removeDevices(
				this.options.place,
				unused.map((network) => network.bridge),
			);
		});
		for (const [, endpoint] of used.flatMap((network) => Object.entries(network.endpoints))) {
			await this.reopen(endpoint);
		}
		this.refreshHosts(used.map((network) => network.id));
	}

	/** The ports of a container that ran on without the engine: the rules led to it all the time, the sockets come back. */
	private async reopen(endpoint: Endpoint): Promise<void> {
		const relays: Relay[] = [];
		for (const port of endpoint.ports) {
			await this.attempt(async () => {
				relays.push(await openRelay(port, () => this.wayOut(endpoint.container_id)?.[1].address));
			});
		}
		if (relays.length > 0) {
			this.relays.set(endpoint.container_id, relays);
		}
	}

	private async applyRules(): Promise<void> {
		const used = this.list().filter(isUsed);
		const { facts, place } = this.options;
		await applyFirewall(facts, place, this.get(DEFAULT_NETWORK).id.slice(0, 8), used.map(firewallNetwork));
	}

	/** The default network gets its subnet when it is first used, when the host's routes are known. */
	private prepare(network: Network): Network {
		if (network.subnet !== '') {
			return network;
		}
		const prepared = { ...network, ...this.choosePool({ subnet: '', gateway: '', ip_range: '' }) };
		this.save(prepared);
		return prepared;
	}

	private choosePool(options: PoolOptions): PoolFields {
		const others = this.list().flatMap((network) => parseSubnet(network.subnet) ?? []);
		const routes = parseRoutes(readOr(`/proc/${this.options.place.process}/net/route`, ''));
		return choosePool(options, others, routes);
	}

	private checkConnect(network: Network, container: Member): void {
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

	private checkStatic(network: Network, address: string): string {
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

	/** The connection with the default route and the ports. */
	private wayOut(containerId: string): Connection | undefined {
		return this.connectionsOf(containerId).find(([network]) => !network.internal);
	}

	private viewFrom(networkId: string, address: string): View | undefined {
		const asking = Object.values(this.networks.get(networkId)?.endpoints ?? {}).find(
			(endpoint) => endpoint.address === address,
		);
		if (asking === undefined) {
			return undefined;
		}
		const connections = this.connectionsOf(asking.container_id);
		const named = connections.map(([network]) => network).filter((network) => network.name !== DEFAULT_NETWORK);
		return {
			lookup: (name) => named.flatMap((network) => addressesOf(network, name)),
			reverse: (neighbour) => named.flatMap((network) => fullNames(network, neighbour))[0],
			forwarders: connections.every(([network]) => network.internal)
				? []
				: asking.dns.length > 0
					? asking.dns
					: hostResolvConf().nameservers,
		};
	}

	private hostsOf(request: AttachRequest, connections: readonly Connection[]): string {
		const gateway = connections[0]?.[0].gateway ?? '127.0.0.1';
		return hostsFile({
			extra: request.extraHosts.map((text) => parseExtraHost(text, gateway)),
			own: connections.map(([, endpoint]) => ({
				address: endpoint.address,
				names: [request.container.hostname],
			})),
			members: membersOf(connections),
		});
	}

	private resolvConfOf(connections: readonly Connection[], dns: DnsConfig): string {
		// The first network with names, else the default bridge.
		const [network] = connections.find(([candidate]) => candidate.name !== DEFAULT_NETWORK) ?? connections[0] ?? [];
		const hasServer = network !== undefined && this.resolvers.get(network.id) !== undefined;
		const plan = planResolvConf({
			host: hostResolvConf(),
			gateway: hasServer ? network.gateway : undefined,
			hasNames: network !== undefined && network.name !== DEFAULT_NETWORK,
			internal: connections.every(([candidate]) => candidate.internal),
			dns,
		});
		return formatResolvConf(plan);
	}

	/** Writes the names of neighbours into the hosts files of all members of these networks, except some containers. */
	private refreshHosts(networkIds: readonly string[], except: readonly string[] = []): void {
		const containers = new Set(networkIds.flatMap((id) => Object.keys(this.networks.get(id)?.endpoints ?? {})));
		for (const id of containers) {
			if (!except.includes(id)) {
				rewriteMembers(this.options.hostsFile(id), membersOf(this.connectionsOf(id)));
			}
		}
	}

	/** A network that nobody is on has no devices, so the record is all there is. */
	private forget(network: Network): void {
		this.options.store.remove(`network-${network.id}`);
		this.networks.delete(network.id);
		this.announce('destroy', network);
	}

	/** In memory; `persist` follows once all of a change is known, and before anything of it is on the machine. */
	private changeEndpoint(networkId: string, endpoint: Endpoint): void {
		const network = this.get(networkId);
		this.networks.set(networkId, {
			...network,
			endpoints: { ...network.endpoints, [endpoint.container_id]: endpoint },
		});
	}

	private persist(networkIds: readonly string[]): void {
		for (const id of networkIds) {
			this.save(this.get(id));
		}
	}

	private closeRelaysOf(containerId: string): void {
		closeRelays(this.relays.get(containerId) ?? []);
		this.relays.delete(containerId);
	}

	private byName(name: string): Network | undefined {
		return [...this.networks.values()].find((network) => network.name === name);
	}

	private save(network: Network): void {
		this.options.store.save(`network-${network.id}`, network);
		this.networks.set(network.id, network);
	}

	private announce(action: string, network: Network, container?: string): void {
		this.options.events.emit('network', action, network.id, {
			name: network.name,
			type: network.driver,
			...(container === undefined ? {} : { container }),
		});
	}

	private problem(): string {
		return this.options.facts.problems[0] ?? 'bridge networks do not work on this machine';
	}

	/** Cleaning up goes on after a failure; the person is told. */
	private async attempt(work: () => Promise<void>): Promise<void> {
		try {
			await work();
		} catch (error) {
			this.options.warn(messageOf(error));
		}
	}

	private async exclusive<Result>(work: () => Promise<Result>): Promise<Result> {
		const result = this.last.then(work);
		// The next in line waits for the end, whatever it is; the caller gets the failure.
		this.last = result.then(
			() => undefined,
			() => undefined,
		);
		return result;
	}
}

function newNetwork(
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
		bridge: driver === 'bridge' ? `md-${id.slice(0, 8)}` : '',
		endpoints: {},
	};
}

function firewallNetwork(network: Network): FirewallNetwork {
	const option = (name: string): string | undefined => network.options[`com.docker.network.bridge.${name}`];
	return {
		bridge: network.bridge,
		subnet: network.subnet,
		gateway: network.gateway,
		internal: network.internal,
		isConnected: option('enable_icc') !== 'false',
		isMasqueraded: option('enable_ip_masquerade') !== 'false',
		ports: Object.values(network.endpoints).flatMap((endpoint) =>
			endpoint.ports
				.filter((port) => parseAddress(port.host_ip) !== undefined)
				.map((port) => ({ ...port, address: endpoint.address })),
		),
	};
}

function isUsed(network: Network): boolean {
	return Object.keys(network.endpoints).length > 0;
}

function interfaceNumber(endpoint: Endpoint): number {
	return Number(endpoint.interface.slice('eth'.length));
}

function checkHardwareAddress(text: string): string {
	if (!/^[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}$/.test(text)) {
		throw new EngineError('invalid', `invalid MAC address: ${text}`);
	}
	return text.toLowerCase();
}

function portReason({ port, code }: PortError): string {
	const place = `Bind for ${formatHostPort(port)} failed`;
	if (code === 'EADDRINUSE') {
		return `${place}: port is already allocated`;
	}
	if (code === 'EACCES') {
		return `${place}: permission denied, ports below net.ipv4.ip_unprivileged_port_start need root rights`;
	}
	return code === 'EADDRNOTAVAIL' ? `${place}: cannot assign requested address` : `${place}: ${code}`;
}

function hostResolvConf(): ReturnType<typeof parseResolvConf> {
	return parseResolvConf(readOr('/etc/resolv.conf', ''));
}
