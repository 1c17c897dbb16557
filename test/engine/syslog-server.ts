import { spawn, spawnSync } from 'node:child_process';
import * as dgram from 'node:dgram';
import { once } from 'node:events';
import * as fs from 'node:fs';
import * as net from 'node:net';
import * as path from 'node:path';
import * as tls from 'node:tls';
import * as assert from 'node:assert/strict';
import { endChild, type Workspace } from './workspace';

export const SYSLOG_WAYS = ['udp', 'tcp', 'tcp+tls', 'unix', 'unixgram'] as const;
export type SyslogWay = (typeof SYSLOG_WAYS)[number];

/** A real syslog server on the loopback interface or in the workspace. */
export interface SyslogServer {
	/** For syslog-address. */
	readonly address: string;
	/** Docker's options for it: the address, and what TLS needs. */
	readonly options: Readonly<Record<string, string>>;
	/** All bytes that came, in order; datagrams one after the other. */
	text(): string;
	/** Stops reading from its connections, or goes on. */
	setPaused(isPaused: boolean): void;
	close(): Promise<void>;
}

/** A certificate for 127.0.0.1 that signs itself: files `key.pem` and `ca.pem` in a folder of the workspace. */
export function selfSigned(workspace: Workspace): { readonly key: string; readonly ca: string } {
	const folder = workspace.folder('tls');
	const [key, ca] = [path.join(folder, 'key.pem'), path.join(folder, 'ca.pem')];
	const { status, stderr } = spawnSync('openssl', [
		...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'],
		...['-keyout', key, '-out', ca, '-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1'],
	]);
	assert.equal(status, 0, String(stderr));
	return { key, ca };
}

/** Starts one; `at` is the port or path that an earlier one had. */
export async function startSyslog(way: SyslogWay, workspace: Workspace, at?: string): Promise<SyslogServer> {
	const server = await open(way, workspace, at);
	workspace.defer('end the syslog server', () => server.close());
	return server;
}

async function open(way: SyslogWay, workspace: Workspace, at: string | undefined): Promise<SyslogServer> {
	switch (way) {
		case 'udp':
			return openUdp();
		case 'tcp':
			return openStream(net.createServer(), 'tcp://127.0.0.1', Number(at ?? 0));
		case 'tcp+tls': {
			const { key, ca } = selfSigned(workspace);
			const server = tls.createServer({ key: fs.readFileSync(key), cert: fs.readFileSync(ca) });
			return openStream(server, 'tcp+tls://127.0.0.1', Number(at ?? 0), { 'syslog-tls-ca-cert': ca });
		}
		case 'unix':
			return openStream(net.createServer(), 'unix://', at ?? path.join(workspace.folder('syslog'), 'socket'));
		case 'unixgram':
			return openDatagrams(at ?? path.join(workspace.folder('syslog'), 'socket'));
	}
}

async function openUdp(): Promise<SyslogServer> {
	const pieces: Buffer[] = [];
	const socket = dgram.createSocket({ type: 'udp4', recvBufferSize: 4 * 1024 * 1024 });
	socket.on('message', (message) => pieces.push(message));
	socket.bind(0, '127.0.0.1');
	await once(socket, 'listening');
	const address = `udp://127.0.0.1:${socket.address().port}`;
	return {
		address,
		options: { 'syslog-address': address },
		text: () => Buffer.concat(pieces).toString(),
		setPaused: () => undefined,
		close: async () =>
			new Promise((resolve) => {
				socket.close(resolve);
			}),
	};
}

async function openStream(
	server: net.Server,
	scheme: string,
	at: number | string,
	options: Readonly<Record<string, string>> = {},
): Promise<SyslogServer> {
	const pieces: Buffer[] = [];
	const sockets = new Set<net.Socket>();
	let isPaused = false;
	server.on(server instanceof tls.Server ? 'secureConnection' : 'connection', (socket: net.Socket) => {
		sockets.add(socket);
		socket.on('data', (data: Buffer) => pieces.push(data));
		socket.on('error', () => undefined);
		socket.once('close', () => sockets.delete(socket));
		if (isPaused) {
			socket.pause();
		}
	});
	if (typeof at === 'number') {
		server.listen(at, '127.0.0.1');
	} else {
		server.listen(at);
	}
	await once(server, 'listening');
	const place = server.address();
	const address = typeof place === 'object' && place !== null ? `${scheme}:${place.port}` : `${scheme}${at}`;
	return {
		address,
		options: { 'syslog-address': address, ...options },
		text: () => Buffer.concat(pieces).toString(),
		setPaused: (value) => {
			isPaused = value;
			for (const socket of sockets) {
				if (value) {
					socket.pause();
				} else {
					socket.resume();
				}
			}
		},
		close: async () =>
			new Promise((resolve) => {
				server.close(() => {
					resolve();
				});
				for (const socket of sockets) {
					socket.destroy();
				}
			}),
	};
}

/** Node has no such sockets; perl, which Debian always has, does. */
async function openDatagrams(file: string): Promise<SyslogServer> {
	const script = `use Socket; socket(S, AF_UNIX, SOCK_DGRAM, 0); bind(S, sockaddr_un($ARGV[0])) or die $!; $| = 1;
		print "ready\\n"; while (defined recv(S, $b, 70000, 0)) { print "$b\\n"; }`;
	const child = spawn('perl', ['-e', script, file], { stdio: ['ignore', 'pipe', 'inherit'] });
	const pieces: Buffer[] = [];
	await once(child.stdout, 'data');
	child.stdout.on('data', (data: Buffer) => pieces.push(data));
	return {
		address: `unixgram://${file}`,
		options: { 'syslog-address': `unixgram://${file}` },
		text: () => Buffer.concat(pieces).toString(),
		setPaused: () => undefined,
		close: async () => endChild(child),
	};
}
