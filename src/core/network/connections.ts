import * as net from 'node:net';

/** Of both ends of a relayed connection: "end of input" passes through while the answer is still coming. */
export const RELAYED = { allowHalfOpen: true, noDelay: true } as const;

/** What a container sends is read into one buffer a connection: half the processor time of a new one for each read. */
const BUFFER = 64 * 1024;

/** Where connections go. */
export interface RelayTarget {
	/** The container's address at this moment; undefined while it has none. */
	readonly address: () => string | undefined;
	readonly port: number;
}

/** The connections from one published port to a container. */
export class RelayedConnections {
	private readonly sockets = new Set<net.Socket>();

	constructor(private readonly target: RelayTarget) {}

	/** Takes a connection that a client made, and connects it on. */
	accept(client: net.Socket): void {
		const host = this.target.address();
		if (host === undefined) {
			client.destroy();
			return;
		}
		for (const socket of [client, connectOn(client, host, this.target.port)]) {
			this.sockets.add(socket);
			socket.once('close', () => this.sockets.delete(socket));
		}
	}

	/** Ends all of them. */
	close(): void {
		for (const socket of this.sockets) {
			socket.destroy();
		}
	}
}

function connectOn(client: net.Socket, host: string, port: number): net.Socket {
	const receive = (length: number, buffer: Uint8Array): boolean => {
		client.write(buffer.subarray(0, length), () => {
			container.resume();
		});
		// What the kernel has not taken still lies in the buffer: nothing more is read until it has.
		return client.writableLength === 0;
	};
	const onread = { buffer: Buffer.allocUnsafeSlow(BUFFER), callback: receive };
	const container = net.connect({ host, port, ...RELAYED, onread });
	client.on('data', (data) => {
		if (!container.write(data)) {
			client.pause();
			container.once('drain', () => client.resume());
		}
	});
	for (const [one, other] of [
		[client, container],
		[container, client],
	] as const) {
		one.once('end', () => other.end());
		// A reset or a refusal at either end ends both; the peers see it, there is nobody else to tell.
		one.on('error', () => other.destroy());
	}
	client.resume();
	return container;
}
