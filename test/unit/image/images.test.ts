import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { EngineError } from '../../../src/core/errors';
import type { ErrorCode } from '../../../src/core/errors';
import { Events } from '../../../src/core/events';
import { Images } from '../../../src/core/image/images';
import type { ImageUser, PullProgress, RemovedImage } from '../../../src/core/image/images';
import { Store } from '../../../src/core/store';
import type { Image } from '../../../src/core/types';
import { archive } from './archives';
import { RegistryServer } from './registry-server';
import { scratchFolder } from './scratch';

const base = archive({ name: 'base', body: 'base' });
const top = archive({ name: 'top', body: 'top!' });
const other = archive({ name: 'other', body: 'other' });
const CONTAINER = 'c'.repeat(64);

describe('images', () => {
	let root: string;
	let server: RegistryServer;
	let images: Images;
	let users: Map<string, ImageUser>;
	let announced: string[];
	let warnings: string[];

	beforeEach(async () => {
		root = scratchFolder();
		server = new RegistryServer();
		await server.listen();
		users = new Map();
		images = await open();
	});

	afterEach(async () => {
		await images.close();
		await server.close();
		fs.rmSync(root, { recursive: true, force: true });
	});

	/** An engine's view of the store, as after a new start. */
	async function open(): Promise<Images> {
		const records = path.join(root, 'records');
		fs.mkdirSync(records, { recursive: true });
		warnings = [];
		announced = [];
		const warn = (message: string): void => {
			warnings.push(message);
		};
		const events = new Events();
		events.subscribe(({ action, attributes }) => announced.push(`${action} ${attributes['name'] ?? ''}`));
		const store = new Store(records, warn);
		const usersOf = (imageId: string): ImageUser[] =>
			[...users].filter(([id]) => id === imageId).map(([, user]) => user);
		const opened = new Images({ root, store, events, warn, users: usersOf });
		await opened.load();
		return opened;
	}

	async function reopen(): Promise<void> {
		await images.close();
		images = await open();
	}

	function name(rest = ''): string {
		return `${server.host}/app${rest}`;
	}

	async function pull(rest = ''): Promise<Image> {
		return images.pull(name(rest));
	}

	function use(image: Image, isRunning: boolean): void {
		users.set(image.id, { id: CONTAINER, name: 'user', isRunning });
		fs.writeFileSync(
			path.join(root, 'records', `container-${CONTAINER}.json`),
			JSON.stringify({ id: CONTAINER, image_id: image.id }),
		);
	}

	function names(): string[] {
		return images
			.list()
			.map((image) => `${image.name.replace(server.host, 'host')}:${image.tag}`)
			.sort();
	}

	/** What is on the disk besides records, when nothing is done in the background any more. */
	async function files(): Promise<{ blobs: number; layers: number; other: string[] }> {
		await images.close();
		const layers = fs.readdirSync(path.join(root, 'layers'));
		return {
			blobs: fs.readdirSync(path.join(root, 'blobs/sha256')).length,
			layers: layers.filter((entry) => /^[a-f0-9]{64}$/.test(entry)).length,
			other: [...layers.filter((entry) => entry.startsWith('.')), ...fs.readdirSync(path.join(root, 'ingest'))],
		};
	}

	function refuses(work: () => unknown, code: ErrorCode, message: string): void {
		assert.throws(work, new EngineError(code, message));
	}

	function short(image: Image): string {
		return image.id.slice(7, 19);
	}

	describe('pull', () => {
		it("gives the record, keeps blobs and layers, and tells in docker's words how it goes", async () => {
			const digest = server.putImage([base, top], { config: { Cmd: ['/bin/x'], Labels: { a: 'b' } } });
			const lines: PullProgress[] = [];
			const image = await images.pull(name(), { onProgress: (line) => lines.push(line) });
			const { id, pulled_at, layers, ...rest } = image;
			assert.match(id, /^sha256:/);
			assert.ok(Date.parse(pulled_at) > 0);
			assert.equal(layers.length, 2);
			assert.deepEqual(rest, {
				name: name(),
				tag: 'latest',
				config: {
					cmd: ['/bin/x'],
					entrypoint: [],
					env: [],
					working_dir: '',
					exposed_ports: {},
					user: '',
					volumes: {},
					labels: { a: 'b' },
					stop_signal: '',
				},
				size: 8,
				created: '2026-01-01T00:00:00Z',
				digest,
				repo_digests: [`${name()}@${digest}`],
				platform: { os: 'linux', architecture: 'amd64' },
			});
			assert.deepEqual(await files(), { blobs: 4, layers: 2, other: [] });
			assert.deepEqual(announced, [`pull ${name()}`]);
			const statuses = lines.map(({ status }) => status);
			assert.deepEqual(statuses.slice(0, 3), ['Pulling from app', 'Pulling fs layer', 'Pulling fs layer']);
			assert.deepEqual(statuses.slice(-2), [
				`Digest: ${digest}`,
				`Status: Downloaded newer image for ${name()}:latest`,
			]);
			const first = lines.filter((line) => line.id === lines[1]?.id).map(({ status }) => status);
			assert.deepEqual(
				[...new Set(first)],
				[
					'Pulling fs layer',
					'Downloading',
					'Verifying Checksum',
					'Download complete',
					'Extracting',
					'Pull complete',
				],
			);
			assert.equal(lines[0]?.id, 'latest');
		});

		it('lower directories are the layers, top first', async () => {
			server.putImage([base, top]);
			const image = await pull();
			const contents = images.lowerDirectories(image.id).map((folder) => fs.readdirSync(folder).join());
			assert.deepEqual(contents, ['top', 'base']);
		});

		it('a layer that is in the image twice is one lower directory, where it is on top', async () => {
			server.putImage([base, top, base]);
			const image = await pull();
			assert.equal(image.layers.length, 3);
			const contents = images.lowerDirectories(image.id).map((folder) => fs.readdirSync(folder).join());
			assert.deepEqual(contents, ['base', 'top']);
		});

		it('a layer that hides all below it is the lowest directory', async () => {
			server.putImage([base, archive({ name: '.wh..wh..opq' }, { name: 'only', body: '1' }), top]);
			const image = await pull();
			const contents = images.lowerDirectories(image.id).map((folder) => fs.readdirSync(folder).join());
			assert.deepEqual(contents, ['top', 'only']);
		});

		it('again changes nothing, and asks for the digest of the tag alone, which counts for no pull limit', async () => {
			server.putImage([base, top]);
			const image = await pull();
			const lines: string[] = [];
			server.requests.length = 0;
			const again = await images.pull(name(), { onProgress: ({ status }) => lines.push(status) });
			assert.deepEqual(again, image);
			assert.deepEqual(lines.slice(2), [`Status: Image is up to date for ${name()}:latest`]);
			assert.deepEqual(server.requests, ['HEAD /v2/app/manifests/latest']);
		});

		it('again from a registry that does not answer HEAD', async () => {
			server.putImage([base]);
			const image = await pull();
			server.handler = ({ method }, response) => {
				if (method === 'HEAD') {
					response.writeHead(405).end();
				}
				return method === 'HEAD';
			};
			assert.deepEqual(await pull(), image);
		});

		it('layers that are there are not fetched', async () => {
			server.putImage([base, top], { tags: ['1'] });
			server.putImage([base, other], { tags: ['2'] });
			await pull(':1');
			const lines: string[] = [];
			await images.pull(name(':2'), { onProgress: ({ status }) => lines.push(status) });
			assert.deepEqual(lines.slice(1, 3), ['Already exists', 'Pulling fs layer']);
			assert.equal((await files()).layers, 3);
		});

		it('two pulls at once fetch a shared layer once', async () => {
			server.putImage([base, top], { tags: ['1'] });
			server.putImage([base, other], { tags: ['2'] });
			await Promise.all([pull(':1'), pull(':2'), pull(':1')]);
			const blobs = server.requests.filter((request) => request.includes('/blobs/'));
			const layerFetches = blobs.length - 3; // each pull reads its configuration
			assert.deepEqual([layerFetches, names(), (await files()).layers], [3, ['host/app:1', 'host/app:2'], 3]);
		});

		it('by digest makes a name without a tag', async () => {
			const digest = server.putImage([base]);
			const image = await pull(`:ignored@${digest}`);
			assert.deepEqual([image.name, image.tag, image.repo_digests], [name(), '', [`${name()}@${digest}`]]);
			assert.equal(images.get(name(`@${digest}`)).id, image.id);
			await pull();
			assert.deepEqual(names(), ['host/app:latest']);
		});

		it("by an index takes the manifest for the platform, and the name is the index's digest", async () => {
			const amd64 = server.putImage([base], { tags: [] });
			const arm = server.putImage([top], { tags: [], image: { architecture: 'arm64' } });
			const entry = (digest: string, architecture: string): object => ({
				mediaType: 'application/vnd.oci.image.manifest.v1+json',
				digest,
				size: server.manifests.get(digest)?.bytes.length,
				platform: { os: 'linux', architecture },
			});
			const type = 'application/vnd.oci.image.index.v1+json';
			const index = { schemaVersion: 2, manifests: [entry(amd64, 'amd64'), entry(arm, 'arm64')] };
			const digest = server.putManifest(index, type, 'latest');
			const image = await images.pull(name(), {
				platform: { os: 'linux', architecture: 'arm64', variant: 'v8' },
			});
			assert.deepEqual(
				[image.digest, image.repo_digests, image.platform.architecture],
				[arm, [`${name()}@${digest}`], 'arm64'],
			);
			await assert.rejects(images.pull(name(), { platform: { os: 'linux', architecture: 's390x' } }), {
				code: 'not-found',
				message: 'no matching manifest for linux/s390x in the manifest list entries',
			});
			const platform = { os: 'linux', architecture: 'amd64' };
			assert.equal((await images.pull(name(), { platform })).digest, amd64);
			server.requests.length = 0;
			assert.equal((await images.pull(name(), { platform })).digest, amd64);
			assert.deepEqual(server.requests, ['HEAD /v2/app/manifests/latest']);
		});

		it('a single image of another platform than asked for is refused, as is another operating system', async () => {
			server.putImage([base]);
			await assert.rejects(images.pull(name(), { platform: { os: 'linux', architecture: 'arm64' } }), {
				code: 'not-found',
				message: /does not match the specified platform: wanted linux\/arm64, actual: linux\/amd64/,
			});
			server.putImage([base], { image: { os: 'windows' } });
			await assert.rejects(pull(), { code: 'unsupported', message: /operating system "windows"/ });
			assert.deepEqual(names(), []);
		});

		it('of a tag that has moved keeps the old image without a tag', async () => {
			server.putImage([base]);
			const old = await pull();
			server.putImage([top]);
			const image = await pull();
			assert.notEqual(image.id, old.id);
			assert.deepEqual(
				images.list().map(({ id, tag, repo_digests }) => [id, tag, repo_digests]),
				[
					[old.id, '', old.repo_digests],
					[image.id, 'latest', image.repo_digests],
				],
			);
			await reopen();
			assert.equal(images.list().length, 2);
		});

		it('a damaged layer, or one of other content than the configuration says, leaves nothing behind', async () => {
			server.putImage([base, top]);
			const [digest, blob] = [...server.blobs].find(([, bytes]) => bytes[0] === 0x1f) ?? [];
			assert.ok(digest && blob);
			const same = Buffer.from(blob);
			same[same.length - 1] = 255 - (same[same.length - 1] ?? 0);
			server.blobs.set(digest, same);
			await assert.rejects(pull(), { code: 'corrupt', message: new RegExp(`layer "${digest}"`) });
			assert.deepEqual([names(), await files()], [[], { blobs: 0, layers: 0, other: [] }]);

			const wrong = server.putImage([other], { image: {} });
			const stored = server.manifests.get(wrong);
			const document = JSON.parse(stored?.bytes.toString() ?? '') as { config: object };
			const config = {
				os: 'linux',
				architecture: 'amd64',
				rootfs: { type: 'layers', diff_ids: [`sha256:${'0'.repeat(64)}`] },
			};
			document.config = { ...document.config, ...server.putBlob(Buffer.from(JSON.stringify(config))) };
			server.putManifest(document, stored?.type ?? '', 'latest');
			await assert.rejects(pull(), {
				code: 'corrupt',
				message: /its content has digest sha256:.* and should have sha256:000/,
			});
			assert.deepEqual([names(), await files()], [[], { blobs: 0, layers: 0, other: [] }]);
		});

		it('a hostile layer is refused with its digest and the reason, and nothing stays', async () => {
			server.putImage([base, archive({ name: '../../evil', body: 'x' })]);
			await assert.rejects(pull(), {
				code: 'corrupt',
				message:
					/^Cannot pull image "127.0.0.1:\d+\/app:latest": its layer "sha256:[a-f0-9]{64}": the name "\.\.\/\.\.\/evil" leaves the layer$/,
			});
			assert.deepEqual([names(), await files()], [[], { blobs: 0, layers: 0, other: [] }]);
		});

		it('small layers are asked for while the configuration is on its way, and each once, also by two pulls', async () => {
			server.putImage([base, top]);
			const configurations: (() => void)[] = [];
			const layers = new Set<string>();
			server.handler = (request, response) => {
				const blob = server.blobs.get((request.url ?? '').split('/').at(-1) ?? '');
				if (blob === undefined) {
					return false;
				}
				if (blob[0] === 0x1f) {
					layers.add(request.url ?? '');
				} else {
					configurations.push(() => response.writeHead(200).end(blob));
				}
				// No configuration before both layers were asked for.
				if (layers.size === 2) {
					for (const answer of configurations.splice(0)) {
						answer();
					}
				}
				return blob[0] !== 0x1f;
			};
			const [one, other] = await Promise.all([pull(), pull()]);
			assert.deepEqual([one.layers.length, other.id], [2, one.id]);
			for (const layer of layers) {
				assert.equal(server.requests.filter((request) => request === `GET ${layer}`).length, 1);
			}
		});

		it('an answer that breaks before anybody reads it: the layer is asked for again', async () => {
			server.putImage([base]);
			let isBroken = false;
			const broken = new Promise<void>((resolve) => {
				server.handler = (request, response) => {
					const blob = server.blobs.get((request.url ?? '').split('/').at(-1) ?? '');
					if (blob === undefined || isBroken) {
						return false;
					}
					if (blob[0] === 0x1f) {
						isBroken = true;
						response.once('close', resolve);
						response.writeHead(200).write(blob.subarray(0, 20), () => response.destroy());
					} else {
						void broken.then(() => response.writeHead(200).end(blob));
					}
					return true;
				};
			});
			assert.equal((await pull()).layers.length, 1);
			assert.equal(server.requests.filter((request) => request.includes('/blobs/')).length, 3);
		});

		it('when aborted stops, tells the reason and leaves nothing; another pull of the same layer goes on', async () => {
			server.putImage([base, top]);
			const first = new AbortController();
			const arrived = new Promise<void>((resolve) => {
				server.handler = (request, response) => {
					const blob = server.blobs.get((request.url ?? '').split('/').at(-1) ?? '');
					if (blob?.[0] !== 0x1f) {
						return false;
					}
					response.writeHead(200).write(blob.subarray(0, 20));
					setTimeout(() => {
						resolve();
						setTimeout(() => response.end(blob.subarray(20)), 30);
					}, 10);
					return true;
				};
			});
			const aborted = images.pull(name(), { signal: first.signal });
			const second = pull();
			await arrived;
			first.abort(new Error('left'));
			await assert.rejects(aborted, /left/);
			assert.equal((await second).layers.length, 2);
			images.remove(name(), { force: false });
			const third = new AbortController();
			const alone = images.pull(name(), {
				signal: third.signal,
				onProgress: ({ status }) => {
					if (status === 'Downloading') {
						third.abort(new Error('left too'));
					}
				},
			});
			await assert.rejects(alone, /left too/);
			assert.deepEqual([names(), await files()], [[], { blobs: 0, layers: 0, other: [] }]);
		});
	});

	describe('names', () => {
		let image: Image;

		beforeEach(async () => {
			server.putImage([base, top]);
			image = await pull();
		});

		it('an image is found by name, digest, id and any unique prefix of its id', async () => {
			server.putImage([other], { tags: ['2'] });
			await pull(':2');
			const hex = image.id.slice(7);
			for (const text of [
				name(),
				name(':latest'),
				image.repo_digests[0] ?? '',
				image.id,
				hex,
				hex.slice(0, 12),
				`sha256:${hex.slice(0, 9)}`,
			]) {
				assert.equal(images.find(text)?.id, image.id, text);
			}
			assert.equal(images.find(name(':2'))?.tag, '2');
			for (const text of [
				'',
				'x',
				'sha256:',
				name(':3'),
				`${hex}0`,
				`sha256:${'0'.repeat(64)}`,
				'UPPER',
				'a b',
			]) {
				assert.equal(images.find(text), undefined, text);
			}
		});

		it('what is not there is named as docker does', () => {
			refuses(() => images.get('nosuch'), 'not-found', 'No such image: nosuch:latest');
			refuses(() => images.get('nosuch:1'), 'not-found', 'No such image: nosuch:1');
			const id = `sha256:${'0'.repeat(64)}`;
			refuses(() => images.get(id), 'not-found', `No such image: ${id}`);
			refuses(() => images.get('a/'), 'invalid', 'invalid reference format');
		});

		it('tag adds a name; both have the same image', () => {
			const tagged = images.tag(name(), 'mine:1');
			assert.deepEqual([tagged.id, tagged.name, tagged.tag], [image.id, 'docker.io/library/mine', '1']);
			assert.deepEqual(names(), ['docker.io/library/mine:1', 'host/app:latest']);
			assert.deepEqual(images.names(image.id).length, 2);
			assert.equal(announced.at(-1), 'tag mine:1');
			images.tag(image.id.slice(7, 20), 'mine');
			assert.equal(images.get('mine').id, image.id);
		});

		it('tag moves a name that another image has; that one stays without a name', async () => {
			server.putImage([other], { tags: ['2'] });
			const second = await pull(':2');
			images.tag(name(':2'), 'mine');
			images.tag(name(), 'mine');
			assert.equal(images.get('mine').id, image.id);
			images.tag(name(), name(':2'));
			assert.deepEqual(
				images.names(second.id).map(({ tag, repo_digests }) => [tag, repo_digests]),
				[['', second.repo_digests]],
			);
			await reopen();
			assert.equal(images.names(second.id).length, 1);
			assert.deepEqual(warnings, []);
		});

		it('tag refuses what docker refuses', () => {
			refuses(() => images.tag('nosuch', 'x'), 'not-found', 'No such image: nosuch:latest');
			refuses(
				() => images.tag(name(), 'Upper'),
				'invalid',
				'invalid reference format: repository name (library/Upper) must be lowercase',
			);
			refuses(
				() => images.tag(name(), `x@sha256:${'0'.repeat(64)}`),
				'invalid',
				'refusing to create a tag with a digest reference',
			);
			refuses(
				() => images.tag(name(), 'sha256:x'),
				'invalid',
				'refusing to create an ambiguous tag using digest algorithm as name',
			);
		});

		it('search finds parts of names and tags in any case', () => {
			images.tag(name(), 'team/Web'.toLowerCase());
			images.tag(name(), 'other:WEB-1');
			assert.deepEqual(
				images.search('wEb').map((found) => `${found.name}:${found.tag}`),
				['docker.io/library/other:WEB-1', 'docker.io/team/web:latest'],
			);
			assert.deepEqual(images.search('docker.io'), []);
			assert.equal(images.search('').length, 3);
		});
	});

	describe('remove', () => {
		let image: Image;
		let repoDigest: string;

		beforeEach(async () => {
			server.putImage([base, top]);
			image = await pull();
			repoDigest = image.repo_digests[0] ?? '';
		});

		function remove(text: string, force = false): RemovedImage[] {
			announced.length = 0;
			return images.remove(text, { force });
		}

		it('the last name takes the image with it, and what nothing else needs', async () => {
			server.putImage([base, other], { tags: ['2'] });
			const second = await pull(':2');
			const removed = remove(name());
			assert.deepEqual(removed.slice(0, 3), [
				{ untagged: `${name()}:latest` },
				{ untagged: repoDigest },
				{ deleted: image.id },
			]);
			assert.equal(removed.length, 4); // the layer on top; the base layer is the other image's too
			assert.deepEqual(announced, [`untag ${image.id}`, `delete ${image.id}`]);
			assert.deepEqual([names(), await files()], [['host/app:2'], { blobs: 4, layers: 2, other: [] }]);
			remove(second.id);
			assert.deepEqual([names(), await files()], [[], { blobs: 0, layers: 0, other: [] }]);
		});

		it('one of several names is only untagged; the digests go with the last tag of their repository', () => {
			images.tag(name(), name(':2'));
			images.tag(name(), 'mine');
			assert.deepEqual(remove(name()), [{ untagged: `${name()}:latest` }]);
			assert.deepEqual(remove(name(':2')), [{ untagged: `${name()}:2` }, { untagged: repoDigest }]);
			assert.deepEqual(images.get('mine').repo_digests, []);
			assert.deepEqual(remove('mine').slice(0, 2), [{ untagged: 'mine:latest' }, { deleted: image.id }]);
		});

		it('a digest can be untagged', () => {
			assert.deepEqual(remove(repoDigest), [{ untagged: repoDigest }]);
			assert.deepEqual(images.get(name()).repo_digests, []);
		});

		it('by id removes all names of one repository, and refuses several without force', () => {
			images.tag(name(), 'mine');
			refuses(
				() => remove(image.id),
				'conflict',
				`conflict: unable to delete ${short(image)} (must be forced) - image is referenced in multiple repositories`,
			);
			assert.deepEqual(remove(image.id.slice(7, 19), true).slice(0, 4), [
				{ untagged: `${name()}:latest` },
				{ untagged: repoDigest },
				{ untagged: 'mine:latest' },
				{ deleted: image.id },
			]);
			assert.deepEqual(names(), []);
		});

		it('a name is not mistaken for the beginning of an id', () => {
			const first = image.id.slice(7, 8);
			images.tag(name(), `x${first}:1`.slice(1));
			assert.deepEqual(remove(`${first}:1`), [{ untagged: `${first}:1` }]);
		});

		it('an image that a container uses is kept', () => {
			use(image, false);
			refuses(
				() => remove(name()),
				'conflict',
				`conflict: unable to remove repository reference "${name()}" (must force) - container ${CONTAINER.slice(0, 12)} is using its referenced image ${short(image)}`,
			);
			refuses(
				() => remove(image.id),
				'conflict',
				`conflict: unable to delete ${short(image)} (must be forced) - image is being used by stopped container ${CONTAINER.slice(0, 12)}`,
			);
			use(image, true);
			refuses(
				() => remove(image.id, true),
				'conflict',
				`conflict: unable to delete ${short(image)} (cannot be forced) - image is being used by running container ${CONTAINER.slice(0, 12)}`,
			);
			assert.equal(images.get(name()).id, image.id);
		});

		it('one of several names of a used image goes without force', () => {
			use(image, true);
			images.tag(name(), 'mine');
			assert.deepEqual(remove('mine'), [{ untagged: 'mine:latest' }]);
		});

		it("by force takes the name from a running container's image, which stays", () => {
			use(image, true);
			assert.deepEqual(remove(name(), true), [{ untagged: `${name()}:latest` }, { untagged: repoDigest }]);
			assert.deepEqual(names(), [':']);
			assert.equal(images.get(image.id).tag, '');
			assert.equal(images.lowerDirectories(image.id).length, 2);
		});

		it("by force removes a stopped container's image; its layers stay until the container goes", async () => {
			use(image, false);
			assert.deepEqual(remove(name(), true).at(-1), { deleted: image.id });
			assert.deepEqual(names(), []);
			assert.equal(images.lowerDirectories(image.id).length, 2);
			await reopen();
			assert.equal(images.lowerDirectories(image.id).length, 2);
			users.clear();
			fs.rmSync(path.join(root, 'records', `container-${CONTAINER}.json`));
			await reopen();
			assert.deepEqual(await files(), { blobs: 0, layers: 0, other: [] });
		});

		it('what is not there is an error', () => {
			refuses(() => remove('nosuch:1'), 'not-found', 'No such image: nosuch:1');
		});
	});

	describe('load', () => {
		let image: Image;

		beforeEach(async () => {
			server.putImage([base, top]);
			image = await pull();
			await images.close();
		});

		function layerFile(index: number, suffix = ''): string {
			return path.join(root, 'layers', (image.layers[index] ?? '').slice(7) + suffix);
		}

		it('finds all again, and rewrites index.json for other tools', async () => {
			const index = fs.readFileSync(path.join(root, 'index.json'), 'utf8');
			fs.writeFileSync(path.join(root, 'index.json'), 'lost');
			await reopen();
			assert.deepEqual(images.list(), [image]);
			assert.deepEqual(warnings, []);
			assert.equal(fs.readFileSync(path.join(root, 'index.json'), 'utf8'), index);
			assert.deepEqual(JSON.parse(index), {
				schemaVersion: 2,
				mediaType: 'application/vnd.oci.image.index.v1+json',
				manifests: [
					{
						mediaType: 'application/vnd.oci.image.manifest.v1+json',
						digest: image.digest,
						size: server.manifests.get(image.digest)?.bytes.length,
						platform: image.platform,
						annotations: { 'org.opencontainers.image.ref.name': `${name()}:latest` },
					},
				],
			});
		});

		it('removes what was half done', async () => {
			fs.mkdirSync(path.join(root, 'layers/.tmp-1/tree'), { recursive: true });
			fs.mkdirSync(path.join(root, 'layers', 'e'.repeat(64)));
			fs.writeFileSync(path.join(root, 'layers', `${'d'.repeat(64)}.json`), '{}');
			fs.writeFileSync(path.join(root, 'ingest/part'), 'x');
			fs.writeFileSync(path.join(root, 'blobs/sha256', 'f'.repeat(64)), 'x');
			fs.writeFileSync(path.join(root, 'blobs/sha256/x.tmp'), 'x');
			await reopen();
			assert.deepEqual(await files(), { blobs: 4, layers: 2, other: [] });
			assert.equal(fs.readdirSync(path.join(root, 'layers')).length, 4);
			assert.deepEqual(images.list(), [image]);
		});

		it('a layer whose files may have been lost with the power is unpacked again from its blob', async () => {
			const record = JSON.parse(fs.readFileSync(layerFile(1, '.json'), 'utf8')) as { boot_id: string };
			assert.equal(record.boot_id, ''); // safe on the disk once the engine has closed
			fs.writeFileSync(layerFile(1, '.json'), JSON.stringify({ ...record, boot_id: 'of yesterday' }));
			fs.writeFileSync(path.join(layerFile(1), 'top'), '');
			await reopen();
			assert.throws(() => images.lowerDirectories(image.id), { code: 'corrupt', message: /is missing/ });
			const before = server.requests.length;
			await images.unpack(image.id);
			assert.equal(fs.readFileSync(path.join(images.lowerDirectories(image.id)[0] ?? '', 'top'), 'utf8'), 'top!');
			assert.equal(server.requests.length, before);
		});

		it('opaque folders that an earlier record does not name are looked for when the image is used', async () => {
			server.putImage([base, archive({ name: 'd/e/.wh..wh..opq' }, { name: 'd/e/f', body: '1' })]);
			image = await pull();
			await images.close();
			const known = fs.readFileSync(layerFile(1, '.json'), 'utf8');
			assert.deepEqual((JSON.parse(known) as { opaque: string[] }).opaque, ['/d/e']);
			fs.writeFileSync(layerFile(1, '.json'), known.replace(/"opaque":[^\]]*\],/, ''));
			await reopen();
			const opaque = (): string[] => images.lookupLayers(image.id).flatMap((layer) => [...layer.opaque]);
			assert.deepEqual(opaque(), []);
			await images.unpack(image.id);
			assert.deepEqual(opaque(), ['/d/e']);
			assert.deepEqual(JSON.parse(fs.readFileSync(layerFile(1, '.json'), 'utf8')), JSON.parse(known));
		});

		it('a pull mends an image whose layer is missing, too', async () => {
			fs.rmSync(layerFile(0), { recursive: true });
			await reopen();
			await pull();
			assert.equal(images.lowerDirectories(image.id).length, 2);
		});

		it('an image that cannot be mended is dropped with a warning', async () => {
			fs.rmSync(path.join(root, 'blobs/sha256', image.digest.slice(7)));
			await reopen();
			assert.deepEqual(images.list(), []);
			assert.match(
				warnings.join(),
				/Image ".*\/app:latest" is dropped: its manifest or configuration is missing/,
			);
		});

		it('a damaged blob is not unpacked', async () => {
			fs.rmSync(layerFile(0), { recursive: true });
			const manifest = JSON.parse(server.manifests.get('latest')?.bytes.toString() ?? '') as {
				layers: { digest: string }[];
			};
			const blob = path.join(root, 'blobs/sha256', (manifest.layers[0]?.digest ?? '').slice(7));
			const bytes = fs.readFileSync(blob);
			bytes[4] = 255 - (bytes[4] ?? 0); // a time in gzip's header, so all that is unpacked is as it was
			fs.writeFileSync(blob, bytes);
			await reopen();
			await assert.rejects(images.unpack(image.id), {
				code: 'corrupt',
				message: /its blob in the store is damaged; pull the image again$/,
			});
			await pull();
			assert.equal(images.lowerDirectories(image.id).length, 2);
			fs.rmSync(layerFile(0), { recursive: true });
			await reopen();
			await images.unpack(image.id); // from a blob that is whole again
		});

		it('a record that cannot be read is set aside, and nothing is removed that may be its own', async () => {
			const records = path.join(root, 'records');
			const [file = ''] = fs.readdirSync(records);
			fs.writeFileSync(path.join(records, file), '{"id":');
			await reopen();
			assert.deepEqual(images.list(), []);
			assert.match(warnings.join(), /corrupt/);
			assert.deepEqual(await files(), { blobs: 4, layers: 2, other: [] });
			await reopen();
			assert.deepEqual(await files(), { blobs: 0, layers: 0, other: [] });
		});

		it('a record under another name is dropped', async () => {
			const records = path.join(root, 'records');
			const [file = ''] = fs.readdirSync(records);
			fs.copyFileSync(path.join(records, file), path.join(records, `image-${'0'.repeat(64)}.json`));
			await reopen();
			assert.deepEqual(images.list(), [image]);
			assert.match(warnings.join(), /another image's file name/);
			assert.equal(fs.readdirSync(records).length, 1);
		});
	});
});
