import * as dgram from 'node:dgram';
import * as net from 'node:net';

/** Sockets in the network namespace where the bridges are. All throw the system's error. */
export interface PlaceSockets {
	/** TCP to a container; both directions end on their own. The connection may still be under way. */
	connect(host: string, port: number): Promise<net.Socket>;
	/** UDP, with a port of the kernel's choice. */
	datagram(): Promise<dgram.Socket>;
	/** TCP; nobody can connect before a listener for "connection" is there. */
	listen(address: string, port: number): Promise<net.Server>;
	/** UDP. */
	bind(address: string, port: number): Promise<dgram.Socket>;
}

/** Those of this process's own namespace. */
export const ownSockets: PlaceSockets = {
	connect: (host, port) => Promise.resolve(net.connect({ host, port, allowHalfOpen: true, noDelay: true })),
	datagram: () => Promise.resolve(dgram.createSocket('udp4')),
	listen: listenHere,
	bind: bindHere,
};

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
