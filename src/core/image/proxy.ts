/** The way through an HTTP proxy, as Go's and so docker's programs choose it (golang.org/x/net/http/httpproxy). */
import * as http from 'node:http';
import * as https from 'node:https';
import type * as net from 'node:net';
import type { Duplex } from 'node:stream';
import * as tls from 'node:tls';
import { isInNetwork, splitPort } from './hosts';
import { tlsReason } from './tls-reason';

/** Addresses of proxies, "http://user:password@proxy:3128"; "" or undefined for none. Survives structured cloning. */
export interface ProxySettings {
	readonly http?: string;
	readonly https?: string;
	/** Hosts that are reached directly: "localhost,.example.com,10.0.0.0/8", "*" for all. */
	readonly except?: string;
}

export interface Proxy {
	readonly address: URL;
	/** Its credentials; they are for the proxy alone. */
	readonly headers: Readonly<Record<string, string>>;
}

/** The proxies that the environment names. */
export function environmentProxies(env: NodeJS.ProcessEnv): ProxySettings {
	const value = (name: string): string => env[name.toLowerCase()] || env[name] || '';
	return { http: value('HTTP_PROXY'), https: value('HTTPS_PROXY'), except: value('NO_PROXY') };
}

/** The proxy that leads to this address; undefined when it is reached directly, as this very machine always is. */
export function proxyFor(url: URL, settings: ProxySettings | undefined): Proxy | undefined {
	const text = url.protocol === 'https:' ? settings?.https : settings?.http;
	if (!text || isExcepted(url, settings?.except ?? '')) {
		return undefined;
	}
	const withScheme = /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`;
	const address = URL.canParse(withScheme) ? new URL(withScheme) : undefined;
	if (address?.protocol !== 'http:' && address?.protocol !== 'https:') {
		// Not quoted: it may hold a password.
		throw new ProxyError(`the proxy's address must begin with http:// or https://`, 'PROXY_REFUSED');
	}
	const { username, password } = address;
	const basic = Buffer.from(`${decoded(username)}:${decoded(password)}`).toString('base64');
	address.username = address.password = '';
	return { address, headers: username === '' ? {} : { 'proxy-authorization': `Basic ${basic}` } };
}

function decoded(part: string): string {
	try {
		return decodeURIComponent(part);
	} catch (error) {
		if (error instanceof URIError) {
			const reason = `the user name or password in the proxy's address has a "%" that must be written "%25"`;
			throw new ProxyError(reason, 'PROXY_REFUSED');
		}
		throw error;
	}
}

function isExcepted({ host, hostname, port, protocol }: URL, except: string): boolean {
	const { name } = splitPort(hostname);
	if (name === 'localhost' || name === '::1' || /^127\./.test(name)) {
		return true;
	}
	const actualPort = port || (protocol === 'https:' ? '443' : '80');
	return except
		.split(/[\s,]+/)
		.filter((entry) => entry !== '')
		.some((entry) => {
			const wanted = splitPort(entry.toLowerCase());
			const isSamePort = wanted.port === '' || wanted.port === actualPort;
			const domain = wanted.name.replace(/^\*?\./, '');
			return (
				entry === '*' ||
				entry === host ||
				isInNetwork(name, entry) ||
				(isSamePort && (name === domain || name.endsWith(`.${domain}`)))
			);
		});
}

/** `code` is PROXY_REFUSED for what another attempt will not change: credentials, a host that it does not lead to. */
class ProxyError extends Error {
	constructor(
		message: string,
		readonly code: 'PROXY_REFUSED' | 'PROXY_FAILED',
	) {
		super(message);
	}
}

function refusal(host: string, status: number): ProxyError {
	const code = status >= 400 && status < 500 ? 'PROXY_REFUSED' : 'PROXY_FAILED';
	return new ProxyError(`proxy "${host}" answered CONNECT with status ${status}`, code);
}

/** What TLS has against the proxy itself must not be taken for a fault of the registry. */
function ofProxy(host: string, error: Error): Error {
	const reason = tlsReason(error);
	return reason === undefined ? error : new ProxyError(`proxy "${host}" does not answer: ${reason}`, 'PROXY_REFUSED');
}

/** Makes TLS connections through a proxy's CONNECT (RFC 9110, 9.3.6). */
export class TunnelAgent extends https.Agent {
	constructor(private readonly proxy: Proxy) {
		super({ keepAlive: true });
	}

	override createConnection(
		options: https.RequestOptions,
		callback?: (error: Error | null, stream: Duplex) => void,
	): undefined {
		const target = `${options.host ?? ''}:${options.port ?? 443}`;
		const { address, headers } = this.proxy;
		const { request } = address.protocol === 'https:' ? https : http;
		const connect = request(address, {
			method: 'CONNECT',
			path: target,
			headers: { ...headers, host: target },
			agent: false,
			timeout: options.timeout,
		});
		const fail = (error: Error): void => {
			// Node's types want a stream beside the error, Node itself does not.
			(callback as ((error: Error) => void) | undefined)?.(error);
		};
		connect.once('connect', (response, socket: net.Socket) => {
			if (response.statusCode !== 200) {
				socket.destroy();
				fail(refusal(address.host, response.statusCode ?? 0));
				return;
			}
			let secure: tls.TLSSocket;
			try {
				secure = tls.connect({ ...(options as tls.ConnectionOptions), socket });
			} catch (error) {
				// A certificate or key that OpenSSL does not take; nobody else would catch it here.
				socket.destroy();
				fail(error as Error);
				return;
			}
			callback?.(null, secure);
		});
		connect.once('timeout', () => connect.destroy(new Error(`proxy "${address.host}" does not answer`)));
		connect.once('error', (error) => {
			fail(ofProxy(address.host, error));
		});
		connect.end();
		return undefined;
	}
}
