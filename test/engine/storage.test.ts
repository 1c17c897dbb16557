import * as assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { EngineNotStarted } from '../../src/api/connect';
import { archiveOf } from './archive';
import { busyboxLayer, imageOf, layerOf, whiteoutLayers, whiteoutTree } from './fixture';
import { load } from './loading';
import { startRegistry } from './registry';
import { collect } from './run';
import { embeddedEngine, enginePid, leaksOf, type EngineProcess } from './subject';
import { endProcess, hasProgram, mountsOf, processesOf, readOr, until, within, Workspace } from './workspace';

const DRIVERS = ['overlay', 'erofs', 'fuse-overlayfs', 'copy'] as const;
/** Milliseconds: an engine leaves when its layers are on the disk, which others may keep busy. */
const SYNC = 60_000;
/** Writes, deletes, replaces, makes opaque. */
const SCRIPT =
	'cd /data; rm gone; rm -r gone-folder; rm -r opaque; mkdir opaque; echo new >opaque/new; echo more >>changed; ' +
	'chmod 700 merged; rm file-to-folder; mkdir file-to-folder; echo in >file-to-folder/inner; rm -r folder-to-link; ' +
	'ln -s merged folder-to-link; mkdir -p deep/er; echo deep >deep/er/file; mv kept moved';
const CHANGES = [
	'0 /data',
	'0 /data/changed',
	'1 /data/deep',
	'1 /data/deep/er',
	'1 /data/deep/er/file',
	'0 /data/file-to-folder',
	'1 /data/file-to-folder/inner',
	'0 /data/folder-to-link',
	'2 /data/gone',
	'2 /data/gone-folder',
	'2 /data/kept',
	'0 /data/merged',
	'1 /data/moved',
	'0 /data/opaque',
	'1 /data/opaque/new',
	'2 /data/opaque/old',
	'2 /data/opaque/sub',
].sort();
const LIST = 'find data | sort; cat data/opaque/new data/changed data/deep/er/file; stat -c %a data/moved data/merged';

/** What every storage driver must do, on a store whose path needs care. */
describe('storage drivers', () => {
	const workspace = new Workspace('storage');

	let many: string;

	before(async () => {
		const registry = await startRegistry(workspace);
		const layers = Array.from({ length: 70 }, (_, index) =>
			layerOf([
				{ name: `many/${index}`, content: String(index) },
				...(index > 0 ? [{ name: `many/.wh.${index - 1}` }] : []),
			]),
		);
		await registry.push('demo/many', '1', imageOf([busyboxLayer(), ...layers]));
		many = `${registry.host}/demo/many:1`;
	});

	after(() => workspace.dispose());

	for (const driver of DRIVERS) {
		describe(driver, () => {
			contract(workspace, driver, () => many);
		});
	}

	describe('the choice', () => {
		choice(workspace);
	});
});

function contract(workspace: Workspace, driver: (typeof DRIVERS)[number], manyOf: () => string): void {
	const ids = new Set<string>();
	let engine: EngineProcess;

	before(async function () {
		if (driver === 'fuse-overlayfs' && !(hasProgram(driver) && fs.existsSync('/dev/fuse'))) {
			this.skip();
		}
		const root = path.join(
			workspace.folder('store'),
			driver === 'fuse-overlayfs' ? 'spaces, "grüße" 日本' : 'spaces, and: "grüße" 日本',
		);
		fs.mkdirSync(root);
		engine = embeddedEngine(workspace, { root, storageDriver: driver });
		const [lower, upper] = whiteoutLayers();
		await load(engine.client, imageOf([busyboxLayer(), lower, upper]), 'merged:1');
		await load(engine.client, imageOf([busyboxLayer(), lower]), 'plain:1');
	});

	/** Makes and runs a container that stays; gives its id and what it printed. */
	async function run(image: string, script: string): Promise<{ id: string; text: string }> {
		const { Id } = await engine.client.containers.create({
			...{ Image: image, Cmd: ['sh', '-c', script], HostConfig: { NetworkMode: 'none' } },
		});
		ids.add(Id);
		return { id: Id, text: await start(Id) };
	}

	async function start(id: string): Promise<string> {
		const { containers } = engine.client;
		const { exit } = await containers.wait(id, { condition: 'next-exit' });
		exit.catch(() => undefined);
		const since = String(Date.now() / 1000);
		await containers.start(id);
		const code = await within('the container', 30_000, exit);
		const { stdout, stderr } = await collect(containers.logs(id, { since }));
		assert.equal(code, 0, stderr);
		return stdout;
	}

	it('is named by info and inspect, and shows layers as they are meant', async () => {
		const { id, text } = await run('merged:1', 'find data | sort; cat data/changed');
		assert.equal(text, `${whiteoutTree}new`);
		assert.equal((await engine.client.info()).Driver, driver);
		assert.equal((await engine.client.containers.inspect(id)).Driver, driver);
	});

	it('diff, commit and export tell what was written, deleted, replaced and made opaque', async () => {
		const { containers } = engine.client;
		const { id } = await run('plain:1', SCRIPT);
		const { text: expected } = await run('plain:1', `(${SCRIPT}); cd /; ${LIST}`);
		const changes = (await containers.changes(id)).map(({ Kind, Path }) => `${Kind} ${Path}`).sort();
		// fuse-overlayfs copies a file up when one of its other names goes.
		assert.deepEqual(
			changes.filter((change) => change !== '0 /data/twin'),
			CHANGES,
		);
		await containers.commit(id, { target: `committed-${driver}:1` });
		assert.equal((await run(`committed-${driver}:1`, LIST)).text, expected);
		await engine.client.images.import(await containers.export(id), {
			target: `exported-${driver}:1`,
			changes: ['ENV PATH=/bin'],
		});
		assert.equal((await run(`exported-${driver}:1`, LIST)).text, expected);
		const size = (await containers.list({ all: true })).find(({ Id }) => Id === id);
		assert.ok(size);
	});

	it('diff takes what an opaque folder of a layer hides for nothing', async () => {
		const { id } = await run('merged:1', 'cd data/opaque; mkdir sub; echo x >sub/old; echo x >old; rm new');
		assert.deepEqual(
			(await engine.client.containers.changes(id)).map(({ Kind, Path }) => `${Kind} ${Path}`).sort(),
			[
				...['0 /data', '0 /data/opaque', '1 /data/opaque/old', '1 /data/opaque/sub'],
				...['1 /data/opaque/sub/old', '2 /data/opaque/new'],
			],
		);
	});

	it('what was written is there after restarts, and after the engine was killed and chooses another driver', async () => {
		const { id, text } = await run('plain:1', 'cat /data/count; rm -f /data/gone; echo x >>/data/count; ls /data');
		assert.doesNotMatch(text, /^gone$/m);
		assert.match(await start(id), /^x\n/);
		await endProcess(enginePid(engine.root) ?? 0, 'SIGKILL');
		const other = embeddedEngine(workspace, { root: engine.root, storageDriver: 'copy' });
		const kept = engine;
		engine = other;
		try {
			assert.match(await start(id), /^x\nx\n/);
			assert.equal((await engine.client.containers.inspect(id)).Driver, driver);
		} finally {
			await endProcess(enginePid(engine.root) ?? 0, 'SIGTERM', SYNC);
			engine = kept;
		}
	});

	it('cp goes in and out of a container that never ran; a new volume gets what the image has', async () => {
		const { containers, volumes } = engine.client;
		const { Id } = await containers.create({
			...{ Image: 'plain:1', Cmd: ['sh', '-c', 'cat /data/copied /v/kept; ls /v/folder-to-file'] },
			HostConfig: { NetworkMode: 'none', Binds: [`vol-${driver}:/v`] },
		});
		await containers.archive(Id).put('/data', archiveOf([{ name: 'copied', content: 'copied ' }]));
		const { tar } = await containers.archive(Id).get('/data/copied');
		const chunks: Buffer[] = [];
		for await (const chunk of tar) {
			chunks.push(chunk);
		}
		assert.ok(Buffer.concat(chunks).includes('copied '));
		await containers.remove(Id);
		const { Id: second } = await containers.create({
			...{ Image: 'plain:1', Cmd: ['sh', '-c', 'ls /data/folder-to-file'] },
			HostConfig: { NetworkMode: 'none', Binds: [`vol-${driver}:/data`] },
		});
		assert.equal(await start(second), 'inner\n');
		await containers.remove(second);
		await volumes.remove(`vol-${driver}`);
	});

	it('seventy layers', async () => {
		const reference = manyOf();
		for await (const message of engine.client.images.pull(reference)) {
			assert.ok(message);
		}
		assert.equal((await run(reference, 'ls many; cat many/69')).text, '69\n69');
	});

	it('an image without a layer: cp, export and diff work, and there is no program to run', async () => {
		const { containers, images } = engine.client;
		await load(engine.client, imageOf([]), 'empty:1');
		const { Id } = await containers.create({
			...{ Image: 'empty:1', Cmd: ['nosuch'], HostConfig: { NetworkMode: 'none' } },
		});
		ids.add(Id);
		assert.deepEqual(await containers.changes(Id), []);
		await assert.rejects(containers.start(Id), { message: /executable file not found in \$PATH/ });
		assert.equal((await containers.inspect(Id)).State.ExitCode, 127);
		await containers.archive(Id).put('/', archiveOf([{ name: 'copied', content: 'copied' }]));
		assert.ok((await containers.changes(Id)).some(({ Kind, Path }) => Kind === 1 && Path === '/copied'));
		await images.import(await containers.export(Id), { target: `filled-${driver}:1` });
		const { Id: filled } = await containers.create({
			...{ Image: `filled-${driver}:1`, Cmd: ['x'], HostConfig: { NetworkMode: 'none' } },
		});
		assert.equal((await containers.archive(filled).stat('/copied')).size, 6);
		await containers.remove(filled);
		await containers.remove(Id);
	});

	it('a shim that is killed leaves no process, and with that no mount', async () => {
		const { containers } = engine.client;
		const { Id } = await containers.create({
			...{
				Image: 'plain:1',
				Cmd: ['sh', '-c', 'echo up >/data/up; exec sleep 1000'],
				HostConfig: { NetworkMode: 'none' },
			},
		});
		ids.add(Id);
		const { exit } = await containers.wait(Id, { condition: 'next-exit' });
		await containers.start(Id);
		const shim = processesOf(engine.root).find(
			({ command }) => command.startsWith('/bin/sh') && command.includes(Id),
		);
		process.kill(shim?.pid ?? 0, 'SIGKILL');
		await within('the end of the container', 30_000, exit);
		const folder = path.join(engine.root, 'containers', Id);
		await until('its processes are gone', () => processesOf(folder).length === 0);
	});

	it('remove leaves nothing', async () => {
		for (const { Id } of await engine.client.containers.list({ all: true })) {
			await engine.client.containers.remove(Id, { force: true });
		}
		await until('the folders are gone', () => fs.readdirSync(path.join(engine.root, 'containers')).length === 0);
		await endProcess(enginePid(engine.root) ?? 0, 'SIGTERM', SYNC);
		assert.deepEqual(leaksOf(engine.root, ids), []);
		assert.deepEqual(
			fs.readdirSync(path.join(engine.root, 'run')).filter((name) => name.startsWith('storage-')),
			[],
		);
	});
}

function choice(workspace: Workspace): void {
	it('layers that are images: an engine that is killed leaves none mounted, containers keep theirs, and a store is removed', async () => {
		const root = workspace.folder('killed');
		const layers = path.join(root, 'layers');
		let { client } = embeddedEngine(workspace, { root, storageDriver: 'erofs' });
		await load(client, imageOf([busyboxLayer(), layerOf([{ name: 'more', content: 'more' }])]), 'images:1');
		assert.deepEqual(users(layers), []);
		const create = { Image: 'images:1', HostConfig: { NetworkMode: 'none' } };
		const { Id } = await client.containers.create({ ...create, Cmd: ['sleep', '1000'] });
		await client.containers.start(Id);
		const [holder] = users(layers).filter((pid) => readOr(`/proc/${pid}/cmdline`, '').includes('read line'));
		assert.ok(holder);
		await endProcess(enginePid(root) ?? 0, 'SIGKILL');
		await until('the mounts of the engine are gone', () => !users(layers).includes(holder));
		assert.deepEqual(mountsOf(layers), []);
		({ client } = embeddedEngine(workspace, { root, storageDriver: 'erofs' }));
		const again = await client.containers.create({ ...create, Cmd: ['cat', '/more'] });
		const { exit } = await client.containers.wait(again.Id, { condition: 'next-exit' });
		await client.containers.start(again.Id);
		assert.equal(await within('the container', 30_000, exit), 0);
		const exec = await client.execs.create(Id, { Cmd: ['cat', '/more'], AttachStdout: true });
		const { output } = await client.execs.start(exec, { tty: false });
		assert.equal((await collect(output)).stdout, 'more');
		for (const id of [Id, again.Id]) {
			await client.containers.remove(id, { force: true });
		}
		await endProcess(enginePid(root) ?? 0, 'SIGKILL');
		fs.rmSync(layers, { recursive: true });
		await until('nothing is mounted anywhere', () => users(layers).length === 0);
	});

	it('layers that are images: gone with the image', async () => {
		const { client, root } = embeddedEngine(workspace, { storageDriver: 'erofs' });
		const layers = path.join(root, 'layers');
		await load(client, imageOf([busyboxLayer()]), 'images:1');
		const { Id } = await client.containers.create({ Image: 'images:1', HostConfig: { NetworkMode: 'none' } });
		await client.containers.archive(Id).stat('/bin/sh');
		await until('only the engine has it mounted', () => users(layers).length === 1);
		await client.containers.remove(Id);
		await client.images.remove('images:1');
		await until('the folders are gone', () => fs.readdirSync(layers).length === 0);
		assert.deepEqual(users(layers), []);
	});

	it('one root of layers that are files and layers that are images: right with either driver', async () => {
		const root = workspace.folder('mixed');
		const [lower, upper] = whiteoutLayers();
		const layers = [busyboxLayer(), lower, upper];
		const count = (ending: RegExp): number =>
			fs.readdirSync(path.join(root, 'layers')).filter((name) => ending.test(name)).length;
		// Each engine has one layer more to unpack, in its own way.
		for (const [turn, storageDriver] of (['overlay', 'erofs', 'overlay'] as const).entries()) {
			const { client } = embeddedEngine(workspace, { root, storageDriver });
			await load(client, imageOf(layers.slice(0, turn + 1)), `mixed:${turn}`);
			await endProcess(enginePid(root) ?? 0, 'SIGKILL');
		}
		assert.deepEqual([count(/^[0-9a-f]{64}$/), count(/^[0-9a-f]{64}\.erofs$/)], [2, 1]);
		for (const storageDriver of ['overlay', 'erofs'] as const) {
			const { client } = embeddedEngine(workspace, { root, storageDriver });
			const { Id } = await client.containers.create({
				...{ Image: 'mixed:2', Cmd: ['sh', '-c', 'find data | sort; cat data/changed'] },
				HostConfig: { NetworkMode: 'none' },
			});
			const { exit } = await client.containers.wait(Id, { condition: 'next-exit' });
			await client.containers.start(Id);
			assert.equal(await within('the container', 30_000, exit), 0);
			assert.equal((await collect(client.containers.logs(Id))).stdout, `${whiteoutTree}new`);
			assert.deepEqual(await client.containers.changes(Id), []);
			await endProcess(enginePid(root) ?? 0, 'SIGTERM', SYNC);
		}
	});

	it('an image of a layer that cannot be mounted is unpacked again, as files', async () => {
		const engine = embeddedEngine(workspace, { storageDriver: 'erofs' });
		const { client } = engine;
		await load(client, imageOf([busyboxLayer()]), 'broken:1');
		const layers = path.join(engine.root, 'layers');
		const [folder = ''] = fs.readdirSync(layers).filter((name) => name.endsWith('.erofs'));
		fs.truncateSync(path.join(layers, folder, 'image.erofs'), 1024);
		const { Id } = await client.containers.create({
			...{ Image: 'broken:1', Cmd: ['true'], HostConfig: { NetworkMode: 'none' } },
		});
		const { exit } = await client.containers.wait(Id, { condition: 'next-exit' });
		await client.containers.start(Id);
		assert.equal(await within('the container', 30_000, exit), 0);
		assert.ok(fs.statSync(path.join(layers, folder.replace('.erofs', ''), 'bin')).isDirectory());
	});

	it('a name that no driver has, or one that does not work here: the engine says so and does not start', async () => {
		const { client } = embeddedEngine(workspace, { storageDriver: 'zfs' });
		await assert.rejects(client.info(), (error) => {
			assert.ok(error instanceof EngineNotStarted);
			assert.match(
				error.message,
				/Cannot use storage driver "zfs": there are overlay, erofs, fuse-overlayfs, copy/,
			);
			return true;
		});
	});

	it('a machine without overlays: the next driver is taken, and info says why', async function () {
		const tools = workspace.folder('tools');
		const script = `#!/bin/sh
case "$*" in *"-t overlay"*) echo "mount: unknown filesystem type 'overlay'" >&2; exit 32 ;; esac
PATH=\${PATH#*:} exec mount "$@"
`;
		fs.writeFileSync(path.join(tools, 'mount'), script, { mode: 0o755 });
		const searchPath = process.env['PATH'];
		process.env['PATH'] = `${tools}:${searchPath ?? ''}`;
		// Whatever the environment asks for.
		const engine = embeddedEngine(workspace, { storageDriver: '' });
		try {
			await engine.client.info();
		} finally {
			process.env['PATH'] = searchPath;
		}
		const { Driver, DriverStatus } = await engine.client.info();
		assert.ok(['fuse-overlayfs', 'copy'].includes(Driver), Driver);
		assert.equal(DriverStatus?.[1]?.join(': '), "Not usable: overlay: mount: unknown filesystem type 'overlay'");
		const finding = (await engine.client.doctor()).find(({ Subject }) => Subject === 'storage');
		assert.notEqual(finding?.Status, 'problem', finding?.Message);
		await load(engine.client, imageOf([busyboxLayer()]), 'busybox:1');
		const { containers } = engine.client;
		const { Id } = await containers.create({
			Image: 'busybox:1',
			Cmd: ['true'],
			HostConfig: { NetworkMode: 'none' },
		});
		const { exit } = await containers.wait(Id, { condition: 'next-exit' });
		await containers.start(Id);
		assert.equal(await within('the container', 30_000, exit), 0);
		await containers.remove(Id);
	});
}

/** Processes in whose mount namespace something is mounted below the folder. */
function users(folder: string): string[] {
	return fs.readdirSync('/proc').filter((name) => /^\d+$/.test(name) && mountsFor(name).includes(folder));
}

function mountsFor(pid: string): string {
	try {
		return fs.readFileSync(`/proc/${pid}/mountinfo`, 'utf8');
	} catch (error) {
		const code = error instanceof Error && 'code' in error ? error.code : undefined;
		// A process that ends has no namespace any more, then is no more.
		assert.ok(code === 'EINVAL' || code === 'ENOENT' || code === 'ESRCH', String(code));
		return '';
	}
}
