import * as assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import * as dgram from 'node:dgram';
import * as fs from 'node:fs';
import * as net from 'node:net';
import * as path from 'node:path';
import { echo, tellAddress } from '../engine/namespace';
import { exec } from '../engine/exec';
import { launch, logsOf, pull, refused, remove, run, shell } from '../engine/run';
import '../engine/setup';
import { enginePid, leaksOf, pushImages, startRegistries, type Subject } from '../engine/subject';
import { endProcess, freePort, processesOf, until, within, Workspace } from '../engine/workspace';
import { rootlessEngine, rootlessProblem, type RootlessEngine } from './user';

const SERVE = 'mkdir -p /www; echo "hello from $0" >/www/index.html; exec busybox httpd -f -p 80 -h /www';
const REQUEST = 'GET /index.html HTTP/1.0\\r\\n\\r\\n';

describe('an ordinary user', function () {
	const problem = rootlessProblem();
	if (problem !== undefined) {
		it(`not tried, since ${problem}`);
		return;
	}
	let workspace: Workspace;
	let engine: RootlessEngine;
	let subject: Subject;

	before(async function () {
		this.timeout(120_000);
		workspace = new Workspace('ordinary');
		const registries = await startRegistries(workspace);
		const images = await pushImages(registries);
		engine = await rootlessEngine(workspace);
		subject = { ...engine, name: 'rootless', images, registries, ids: new Set() };
		await pull(subject, images.busybox.reference);
	});

	after('nothing is left, not even the namespaces', async () => {
		const { root } = engine;
		await workspace.dispose();
		await until('the holder of the namespaces has gone', () => processesOf(root).length === 0);
		assert.deepEqual(leaksOf(root, subject.ids), []);
	});

	const processesNamed = (name: string) =>
		processesOf(workspace.root).filter(({ command }) => command.includes(name));

	/** Runs a program of Node with its port 80 published. */
	const publish = (
		{ Cmd, binds }: ReturnType<typeof echo>,
		binding: { readonly HostIp: string; readonly HostPort: string },
	): Promise<string> =>
		launch(subject, {
			...{ Cmd, ExposedPorts: { '80/tcp': {} } },
			HostConfig: { NetworkMode: 'bridge', Binds: binds, PortBindings: { '80/tcp': [binding] } },
		});

	const web = (network: string, port: number): Promise<string> =>
		launch(
			subject,
			{
				Cmd: ['sh', '-c', SERVE, 'web'],
				ExposedPorts: { '80/tcp': {} },
				HostConfig: {
					NetworkMode: network,
					PortBindings: { '80/tcp': [{ HostIp: '', HostPort: String(port) }] },
				},
			},
			{ name: 'web' },
		);

	it('two containers talk by name, the host reaches a published port, also after the engine was killed', async function () {
		this.timeout(60_000);
		await subject.client.networks.create({ Name: 'app' });
		const port = await freePort();
		const id = await web('app', port);
		const ask = `for i in 1 2 3 4 5; do printf '${REQUEST}' | nc web 80 && exit; sleep 0.2; done`;
		const talk = async () => (await shell(subject, ask, { NetworkMode: 'app' })).stdout;
		assert.match(await talk(), /hello from web/);
		assert.match(await fetchPage('127.0.0.1', port), /hello from web/);
		assert.match(await fetchPage('[::1]', port), /hello from web/);
		await endProcess(enginePid(engine.root) ?? 0, 'SIGKILL');
		await engine.start();
		assert.equal((await subject.client.containers.inspect(id)).State.Status, 'running');
		assert.match(await fetchPage('127.0.0.1', port), /hello from web/);
		assert.match(await talk(), /hello from web/);
		await subject.client.networks.disconnect('app', id);
		await subject.client.networks.connect('app', id);
		assert.match(await fetchPage('127.0.0.1', port), /hello from web/);
		await remove(subject, id);
		await subject.client.networks.remove('app');
	});

	it('minimal runtime: a container and an exec have a terminal', async () => {
		const script = 'test -t 0 && test -t 1 && echo yes >/dev/tty; read -r code; exit $code';
		const host = { Runtime: 'minimal', NetworkMode: 'none' };
		const id = await launch(subject, {
			...{ Tty: true, OpenStdin: true, Cmd: ['sh', '-c', script], HostConfig: host },
		});
		await until('it shows its terminal', async () => /yes\r\n/.test((await logsOf(subject, id)).stdout));
		const result = await exec(subject, id, { Tty: true, Cmd: ['sh', '-c', 'test -t 1 || exit 3; exit 4'] });
		assert.equal(result.exitCode, 4);
		const exit = await subject.client.containers.wait(id);
		const attachment = await subject.client.containers.attach(id, { stdin: true });
		await attachment.write(Buffer.from('5\n'));
		assert.equal(await within('the end', 20_000, exit.exit), 5);
		attachment.close();
		await remove(subject, id);
	});

	it('network with IPv6: two containers talk by it, and the port is reached by ::1', async () => {
		await subject.client.networks.create({ Name: 'six', EnableIPv6: true });
		const port = await freePort();
		const id = await web('six', port);
		const { Networks: joined } = (await subject.client.containers.inspect(id)).NetworkSettings;
		const { GlobalIPv6Address: address } = { GlobalIPv6Address: '', ...joined['six'] };
		assert.match(address, /^fd/);
		const ask = `nslookup -type=aaaa web; for i in 1 2 3 4 5; do printf '${REQUEST}' | nc ${address} 80 && exit; sleep 0.2; done`;
		const { stdout } = await shell(subject, ask, { NetworkMode: 'six' });
		assert.match(stdout, new RegExp(`Address: ${address}\\n`));
		assert.match(stdout, /hello from web/);
		assert.match(await fetchPage('[::1]', port), /hello from web/);
		await remove(subject, id);
		await subject.client.networks.remove('six');
	});

	it('published ports: a range, a free one, [::1] alone; a busy one is refused before the container runs', async () => {
		const port = await freePort();
		const { containers } = subject.client;
		const publish = (name: string, bindings: readonly object[]): Promise<string> => {
			const host = { NetworkMode: 'bridge', PortBindings: { '80/tcp': bindings } };
			return launch(subject, { Cmd: ['sh', '-c', SERVE, 'web'], HostConfig: host }, { name });
		};
		const id = await publish('web', [{ HostPort: `${port}-65535` }, { HostIp: '::1', HostPort: '' }]);
		const { Ports: ports } = (await containers.list({ filters: { id: [id] } }))[0] ?? { Ports: [] };
		assert.deepEqual(
			ports.map(({ IP }) => IP),
			['0.0.0.0', '::', '::1'],
		);
		assert.equal(ports[0]?.PublicPort, ports[1]?.PublicPort);
		for (const { IP: ip = '', PublicPort } of ports) {
			const host = ip === '0.0.0.0' ? '127.0.0.1' : '[::1]';
			assert.match(await fetchPage(host, PublicPort ?? 0), /hello from web/, ip);
		}
		const busy = String(ports[0]?.PublicPort);
		await refused(
			publish('other', [{ HostPort: busy }]),
			500,
			new RegExp(`Bind for 0\\.0\\.0\\.0:${busy} failed: port is already allocated$`),
		);
		assert.equal((await containers.inspect('other')).State.Status, 'created');
		const { Driver: driver } = (await containers.inspect(id)).NetworkSettings;
		assert.match(String(driver), /^bridge \(ip, \w+, (slirp4netns|no way to other machines)\)$/);
		await remove(subject, id);
		await remove(subject, 'other');
	});

	it('published port: the end of input passes before the answer, and a relay that was killed comes back', async () => {
		const port = await freePort();
		const id = await web('bridge', port);
		assert.match(await fetchPage('127.0.0.1', port), /hello from web/);
		assert.match(await converse(port, 'GET /index.html HTTP/1.0\r\n\r\n'), /hello from web/);
		for (const name of ['relay.pl', 'socket-agent.js']) {
			const [relay] = processesNamed(name);
			await endProcess(relay?.pid ?? 0, 'SIGKILL');
			assert.match(await fetchPage('127.0.0.1', port), /hello from web/, name);
		}
		await remove(subject, id);
	});

	it('published port: the container is its own client, on whichever network it is; its relay ends with it', async () => {
		const port = await freePort();
		const id = await publish(tellAddress(engine.node), { HostIp: '', HostPort: String(port) });
		const addressOn = async (network: string): Promise<string> => {
			const { Networks: joined } = (await subject.client.containers.inspect(id)).NetworkSettings;
			return { IPAddress: '', ...joined[network] }.IPAddress;
		};
		const told = (address: string): Promise<string> =>
			until(`the container answers ${address}`, async () => (await conversation(port, '', address)) || undefined);
		const first = await addressOn('bridge');
		assert.equal(await told('127.0.0.1'), first);
		assert.equal(await told('::1'), first);
		await subject.client.networks.create({ Name: 'other' });
		await subject.client.networks.connect('other', id);
		await subject.client.networks.disconnect('bridge', id);
		assert.equal(await told('127.0.0.1'), await addressOn('other'));
		assert.equal(processesNamed('relay.pl').length, 1);
		await subject.client.containers.kill(id);
		await until('it has ended', async () => !(await subject.client.containers.inspect(id)).State.Running);
		assert.deepEqual(processesNamed('relay.pl'), []);
		await subject.client.containers.start(id);
		assert.equal(await told('127.0.0.1'), await addressOn('other'));
		await remove(subject, id);
		await subject.client.networks.remove('other');
		assert.deepEqual(processesNamed('relay.pl'), []);
	});

	it('published port: a thousand clients at once get their own bytes, also those who stay when others break off', async () => {
		const port = await freePort();
		const id = await publish(echo(engine.node), { HostIp: '127.0.0.1', HostPort: String(port) });
		await until('the container listens', async () => (await conversation(port, 'ready')) === 'ready');
		const clients = Array.from({ length: 1000 }, (_, index) => new Correspondent(port, index));
		try {
			await Promise.all(clients.map((client) => client.ask('first')));
			const [leaving, staying] = [clients.slice(0, 500), clients.slice(500)];
			for (const client of leaving) {
				client.breakOff();
			}
			await Promise.all(staying.map((client) => client.ask('second')));
			const [relay] = processesNamed('relay.pl');
			const count = (): number => fs.readdirSync(`/proc/${relay?.pid}/fd`).length;
			await until('the relay has closed what is over', () => count() < 2 * staying.length + 20);
		} finally {
			for (const client of clients) {
				client.breakOff();
			}
		}
		await remove(subject, id);
	});

	it('published ports: megabytes pass both ways while nobody reads, and datagrams are answered', async () => {
		const port = await freePort();
		const { Cmd, binds } = echo(engine.node);
		const bindings = [{ HostIp: '127.0.0.1', HostPort: String(port) }];
		const datagrams = [...bindings, { HostIp: '::1', HostPort: String(port) }];
		const id = await launch(subject, {
			...{ Cmd, ExposedPorts: { '80/tcp': {}, '53/udp': {} } },
			HostConfig: {
				NetworkMode: 'bridge',
				Binds: binds,
				PortBindings: { '80/tcp': bindings, '53/udp': datagrams },
			},
		});
		await until('the container listens', async () =>
			converse(port, 'ready').then(
				(text) => text === 'ready',
				() => false,
			),
		);
		const bytes = randomBytes(24 * 1024 * 1024);
		assert.equal(await sendThenRead(port, bytes), createHash('sha256').update(bytes).digest('hex'));
		assert.equal(await askByDatagram('udp4', port), 'ping');
		assert.equal(await askByDatagram('udp6', port), 'ping');
		await remove(subject, id);
	});

	it('engine killed while a container ends: the next one has its exit code', async function () {
		this.timeout(60_000);
		const id = await launch(subject, {
			Cmd: ['sh', '-c', 'sleep 1; exit 7'],
			HostConfig: { NetworkMode: 'none' },
		});
		await endProcess(enginePid(engine.root) ?? 0, 'SIGKILL');
		const exit = path.join(engine.root, 'containers', id, 'shim', 'exit');
		await until('the container has ended', () => fs.existsSync(exit));
		await engine.start();
		const { State: state } = await subject.client.containers.inspect(id);
		assert.deepEqual([state.Status, state.ExitCode], ['exited', 7]);
		await remove(subject, id);
	});

	it('files of every user of a container: belong to subordinate ids, and go with the container', async () => {
		const id = await launch(subject, {
			Cmd: ['sh', '-c', 'mkdir /a; touch /a/b; chmod 700 /a; chown -R 33:44 /a; exec sleep 60'],
			HostConfig: { NetworkMode: 'none' },
		});
		const file = path.join(engine.root, 'containers', id, 'upper', 'a', 'b');
		await until('the file has its owner', () => fs.existsSync(file) && fs.statSync(file).uid > 65535);
		await remove(subject, id);
		assert.equal(fs.existsSync(path.join(engine.root, 'containers', id)), false);
	});

	it('a user without an entry in passwd, as in a cluster: has an engine and runs containers, with one id', async () => {
		const owner = { name: '', uid: 54_321, gid: 54_321 };
		const { client, root } = await rootlessEngine(workspace, { owner });
		const nameless = { ...subject, client, root, ids: new Set<string>() };
		await pull(nameless, nameless.images.busybox.reference);
		const { exitCode, stdout } = await run(nameless, { Cmd: ['id', '-u'] });
		assert.deepEqual([exitCode, stdout], [0, '0\n']);
		assert.equal(fs.statSync(root).uid, owner.uid);
		const findings = await client.doctor();
		assert.match(findings.find(({ Subject: name }) => name === 'user')?.Message ?? '', /54321/);
	});

	it('limits of a running container where there are no control groups: are noted, and the warning says why', async function () {
		if (fs.existsSync('/sys/fs/cgroup/cgroup.controllers')) {
			this.skip();
		}
		const id = await launch(subject, { Cmd: ['sleep', '60'], HostConfig: { NetworkMode: 'none' } });
		const warnings = await subject.client.containers.update(id, { PidsLimit: 20 });
		assert.match(warnings.join(), /^Limitation discarded\. /);
		assert.deepEqual(await subject.client.containers.update(id, { RestartPolicy: { Name: 'always' } }), []);
		assert.equal((await subject.client.containers.inspect(id)).HostConfig.PidsLimit, 20);
		await remove(subject, id);
	});

	it('the API socket and the store: belong to the user alone', () => {
		const { uid, mode } = fs.statSync(engine.socket);
		assert.deepEqual([uid, mode & 0o777], [engine.owner.uid, 0o600]);
		assert.equal(fs.statSync(engine.root).mode & 0o777, 0o700);
	});

	it('info and doctor: say that it is an ordinary user, and find no problem', async () => {
		const info = await subject.client.info();
		assert.ok(info.SecurityOptions?.includes('name=rootless'));
		const findings = await subject.client.doctor();
		assert.deepEqual(
			findings.filter(({ Status }) => Status === 'problem'),
			[],
		);
		assert.match(findings.find(({ Subject: name }) => name === 'user')?.Message ?? '', /subordinate user ids/);
	});
});

/** A client of a port that sends back what comes. */
class Correspondent {
	private readonly socket: net.Socket;
	private received = '';

	constructor(
		port: number,
		private readonly number: number,
	) {
		this.socket = net.connect({ port, host: '127.0.0.1', noDelay: true });
		this.socket.on('data', (data) => (this.received += data.toString()));
	}

	/** Resolves when the answer is there and nothing else; rejects when the connection ends before. */
	async ask(word: string): Promise<void> {
		const question = `${word} of ${this.number}.`;
		this.received = '';
		await new Promise<void>((resolve, reject) => {
			this.socket.once('error', reject).once('close', () => {
				reject(new Error(`connection ${this.number} has been closed`));
			});
			this.socket.on('data', () => {
				if (this.received.length >= question.length) {
					resolve();
				}
			});
			this.socket.write(question);
		});
		assert.equal(this.received, question);
	}

	breakOff(): void {
		this.socket.on('error', () => undefined).resetAndDestroy();
	}
}

/** As `converse`; "" when nobody listens or the connection is broken off. */
async function conversation(port: number, text: string, host?: string): Promise<string> {
	return converse(port, text, host).catch(() => '');
}

/** Sends `text` and the end of input, and gives the answer. */
async function converse(port: number, text: string, host = '127.0.0.1'): Promise<string> {
	const socket = net.connect({ port, host, allowHalfOpen: true });
	socket.end(text);
	let answer = '';
	for await (const piece of socket) {
		answer += String(piece);
	}
	return answer;
}

/**
 * Sends everything, reads only once nothing more goes in, and gives the SHA-256 of the answer. How much goes in before is
 * the kernel's affair: less on a busy machine.
 */
async function sendThenRead(port: number, bytes: Buffer): Promise<string> {
	const socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true });
	try {
		let sent = 0;
		const send = (error?: Error | null): void => {
			const piece = bytes.subarray(sent, sent + 64 * 1024);
			if (piece.length === 0) {
				socket.end();
			} else if (!error) {
				socket.write(piece, (failure) => {
					sent += piece.length;
					send(failure);
				});
			}
		};
		send();
		let [before, looks] = [0, 0];
		await until('the way is full', () => {
			looks = sent === before ? looks + 1 : 0;
			before = sent;
			return sent === bytes.length || (sent > 0 && looks === 10);
		});
		const hash = createHash('sha256');
		for await (const piece of socket) {
			hash.update(piece as Buffer);
		}
		return hash.digest('hex');
	} finally {
		socket.destroy();
	}
}

/** What comes back for the datagram "ping"; a datagram may be lost, so it is sent again. */
async function askByDatagram(type: 'udp4' | 'udp6', port: number): Promise<string> {
	const socket = dgram.createSocket(type);
	let answer = '';
	socket.on('message', (data) => (answer = String(data)));
	try {
		await until(`a datagram is answered by ${type}`, () => {
			socket.send('ping', port, type === 'udp4' ? '127.0.0.1' : '::1');
			return answer !== '';
		});
	} finally {
		socket.close();
	}
	return answer;
}

/** What the web server answers; one that has just been started does not listen yet. */
async function fetchPage(host: string, port: number): Promise<string> {
	return until(`${host}:${port} answers`, () =>
		fetch(`http://${host}:${port}/index.html`).then(
			(response) => response.text(),
			() => undefined,
		),
	);
}
