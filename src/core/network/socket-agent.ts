/**
 * A process in the network namespace of an ordinary user's bridges; bundled as dist/socket-agent.js and driven by
 * agent-sockets.ts. It makes sockets there and hands them over through the channel that Node.js has between parent and
 * child, so not a byte passes through here. It ends with its engine.
 */
import * as net from 'node:net';
import { systemCode } from '../errors';
import { bindHere, listenHere } from './sockets';

export interface AgentRequest {
	readonly id: number;
	readonly kind: 'connect' | 'listen' | 'bind';
	/** IPv4. */
	readonly address: string;
	readonly port: number;
}

/** With the socket, or with the system's error code. */
export interface AgentAnswer {
	readonly id: number;
	readonly code?: string;
}

process.on('message', (request: AgentRequest) => {
	serve(request).catch((error: unknown) => {
		process.send?.({ id: request.id, code: systemCode(error) ?? 'EIO' } satisfies AgentAnswer);
	});
});
process.on('disconnect', () => process.exit(0));

async function serve({ id, kind, address, port }: AgentRequest): Promise<void> {
	const answer: AgentAnswer = { id };
	if (kind === 'connect') {
		// The engine has the socket from now on.
		process.send?.(answer, await connect(address, port));
		return;
	}
	const socket = await (kind === 'listen' ? listenHere(address, port) : bindHere(address, port));
	process.send?.(answer, socket, {}, () => {
		socket.close();
	});
}

async function connect(host: string, port: number): Promise<net.Socket> {
	const socket = new net.Socket({ allowHalfOpen: true });
	// What the container sends first is for the engine.
	socket.pause();
	await new Promise<void>((resolve, reject) => {
		socket.once('error', reject);
		socket.connect({ host, port, noDelay: true }, () => {
			socket.off('error', reject);
			resolve();
		});
	});
	return socket;
}
