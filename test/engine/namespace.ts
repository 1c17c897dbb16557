import * as assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { createClient } from '../../src/api/client';
import { pull } from './run';
import { embeddedEngine, enginePid, removeContainers, type Images, type Registries, type Subject } from './subject';
import { dist, endProcess, until, type Workspace } from './workspace';

/** Every answer of busybox's web server; its name is the argument behind it. */
export const SERVE = 'mkdir -p /www; echo "hello from $0" >/www/index.html; exec busybox httpd -f -p 80 -h /www';
export const REQUEST = 'GET /index.html HTTP/1.0\r\n\r\n';

/**
 * Our engine, with busybox in its store, in a network namespace of its own that `holder` keeps: nothing of the machine's
 * network is touched. Both end with the workspace. Programs that are `hidden` are not there for the engine.
 */
export async function isolatedEngine(
	workspace: Workspace,
	given: { readonly images: Images; readonly registries: Registries },
	hidden: readonly string[] = [],
): Promise<{ readonly subject: Subject; readonly holder: number }> {
	// The registry is on the machine's loopback, so the image comes before the engine moves away from there.
	const outside = embeddedEngine(workspace);
	const { root, socket } = outside;
	const name = 'embedded' as const;
	await pull({ ...outside, ...given, name, ids: new Set() }, given.images.busybox.reference);
	await endProcess(enginePid(root) ?? 0);
	const holder = await holdNamespace(workspace);
	const client = createClient(() => Promise.resolve(socket));
	await startEngine(outside, holder, hidden);
	workspace.defer('end the engine in its namespace', async () => {
		await removeContainers(client);
		await endProcess(enginePid(root) ?? 0);
	});
	return { subject: { ...outside, ...given, name, client, ids: new Set() }, holder };
}

/** A process that keeps a new network namespace with its loopback up; gives its pid. */
export async function holdNamespace(workspace: Workspace): Promise<number> {
	const child = workspace.start('namespace', 'unshare', [
		'--net',
		'sh',
		'-c',
		'ip link set lo up; exec sleep 100000',
	]);
	const pid = child.pid ?? 0;
	const lo = () => inNamespace(pid, ['ip', 'link', 'show', 'lo', 'up']);
	const own = fs.readlinkSync('/proc/self/ns/net');
	await until('the namespace is there', () => fs.readlinkSync(`/proc/${pid}/ns/net`) !== own && lo() !== '');
	return pid;
}

/** Covers the programs $1 … with something that cannot be run, up to "--"; then the engine's command line. */
const HIDE = `while [ "$1" != -- ]; do file=$(command -v "$1") && mount --bind /dev/null "$(readlink -f "$file")"; shift; done; shift; exec "$@"`;

export async function startEngine(
	{ root, socket }: Pick<Subject, 'root' | 'socket'>,
	holder: number,
	hidden: readonly string[] = [],
): Promise<void> {
	const arguments_ = [path.join(dist, 'engine.js'), '--root', root, '--idle', '300', '--report', '3'];
	// Not `ip netns exec`, which hides the control groups.
	const hiding = hidden.length === 0 ? [] : ['unshare', '--mount', 'sh', '-c', HIDE, 'hide', ...hidden, '--'];
	const child = spawn('nsenter', ['-t', String(holder), '-n', ...hiding, process.execPath, ...arguments_], {
		detached: true,
		stdio: ['ignore', 'ignore', 'ignore', 'pipe'],
	});
	child.unref();
	const [channel] = child.stdio.slice(3);
	const word = await new Promise<string>((resolve) =>
		channel?.once('data', (data: Buffer) => {
			resolve(data.toString().trim());
		}),
	);
	assert.equal(word, 'ready');
	assert.ok(fs.existsSync(socket));
}

export function inNamespace(holder: number, command: readonly string[], input = ''): string {
	return spawnSync('nsenter', ['-t', String(holder), '-n', ...command], { input, encoding: 'utf8' }).stdout;
}

/** What the web server at a port of the namespace's host answers; "" when nobody does, or one who says nothing. */
export function fetchFromHost(holder: number, address: string, port: number, tries = 20): string {
	// Who relays to the port may take the connection before the server listens, and then has nothing to say.
	const script = `for i in $(seq ${tries}); do answer=$(printf '${REQUEST}' | busybox nc -w 2 ${address} ${port}); [ -n "$answer" ] && printf %s "$answer" && exit; sleep 0.1; done`;
	return inNamespace(holder, ['sh', '-c', script]);
}

/** What comes back for a datagram "ping" from always the same port of the namespace's host; "" when nothing does. */
export function fetchDatagram(holder: number, port: number): string {
	const script = `const socket = require('dgram').createSocket('udp4');
socket.on('message', (data) => { console.log(String(data)); socket.close(); });
socket.bind(4053, () => socket.send('ping', ${port}, '127.0.0.1'));
setTimeout(() => process.exit(), 1000).unref();`;
	return inNamespace(holder, [process.execPath, '-e', script]);
}

/**
 * A container's configuration that answers each datagram at port 53, and the bytes of each connection to port 80, with
 * the same, by a Node of this machine.
 */
export function echo(node = fs.realpathSync(process.execPath)): { readonly Cmd: string[]; readonly binds: string[] } {
	const datagrams = `require('dgram').createSocket('udp4').on('message', function (data, peer) {
		this.send(data, peer.port, peer.address);
	}).bind(53)`;
	const bytes = `require('net').createServer({ allowHalfOpen: true }, (socket) => socket.pipe(socket)).listen(80)`;
	return nodeScript(`${datagrams}; ${bytes}`, node);
}

/** A container's configuration that tells each client of port 80 which address it has there. */
export function tellAddress(node: string): ReturnType<typeof nodeScript> {
	const tell = `(socket) => socket.on('error', () => undefined).end(socket.remoteAddress)`;
	return nodeScript(`require('net').createServer(${tell}).listen(80, '0.0.0.0')`, node);
}

/** A Node of this machine in a container. */
function nodeScript(script: string, node: string): { readonly Cmd: string[]; readonly binds: string[] } {
	const libraries = ['/usr', '/lib', '/lib64'].filter((folder) => fs.existsSync(folder));
	return {
		Cmd: ['/node', '-e', script],
		binds: [`${node}:/node:ro`, ...libraries.map((folder) => `${folder}:${folder}:ro`)],
	};
}

/** Devices, rules and addresses of the namespace, each on a line. */
export function traces(holder: number): string[] {
	const devices = inNamespace(holder, ['ip', '-o', 'addr']);
	const links = inNamespace(holder, ['ip', '-o', 'link']);
	const rules = `${inNamespace(holder, ['iptables-save'])}${inNamespace(holder, ['ip6tables-save'])}`
		.replace(/^#.*$/gm, '')
		.replace(/\[\d+:\d+\]/g, '');
	// Tables that were looked at once are printed from then on, with their empty chains.
	const own = rules.split('\n').filter((line) => line.includes('MYDOCKER'));
	const names = `${devices}${links}`.split('\n').map((line) => line.replace(/\\.*/, '').trim());
	const tables = inNamespace(holder, ['nft', 'list', 'tables'])
		.split('\n')
		.filter((line) => line.includes('mydocker'));
	return [...names.filter((line) => line !== ''), ...own, ...tables];
}
