import { spawn, type ChildProcess } from 'node:child_process';
import * as dgram from 'node:dgram';
import * as net from 'node:net';
import { toolEnvironment } from '../exec';
import type { AgentAnswer, AgentRequest } from './socket-agent';
import type { PlaceSockets } from './sockets';

type Handle = net.Socket | net.Server | dgram.Socket;

interface Waiting {
	readonly resolve: (handle: Handle) => void;
	readonly reject: (error: Error) => void;
}

/** Sockets of another network namespace, made by a process of ours in it (socket-agent.ts), at their first use. */
export class AgentSockets implements PlaceSockets {
	private agent: ChildProcess | undefined;
	private readonly waiting = new Map<number, Waiting>();
	private last = 0;

	/** `command` enters the namespace, `bundle` is that of socket-agent.ts. */
	constructor(
		private readonly command: readonly string[],
		private readonly bundle: string,
	) {}

	async connect(host: string, port: number): Promise<net.Socket> {
		const socket = (await this.ask('connect', host, port)) as net.Socket;
		socket.allowHalfOpen = true;
		return socket;
	}

	async datagram(): Promise<dgram.Socket> {
		return this.bind('0.0.0.0', 0);
	}

	async listen(address: string, port: number): Promise<net.Server> {
		return (await this.ask('listen', address, port)) as net.Server;
	}

	async bind(address: string, port: number): Promise<dgram.Socket> {
		return (await this.ask('bind', address, port)) as dgram.Socket;
	}

	/** Ends the process; sockets that were handed over stay. */
	close(): void {
		this.agent?.disconnect();
		this.agent = undefined;
	}

	private async ask(kind: AgentRequest['kind'], address: string, port: number): Promise<Handle> {
		this.agent ??= this.start();
		const agent = this.agent;
		const request: AgentRequest = { id: ++this.last, kind, address, port };
		return new Promise((resolve, reject) => {
			this.waiting.set(request.id, { resolve, reject });
			agent.send(request, (error) => {
				if (error !== null) {
					this.waiting.delete(request.id);
					reject(error);
				}
			});
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
			if (answer.code === undefined && isHandle(handle)) {
				waiting?.resolve(handle);
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
		};
		agent.once('error', lost);
		agent.once('exit', () => {
			lost(Object.assign(new Error('the process in the network namespace has ended'), { code: 'EIO' }));
		});
		return agent;
	}
}

function isHandle(value: unknown): value is Handle {
	return value instanceof net.Socket || value instanceof net.Server || value instanceof dgram.Socket;
}
