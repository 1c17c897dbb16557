import * as assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { createClient } from '../../src/api/client';
import { connectEngine } from '../../src/api/connect';
import { imageOf, noiseLayer } from './fixture';
import { create, launch, logsOf, pull, remove, run } from './run';
import './setup';
import {
	ask,
	enginePid,
	leaksOf,
	pushImages,
	startRegistries,
	type Images,
	type Registries,
	type Subject,
} from './subject';
import { delay, dist, endProcess, until, within, Workspace } from './workspace';

const LINES = 30_000;

const FULL = /no space left on the disk of ".*"; free some \(mydocker system df .*\) or move the store/;

/** A disk that is full, or that may only be read: the reason is told, nothing half-written stays, and then it goes on. */
describe('engine disk', function () {
	const workspace = new Workspace('disk');
	const ids = new Set<string>();
	let registries: Registries;
	let images: Images;
	let disk: string;
	let subject: Subject;

	before(async () => {
		registries = await startRegistries(workspace);
		images = await pushImages(registries);
		disk = workspace.folder('disk');
		mount(['-t', 'tmpfs', '-o', 'size=32m', 'tmpfs', disk]);
		// The shim of the last container may still be on its way out.
		workspace.defer('unmount the disk', async () => {
			await until('nobody uses the disk', () => spawnSync('umount', [disk]).status === 0);
		});
		const root = path.join(disk, 'store');
		const connect = (signal?: AbortSignal): Promise<string> =>
			connectEngine({ root, engine: path.join(dist, 'engine.js'), idleTimeout: 300 }, signal);
		workspace.defer('end the engine', endEngine);
		const client = createClient(connect);
		const socket = path.join(root, 'run', 'api.sock');
		subject = { name: 'embedded', client, socket, images, registries, ids, root };
		await pull(subject, images.busybox.reference);
	});

	afterEach('there is room again, and the next command is right', async () => {
		fs.rmSync(path.join(disk, 'filler'), { force: true });
		assert.equal((await run(subject, { Cmd: ['echo', 'right'] })).stdout, 'right\n');
		assert.deepEqual(
			fs.readdirSync(path.join(subject.root, 'layers')).filter((name) => name.startsWith('.')),
			[],
		);
		assert.deepEqual(
			fs.readdirSync(path.join(subject.root, 'records')).filter((name) => name.endsWith('.tmp')),
			[],
		);
	});

	after('nothing is left', async () => {
		const { root } = workspace;
		await workspace.dispose();
		assert.deepEqual(leaksOf(root, ids), []);
	});

	async function endEngine(): Promise<void> {
		const pid = enginePid(subject.root);
		await (pid === undefined ? undefined : endProcess(pid));
	}

	/** Bytes in the store. */
	function used(): number {
		const { blocks, bfree, bsize } = fs.statfsSync(disk);
		return (blocks - bfree) * bsize;
	}

	/** Leaves no block. */
	function fill(): void {
		const file = fs.openSync(path.join(disk, 'filler'), 'w');
		try {
			for (const size of [1 << 20, 1 << 12]) {
				writeUntilFull(file, Buffer.alloc(size));
			}
		} finally {
			fs.closeSync(file);
		}
	}

	/** Bytes in the last block of a file; 0 when a next line needs a block of its own. */
	function lastBlockOf(file: string): number {
		return fs.statSync(file).size % fs.statfsSync(disk).bsize;
	}

	it('pull: says that the disk is full; what was downloaded of it can be gone on with, its layers are not there', async () => {
		const image = imageOf([noiseLayer(20_000_000), noiseLayer(20_000_000)]);
		await registries.open.push('demo/too-big', '1', image);
		const reference = `${registries.open.host}/demo/too-big:1`;
		await assert.rejects(pull(subject, reference), FULL);
		assert.ok(!(await subject.client.images.list()).some(({ RepoTags }) => RepoTags?.includes(reference)));
		for (const name of fs.readdirSync(path.join(subject.root, 'ingest'))) {
			fs.rmSync(path.join(subject.root, 'ingest', name));
		}
		await subject.client.images.prune();
	});

	it('commit and load: say that the disk is full, and take nothing of it', async () => {
		const id = await launch(subject, {
			Cmd: ['sh', '-c', 'head -c 9000000 /dev/urandom >/big; tail -f /dev/null'],
		});
		const upper = path.join(subject.root, 'containers', id, 'upper', 'big');
		await until('it has written', () => fs.existsSync(upper) && fs.statSync(upper).size === 9_000_000);
		const before = used();
		const rest = fs.statfsSync(disk);
		fs.writeFileSync(path.join(disk, 'filler'), Buffer.alloc(rest.bfree * rest.bsize - 6_000_000));
		await assert.rejects(ask(subject, 'POST', `/commit?container=${id}&repo=full`).then(refuse), FULL);
		fs.rmSync(path.join(disk, 'filler'));
		assert.ok(used() - before < 200_000, `${used() - before} bytes more than before`);
		await remove(subject, id);
	});

	it('create, tag, a volume, a network: say that the disk is full, and are not there', async () => {
		const { client } = subject;
		const before = used();
		fill();
		await assert.rejects(create(subject, { Cmd: ['true'] }, { name: 'full' }), FULL);
		await assert.rejects(client.images.tag(images.busybox.reference, 'full:1'), FULL);
		await assert.rejects(client.volumes.create({ Name: 'full' }), FULL);
		assert.deepEqual(await client.containers.list({ all: true }), []);
		assert.deepEqual(await client.volumes.list(), []);
		fs.rmSync(path.join(disk, 'filler'));
		assert.ok(used() - before < 200_000, `${used() - before} bytes more than before`);
		await remove(subject, await create(subject, { Cmd: ['true'] }, { name: 'full' }));
	});

	/** A container that writes to both streams until the disk has no room, and waits. */
	async function writeUntilItWaits(): Promise<string> {
		const numbered = (to: string): string => `seq 1 ${LINES} | awk '{ printf "%060d\\n", $1 }' >&${to}`;
		const script = `until [ -e /go ]; do usleep 20000; done; ${numbered('2')} & ${numbered('1')}; wait; printf end`;
		const id = await launch(subject, { Cmd: ['sh', '-c', script] });
		const { exit } = await subject.client.containers.wait(id);
		const go = await subject.client.execs.create(id, { Cmd: ['touch', '/go'] });
		fill();
		giveBack(200_000);
		await subject.client.execs.startDetached(go);
		await assert.rejects(within('the exit', 3000, exit), /took more than/);
		exit.catch(() => undefined); // of an engine that is killed
		return id;
	}

	function giveBack(bytes: number): void {
		const filler = path.join(disk, 'filler');
		fs.truncateSync(filler, fs.statSync(filler).size - bytes);
	}

	/** Waits for the end of the container, and looks for each byte in its log. */
	async function checkEnd(id: string): Promise<void> {
		await within('the exit', 30_000, (await subject.client.containers.wait(id)).exit);
		const { stdout, stderr } = await logsOf(subject, id);
		const all = Array.from({ length: LINES }, (_, index) => `${String(index + 1).padStart(60, '0')}\n`).join('');
		assert.ok(stdout === `${all}end`, firstDifference(stdout, `${all}end`));
		assert.ok(stderr === all, firstDifference(stderr, all));
		await remove(subject, id);
	}

	it('a log: its container waits for room, then goes on to its end, and no byte is lost or there twice', async function () {
		this.timeout(60_000);
		const id = await writeUntilItWaits();
		const log = path.join(subject.root, 'containers', id, 'log', `${id}-json.log`);
		const size = (): number => fs.statSync(log, { throwIfNoEntry: false })?.size ?? 0;
		for (let step = 0; step < 3; step++) {
			const before = size();
			giveBack(1_100_000);
			await until('it goes on', () => size() > before);
		}
		fs.rmSync(path.join(disk, 'filler'));
		await checkEnd(id);
	});

	it('an engine that is killed meanwhile: the next one goes on as soon as there is room', async function () {
		this.timeout(60_000);
		const id = await writeUntilItWaits();
		await endProcess(enginePid(subject.root) ?? assert.fail('there is no engine'), 'SIGKILL');
		fs.rmSync(path.join(disk, 'filler'));
		// Nobody takes what the container writes now: it must not use up all the room before the next engine is there.
		await delay(1000);
		await checkEnd(id);
	});

	it('the engine’s own log: without room for it the engine lives on, and tells later how much is missing', async () => {
		const engine = enginePid(subject.root);
		const log = path.join(subject.root, 'engine.log');
		// The line of the request before may come in between.
		const size = await until('a next line has no room', () => {
			fs.rmSync(path.join(disk, 'filler'), { force: true });
			fs.appendFileSync(log, '\n'.repeat(fs.statfsSync(disk).bsize - lastBlockOf(log)));
			fill();
			return lastBlockOf(log) === 0 && fs.statSync(log).size;
		});
		await subject.client.containers.list();
		await subject.client.containers.list();
		fs.rmSync(path.join(disk, 'filler'));
		await subject.client.containers.list();
		const isTold = (): boolean =>
			/Warning: \d+ lines are missing here: ENOSPC/.test(fs.readFileSync(log, 'utf8').slice(size));
		await until('the gap is told', isTold);
		assert.equal(enginePid(subject.root), engine);
	});

	it('an engine that starts on a full disk: what it removes makes room, and the next one could start like that too', async () => {
		const { client, root } = subject;
		const reserve = path.join(root, 'run', 'reserve');
		const id = await create(subject, { Cmd: ['true'] });
		await client.images.tag(images.busybox.reference, 'other:1');
		await until('room is kept for it', () => fs.existsSync(reserve));
		await endEngine();
		fill();
		assert.equal((await client.containers.list({ all: true })).length, 1);
		assert.equal(fs.existsSync(reserve), false);
		await remove(subject, id);
		await client.images.remove('other:1');
		await client.containers.prune();
		fs.rmSync(path.join(disk, 'filler'));
		await endEngine();
		assert.equal(fs.existsSync(reserve), true);
	});

	it('a place in which no folder can be made: is named, and why', async () => {
		const places = {
			'/proc/nowhere': 'no folder can be made there',
			'/etc/passwd/store': 'a part of its path is a file',
		};
		for (const [root, reason] of Object.entries(places)) {
			await assert.rejects(connectEngine({ root, engine: '/none' }), {
				name: 'EngineNotStarted',
				message: `Cannot open the store "${root}": ${reason}; make it writable, or name another folder with --root or MYDOCKER_ROOT`,
			});
		}
	});

	it('a disk that may only be read: is named', async () => {
		await endEngine();
		// The shim of the last container may still be on its way out.
		await until('nobody writes', () => spawnSync('mount', ['-o', 'remount,ro', disk]).status === 0);
		try {
			await assert.rejects(
				subject.client.version(),
				/Cannot open the store ".*": its disk is read-only; make it writable/,
			);
		} finally {
			mount(['-o', 'remount,rw', disk]);
		}
	});
});

/** Where two texts part, instead of a megabyte of both. */
function firstDifference(text: string, wanted: string): string {
	let at = 0;
	while (at < text.length && text[at] === wanted[at]) {
		at++;
	}
	return `${text.length} bytes instead of ${wanted.length}, other from ${at} on: ${JSON.stringify(text.slice(at, at + 40))}`;
}

/** An answer that is an error, as an error. */
function refuse({ status, body }: { readonly status: number; readonly body: Buffer }): void {
	if (status >= 400) {
		throw new Error(body.toString().replaceAll('\\"', '"'));
	}
}

function mount(args: readonly string[]): void {
	const { status, stderr } = spawnSync('mount', args, { encoding: 'utf8' });
	assert.equal(status, 0, stderr);
}

function writeUntilFull(file: number, piece: Buffer): void {
	try {
		for (;;) {
			fs.writeSync(file, piece);
		}
	} catch (error) {
		if (!(error instanceof Error && 'code' in error && error.code === 'ENOSPC')) {
			throw error;
		}
	}
}
