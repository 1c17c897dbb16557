import * as assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import * as http from 'node:http';
import type { AddressInfo } from 'node:net';
import * as path from 'node:path';
import { promisify } from 'node:util';
import { Uploads, type Arrival } from '../../src/core/image/uploads';
import { parseReference } from '../../src/core/image/reference';
import { imageOf, layerOf, noiseLayer, type ImageFixture } from './fixture';
import { load } from './loading';
import type { Seen } from './proxy';
import { account, request } from './registry';
import { pull, refused, run } from './run';
import './setup';
import { checkHolds, checkStore, isUnpacked, layersIn, leftovers } from './store-checks';
import {
	embeddedEngine,
	enginePid,
	pushImages,
	startRegistries,
	type EngineProcess,
	type Images,
	type Registries,
	type Subject,
} from './subject';
import { dist, endProcess, isAlive, until, Workspace } from './workspace';

const runProgram = promisify(execFile);

/** Pulls and pushes with a real registry, over lines that break and by engines that are killed. */
describe('transfers', () => {
	const workspace = new Workspace('transfers');
	let registries: Registries;
	let images: Images;
	let engine: EngineProcess;
	let subject: Subject;

	before(async () => {
		registries = await startRegistries(workspace);
		images = await pushImages(registries);
		engine = embeddedEngine(workspace);
		subject = { ...engine, name: 'embedded', images, registries, ids: new Set() };
	});

	afterEach(() => {
		registries.proxy.force();
		registries.bearer.force();
	});

	after(() => workspace.dispose());

	/** An image of one layer of noise that is in the registry; `reference` leads through the proxy. */
	async function remote(name: string, ...sizes: readonly number[]): Promise<Remote> {
		const image = imageOf(sizes.map((bytes, index) => noiseLayer(bytes, `noise-${index}`)));
		await registries.open.push(`demo/${name}`, '1', image);
		return { image, reference: `${registries.proxy.host}/demo/${name}:1` };
	}

	/** Requests for a blob of the layers. */
	function asked({ layers }: ImageFixture): Seen[] {
		const digests = layers.map(({ digest }) => digest);
		return registries.proxy.seen.filter(
			({ method, path: url }) => method === 'GET' && digests.some((digest) => url.endsWith(digest)),
		);
	}

	const part = ({ layers }: ImageFixture, index = 0): string =>
		path.join(engine.root, 'ingest', layers[index]?.digest.slice('sha256:'.length) ?? '');
	const sizeOf = (file: string): number => fs.statSync(file, { throwIfNoEntry: false })?.size ?? 0;

	/** Begins a pull whose layers stop in the middle; resolves when the first halves are on the disk. */
	async function stalled({ image, reference }: Remote, signal?: AbortSignal): Promise<void> {
		registries.proxy.force(({ path: url }) => (isLayer(image, url) ? { kind: 'stall' } : undefined));
		const pulling = pull(subject, reference, signal === undefined ? {} : { signal });
		pulling.catch(() => undefined);
		await until('half of each layer is on the disk', () =>
			image.layers.every(({ blob }, index) => sizeOf(part(image, index)) === Math.floor(blob.length / 2)),
		);
	}

	describe('a pull that does not come to its end', () => {
		it('SIGKILL in the middle of a blob: the next engine asks for the rest only, and reads the beginning again', async () => {
			const remoteImage = await remote('killed', 3_000_000);
			const { image, reference } = remoteImage;
			await stalled(remoteImage);
			const first = enginePid(engine.root) ?? 0;
			await endProcess(first, 'SIGKILL');
			const kept = sizeOf(part(image));
			registries.proxy.force();
			await pull(subject, reference);
			assert.deepEqual(
				asked(image).map(({ range }) => range),
				[undefined, `bytes=${kept}-`],
			);
			assert.notEqual(enginePid(engine.root), first);
			checkStore(engine.root);
			checkHolds(engine.root, image);
			// A record that is just being replaced has a temporary beside it.
			await until('nothing is left', () => leftovers(engine.root).length === 0);
		});

		it('a beginning that has gone bad meanwhile: is found out, and the whole fetched', async () => {
			const remoteImage = await remote('rotten', 1_000_000);
			const { image, reference } = remoteImage;
			await stalled(remoteImage);
			await endProcess(enginePid(engine.root) ?? 0, 'SIGKILL');
			const bytes = fs.readFileSync(part(image));
			bytes[1000] = (bytes[1000] ?? 0) ^ 1;
			fs.writeFileSync(part(image), bytes);
			registries.proxy.force();
			await pull(subject, reference);
			assert.deepEqual(
				asked(image).map(({ range }) => range),
				[undefined, `bytes=${bytes.length}-`, undefined],
			);
			checkStore(engine.root);
		});

		it('the network goes away: what came is kept, the next pull goes on there', async () => {
			const { image, reference } = await remote('lost', 1_000_000);
			const half = Math.floor((image.layers[0]?.blob.length ?? 0) / 2);
			registries.proxy.force(({ path: url }) => {
				if (!isLayer(image, url)) {
					return undefined;
				}
				const isFirst = asked(image).length === 1;
				return isFirst
					? { kind: 'truncate' }
					: { kind: 'status', status: 503, headers: { 'retry-after': '3600' } };
			});
			await assert.rejects(pull(subject, reference), /asks to be left alone for 3600 seconds/);
			await refused(subject.client.images.inspect(reference), 404, /No such image/);
			assert.equal(sizeOf(part(image)), half);
			registries.proxy.force();
			await pull(subject, reference);
			assert.equal(asked(image).at(-1)?.range, `bytes=${half}-`);
			checkHolds(engine.root, image);
		});

		it('cancelled: connections, temporary layers and image are gone, the parts stay and are gone on with', async () => {
			const remoteImage = await remote('cancelled', 900_000, 800_000, 700_000);
			const { image, reference } = remoteImage;
			const abort = new AbortController();
			await stalled(remoteImage, abort.signal);
			const pid = enginePid(engine.root) ?? 0;
			assert.ok(connectionsTo(pid, registries.proxy.port) >= 3);
			abort.abort();
			await until('the registry is left', () => asked(image).every(({ wasAborted }) => wasAborted));
			await until('its connections are closed', () => connectionsTo(pid, registries.proxy.port) === 0);
			const isTemporary = (name: string): boolean => name.startsWith('.');
			await until(
				'nothing half unpacked is left',
				() => !fs.readdirSync(path.join(engine.root, 'layers')).some(isTemporary),
			);
			await refused(subject.client.images.inspect(reference), 404, /No such image/);
			registries.proxy.force();
			await pull(subject, reference);
			const rest = image.layers.map(({ blob }) => `bytes=${Math.floor(blob.length / 2)}-`);
			const ranges = asked(image).map(({ range }) => range);
			assert.deepEqual(ranges.slice(3).sort(), rest.sort());
			assert.ok(isAlive(pid));
		});

		it('a token that runs out in the middle: another is fetched, and the blob gone on with', async () => {
			// So large that it is asked for after the configuration, whose request would fetch the other token.
			const image = imageOf([noiseLayer(3_000_000)]);
			await registries.basic.push('demo/tokens', '1', image);
			const { bearer } = registries;
			let isFirst = true;
			bearer.force(({ path: url }) => {
				if (!isLayer(image, url) || !isFirst) {
					return undefined;
				}
				isFirst = false;
				bearer.revokeTokens();
				return { kind: 'truncate' };
			});
			await pull(subject, `${bearer.host}/demo/tokens:1`, { auth: account });
			const blob = bearer.seen.filter(({ path: url }) => isLayer(image, url));
			// The old token is refused, then the new one opens.
			assert.deepEqual([blob.length, new Set(blob.map(({ authorization }) => authorization)).size], [3, 2]);
			assert.equal(bearer.seen.filter(({ path: url }) => url.startsWith('/token')).length, 2);
			checkHolds(engine.root, image);
		});
	});

	describe('collection', () => {
		it('a prune while a pull is under way: takes nothing of it', async () => {
			const { image, reference } = await remote('pruned', 500_000, 400_000, 300_000);
			const [first, ...others] = image.layers;
			let goOn = (): void => undefined;
			const held = new Promise<void>((resolve) => (goOn = resolve));
			registries.proxy.force(({ path: url }) =>
				others.some(({ digest }) => url.endsWith(digest)) ? { kind: 'hold', until: held } : undefined,
			);
			const pulling = pull(subject, reference);
			await until('one layer is there', () => isUnpacked(engine.root, first?.diffId ?? ''));
			for (const content of ['1', '2', '3']) {
				await load(engine.client, imageOf([layerOf([{ name: 'x', content }])]), 'waste:1');
				await engine.client.images.prune({ filters: { dangling: ['false'] } });
			}
			goOn();
			await pulling;
			checkStore(engine.root);
			checkHolds(engine.root, image);
		});

		it('prune of all and containers made at the same time: a container that is made can be run', async () => {
			for (let round = 0; round < 5; round++) {
				await pull(subject, images.busybox.reference);
				const [ran, pruned] = await Promise.allSettled([
					run(subject, { Cmd: ['echo', 'alive'] }),
					engine.client.images.prune({ filters: { dangling: ['false'] } }),
				]);
				assert.equal(pruned.status, 'fulfilled');
				if (ran.status === 'fulfilled') {
					assert.equal(ran.value.stdout, 'alive\n');
				} else {
					assert.match(String(ran.reason), /No such image/);
				}
			}
		});

		for (const moment of [0, 8]) {
			it(`SIGKILL ${moment} ms after the removal of many layers began: what is left is whole, the rest is gone`, async () => {
				const layers = Array.from({ length: 6 }, (_, index) =>
					layerOf(Array.from({ length: 100 }, (_none, file) => ({ name: `${index}/${file}`, content: 'x' }))),
				);
				const [kept, gone] = [imageOf(layers.slice(0, 3)), imageOf(layers)];
				await load(engine.client, kept, 'kept:1');
				await load(engine.client, gone, 'gone:1');
				const removing = engine.client.images.remove('gone:1');
				removing.catch(() => undefined);
				await new Promise((resolve) => setTimeout(resolve, moment));
				await endProcess(enginePid(engine.root) ?? 0, 'SIGKILL');
				const names = (await engine.client.images.list()).flatMap(({ RepoTags }) => RepoTags ?? []);
				assert.ok(names.includes('kept:1'));
				checkStore(engine.root);
				await until('nothing half removed is left', () => leftovers(engine.root).length === 0);
				for (const name of names.filter((each) => /^(kept|gone):1$/.test(each))) {
					await engine.client.containers.create({ Image: name, Cmd: ['x'] }).then(async ({ Id }) => {
						await assert.rejects(
							engine.client.containers.start(Id),
							/executable file not found|no such file/,
						);
						await engine.client.containers.remove(Id);
					});
					await engine.client.images.remove(name, { force: true });
				}
				const used = new Set([...kept.layers, ...gone.layers].map(({ diffId }) => diffId));
				assert.deepEqual(
					layersIn(engine.root).filter((diffId) => used.has(diffId)),
					[],
				);
			});
		}
	});

	describe('a push in pieces', () => {
		const blob = randomBytes(2_500_000);
		const digest = `sha256:${createHash('sha256').update(blob).digest('hex')}`;
		let file: string;

		before(() => {
			file = path.join(workspace.folder('blob'), 'blob');
			fs.writeFileSync(file, blob);
		});

		/** Brings the blob to a repository of its own, with what the registry was asked for it. */
		async function upload(
			repository: string,
			chunk: number,
		): Promise<{ how: Arrival; seen: Seen[]; told: number[] }> {
			const { host } = registries.proxy;
			const reference = parseReference(`${host}/${repository}:1`);
			const uploads = new Uploads({ host }, reference, chunk);
			const told: number[] = [];
			try {
				const how = await uploads.blob({ mediaType: 'x', digest, size: blob.length }, file, {
					mountFrom: [],
					onProgress: (sent) => told.push(sent),
					signal: new AbortController().signal,
				});
				const seen = registries.proxy.seen.filter(({ path: url }) => url.startsWith(`/v2/${repository}/`));
				const { body } = await request({
					port: registries.open.port,
					path: `/v2/${repository}/blobs/${digest}`,
				});
				assert.ok(body.equals(blob));
				return { how, seen, told };
			} finally {
				uploads.close();
			}
		}

		const pieces = (seen: readonly Seen[]): (string | undefined)[] =>
			seen.filter(({ method }) => method === 'PATCH').map(({ contentRange }) => contentRange);

		it('a large blob goes in pieces that say their place, and progress is told', async () => {
			const { how, seen, told } = await upload('pieces/large', 600_000);
			assert.deepEqual(how, { how: 'uploaded' });
			const expected = ['0-599999', '600000-1199999', '1200000-1799999', '1800000-2399999', '2400000-2499999'];
			assert.deepEqual(pieces(seen), expected);
			assert.equal(told.at(-1), blob.length);
			assert.deepEqual(
				told,
				told.toSorted((one, other) => one - other),
			);
		});

		it('a piece that does not arrive: is sent again, the others are not', async () => {
			let patches = 0;
			registries.proxy.force(({ method }) =>
				method === 'PATCH' && ++patches === 3 ? { kind: 'status', status: 502 } : undefined,
			);
			const { seen } = await upload('pieces/broken', 600_000);
			const sent = ['0-599999', '600000-1199999', '1200000-1799999', '1200000-1799999', '1800000-2399999'];
			assert.deepEqual(pieces(seen), [...sent, '2400000-2499999']);
		});

		it('a registry that takes no large request: gets pieces that it takes', async () => {
			registries.proxy.force(({ method, size }) =>
				size > 700_000 && method !== 'GET' ? { kind: 'status', status: 413 } : undefined,
			);
			const { seen } = await upload('pieces/small', 64 * 1024 * 1024);
			assert.equal(seen.filter(({ method, size }) => method === 'PUT' && size > 0).length, 1);
			assert.deepEqual(pieces(seen), ['0-624999', '625000-1249999', '1250000-1874999', '1875000-2499999']);
		});

		it('a registry that says how long a piece must be: gets no shorter one', async () => {
			registries.proxy.force(({ method, path: url }) =>
				method === 'POST' && url.includes('pieces/least')
					? { kind: 'headers', headers: { 'oci-chunk-min-length': '1000000' } }
					: undefined,
			);
			const { seen } = await upload('pieces/least', 300_000);
			assert.deepEqual(pieces(seen), ['0-999999', '1000000-1999999', '2000000-2499999']);
		});
	});

	describe('the command line', () => {
		let folder: string;
		let reference: string;

		beforeEach(() => {
			folder = workspace.folder('config');
			reference = `${registries.basic.host}/demo/private:1`;
		});

		afterEach(() => engine.client.images.remove(reference, { force: true }));

		const auth = Buffer.from(`${account.username}:${account.password}`).toString('base64');

		function write(name: string, content: object): string {
			const file = path.join(folder, name);
			fs.writeFileSync(file, JSON.stringify(content));
			return file;
		}

		async function pullWith(env: NodeJS.ProcessEnv): Promise<string> {
			const none = { DOCKER_CONFIG: path.join(folder, 'none'), REGISTRY_AUTH_FILE: path.join(folder, 'none') };
			const args = [path.join(dist, 'cli.js'), '--root', engine.root, 'pull', reference];
			const { stdout } = await runProgram(process.execPath, args, { env: { ...process.env, ...none, ...env } });
			return stdout;
		}

		function helper(): NodeJS.ProcessEnv {
			const secret = `{"ServerURL":"x","Username":"${account.username}","Secret":"${account.password}"}`;
			const script = `#!/bin/sh\n[ "$1:$(cat)" = "get:${registries.basic.host}" ] && echo '${secret}'\n`;
			fs.writeFileSync(path.join(folder, 'docker-credential-script'), script, { mode: 0o755 });
			return { PATH: `${folder}:${process.env['PATH'] ?? ''}`, DOCKER_CONFIG: folder };
		}

		for (const [what, environment] of [
			['no credentials', undefined],
			[
				'credHelpers',
				() => (write('config.json', { credHelpers: { [registries.basic.host]: 'script' } }), helper()),
			],
			['credsStore', () => (write('config.json', { credsStore: 'script' }), helper())],
			[
				'DOCKER_AUTH_CONFIG',
				() => ({ DOCKER_AUTH_CONFIG: JSON.stringify({ auths: { [registries.basic.host]: { auth } } }) }),
			],
			[
				'auth.json of podman',
				() => ({
					REGISTRY_AUTH_FILE: write('auth.json', { auths: { [`${registries.basic.host}/demo`]: { auth } } }),
				}),
			],
		] as const satisfies readonly (readonly [string, (() => NodeJS.ProcessEnv) | undefined])[]) {
			it(`${what}: ${environment === undefined ? 'are asked for' : 'open a private registry'}`, async () => {
				if (environment === undefined) {
					await assert.rejects(pullWith({}), /unauthorized|no basic auth credentials/);
					await pull(subject, reference, { auth: account });
				} else {
					assert.match(await pullWith(environment()), /Status: Downloaded newer image/);
				}
			});
		}
	});

	it('proxies of the environment reach the engine, NO_PROXY too; those of a request go before them', async () => {
		const [environment, asking] = [await refusingProxy(workspace), await refusingProxy(workspace)];
		const names = ['HTTPS_PROXY', 'NO_PROXY'] as const;
		const before = names.map((name) => [name, process.env[name]] as const);
		process.env['HTTPS_PROXY'] = environment.address;
		process.env['NO_PROXY'] = 'direct.invalid';
		const other = embeddedEngine(workspace);
		try {
			await other.client.info();
		} finally {
			for (const [name, value] of before) {
				if (value === undefined) {
					Reflect.deleteProperty(process.env, name);
				} else {
					process.env[name] = value;
				}
			}
		}
		const attempt = (reference: string, settings?: object): Promise<unknown> => {
			const encoded = Buffer.from(JSON.stringify(settings ?? {})).toString('base64url');
			const query = new URLSearchParams({ fromImage: reference, tag: '1' }).toString();
			return request({
				...{ socketPath: other.socket, method: 'POST', path: `/images/create?${query}` },
				headers: { 'x-mydocker-registries': encoded },
			});
		};
		await attempt('proxied.invalid/x');
		await attempt('direct.invalid/x');
		await attempt('asked.invalid/x', { proxy: asking.address });
		const unique = (targets: readonly string[]): string[] => [...new Set(targets)];
		assert.deepEqual(
			[unique(environment.targets), unique(asking.targets)],
			[['proxied.invalid:443'], ['asked.invalid:443']],
		);
	});
});

interface Remote {
	readonly image: ImageFixture;
	readonly reference: string;
}

function isLayer({ layers }: ImageFixture, url: string): boolean {
	return layers.some(({ digest }) => url.endsWith(digest));
}

/** Established TCP connections of a process to a port of this machine (proc_net_tcp(5)). */
function connectionsTo(pid: number, port: number): number {
	const own = new Set(
		fs.readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
			try {
				return /^socket:\[(\d+)\]$/.exec(fs.readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1] ?? [];
			} catch {
				return []; // closed meanwhile
			}
		}),
	);
	const hex = port.toString(16).toUpperCase().padStart(4, '0');
	const lines = fs.readFileSync(`/proc/${pid}/net/tcp`, 'latin1').split('\n').slice(1);
	return lines
		.map((line) => line.trim().split(/\s+/))
		.filter(([, , remote, state, , , , , , inode]) => {
			return remote?.endsWith(`:${hex}`) === true && state === '01' && own.has(inode ?? '');
		}).length;
}

/** A proxy that notes where it should lead to, and leads nowhere. */
async function refusingProxy(workspace: Workspace): Promise<{ address: string; targets: string[] }> {
	const targets: string[] = [];
	const server = http.createServer();
	server.on('connect', ({ url }, socket) => {
		targets.push(url ?? '');
		socket.end('HTTP/1.1 403 Forbidden\r\n\r\n');
	});
	await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
	workspace.defer('close a proxy', () => {
		server.closeAllConnections();
		server.close();
	});
	return { address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, targets };
}
