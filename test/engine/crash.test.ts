import * as assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import * as fs from 'node:fs';
import * as net from 'node:net';
import * as path from 'node:path';
import { build } from '../../src/api/build';
import { createClient } from '../../src/api/client';
import { connectEngine } from '../../src/api/connect';
import type { ContainerInspect } from '../../src/api/types';
import { archiveOf } from './archive';
import { imageOf, noiseLayer } from './fixture';
import { bodyOf, collect, create, launch, logsOf, pull, refused, remove, run, startAndFinish } from './run';
import './setup';
import { checkHolds, checkStore, leftovers } from './store-checks';
import {
	ask,
	embeddedEngine,
	enginePid,
	leaksOf,
	pushImages,
	startRegistries,
	type EngineProcess,
	type Images,
	type Registries,
	type Subject,
} from './subject';
import { delay, dist, endProcess, isAlive, mountsOf, processesOf, readOr, until, within, Workspace } from './workspace';

const POLITE = `trap 'sleep 0.7; echo bye; exit 5' TERM; echo ready; while :; do sleep 0.05; done`;
const STUBBORN = `trap '' TERM; echo ready; while :; do sleep 0.05; done`;

/** The engine may be killed, replaced or leave at any moment: nothing is lost, nothing is half done, nothing is left. */
describe('engine crash', () => {
	const workspace = new Workspace('crash');
	const ids = new Set<string>();
	let registries: Registries;
	let images: Images;

	before(async () => {
		registries = await startRegistries(workspace);
		images = await pushImages(registries);
	});

	after('nothing is left', async () => {
		const { root } = workspace;
		await workspace.dispose();
		assert.deepEqual(leaksOf(root, ids), []);
	});

	function subjectOf(engine: EngineProcess): Subject {
		return { ...engine, name: 'embedded', images, registries, ids };
	}

	/** A new engine with a new store that has busybox. */
	async function freshSubject(options: { readonly idleTimeout?: number } = {}): Promise<Subject> {
		const subject = subjectOf(embeddedEngine(workspace, options));
		await pull(subject, images.busybox.reference);
		return subject;
	}

	describe('killed during a pull', () => {
		let subject: Subject;

		before(async () => {
			subject = await freshSubject();
		});

		afterEach(() => {
			registries.proxy.force();
		});

		for (const moment of momentsBetween(5, 700, 6)) {
			it(`after ${moment} ms: the next pull succeeds, and nothing is half there`, async () => {
				const image = imageOf([noiseLayer(700_000), noiseLayer(300_000), noiseLayer(100_000)]);
				await registries.open.push(`demo/crash-${moment}`, '1', image);
				const reference = `${registries.proxy.host}/demo/crash-${moment}:1`;
				registries.proxy.force(({ path }) =>
					path.includes('/blobs/') ? { kind: 'slow', bytesPerSecond: 1_500_000 } : undefined,
				);
				const query = new URLSearchParams({ fromImage: reference.replace(/:1$/, ''), tag: '1' }).toString();
				const interrupted = ask(subject, 'POST', `/images/create?${query}`);
				interrupted.catch(() => undefined);
				await delay(moment);
				await kill(subject);
				await Promise.allSettled([interrupted]);
				registries.proxy.force();
				// The kill may come when the image is there, and the answer not yet.
				const all = await subject.client.images.list();
				const named = all.filter(({ RepoTags }) => RepoTags?.includes(reference));
				assert.ok(named.every(({ Id }) => Id === image.id));
				checkStore(subject.root);
				await pull(subject, reference);
				assert.equal((await subject.client.images.inspect(reference)).Id, image.id);
				checkStore(subject.root);
				checkHolds(subject.root, image);
				// A record that is just being replaced has a temporary beside it.
				await until('nothing is left', () => leftovers(subject.root).length === 0);
			});
		}
	});

	describe('killed while containers run', () => {
		let subject: Subject;

		before(async () => {
			subject = await freshSubject();
		});

		it('volume in memory: stays with its container, and goes when that has ended meanwhile', async () => {
			const DriverOpts = { type: 'tmpfs', device: 'tmpfs' };
			const { Mountpoint: place } = await subject.client.volumes.create({ Name: 'memory', DriverOpts });
			const host = { NetworkMode: 'none', Binds: ['memory:/data'] };
			const id = await launch(subject, { Cmd: ['sh', '-c', 'echo kept >/data/a; sleep 60'], HostConfig: host });
			await until('it has written', () => readOr(`${place}/a`, '') !== '');
			await kill(subject);
			await subject.client.version();
			assert.equal((await run(subject, { Cmd: ['cat', '/data/a'], HostConfig: host })).stdout, 'kept\n');
			const { Pid: pid } = (await subject.client.containers.inspect(id)).State;
			await kill(subject);
			await endProcess(pid, 'SIGKILL');
			await subject.client.version();
			await until('it is unmounted', () => mountsOf(place).length === 0);
			await remove(subject, id);
			await subject.client.volumes.remove('memory');
		});

		it('shared memory that others may join: can be joined after the kill, and is unmounted when its container has ended', async () => {
			const script = 'echo kept >/dev/shm/a; sleep 60';
			const host = { NetworkMode: 'none', IpcMode: 'shareable' };
			const id = await launch(subject, { Cmd: ['sh', '-c', script], HostConfig: host });
			const place = path.join(subject.root, 'containers', id, 'shm');
			await until('it has written', () => readOr(`${place}/a`, '') !== '');
			await kill(subject);
			const joined = await run(subject, {
				Cmd: ['cat', '/dev/shm/a'],
				HostConfig: { NetworkMode: 'none', IpcMode: `container:${id}` },
			});
			assert.equal(joined.stdout, 'kept\n');
			const { Pid: pid } = (await subject.client.containers.inspect(id)).State;
			await kill(subject);
			await endProcess(pid, 'SIGKILL');
			await subject.client.version();
			await until('it is unmounted', () => mountsOf(place).length === 0);
			await remove(subject, id);
		});

		it('heavy output: each of two million lines is in the log once, in order', async function () {
			this.timeout(240_000);
			const count = 1_000_000;
			const id = await launch(subject, {
				Cmd: ['sh', '-c', `seq 1 ${count} >&2 & seq 1 ${count}; wait`],
				HostConfig: { LogConfig: { Type: 'json-file', Config: { 'max-size': '1g' } } },
			});
			for (const moment of momentsBetween(50, 500, 10)) {
				await delay(moment);
				await kill(subject);
				await subject.client.version();
			}
			const { exit } = await subject.client.containers.wait(id);
			assert.equal(await within('the container', 180_000, exit), 0);
			assert.deepEqual(await countLines(subject, id), { stdout: count, stderr: count });
			await remove(subject, id);
		});

		it('output while no engine runs: is in the log afterwards', async () => {
			const id = await launch(subject, {
				Cmd: ['sh', '-c', 'for i in $(seq 1 100); do echo $i; usleep 5000; done; exit 3'],
			});
			await kill(subject);
			await delay(900);
			const { exit } = await subject.client.containers.wait(id);
			assert.equal(await within('the exit', 5000, exit), 3);
			const lines = Array.from({ length: 100 }, (_, index) => `${index + 1}\n`).join('');
			assert.equal((await logsOf(subject, id)).stdout, lines);
			const { State } = await subject.client.containers.inspect(id);
			assert.deepEqual([State.Status, State.ExitCode], ['exited', 3]);
			assert.ok(Date.parse(State.FinishedAt) - Date.parse(State.StartedAt) < 5000, 'the end is when it ended');
			await remove(subject, id);
		});

		it('a running container: keeps its process, and can be stopped by the next engine', async () => {
			const id = await launch(subject, { Cmd: ['sh', '-c', POLITE] });
			await until('it is ready', async () => (await logsOf(subject, id)).stdout === 'ready\n');
			const before = await subject.client.containers.inspect(id);
			await kill(subject);
			const after = await subject.client.containers.inspect(id);
			assert.deepEqual(after.State, before.State);
			await subject.client.containers.stop(id);
			const { State } = await subject.client.containers.inspect(id);
			assert.deepEqual([State.Status, State.ExitCode], ['exited', 5]);
			assert.equal((await logsOf(subject, id)).stdout, 'ready\nbye\n');
			await remove(subject, id);
		});

		it('follow: a client that asks again gets the rest', async () => {
			const id = await launch(subject, {
				Cmd: ['sh', '-c', 'for i in $(seq 1 60); do echo $i; usleep 20000; done'],
			});
			const first = logsOf(subject, id, { follow: true });
			first.catch(() => undefined);
			await delay(300);
			await kill(subject);
			await assert.rejects(first);
			const { stdout } = await within('follow', 10_000, logsOf(subject, id, { follow: true }));
			assert.equal(stdout, Array.from({ length: 60 }, (_, index) => `${index + 1}\n`).join(''));
			await remove(subject, id);
		});

		for (const [what, script, code] of [
			['handles', POLITE, 5],
			['ignores', STUBBORN, 137],
		] as const) {
			it(`during the stop of a container that ${what} SIGTERM: it ends stopped, with ${code}`, async () => {
				const id = await launch(subject, { Cmd: ['sh', '-c', script], StopTimeout: 2 });
				await until('it is ready', async () => (await logsOf(subject, id)).stdout === 'ready\n');
				const stop = ask(subject, 'POST', `/containers/${id}/stop`);
				stop.catch(() => undefined);
				await delay(300);
				await kill(subject);
				await assert.rejects(stop);
				const { exit } = await subject.client.containers.wait(id);
				assert.equal(await within('the exit', 8000, exit), code);
				assert.equal((await subject.client.containers.inspect(id)).State.Status, 'exited');
				await remove(subject, id);
			});
		}

		it('told to leave by SIGTERM: the container goes on, and its log is whole', async () => {
			const id = await launch(subject, {
				Cmd: ['sh', '-c', 'for i in $(seq 1 20000); do echo $i; done; sleep 0.5; echo end'],
			});
			await delay(100);
			const pid = enginePid(subject.root) ?? assert.fail('no engine');
			await endProcess(pid, 'SIGTERM');
			const { exit } = await subject.client.containers.wait(id);
			await within('the exit', 10_000, exit);
			const lines = Array.from({ length: 20000 }, (_, index) => `${index + 1}\n`).join('');
			assert.ok((await logsOf(subject, id)).stdout === `${lines}end\n`, 'every line');
			await remove(subject, id);
		});
	});

	describe('killed with terminals and execs', () => {
		const WAITS = 'trap "exit 0" TERM; while :; do sleep 0.05; done';
		let subject: Subject;
		let container: string;

		before(async () => {
			subject = await freshSubject();
		});

		beforeEach(async () => {
			container = await launch(subject, { Cmd: ['sh', '-c', WAITS] });
		});

		afterEach('nothing of an exec is left', async () => {
			await remove(subject, container);
			assert.deepEqual(execsOf(subject.root), []);
		});

		/** Starts `script` with a client; gives its process and its first line. */
		async function open(script: string, tty: boolean): Promise<{ pid: number; closed: Promise<unknown> }> {
			const { execs } = subject.client;
			const id = await execs.create(container, {
				...{ Cmd: ['sh', '-c', script], AttachStdin: true, AttachStdout: true, AttachStderr: true, Tty: tty },
			});
			const session = await execs.start(id, { tty });
			const output = session.output[Symbol.asyncIterator]();
			await output.next();
			return { pid: (await execs.inspect(id)).Pid, closed: output.next().catch(() => undefined) };
		}

		/** The container is the same that it was, and another exec works in it. */
		async function checkContainer({ State }: ContainerInspect): Promise<void> {
			assert.deepEqual((await subject.client.containers.inspect(container)).State, State);
			const { execs } = subject.client;
			const id = await execs.create(container, { Cmd: ['sh', '-c', 'echo works; exit 3'], AttachStdout: true });
			assert.equal((await collect((await execs.start(id, { tty: false })).output)).stdout, 'works\n');
			assert.equal((await execs.inspect(id)).ExitCode, 3);
		}

		it('heavy output of a terminal: each of 400 thousand lines is in the log once, in order', async function () {
			this.timeout(120_000);
			const id = await launch(subject, {
				...{ Cmd: ['seq', '1', '400000'], Tty: true },
				HostConfig: { LogConfig: { Type: 'json-file', Config: { 'max-size': '1g' } } },
			});
			for (const moment of momentsBetween(50, 400, 6)) {
				await delay(moment);
				await kill(subject);
				await subject.client.version();
			}
			const { exit } = await subject.client.containers.wait(id);
			assert.equal(await within('the container', 90_000, exit), 0);
			const lines = Array.from({ length: 400_000 }, (_, index) => `${index + 1}\r\n`).join('');
			const { stdout } = await logsOf(subject, id);
			assert.ok(stdout === lines, `${stdout.length} bytes of ${lines.length}, ending in "${stdout.slice(-20)}"`);
			await remove(subject, id);
		});

		for (const [what, tty] of [
			['an exec with a client', false],
			['an exec with a client and a terminal', true],
		] as const) {
			it(`${what}: ends with the engine, the container does not`, async () => {
				const before = await subject.client.containers.inspect(container);
				const { pid, closed } = await open('echo ready; sleep 100', tty);
				await kill(subject);
				await closed;
				await checkContainer(before);
				await until('the process is gone', () => !isAlive(pid));
				await until('its files are gone', () => execsOf(subject.root).length === 0);
			});
		}

		for (const tty of [false, true]) {
			it(`a detached exec${tty ? ' with a terminal' : ''}: goes on, and its files go when it has ended`, async () => {
				const before = await subject.client.containers.inspect(container);
				const { execs } = subject.client;
				const script = 'until [ -e /tmp/go ]; do sleep 0.05; done; seq 1 100000; echo done >/tmp/done';
				const id = await execs.create(container, { Cmd: ['sh', '-c', script], Tty: tty });
				await execs.startDetached(id);
				const { Pid: pid } = await execs.inspect(id);
				await kill(subject);
				await checkContainer(before);
				assert.ok(isAlive(pid), 'it goes on');
				await kill(subject);
				await subject.client.version();
				const go = await execs.create(container, { Cmd: ['touch', '/tmp/go'] });
				await execs.startDetached(go);
				await until('it has ended', () => !isAlive(pid));
				const read = await execs.create(container, { Cmd: ['cat', '/tmp/done'], AttachStdout: true });
				assert.equal((await collect((await execs.start(read, { tty: false })).output)).stdout, 'done\n');
			});
		}

		for (const [what, flags, script] of [
			[
				'without a terminal',
				[],
				'echo ready; until [ -e /tmp/go ]; do sleep 0.05; done; seq 1 100000; touch /tmp/done',
			],
			[
				'with a terminal',
				['-t'],
				'echo ready; until [ -e /tmp/go ]; do sleep 0.05; done; seq 1 100000; touch /tmp/done',
			],
			['with an input', ['-i'], 'echo ready; cat; touch /tmp/done'],
		] as const) {
			it(`a client killed with an exec ${what}: the command goes on to its end, and the engine keeps nothing`, async () => {
				const before = await subject.client.containers.inspect(container);
				const engine = enginePid(subject.root) ?? assert.fail('no engine');
				const openFiles = openFilesOf(engine);
				const cli = spawn(
					process.execPath,
					[
						...[path.join(dist, 'cli.js'), '--root', subject.root, 'exec', ...flags, container],
						...['sh', '-c', script],
					],
					{ stdio: ['pipe', 'pipe', 'inherit'] },
				);
				workspace.defer('end the client', () => {
					cli.kill('SIGKILL');
				});
				await new Promise((resolve) => cli.stdout.once('data', resolve));
				const answer = await ask(subject, 'GET', `/containers/${container}/json`);
				const { ExecIDs } = JSON.parse(answer.body.toString()) as { ExecIDs: string[] };
				const { Pid: pid } = await subject.client.execs.inspect(ExecIDs[0] ?? '');
				const ended = new Promise((resolve) => cli.once('exit', resolve));
				cli.kill('SIGKILL');
				await ended;
				const go = await subject.client.execs.create(container, { Cmd: ['touch', '/tmp/go'] });
				await subject.client.execs.startDetached(go);
				await until('it has ended', () => !isAlive(pid));
				const check = await subject.client.execs.create(container, { Cmd: ['ls', '/tmp/done'] });
				await collect((await subject.client.execs.start(check, { tty: false })).output);
				assert.equal((await subject.client.execs.inspect(check)).ExitCode, 0, 'it came to its end');
				await until('its files are gone', () => execsOf(subject.root).length === 0);
				assert.equal(enginePid(subject.root), engine);
				await until('the engine has no more open than before', () => openFilesOf(engine) <= openFiles);
				await checkContainer(before);
			});
		}
	});

	describe('killed in the middle of small things', () => {
		let subject: Subject;

		before(async () => {
			subject = await freshSubject();
		});

		for (const moment of momentsBetween(0, 40, 4)) {
			it(`create, after ${moment} ms: the container is there whole, or not at all`, async () => {
				const creating = create(subject, { Cmd: ['true'] }, { name: 'created' });
				creating.catch(() => undefined);
				await delay(moment);
				await kill(subject);
				await creating.catch(() => undefined);
				for (const container of await subject.client.containers.list({ all: true })) {
					ids.add(container.Id);
					assert.equal((await startAndFinish(subject, container.Id)).exitCode, 0);
					await remove(subject, container.Id);
				}
				checkContainerFolders(subject.root);
				await remove(subject, await create(subject, { Cmd: ['true'] }, { name: 'created' }));
			});
		}

		for (const moment of momentsBetween(0, 120, 4)) {
			it(`clone of a volume, after ${moment} ms: the copy is there whole, or not at all`, async () => {
				const { volumes } = subject.client;
				const content = Buffer.alloc(4 * 1024 ** 2, 'x');
				await volumes.restore('source', archiveOf([{ name: 'file', content }]), { force: true });
				const cloning = volumes.clone('source', 'copy');
				cloning.catch(() => undefined);
				await delay(moment);
				await kill(subject);
				await cloning.catch(() => undefined);
				for (const { Name, Mountpoint: place } of await volumes.list()) {
					assert.equal(fs.statSync(`${place}/file`).size, content.length, Name);
				}
				await volumes.remove('copy', { force: true });
				assert.deepEqual(fs.readdirSync(`${subject.root}/volumes`), ['source']);
			});
		}

		for (const moment of momentsBetween(0, 150, 6)) {
			it(`start, after ${moment} ms: the container runs, has ended, or can be started`, async () => {
				const id = await create(subject, { Cmd: ['sh', '-c', 'echo once; sleep 0.3'] });
				// Our client would ask again; this is about the engine.
				const starting = ask(subject, 'POST', `/containers/${id}/start`);
				starting.catch(() => undefined);
				await delay(moment);
				await kill(subject);
				await starting.catch(() => undefined);
				const settled = await until('the container has settled', async () => {
					const { State } = await subject.client.containers.inspect(id);
					return State.Status === 'running' || State.Status === 'starting' ? false : State;
				});
				assert.ok(['created', 'exited'].includes(settled.Status), settled.Status);
				if (settled.Status === 'exited') {
					assert.deepEqual([settled.ExitCode, (await logsOf(subject, id)).stdout], [0, 'once\n']);
				}
				const again = await startAndFinish(subject, id);
				assert.equal(again.exitCode, 0);
				await remove(subject, id);
			});
		}

		for (const moment of momentsBetween(0, 60, 4)) {
			it(`remove, after ${moment} ms: the container goes whole`, async () => {
				const id = await launch(subject, { Cmd: ['sleep', '100'] });
				const removing = subject.client.containers.remove(id, { force: true });
				removing.catch(() => undefined);
				await delay(moment);
				await kill(subject);
				await removing.catch(() => undefined);
				const left = await subject.client.containers.list({ all: true });
				for (const container of left) {
					await remove(subject, container.Id);
				}
				await refused(subject.client.containers.inspect(id), 404, `No such container: ${id}`);
				checkContainerFolders(subject.root);
			});
		}
	});

	describe('other processes killed', () => {
		let subject: Subject;

		before(async () => {
			subject = await freshSubject();
		});

		it('the shim: the container ends, with an unknown exit code and the reason', async () => {
			const id = await launch(subject, { Cmd: ['sleep', '100'] });
			const { State } = await subject.client.containers.inspect(id);
			const { exit } = await subject.client.containers.wait(id);
			process.kill(recordOf(subject, id).shim.pid, 'SIGKILL');
			assert.equal(await within('the exit', 10_000, exit), 255);
			const after = await subject.client.containers.inspect(id);
			assert.equal(after.State.Status, 'exited');
			assert.notEqual(after.State.Error, '');
			assert.ok(!isAlive(State.Pid), 'the process is gone');
			await remove(subject, id);
		});

		it('the runtime: the container ends, and no process of it is left', async () => {
			const id = await launch(subject, { Cmd: ['sleep', '100'] });
			const { State } = await subject.client.containers.inspect(id);
			const { exit } = await subject.client.containers.wait(id);
			const runtime = parentOf(State.Pid);
			assert.match(readOr(`/proc/${runtime}/cmdline`, ''), /(crun|runc)/);
			process.kill(runtime, 'SIGKILL');
			await within('the exit', 10_000, exit);
			assert.equal((await subject.client.containers.inspect(id)).State.Status, 'exited');
			await until('the process is gone', () => !isAlive(State.Pid));
			await remove(subject, id);
		});

		it('the receiver of a terminal: the container ends, and no process of it is left', async () => {
			const id = await launch(subject, { Cmd: ['sleep', '100'], Tty: true });
			const { State } = await subject.client.containers.inspect(id);
			const { exit } = await subject.client.containers.wait(id);
			const receiver = parentOf(State.Pid);
			assert.match(readOr(`/proc/${receiver}/cmdline`, ''), /^perl\0/);
			process.kill(receiver, 'SIGKILL');
			await within('the exit', 10_000, exit);
			assert.equal((await subject.client.containers.inspect(id)).State.Status, 'exited');
			await until('the process is gone', () => !isAlive(State.Pid));
			await remove(subject, id);
		});

		it('the container itself: has ended with 137', async () => {
			const id = await launch(subject, { Cmd: ['sleep', '100'] });
			const { State } = await subject.client.containers.inspect(id);
			const { exit } = await subject.client.containers.wait(id);
			process.kill(State.Pid, 'SIGKILL');
			assert.equal(await within('the exit', 5000, exit), 137);
			await remove(subject, id);
		});

		it('everything at once, and another process has the pid: the container has ended, the other is left alone', async () => {
			const id = await launch(subject, { Cmd: ['sleep', '100'] });
			const { State } = await subject.client.containers.inspect(id);
			const record = recordOf(subject, id);
			await kill(subject);
			process.kill(record.shim.pid, 'SIGKILL');
			await endProcess(State.Pid, 'SIGKILL');
			await until('the shim is gone', () => !isAlive(record.shim.pid));
			const bystander = spawn('sleep', ['100'], { stdio: 'ignore' });
			workspace.defer('end the bystander', () => {
				bystander.kill('SIGKILL');
			});
			const pid = bystander.pid ?? assert.fail('no pid');
			const changed = { ...record, process: { ...record.process, pid }, shim: { ...record.shim, pid } };
			fs.writeFileSync(recordFile(subject, id), JSON.stringify(changed));
			const after = await subject.client.containers.inspect(id);
			assert.deepEqual([after.State.Status, after.State.Running], ['exited', false]);
			assert.ok(isAlive(pid), 'the bystander lives');
			await remove(subject, id);
			assert.ok(isAlive(pid), 'the bystander still lives');
		});

		it('the machine was restarted: what ran has ended', async () => {
			const id = await launch(subject, { Cmd: ['sleep', '100'] });
			const { State } = await subject.client.containers.inspect(id);
			const record = recordOf(subject, id);
			await kill(subject);
			process.kill(record.shim.pid, 'SIGKILL');
			await endProcess(State.Pid, 'SIGKILL');
			const boot_id = '00000000-0000-0000-0000-000000000000';
			const changed = { ...record, process: { ...record.process, boot_id }, shim: { ...record.shim, boot_id } };
			fs.writeFileSync(recordFile(subject, id), JSON.stringify(changed));
			assert.equal((await subject.client.containers.inspect(id)).State.Status, 'exited');
			await subject.client.containers.start(id);
			assert.equal((await subject.client.containers.inspect(id)).State.Status, 'running');
			await remove(subject, id);
		});
	});

	describe('killed with restart policies', () => {
		let subject: Subject;
		const policy = (Name: string) => ({ RestartPolicy: { Name, MaximumRetryCount: 0 } });

		before(async () => {
			subject = await freshSubject();
		});

		it('an exit while no engine runs: the next engine starts the container again, and counts once', async () => {
			const id = await launch(subject, { Cmd: ['sleep', '100'], HostConfig: policy('on-failure') });
			const { State } = await subject.client.containers.inspect(id);
			await kill(subject);
			await endProcess(State.Pid, 'SIGKILL');
			const after = await inspectUntil(subject, id, 'running');
			assert.deepEqual([after.RestartCount, after.State.Pid === State.Pid], [1, false]);
			await remove(subject, id);
		});

		it('a container that waits for its next start: gets it from the next engine, with one log', async () => {
			const id = await launch(subject, { Cmd: ['sh', '-c', 'echo run; exit 7'], HostConfig: policy('always') });
			for (const moment of momentsBetween(50, 900, 3)) {
				await delay(moment);
				await kill(subject);
				await subject.client.version();
			}
			const { RestartCount } = await inspectUntil(subject, id, 'restarting');
			await subject.client.containers.stop(id);
			const { RestartCount: last } = await subject.client.containers.inspect(id);
			const runs = (await logsOf(subject, id)).stdout.split('\n').length - 1;
			assert.ok(last >= RestartCount && runs >= last && runs <= last + 1, `${runs} runs, ${last} restarts`);
			await remove(subject, id);
		});

		it('what a person had stopped: stays down after another engine, and after a boot unless it is "always"', async () => {
			const started = ['always', 'unless-stopped', 'no'].map((name) =>
				launch(subject, { Cmd: ['sleep', '100'], HostConfig: policy(name) }),
			);
			const ids = await Promise.all(started);
			const states = async (): Promise<string[]> =>
				Promise.all(ids.map(async (id) => (await subject.client.containers.inspect(id)).State.Status));
			await Promise.all(ids.map((id) => subject.client.containers.stop(id, { timeout: 0 })));
			await kill(subject);
			assert.deepEqual(await states(), ['exited', 'exited', 'exited']);
			await kill(subject);
			fs.writeFileSync(path.join(subject.root, 'run', 'boot'), '00000000-0000-0000-0000-000000000000');
			await inspectUntil(subject, ids[0] ?? '', 'running');
			assert.deepEqual(await states(), ['running', 'exited', 'exited']);
			await Promise.all(ids.map((id) => remove(subject, id)));
		});

		it('an engine that nobody needs: stays while a container waits for its restart', async () => {
			const lonely = await freshSubject({ idleTimeout: 1 });
			const id = await launch(lonely, { Cmd: ['sh', '-c', 'exit 1'], HostConfig: policy('always') });
			await delay(4000);
			assert.notEqual(enginePid(lonely.root), undefined);
			await remove(lonely, id);
		});
	});

	describe('killed with health checks', () => {
		it('the next engine: goes on with the status that there was, and with the checks', async () => {
			const subject = await freshSubject();
			const id = await launch(subject, {
				Cmd: ['sh', '-c', 'touch /tmp/well; sleep 100'],
				Healthcheck: { Test: ['CMD', 'rm', '/tmp/well'], Interval: 300_000_000, Retries: 3 },
			});
			const statusUntil = async (status: string): Promise<void> => {
				await until(`it is ${status}`, async () => {
					const { State } = await subject.client.containers.inspect(id);
					return State.Health?.Status === status;
				});
			};
			await statusUntil('healthy');
			await kill(subject);
			assert.equal((await subject.client.containers.inspect(id)).State.Health?.Status, 'healthy');
			await statusUntil('unhealthy');
			await remove(subject, id);
		});
	});

	describe('files that are damaged', () => {
		let subject: Subject;

		beforeEach(async () => {
			subject = await freshSubject();
		});

		afterEach(async () => {
			const pid = enginePid(subject.root);
			if (pid !== undefined) {
				await endProcess(pid);
			}
		});

		for (const [what, damage] of [
			['is not JSON', (text: string) => `{]${text}`],
			['is cut off', (text: string) => text.slice(0, text.length / 2)],
			['is empty', () => ''],
			['lacks members', () => '{}'],
			['has the wrong types', (text: string) => text.replace(/"config": \{/, '"config": 7, "was": {')],
		] as const) {
			it(`a container record that ${what}: is set aside with a warning, the others are fine`, async () => {
				const good = await create(subject, { Cmd: ['true'] }, { name: 'good' });
				const bad = await create(subject, { Cmd: ['true'] }, { name: 'bad' });
				await kill(subject);
				const file = recordFile(subject, bad);
				fs.writeFileSync(file, damage(fs.readFileSync(file, 'utf8')));
				const names = (await subject.client.containers.list({ all: true })).map((container) => container.Id);
				assert.deepEqual(names, [good]);
				assert.ok(
					fs
						.readdirSync(path.dirname(file))
						.some((name) => name.startsWith(`${path.basename(file)}.corrupt`)),
				);
				assert.match(readOr(path.join(subject.root, 'engine.log'), ''), new RegExp(`${bad}.*corrupt`, 'i'));
				assert.equal((await startAndFinish(subject, good)).exitCode, 0);
				await remove(subject, good);
			});
		}

		it('an image record: is set aside with a warning, and the image can be pulled again', async () => {
			await kill(subject);
			const folder = path.join(subject.root, 'records');
			const record = fs.readdirSync(folder).find((name) => name.startsWith('image-')) ?? assert.fail('no record');
			fs.writeFileSync(path.join(folder, record), 'damaged');
			assert.deepEqual(await subject.client.images.list(), []);
			assert.ok(fs.readdirSync(folder).some((name) => name.startsWith(`${record}.corrupt`)));
			await pull(subject, images.busybox.reference);
			assert.equal((await run(subject, { Cmd: ['true'] })).exitCode, 0);
		});

		it('a log whose last line is cut off: what is before it can be read, and the next run is logged', async () => {
			const { id } = await run(subject, { Cmd: ['seq', '1', '3'] }, { keep: true });
			const { LogPath } = await subject.client.containers.inspect(id);
			await kill(subject);
			fs.appendFileSync(LogPath, '{"log":"half a li');
			assert.match((await logsOf(subject, id)).stdout, /^1\n2\n3\n/);
			await subject.client.containers.start(id);
			const { exit } = await subject.client.containers.wait(id);
			await exit;
			const { stdout } = await logsOf(subject, id);
			assert.match(stdout, /^1\n2\n3\n/);
			assert.match(stdout, /1\n2\n3\n$/);
			assert.ok(stdout.length >= 12, stdout);
			await remove(subject, id);
		});

		it('a layer that was damaged or lost: is unpacked again from its blob', async () => {
			await kill(subject);
			const layers = path.join(subject.root, 'layers');
			for (const name of fs.readdirSync(layers)) {
				fs.rmSync(path.join(layers, name), { recursive: true });
			}
			await subject.client.version();
			assert.equal((await run(subject, { Cmd: ['echo', 'back'] })).stdout, 'back\n');
		});

		it('a stale socket, a stale record of an engine: are replaced', async () => {
			await kill(subject);
			const socket = path.join(subject.root, 'run', 'api.sock');
			fs.rmSync(socket, { force: true });
			const server = net.createServer().listen(socket);
			await new Promise((resolve) => server.once('listening', resolve));
			// Node unlinks the socket when the server closes; a crash does not, so it is put back.
			fs.renameSync(socket, `${socket}.kept`);
			await new Promise((resolve) => server.close(resolve));
			fs.renameSync(`${socket}.kept`, socket);
			const record = path.join(subject.root, 'run', 'engine.json');
			const stale: unknown = {
				pid: process.pid,
				start_time: '1',
				boot_id: 'x',
				version: '0.1.0',
				build: build.time,
			};
			fs.writeFileSync(record, JSON.stringify(stale));
			assert.equal((await run(subject, { Cmd: ['true'] })).exitCode, 0);
			assert.notEqual(enginePid(subject.root), process.pid);
		});
	});

	describe('election', () => {
		it('eight clients at once: one engine, and all are served', async () => {
			const { root } = embeddedEngine(workspace);
			const codes = await Promise.all(
				Array.from({ length: 8 }, async () => {
					const child = spawn(process.execPath, [path.join(dist, 'cli.js'), '--root', root, 'ps', '-q'], {
						stdio: 'ignore',
					});
					return new Promise((resolve) => child.once('exit', resolve));
				}),
			);
			assert.deepEqual(codes, Array<number>(8).fill(0));
			// Who has lost may still be on its way out when all have been served.
			await until('the losers are gone', () => enginesOf(root).length === 1);
		});

		it('eight clients at once after a crash: one engine', async () => {
			const subject = subjectOf(embeddedEngine(workspace));
			await subject.client.version();
			await kill(subject);
			const clients = Array.from({ length: 8 }, () =>
				createClient((signal) =>
					connectEngine(
						{ root: subject.root, engine: path.join(dist, 'engine.js'), idleTimeout: 300 },
						signal,
					),
				),
			);
			await Promise.all(clients.map((client) => client.version()));
			await until('the losers are gone', () => enginesOf(subject.root).length === 1);
		});

		it('an older engine: is replaced, its container goes on, and the log is whole', async () => {
			const { root, client } = embeddedEngine(workspace);
			const subject = subjectOf({ root, client, socket: path.join(root, 'run', 'api.sock') });
			const old = path.join(workspace.folder('old'), 'engine.js');
			const source = fs.readFileSync(path.join(dist, 'engine.js'), 'utf8');
			assert.ok(source.includes(String(build.time)), 'the engine and the tests are of one build');
			fs.writeFileSync(old, source.replaceAll(String(build.time), String(build.time - 1000)));
			for (const name of fs.readdirSync(dist).filter((file) => file.endsWith('worker.js'))) {
				fs.copyFileSync(path.join(dist, name), path.join(path.dirname(old), name));
			}
			// What an older build would do to connect: start its own engine.
			const engine = spawn(process.execPath, [old, '--root', root, '--idle', '300'], {
				stdio: 'ignore',
				detached: true,
			});
			workspace.defer('end the older engine', () => {
				engine.kill('SIGKILL');
			});
			const socket = path.join(root, 'run', 'api.sock');
			await until('the older engine is ready', () => fs.existsSync(socket));
			const before = createClient(() => Promise.resolve(socket));
			for await (const message of before.images.pull(images.busybox.reference)) {
				assert.equal(message.error, undefined);
			}
			const { Id } = await before.containers.create(
				bodyOf(subject, { Cmd: ['sh', '-c', 'for i in $(seq 1 100); do echo $i; usleep 10000; done'] }),
			);
			ids.add(Id);
			await before.containers.start(Id);
			const oldPid = enginePid(root);
			assert.equal(oldPid, engine.pid);

			const { State } = await client.containers.inspect(Id);
			assert.equal(State.Status, 'running');
			await until('the older engine is gone', () => !isAlive(engine.pid ?? 0));
			assert.notEqual(enginePid(root), oldPid);
			const { stdout } = await within('follow', 10_000, logsOf(subject, Id, { follow: true }));
			assert.equal(stdout, Array.from({ length: 100 }, (_, index) => `${index + 1}\n`).join(''));
			await remove(subject, Id);
		});
	});

	describe('idle', () => {
		it('an engine that nobody needs: leaves, and comes back when asked', async () => {
			const { root, socket } = embeddedEngine(workspace);
			const connect = (): Promise<string> =>
				connectEngine({ root, engine: path.join(dist, 'engine.js'), idleTimeout: 1 });
			await connect();
			const pid = enginePid(root) ?? assert.fail('no engine');
			await until('the engine has left', () => !isAlive(pid), 5000);
			assert.ok(!fs.existsSync(socket), 'the socket is gone');
			await connect();
			const next = enginePid(root) ?? assert.fail('no engine');
			assert.notEqual(next, pid);
			await until('the engine has left again', () => !isAlive(next), 5000);
		});

		it('a running container, and a client that is connected: keep it', async () => {
			const subject = subjectOf(embeddedEngine(workspace, { idleTimeout: 1 }));
			await subject.client.version();
			const pid = enginePid(subject.root) ?? assert.fail('no engine');
			await pull(subject, images.busybox.reference);
			const id = await launch(subject, { Cmd: ['sleep', '3'] });
			const { State } = await subject.client.containers.inspect(id);
			const events = new AbortController();
			const listening = ask(subject, 'GET', '/events', undefined, events.signal);
			listening.catch(() => undefined);
			await delay(2000);
			assert.ok(isAlive(pid), 'while the container runs');
			await until('the container has ended', () => !isAlive(State.Pid));
			await delay(1500);
			assert.ok(isAlive(pid), 'while a client listens');
			events.abort();
			await assert.rejects(listening);
			// Our own client keeps a connection for its next question for a few seconds.
			await until('the engine has left', () => !isAlive(pid), 15_000);
			await remove(subject, id);
		});
	});

	describe('store', () => {
		it('folder, socket and files: are for their owner only', async () => {
			const subject = await freshSubject();
			const mode = (name: string): string =>
				(fs.statSync(path.join(subject.root, name)).mode & 0o777).toString(8);
			assert.deepEqual(
				['', 'run', 'run/api.sock', 'records', 'blobs', 'lock', 'engine.log'].map(
					(name) => `${name} ${mode(name)}`,
				),
				[' 700', 'run 700', 'run/api.sock 600', 'records 700', 'blobs 700', 'lock 600', 'engine.log 600'],
			);
		});

		it('a folder with spaces and foreign letters: works', async () => {
			const root = path.join(workspace.folder('store'), 'a store, \'größer\' "日本" $HOME');
			const connect = (signal?: AbortSignal): Promise<string> =>
				connectEngine({ root, engine: path.join(dist, 'engine.js'), idleTimeout: 300 }, signal);
			const subject = subjectOf({
				root,
				client: createClient(connect),
				socket: path.join(root, 'run', 'api.sock'),
			});
			workspace.defer('end the engine of the strange folder', async () => {
				const pid = enginePid(root);
				await (pid === undefined ? undefined : endProcess(pid));
			});
			await pull(subject, images.busybox.reference);
			const result = await run(subject, { Cmd: ['sh', '-c', 'echo out; echo err >&2; exit 4'] });
			assert.deepEqual([result.exitCode, result.stdout, result.stderr], [4, 'out\n', 'err\n']);
		});

		it('an image: can be read by other tools as an OCI layout', async () => {
			const subject = await freshSubject();
			checkStore(subject.root);
			checkHolds(subject.root, images.busybox.fixture);
		});
	});
});

async function inspectUntil(subject: Subject, id: string, status: string): Promise<ContainerInspect> {
	return until(`the container is ${status}`, async () => {
		const container = await subject.client.containers.inspect(id);
		return container.State.Status === status ? container : undefined;
	});
}

/** So many moments, spread over the range with some chance, so that every run of the suite tries others. */
function momentsBetween(least: number, most: number, count: number): number[] {
	const step = (most - least) / count;
	return Array.from({ length: count }, (_, index) => Math.round(least + (index + Math.random()) * step));
}

/** Kills the engine with SIGKILL and waits until it is gone. The next call of the client starts another. */
async function kill(subject: Subject): Promise<void> {
	const pid = enginePid(subject.root);
	if (pid !== undefined) {
		await endProcess(pid, 'SIGKILL');
	}
}

/** Folders of execs. */
function execsOf(root: string): string[] {
	const folder = path.join(root, 'run', 'exec');
	return fs.existsSync(folder) ? fs.readdirSync(folder) : [];
}

function openFilesOf(pid: number): number {
	return fs.readdirSync(`/proc/${pid}/fd`).length;
}

function enginesOf(root: string): number[] {
	return processesOf(root)
		.filter(({ command }) => command.includes('engine.js') && command.includes(`--root ${root}`))
		.map(({ pid }) => pid);
}

/** A folder for each record, a record for each folder. */
function checkContainerFolders(root: string): void {
	const records = fs
		.readdirSync(path.join(root, 'records'))
		.flatMap((name) => /^container-([0-9a-f]{64})\.json$/.exec(name)?.[1] ?? []);
	assert.deepEqual(fs.readdirSync(path.join(root, 'containers')).sort(), records.sort());
}

interface RecordOnDisk {
	readonly process: { readonly pid: number };
	readonly shim: { readonly pid: number };
}

function recordFile(subject: Subject, id: string): string {
	return path.join(subject.root, 'records', `container-${id}.json`);
}

function recordOf(subject: Subject, id: string): RecordOnDisk {
	return JSON.parse(fs.readFileSync(recordFile(subject, id), 'utf8')) as RecordOnDisk;
}

function parentOf(pid: number): number {
	const stat = fs.readFileSync(`/proc/${pid}/stat`, 'latin1');
	return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
}

/** Reads a log of numbered lines; throws at the first that is missing, doubled or out of order. */
async function countLines(subject: Subject, id: string): Promise<{ stdout: number; stderr: number }> {
	const last = { stdout: 0, stderr: 0 };
	const rest = { stdout: '', stderr: '' };
	for await (const { stream, data } of subject.client.containers.logs(id)) {
		const lines = (rest[stream] + data.toString('latin1')).split('\n');
		rest[stream] = lines.pop() ?? '';
		for (const line of lines) {
			if (Number(line) !== last[stream] + 1) {
				assert.fail(`${stream}: after line ${last[stream]} comes "${line}"`);
			}
			last[stream] += 1;
		}
	}
	return last;
}
