/** Bodies of answers to HTTP requests, read with as little work for each chunk as Node allows. */
import * as http from 'node:http';
import * as net from 'node:net';

/** Bytes of a body that may wait in memory. */
const MOST_WAITING = 512 * 1024;
/** Bytes of the buffer that a connection reads into; with what is made of them they fit in a core's cache. */
const BUFFER = 128 * 1024;
/** A shorter body leaves its connection as it is, for the next request. */
const WORTH_TAKING = 1024 * 1024;

/**
 * Makes plain connections that read into one buffer each (net.Socket, "onread"). Node's HTTP parser gets copies of it,
 * which is all that it sees of short answers; a long body is taken from the parser with `bodyOf` and comes without a copy
 * and without a new buffer for every 64 KiB. On two cores that saves a pull a fifth of its user time.
 */
export class ReadingAgent extends http.Agent {
	constructor() {
		super({ keepAlive: true });
	}

	override createConnection(options: http.ClientRequestArgs): net.Socket {
		const reading = new Reading();
		const onread = {
			buffer: Buffer.allocUnsafeSlow(BUFFER),
			callback: (length: number, buffer: Uint8Array) => reading.take(buffer as Buffer, length),
		};
		const socket = net.connect({ ...(options as net.TcpNetConnectOpts), onread });
		reading.socket = socket;
		readings.set(socket, reading);
		return socket;
	}
}

const readings = new WeakMap<net.Socket, Reading>();

/** Where what a connection reads goes: to the parser, or to the one who took the body. */
class Reading {
	socket: net.Socket | undefined;
	/** Gets the body; a chunk is valid until the socket is resumed when it returns false, else until then. */
	onBody: ((chunk: Buffer) => boolean) | undefined;

	take(buffer: Buffer, length: number): boolean {
		const bytes = buffer.subarray(0, length);
		if (this.onBody) {
			return this.onBody(bytes);
		}
		this.socket?.emit('data', Buffer.from(bytes));
		return true;
	}
}

/**
 * The body, chunk by chunk as it comes; a chunk is only valid until the next one is asked for. The iterator that Node
 * gives copies several chunks into one and stops the socket after each. The response is destroyed when nobody wants the
 * rest; an end need not be that of the whole body.
 */
export async function* bodyOf(response: http.IncomingMessage): AsyncGenerator<Buffer> {
	const body = takenBody(response) ?? new ParsedBody(response);
	try {
		for (let chunk = await body.next(); chunk !== undefined; chunk = await body.next()) {
			yield chunk;
		}
	} finally {
		response.destroy();
	}
}

interface Body {
	/** Undefined at the end, which need not be that of the whole body. */
	next(): Promise<Buffer | undefined>;
}

/** Wakes the one who waits for a chunk, or for the end. */
abstract class WaitingBody implements Body {
	private failure: Error | undefined;
	private hasEnded = false;
	private wakeUp: () => void = () => undefined;

	constructor(protected readonly response: http.IncomingMessage) {
		for (const event of ['end', 'error', 'close']) {
			response.on(event, (error?: Error) => {
				this.end(error);
			});
		}
	}

	async next(): Promise<Buffer | undefined> {
		this.release();
		for (let chunk = this.shift(); ; chunk = this.shift()) {
			if (chunk !== undefined) {
				return chunk;
			}
			if (this.failure !== undefined) {
				throw this.failure;
			}
			if (this.hasEnded) {
				return undefined;
			}
			this.resume();
			await new Promise<void>((resolve) => {
				this.wakeUp = resolve;
			});
		}
	}

	protected end(error?: Error): void {
		this.failure ??= error;
		this.hasEnded = true;
		this.wakeUp();
	}

	protected wake(): void {
		this.wakeUp();
	}

	/** The chunk that was given last is done with. */
	protected abstract release(): void;
	protected abstract shift(): Buffer | undefined;
	protected abstract resume(): void;
}

/** What Node's parser makes of any answer. */
class ParsedBody extends WaitingBody {
	private readonly waiting: Buffer[] = [];
	private bytes = 0;
	private last: Buffer | undefined;

	constructor(response: http.IncomingMessage) {
		super(response);
		response.on('data', (chunk: Buffer) => {
			this.take(chunk);
		});
	}

	protected release(): void {
		if (this.last) {
			release(this.last);
			this.last = undefined;
		}
	}

	protected shift(): Buffer | undefined {
		this.last = this.waiting.shift();
		this.bytes -= this.last?.length ?? 0;
		return this.last;
	}

	protected resume(): void {
		this.response.resume();
	}

	private take(chunk: Buffer): void {
		this.waiting.push(chunk);
		this.bytes += chunk.length;
		if (this.bytes >= MOST_WAITING) {
			this.response.pause();
		}
		this.wake();
	}
}

/** A body of known length, as it lies in the connection's buffer. */
class TakenBody extends WaitingBody {
	/** What the parser had already, and one that lies in the buffer. */
	private readonly chunks: Buffer[] = [];

	constructor(
		response: http.IncomingMessage,
		reading: Reading,
		/** Bytes that are to come. */
		private left: number,
	) {
		super(response);
		reading.onBody = (bytes) => {
			this.take(bytes);
			return false; // until it has been looked at
		};
		const first = response.read() as Buffer | null;
		if (first) {
			this.chunks.push(first);
		}
	}

	protected release(): void {
		// The buffer is the connection's.
	}

	protected shift(): Buffer | undefined {
		return this.chunks.shift();
	}

	protected resume(): void {
		this.response.socket.resume();
	}

	private take(bytes: Buffer): void {
		const chunk = bytes.subarray(0, this.left);
		this.left -= chunk.length;
		this.chunks.push(chunk);
		if (this.left === 0) {
			this.end();
		} else {
			this.wake();
		}
	}
}

/** Takes the rest of a long body from the parser; undefined where it is not to be had that way. */
function takenBody(response: http.IncomingMessage): Body | undefined {
	const reading = readings.get(response.socket);
	const length = response.headers['content-length'] ?? '';
	const left = Number(length) - response.readableLength;
	const isPlain = /^[0-9]{1,15}$/.test(length) && response.headers['transfer-encoding'] === undefined;
	return reading && isPlain && left >= WORTH_TAKING ? new TakenBody(response, reading, left) : undefined;
}

/** The part of ECMAScript 2024 that is there from Node 21 on; the types we build with are older. */
interface WithTransfer {
	transfer?: (length: number) => ArrayBuffer;
}

/**
 * Gives the chunk's memory back now. Left to the garbage collector, which counts it as its own, chunks of a large layer
 * cost a tenth of the processor time and tens of megabytes.
 */
function release(chunk: Buffer): void {
	const memory = chunk.buffer as ArrayBuffer & WithTransfer;
	// A small chunk may be a part of Node's pool.
	if (chunk.byteLength === memory.byteLength) {
		memory.transfer?.(0);
	}
}
