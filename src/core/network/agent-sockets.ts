import { spawn, type ChildProcess } from 'node:child_process';
import * as dgram from 'node:dgram';
import * as net from 'node:net';
import { toolEnvironment } from '../exec';
import type { RelayTarget } from './connections';
import type { AgentAnswer, AgentRequest } from './socket-agent';
import type { PlaceSockets } from './sockets';

type Handle = net.Server | dgram.Socket;
type Question = AgentRequest extends infer Request
	? Request extends AgentRequest
		? Omit<Request, 'id'>
		: never
	: never;

interface Waiting {
	readonly resolve: (handle: Handle | undefined) => void;
	readonly reject: (error: Error) => void;
}

/** Sockets of another network namespace, made by a process of ours in it (socket-agent.ts), at their first use. */
export class AgentSockets implements PlaceSockets {
	private agent: ChildProcess | undefined;
	private readonly waiting = new Map<number, Waiting>();
	private readonly relays = new Map<number, () => void>();
	private last = 0;

	/** `command` enters the namespace, `bundle` is that of socket-agent.ts. */
	constructor(
		private readonly command: readonly string[],
		private readonly bundle: string,
	) {}

	async relay(server: net.Server, target: RelayTarget, lost: () => void): Promise<() => void> {
		const id = ++this.last;
		server.on('connection', (client) => {
			// Who came before the agent has the port.
			this.post({ id: ++this.last, kind: 'accept', relay: id }, client);
		});
		this.relays.set(id, lost);
		try {
			await this.ask({ kind: 'relay', address: target.address() ?? '', port: target.port }, { id, server });
		} catch (error) {
			this.relays.delete(id);
			throw error;
		} finally {
			server.close();
		}
		return () => {
			if (this.relays.delete(id)) {
				this.post({ id: ++this.last, kind: 'end', relay: id });
			}
		};
	}

	async datagram(): Promise<dgram.Socket> {
		return this.bind('0.0.0.0', 0);
	}

	async listen(address: string, port: number): Promise<net.Server> {
		return (await this.ask({ kind: 'listen', address, port })) as net.Server;
	}

	async bind(address: string, port: number): Promise<dgram.Socket> {
		return (await this.ask({ kind: 'bind', address, port })) as dgram.Socket;
	}

	/** Ends the process and its relays; sockets that were handed over stay. */
	close(): void {
		this.relays.clear();
		this.agent?.disconnect();
		this.agent = undefined;
	}

	private async ask(
		question: Question,
		given: { readonly id?: number; readonly server?: net.Server } = {},
	): Promise<Handle | undefined> {
		const request = { ...question, id: given.id ?? ++this.last } as AgentRequest;
		return new Promise((resolve, reject) => {
			this.waiting.set(request.id, { resolve, reject });
			this.post(request, given.server, (error) => {
				this.waiting.delete(request.id);
				reject(error);
			});
		});
	}

	/** An agent that has gone takes nothing: what waits for it hears of that by its end. */
	private post(
		request: AgentRequest,
		handle?: net.Socket | net.Server,
		failed: (error: Error) => void = () => undefined,
	): void {
		this.agent ??= this.start();
		this.agent.send(request, handle, (error) => {
			if (error !== null) {
				failed(error);
			}
		});
	}

	private start(): ChildProcess {
		const [program, ...args] = [...this.command, process.execPath, this.bundle];
		const agent = spawn(program, args, {
			cwd: '/',
			env: { ...toolEnvironment(), ELECTRON_RUN_AS_NODE: '1' },
			stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
		});
		agent.on('message', (answer: AgentAnswer, handle: unknown) => {
			const waiting = this.waiting.get(answer.id);
			this.waiting.delete(answer.id);
			if (answer.code === undefined) {
				waiting?.resolve(isHandle(handle) ? handle : undefined);
			} else {
				waiting?.reject(Object.assign(new Error(answer.code ?? 'EIO'), { code: answer.code ?? 'EIO' }));
			}
		});
		const lost = (error: Error): void => {
			if (this.agent === agent) {
				this.agent = undefined;
			}
			for (const [id, waiting] of this.waiting) {
				this.waiting.delete(id);
				waiting.reject(error);
			}
			const relays = [...this.relays.values()];
			this.relays.clear();
			relays.forEach((lostRelay) => {
				lostRelay();
			});
		};
		agent.once('error', lost);
		agent.once('exit', () => {
			lost(Object.assign(new Error('the process in the network namespace has ended'), { code: 'EIO' }));
		});
		return agent;
	}
}

function isHandle(value: unknown): value is Handle {
	return value instanceof net.Server || value instanceof dgram.Socket;
}
