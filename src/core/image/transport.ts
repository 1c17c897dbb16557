/**
 * Plain HTTP requests for the registry client: one request, one answer, redirects seen by the caller. Proxies and
 * certificates are given, since a child process of VS Code does not get the editor's (design/toolchain.md).
 */
import * as fs from 'node:fs';
import * as http from 'node:http';
import * as https from 'node:https';
import * as net from 'node:net';
import { Readable } from 'node:stream';
import * as tls from 'node:tls';
import { messageOf, systemCode } from '../errors';
import { ReadingAgent } from './body';
import { isHostIn } from './hosts';
import { proxyFor, TunnelAgent } from './proxy';
import type { ProxySettings } from './proxy';
import { isUnknownAuthority, tlsReason } from './tls-reason';
import type { TlsServer } from './tls-reason';

export interface HttpRequest {
	readonly method?: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH';
	readonly headers?: Readonly<Record<string, string>>;
	/** A function gives a new stream at each call, because a request may be sent again. */
	readonly body?: string | Uint8Array | (() => AsyncIterable<Uint8Array>);
	readonly signal?: AbortSignal;
	/** Milliseconds without a byte after which the server counts as dead; the transport's by default. */
	readonly idle?: number;
}

/** How to reach servers. Survives structured cloning. */
export interface TransportOptions {
	/** Hosts, "host:port" or networks in CIDR notation whose certificates are not checked and that may speak plain HTTP. */
	readonly insecure?: readonly string[];
	/** Certificates of authorities in PEM form that are trusted beside the usual ones. */
	readonly authorities?: readonly string[];
	/** What `host` (with port, as in its address) wants to see of us. */
	readonly clientCertificate?: { readonly host: string; readonly certificate: string; readonly key: string };
	readonly proxy?: ProxySettings;
	/** Milliseconds without a byte after which a server counts as dead. */
	readonly idle?: number;
}

const IDLE_MILLISECONDS = 60_000;
/** Where Linux distributions keep what their users trust; Node only knows Mozilla's list. */
const SYSTEM_AUTHORITIES = [
	'/etc/ssl/certs/ca-certificates.crt',
	'/etc/pki/tls/certs/ca-bundle.crt',
	'/etc/ssl/ca-bundle.pem',
	'/etc/ssl/cert.pem',
];

/** Sends requests over connections that are kept open until `close`. */
export class Transport {
	private readonly http = new ReadingAgent();
	private readonly https = new https.Agent({ keepAlive: true });
	private readonly tunnels = new Map<string, TunnelAgent>();
	private authorities: string[] | undefined;
	private hasSystem = false;

	constructor(private readonly options: TransportOptions = {}) {
		this.authorities = options.authorities?.length ? withUsual(options.authorities) : undefined;
	}

	get idle(): number {
		return this.options.idle ?? IDLE_MILLISECONDS;
	}

	/** Whether the address may be plain HTTP, or its certificate be anybody's. */
	isInsecure(url: URL): boolean {
		return isLoopback(url.hostname) || isHostIn(url.host, this.options.insecure ?? []);
	}

	/** The answer, whatever its status; its body must be read or destroyed. Rejects with Node's error. */
	async send(url: URL, request: HttpRequest = {}): Promise<http.IncomingMessage> {
		try {
			return await this.sendOnce(url, request);
		} catch (error) {
			// What the machine's owner trusts is read only when it is needed: it takes time.
			if (!isUnknownAuthority(error) || !this.trustSystem()) {
				throw error;
			}
			return this.sendOnce(url, request);
		}
	}

	/** Why `send` failed, in words; `registry` is the one that the address belongs to. */
	reason(error: unknown, url: URL, registry: string): string {
		return connectionReason(error, {
			host: url.host,
			registry,
			isInsecure: this.isInsecure(url),
			hasSeenOurs: this.options.clientCertificate?.host === url.host,
		});
	}

	/** Ends all connections. */
	close(): void {
		this.http.destroy();
		this.https.destroy();
		for (const agent of this.tunnels.values()) {
			agent.destroy();
		}
	}

	private sendOnce(url: URL, request: HttpRequest): Promise<http.IncomingMessage> {
		return new Promise((resolve, reject) => {
			const { body } = request;
			const outgoing = this.open(url, request);
			const stream = typeof body === 'function' ? Readable.from(body(), { objectMode: false }) : undefined;
			outgoing.once('response', (response) => {
				if (stream && !stream.readableEnded) {
					// It has refused before it has seen all: the rest is of no use, and the connection neither.
					stream.destroy();
					response.once('close', () => outgoing.destroy());
				}
				resolve(response);
			});
			outgoing.once('error', (error) => {
				stream?.destroy();
				reject(error);
			});
			outgoing.once('timeout', () => {
				outgoing.destroy(new IdleError(request.idle ?? this.idle));
			});
			if (stream === undefined) {
				outgoing.end(body);
				return;
			}
			stream.once('error', (error) => outgoing.destroy(error));
			stream.pipe(outgoing);
		});
	}

	private open(url: URL, request: HttpRequest): http.ClientRequest {
		const headers = { 'user-agent': 'mydocker', 'accept-encoding': 'identity', ...request.headers };
		const options: https.RequestOptions = {
			method: request.method ?? 'GET',
			headers,
			timeout: request.idle ?? this.idle,
			...(request.signal === undefined ? {} : { signal: request.signal }),
		};
		const proxy = proxyFor(url, this.options.proxy);
		if (url.protocol === 'https:') {
			const agent = proxy === undefined ? this.https : this.tunnel(proxy);
			return https.request(url, { ...options, ...this.tlsOptions(url), agent });
		}
		return proxy === undefined
			? http.request(url, { ...options, agent: this.http })
			: http.request(proxy.address, {
					...options,
					path: url.href,
					headers: { ...headers, host: url.host, ...proxy.headers },
					agent: this.http,
				});
	}

	private tlsOptions(url: URL): tls.ConnectionOptions {
		const ca = this.authorities;
		const own = this.options.clientCertificate;
		return {
			// A registry on this very machine is trusted without a certificate, as docker does.
			rejectUnauthorized: !this.isInsecure(url),
			...(ca === undefined ? {} : { ca }),
			...(own?.host === url.host ? { cert: own.certificate, key: own.key } : {}),
		};
	}

	private tunnel(proxy: NonNullable<ReturnType<typeof proxyFor>>): TunnelAgent {
		const known = this.tunnels.get(proxy.address.href);
		const agent = known ?? new TunnelAgent(proxy);
		this.tunnels.set(proxy.address.href, agent);
		return agent;
	}

	/** Trusts what the system trusts; false when it does so already, or there is no list. */
	private trustSystem(): boolean {
		if (this.hasSystem) {
			return false;
		}
		this.hasSystem = true;
		const file = [process.env['SSL_CERT_FILE'] ?? '', ...SYSTEM_AUTHORITIES].find((name) => fs.existsSync(name));
		if (file === undefined) {
			return false;
		}
		this.authorities = withUsual([...(this.options.authorities ?? []), fs.readFileSync(file, 'utf8')]);
		return true;
	}
}

function withUsual(more: readonly string[]): string[] {
	return [...tls.rootCertificates, ...more];
}

class IdleError extends Error {
	readonly code = 'ETIMEDOUT';
	constructor(milliseconds: number) {
		super(`no byte for ${milliseconds / 1000} seconds`);
	}
}

/** Whether the host (without port) is this machine: "localhost", 127.0.0.0/8 or ::1. */
export function isLoopback(host: string): boolean {
	const name = host.replace(/^\[|\]$/g, '');
	return name === 'localhost' || (net.isIPv4(name) && name.startsWith('127.')) || name === '::1';
}

/**
 * The body as a whole; undefined when it is longer than `limit` bytes, and then the rest is not read. `within` bounds
 * the milliseconds it may take: a server that sends a byte now and then must not hold us up for ever.
 */
export async function readBody(
	response: http.IncomingMessage,
	limit: number,
	within = 5 * IDLE_MILLISECONDS,
): Promise<Buffer | undefined> {
	const chunks: Buffer[] = [];
	let length = 0;
	const timer = setTimeout(() => {
		response.destroy(new IdleError(within));
	}, within);
	try {
		for await (const chunk of response) {
			const bytes = chunk as Buffer;
			length += bytes.length;
			if (length > limit) {
				return undefined;
			}
			chunks.push(bytes);
		}
		return Buffer.concat(chunks);
	} finally {
		clearTimeout(timer);
	}
}

/** Why a connection failed, in words and in one line. */
export function connectionReason(error: unknown, server?: TlsServer): string {
	if (error instanceof AggregateError) {
		// One error for each address of the host.
		return error.errors.map((each) => connectionReason(each, server)).join(', ');
	}
	const words = tlsReason(error, server) ?? messageOf(error).replace(/\s+/g, ' ').trim();
	return words || (systemCode(error) ?? 'unknown error');
}
