import * as assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { busyboxLayer, imageOf, layerOf, whiteoutLayers, whiteoutTree } from './fixture';
import { load } from './loading';
import { collect } from './run';
import { embeddedEngine, enginePid, type EngineProcess } from './subject';
import { endProcess, within, Workspace } from './workspace';

/** A store where an editor in a container has it: on the overlay that is the container's own root. */
describe('a store on an overlay', () => {
	const workspace = new Workspace('overlay-store');
	let engine: EngineProcess;

	before(async () => {
		const folder = workspace.folder('disk');
		const inside = (name: string): string => path.join(folder, name);
		['lower', 'upper', 'work', 'merged'].forEach((name) => {
			fs.mkdirSync(inside(name));
		});
		const options = `lowerdir=${inside('lower')},upperdir=${inside('upper')},workdir=${inside('work')}`;
		const mounted = spawnSync('mount', ['-t', 'overlay', 'overlay', '-o', options, inside('merged')]);
		assert.equal(mounted.status, 0, mounted.stderr.toString());
		workspace.defer('unmount the overlay', () => {
			spawnSync('umount', ['-l', inside('merged')]);
		});
		const root = path.join(inside('merged'), 'store');
		fs.mkdirSync(root);
		// Whatever the environment asks for: the choice is what is tested.
		engine = embeddedEngine(workspace, { root, storageDriver: '' });
		const [lower, upper] = whiteoutLayers();
		const hidden = layerOf([
			{ name: 'data/', type: 'directory' },
			{ name: 'data/merged/', type: 'directory' },
			{ name: 'data/merged/.wh..wh..opq' },
			{ name: 'data/.wh.kept' },
		]);
		await load(engine.client, imageOf([busyboxLayer(), lower, upper]), 'merged:1');
		await load(engine.client, imageOf([busyboxLayer(), lower, hidden]), 'hidden:1');
	});

	after(() => workspace.dispose());

	async function run(image: string, script: string): Promise<{ id: string; text: string }> {
		const { containers } = engine.client;
		const { Id } = await containers.create({
			...{ Image: image, Cmd: ['sh', '-c', script], HostConfig: { NetworkMode: 'none' } },
		});
		const { exit } = await containers.wait(Id, { condition: 'next-exit' });
		await containers.start(Id);
		const code = await within('the container', 30_000, exit);
		const { stdout, stderr } = await collect(containers.logs(Id));
		assert.equal(code, 0, stderr);
		return { id: Id, text: stdout };
	}

	it('gets the driver that works there, and info says why', async () => {
		const { Driver, DriverStatus } = await engine.client.info();
		assert.equal(Driver, 'copy');
		assert.deepEqual(DriverStatus?.slice(0, 2), [
			['Backing Filesystem', 'overlayfs'],
			[
				'Not usable',
				'overlay: the store lies on an overlay, on which no other can: put it on a volume of the container',
			],
		]);
	});

	it('shows layers as they are meant', async () => {
		assert.equal((await run('merged:1', 'find data | sort')).text, whiteoutTree);
		assert.equal((await run('hidden:1', 'ls data/merged; ls data | grep kept || echo gone')).text, 'gone\n');
	});

	it('tells what layers delete, and finds programs through them', async () => {
		const { Layers } = await engine.client.images.layers('hidden:1');
		// The file itself, and what was in the folder that is opaque now.
		const { Deleted, Added } = Layers.at(-1)?.Changes ?? {};
		assert.deepEqual({ Deleted, Added }, { Deleted: 2, Added: 0 });
		const { Id } = await engine.client.containers.create({ Image: 'hidden:1', Cmd: ['/data/kept'] });
		await assert.rejects(engine.client.containers.start(Id), /no such file or directory/);
		await engine.client.containers.remove(Id);
	});

	it('diff and commit: what a container deletes is gone in the image that is made of it', async () => {
		const script = 'rm data/changed; rm -r data/merged; mkdir data/merged; echo new >data/merged/new';
		const { id } = await run('merged:1', script);
		const changes = (await engine.client.containers.changes(id)).map(({ Kind, Path }) => `${Kind} ${Path}`).sort();
		assert.deepEqual(changes, [
			'0 /data',
			'0 /data/merged',
			'1 /data/merged/new',
			'2 /data/changed',
			'2 /data/merged/lower',
			'2 /data/merged/upper',
		]);
		await engine.client.containers.commit(id, { target: 'committed:1' });
		await endProcess(enginePid(engine.root) ?? 0, 'SIGKILL');
		await engine.client.info(); // starts another
		const { text } = await run('committed:1', 'ls data/merged; ls data | grep changed || echo gone');
		assert.equal(text, 'new\ngone\n');
	});
});
