import * as dgram from 'node:dgram';
import * as net from 'node:net';
import { RelayedConnections, type RelayTarget } from './connections';

/** Sockets in the network namespace where the bridges are. All throw the system's error. */
export interface PlaceSockets {
	/**
	 * Connects whatever `server`, which listens on the host and is given away with this, accepts with a container.
	 * `lost` is called when that ends before it is asked to; the result ends the server and its connections.
	 */
	relay(server: net.Server, target: RelayTarget, lost: () => void): Promise<() => void>;
	/** UDP, with a port of the kernel's choice. */
	datagram(): Promise<dgram.Socket>;
	/** TCP; nobody can connect before a listener for "connection" is there. */
	listen(address: string, port: number): Promise<net.Server>;
	/** UDP. */
	bind(address: string, port: number): Promise<dgram.Socket>;
}

/** Those of this process's own namespace. */
export const ownSockets: PlaceSockets = {
	relay: (server, target) => Promise.resolve(relayHere(server, target)),
	datagram: () => Promise.resolve(dgram.createSocket('udp4')),
	listen: listenHere,
	bind: bindHere,
};

function relayHere(server: net.Server, target: RelayTarget): () => void {
	const connections = new RelayedConnections(target);
	server.on('connection', (client) => {
		connections.accept(client);
	});
	return () => {
		server.close();
		connections.close();
	};
}

export async function listenHere(address: string, port: number): Promise<net.Server> {
	const server = net.createServer();
	await new Promise<void>((resolve, reject) => {
		server.once('error', reject);
		server.listen({ host: address, port, exclusive: true }, () => {
			server.off('error', reject);
			resolve();
		});
	});
	return server;
}

export async function bindHere(address: string, port: number): Promise<dgram.Socket> {
	const socket = dgram.createSocket({ type: 'udp4' });
	await new Promise<void>((resolve, reject) => {
		socket.once('error', (error) => {
			socket.close();
			reject(error);
		});
		socket.bind({ address, port, exclusive: true }, () => {
			socket.removeAllListeners('error');
			resolve();
		});
	});
	return socket;
}
