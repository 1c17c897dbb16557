/**
 * Plain HTTP requests for the registry client: one request, one answer, redirects seen by the caller. node:http and
 * node:https are used because VS Code's proxy settings reach those only (design/toolchain.md).
 */
import * as http from 'node:http';
import * as https from 'node:https';
import * as net from 'node:net';
import { systemCode } from '../errors';

export interface HttpRequest {
	readonly method?: 'GET' | 'POST';
	readonly headers?: Readonly<Record<string, string>>;
	readonly body?: string;
	readonly signal?: AbortSignal;
}

/** Time without a byte after which a server counts as dead. */
const IDLE_MILLISECONDS = 60_000;

/** Sends requests over connections that are kept open until `close`. */
export class Transport {
	private readonly http = new http.Agent({ keepAlive: true });
	private readonly https = new https.Agent({ keepAlive: true });

	/** The answer, whatever its status; its body must be read or destroyed. Rejects with Node's error. */
	send(url: URL, request: HttpRequest = {}): Promise<http.IncomingMessage> {
		return new Promise((resolve, reject) => {
			const options: https.RequestOptions = {
				method: request.method ?? 'GET',
				headers: { 'user-agent': 'mydocker', 'accept-encoding': 'identity', ...request.headers },
				timeout: IDLE_MILLISECONDS,
				...(request.signal === undefined ? {} : { signal: request.signal }),
			};
			const outgoing =
				url.protocol === 'https:'
					? https.request(url, {
							...options,
							agent: this.https,
							// A registry on this very machine is trusted without a certificate, as docker does.
							rejectUnauthorized: !isLoopback(url.hostname),
						})
					: http.request(url, { ...options, agent: this.http });
			outgoing.once('response', resolve);
			outgoing.once('error', reject);
			outgoing.once('timeout', () => {
				outgoing.destroy(new IdleError());
			});
			outgoing.end(request.body);
		});
	}

	/** Ends all connections. */
	close(): void {
		this.http.destroy();
		this.https.destroy();
	}
}

class IdleError extends Error {
	readonly code = 'ETIMEDOUT';
	constructor() {
		super(`no byte for ${IDLE_MILLISECONDS / 1000} seconds`);
	}
}

/** Whether the host (without port) is this machine: "localhost", 127.0.0.0/8 or ::1. */
export function isLoopback(host: string): boolean {
	const name = host.replace(/^\[|\]$/g, '');
	return name === 'localhost' || (net.isIPv4(name) && name.startsWith('127.')) || name === '::1';
}

/** The body as a whole; undefined when it is longer than `limit` bytes. The rest is not read then. */
export async function readBody(response: http.IncomingMessage, limit: number): Promise<Buffer | undefined> {
	const chunks: Buffer[] = [];
	let length = 0;
	for await (const chunk of response) {
		const bytes = chunk as Buffer;
		length += bytes.length;
		if (length > limit) {
			return undefined;
		}
		chunks.push(bytes);
	}
	return Buffer.concat(chunks);
}

/** Why a connection failed, in words. */
export function connectionReason(error: unknown): string {
	if (error instanceof AggregateError) {
		// One error for each address of the host.
		return error.errors.map(connectionReason).join(', ');
	}
	return error instanceof Error ? error.message || (systemCode(error) ?? error.name) : String(error);
}
