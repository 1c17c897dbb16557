import * as net from 'node:net';

/** Of both ends of a relayed connection: "end of input" passes through while the answer is still coming. */
export const RELAYED = { allowHalfOpen: true, noDelay: true } as const;

/** What a container sends is read into one buffer a connection: half the processor time of a new one for each read. */
const BUFFER = 64 * 1024;
/** Buffers of connections that have ended, for the next ones. */
const spare: Buffer[] = [];
const MAX_SPARE = 64;
/** Written behind other bytes, its callback tells that they are gone; one for every write costs a tenth of the relay. */
const NOTHING = Buffer.alloc(0);

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
	const buffer = spare.pop() ?? Buffer.allocUnsafeSlow(BUFFER);
	const receive = (length: number): boolean => {
		client.write(buffer.subarray(0, length));
		// What the kernel has not taken still lies in the buffer: nothing more is read until it has.
		const isTaken = client.writableLength === 0;
		if (!isTaken) {
			client.write(NOTHING, () => container.resume());
		}
		return isTaken;
	};
	const container = net.connect({ host, port, ...RELAYED, onread: { buffer, callback: receive } });
	client.on('data', (data) => {
		if (!container.write(data)) {
			client.pause();
			container.once('drain', () => client.resume());
		}
	});
	let open = 2;
	for (const [one, other] of [
		[client, container],
		[container, client],
	] as const) {
		one.once('end', () => other.end());
		// A reset or a refusal at either end ends both; the peers see it, there is nobody else to tell.
		one.on('error', () => other.destroy());
		one.once('close', () => {
			// Until both have gone, bytes for the client may lie in the buffer.
			if (--open === 0 && spare.length < MAX_SPARE) {
				spare.push(buffer);
			}
		});
	}
	client.resume();
	return container;
}
