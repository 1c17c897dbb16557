/** The client on engines that others run: a real dockerd and a real `podman system service`. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as net from 'node:net';
import * as path from 'node:path';
import * as tls from 'node:tls';
import { execFileSync, spawnSync } from 'node:child_process';
import { isFolder, isLink } from '../../src/api/archive';
import { attachEngine, EngineUnreachable } from '../../src/api/attach';
import { ApiError, createClient, type Client } from '../../src/api/client';
import { DEBUG_LABEL, startDebugShell } from '../../src/api/debug-shell';
import { parseHost, type TlsMaterial } from '../../src/api/endpoint';
import type { OutputChunk } from '../../src/api/stream';
import type { EventMessage } from '../../src/api/types';
import { podmanEngine } from './attached';
import { busyboxLayer, imageOf, layerOf } from './fixture';
import { startRegistry, type Registry } from './registry';
import { dockerEngine, type EngineProcess } from './subject';
import { dist, freePort, until, within, withPath, Workspace } from './workspace';

const engines = { docker: (workspace: Workspace) => dockerEngine(workspace), podman: podmanEngine };

for (const [name, start] of Object.entries(engines)) {
	describe(`${name}, attached`, () => {
		const workspace = new Workspace('attach');
		let engine: EngineProcess;
		let registry: Registry;
		let client: Client;
		let image: string;

		before(async function () {
			this.timeout(60_000);
			registry = await startRegistry(workspace);
			engine = await start(workspace, registry);
			await registry.push('demo/box', '1', imageOf([busyboxLayer()]));
			image = `${registry.host}/demo/box:1`;
			client = clientOf(`unix://${engine.socket}`);
		});

		after(async function () {
			this.timeout(60_000);
			await workspace.dispose();
		});

		it('says what it is', async () => {
			const { program, apiVersion } = await attachEngine(parseHost(`unix://${engine.socket}`));
			assert.equal(program, name);
			assert.match(apiVersion ?? '', /^1\.\d\d$/);
			assert.notEqual((await client.version()).Version, '');
			assert.notEqual((await client.info()).Driver, '');
		});

		it('pulls with progress, lists, inspects and tags', async () => {
			const messages = [];
			for await (const message of client.images.pull(image)) {
				messages.push(message);
			}
			assert.ok(messages.length > 0);
			const [summary] = await client.images.list();
			assert.ok(summary?.RepoTags?.includes(image) === true, JSON.stringify(summary));
			const { Id } = await client.images.inspect(image);
			assert.equal(hex(Id), hex(summary.Id));
			await client.images.tag(image, `${registry.host}/demo/again:2`);
			await client.images.remove(`${registry.host}/demo/again:2`);
			assert.ok((await client.images.history(image)).length > 0);
		});

		it('a pull of what is not there fails with the reason', async () => {
			await assert.rejects(async () => {
				await take(client.images.pull(`${registry.host}/demo/absent:1`));
			}, ApiError);
		});

		it('runs a container to its end: events, wait, logs of both streams, exit code', async () => {
			const events: string[] = [];
			const over = new AbortController();
			const since = (Date.now() / 1000 - 1).toFixed(3);
			const listening = (async () => {
				for await (const { Type, Action } of client.events({ since, signal: over.signal })) {
					events.push(`${Type} ${Action}`);
				}
			})();
			const id = await create(client, image, ['sh', '-c', 'echo out; echo err >&2; exit 7'], 'ended');
			const { exit } = await client.containers.wait(id, { condition: 'next-exit' });
			await client.containers.start(id);
			assert.equal(await exit, 7);
			const lines = await textOf(client.containers.logs(id));
			assert.deepEqual(lines, { stdout: 'out\n', stderr: 'err\n' });
			const row = (await client.containers.list({ all: true, filters: { id: [id] } }))[0];
			assert.equal(row?.State, 'exited');
			assert.match(row.Status, /^Exited \(7\)/);
			assert.deepEqual(row.Names, ['/ended']);
			await client.containers.remove(id);
			await until('the events are there', () =>
				['create', 'start', 'die', 'destroy'].every((action) => events.includes(`container ${action}`)),
			);
			over.abort();
			await listening;
		});

		it('a running one: exec, follow, top, stats, rename, files, restart, stop', async function () {
			this.timeout(60_000);
			const id = await create(client, image, [
				'sh',
				'-c',
				'trap "exit 3" TERM; echo up; while :; do sleep 0.1; done',
			]);
			await client.containers.start(id);
			const follow = client.containers.logs(id, { follow: true })[Symbol.asyncIterator]();
			const first = await within('a line', 10_000, follow.next());
			assert.equal(first.done === true ? '' : first.value.data.toString(), 'up\n');
			const exec = await client.execs.create(id, {
				...{ Cmd: ['sh', '-c', 'cat; exit 5'], AttachStdin: true, AttachStdout: true, AttachStderr: true },
			});
			const attachment = await client.execs.start(exec, { tty: false });
			await attachment.write(Buffer.from('typed'));
			attachment.end();
			assert.equal((await textOf(attachment.output)).stdout, 'typed');
			assert.equal((await client.execs.inspect(exec)).ExitCode, 5);
			assert.ok(((await client.containers.top(id)).Processes ?? []).length > 0);
			const [sample] = await take(client.containers.stats(id, { stream: false }));
			assert.ok((sample?.memory_stats.usage ?? 0) > 0 || sample?.cpu_stats !== undefined);
			await client.containers.rename(id, 'renamed');
			const files = client.containers.archive(id);
			const { stat, tar } = await files.get('/etc/passwd');
			assert.equal(stat.name, 'passwd');
			await take(tar);
			await client.containers.stop(id, { timeout: 5 });
			await until('the log ends', async () => (await follow.next()).done === true);
			const { State, Name } = await client.containers.inspect(id);
			assert.deepEqual([State.Running, State.ExitCode, Name], [false, 3, '/renamed']);
			await client.containers.remove(id, { force: true });
		});

		it('a terminal: attach, resize, keys', async () => {
			const { Id: id } = await client.containers.create({
				...{ Image: image, Cmd: ['sh'], Tty: true, OpenStdin: true, HostConfig: { NetworkMode: 'host' } },
			});
			const attachment = await client.containers.attach(id, { stdin: true });
			await client.containers.start(id);
			await client.containers.resize(id, { rows: 40, columns: 132 });
			await attachment.write(Buffer.from('stty size; exit\n'));
			assert.match((await textOf(attachment.output)).stdout, /40 132/);
			await client.containers.remove(id, { force: true });
		});

		it('volumes and networks are listed, made and removed', async () => {
			await client.volumes.create({ Name: 'data' });
			assert.deepEqual(
				(await client.volumes.list()).map(({ Name }) => Name),
				['data'],
			);
			await client.volumes.remove('data');
			assert.ok(Array.isArray(await client.networks.list()));
			assert.ok(Array.isArray((await client.diskUsage()).Images));
		});

		it('files of a container: while it runs they are listed, renamed and removed, by its own programs', async () => {
			const script = 'mkdir -p "/f/a b" /f/-x; echo hi >"/f/two\nlines"; ln -s /etc /f/link; exec sleep 60';
			const id = await create(client, image, ['sh', '-c', script], 'explored');
			const archive = client.containers.archive(id);
			await assert.rejects(archive.list('/'), ApiError);
			await client.containers.start(id);
			const names = async () => (await archive.list('/f')).map(({ name }) => name);
			await until('the files are there', async () => (await names().catch((): string[] => [])).includes('link'));
			const found = (await archive.list('/f')).map((stat) => [stat.name, isFolder(stat), isLink(stat)]);
			assert.deepEqual(found, [
				['-x', true, false],
				['a b', true, false],
				['link', false, true],
				['two\nlines', false, false],
			]);
			await archive.rename('/f/-x', '/f/moved');
			await archive.remove('/f/a b');
			assert.deepEqual(await names(), ['link', 'moved', 'two\nlines']);
			assert.deepEqual(await archive.list('/f/moved'), []);
			await assert.rejects(archive.remove('/.'), /^ApiError: Cannot remove/);
			await client.containers.remove(id, { force: true });
		});

		it('files of a container whose shell prints without end: the list is given up on, and says why', async () => {
			const script =
				'rm /bin/sh; echo "#!/bin/busybox yes" >/bin/sh; chmod 755 /bin/sh; : >/ready; exec sleep 60';
			const id = await create(client, image, ['busybox', 'sh', '-c', script]);
			await client.containers.start(id);
			const archive = client.containers.archive(id);
			await until('the shell is replaced', () =>
				archive.stat('/ready').then(
					() => true,
					() => false,
				),
			);
			await assert.rejects(archive.list('/'), {
				code: 'too-much',
				message: /^Cannot run "sh" in the container: /,
			});
			await client.containers.remove(id, { force: true });
		});

		for (const NetworkMode of ['none', 'host']) {
			it(`a debug shell: sees files and processes of a container with the network "${NetworkMode}", and leaves nothing`, async () => {
				const { Id: target } = await client.containers.create(
					{ Image: image, Cmd: ['/bin/sleep', '60'], Env: ['PATH=/none'], HostConfig: { NetworkMode } },
					{ name: `bare-${NetworkMode}` },
				);
				await client.containers.start(target);
				const size = { rows: 40, columns: 132 };
				const { name: shown, attachment, exit } = await startDebugShell(client, target, { image, size });
				assert.equal(shown, `bare-${NetworkMode}`);
				await attachment.write(
					Buffer.from('grep -c sleep /proc/1/cmdline; stty size; echo seen >tmp/seen; exit 3\n'),
				);
				const { stdout } = await textOf(attachment.output);
				assert.match(stdout, /\r\n1\r\n40 132\r\n/);
				assert.equal(await exit, 3);
				assert.equal((await client.containers.archive(target).stat('/tmp/seen')).size, 5);
				const beside = () => client.containers.list({ all: true, filters: { label: [DEBUG_LABEL] } });
				await until('the shell is gone', async () => (await beside()).length === 0);
				await client.containers.remove(target, { force: true });
			});
		}

		it('a debug shell of an image that has none: says so, and leaves nothing', async () => {
			const noShell = `${registry.host}/demo/no-shell:1`;
			await registry.push('demo/no-shell', '1', imageOf([layerOf([{ name: 'file', content: 'file' }])]));
			await take(client.images.pull(noShell));
			const target = await create(client, image, ['sleep', '60']);
			await client.containers.start(target);
			await assert.rejects(startDebugShell(client, target, { image: noShell, size: undefined }), /sh.*not found/);
			assert.equal((await client.containers.list({ all: true })).length, 1);
			await client.containers.remove(target, { force: true });
		});

		it("refuses what only our engine can in a sentence, a prune's dry run before all", async () => {
			await create(client, image, ['true'], 'kept');
			for (const ask of [
				() => client.containers.prune({ isDryRun: true }),
				() => client.images.prune({ isDryRun: true }),
				() => client.images.layers(image),
				() => client.doctor(),
			]) {
				await assert.rejects(ask, (error: unknown) => {
					assert.ok(error instanceof ApiError && error.status === 501, String(error));
					assert.match(error.message, /^(Docker|Podman) cannot do this; only MyDocker's own engine can$/);
					return true;
				});
			}
			assert.equal((await client.containers.list({ all: true })).length, 1);
			await client.containers.prune();
			assert.deepEqual(await client.containers.list({ all: true }), []);
		});
	});
}

describe('ways to an engine', () => {
	const workspace = new Workspace('ways');
	let socket: string;

	before(async function () {
		this.timeout(60_000);
		({ socket } = await dockerEngine(workspace));
	});

	after(async () => {
		await workspace.dispose();
	});

	it('TCP', async () => {
		const port = await relay((open) => net.createServer({ allowHalfOpen: true }, open));
		assert.notEqual((await clientOf(`tcp://127.0.0.1:${port}`).version()).Version, '');
	});

	it('TLS with certificates of both sides; without, and with another authority, it is refused', async () => {
		const folder = certificates();
		const pem = (name: string) => fs.readFileSync(path.join(folder, name));
		const port = await relay((open) =>
			tls.createServer(
				{
					...{ cert: pem('cert.pem'), key: pem('key.pem'), ca: pem('ca.pem'), allowHalfOpen: true },
					...{ requestCert: true, rejectUnauthorized: true },
				},
				open,
			),
		);
		const file = (name: string) => path.join(folder, name);
		const good = { ca: file('ca.pem'), cert: file('cert.pem'), key: file('key.pem'), isVerified: true };
		const host = `tcp://127.0.0.1:${port}`;
		assert.notEqual((await clientOf(host, good).version()).Version, '');
		const bad = [
			{ ...good, ca: undefined },
			{ ...good, cert: undefined, key: undefined },
			{ ...good, ca: file('absent.pem') },
		];
		for (const material of bad) {
			await assert.rejects(clientOf(host, material).version(), EngineUnreachable);
		}
		await assert.rejects(clientOf(host).version(), EngineUnreachable);
	});

	it("ssh's way: a program that docker itself dials through", async () => {
		const bin = workspace.folder('bin');
		const log = path.join(bin, 'log');
		// The user's ssh, with another machine at its end: docker's own dial-stdio on the daemon's socket.
		fs.writeFileSync(
			path.join(bin, 'ssh'),
			`#!/bin/sh\nprintf '%s|' "$@" >> '${log}'; echo >> '${log}'\nexec docker --host 'unix://${socket}' system dial-stdio\n`,
			{ mode: 0o755 },
		);
		await withPath(`${bin}:${process.env['PATH'] ?? ''}`, async () => {
			const client = clientOf('ssh://me@box:2222');
			assert.notEqual((await client.version()).Version, '');
			assert.deepEqual(await client.containers.list(), []);
			const over = new AbortController();
			// The programs that connect may overtake each other.
			const events = client.events({ signal: over.signal, since: String(Date.now() / 1000) });
			const next: Promise<IteratorResult<EventMessage, unknown>> = events[Symbol.asyncIterator]().next();
			await client.volumes.create({ Name: 'far' });
			const first = await within('an event', 10_000, next);
			assert.equal(first.done === true ? '' : first.value.Type, 'volume');
			over.abort();
			await client.volumes.remove('far');
		});
		assert.equal(
			fs.readFileSync(log, 'utf8').split('\n')[0],
			'-T|-o|ConnectTimeout=30|-o|BatchMode=yes|-l|me|-p|2222|--|box|docker|system|dial-stdio|',
		);
	});

	it('the command line: contexts as docker tells them, and an engine by context, host and choice', () => {
		const home = workspace.folder('home');
		const env = { PATH: process.env['PATH'], HOME: home, DOCKER_CONFIG: path.join(home, 'docker') };
		const docker = (...args: string[]) => execFileSync('docker', args, { env, encoding: 'utf8', stdio: 'pipe' });
		const mydocker = (...args: string[]) => {
			const { status, stdout, stderr } = spawnSync(process.execPath, [path.join(dist, 'cli.js'), ...args], {
				...{ env, encoding: 'utf8' },
			});
			return { status, stdout, stderr };
		};
		docker('context', 'create', 'workshop', '--description', 'Bench', '--docker', `host=unix://${socket}`);
		const listed = mydocker('context', 'ls', '--format', '{{.Name}}|{{.Description}}|{{.DockerEndpoint}}').stdout;
		for (const line of docker('context', 'ls', '--format', '{{.Name}}|{{.Description}}|{{.DockerEndpoint}}').split(
			'\n',
		)) {
			assert.ok(listed.includes(line), `${listed} has not ${line}`);
		}
		for (const name of ['workshop', 'default']) {
			const inspected = (text: string): unknown => JSON.parse(text);
			assert.deepEqual(
				inspected(mydocker('context', 'inspect', name).stdout),
				inspected(docker('context', 'inspect', name)),
			);
		}
		const version = ['version', '--format', '{{.Server.Version}}'];
		const expected = docker('-c', 'workshop', ...version);
		assert.equal(mydocker('-c', 'workshop', ...version).stdout, expected);
		assert.equal(mydocker('-H', `unix://${socket}`, ...version).stdout, expected);
		assert.deepEqual(mydocker('context', 'use', 'workshop'), {
			...{ status: 0, stdout: 'workshop\n', stderr: 'Current context is now "workshop"\n' },
		});
		assert.equal(mydocker(...version).stdout, expected);
		assert.equal(mydocker('context', 'show').stdout, 'workshop\n');
		const dry = mydocker('image', 'prune', '--dry-run');
		assert.equal(dry.status, 1);
		assert.match(dry.stderr, /Docker cannot do this; only MyDocker's own engine can/);
		assert.match(mydocker('-c', 'absent', 'ps').stderr, /^context "absent": context not found: open .*meta\.json/);
	});

	it('what cannot be reached is told in a sentence', async () => {
		const bin = workspace.folder('bin');
		fs.writeFileSync(
			path.join(bin, 'ssh'),
			'#!/bin/sh\necho "me@box: Permission denied (publickey)." >&2\nexit 255\n',
			{
				mode: 0o755,
			},
		);
		const file = path.join(bin, 'file.sock');
		fs.writeFileSync(file, '');
		const messages = await withPath(bin, () =>
			Promise.all(
				['unix:///absent/x.sock', `unix://${file}`, 'tcp://127.0.0.1:1', 'ssh://me@box'].map(async (host) =>
					attachEngine(parseHost(host)).then(
						() => assert.fail('reached'),
						(error: unknown) =>
							error instanceof EngineUnreachable ? error.message : assert.fail(String(error)),
					),
				),
			),
		);
		assert.deepEqual(messages, [
			'Cannot reach the engine at unix:///absent/x.sock: there is no such socket; is the engine running?',
			`Cannot reach the engine at unix://${file}: nothing listens there; is the engine running?`,
			'Cannot reach the engine at tcp://127.0.0.1:1: nothing listens there; is the engine running?',
			'Cannot reach the engine at ssh://me@box: me@box: Permission denied (publickey).',
		]);
		const none = await withPath('/nonexistent', () =>
			attachEngine(parseHost('ssh://me@box')).then(() => '', String),
		);
		assert.match(none, /there is no program "ssh"/);
	});

	it('an engine that does not answer is given up on', async () => {
		const server = net.createServer(() => undefined);
		const port = await listen(server);
		await assert.rejects(attachEngine(parseHost(`tcp://127.0.0.1:${port}`), { answerWithin: 200 }), {
			message: `Cannot reach the engine at tcp://127.0.0.1:${port}: no answer within 0.2 s`,
		});
	});

	/** A server in front of the daemon's socket; gives its port. */
	async function relay(create: (open: (socket: net.Socket) => void) => net.Server): Promise<number> {
		return listen(
			create((near) => {
				const far = net.connect({ path: socket, allowHalfOpen: true });
				near.pipe(far).pipe(near);
				near.on('error', () => far.destroy());
				far.on('error', () => near.destroy());
			}),
		);
	}

	async function listen(server: net.Server): Promise<number> {
		const port = await freePort();
		const open = new Set<net.Socket>();
		server.on('connection', (one: net.Socket) => open.add(one));
		await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
		workspace.defer('close the relay', () => {
			server.close();
			open.forEach((one) => one.destroy());
		});
		return port;
	}

	/** ca.pem, and cert.pem with key.pem for 127.0.0.1 that it has signed. */
	function certificates(): string {
		const folder = workspace.folder('tls');
		const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' });
		const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
		openssl('req', '-x509', ...key, '-keyout', 'ca.key', '-out', 'ca.pem', '-subj', '/CN=authority', '-days', '2');
		fs.writeFileSync(path.join(folder, 'names'), 'subjectAltName=IP:127.0.0.1');
		openssl('req', ...key, '-keyout', 'key.pem', '-out', 'request', '-subj', '/CN=engine');
		const signed = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-extfile', 'names', '-days', '2'];
		openssl('x509', '-req', '-in', 'request', '-out', 'cert.pem', ...signed);
		return folder;
	}
});

function clientOf(host: string, material?: TlsMaterial): Client {
	return createClient((signal) => attachEngine(parseHost(host, material), { signal }));
}

async function create(client: Client, image: string, command: string[], name?: string): Promise<string> {
	const body = { Image: image, Cmd: command, HostConfig: { NetworkMode: 'host' } };
	return (await client.containers.create(body, name === undefined ? {} : { name })).Id;
}

async function textOf(chunks: AsyncIterable<OutputChunk>): Promise<{ stdout: string; stderr: string }> {
	const text = { stdout: '', stderr: '' };
	for await (const { stream, data } of chunks) {
		text[stream] += data.toString();
	}
	return text;
}

async function take<T>(source: AsyncIterable<T>): Promise<T[]> {
	const taken: T[] = [];
	for await (const one of source) {
		taken.push(one);
	}
	return taken;
}

function hex(id: string): string {
	return id.replace(/^sha256:/, '');
}
