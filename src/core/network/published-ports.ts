import { EngineError } from '../errors';
import type { NetworkRecords } from './network-records';
import type { PublishedPort } from './ports';
import type { PortBinding } from './publish';
import type { Relay, Target } from './relay';
import type { PlaceSockets } from './sockets';
import { closeRelays, formatHostPort, openRelay, openRelays, PortError } from './relay';

/** The host ports that this engine holds open for running containers. */
export class PublishedPorts {
	/** By container id. */
	private readonly relays = new Map<string, readonly Relay[]>();

	constructor(
		private readonly records: NetworkRecords,
		private readonly options: { readonly sockets: PlaceSockets; readonly warn: (message: string) => void },
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
			const relays = await openRelays(wanted, this.target(container.id));
			this.relays.set(container.id, relays);
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
		for (const port of ports) {
			try {
				relays.push(await openRelay(port, this.target(containerId)));
			} catch (error) {
				failures.push(error);
			}
		}
		if (relays.length > 0) {
			this.relays.set(containerId, relays);
		}
		return failures;
	}

	close(containerId: string): void {
		closeRelays(this.relays.get(containerId) ?? []);
		this.relays.delete(containerId);
	}

	closeAll(): void {
		for (const containerId of [...this.relays.keys()]) {
			this.close(containerId);
		}
	}

	private target(containerId: string): Target {
		return { address: () => this.records.wayOut(containerId)?.[1].address, ...this.options };
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
