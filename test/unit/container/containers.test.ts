import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { Containers } from '../../../src/core/container/containers';
import { Runtimes } from '../../../src/core/container/runtimes';
import { EngineError } from '../../../src/core/errors';
import { OverlayDriver } from '../../../src/core/storage/overlay';
import { Events } from '../../../src/core/events';
import { Store } from '../../../src/core/store';
import { Networks } from '../../../src/core/network/networks';
import { HOST } from '../../../src/core/network/place';
import { Volumes } from '../../../src/core/volume/volumes';
import type { Container, Image } from '../../../src/core/types';

const IMAGE: Image = {
	id: `sha256:${'a'.repeat(64)}`,
	name: 'docker.io/library/busybox',
	tag: 'latest',
	layers: [],
	config: {
		...{ cmd: ['sh'], entrypoint: [], env: [], working_dir: '', exposed_ports: {} },
		...{ user: '', volumes: {}, labels: { tier: 'web' }, stop_signal: '' },
	},
	size: 1,
	created: '',
	digest: '',
	repo_digests: [],
	platform: { os: 'linux', architecture: 'amd64' },
	pulled_at: '',
};

/** What happens without a container ever running; the engine contract suite runs them. */
describe('containers', () => {
	let root: string;
	let containers: Containers;
	let events: string[];
	let store: Store;

	beforeEach(() => {
		root = fs.mkdtempSync(path.join(os.tmpdir(), 'mydocker-containers-'));
		fs.mkdirSync(path.join(root, 'records'));
		events = [];
		containers = open();
	});

	afterEach(async () => {
		await containers.close();
		fs.rmSync(root, { recursive: true, force: true });
	});

	function open(): Containers {
		store = new Store(path.join(root, 'records'), () => undefined);
		const announced = new Events();
		announced.subscribe(({ action, attributes }) => {
			events.push(`${action} ${attributes['name'] ?? ''}`);
		});
		const images = {
			get: (name: string): Image => {
				if (name !== 'busybox') {
					throw new EngineError('not-found', `No such image: ${name}`);
				}
				return IMAGE;
			},
			unpack: () => Promise.resolve(),
			lowerDirectories: () => [],
			rootLayers: () => ({ lowers: [] }),
			lookupLayers: () => [],
		};
		const runtime = new Runtimes(path.join(root, 'run'));
		const common = { root, store, events: announced, warn: () => undefined };
		const facts = {
			hasBridge: false,
			firewall: 'none',
			ipv6Problem: '',
			problems: [],
		} as const;
		const networks = new Networks({ ...common, place: HOST, facts, hostsFile: () => path.join(root, 'hosts') });
		const storage = new OverlayDriver('overlay', false);
		const volumes = new Volumes({ ...common, users: () => [], activeUsers: () => [], prefix: [] });
		return new Containers({
			...common,
			images,
			storage: {
				chosen: () => Promise.resolve({ driver: storage, status: [], problem: undefined }),
				of: () => storage,
			},
			runtime,
			networks,
			volumes,
			bridgeWarning: '',
			shimPrefix: [],
			bridgeProblem: undefined,
		});
	}

	async function create(name: string): Promise<Container> {
		const options = { name, image: 'busybox', config: { network: { mode: 'none' } } };
		return (await containers.create(options)).container;
	}

	/** The engine dies while the record says this, and another one comes. */
	async function reload(container: Container, changes: Partial<Container>): Promise<void> {
		await containers.close();
		store.save(`container-${container.id}`, { ...container, ...changes });
		containers = open();
		await containers.load();
	}

	it('created: is found by id, name and beginning of the id, newest first in the list', async () => {
		const [first, second] = [await create('first'), await create('second')];
		for (const name of [first.id, 'first', '/first', first.id.slice(0, 12)]) {
			assert.equal(containers.find(name), first);
		}
		assert.equal(containers.find('fir'), undefined);
		assert.deepEqual(containers.list(), [second, first]);
		assert.deepEqual(events, ['create first', 'create second']);
	});

	it('a beginning that several ids have: is refused', async () => {
		for (let count = 0; count < 17; count++) {
			await create(`c${count}x`);
		}
		const starts = containers.list().map(({ id }) => id.slice(0, 1));
		const twice = starts.find((start, index) => starts.indexOf(start) !== index) ?? '';
		assert.throws(() => containers.get(twice), {
			code: 'invalid',
			message: `multiple IDs found with provided prefix: ${twice}`,
		});
	});

	it('none of that name: is "No such container"', () => {
		assert.throws(() => containers.get('nosuch'), { code: 'not-found', message: 'No such container: nosuch' });
	});

	it('a name that is taken: is refused with the id of its owner, and nothing is made', async () => {
		const { id } = await create('web');
		await assert.rejects(create('web'), {
			code: 'conflict',
			message: `Conflict. The container name "/web" is already in use by container "${id}". You have to remove (or rename) that container to be able to reuse that name.`,
		});
		assert.deepEqual(fs.readdirSync(path.join(root, 'containers')), [id]);
	});

	it('an image that is not there: is told by the images', async () => {
		await assert.rejects(containers.create({ image: 'nosuch', config: {} }), { code: 'not-found' });
	});

	it('rename: keeps the id, frees the old name and tells it', async () => {
		const { id } = await create('old');
		containers.rename('old', 'new');
		assert.equal(containers.get('new').id, id);
		assert.throws(() => {
			containers.rename('new', 'new');
		}, /Renaming a container with the same name/);
		await create('old');
		assert.throws(
			() => {
				containers.rename('old', 'new');
			},
			{ code: 'conflict' },
		);
		assert.deepEqual(events, ['create old', 'rename new', 'create old']);
	});

	it('stop and kill of one that does not run: are not-modified and a conflict', async () => {
		const { id } = await create('web');
		await assert.rejects(containers.stop('web'), { code: 'not-modified' });
		await assert.rejects(containers.kill('web'), {
			code: 'conflict',
			message: `Cannot kill container: web: Container ${id} is not running`,
		});
		await assert.rejects(containers.kill('web', 'NOSUCH'), { code: 'invalid' });
	});

	it('remove: takes record and files, and resolves who waits', async () => {
		const { id } = await create('web');
		const waiting = [containers.wait('web', 'removed'), containers.wait('web', 'next-exit')];
		const attachment = containers.attach('web', { stdout: true });
		await containers.remove('web', { force: false, volumes: false });
		assert.deepEqual(await Promise.all(waiting), Array(2).fill({ exitCode: 0, error: '' }));
		for await (const chunk of attachment.output) {
			assert.fail(`unexpected ${chunk.stream}`);
		}
		assert.equal(containers.find(id), undefined);
		assert.deepEqual(
			[fs.readdirSync(path.join(root, 'containers')), fs.readdirSync(path.join(root, 'records'))],
			[[], []],
		);
		assert.deepEqual(events, ['create web', 'attach web', 'destroy web']);
	});

	it('two removals at once: one is told that the other is at work', async () => {
		await create('web');
		const results = await Promise.allSettled(
			[1, 2].map(() => containers.remove('web', { force: true, volumes: false })),
		);
		assert.deepEqual(
			results.map((result) => (result.status === 'rejected' ? String(result.reason) : result.status)),
			['fulfilled', 'EngineError: removal of container web is already in progress'],
		);
	});

	it('wait: is over at once for one that does not run, and can be cancelled', async () => {
		await create('web');
		assert.deepEqual(await containers.wait('web', 'not-running'), { exitCode: 0, error: '' });
		const controller = new AbortController();
		const waiting = containers.wait('web', 'next-exit', controller.signal);
		controller.abort();
		await assert.rejects(waiting, { name: 'AbortError' });
		await assert.rejects(containers.wait('nosuch', 'removed'), { code: 'not-found' });
	});

	it('engine start: finds what was created', async () => {
		const container = await create('web');
		await reload(container, {});
		assert.deepEqual(containers.list(), [container]);
		assert.equal(containers.hasRunning(), false);
	});

	const dead = { pid: 1, start_time: '1', boot_id: 'earlier' };
	const leftovers: readonly (readonly [string, Partial<Container>, Partial<Container>])[] = [
		[
			'a start that was cut off: stays created with the reason',
			{ status: 'starting' },
			{ status: 'created', exit_code: 128, error: 'the engine ended while it started the container' },
		],
		[
			'one that ran and is without a trace: has exited with 255',
			{ status: 'running', started_at: 'x' },
			{ status: 'exited', exit_code: 255, error: 'monitor vanished, exit code lost' },
		],
		[
			'one that was being stopped: too',
			{ status: 'stopping', started_at: 'x' },
			{ status: 'exited', exit_code: 255, error: 'monitor vanished, exit code lost' },
		],
		[
			'one that ran before the machine was restarted: says so',
			{ status: 'running', started_at: 'x', process: dead, shim: dead },
			{ status: 'exited', exit_code: 255, error: 'the machine was restarted meanwhile, exit code lost' },
		],
		[
			'one that had exited: stays as it is',
			{ status: 'exited', exit_code: 3 },
			{ status: 'exited', exit_code: 3, error: '' },
		],
	];
	for (const [title, before, after] of leftovers) {
		it(`engine start, ${title}`, async () => {
			await reload(await create('web'), before);
			const { status, exit_code, error, process, shim } = containers.get('web');
			assert.deepEqual({ status, exit_code, error, process, shim }, { ...after, process: null, shim: null });
		});
	}

	it('engine start, an exit that no engine saw: has its code, time and last output', async () => {
		const container = await create('web');
		const shim = path.join(root, 'containers', container.id, 'shim');
		fs.mkdirSync(shim);
		for (const [name, text] of Object.entries({
			pid: '999999999',
			exit: '7\n5\n',
			'stdout.0': 'last words',
			'stderr.0': '',
		})) {
			fs.writeFileSync(path.join(shim, name), text);
		}
		fs.utimesSync(path.join(shim, 'exit'), 1795535287.5, 1795535287.5);
		await reload(container, { status: 'running', started_at: 'x' });
		const { status, exit_code, finished_at } = containers.get('web');
		assert.deepEqual([status, exit_code, finished_at], ['exited', 7, '2026-11-24T15:48:07.500000000Z']);
		const lines: string[] = [];
		for await (const entry of containers.logs('web', {})) {
			lines.push(entry.data.toString());
		}
		assert.deepEqual(lines, ['last words']);
		assert.equal(fs.existsSync(shim), false);
	});

	it('engine start: completes removals, also of what should remove itself', async () => {
		const half = await create('half');
		const gone = await create('gone');
		await reload(half, { status: 'removing' });
		await reload(gone, { status: 'exited', config: { ...gone.config, auto_remove: true } });
		assert.deepEqual([containers.list(), fs.readdirSync(path.join(root, 'containers'))], [[], []]);
	});

	it('engine start, a corrupt record: the container is not there, its files are left alone', async () => {
		const { id } = await create('web');
		await containers.close();
		fs.writeFileSync(path.join(root, 'records', `container-${id}.json`), 'rubbish');
		for (let start = 0; start < 2; start++) {
			containers = open();
			await containers.load();
			assert.deepEqual(containers.list(), []);
			assert.deepEqual(fs.readdirSync(path.join(root, 'containers')), [id]);
		}
	});

	it('engine start: removes folders that no record knows', async () => {
		const container = await create('web');
		fs.mkdirSync(path.join(root, 'containers', 'stray', 'upper'), { recursive: true });
		await reload(container, {});
		assert.deepEqual(fs.readdirSync(path.join(root, 'containers')), [container.id]);
	});
});
