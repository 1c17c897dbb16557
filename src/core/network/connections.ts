import * as fs from 'node:fs';
import * as net from 'node:net';

/** Of both ends of a relayed connection: "end of input" passes through while the answer is still coming. */
export const RELAYED = { allowHalfOpen: true, noDelay: true } as const;

/**
 * All connections read into this one: what has been read goes to the kernel again before anything else is read, and what
 * the kernel does not take then is copied. Half the processor time of a new buffer for each read.
 */
const BUFFER = Buffer.allocUnsafeSlow(128 * 1024);

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
		this.connect(client, (container) => {
			client.on('data', (data) => {
				if (!pass(data, client, container)) {
					client.pause();
				}
			});
		});
	}

	/** Takes those of this listening server. */
	serve(server: net.Server): void {
		server.on('connection', (client) => {
			this.accept(client);
		});
		takeHandles(server, (handle) => {
			this.acceptHandle(handle);
		});
	}

	/** Ends all of them. */
	close(): void {
		for (const socket of this.sockets) {
			socket.destroy();
		}
	}

	/** As `accept`, for less processor time a request. */
	private acceptHandle(handle: object): void {
		let container: net.Socket | undefined;
		const receive = (length: number): boolean =>
			container !== undefined && pass(BUFFER.subarray(0, length), client, container);
		const onread = { buffer: BUFFER, callback: receive };
		const options = { handle, ...RELAYED, pauseOnCreate: true, onread };
		const client = new net.Socket(options);
		client.setNoDelay(true);
		this.connect(client, (connected) => {
			container = connected;
		});
	}

	/** Nothing is read of a client before it is connected on. */
	private connect(client: net.Socket, begin: (container: net.Socket) => void): void {
		const host = this.target.address();
		if (host === undefined) {
			client.destroy();
			return;
		}
		const receive = (length: number): boolean => pass(BUFFER.subarray(0, length), container, client);
		const onread = { buffer: BUFFER, callback: receive };
		const container = net.connect({ host, port: this.target.port, ...RELAYED, onread });
		for (const [one, other] of [
			[client, container],
			[container, client],
		] as const) {
			this.sockets.add(one);
			one.once('end', () => other.end());
			// A reset or a refusal at either end ends both; the peers see it, there is nobody else to tell.
			one.on('error', () => other.destroy());
			one.once('close', () => this.sockets.delete(one));
		}
		container.once('connect', () => {
			begin(container);
			client.resume();
		});
	}
}

/** The parts of net.Server and net.Socket that their types do not tell. */
interface WithHandle {
	readonly _handle?: { fd?: number; onconnection?: (failure: number, handle?: object) => void } | null;
}

/**
 * Node's server makes a socket that reads into a new buffer each time and cannot be told otherwise, so its handle's
 * connections are taken before it sees them. Where a Node has nothing of the kind, they go the server's way.
 */
function takeHandles(server: net.Server, take: (handle: object) => void): void {
	const listening = (server as WithHandle)._handle;
	const given = listening?.onconnection;
	if (!listening || typeof given !== 'function') {
		return;
	}
	listening.onconnection = (failure, handle) => {
		if (failure === 0 && handle !== undefined && 'useUserBuffer' in handle) {
			take(handle);
		} else {
			given.call(listening, failure, handle);
		}
	};
}

/** Writes on what came; false means that nothing more may be read until this goes on by itself. */
function pass(data: Buffer, from: net.Socket, to: net.Socket): boolean {
	const taken = writeNow(data, to);
	if (taken === data.length) {
		return true;
	}
	to.write(Buffer.from(data.subarray(taken)), () => from.resume());
	return false;
}

/** Gives the kernel what it takes at once, past the stream's bookkeeping, and says how many bytes that were. */
function writeNow(data: Buffer, to: net.Socket): number {
	const fd = (to as WithHandle)._handle?.fd ?? -1;
	if (fd < 0 || to.writableLength > 0 || !to.writable) {
		return 0;
	}
	try {
		return fs.writeSync(fd, data, 0, data.length);
	} catch {
		// Full, or broken: the stream's own write waits, or fails as a stream does.
		return 0;
	}
}
