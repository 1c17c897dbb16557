import { spawn } from 'node:child_process';
import * as dgram from 'node:dgram';
import { once } from 'node:events';
import * as fs from 'node:fs';
import * as net from 'node:net';
import type { Writable } from 'node:stream';
import * as tls from 'node:tls';
import { EngineError, messageOf, systemCode } from '../errors';
import { toolEnvironment } from '../exec';
import type { Stream } from './json-lines';
import type { SyslogAddress } from './syslog-address';
import { syslogHead, syslogPriority, type SyslogSender } from './syslog-message';

export interface SyslogLine {
	readonly stream: Stream;
	readonly time: Date;
	/** Without its end. */
	readonly text: Buffer;
}

/** A way to a syslog server, open until it fails or is closed. */
export interface SyslogTransport {
	/** Resolves once the system has taken the lines; rejects when the way is broken, which it then stays. */
	send(lines: readonly SyslogLine[]): Promise<void>;
	/** Ends it after what was sent. */
	close(): void;
	/** Ends it now; a `send` that waits rejects. */
	destroy(): void;
}

export interface SyslogTls {
	/** Files, as docker's options name them. */
	readonly ca?: string | undefined;
	readonly cert?: string | undefined;
	readonly key?: string | undefined;
	readonly skipVerify: boolean;
}

/** Milliseconds for a connection to be there. */
const CONNECT_TIMEOUT = 10_000;

const NEWLINE = Buffer.from('\n');

/** Opens a way to the server; EngineError "unreachable" with docker's words when nobody listens. */
export async function dialSyslog(
	address: SyslogAddress,
	sender: SyslogSender,
	security: SyslogTls,
): Promise<SyslogTransport> {
	switch (address.protocol) {
		case 'udp':
			return openUdp(address, sender);
		case 'tcp':
			return openStream(net.connect(address.port, address.host), sender, `tcp ${address.host}:${address.port}`);
		case 'tcp+tls':
			return openTls(address, sender, security);
		case 'unix':
			return openUnix(address.paths, sender);
	}
}

function encode(line: SyslogLine, sender: SyslogSender): Buffer {
	return Buffer.concat([Buffer.from(syslogHead(sender, line.stream, line.time)), line.text, NEWLINE]);
}

/** One datagram a line. */
async function openUdp({ host, port }: { host: string; port: number }, sender: SyslogSender): Promise<SyslogTransport> {
	const socket = dgram.createSocket(net.isIPv6(host) ? 'udp6' : 'udp4');
	socket.unref();
	try {
		socket.connect(port, host);
		await once(socket, 'connect');
	} catch (error) {
		socket.close();
		throw unreachable(`udp ${host}:${port}`, error);
	}
	socket.on('error', () => {
		// An answer that nobody listens belongs to a datagram that is gone; the sender learns of it as of the next one's.
	});
	const send = async (data: Buffer): Promise<void> =>
		new Promise((resolve, reject) => {
			socket.send(data, (error) => {
				// Nobody listens just now: as docker, the datagram is lost, which is udp's way.
				if (error === null || systemCode(error) === 'ECONNREFUSED') {
					resolve();
				} else {
					reject(error);
				}
			});
		});
	return {
		send: async (lines) => {
			for (const line of lines) {
				await send(encode(line, sender));
			}
		},
		close: () => {
			socket.close();
		},
		destroy: () => {
			// A datagram never waits.
		},
	};
}

async function openTls(
	{ host, port }: { host: string; port: number },
	sender: SyslogSender,
	{ ca, cert, key, skipVerify }: SyslogTls,
): Promise<SyslogTransport> {
	const socket = tls.connect({
		host,
		port,
		...(net.isIP(host) === 0 ? { servername: host } : {}),
		...(ca === undefined ? {} : { ca: readFile(ca, 'CA certificate') }),
		...(cert === undefined ? {} : { cert: readFile(cert, 'certificate') }),
		...(key === undefined ? {} : { key: readFile(key, 'key') }),
		rejectUnauthorized: !skipVerify,
	});
	return openStream(socket, sender, `tcp ${host}:${port}`);
}

function readFile(file: string, what: string): Buffer {
	try {
		return fs.readFileSync(file);
	} catch (error) {
		const message = `could not read ${what} "${file}": ${messageOf(error)}`;
		throw new EngineError('invalid', message, { cause: error });
	}
}

async function openUnix(paths: readonly string[], sender: SyslogSender): Promise<SyslogTransport> {
	for (const path of paths) {
		try {
			return await openStream(net.connect(path), sender, `unix ${path}`);
		} catch (error) {
			const code = error instanceof EngineError ? systemCode(error.cause) : undefined;
			// The kernel's word for a stream's connect to a datagram socket.
			if (code === 'EPROTOTYPE') {
				return openLogger(path, sender);
			}
			if (paths.length === 1) {
				throw error;
			}
		}
	}
	throw new EngineError('unreachable', 'Unix syslog delivery error');
}

/** Lines one after the other; over TLS the newer format counts its bytes (RFC 5425, section 4.3), as docker does. */
async function openStream(socket: net.Socket, sender: SyslogSender, name: string): Promise<SyslogTransport> {
	const isTls = socket instanceof tls.TLSSocket;
	const isCounted = isTls && sender.format.startsWith('rfc5424');
	const late = AbortSignal.timeout(CONNECT_TIMEOUT);
	try {
		await once(socket, isTls ? 'secureConnect' : 'connect', { signal: late });
	} catch (error) {
		socket.destroy();
		throw unreachable(name, late.aborted ? new Error('i/o timeout') : error);
	}
	// A server says nothing; reading only tells when it has gone.
	socket.resume();
	return sendTo(socket, socket, (lines) =>
		Buffer.concat(
			lines.flatMap((line) => {
				const data = encode(line, sender);
				return isCounted ? [Buffer.from(`${data.length} `), data] : [data];
			}),
		),
	);
}

/**
 * Node cannot send to a datagram socket of the file system; util-linux's logger can. It writes the head itself, in its
 * own version of the format (RFC 5424 with microseconds and the clock's quality).
 */
async function openLogger(path: string, sender: SyslogSender): Promise<SyslogTransport> {
	const format = sender.format === '' ? [] : [sender.format === 'rfc3164' ? '--rfc3164' : '--rfc5424'];
	const args = ['--socket', path, '--socket-errors=on', '--prio-prefix', '--size', '64KiB'];
	const child = spawn('logger', [...args, `--id=${sender.pid}`, `--tag=${sender.tag}`, ...format], {
		stdio: ['pipe', 'ignore', 'ignore'],
		env: toolEnvironment(),
	});
	const gone = new Promise<never>((_, reject) => {
		child.once('error', reject);
	});
	child.unref();
	try {
		await Promise.race([once(child, 'spawn'), gone]);
	} catch (error) {
		throw unreachable(`unixgram ${path}`, error);
	}
	return sendTo(child.stdin, child, (lines) =>
		Buffer.concat(
			lines.flatMap(({ stream, text }) => [
				Buffer.from(`<${syslogPriority(sender.facility, stream)}>`),
				text,
				NEWLINE,
			]),
		),
	);
}

/** Sends through a stream; `source` tells by "close" that nobody takes anything any more. */
function sendTo(
	output: Writable,
	source: NodeJS.EventEmitter,
	bytes: (lines: readonly SyslogLine[]) => Buffer,
): SyslogTransport {
	let failure: Error | undefined;
	const fail = (error: Error): void => {
		failure ??= error;
		output.destroy(error);
	};
	output.on('error', fail);
	for (const event of ['end', 'close']) {
		source.once(event, () => {
			fail(new Error('the syslog server has closed the connection'));
		});
	}
	return {
		send: async (lines) =>
			new Promise((resolve, reject) => {
				if (failure !== undefined) {
					reject(failure);
					return;
				}
				output.write(bytes(lines), (error) => {
					if (error) {
						reject(error);
					} else {
						resolve();
					}
				});
			}),
		close: () => {
			output.end();
		},
		destroy: () => {
			fail(new Error('given up'));
		},
	};
}

const REASONS: Readonly<Record<string, string>> = {
	ECONNREFUSED: 'connect: connection refused',
	ENOENT: 'connect: no such file or directory',
	EACCES: 'connect: permission denied',
	ENOTFOUND: 'no such host',
};

function unreachable(name: string, error: unknown): EngineError {
	const reason = REASONS[systemCode(error) ?? ''] ?? messageOf(error);
	return new EngineError('unreachable', `dial ${name}: ${reason}`, { cause: error });
}
