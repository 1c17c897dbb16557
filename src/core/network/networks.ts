import { EngineError, messageOf } from '../errors';
import type { Events } from '../events';
import { tellFailure } from '../prune';
import type { PruneOptions } from '../prune';
import type { Store } from '../store';
import type { Family } from './address';
import { parseSubnet } from './address';
import { insideBatch, outsideBatch, readOr } from './bridge';
import { NetworkDevices } from './devices';
import type { NetworkFacts } from './firewall';
import { parseRoutes } from './ipam';
import type { LeaseOptions, Member } from './lease';
import { checkMember, leaseEndpoint } from './lease';
import { checkLinks } from './links';
import { NameService } from './name-service';
import type { AddressPool, Endpoint, EndpointConfig, Network } from './network';
import { DEFAULT_NETWORK, isNetworkName, PREDEFINED } from './network';
import type { Connection } from './network-records';
import { interfaceNumber, isUsed, NetworkRecords, newNetwork } from './network-records';
import type { NetworkPlace } from './place';
import type { PoolOptions } from './pool';
import { ANY_POOL, choosePool } from './pool';
import type { PublishedPort } from './ports';
import type { PortBinding } from './publish';
import { PublishedPorts } from './published-ports';
import type { DnsConfig } from './resolvconf';
import { checkDnsConfig } from './resolvconf';

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
	/** Addresses of a second family; undefined is IPv4 alone. */
	readonly ipv6?: PoolOptions | undefined;
	readonly labels: Readonly<Record<string, string>>;
	readonly options: Readonly<Record<string, string>>;
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

/**
 * The networks of a store: records (network-records.ts), what they have on the host (devices.ts), host ports
 * (published-ports.ts) and names (name-service.ts).
 *
 * Invariant: all that changes endpoints or devices runs one after the other (`exclusive`).
 */
export class Networks {
	private readonly records: NetworkRecords;
	private readonly names: NameService;
	private readonly devices: NetworkDevices;
	private readonly ports: PublishedPorts;
	private last: Promise<unknown> = Promise.resolve();

	constructor(private readonly options: NetworksOptions) {
		this.records = new NetworkRecords(options.store);
		this.names = new NameService(this.records, options);
		this.devices = new NetworkDevices(this.records, this.names, options);
		const { sockets, insideRelay } = options.place;
		this.ports = new PublishedPorts(this.records, { sockets, insideRelay, warn: options.warn });
	}

	/**
	 * Reads the records, makes the predefined networks, and puts the machine right after a crash or a restart of the
	 * engine: what belongs to containers that are not in `live` goes, what the others need is made again.
	 */
	async load(live: ReadonlySet<string>): Promise<void> {
		this.records.load();
		for (const name of PREDEFINED) {
			if (this.records.byName(name) === undefined) {
				// One that is lost with the power is made again.
				this.records.save(newNetwork({ name, driver: name === 'none' ? 'null' : name }), 'beside');
			}
		}
		// A network that never was used has no subnet, and nothing on the host.
		if (this.list().some(({ subnet }) => subnet !== '')) {
			await this.exclusive(() => this.reconcile(live));
		}
	}

	/** Put before a shim's command, so that it finds the bridges. */
	get place(): readonly string[] {
		return this.options.place.command;
	}

	/** Sorted by name. */
	list(): readonly Network[] {
		return this.records.list();
	}

	/** By name, id or unique id prefix. Throws "invalid" when a prefix fits several. */
	find(nameOrId: string): Network | undefined {
		return this.records.find(nameOrId);
	}

	get(nameOrId: string): Network {
		return this.records.get(nameOrId);
	}

	/** The networks that a running container is on, in the order of its interfaces. */
	connectionsOf(containerId: string): Connection[] {
		return this.records.connectionsOf(containerId);
	}

	/** The ports of a running container that lead to it now. */
	portsOf(containerId: string): readonly PublishedPort[] {
		return this.connectionsOf(containerId).flatMap(([, endpoint]) => endpoint.ports);
	}

	/** Throws "conflict" for a taken name or an overlapping subnet, "invalid", "unsupported". Touches no device. */
	create(options: CreateNetworkOptions): Network {
		checkCreate(options);
		if (this.records.byName(options.name) !== undefined) {
			throw new EngineError('conflict', `network with name ${options.name} already exists`);
		}
		const { ipv6: wanted, ...ipv4 } = options;
		const ipv6 = wanted === undefined ? {} : { ipv6: this.chooseIpv6(options.name, wanted) };
		const network = newNetwork({ ...ipv4, driver: 'bridge', ...this.choosePool(options), ...ipv6 });
		this.records.save(network);
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
	async prune(isWanted: (network: Network) => boolean, options: PruneOptions): Promise<Network[]> {
		return this.exclusive(() => {
			const unused = this.list().filter(
				(network) => !PREDEFINED.includes(network.name) && !isUsed(network) && isWanted(network),
			);
			if (options.isDryRun) {
				return Promise.resolve(unused);
			}
			const removed = unused.filter((network) => this.isForgotten(network, options));
			// docker says this for each kind of object; a network has no bytes.
			this.options.events.emit('network', 'prune', '', { reclaimed: '0' });
			return Promise.resolve(removed);
		});
	}

	private isForgotten(network: Network, options: PruneOptions): boolean {
		try {
			this.forget(network);
			return true;
		} catch (error) {
			tellFailure(error, { kind: 'network', name: network.name }, options);
			return false;
		}
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

	/** A container with its own network namespace runs, or runs on, and this process is in it. */
	entered(containerId: string, pid: number): void {
		this.ports.enter(containerId, pid);
	}

	/**
	 * Gives back all that a container had; after its end. Never throws: what cannot be cleaned up is a warning. The
	 * result tells the world of it, which docker does after the container's own event.
	 */
	async detach(containerId: string): Promise<() => void> {
		return this.exclusive(async () => {
			const connections = this.connectionsOf(containerId);
			await this.detachNow(containerId);
			return () => {
				for (const [network] of connections) {
					this.announce('disconnect', network, containerId);
				}
			};
		});
	}

	/**
	 * Puts a running container, known by its process, on another network. If that is its only way out, its ports are
	 * published through it, as docker does.
	 */
	async connect(
		container: Member & { readonly pid: number },
		config: EndpointConfig,
		bindings: readonly PortBinding[],
	): Promise<void> {
		await this.exclusive(async () => {
			const hadWayOut = this.records.wayOut(container.id) !== undefined;
			const network = this.get(config.network);
			checkMember(network, container);
			const connections = this.connectionsOf(container.id);
			const number = 1 + Math.max(-1, ...connections.map(([, endpoint]) => interfaceNumber(endpoint)));
			const dns = connections[0]?.[1].dns ?? [];
			try {
				const endpoint = this.lease(network, container, { config, number, dns });
				this.records.persist([network.id]);
				await this.devices.bringUp([network.id]);
				await this.devices.plug(this.get(network.id), endpoint, container.pid);
				if (!hadWayOut) {
					await this.publishRunning(container, bindings);
				}
			} catch (error) {
				if (!hadWayOut) {
					await this.ports.close(container.id);
				}
				await this.unplug(container.id, network.id);
				throw error;
			}
			this.names.refresh([network.id]);
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
			const former = this.records.wayOut(container.id);
			await this.unplug(container.id, network.id);
			if (former?.[0].id === network.id) {
				await this.moveWayOut(container, endpoint.ports);
			} else if (network.ipv6 !== undefined) {
				await this.devices.routeOut(container.id, container.pid);
			}
			this.names.refresh([network.id], [container.id]);
			this.announce('disconnect', network, container.id);
		});
	}

	/** A container's new name, for the name server and its neighbours' hosts files. */
	rename(containerId: string, name: string): void {
		const connections = this.connectionsOf(containerId);
		for (const [network, endpoint] of connections) {
			this.records.changeEndpoint(network.id, { ...endpoint, container_name: name });
		}
		this.records.persist(connections.map(([network]) => network.id));
		this.names.refresh(connections.map(([network]) => network.id));
	}

	/** The engine leaves: sockets close, bridges and rules stay, so containers keep their network. */
	async close(): Promise<void> {
		await this.exclusive(() => {
			this.devices.close();
			return this.ports.closeAll();
		});
	}

	private async attachNow(request: AttachRequest): Promise<Attachment> {
		const { container, bindings, dns, signal } = request;
		// A container that starts is not running: an endpoint it still has is left over.
		await this.detachNow(container.id);
		const ids = request.endpoints.map((config, number) => {
			const network = this.get(config.network);
			this.lease(network, container, { config, number, dns: dns.servers });
			return network.id;
		});
		await this.ports.publish(container, bindings);
		this.records.persist(ids);
		await this.devices.bringUp(ids, signal);
		await this.devices.forgetConversations(this.portsOf(container.id));
		this.names.refresh(ids, [container.id]);
		const connections = this.connectionsOf(container.id);
		for (const [network] of connections) {
			this.announce('connect', network, container.id);
		}
		return {
			outside: outsideBatch(connections, this.devices.mtu),
			inside: insideBatch(connections),
			hosts: this.names.hostsOf(container.hostname, request.extraHosts, connections),
			resolvConf: this.names.resolvConfOf(connections, dns, (id) => this.devices.hasServer(id)),
			connections,
			ports: this.portsOf(container.id),
		};
	}

	private async publishRunning(container: Member, bindings: readonly PortBinding[]): Promise<void> {
		await this.ports.publish(container, bindings);
		const ports = this.portsOf(container.id);
		const [network] = this.records.wayOut(container.id) ?? [];
		if (network !== undefined && ports.length > 0) {
			this.records.persist([network.id]);
			await this.devices.applyRules();
			await this.devices.forgetConversations(ports);
		}
	}

	/** An endpoint in memory; no device yet. */
	private lease(network: Network, container: Member, options: LeaseOptions): Endpoint {
		checkMember(network, container);
		const endpoint = leaseEndpoint(this.prepare(network), container, options);
		checkLinks(network, endpoint);
		this.records.changeEndpoint(network.id, endpoint);
		return endpoint;
	}

	private async detachNow(containerId: string): Promise<void> {
		const connections = this.connectionsOf(containerId);
		await this.ports.leave(containerId);
		for (const [network] of connections) {
			await this.unplug(containerId, network.id);
		}
		this.names.refresh(connections.map(([network]) => network.id));
	}

	/** Removes an endpoint with its device, and all of the network when it was the last. */
	private async unplug(containerId: string, networkId: string): Promise<void> {
		const network = this.get(networkId);
		const { [containerId]: endpoint, ...endpoints } = network.endpoints;
		if (endpoint === undefined) {
			return;
		}
		this.records.save({ ...network, endpoints });
		await this.attempt(() => this.devices.removeLinks([endpoint.veth]));
		if (Object.keys(endpoints).length === 0) {
			await this.attempt(() => this.devices.release(networkId));
		}
		await this.attempt(() => this.devices.applyRules());
	}

	/** After the network with the default route and the ports is gone: another takes its place, if there is one. */
	private async moveWayOut(
		container: Member & { readonly pid: number },
		ports: readonly PublishedPort[],
	): Promise<void> {
		const [network, endpoint] = this.records.wayOut(container.id) ?? [];
		if (network === undefined || endpoint === undefined) {
			await this.ports.close(container.id);
			return;
		}
		this.records.changeEndpoint(network.id, { ...endpoint, ports });
		this.records.persist([network.id]);
		await this.devices.applyRules();
		await this.devices.forgetConversations(ports);
		await this.devices.routeOut(container.id, container.pid);
		// Relays at work elsewhere (inside-program.ts, socket-agent.ts) know the old address.
		await this.ports.close(container.id);
		await this.reopenPorts(container.id, ports);
	}

	private async reconcile(live: ReadonlySet<string>): Promise<void> {
		for (const network of this.list()) {
			const endpoints = Object.fromEntries(Object.entries(network.endpoints).filter(([id]) => live.has(id)));
			if (Object.keys(endpoints).length !== Object.keys(network.endpoints).length) {
				this.records.save({ ...network, endpoints });
			}
		}
		if (!this.options.facts.hasBridge) {
			return;
		}
		const used = this.records.used();
		await this.attempt(() => this.devices.applyRules());
		for (const network of used) {
			await this.attempt(() => this.devices.bringUp([network.id]));
		}
		await this.attempt(() => this.devices.removeUnused());
		for (const endpoint of used.flatMap((network) => Object.values(network.endpoints))) {
			await this.reopenPorts(endpoint.container_id, endpoint.ports);
		}
		this.names.refresh(used.map((network) => network.id));
	}

	private async reopenPorts(containerId: string, ports: readonly PublishedPort[]): Promise<void> {
		for (const failure of await this.ports.reopen(containerId, ports)) {
			this.options.warn(messageOf(failure));
		}
	}

	/** The default network gets its subnet when it is first used, when the host's routes are known. */
	private prepare(network: Network): Network {
		if (network.subnet !== '') {
			return network;
		}
		const prepared = { ...network, ...this.choosePool(ANY_POOL) };
		this.records.save(prepared);
		return prepared;
	}

	private choosePool(options: PoolOptions, family: Family = 4): AddressPool {
		const pools = this.list().flatMap((network) => [
			network,
			...(network.ipv6 === undefined ? [] : [network.ipv6]),
		]);
		const others = pools.flatMap(({ subnet }) => parseSubnet(subnet) ?? []);
		const routes = parseRoutes(readOr(`/proc/${this.options.place.process}/net/route`, ''));
		return choosePool(options, { others, routes, store: this.get(DEFAULT_NETWORK).id }, family);
	}

	private chooseIpv6(name: string, options: PoolOptions): AddressPool {
		const problem = this.options.facts.ipv6Problem;
		if (problem !== '') {
			throw new EngineError('unsupported', `Cannot create network "${name}" with IPv6: ${problem}`);
		}
		return this.choosePool(options, 6);
	}

	/** A network that nobody is on has no devices, so the record is all there is. */
	private forget(network: Network): void {
		this.records.remove(network);
		this.announce('destroy', network);
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

/** What can be refused without a look at other networks. */
function checkCreate({ name, driver, options }: CreateNetworkOptions): void {
	if (PREDEFINED.includes(name)) {
		throw new EngineError('denied', `operation is not permitted on predefined ${name} network`);
	}
	if (!isNetworkName(name)) {
		throw new EngineError('invalid', `Cannot create network "${name}": only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed`);
	}
	if (driver !== '' && driver !== 'bridge') {
		throw new EngineError('not-found', `plugin "${driver}" not found`);
	}
	if ('com.docker.network.bridge.name' in options) {
		throw new EngineError('unsupported', `Cannot create network "${name}": bridges cannot be given a name`);
	}
}
