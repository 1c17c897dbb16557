import * as assert from 'node:assert/strict';
import { spawnSync, type SpawnSyncReturns } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { summarizeUsage } from '../../src/api/disk-usage';
import { busyboxLayer, imageOf, layerOf } from './fixture';
import { load } from './loading';
import { dist, until, within, Workspace } from './workspace';
import { embeddedEngine, type EngineProcess } from './subject';

const SEVERAL = 3_000_000;

/** What takes room in a store, and how it is got back. */
describe('housekeeping', () => {
	const workspace = new Workspace('housekeeping');

	after(() => workspace.dispose());

	for (const driver of ['overlay', 'copy'] as const) {
		it(`${driver}: the sum of "system df" is what du tells of the store`, async () => {
			const engine = embeddedEngine(workspace, { storageDriver: driver });
			await fill(engine);
			const usage = await engine.client.diskUsage();
			const other = new Map((usage.Other ?? []).map(({ Kind, Size }) => [Kind, Size]));
			const sum = [...summarizeUsage(usage), ...(usage.Other ?? []).map(({ Size }) => ({ size: Size }))].reduce(
				(total, { size }) => total + size,
				0,
			);
			const real = diskUsed(engine.root);
			assert.ok(Math.abs(sum - real) < real / 100, `df tells ${sum} bytes, du ${real}`);
			const atLeast = (kind: Parameters<typeof other.get>[0]): boolean => (other.get(kind) ?? 0) > SEVERAL / 2;
			assert.deepEqual(
				{ logs: atLeast('logs'), copies: atLeast('copies'), partial: atLeast('partial-downloads') },
				{ logs: true, copies: driver === 'copy', partial: true },
			);
			assert.ok((usage.Containers?.[0]?.SizeRw ?? 0) >= SEVERAL);
			assert.ok((usage.Volumes?.[0]?.UsageData?.Size ?? 0) >= SEVERAL);
			const { stdout } = command(engine, 'system', 'df');
			assert.match(stdout, /^Partial Downloads +\d/m);
		});
	}

	describe('prune', () => {
		let engine: EngineProcess;

		before(() => {
			engine = embeddedEngine(workspace);
		});

		it('a preview of all tells what then goes, with its bytes, and removes nothing', async () => {
			const { client } = engine;
			await load(client, imageOf([busyboxLayer()]), 'used:1');
			await load(client, imageOf([layerOf([{ name: 'x', content: 'x'.repeat(5000) }])]), 'unused:1');
			await client.networks.create({ Name: 'idle' });
			await client.containers.create({
				...{ Image: 'used:1', Cmd: ['true'], HostConfig: { NetworkMode: 'none' } },
				Volumes: { '/anonymous': {} },
			});
			const before = await everything(engine);
			const preview = command(engine, 'system', 'prune', '--all', '--volumes', '--dry-run');
			assert.deepEqual(await everything(engine), before);
			const done = command(engine, 'system', 'prune', '--all', '--volumes', '--force');
			const empty = { containers: [], images: [], networks: ['bridge', 'host', 'none'], volumes: [] };
			assert.deepEqual(await everything(engine), empty);
			assert.deepEqual([preview.status, done.status], [0, 0]);
			assert.match(preview.stdout, /^Volumes that would be deleted \([\d.]+kB\):$/m);
			assert.deepEqual(promised(preview.stdout), promised(done.stdout));
		});

		it('images: preview, answer, "system df" and du agree on what comes free, and on what goes', async () => {
			const { client, root } = engine;
			const shared = layerOf([{ name: 'shared', content: randomBytes(SEVERAL) }]);
			const own = (name: string): ReturnType<typeof layerOf> =>
				layerOf([{ name, content: randomBytes(SEVERAL) }, ...small(name)]);
			await load(client, imageOf([busyboxLayer(), shared]), 'used:1');
			await load(client, imageOf([shared, own('one')]), 'one:1');
			await load(client, imageOf([shared, own('common'), own('two')]), 'two:1');
			await client.images.tag('two:1', 'two:again');
			const { Id } = await client.containers.create({ Image: 'used:1', Cmd: ['true'] });
			await settled(engine);
			const usage = await client.diskUsage();
			const [images] = summarizeUsage(usage);
			const before = diskUsed(root);
			const filters = { dangling: ['false'] };
			const preview = await client.images.prune({ filters, isDryRun: true });
			assert.equal(diskUsed(root), before);
			const done = await client.images.prune({ filters });
			await settled(engine);
			const freed = before - diskUsed(root);
			assert.deepEqual(preview, done);
			assert.equal(done.ImagesDeleted?.filter((item) => item.Deleted !== undefined).length, 2 + 3);
			for (const told of [done.SpaceReclaimed, images?.reclaimable ?? 0]) {
				assert.ok(Math.abs(told - freed) < freed / 100, `told ${told}, freed ${freed}`);
			}
			const ofTwo = usage.Images?.find(({ RepoTags }) => RepoTags?.includes('two:1'))?.OwnSize ?? 0;
			assert.ok(ofTwo > 4 * SEVERAL && ofTwo < done.SpaceReclaimed, `two:1 has ${ofTwo}`);
			await client.containers.remove(Id);
			await client.images.remove('used:1');
		});

		it('one that cannot be removed does not stop the others, and is told with the reason', async () => {
			for (const name of ['one:1', 'two:1', 'three:1']) {
				await load(engine.client, imageOf([layerOf([{ name, content: name }])]), name);
			}
			const records = path.join(engine.root, 'records');
			const hash = createHash('sha256').update('docker.io/library/two:1').digest('hex');
			const record = path.join(records, `image-${hash}.json`);
			fs.renameSync(record, `${record}.aside`);
			fs.mkdirSync(record); // cannot be unlinked
			const pruned = await engine.client.images.prune({ filters: { dangling: ['false'] } });
			const gone = (pruned.ImagesDeleted ?? []).flatMap(({ Untagged }) => Untagged ?? []).sort();
			assert.deepEqual(gone, ['one:1', 'three:1']);
			assert.deepEqual(
				pruned.Failures?.map(({ Kind, Name }) => [Kind, Name]),
				[['image', 'two:1']],
			);
			const { status, stderr } = command(engine, 'image', 'prune', '--all', '--force');
			assert.equal(status, 1);
			assert.match(stderr, /^Cannot remove image "two:1": .*image-[a-f0-9]+\.json/m);
			fs.rmdirSync(record);
			fs.renameSync(`${record}.aside`, record);
			assert.equal(command(engine, 'image', 'prune', '--all', '--force').status, 0);
			assert.deepEqual(await engine.client.images.list(), []);
		});

		it('rmi of several: what is missing or in use is told, the others go', async () => {
			for (const name of ['a:1', 'b:1', 'c:1']) {
				await load(engine.client, imageOf([layerOf([{ name, content: name }])]), name);
			}
			const { Id } = await engine.client.containers.create({ Image: 'b:1', Cmd: ['true'] });
			const { status, stdout, stderr } = command(engine, 'rmi', 'a:1', 'b:1', 'nosuch', 'c:1');
			assert.equal(status, 1);
			assert.deepEqual(stdout.match(/^Untagged: .*/gm), ['Untagged: a:1', 'Untagged: c:1']);
			assert.match(stderr, /unable to remove repository reference "b:1" \(must force\)[^]*No such image: nosuch/);
			await engine.client.containers.remove(Id);
			await engine.client.images.remove('b:1');
		});
	});
});

/** An image, a container that wrote and logged, a volume, the beginning of a download. */
async function fill({ client, root }: EngineProcess): Promise<void> {
	const noise = layerOf([{ name: 'noise', content: randomBytes(SEVERAL) }]);
	await load(client, imageOf([busyboxLayer(), noise]), 'noisy:1');
	const script = `head -c ${SEVERAL} /noise >/written; cp /written /data; head -c ${SEVERAL} /dev/zero | tr '\\0' x`;
	const { Id } = await client.containers.create({
		...{ Image: 'noisy:1', Cmd: ['sh', '-c', script] },
		HostConfig: { NetworkMode: 'none', Binds: ['data:/data'] },
	});
	const { exit } = await client.containers.wait(Id, { condition: 'next-exit' });
	await client.containers.start(Id);
	assert.equal(await within('the container', 30_000, exit), 0);
	fs.writeFileSync(path.join(root, 'ingest', 'c'.repeat(64)), randomBytes(SEVERAL));
	await settled({ root });
}

async function settled({ root }: Pick<EngineProcess, 'root'>): Promise<void> {
	const temporary = (): string[] => fs.readdirSync(path.join(root, 'layers')).filter((name) => name.startsWith('.'));
	await until('nothing is removed in the background any more', () => temporary().length === 0);
}

/** Files that take much more on the disk than they have bytes. */
function small(name: string): { readonly name: string; readonly content: string }[] {
	return Array.from({ length: 500 }, (_, index) => ({ name: `${name}-${index}`, content: 'x' }));
}

/** Bytes, as du counts them. */
function diskUsed(folder: string): number {
	return Number(/^\d+/.exec(spawnSync('du', ['-skx', folder], { encoding: 'utf8' }).stdout)) * 1024;
}

async function everything({ client }: EngineProcess): Promise<object> {
	return {
		containers: (await client.containers.list({ all: true })).map(({ Id }) => Id),
		images: (await client.images.list()).map(({ Id }) => Id).sort(),
		networks: (await client.networks.list()).map(({ Name }) => Name).sort(),
		volumes: (await client.volumes.list()).map(({ Name }) => Name).sort(),
	};
}

function command({ root }: EngineProcess, ...args: readonly string[]): SpawnSyncReturns<string> {
	const node = process.execPath;
	return spawnSync(node, [path.join(dist, 'cli.js'), '--root', root, ...args], { encoding: 'utf8' });
}

/** What a prune or its preview names, without the layers and the words in which they differ. */
function promised(text: string): { readonly names: readonly string[]; readonly bytes: string | undefined } {
	const named = text.split('\n').filter((line) => /^(untagged: |[a-f0-9]{64}$|idle$)/.test(line));
	return { names: named.sort(), bytes: /^Total reclaim(?:ed|able) space: (.*)$/m.exec(text)?.[1] };
}
