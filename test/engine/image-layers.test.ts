import * as assert from 'node:assert/strict';
import type { LayerFileJson } from '../../src/api/image-layer-calls';
import { imageOf, layerOf, whiteoutLayers } from './fixture';
import { load } from './loading';
import { refused } from './run';
import { embeddedEngine, type EngineProcess } from './subject';
import { Workspace } from './workspace';

const KINDS = { 0: 'C', 1: 'A', 2: 'D' } as const;
const line = ({ Kind, Type, Size, Path }: LayerFileJson): string =>
	`${Kind === null ? '-' : KINDS[Kind]} ${Type} ${Size} ${Path}`;

describe('what the layers of an image hold', () => {
	const workspace = new Workspace('layers');
	let engine: EngineProcess;

	before(async () => {
		engine = embeddedEngine(workspace);
		const last = layerOf([
			{ name: 'data/', type: 'directory' },
			{ name: 'data/kept', content: 'written again' },
			{ name: 'data/.wh.twin' },
		]);
		await load(engine.client, imageOf([...whiteoutLayers(), last]), 'layers:1');
	});

	after(() => workspace.dispose());

	it('each layer: what it adds, changes and deletes, and what is wasted by whom', async () => {
		const found = await engine.client.images.layers('layers:1', { largest: 3 });
		assert.deepEqual(
			found.Layers.map(({ Index, CreatedBy, Empty, Size, Changes, WastedSize, RemovesSize }) => ({
				...{ Index, CreatedBy, Empty, Size, ...Changes, WastedSize, RemovesSize },
			})),
			[
				{
					...{ Index: 0, CreatedBy: 'fixture', Empty: false, Size: 75 },
					...{ Added: 26, Changed: 0, Deleted: 0, Bytes: 75, WastedSize: 39, RemovesSize: 0 },
				},
				{
					...{ Index: 1, CreatedBy: 'fixture', Empty: false, Size: 44 },
					...{ Added: 4, Changed: 4, Deleted: 5, Bytes: 44, WastedSize: 0, RemovesSize: 35 },
				},
				{
					...{ Index: 2, CreatedBy: 'fixture', Empty: false, Size: 13 },
					...{ Added: 0, Changed: 1, Deleted: 1, Bytes: 13, WastedSize: 0, RemovesSize: 4 },
				},
			],
		);
		assert.equal(found.WastedSize, 39);
		assert.equal(found.VisibleSize, found.Size - found.WastedSize);
		assert.deepEqual(found.Wasted[0], { Path: '/data/folder-to-file/inner', Size: 5, Layer: 0, By: 1 });
		assert.deepEqual(found.Layers[2]?.Largest.map(line), ['C file 13 /data/kept']);
	});

	it('the files of a layer: every change with its kind, in pages', async () => {
		const ask = { layer: 1, isRecursive: true, path: '/data' };
		const { Files } = await engine.client.images.layerFiles('layers:1', ask);
		assert.deepEqual(Files.map(line), [
			'A file 5 /data/again/fresh',
			'D file 3 /data/again/old',
			'C file 3 /data/changed',
			'C directory 0 /data/file-to-folder',
			'A file 12 /data/file-to-folder/inner',
			'C file 10 /data/folder-to-file',
			'C symlink 6 /data/folder-to-link',
			'D file 4 /data/gone',
			'D directory 5 /data/gone-folder',
			'A file 5 /data/merged/upper',
			'A file 3 /data/opaque/new',
			'D file 3 /data/opaque/old',
			'D directory 3 /data/opaque/sub',
		]);
		const page = await engine.client.images.layerFiles('layers:1', { ...ask, offset: 1, limit: 2 });
		assert.deepEqual(page, { Total: Files.length, Files: Files.slice(1, 3) });
	});

	it('a folder of a layer: one item a name, sums of what is deeper', async () => {
		const top = await engine.client.images.layerFiles('layers:1', { layer: 1 });
		assert.deepEqual(top.Files.map(line), ['- directory 0 /data']);
		assert.deepEqual(top.Files[0]?.Below, { Added: 4, Changed: 4, Deleted: 5, Bytes: 44 });
		const linked = await engine.client.images.layerFiles('layers:1', { layer: 0, path: '/data' });
		const link = linked.Files.find(({ Path }) => Path === '/data/link');
		assert.deepEqual(link && [link.Type, link.Target, link.Mode], ['symlink', 'kept', 0o777]);
		const kept = linked.Files.find(({ Path }) => Path === '/data/kept');
		assert.deepEqual(kept && [kept.Mode, kept.Uid, kept.Gid], [0o4755, 1000, 44]);
	});

	it('the bytes of a file as one layer has it; nothing but a regular file', async () => {
		const { images } = engine.client;
		const read = async (layer: number, path: string): Promise<string> => {
			const chunks: Buffer[] = [];
			for await (const chunk of await images.layerFile('layers:1', { layer, path })) {
				chunks.push(chunk);
			}
			return Buffer.concat(chunks).toString();
		};
		assert.equal(await read(2, '/data/kept'), 'written again');
		assert.notEqual(await read(0, '/data/kept'), 'written again');
		await refused(read(2, '/data'), 400, /not a regular file/);
		await refused(read(2, '/data/twin'), 400, /not a regular file/);
		await refused(read(2, '/../../../../etc/passwd'), 404, /no such file in the layer/);
	});

	it('refuses a layer that is not there, and limits without sense', async () => {
		const { images } = engine.client;
		await refused(images.layerFiles('layers:1', { layer: 3 }), 400, /"layer" must be a number from 0 to 2/);
		await refused(images.layerFiles('layers:1', { layer: 0, limit: 0 }), 400, /"limit"/);
		await refused(images.layers('layers:1', { largest: 100_000 }), 400, /"largest"/);
		await refused(images.layers('no-such:1'), 404, /No such image/);
	});
});
