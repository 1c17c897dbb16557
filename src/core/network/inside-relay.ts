import { spawn, type ChildProcess } from 'node:child_process';
import * as fs from 'node:fs';
import * as net from 'node:net';
import { messageOf, systemCode } from '../errors';
import { toolEnvironment } from '../exec';
import type { RelayTarget } from './connections';

/** A listening socket, and who has connected before there is a process for it. */
interface Held {
	readonly server: net.Server;
	readonly port: number;
	readonly clients: net.Socket[];
	readonly lost: () => void;
}

export interface InsideRelayOptions {
	/** Program and first arguments of inside-program.ts. */
	readonly command: readonly [string, ...string[]];
	readonly warn: (message: string) => void;
}

/** Clients that wait for a container's start; whoever comes after them is refused. */
const MAX_WAITING = 256;

/**
 * The published TCP ports of one run of a container, relayed by a process in its network namespace (inside-program.ts).
 * That process ends with the engine, however that ends.
 */
export class InsideRelay {
	private readonly held = new Set<Held>();
	private ended: Promise<void> = Promise.resolve();
	private process: ChildProcess | undefined;
	private isClosed = false;

	constructor(private readonly options: InsideRelayOptions) {}

	/** Nothing is to be given to it any more: it has failed, or is closed. */
	get isOver(): boolean {
		return this.isClosed;
	}

	/** As PlaceSockets.relay, of a server whose connections are paused; they wait for `begin`. */
	relay(server: net.Server, { port }: RelayTarget, lost: () => void): () => void {
		const held: Held = { server, port, clients: [], lost };
		server.maxConnections = MAX_WAITING;
		server.on('connection', (client) => {
			held.clients.push(client);
		});
		this.held.add(held);
		return () => {
			letGo(held);
			this.held.delete(held);
		};
	}

	/**
	 * Relays to this address in the network namespace of the process `pid`. What cannot be begun is told by each port's
	 * `lost`, as is a process that ends by itself.
	 */
	begin(pid: number, address: string): void {
		if (this.held.size === 0 || this.process !== undefined || this.isClosed) {
			return;
		}
		try {
			this.start(pid, address);
		} catch (error) {
			// The container has ended meanwhile; its ports are about to be closed.
			if (systemCode(error) !== 'ENOENT') {
				this.fail(messageOf(error));
			}
		}
	}

	/** Ends the process, its connections with it; the ports are free when this resolves. */
	async close(): Promise<void> {
		this.isClosed = true;
		for (const held of this.held) {
			letGo(held);
		}
		this.held.clear();
		this.process?.kill('SIGKILL');
		await this.ended;
	}

	private start(pid: number, address: string): void {
		const [program, ...args] = this.options.command;
		const given = [...this.held].flatMap(({ server, port, clients }) => [
			{ kind: 'listen', port, socket: server },
			...clients.map((socket) => ({ kind: 'accepted', port, socket })),
		]);
		const sockets = given.map(({ socket }) => descriptorOf(socket));
		const words = given.map(({ kind, port }) => `${kind}:${port}`);
		const namespace = fs.openSync(`/proc/${pid}/ns/net`, 'r');
		try {
			this.process = spawn(program, [...args, process.arch, address, ...words], {
				cwd: '/',
				env: toolEnvironment(),
				stdio: ['pipe', 'ignore', 'inherit', namespace, ...sockets],
			});
		} finally {
			fs.closeSync(namespace);
		}
		this.watch(this.process);
		// The process has them now.
		for (const held of this.held) {
			letGo(held);
		}
	}

	private watch(child: ChildProcess): void {
		this.ended = new Promise((resolve) => {
			const over = (reason: string): void => {
				resolve();
				this.fail(reason);
			};
			child.once('error', (error) => {
				over(messageOf(error));
			});
			child.once('exit', (code, signal) => {
				over(`it ended with ${signal ?? `exit code ${code}`}`);
			});
		});
		// A process that has just ended reads nothing; its end is told above.
		child.stdin?.on('error', () => undefined);
	}

	private fail(reason: string): void {
		if (this.isClosed) {
			return;
		}
		this.isClosed = true;
		this.options.warn(`Published ports are relayed outside of their container: ${reason}`);
		for (const held of [...this.held]) {
			letGo(held);
			held.lost();
		}
		this.held.clear();
	}
}

/** Closes this process's descriptors alone. */
function letGo({ server, clients }: Held): void {
	server.close();
	for (const client of clients.splice(0)) {
		client.destroy();
	}
}

/** The system's number of a socket, which Node's types do not tell. Throws for one that has been closed. */
function descriptorOf(socket: net.Server | net.Socket): number {
	const { _handle: handle } = socket as { readonly _handle?: { readonly fd?: number } | null };
	if (handle?.fd === undefined || handle.fd < 0) {
		throw new Error('a socket has been closed');
	}
	return handle.fd;
}
