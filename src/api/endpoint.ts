/** Where an engine listens, as docker's `--host` and the files of its contexts say it. */
export type Endpoint =
	| { readonly kind: 'unix'; readonly path: string }
	| { readonly kind: 'tcp'; readonly host: string; readonly port: number; readonly tls?: TlsMaterial }
	| {
			readonly kind: 'ssh';
			readonly host: string;
			readonly user: string | undefined;
			readonly port: number | undefined;
			/** The engine's socket on that machine; undefined leaves it to the `docker` there. */
			readonly path: string | undefined;
	  };

/** What a TLS connection is made with: paths of PEM files. */
export interface TlsMaterial {
	readonly ca: string | undefined;
	readonly cert: string | undefined;
	readonly key: string | undefined;
	/** False takes any certificate of the engine. */
	readonly isVerified: boolean;
}

/** A host that cannot be used; the message says why. */
export class InvalidHost extends Error {
	override readonly name = 'InvalidHost';
}

/** Docker's ports for plain TCP and for TLS. */
const PLAIN_PORT = 2375;
const TLS_PORT = 2376;
/** Neither can be read as an option by `ssh`, nor as anything but a name by a shell. */
const HOST_NAME = /^[A-Za-z0-9](?:[\w.-]*[A-Za-z0-9])?$/;
const IPV6 = /^\[([0-9A-Fa-f:.]+(?:%\w+)?)\]$/;
const USER = /^\w[\w.+-]*$/;
/** It becomes a word of a command that the other machine's shell reads. */
const REMOTE_PATH = /^\/[\w./-]+$/;

/**
 * Reads "unix:///path", "npipe:////./pipe/name", "tcp://host:port" and "ssh://[user@]host[:port][/path]"; `tls` is for
 * TCP only. Throws InvalidHost, also for what is no text.
 */
export function parseHost(text: unknown, tls?: TlsMaterial): Endpoint {
	const [, scheme = '', rest = ''] = (typeof text === 'string' && /^([a-z]+):\/\/([^\s\0]*)$/.exec(text)) || [];
	switch (scheme) {
		case 'unix':
			if (rest.startsWith('/')) {
				return { kind: 'unix', path: rest };
			}
			throw refuse(text, 'a socket is written as unix:///path');
		case 'npipe':
			if (/^\/\/\.\/pipe\/[^/]+$/.test(rest)) {
				return { kind: 'unix', path: rest.replaceAll('/', '\\') };
			}
			throw refuse(text, 'a named pipe is written as npipe:////./pipe/name');
		case 'tcp':
		case 'http':
		case 'https':
			return tcpEndpoint(text, rest, scheme === 'https' ? (tls ?? VERIFIED) : tls);
		case 'ssh':
			return sshEndpoint(text, rest);
		default:
			throw refuse(text, 'give unix:///path, tcp://host:port or ssh://user@host');
	}
}

/** The text that `parseHost` would read. */
export function hostText(endpoint: Endpoint): string {
	switch (endpoint.kind) {
		case 'unix':
			return endpoint.path.startsWith('\\')
				? `npipe://${endpoint.path.replaceAll('\\', '/')}`
				: `unix://${endpoint.path}`;
		case 'tcp':
			return `tcp://${bracketed(endpoint.host)}:${endpoint.port}`;
		case 'ssh': {
			const user = endpoint.user === undefined ? '' : `${endpoint.user}@`;
			const port = endpoint.port === undefined ? '' : `:${endpoint.port}`;
			return `ssh://${user}${bracketed(endpoint.host)}${port}${endpoint.path ?? ''}`;
		}
	}
}

const VERIFIED: TlsMaterial = { ca: undefined, cert: undefined, key: undefined, isVerified: true };

function tcpEndpoint(text: unknown, rest: string, tls: TlsMaterial | undefined): Endpoint {
	const [authority = '', ...path] = rest.split('/');
	if (path.some((part) => part !== '') || authority.includes('@')) {
		throw refuse(text, 'an address over TCP is written as tcp://host:port');
	}
	const { host, port } = splitAuthority(text, authority.startsWith(':') ? `localhost${authority}` : authority);
	return {
		kind: 'tcp',
		host,
		port: port ?? (tls === undefined ? PLAIN_PORT : TLS_PORT),
		...(tls === undefined ? {} : { tls }),
	};
}

function sshEndpoint(text: unknown, rest: string): Endpoint {
	const [, user, authority = '', path] = /^(?:([^@/]*)@)?([^@/]*)(\/.*)?$/.exec(rest) ?? [];
	if (user?.includes(':') === true) {
		throw refuse(text, 'plain-text password is not supported');
	}
	if (user !== undefined && !USER.test(user)) {
		throw refuse(text, 'its user is not a name');
	}
	const isWhole = path === undefined || path === '/';
	if (!isWhole && !REMOTE_PATH.test(path)) {
		throw refuse(text, 'its path has characters that a shell would read');
	}
	return { kind: 'ssh', ...splitAuthority(text, authority), user, path: isWhole ? undefined : path };
}

function splitAuthority(text: unknown, authority: string) {
	const [, name = '', digits] = /^(\[[^\]]*\]|[^:]*)(?::(\d{1,5}))?$/.exec(authority) ?? [];
	const host = IPV6.exec(name)?.[1] ?? (HOST_NAME.test(name) ? name : undefined);
	if (host === undefined) {
		throw refuse(text, 'it does not name a machine');
	}
	const port = digits === undefined ? undefined : Number(digits);
	if (port !== undefined && (port < 1 || port > 65535)) {
		throw refuse(text, `${port} is no port`);
	}
	return { host, port };
}

function bracketed(host: string): string {
	return host.includes(':') ? `[${host}]` : host;
}

function refuse(text: unknown, reason: string): InvalidHost {
	const shown = typeof text === 'string' ? text.slice(0, 200).replace(/[^\x20-\x7e]/g, '?') : typeof text;
	return new InvalidHost(`Cannot use host "${shown}": ${reason}`);
}
