import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import type { ServerResponse } from 'node:http';
import * as path from 'node:path';
import { Events } from '../../src/core/events';
import { Images } from '../../src/core/image/images';
import { pullAllTags } from '../../src/core/image/pull-all';
import { Registries } from '../../src/core/image/registries';
import { Store } from '../../src/core/store';
import { archive } from '../unit/image/archives';
import { RegistryServer } from '../unit/image/registry-server';
import { scratchFolder } from '../unit/image/scratch';
import { until } from './workspace';

const noise = archive({ name: 'noise', body: randomBytes(400_000).toString('latin1') });

const layerWorker = path.resolve('dist/layer-worker.js');

describe('downloads that were cut off', () => {
	let root: string;
	let server: RegistryServer;
	let images: Images;
	/** "bytes=…" of each request for the layer, "" for the whole. */
	let ranges: string[];

	beforeEach(async () => {
		root = scratchFolder();
		server = new RegistryServer();
		await server.listen();
		images = await open();
		ranges = [];
		server.handler = (request) => {
			if (request.url?.endsWith(layer().digest) === true) {
				ranges.push(request.headers.range ?? '');
			}
			return false;
		};
		server.putImage([noise]);
	});

	afterEach(async () => {
		await images.close();
		await server.close();
		fs.rmSync(root, { recursive: true, force: true });
	});

	async function open(): Promise<Images> {
		fs.mkdirSync(path.join(root, 'records'), { recursive: true });
		const warn = (): void => undefined;
		const store = new Store(path.join(root, 'records'), warn);
		const opened = new Images({ root, store, events: new Events(), warn, users: () => [], layerWorker });
		await opened.load();
		return opened;
	}

	function layer(): { digest: string; blob: Buffer } {
		const [digest = '', blob = Buffer.alloc(0)] = [...server.blobs].find(([, bytes]) => bytes[0] === 0x1f) ?? [];
		return { digest, blob };
	}

	const part = (): string => path.join(root, 'ingest', layer().digest.slice('sha256:'.length));
	const name = (): string => `${server.host}/app`;
	const blobFile = (): string => path.join(root, 'blobs/sha256', path.basename(part()));

	it('go on after the end of the process: only the rest is fetched', async () => {
		await images.close();
		fs.writeFileSync(part(), layer().blob.subarray(0, 150_000));
		images = await open();
		await images.pull(name());
		assert.deepEqual(ranges, ['bytes=150000-']);
		assert.deepEqual(fs.readFileSync(blobFile()), layer().blob);
		assert.deepEqual(fs.readdirSync(path.join(root, 'ingest')), []);
	});

	it('a part that is whole is not fetched at all', async () => {
		await images.close();
		fs.writeFileSync(part(), layer().blob);
		images = await open();
		await images.pull(name());
		assert.deepEqual(ranges, []);
	});

	for (const [what, content] of [
		['a damaged part', (blob: Buffer) => Buffer.concat([blob.subarray(0, 100_000), Buffer.alloc(1000, 7)])],
		['a part that is no layer', () => Buffer.alloc(1000, 7)],
		['a part that is too long', (blob: Buffer) => Buffer.concat([blob, Buffer.alloc(10)])],
	] as const) {
		it(`${what} is thrown away and the whole fetched`, async () => {
			await images.close();
			fs.writeFileSync(part(), content(layer().blob));
			images = await open();
			await images.pull(name());
			assert.equal(ranges.at(-1), '');
			assert.deepEqual(fs.readFileSync(blobFile()), layer().blob);
		});
	}

	it('what is no part, or has become old, is removed at the start', async () => {
		await images.close();
		const old = path.join(root, 'ingest', 'a'.repeat(64));
		fs.writeFileSync(old, 'old');
		fs.utimesSync(old, 1, 1);
		fs.writeFileSync(path.join(root, 'ingest', 'junk'), '');
		fs.symlinkSync('/etc/passwd', path.join(root, 'ingest', 'b'.repeat(64)));
		images = await open();
		assert.deepEqual(fs.readdirSync(path.join(root, 'ingest')), []);
	});

	it('a cancelled one keeps what it has and ends at once; the next goes on there', async () => {
		const { blob } = layer();
		const abort = new AbortController();
		server.handler = (request, response) => {
			if (request.url?.endsWith(layer().digest) !== true) {
				return false;
			}
			ranges.push(request.headers.range ?? '');
			if (ranges.length > 1) {
				return false;
			}
			response.writeHead(200).write(blob.subarray(0, 200_000));
			setTimeout(() => {
				abort.abort(new Error('left'));
			}, 100);
			return true;
		};
		const pulling = images.pull(name(), { signal: abort.signal });
		let began = 0;
		abort.signal.addEventListener('abort', () => (began = Date.now()));
		await assert.rejects(pulling, /left/);
		assert.ok(Date.now() - began < 200, `it took ${Date.now() - began} ms`);
		assert.equal(fs.statSync(part()).size, 200_000);
		assert.equal(images.list().length, 0);
		await images.pull(name());
		assert.deepEqual(ranges, ['', 'bytes=200000-']);
	});

	it('a corrupt blob keeps nothing', async () => {
		const { digest, blob } = layer();
		server.blobs.set(digest, Buffer.concat([blob.subarray(0, -1), Buffer.from('x')]));
		await assert.rejects(images.pull(name()), { code: 'corrupt' });
		assert.deepEqual(fs.readdirSync(path.join(root, 'ingest')), []);
	});

	it('a server that wants a pause gets it; one that wants a long one is told to the person at once', async () => {
		let wait = '1';
		let refusals = 1;
		server.handler = (request, response) => {
			if (request.url?.includes('/manifests/') !== true || refusals-- <= 0) {
				return false;
			}
			response.writeHead(429, { 'retry-after': wait }).end();
			return true;
		};
		const began = Date.now();
		await images.pull(name());
		assert.ok(Date.now() - began >= 1000);
		[wait, refusals] = ['3600', 9];
		await assert.rejects(images.pull(name()), {
			code: 'unreachable',
			message: /status 429 \(it asks to be left alone for 3600 seconds\)$/,
		});
		assert.equal(refusals, 8);
	});

	for (const [what, size, count] of [
		['large', 3_000_000, 3],
		['small', 100_000, 6],
	] as const) {
		for (const [fault, answer] of [
			['send nothing more', (response: ServerResponse) => response.writeHead(200).write('x')],
			['are waited for', (response: ServerResponse) => response.writeHead(429, { 'retry-after': '50' }).end()],
		] as const) {
			it(`${what} layers of a registry that ${fault} hold up no other registry`, async () => {
				const noises = Array.from({ length: count }, (_, index) =>
					archive({ name: `${index}`, body: randomBytes(size).toString('latin1') }),
				);
				server.putImage(noises, { tags: ['stalled'] });
				const blobs = new Set([...server.blobs].filter(([, bytes]) => bytes[0] === 0x1f).map(([key]) => key));
				let asked = 0;
				server.handler = (request, response) => {
					const isLayer = blobs.has(request.url?.split('/').at(-1) ?? '');
					if (isLayer) {
						asked++;
						answer(response);
					}
					return isLayer;
				};
				const abort = new AbortController();
				const stalled = images.pull(`${name()}:stalled`, { signal: abort.signal });
				stalled.catch(() => undefined);
				const healthy = new RegistryServer();
				await healthy.listen();
				healthy.putImage([archive({ name: 'other', body: randomBytes(size).toString('latin1') })]);
				try {
					await until('two layers are asked for', () => asked >= 2);
					const began = Date.now();
					await images.pull(`${healthy.host}/app`);
					assert.ok(Date.now() - began < 10_000, `it took ${Date.now() - began} ms`);
				} finally {
					abort.abort(new Error('left'));
					await assert.rejects(stalled, /left/);
					await healthy.close();
				}
			});
		}
	}

	it("all tags: each is pulled, page by page of the registry's list", async () => {
		server.putImage([noise], { tags: ['a', 'c'] });
		server.putImage([archive({ name: 'b', body: 'b' })], { tags: ['b'] });
		server.handler = (request, response) => {
			const url = new URL(request.url ?? '', 'http://x');
			if (!url.pathname.endsWith('/tags/list')) {
				return false;
			}
			const isFirst = url.searchParams.get('last') === null;
			const link = '</v2/evil/tags/list?last=b&n=2>; rel="next"';
			response.writeHead(200, isFirst ? { link } : {});
			response.end(JSON.stringify({ name: 'app', tags: isFirst ? ['a', 'b'] : ['c'] }));
			return true;
		};
		const lines: string[] = [];
		const pulled = await pullAllTags({ images, registries: new Registries(root) }, name(), {
			onProgress: ({ status }) => lines.push(status),
		});
		assert.deepEqual(
			pulled.map(({ tag }) => tag),
			['a', 'b', 'c'],
		);
		assert.deepEqual(
			lines.filter((line) => line.startsWith('Status')),
			[`Status: Downloaded newer image for ${name()}`],
		);
		assert.ok(server.requests.every((request) => !request.includes('evil')));
	});

	it('an image for another machine, not asked for, is pulled with a warning', async () => {
		server.putImage([noise], { tags: ['other'], image: { architecture: 's390x' } });
		const lines: string[] = [];
		await images.pull(`${name()}:other`, { onProgress: ({ status }) => lines.push(status) });
		assert.match(lines.join('\n'), /^WARNING: The requested image's platform \(linux\/s390x\) does not match/m);
	});
});
