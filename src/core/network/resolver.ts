import * as dgram from 'node:dgram';
import { setMaxListeners } from 'node:events';
import * as net from 'node:net';
import { messageOf, systemCode } from '../errors';
import type { Answer } from './dns';
import type { PlaceSockets } from './sockets';
import { ownSockets } from './sockets';
import { formatAnswer, parseQuestion, reverseAddress, TYPE_A, TYPE_AAAA, TYPE_PTR } from './dns';
/** What a container at some address may know; undefined when the address is no container's: then nothing is answered. */
export interface View {
	/** Addresses of a name (lower case) on the container's networks. */
	readonly lookup: (name: string) => readonly string[];
	/** Full name of a neighbour's address. */
	readonly reverse: (address: string) => string | undefined;
	/** Resolvers for all other names, best first; empty refuses them (internal networks). */
	readonly forwarders: readonly string[];
}

const FORWARD_TIMEOUT = 2000;
const MAX_FORWARDED = 1024;
const MAX_CONNECTIONS = 64;
const IDLE_TIMEOUT = 10_000;
const DNS_PORT = 53;

export interface ResolverOptions {
	/** The network's gateway. */
	readonly address: string;
	/** 53, except in tests. */
	readonly port?: number;
	/** Of the bridges' network namespace; this process's own by default. */
	readonly sockets?: PlaceSockets;
	readonly view: (address: string) => View | undefined;
	readonly warn: (message: string) => void;
}

/**
 * The name server of one network: UDP and TCP on its gateway's address. Names of containers are answered here, unknown
 * names without a dot do not exist (a typo fails at once), the rest goes to the forwarders within bounded time.
 */
export class Resolver {
	private udp: dgram.Socket | undefined;
	private tcp: net.Server | undefined;
	private readonly closing = new AbortController();
	private forwarded = 0;

	constructor(private readonly options: ResolverOptions) {
		// Every question and connection on its way listens; their number has limits of its own.
		setMaxListeners(0, this.closing.signal);
	}

	/** Throws the system's error when the address cannot be had; nothing is left open then. */
	async listen(): Promise<void> {
		const { address, port = DNS_PORT, sockets = ownSockets } = this.options;
		try {
			this.udp = await sockets.bind(address, port);
			this.tcp = await sockets.listen(address, this.udp.address().port);
		} catch (error) {
			this.close();
			throw error;
		}
		this.serve(this.udp, this.tcp);
	}

	/** The port, for tests. */
	get port(): number {
		return this.udp?.address().port ?? 0;
	}

	/** Ends both servers, open connections and questions on their way. */
	close(): void {
		if (!this.closing.signal.aborted) {
			this.closing.abort();
			this.udp?.close();
			this.tcp?.close();
		}
	}

	private serve(udp: dgram.Socket, tcp: net.Server): void {
		udp.on('message', (packet, peer) => {
			this.respond(packet, peer.address, 'udp').then(
				(response) => {
					if (response !== undefined && !this.closing.signal.aborted) {
						// No callback: the asker may be gone, and then nobody waits for the answer.
						udp.send(response, peer.port, peer.address);
					}
				},
				(error: unknown) => {
					this.warnOf(error);
				},
			);
		});
		tcp.maxConnections = MAX_CONNECTIONS;
		tcp.on('connection', (socket) => {
			this.serveConnection(socket);
		});
		for (const server of [udp, tcp]) {
			server.on('error', (error) => {
				this.warnOf(error);
			});
		}
	}

	/** The bytes to send back, or undefined for silence. */
	private async respond(packet: Buffer, from: string, transport: 'udp' | 'tcp'): Promise<Buffer | undefined> {
		const view = this.options.view(from);
		const question = parseQuestion(packet);
		if (view === undefined || question === undefined) {
			return undefined;
		}
		const answer = localAnswer(question.name, question.type, view);
		if (answer !== undefined) {
			return formatAnswer(packet, question, answer);
		}
		return (
			(await this.forward(packet, view.forwarders, transport)) ??
			formatAnswer(packet, question, { code: 'SERVFAIL' })
		);
	}

	private async forward(
		packet: Buffer,
		forwarders: readonly string[],
		transport: 'udp' | 'tcp',
	): Promise<Buffer | undefined> {
		if (this.forwarded >= MAX_FORWARDED) {
			return undefined;
		}
		this.forwarded++;
		try {
			const ask = transport === 'udp' ? askUdp : askTcp;
			for (const forwarder of forwarders.slice(0, 3)) {
				const response = await ask(packet, forwarder, this.closing.signal);
				if (response !== undefined) {
					return response;
				}
			}
			return undefined;
		} finally {
			this.forwarded--;
		}
	}

	/** RFC 1035, 4.2.2: two bytes of length before each message. */
	private serveConnection(socket: net.Socket): void {
		let received = Buffer.alloc(0);
		let last: Promise<unknown> = Promise.resolve();
		const stop = (): void => {
			socket.destroy();
		};
		this.closing.signal.addEventListener('abort', stop, { once: true });
		socket.setTimeout(IDLE_TIMEOUT, stop);
		socket.on('error', stop);
		socket.once('close', () => {
			this.closing.signal.removeEventListener('abort', stop);
		});
		socket.on('data', (data) => {
			received = Buffer.concat([received, data]);
			if (received.length > 2 + 0xffff) {
				// More than one whole message ahead of its answer: no resolver does that.
				stop();
				return;
			}
			for (let message = takeMessage(received); message !== undefined; message = takeMessage(received)) {
				received = received.subarray(2 + message.length);
				const packet = message;
				last = last
					.then(() => this.respond(packet, socket.remoteAddress ?? '', 'tcp'))
					.then((response) => {
						if (response === undefined) {
							stop();
						} else {
							socket.write(withLength(response));
						}
					})
					.catch((error: unknown) => {
						this.warnOf(error);
						stop();
					});
			}
		});
	}

	private warnOf(error: unknown): void {
		if (!this.closing.signal.aborted) {
			this.options.warn(`Name server on ${this.options.address}: ${messageOf(error)}`);
		}
	}
}

/** The answer that needs nobody else; undefined when the question is for a forwarder. */
export function localAnswer(name: string, type: number, view: View): Answer | undefined {
	const reversed = type === TYPE_PTR ? reverseAddress(name) : undefined;
	const pointer = reversed === undefined ? undefined : view.reverse(reversed);
	if (pointer !== undefined) {
		return { code: 'NOERROR', pointer };
	}
	const addresses = view.lookup(name);
	if (addresses.length > 0) {
		// The name exists; it has no records but these.
		const family = type === TYPE_A ? 4 : type === TYPE_AAAA ? 6 : 0;
		return { code: 'NOERROR', addresses: addresses.filter((address) => net.isIP(address) === family) };
	}
	if (name !== '' && !name.includes('.') && (type === TYPE_A || type === TYPE_AAAA)) {
		return { code: 'NXDOMAIN' };
	}
	return view.forwarders.length === 0 ? { code: 'NXDOMAIN' } : undefined;
}

/** A connected socket hears only the forwarder, and has a port of its own that a forger would have to guess. */
async function askUdp(packet: Buffer, forwarder: string, signal: AbortSignal): Promise<Buffer | undefined> {
	const socket = dgram.createSocket(net.isIPv6(forwarder) ? 'udp6' : 'udp4');
	try {
		return await answerOf(signal, (done) => {
			socket.on('error', () => {
				done(undefined);
			});
			socket.on('message', (response) => {
				if (isAnswerTo(packet, response)) {
					done(response);
				}
			});
			socket.connect(DNS_PORT, forwarder, () => {
				socket.send(packet);
			});
		});
	} finally {
		socket.close();
	}
}

async function askTcp(packet: Buffer, forwarder: string, signal: AbortSignal): Promise<Buffer | undefined> {
	const socket = net.connect({ host: forwarder, port: DNS_PORT });
	try {
		return await answerOf(signal, (done) => {
			let received = Buffer.alloc(0);
			socket.on('error', () => {
				done(undefined);
			});
			socket.on('close', () => {
				done(undefined);
			});
			socket.on('data', (data) => {
				received = Buffer.concat([received, data]);
				const message = takeMessage(received);
				if (message !== undefined) {
					done(isAnswerTo(packet, message) ? message : undefined);
				}
			});
			socket.write(withLength(packet));
		});
	} finally {
		socket.destroy();
	}
}

type Done = (response: Buffer | undefined) => void;

/** What `ask` is told first; undefined after two seconds or when the resolver closes. */
async function answerOf(signal: AbortSignal, ask: (done: Done) => void): Promise<Buffer | undefined> {
	return new Promise((resolve) => {
		const done: Done = (response) => {
			clearTimeout(timer);
			signal.removeEventListener('abort', giveUp);
			resolve(response);
		};
		const giveUp = (): void => {
			done(undefined);
		};
		const timer = setTimeout(giveUp, FORWARD_TIMEOUT);
		signal.addEventListener('abort', giveUp, { once: true });
		ask(done);
		if (signal.aborted) {
			giveUp();
		}
	});
}

function isAnswerTo(packet: Buffer, response: Buffer): boolean {
	return response.length >= 12 && response.readUInt16BE(0) === packet.readUInt16BE(0) && (response[2] ?? 0) >= 0x80;
}

function takeMessage(received: Buffer): Buffer | undefined {
	const end = received.length < 2 ? Infinity : 2 + received.readUInt16BE(0);
	return received.length < end ? undefined : received.subarray(2, end);
}

function withLength(message: Buffer): Buffer {
	const length = Buffer.alloc(2);
	length.writeUInt16BE(message.length);
	return Buffer.concat([length, message]);
}

/** Whether an error of `listen` means that another program has the address and names must do without the server. */
export function isTaken(error: unknown): boolean {
	return ['EADDRINUSE', 'EACCES', 'EADDRNOTAVAIL'].includes(systemCode(error) ?? '');
}
