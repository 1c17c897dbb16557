/**
 * A process in the network namespace of an ordinary user's bridges; bundled as dist/socket-agent.js and driven by
 * agent-sockets.ts. It makes sockets there and hands them over through the channel that Node.js has between parent and
 * child, and connects published ports, whose listening sockets it gets by the same channel, with containers. It ends
 * with its engine.
 */
import * as dgram from 'node:dgram';
import * as net from 'node:net';
import { systemCode } from '../errors';
import { RELAYED, RelayedConnections } from './connections';
import { bindHere, listenHere } from './sockets';

export type AgentRequest = { readonly id: number } & (
	| { readonly kind: 'listen' | 'bind'; readonly address: string; readonly port: number }
	/** With a listening TCP socket, whose connections go to this address. */
	| { readonly kind: 'relay'; readonly address: string; readonly port: number }
	/** With a connection that the engine has accepted for a relay. */
	| { readonly kind: 'accept'; readonly relay: number }
	| { readonly kind: 'end'; readonly relay: number }
);

/** With the socket, where one was asked for, or with the system's error code. */
export interface AgentAnswer {
	readonly id: number;
	readonly code?: string;
}

interface Relay {
	readonly server: net.Server;
	readonly connections: RelayedConnections;
}

/** By the request's id. */
const relays = new Map<number, Relay>();

process.on('message', (request: AgentRequest, handle: unknown) => {
	serve(request, handle).catch((error: unknown) => {
		process.send?.({ id: request.id, code: systemCode(error) ?? 'EIO' } satisfies AgentAnswer);
	});
});
process.on('disconnect', () => process.exit(0));

async function serve(request: AgentRequest, handle: unknown): Promise<void> {
	const { id, kind } = request;
	if (kind === 'accept' && handle instanceof net.Socket) {
		handle.allowHalfOpen = true;
		handle.setNoDelay(true);
		relays.get(request.relay)?.connections.accept(handle);
	} else if (kind === 'end') {
		endRelay(request.relay);
	} else if (kind === 'relay' && handle instanceof net.Server) {
		startRelay(id, handle, request);
		process.send?.({ id } satisfies AgentAnswer);
	} else if (kind === 'listen' || kind === 'bind') {
		const { address, port } = request;
		const socket: net.Server | dgram.Socket = await (kind === 'listen' ? listenHere : bindHere)(address, port);
		process.send?.({ id } satisfies AgentAnswer, socket, {}, () => {
			socket.close();
		});
	}
}

function startRelay(id: number, handle: net.Server, target: { readonly address: string; readonly port: number }): void {
	const connections = new RelayedConnections({ address: () => target.address, port: target.port });
	// The handle's own server would close a connection at the end of the client's input.
	const server = net.createServer(RELAYED);
	// EMFILE on accept is the only error: the connection fails, the port stays.
	server.on('error', () => undefined);
	server.listen(handle, () => {
		connections.serve(server);
	});
	relays.set(id, { server, connections });
}

function endRelay(id: number): void {
	const relay = relays.get(id);
	relays.delete(id);
	relay?.server.close();
	relay?.connections.close();
}
