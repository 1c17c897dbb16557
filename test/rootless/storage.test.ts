import * as assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { whiteoutTree } from '../engine/fixture';
import { create, pull, remove, run, startAndFinish, type Body } from '../engine/run';
import {
	enginePid,
	leaksOf,
	pushImages,
	startRegistries,
	type Images,
	type Registries,
	type Subject,
} from '../engine/subject';
import { endProcess, hasProgram, processesOf, until, Workspace } from '../engine/workspace';
import { rootlessEngine, rootlessProblem, type RootlessEngine } from './user';

const SCRIPT = 'cd /data; rm kept; rm -r merged; mkdir merged; echo other >merged/other; echo more >>changed';
const LIST = 'ls /data/merged; cat /data/changed; [ -e /data/kept ] || echo no kept';
const CHANGES = [
	...['0 /data', '0 /data/changed', '0 /data/merged', '1 /data/merged/other'],
	...['2 /data/kept', '2 /data/merged/lower', '2 /data/merged/upper'],
];

/** The drivers that an ordinary user gets where the kernel's overlay does not work for him. */
describe('storage drivers of an ordinary user', function () {
	const problem = rootlessProblem();
	if (problem !== undefined) {
		it(`not tried, since ${problem}`);
		return;
	}
	const workspace = new Workspace('storage');
	let registries: Registries;
	let images: Images;

	before(async function () {
		this.timeout(60_000);
		registries = await startRegistries(workspace);
		images = await pushImages(registries);
	});

	after(() => workspace.dispose());

	for (const driver of ['fuse-overlayfs', 'copy'] as const) {
		describe(driver, () => {
			contract(workspace, driver, () => ({ registries, images }));
		});
	}
});

interface Pulled {
	readonly registries: Registries;
	readonly images: Images;
}

/** Put before a command of root's: every user may use /dev/fuse there, as on machines that have udev. */
function withFuse(workspace: Workspace): string[] {
	const device = path.join(workspace.root, 'fuse');
	execFileSync('mknod', ['-m', '666', device, 'c', '10', '229']);
	return ['unshare', '--mount', 'sh', '-c', 'mount --bind "$0" /dev/fuse && exec "$@"', device];
}

function contract(workspace: Workspace, driver: 'fuse-overlayfs' | 'copy', from: () => Pulled): void {
	let engine: RootlessEngine;
	let subject: Subject;

	before(async function () {
		this.timeout(60_000);
		if (driver === 'fuse-overlayfs' && !(hasProgram(driver) && fs.existsSync('/dev/fuse'))) {
			this.skip();
		}
		const place = driver === 'copy' ? [] : withFuse(workspace);
		engine = await rootlessEngine(workspace, { storageDriver: driver, place });
		subject = { ...engine, name: 'rootless', ...from(), ids: new Set() };
		await pull(subject, from().images.whiteouts.reference);
	});

	it('shows layers as they are meant', async () => {
		const { stdout } = await run(subject, bodyOf('find data | sort; cat data/changed'));
		// Only root of the machine may make a device.
		assert.equal(stdout, `${whiteoutTree.replace('data/null\n', '')}new`);
		assert.equal((await engine.client.info()).Driver, driver);
	});

	it('diff and commit tell what was written, deleted and made opaque', async () => {
		const { containers } = engine.client;
		const { id } = await run(subject, bodyOf(SCRIPT), { keep: true });
		const changes = (await containers.changes(id)).map(({ Kind, Path }) => `${Kind} ${Path}`).sort();
		assert.deepEqual(
			changes.filter((change) => change !== '0 /data/twin'), // fuse-overlayfs copies the other name up
			CHANGES,
		);
		await containers.commit(id, { target: 'committed:1' });
		const { stdout } = await run(subject, { ...bodyOf(LIST), Image: 'committed:1' });
		assert.equal(stdout, 'other\nnewmore\nno kept\n');
	});

	it('what was written is there after the engine was killed', async () => {
		const id = await create(subject, bodyOf('cat /data/count; ls /data; rm -f /data/link; echo x >>/data/count'));
		assert.match((await startAndFinish(subject, id)).stdout, /^link$/m);
		await endProcess(enginePid(engine.root) ?? 0, 'SIGKILL');
		await engine.start();
		const { stdout } = await startAndFinish(subject, id);
		assert.match(stdout, /^x$/m);
		assert.equal(stdout.match(/^link$/gm)?.length, 1); // in the output of the first run
	});

	it('remove leaves nothing', async () => {
		for (const { Id } of await engine.client.containers.list({ all: true })) {
			await remove(subject, Id);
		}
		assert.deepEqual(fs.readdirSync(path.join(engine.root, 'containers')), []);
		await endProcess(enginePid(engine.root) ?? 0);
		await until('the holder of the namespaces has gone', () => processesOf(engine.root).length === 0);
		assert.deepEqual(leaksOf(engine.root, subject.ids), []);
	});

	function bodyOf(script: string): Body {
		return { Image: from().images.whiteouts.reference, Cmd: ['sh', '-c', script] };
	}
}
