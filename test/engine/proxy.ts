import * as http from 'node:http';
import { randomBytes } from 'node:crypto';
import { basicAuthorization, request, type Registry } from './registry';
import { delay, type Workspace } from './workspace';

/** A request that reached a proxy. */
export interface Seen {
	readonly method: string;
	readonly path: string;
	readonly authorization: string | undefined;
	readonly range: string | undefined;
	readonly contentRange: string | undefined;
	/** Of the body that came. */
	size: number;
	/** True when the client went away before the answer was complete. */
	wasAborted: boolean;
}

/** What a proxy does to an answer instead of passing it on. */
export type Fault =
	/** Flips one bit in the middle of the body. */
	| { readonly kind: 'alter' }
	/** Promises the whole body, sends the first half and breaks the connection. */
	| { readonly kind: 'truncate' }
	/** Sends the first half as if it were the whole. */
	| { readonly kind: 'shorten' }
	| { readonly kind: 'status'; readonly status: number; readonly headers?: Readonly<Record<string, string>> }
	/** Adds these headers. */
	| { readonly kind: 'headers'; readonly headers: Readonly<Record<string, string>> }
	/** Sends the first half, then nothing more. */
	| { readonly kind: 'stall' }
	/** Sends the first half, and the rest when `until` has come. */
	| { readonly kind: 'hold'; readonly until: Promise<void> }
	/** Answers nothing. */
	| { readonly kind: 'hang' }
	| { readonly kind: 'redirect'; readonly to: string }
	/** Sends no more than so many bytes a second. */
	| { readonly kind: 'slow'; readonly bytesPerSecond: number };

/** Says which fault, if any, an answer gets; called once a request. */
export type FaultRule = (request: Pick<Seen, 'method' | 'path' | 'size'>) => Fault | undefined;

/** A real HTTP server in front of a registry that can fail on purpose and remembers what it was asked. */
export interface Proxy {
	readonly host: string;
	readonly port: number;
	readonly seen: Seen[];
	/** Makes all tokens that were issued invalid. */
	revokeTokens(): void;
	/** Replaces the rule; no argument means no fault. */
	force(rule?: FaultRule): void;
}

export interface ProxyOptions {
	/** Demands tokens that the proxy itself issues, at /token, to the account (registry token authentication). */
	readonly bearer?: boolean;
	/** Registry credentials that the proxy adds, to let a request pass that came without. */
	readonly authorization?: string;
}

export async function startProxy(workspace: Workspace, registry: Registry, options: ProxyOptions = {}): Promise<Proxy> {
	const seen: Seen[] = [];
	let rule: FaultRule = () => undefined;
	const tokens = new Map<string, string>();
	const server = http.createServer((incoming, response) => {
		const entry: Seen = {
			method: incoming.method ?? '',
			path: incoming.url ?? '',
			authorization: incoming.headers.authorization,
			range: incoming.headers.range,
			contentRange: incoming.headers['content-range'],
			size: 0,
			wasAborted: false,
		};
		seen.push(entry);
		response.once('close', () => {
			entry.wasAborted = !response.writableFinished;
		});
		response.on('error', () => {
			// The client left; `wasAborted` says so.
		});
		answer(entry, incoming, response).catch((error: unknown) => {
			response.destroy(error instanceof Error ? error : new Error(String(error)));
		});
	});
	const host = (): string => `127.0.0.1:${port}`;

	async function answer(entry: Seen, incoming: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
		if (options.bearer === true && entry.path.startsWith('/token')) {
			issueToken(entry, response);
			return;
		}
		if (options.bearer === true && !mayPass(entry)) {
			response.writeHead(401, {
				'www-authenticate': `Bearer realm="http://${host()}/token",service="demo-service",scope="${scopeOf(entry)}"`,
				'content-type': 'application/json',
			});
			response.end(JSON.stringify({ errors: [{ code: 'UNAUTHORIZED', message: 'authentication required' }] }));
			return;
		}
		const body = await bodyOf(incoming);
		entry.size = body.length;
		const fault = rule(entry);
		if (fault?.kind === 'hang') {
			return;
		}
		if (fault?.kind === 'status' || fault?.kind === 'redirect') {
			const isRedirect = fault.kind === 'redirect';
			response.writeHead(isRedirect ? 307 : fault.status, isRedirect ? { location: fault.to } : fault.headers);
			response.end();
			return;
		}
		await forward(entry, { headers: incoming.headers, body }, response, fault);
	}

	function issueToken(entry: Seen, response: http.ServerResponse): void {
		const query = new URL(entry.path, 'http://proxy').searchParams;
		const scopes = query.getAll('scope');
		const isKnown = entry.authorization === basicAuthorization();
		if (!isKnown && entry.authorization !== undefined) {
			response.writeHead(401).end();
			return;
		}
		const token = randomBytes(12).toString('hex');
		// An anonymous caller gets a token, as on Docker Hub, that opens nothing private.
		tokens.set(token, isKnown ? scopes.join(' ') : '');
		response.writeHead(200, { 'content-type': 'application/json' });
		response.end(JSON.stringify({ token, expires_in: 300 }));
	}

	function mayPass(entry: Seen): boolean {
		const scope = tokens.get(/^Bearer (.+)$/.exec(entry.authorization ?? '')?.[1] ?? '');
		const wanted = scopeOf(entry);
		return scope !== undefined && (wanted === '' || scope.includes(wanted));
	}

	async function forward(
		entry: Seen,
		incoming: { readonly headers: http.IncomingHttpHeaders; readonly body: Buffer },
		response: http.ServerResponse,
		fault: Fault | undefined,
	): Promise<void> {
		const headers = { ...incoming.headers, host: registry.host };
		delete headers.authorization;
		const authorization = options.authorization ?? (options.bearer === true ? undefined : entry.authorization);
		const upstream = await request({
			port: registry.port,
			method: entry.method,
			path: entry.path,
			body: incoming.body,
			headers: { ...headers, ...(authorization === undefined ? {} : { authorization }) },
		});
		const body = spoil(upstream.body, fault);
		const isShort = fault?.kind === 'shorten';
		const location = upstream.headers.location?.replace(`http://${registry.host}/`, `http://${host()}/`);
		response.writeHead(upstream.status, {
			...upstream.headers,
			// Uploads go on through this proxy, too.
			...(location === undefined ? {} : { location }),
			...(fault?.kind === 'headers' ? fault.headers : {}),
			...(isShort ? { 'content-length': String(body.length) } : {}),
		});
		if (fault?.kind === 'truncate') {
			response.write(body, () => {
				response.destroy();
			});
		} else if (fault?.kind === 'stall') {
			response.write(body);
		} else if (fault?.kind === 'hold') {
			const middle = Math.floor(body.length / 2);
			response.write(body.subarray(0, middle));
			await fault.until;
			response.end(body.subarray(middle));
		} else if (fault?.kind === 'slow') {
			await sendSlowly(response, body, fault.bytesPerSecond);
		} else {
			response.end(body);
		}
	}

	await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
	const address = server.address();
	const port = address !== null && typeof address === 'object' ? address.port : 0;
	workspace.defer('close the registry proxy', async () => {
		server.closeAllConnections();
		await new Promise((resolve) => server.close(resolve));
	});
	return {
		host: host(),
		port,
		seen,
		revokeTokens() {
			tokens.clear();
		},
		force(next) {
			rule = next ?? (() => undefined);
		},
	};
}

function scopeOf({ method, path }: Seen): string {
	const repository = /^\/v2\/(.+)\/(?:manifests|blobs|tags)\//.exec(path)?.[1];
	const actions = method === 'GET' || method === 'HEAD' ? 'pull' : 'pull,push';
	return repository === undefined ? '' : `repository:${repository}:${actions}`;
}

async function bodyOf(incoming: http.IncomingMessage): Promise<Buffer> {
	const chunks: Buffer[] = [];
	for await (const chunk of incoming) {
		chunks.push(chunk as Buffer);
	}
	return Buffer.concat(chunks);
}

function spoil(body: Buffer, fault: Fault | undefined): Buffer {
	const middle = Math.floor(body.length / 2);
	if (fault?.kind === 'alter') {
		const altered = Buffer.from(body);
		altered[middle] = (altered[middle] ?? 0) ^ 1;
		return altered;
	}
	const isHalf = fault?.kind === 'truncate' || fault?.kind === 'shorten' || fault?.kind === 'stall';
	return isHalf ? body.subarray(0, middle) : body;
}

async function sendSlowly(response: http.ServerResponse, body: Buffer, bytesPerSecond: number): Promise<void> {
	const step = Math.max(1, Math.floor(bytesPerSecond / 20));
	for (let offset = 0; offset < body.length && !response.destroyed; offset += step) {
		response.write(body.subarray(offset, offset + step));
		await delay(50);
	}
	response.end();
}
