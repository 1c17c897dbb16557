import * as assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import * as zlib from 'node:zlib';
import { ApiError } from '../../src/api/client';
import { archiveOf, type Entry } from './archive';
import { imageOf, layerOf, type ImageFixture } from './fixture';
import { dockerArchive, loadBytes } from './loading';
import { embeddedEngine, type EngineProcess } from './subject';
import { until, Workspace } from './workspace';

const OCI = 'application/vnd.oci.image';
const layer = layerOf([{ name: 'good', content: 'good' }]);
const image = imageOf([layer]);
const configName = `${image.id.slice('sha256:'.length)}.json`;

/** An archive of docker's form in which these entries and members stand in the place of right ones. */
function docker(members: object, ...entries: readonly Entry[]): Buffer {
	const manifest = [{ Config: configName, RepoTags: ['evil:1'], Layers: ['layer.tar'], ...members }];
	return archiveOf([
		{ name: configName, content: image.config },
		{ name: 'layer.tar', content: zlib.gunzipSync(layer.blob) },
		...entries,
		{ name: 'manifest.json', content: JSON.stringify(manifest) },
	]);
}

function layout(descriptor: object, ...blobs: readonly (readonly [digest: string, content: Buffer])[]): Buffer {
	const index = { schemaVersion: 2, manifests: [descriptor] };
	return archiveOf([
		{ name: 'oci-layout', content: '{"imageLayoutVersion":"1.0.0"}' },
		{ name: 'index.json', content: JSON.stringify(index) },
		...blobs.map(([digest, content]) => ({ name: `blobs/${digest.replace(':', '/')}`, content })),
	]);
}

const blobsOf = ({ config, layers, id, manifest, digest }: ImageFixture): [string, Buffer][] => [
	[id, config],
	[digest, manifest],
	...layers.map((each): [string, Buffer] => [each.digest, each.blob]),
];
const descriptor = { mediaType: image.mediaType, digest: image.digest, size: image.manifest.length };

/** What is loaded, and the reason that it is refused for. */
const cases: readonly (readonly [name: string, archive: () => Buffer, reason: RegExp])[] = [
	['a layer by a path out of the archive', () => docker({ Layers: ['../../../../etc/passwd'] }), /etc\/passwd/],
	['a layer by an absolute path', () => docker({ Layers: ['/etc/passwd'] }), /etc\/passwd/],
	[
		'a layer that is a symlink to a file of the machine',
		() => docker({ Layers: ['link'] }, { name: 'link', type: 'symlink', target: '/etc/passwd' }),
		/link/,
	],
	['a configuration that is a path', () => docker({ Config: '../../../etc/shadow' }), /etc\/shadow/],
	['fewer layers than the configuration says', () => docker({ Layers: [] }), /layers/],
	[
		'a layer of other content than the configuration says',
		() => docker({ Layers: ['other'] }, { name: 'other', content: archiveOf([{ name: 'x', content: 'x' }]) }),
		/content of a layer has digest sha256:.* and should have/,
	],
	[
		'a layer with a path out of it',
		() => dockerArchive(imageOf([layerOf([{ name: '../../tmp/mydocker-evil', content: 'x' }])]), 'evil:1'),
		/\.\./,
	],
	[
		'a name with escapes for the terminal',
		() => docker({ RepoTags: ['evil\u001b[2J:1'] }),
		/invalid reference format/,
	],
	[
		'brackets without end',
		() => archiveOf([{ name: 'manifest.json', content: '['.repeat(200_000) }]),
		/manifest\.json/,
	],
	['a manifest.json of 20 MB', () => docker({ Comment: 'x'.repeat(20 << 20) }), /larger than|too large|more than/],
	[
		'an index whose digest is a path',
		() => layout({ ...descriptor, digest: 'sha256:../../../etc/passwd' }),
		/digest/,
	],
	[
		'a blob that has not its digest',
		() => layout(descriptor, ...blobsOf(image).map(([digest]): [string, Buffer] => [digest, Buffer.from('{}')])),
		/digest|bytes|size/,
	],
	['a manifest that is not there', () => layout(descriptor), /not (?:there|in)|missing|lacks|no /],
	[
		'an index that leads to itself',
		() => {
			const digest = `sha256:${'0'.repeat(64)}`;
			const self = { mediaType: `${OCI}.index.v1+json`, digest, size: 10 };
			return layout(self, [digest, Buffer.from(JSON.stringify({ schemaVersion: 2, manifests: [self] }))]);
		},
		/digest|bytes|size/,
	],
	[
		'an archive that ends in the middle',
		() => dockerArchive(image, 'evil:1').subarray(0, 2000),
		/end|broke|cut|incomplete|short/i,
	],
	['no archive', () => Buffer.alloc(8192, 'x'), /archive|checksum|header/],
	[
		'a bomb',
		() => {
			const members = Array<Buffer>(18).fill(zlib.gzipSync(Buffer.alloc(64 << 20)));
			return dockerArchive({ ...image, layers: [{ ...layer, blob: Buffer.concat(members) }] }, 'evil:1');
		},
		/unpacks to/,
	],
];

describe('hostile archives', () => {
	const workspace = new Workspace('hostile-archives');
	let engine: EngineProcess;
	let clean: string[];

	before(async () => {
		engine = embeddedEngine(workspace);
		await engine.client.info();
		clean = stored();
	});

	after(() => workspace.dispose());

	for (const [name, archive, reason] of cases) {
		it(`load, ${name}: is refused with the reason, and nothing is kept`, async () => {
			await refusedFor(reason, loadBytes(engine.client, archive()));
		});
	}

	for (const [name, entries, reason] of [
		['a path out of it', [{ name: '../../tmp/mydocker-evil', content: 'x' }], /\.\./],
		['a hard link to a file of the machine', [{ name: 'h', type: 'hardlink', target: '/etc/passwd' }], /link/],
		['a whiteout of nothing', [{ name: '.wh.' }], /whiteout/],
	] as const satisfies readonly (readonly [string, readonly Entry[], RegExp])[]) {
		it(`import, ${name}: is refused with the reason, and nothing is kept`, async () => {
			await refusedFor(reason, engine.client.images.import(archiveOf(entries), { target: 'evil:1' }));
		});
	}

	async function refusedFor(reason: RegExp, work: Promise<unknown>): Promise<void> {
		const failure: unknown = await work.then(
			() => assert.fail('it was taken'),
			(error: unknown) => error,
		);
		assert.ok(failure instanceof ApiError, String(failure));
		assert.match(failure.message, reason);
		assert.ok(failure.code !== undefined && failure.code !== 'internal', `typed: ${failure.message}`);
		assert.doesNotMatch(failure.message, /[\u0000-\u001f\u007f-\u009f]/);
		await until('nothing is stored', () => stored().length === clean.length, 3000).catch(() => undefined);
		assert.deepEqual(stored(), clean);
		assert.ok(!fs.existsSync('/tmp/mydocker-evil'));
	}

	it('more than 127 layers: are refused with the reason, whether they are loaded or committed', async () => {
		const { client } = engine;
		const layer = layerOf([{ name: 'file', content: 'x' }]);
		const image = (count: number): Buffer =>
			dockerArchive(imageOf(Array<typeof layer>(count).fill(layer)), 'many:1');
		const reason = /max depth exceeded: it has 128 layers, and an image may have 127 at most$/;
		await assert.rejects(loadBytes(client, image(128)), { message: reason });
		await loadBytes(client, image(127));
		const { Id } = await client.containers.create({ Image: 'many:1', Cmd: ['x'] });
		await assert.rejects(client.containers.commit(Id), { message: reason });
		await client.containers.remove(Id);
		await client.images.remove('many:1');
	});

	/** All that a load could have left. */
	function stored(): string[] {
		return ['', 'blobs/sha256', 'layers', 'ingest', 'records'].flatMap((folder) =>
			fs.readdirSync(path.join(engine.root, folder)).map((name) => `${folder}/${name}`),
		);
	}
});
