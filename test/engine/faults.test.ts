import * as assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { createClient } from '../../src/api/client';
import { archiveOf } from './archive';
import { create, launch, logsOf, pull, remove, run, startAndFinish } from './run';
import './setup';
import {
	answers,
	ask,
	embeddedEngine,
	enginePid,
	leaksOf,
	pushImages,
	removeContainers,
	startRegistries,
	type Images,
	type Registries,
	type Subject,
} from './subject';
import { delay, dist, endProcess, isAlive, mountsOf, readOr, until, within, Workspace } from './workspace';

const DAY = 86_400_000;

/** What goes wrong on machines: each time the reason is told, nothing is lost, and the next command is right. */
describe('engine faults', function () {
	const workspace = new Workspace('faults');
	const ids = new Set<string>();
	let registries: Registries;
	let images: Images;
	let subject: Subject;

	before(async () => {
		registries = await startRegistries(workspace);
		images = await pushImages(registries);
		subject = { ...embeddedEngine(workspace), name: 'embedded', images, registries, ids };
		await pull(subject, images.busybox.reference);
	});

	afterEach('the next command is right, and no container is left', async () => {
		assert.equal((await run(subject, { Cmd: ['echo', 'right'] })).stdout, 'right\n');
		await removeContainers(subject.client);
	});

	after('nothing is left', async () => {
		const { root } = workspace;
		await workspace.dispose();
		assert.deepEqual(leaksOf(root, ids), []);
	});

	async function kill(): Promise<void> {
		const pid = enginePid(subject.root);
		await (pid === undefined ? undefined : endProcess(pid, 'SIGKILL'));
	}

	describe('the engine, killed at some moment of a verb', () => {
		const seconds = 'while :; do sleep 0.1; done';
		/** What is asked for, and what holds of the container afterwards, whether it was done or not. */
		const verbs: Readonly<
			Record<string, (id: string) => { act: () => Promise<unknown>; check: () => Promise<void> }>
		> = {
			rename: (id) => ({
				act: () => subject.client.containers.rename(id, 'renamed'),
				check: async () => {
					const { Name } = await subject.client.containers.inspect(id);
					const other = Name === '/renamed' ? 'named' : 'renamed';
					assert.equal((await subject.client.containers.inspect(Name.slice(1))).Id, id);
					await subject.client.containers.rename(id, other);
				},
			}),
			update: (id) => ({
				act: () => ask(subject, 'POST', `/containers/${id}/update`, { PidsLimit: 77 }),
				check: async () => {
					const { HostConfig } = await subject.client.containers.inspect(id);
					assert.ok([77, 0].includes(HostConfig['PidsLimit'] ?? 0), 'old or new');
					const { status } = await ask(subject, 'POST', `/containers/${id}/update`, { PidsLimit: 78 });
					assert.equal(status, 200);
				},
			}),
			pause: (id) => ({
				act: () => subject.client.containers.pause(id),
				check: async () => {
					const { State } = await subject.client.containers.inspect(id);
					await (State.Paused ? subject.client.containers.unpause(id) : subject.client.containers.pause(id));
				},
			}),
			restart: (id) => ({
				act: () => subject.client.containers.restart(id, { timeout: 0 }),
				check: async () => {
					const settled = await until('it has settled', async () => {
						const { Status } = (await subject.client.containers.inspect(id)).State;
						return ['running', 'exited'].includes(Status) && Status;
					});
					assert.ok(settled);
				},
			}),
			kill: (id) => ({
				act: () => subject.client.containers.kill(id),
				check: async () => {
					await subject.client.containers.stop(id, { timeout: 0 });
					assert.equal((await subject.client.containers.inspect(id)).State.ExitCode, 137);
				},
			}),
			commit: (id) => ({
				act: () => ask(subject, 'POST', `/commit?container=${id}&repo=fault&tag=commit&pause=1`),
				check: async () => {
					const { State } = await subject.client.containers.inspect(id);
					assert.equal(State.Status, 'running');
					await until('it goes on', async () => !(await subject.client.containers.inspect(id)).State.Paused);
					const { status } = await ask(subject, 'POST', `/commit?container=${id}&repo=fault&tag=commit`);
					assert.equal(status, 201);
					await subject.client.images.remove('fault:commit', { force: true });
				},
			}),
			copy: (id) => ({
				act: () => putFile(id),
				check: async () => {
					assert.equal((await putFile(id)).status, 200);
				},
			}),
		};

		async function putFile(id: string): ReturnType<typeof ask> {
			const content = Buffer.alloc(2 * 1024 ** 2, 'x');
			const body = archiveOf([{ name: 'file', content }]).toString('latin1');
			return ask(subject, 'PUT', `/containers/${id}/archive?path=/tmp`, body);
		}

		for (const [verb, begin] of Object.entries(verbs)) {
			it(`${verb}: it is done or not, and can be done again`, async () => {
				const id = await launch(subject, { Cmd: ['sh', '-c', seconds] }, { name: 'named' });
				const { act, check } = begin(id);
				// A connection that breaks off is what the test is about.
				const acting = act().catch(() => undefined);
				await delay(Math.random() * 80);
				await kill();
				await acting;
				await subject.client.version();
				await check();
				await remove(subject, id);
			});
		}
	});

	describe('killed at some moment of a start', () => {
		for (const [what, file] of [
			['the shim', 'shim.pid'],
			['the container', 'pid'],
		] as const) {
			it(`${what}: the container has not started or has ended, and starts again`, async () => {
				for (let round = 0; round < 3; round++) {
					const id = await create(subject, { Cmd: ['sh', '-c', 'sleep 0.3; echo once'] });
					const starting = subject.client.containers.start(id).catch(() => undefined);
					const pidFile = path.join(subject.root, 'containers', id, 'shim', file);
					await until(`there is ${what}`, () => readOr(pidFile, '') !== '');
					await delay(Math.random() * 50);
					await endProcess(Number(readOr(pidFile, '0')), 'SIGKILL');
					await starting;
					const { exit } = await subject.client.containers.wait(id);
					await within('the end', 10_000, exit);
					const { State } = await subject.client.containers.inspect(id);
					assert.ok(['created', 'exited'].includes(State.Status), State.Status);
					const { exitCode, stdout } = await startAndFinish(subject, id);
					assert.deepEqual([exitCode, stdout.endsWith('once\n')], [0, true]);
					await remove(subject, id);
				}
			});
		}

		it('the runtime: the container has not started or has ended, and starts again', async () => {
			for (let round = 0; round < 3; round++) {
				const id = await create(subject, { Cmd: ['sh', '-c', 'sleep 0.3; echo once'] });
				const starting = subject.client.containers.start(id).catch(() => undefined);
				const pid = await until('there is a runtime', () => runtimeOf(id));
				await delay(Math.random() * 30);
				await endProcess(pid, 'SIGKILL');
				await starting;
				const { exit } = await subject.client.containers.wait(id);
				await within('the end', 15_000, exit);
				const { exitCode, stdout } = await startAndFinish(subject, id);
				assert.deepEqual([exitCode, stdout.endsWith('once\n')], [0, true]);
				await remove(subject, id);
			}
		});
	});

	it('the clock was set back: what is dated later is listed, read, stopped and restarted', async () => {
		const host = { NetworkMode: 'none', RestartPolicy: { Name: 'on-failure', MaximumRetryCount: 1 } };
		const running = await launch(subject, { Cmd: ['sh', '-c', 'echo early; sleep 100'], HostConfig: host });
		const { id: ended } = await run(subject, { Cmd: ['echo', 'over'] }, { keep: true });
		await until('it has written', async () => (await logsOf(subject, running)).stdout !== '');
		await kill();
		for (const id of [running, ended]) {
			for (const file of [
				path.join(subject.root, 'records', `container-${id}.json`),
				path.join(subject.root, 'containers', id, 'log', `${id}-json.log`),
			]) {
				fs.writeFileSync(file, fs.readFileSync(file, 'utf8').replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d/g, later));
			}
		}
		const rows = await subject.client.containers.list({ all: true });
		assert.deepEqual(
			rows.map(({ Status }) => Status.replace(/Less than a second( ago)?$/, 'now')),
			['Exited (0) now', 'Up now'],
		);
		assert.equal((await logsOf(subject, ended)).stdout, 'over\n');
		// Its second run is dated before the first.
		const { Pid: pid } = (await subject.client.containers.inspect(running)).State;
		await endProcess(pid, 'SIGKILL');
		await until('it runs again', async () => {
			const { RestartCount, State } = await subject.client.containers.inspect(running);
			return RestartCount === 1 && State.Status === 'running';
		});
		await until(
			'both runs are in the log',
			async () => (await logsOf(subject, running)).stdout === 'early\nearly\n',
		);
		assert.equal((await logsOf(subject, running, { tail: 1 })).stdout, 'early\n');
		await subject.client.containers.stop(running, { timeout: 0 });
	});

	for (const [what, text] of [
		['is damaged', '{"manifests": ['],
		['is gone', undefined],
	] as const) {
		it(`the index of images ${what}: it is made again`, async () => {
			await kill();
			const file = path.join(subject.root, 'index.json');
			const before: unknown = JSON.parse(fs.readFileSync(file, 'utf8'));
			if (text === undefined) {
				fs.rmSync(file);
			} else {
				fs.writeFileSync(file, text);
			}
			await subject.client.version();
			assert.equal((await run(subject, { Cmd: ['true'] })).exitCode, 0);
			await until('it is there again', () => {
				const now: unknown = JSON.parse(readOr(file, 'null'));
				return JSON.stringify(now) === JSON.stringify(before);
			});
		});
	}

	describe('an engine in a mount namespace of its own, where "/" is private', () => {
		let here: Subject;
		let pid: number;

		before(async function () {
			if (process.getuid?.() !== 0) {
				this.skip();
			}
			const root = workspace.folder('private');
			const socket = path.join(root, 'run', 'api.sock');
			const engine = [process.execPath, path.join(dist, 'engine.js'), '--root', root, '--idle', '300'];
			workspace.start('private engine', 'unshare', ['--mount', '--propagation', 'private', '--', ...engine]);
			await until('it answers', () => answers(socket));
			const client = createClient(() => Promise.resolve(socket));
			here = { name: 'embedded', client, socket, root, images, registries, ids };
			pid = enginePid(root) ?? assert.fail('no engine');
			workspace.defer('remove its containers', () => removeContainers(client));
			await pull(here, images.busybox.reference);
		});

		const inside = (...command: string[]): void => {
			const { status, stderr } = spawnSync('nsenter', ['-t', String(pid), '-m', ...command], {
				encoding: 'utf8',
			});
			assert.equal(status, 0, stderr);
		};

		it('containers, volumes, volumes in memory and bind mounts work, and nothing stays mounted', async () => {
			const DriverOpts = { type: 'tmpfs', device: 'tmpfs' };
			await here.client.volumes.create({ Name: 'memory', DriverOpts });
			const folder = workspace.folder('bound');
			fs.writeFileSync(path.join(folder, 'file'), 'bound');
			const Binds = ['memory:/memory', 'data:/data', `${folder}:/bound`];
			const script = 'echo x >/memory/x && echo y >/data/y && cat /bound/file';
			const { stdout } = await run(here, {
				Cmd: ['sh', '-c', script],
				HostConfig: { NetworkMode: 'none', Binds },
			});
			assert.equal(stdout, 'bound');
			assert.deepEqual(mountsOf(here.root), []);
			assert.doesNotMatch(fs.readFileSync(`/proc/${pid}/mountinfo`, 'utf8'), /\/(merged|_data) /);
		});

		it('the runtime goes between create and start: the start says so, and works when it is back', async () => {
			const host = { NetworkMode: 'none', Runtime: 'runc' };
			const id = await create(here, { Cmd: ['echo', 'back'], HostConfig: host });
			const program = fs.realpathSync(
				spawnSync('sh', ['-c', 'command -v runc'], { encoding: 'utf8' }).stdout.trim(),
			);
			inside('mount', '--bind', '/dev/null', program);
			try {
				await assert.rejects(here.client.containers.start(id), /runc.*(not installed|does not work)/);
				const { State } = await here.client.containers.inspect(id);
				assert.equal(State.Status, 'created');
				assert.notEqual(State.Error, '');
			} finally {
				inside('umount', program);
			}
			const { exitCode, stdout } = await startAndFinish(here, id);
			assert.deepEqual([exitCode, stdout], [0, 'back\n']);
			await remove(here, id);
		});

		it('the runtime goes while a container runs: it can be killed and removed, and nothing of it is left', async () => {
			const host = { NetworkMode: 'none', Runtime: 'runc' };
			const id = await launch(here, { Cmd: ['sleep', '100'], HostConfig: host });
			const { Pid } = (await here.client.containers.inspect(id)).State;
			const program = fs.realpathSync(
				spawnSync('sh', ['-c', 'command -v runc'], { encoding: 'utf8' }).stdout.trim(),
			);
			inside('mount', '--bind', '/dev/null', program);
			try {
				await here.client.containers.remove(id, { force: true });
				assert.ok(!isAlive(Pid), 'the process is gone');
			} finally {
				inside('umount', program);
			}
		});
	});

	it('200 containers started at once: all run, for the next engine, too', async function () {
		this.timeout(180_000);
		const { client } = subject;
		const running = async (): Promise<number> => (await client.containers.list()).length;
		const all = await Promise.all(Array.from({ length: 200 }, () => create(subject, { Cmd: ['sleep', '1000'] })));
		await Promise.all(all.map((id) => client.containers.start(id)));
		assert.equal(await running(), 200);
		await kill();
		assert.equal(await running(), 200);
		await Promise.all(all.map((id) => client.containers.remove(id, { force: true })));
		assert.deepEqual(await client.containers.list({ all: true }), []);
	});

	function runtimeOf(id: string): number | undefined {
		for (const name of fs.readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))) {
			const words = readOr(`/proc/${name}/cmdline`, '').split('\0');
			if (/(^|\/)(crun|runc)$/.test(words[0] ?? '') && words.includes('run') && words.includes(id)) {
				return Number(name);
			}
		}
		return undefined;
	}
});

/** The same time of the day, a day later. */
function later(time: string): string {
	return new Date(Date.parse(`${time}Z`) + DAY).toISOString().slice(0, 19);
}
