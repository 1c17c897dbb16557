import * as http from 'node:http';
import * as net from 'node:net';
import type { Duplex } from 'node:stream';
import { EngineError, messageOf } from '../core/errors';
import { diskError } from '../core/image/assembly';
import { BUILD_HEADERS, build } from './build';
import { ApiRequest, takeBody } from './request';
import type { Core } from './request';
import { API_VERSION, findRoute, MINIMUM_API_VERSION, splitVersion } from './route';
import type { Route } from './route';
import { diskUsageRoutes } from './routes/disk-usage';
import { imageArchiveRoutes } from './routes/image-archives';
import { imageLayerRoutes } from './routes/image-layers';
import { archiveRoutes } from './routes/archive';
import { commandRoutes } from './routes/command';
import { containerRoutes } from './routes/containers';
import { execRoutes } from './routes/exec';
import { imageRoutes } from './routes/images';
import { networkRoutes } from './routes/networks';
import { processRoutes } from './routes/processes';
import { pruneRoutes } from './routes/prune';
import { registryRoutes } from './routes/registries';
import { statsRoutes } from './routes/stats';
import { swarmRoutes } from './routes/swarm';
import { systemRoutes } from './routes/system';
import { updateRoutes } from './routes/update';
import { volumeArchiveRoutes } from './routes/volume-archives';
import { volumeRoutes } from './routes/volumes';
import { exchange, isOlderVersion } from './transport';
import { listenOnSocket } from './unix-socket';

const ROUTES: readonly Route[] = [
	...systemRoutes,
	...imageRoutes,
	...registryRoutes,
	...containerRoutes,
	...statsRoutes,
	...execRoutes,
	...archiveRoutes,
	...updateRoutes,
	...processRoutes,
	...imageArchiveRoutes,
	...pruneRoutes,
	...diskUsageRoutes,
	...imageLayerRoutes,
	...networkRoutes,
	...volumeRoutes,
	...volumeArchiveRoutes,
	...swarmRoutes,
	...commandRoutes,
];

/** dockerode repeats a container's whole body in the query string. */
const LONGEST_HEAD = 512 * 1024;

/** Bytes, and milliseconds, for which a body is read that was refused; see throwAway. */
const MOST_THROWN_AWAY = 1024 ** 3;
const LONGEST_THROWING_AWAY = 10_000;

export interface ServerHooks {
	/** Told in one line per request, and for each error that is a fault of ours. Never given a query or a body. */
	readonly log: (line: string) => void;
	/** Called when the last connection has closed and no request is being worked on. */
	readonly onQuiet: () => void;
}

/** Serves the Docker Engine API on a unix socket. */
export class ApiServer {
	private readonly server: http.Server;
	private readonly connections = new Set<net.Socket>();
	/** Requests being worked on; a stop goes on when its client has left. */
	private readonly working = new Set<ApiRequest>();
	private accepted = 0;

	constructor(
		private readonly core: Core,
		private readonly hooks: ServerHooks,
	) {
		this.server = http.createServer({ maxHeaderSize: LONGEST_HEAD, requestTimeout: 0 });
		this.server.on('connection', (socket: net.Socket) => {
			this.accepted++;
			this.connections.add(socket);
			socket.once('close', () => {
				this.connections.delete(socket);
				this.noticeQuiet();
			});
		});
		this.server.on('request', (incoming: http.IncomingMessage, response: http.ServerResponse) => {
			void this.serve(incoming, response);
		});
		this.server.on('upgrade', (incoming: http.IncomingMessage, socket: Duplex, head: Buffer) => {
			this.serveUpgrade(incoming, socket, head);
		});
	}

	async listen(socketPath: string): Promise<void> {
		await listenOnSocket(this.server, socketPath);
	}

	/** True while nobody is connected and nothing is being worked on. */
	get isQuiet(): boolean {
		return this.connections.size === 0 && this.working.size === 0;
	}

	/**
	 * Lets in everybody who has connected to `socketPath` before this call and gives their number: connections are
	 * accepted in the order they were made, so when our own is answered, all earlier ones have been accepted.
	 */
	async admitWaiting(socketPath: string): Promise<number> {
		const before = this.accepted;
		const response = await exchange(socketPath, { method: 'GET', path: '/_ping' });
		response.destroy();
		return this.accepted - before - 1;
	}

	/**
	 * Stops listening, ends all streams (events, logs, attached clients, pulls), gives other requests at work `grace`
	 * milliseconds to finish, and closes all connections.
	 */
	async close(grace: number): Promise<void> {
		const closed = new Promise<void>((resolve) => {
			this.server.close(() => {
				resolve();
			});
		});
		for (const request of this.working) {
			request.cutStream();
		}
		this.server.closeIdleConnections();
		const timer = setTimeout(() => {
			for (const socket of this.connections) {
				socket.destroy();
			}
		}, grace);
		await closed;
		clearTimeout(timer);
	}

	private noticeQuiet(): void {
		if (this.isQuiet) {
			this.hooks.onQuiet();
		}
	}

	private serveUpgrade(incoming: http.IncomingMessage, socket: Duplex, head: Buffer): void {
		if (!(socket instanceof net.Socket)) {
			throw new TypeError('The server accepts connections of sockets only');
		}
		if (head.length > 0) {
			socket.unshift(head);
		}
		socket.on('error', () => {
			// The client has gone; `close` follows and ends what was served on this connection.
			socket.destroy();
		});
		const response = new http.ServerResponse(incoming);
		response.shouldKeepAlive = false;
		response.assignSocket(socket);
		response.once('finish', () => {
			response.detachSocket(socket);
			socket.end();
		});
		void this.serve(incoming, response, socket);
	}

	private async serve(incoming: http.IncomingMessage, response: http.ServerResponse, socket?: Duplex): Promise<void> {
		const began = performance.now();
		setStandardHeaders(response);
		const url = incoming.url ?? '/';
		const path = url.split('?', 1)[0] ?? '/';
		let request: ApiRequest | undefined;
		try {
			const target = resolveTarget(incoming.method ?? 'GET', url);
			const body = socket && (await takeBody(socket, incoming.headers));
			const upgrade = socket && body && { socket, body };
			request = new ApiRequest(this.core, incoming, response, { ...target, upgrade });
			this.working.add(request);
			await target.route.handle(request);
		} catch (error) {
			this.fail(error, response, request);
		} finally {
			if (request !== undefined) {
				this.working.delete(request);
			}
			const took = Math.round(performance.now() - began);
			this.hooks.log(`${incoming.method ?? '?'} ${path} ${response.statusCode} ${took} ms`);
			this.noticeQuiet();
		}
	}

	private fail(thrown: unknown, response: http.ServerResponse, request: ApiRequest | undefined): void {
		const error = thrown instanceof EngineError ? thrown : diskError(thrown, this.core.root);
		if (request?.signal.aborted === true) {
			// Nobody is there to be told; what was cancelled with the client is no fault.
			response.destroy();
			return;
		}
		if (!(error instanceof EngineError)) {
			this.hooks.log(`Error: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
		}
		if (request?.isAnswered === true) {
			request.cut();
			return;
		}
		const isWhole = response.req.complete;
		// A body that nobody read must not be taken for the next request.
		response.shouldKeepAlive &&= isWhole;
		const status = statusOf(error);
		const code = error instanceof EngineError ? error.code : 'internal';
		const body = status === 304 ? '' : JSON.stringify({ message: messageOf(error), code }) + '\n';
		response.writeHead(status, { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) });
		if (isWhole || response.req.method === 'HEAD') {
			response.end(body);
			return;
		}
		response.write(body);
		throwAway(response.req, () => response.end());
	}
}

/**
 * Reads what a client still sends after it was answered, and then calls `done`: a connection that is closed before breaks the
 * client's sending, which many tell instead of the answer that they have not looked at yet. What is more than the limits, or
 * takes longer, is sent by nobody who will look at the answer.
 */
function throwAway(incoming: http.IncomingMessage, done: () => void): void {
	let left = MOST_THROWN_AWAY;
	const finish = (): void => {
		clearTimeout(timer);
		incoming.off('data', take).off('end', finish).off('close', finish);
		done();
	};
	const take = (piece: Buffer): void => {
		left -= piece.length;
		if (left < 0) {
			finish();
		}
	};
	const timer = setTimeout(finish, LONGEST_THROWING_AWAY);
	incoming.on('data', take).once('end', finish).once('close', finish).resume();
}

/** The one place that turns an error into an HTTP status, as docker does. */
export function statusOf(error: unknown): number {
	if (!(error instanceof EngineError)) {
		return 500;
	}
	switch (error.code) {
		case 'invalid':
			return 400;
		case 'not-found':
			return 404;
		case 'conflict':
			return 409;
		case 'not-modified':
			return 304;
		case 'unauthorized':
			return 401;
		case 'denied':
			return 403;
		case 'unsupported':
			return 501;
		case 'runtime':
			// A command that is not there or cannot be run is the caller's mistake, for docker's clients too.
			return error.exitCode === 126 || error.exitCode === 127 ? 400 : 500;
		case 'unreachable':
		case 'corrupt':
		case 'no-space':
		case 'internal':
			return 500;
	}
}

function setStandardHeaders(response: http.ServerResponse): void {
	response.setHeader('Api-Version', API_VERSION);
	response.setHeader('Docker-Experimental', 'false');
	response.setHeader('Ostype', 'linux');
	response.setHeader('Server', `MyDocker/${build.version} (linux)`);
	response.setHeader(BUILD_HEADERS.version, build.version);
	response.setHeader(BUILD_HEADERS.time, String(build.time));
}

/** Finds what a request is about; throws what docker answers for an unknown path or version. */
export function resolveTarget(
	method: string,
	url: string,
): {
	readonly route: Route;
	readonly version: string;
	readonly parameters: Readonly<Record<string, string>>;
	readonly query: URLSearchParams;
} {
	const mark = url.indexOf('?');
	const query = new URLSearchParams(mark < 0 ? '' : url.slice(mark + 1));
	const { version, path } = splitVersion(decodePath(mark < 0 ? url : url.slice(0, mark)));
	if (version !== undefined && isOlderVersion(version, MINIMUM_API_VERSION)) {
		throw new EngineError(
			'invalid',
			`client version ${version} is too old. Minimum supported API version is ${MINIMUM_API_VERSION}, please upgrade your client to a newer version`,
		);
	}
	if (version !== undefined && isOlderVersion(API_VERSION, version)) {
		throw new EngineError(
			'invalid',
			`client version ${version} is too new. Maximum supported API version is ${API_VERSION}`,
		);
	}
	const found = findRoute(ROUTES, method, path);
	if (found === undefined) {
		throw new EngineError('not-found', 'page not found');
	}
	return { ...found, version: version ?? API_VERSION, query };
}

function decodePath(path: string): string {
	try {
		return decodeURIComponent(path);
	} catch (error) {
		throw new EngineError('invalid', `invalid URL escape in "${path.slice(0, 200)}"`, { cause: error });
	}
}
