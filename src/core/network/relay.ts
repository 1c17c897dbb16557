import * as dgram from 'node:dgram';
import * as net from 'node:net';
import { messageOf, systemCode } from '../errors';
import { RELAYED } from './connections';
import type { PublishedPort } from './ports';
import type { PortBinding } from './publish';
import type { PlaceSockets } from './sockets';

/** Where connections go at this moment: a container's address, or undefined while it has none. */
export interface Target {
	readonly address: () => string | undefined;
	readonly relay: PlaceSockets['relay'];
	readonly datagram: PlaceSockets['datagram'];
	readonly warn: (message: string) => void;
}

/** A host port held open. It reserves the port; what the firewall does not translate (IPv6, no iptables) it relays. */
export interface Relay {
	readonly port: PublishedPort;
	/** Stops listening and ends its connections. */
	readonly close: () => void;
}

/** A port that could not be bound: `code` is the system's (EADDRINUSE, EACCES, EADDRNOTAVAIL). */
export class PortError extends Error {
	override readonly name = 'PortError';

	constructor(
		readonly port: PublishedPort,
		readonly code: string,
		options: { cause: unknown },
	) {
		super(`Cannot listen on ${formatHostPort(port)}: ${code}`, options);
	}
}

/** "0.0.0.0:80", "[::]:80". */
export function formatHostPort({ host_ip, host_port }: Pick<PublishedPort, 'host_ip' | 'host_port'>): string {
	return net.isIPv6(host_ip) ? `[${host_ip}]:${host_port}` : `${host_ip}:${host_port}`;
}

/**
 * Holds a host port for each binding: of a range the first that is free, of 0 one that the kernel chooses, the same for
 * IPv4 and IPv6. Throws PortError and holds nothing when one cannot be had.
 */
export async function openRelays(bindings: readonly PortBinding[], target: Target): Promise<Relay[]> {
	const relays: Relay[] = [];
	try {
		for (const binding of bindings) {
			relays.push(...(await openBinding(binding, target)));
		}
		return relays;
	} catch (error) {
		closeRelays(relays);
		throw error;
	}
}

export function closeRelays(relays: readonly Relay[]): void {
	for (const relay of relays) {
		relay.close();
	}
}

/** Kernel-chosen ports that are free for IPv4 may be taken for IPv6; each try asks for another. */
const RANDOM_TRIES = 20;

async function openBinding(binding: PortBinding, target: Target): Promise<Relay[]> {
	const isRandom = binding.host_port === 0;
	const candidates = isRandom
		? Array.from({ length: RANDOM_TRIES }, () => 0)
		: Array.from(
				{ length: binding.host_port_end - binding.host_port + 1 },
				(_, index) => binding.host_port + index,
			);
	let failure: unknown;
	for (const host_port of candidates) {
		try {
			return await openFamilies(binding, host_port, target);
		} catch (error) {
			if (!(error instanceof PortError) || error.code !== 'EADDRINUSE') {
				throw error;
			}
			// The first failure names the port that the person asked for.
			failure ??= error;
		}
	}
	throw failure;
}

async function openFamilies(binding: PortBinding, host_port: number, target: Target): Promise<Relay[]> {
	const { container_port, protocol } = binding;
	const host_ip = binding.host_ip === '' ? '0.0.0.0' : binding.host_ip;
	const first = await openRelay({ host_ip, host_port, container_port, protocol }, target);
	if (binding.host_ip !== '') {
		return [first];
	}
	try {
		return [first, await openRelay({ ...first.port, host_ip: '::' }, target)];
	} catch (error) {
		if (error instanceof PortError && ['EAFNOSUPPORT', 'EADDRNOTAVAIL', 'EINVAL'].includes(error.code)) {
			// A machine without IPv6 publishes on IPv4 alone.
			return [first];
		}
		first.close();
		throw error;
	}
}

/** Holds exactly this port; throws PortError. */
export async function openRelay(port: PublishedPort, target: Target): Promise<Relay> {
	try {
		return await (port.protocol === 'tcp' ? openTcp(port, target) : openUdp(port, target));
	} catch (error) {
		const code = systemCode(error);
		if (code === undefined) {
			throw error;
		}
		throw new PortError(port, code, { cause: error });
	}
}

async function openTcp(port: PublishedPort, target: Target): Promise<Relay> {
	const server = net.createServer({ ...RELAYED, pauseOnConnect: true });
	await new Promise<void>((resolve, reject) => {
		server.once('error', reject);
		server.listen({ host: port.host_ip, port: port.host_port, ipv6Only: true, exclusive: true }, () => {
			server.off('error', reject);
			resolve();
		});
	});
	// EMFILE on accept is the only error left: the connection fails, the port stays.
	server.on('error', () => undefined);
	const address = server.address();
	const bound = {
		...port,
		host_port: address !== null && typeof address === 'object' ? address.port : port.host_port,
	};
	let isOpen = true;
	const again = (): void => {
		if (isOpen) {
			openTcp(bound, target).then(
				(relay) => {
					close = relay.close;
					if (!isOpen) {
						close();
					}
				},
				// Another program has the port by now.
				(error: unknown) => {
					target.warn(messageOf(error));
				},
			);
		}
	};
	let close = await target.relay(server, { address: target.address, port: port.container_port }, again);
	return {
		port: bound,
		close: () => {
			isOpen = false;
			close();
		},
	};
}

/** docker's idle time of a UDP conversation. */
const UDP_IDLE = 90_000;
const MAX_CONVERSATIONS = 1024;

interface Conversation {
	readonly socket: Promise<dgram.Socket>;
	readonly timer: NodeJS.Timeout;
}

/** Each client gets a socket of its own towards the container, so that answers find their way back. */
async function openUdp(port: PublishedPort, target: Target): Promise<Relay> {
	const conversations = new Map<string, Conversation>();
	const isIpv6 = net.isIPv6(port.host_ip);
	const server = dgram.createSocket({ type: isIpv6 ? 'udp6' : 'udp4', ipv6Only: isIpv6 });
	const end = (key: string): void => {
		const conversation = conversations.get(key);
		if (conversation !== undefined) {
			conversations.delete(key);
			clearTimeout(conversation.timer);
			conversation.socket.then(
				(socket) => socket.close(),
				() => undefined,
			);
		}
	};
	const open = async (key: string, peer: dgram.RemoteInfo, timer: NodeJS.Timeout): Promise<dgram.Socket> => {
		const socket = await target.datagram();
		// Port unreachable, or the container is gone: the next datagram begins anew.
		socket.on('error', () => {
			end(key);
		});
		socket.on('message', (answer) => {
			timer.refresh();
			server.send(answer, peer.port, peer.address);
		});
		return socket;
	};
	const begin = (key: string, peer: dgram.RemoteInfo): Conversation => {
		const timer = setTimeout(end, UDP_IDLE, key);
		const conversation = { socket: open(key, peer, timer), timer };
		conversations.set(key, conversation);
		return conversation;
	};
	server.on('message', (data, peer) => {
		const host = target.address();
		const key = `${peer.address} ${peer.port}`;
		const known = conversations.get(key);
		if (host === undefined || (known === undefined && conversations.size >= MAX_CONVERSATIONS)) {
			return;
		}
		const { socket, timer } = known ?? begin(key, peer);
		timer.refresh();
		socket.then(
			(open) => {
				open.send(data, port.container_port, host);
			},
			() => {
				end(key);
			},
		);
	});
	await new Promise<void>((resolve, reject) => {
		server.once('error', (error) => {
			server.close();
			reject(error);
		});
		server.bind({ address: port.host_ip, port: port.host_port, exclusive: true }, () => {
			server.removeAllListeners('error');
			resolve();
		});
	});
	// An answer that cannot be sent (client gone, message too long) is lost, as UDP may.
	server.on('error', () => undefined);
	return {
		port: { ...port, host_port: server.address().port },
		close: () => {
			for (const key of [...conversations.keys()]) {
				end(key);
			}
			server.close();
		},
	};
}
