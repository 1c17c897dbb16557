import { setTimeout as delay } from 'node:timers/promises';
import { EngineError } from '../errors';
import { InsideRelay } from './inside-relay';
import type { NetworkRecords } from './network-records';
import type { NetworkPlace } from './place';
import type { PublishedPort } from './ports';
import type { PortBinding } from './publish';
import type { Relay, Target } from './relay';
import type { PlaceSockets } from './sockets';
import { closeRelays, formatHostPort, openRelay, openRelays, PortError } from './relay';

export interface PublishedPortsOptions {
	readonly sockets: PlaceSockets;
	/** What relays TCP ports where the containers are; see NetworkPlace. */
	readonly insideRelay: NetworkPlace['insideRelay'];
	readonly warn: (message: string) => void;
}

interface Opened {
	readonly relays: readonly Relay[];
	/** Has the TCP ports of `relays`. */
	readonly inside?: InsideRelay | undefined;
}

/** The host ports that this engine holds open for running containers. */
export class PublishedPorts {
	/** By container id. */
	private readonly opened = new Map<string, Opened>();
	/** By container id, of those that run: a process in their network namespace. */
	private readonly processes = new Map<string, number>();

	constructor(
		private readonly records: NetworkRecords,
		private readonly options: PublishedPortsOptions,
	) {}

	/**
	 * Takes the host ports of a container that has its endpoints, and notes them in the endpoint that they lead through.
	 * A busy port is "runtime" with exit code 125 and docker's text; none is held then.
	 */
	async publish(
		container: { readonly id: string; readonly name: string },
		bindings: readonly PortBinding[],
	): Promise<void> {
		const connection = this.records.wayOut(container.id);
		if (connection === undefined || bindings.length === 0) {
			return;
		}
		const [network, endpoint] = connection;
		const fallback = network.options['com.docker.network.bridge.host_binding_ipv4'] ?? '';
		const wanted = bindings.map((binding) =>
			binding.host_ip === '' ? { ...binding, host_ip: fallback } : binding,
		);
		try {
			const inside = this.insideRelay();
			const relays = await openRelays(wanted, this.target(container.id, inside));
			this.keep(container.id, { relays, inside });
			this.records.changeEndpoint(network.id, { ...endpoint, ports: relays.map((relay) => relay.port) });
		} catch (error) {
			if (!(error instanceof PortError)) {
				throw error;
			}
			const text = `driver failed programming external connectivity on endpoint ${container.name} (${endpoint.id}): `;
			throw new EngineError('runtime', text + portReason(error), { cause: error, exitCode: 125 });
		}
	}

	/**
	 * The ports of a container that ran on without the engine: the rules led to it all the time, the sockets come back.
	 * Gives what went wrong; the other ports are open all the same.
	 */
	async reopen(containerId: string, ports: readonly PublishedPort[]): Promise<readonly unknown[]> {
		const relays: Relay[] = [];
		const failures: unknown[] = [];
		const inside = this.insideRelay();
		for (const port of ports) {
			try {
				relays.push(await openAgain(port, this.target(containerId, inside)));
			} catch (error) {
				failures.push(error);
			}
		}
		if (relays.length > 0) {
			this.keep(containerId, { relays, inside });
		}
		return failures;
	}

	/** A container runs, and this process is in its network namespace: what waits for it there begins. */
	enter(containerId: string, pid: number): void {
		this.processes.set(containerId, pid);
		this.beginInside(containerId);
	}

	/** The container has ended; its ports are free when this resolves. */
	async leave(containerId: string): Promise<void> {
		this.processes.delete(containerId);
		await this.close(containerId);
	}

	/** Of a container that may run on. The ports are free when this resolves. */
	async close(containerId: string): Promise<void> {
		const { relays, inside } = this.opened.get(containerId) ?? { relays: [] };
		this.opened.delete(containerId);
		closeRelays(relays);
		await inside?.close();
	}

	async closeAll(): Promise<void> {
		await Promise.all([...this.opened.keys()].map((containerId) => this.close(containerId)));
	}

	private keep(containerId: string, opened: Opened): void {
		this.opened.set(containerId, opened);
		this.beginInside(containerId);
	}

	private beginInside(containerId: string): void {
		const pid = this.processes.get(containerId);
		const address = this.records.wayOut(containerId)?.[1].address;
		if (pid !== undefined && address !== undefined) {
			this.opened.get(containerId)?.inside?.begin(pid, address);
		}
	}

	private insideRelay(): InsideRelay | undefined {
		const command = this.options.insideRelay();
		return command && new InsideRelay({ command, warn: this.options.warn });
	}

	private target(containerId: string, inside: InsideRelay | undefined): Target {
		const { sockets, warn } = this.options;
		return {
			address: () => this.records.wayOut(containerId)?.[1].address,
			relay: async (server, to, lost) =>
				inside === undefined || inside.isOver
					? sockets.relay(server, to, lost)
					: Promise.resolve(inside.relay(server, to, lost)),
			datagram: () => sockets.datagram(),
			warn,
		};
	}
}

/** A killed engine's relays end with it, but a moment later: on a busy machine they may still have the port. */
const AGAIN = { tries: 20, milliseconds: 50 };

async function openAgain(port: PublishedPort, target: Target): Promise<Relay> {
	for (let tries = 1; ; tries++) {
		try {
			return await openRelay(port, target);
		} catch (error) {
			if (!(error instanceof PortError) || error.code !== 'EADDRINUSE' || tries === AGAIN.tries) {
				throw error;
			}
			await delay(AGAIN.milliseconds);
		}
	}
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
