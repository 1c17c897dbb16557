import * as assert from 'node:assert/strict';
import type { ImageSummary } from '../../src/api/types';
import { expected } from './differences';
import { basicAuthorization, account } from './registry';
import {
	architecture,
	defaultPath,
	imageOf,
	layerOf,
	noiseLayer,
	sizeOf,
	whiteoutTree,
	type ImageFixture,
} from './fixture';
import { bodyOf, create, discard, launch, pull, refused, remove, run, shell } from './run';
import { startProxy, type Seen } from './proxy';
import { ask, type Subject } from './subject';
import { delay, freePort, until, within, Workspace } from './workspace';

/** Later versions of docker, and ours, name the part. */
const LOWERCASE = /invalid reference format: repository name (\(.*\) )?must be lowercase/;

/** What an engine does with images: pull, list, inspect, tag, remove. */
export function imageCases(subjectOf: () => Subject): void {
	describe('pull', () => {
		pullCases(subjectOf);
	});
	describe('pull by platform', () => {
		platformCases(subjectOf);
	});
	describe('pull with credentials', () => {
		credentialCases(subjectOf);
	});
	describe('pull from a registry that fails', () => {
		faultCases(subjectOf);
	});
	describe('layers', () => {
		layerCases(subjectOf);
	});
	describe('list and inspect an image', () => {
		listCases(subjectOf);
	});
	describe('tag', () => {
		tagCases(subjectOf);
	});
	describe('remove an image', () => {
		removeCases(subjectOf);
	});
	describe('image events', () => {
		eventCases(subjectOf);
	});
}

/** Pushes a small image of its own and gives its reference. */
async function pushed(
	subject: Subject,
	name: string,
	image: ImageFixture,
	host = subject.registries.open.host,
): Promise<string> {
	await subject.registries.open.push(`demo/${name}`, '1', image);
	return `${host}/demo/${name}:1`;
}

function small(text: string): ImageFixture {
	return imageOf([layerOf([{ name: 'file', content: text }])], { config: { Cmd: ['/file'] } });
}

async function rowOf(subject: Subject, id: string): Promise<ImageSummary | undefined> {
	return (await subject.client.images.list()).find((image) => image.Id === id);
}

/** Paths of a kind that the proxy was asked to GET, without their repository. */
function asked(seen: readonly Seen[], kind: 'blobs' | 'manifests'): string[] {
	return seen
		.filter((request) => request.method === 'GET' && request.path.includes(`/${kind}/`))
		.map((request) => request.path.slice(request.path.lastIndexOf('/') + 1));
}

function pullCases(subjectOf: () => Subject): void {
	it('progress: tells each step of each layer, then the digest and the result', async () => {
		const subject = subjectOf();
		const image = imageOf([noiseLayer(300_000)]);
		const reference = await pushed(subject, 'progress', image);
		const id = (image.layers[0]?.digest ?? '').slice('sha256:'.length, 'sha256:'.length + 12);
		const messages = await pull(subject, reference);
		const steps = messages
			// An engine that sends a client no more than it can take leaves out this one now and then.
			.filter((message) => message.status !== 'Verifying Checksum')
			.map((message) => `${message.id ?? ''} ${message.status ?? ''}`)
			.filter((step, index, all) => step !== all[index - 1]);
		assert.deepEqual(steps, [
			'1 Pulling from demo/progress',
			`${id} Pulling fs layer`,
			`${id} Downloading`,
			`${id} Download complete`,
			`${id} Extracting`,
			`${id} Pull complete`,
			` Digest: ${image.digest}`,
			` Status: Downloaded newer image for ${reference}`,
		]);
		const downloading = messages.filter((message) => message.status === 'Downloading');
		const total = image.layers[0]?.blob.length;
		assert.ok(
			downloading.every(({ progressDetail }) => progressDetail?.total === total),
			'bytes in all',
		);
		assert.ok(
			downloading.some(({ progressDetail }) => (progressDetail?.current ?? 0) > 0),
			'bytes so far',
		);
		await discard(subject, reference);
	});

	it('again: the image is up to date, and no layer is asked for', async () => {
		const subject = subjectOf();
		const reference = await pushed(subject, 'again', small('again'), subject.registries.proxy.host);
		await pull(subject, reference);
		subject.registries.proxy.seen.length = 0;
		const messages = await pull(subject, reference);
		assert.equal(messages.at(-1)?.status, `Status: Image is up to date for ${reference}`);
		assert.deepEqual(asked(subject.registries.proxy.seen, 'blobs'), []);
		await discard(subject, reference);
	});

	it('a layer that is there already: is said so and not downloaded', async () => {
		const subject = subjectOf();
		const layer = subject.images.busybox.fixture.layers[0] ?? assert.fail('busybox has a layer');
		const image = imageOf([layer, layerOf([{ name: 'more', content: 'more' }])]);
		const reference = await pushed(subject, 'shares', image, subject.registries.proxy.host);
		subject.registries.proxy.seen.length = 0;
		const messages = await pull(subject, reference);
		const short = layer.digest.slice(7, 19);
		assert.deepEqual(
			messages
				.filter((message) => message.id === short)
				.map((message) => message.status)
				.filter((status) => status !== 'Pulling fs layer'),
			['Already exists'],
		);
		assert.ok(!asked(subject.registries.proxy.seen, 'blobs').includes(layer.digest));
		await discard(subject, reference);
	});

	it('by digest: the image has no tag, and the digest in its name', async () => {
		const subject = subjectOf();
		const image = small('by digest');
		const reference = (await pushed(subject, 'by-digest', image)).replace(/:1$/, `@${image.digest}`);
		const messages = await pull(subject, reference);
		assert.equal(messages.at(-1)?.status, `Status: Downloaded newer image for ${reference}`);
		const inspected = await subject.client.images.inspect(reference);
		assert.deepEqual([inspected.Id, inspected.RepoTags, inspected.RepoDigests], [image.id, [], [reference]]);
		await discard(subject, reference);
	});

	it('no tag: means latest', async () => {
		const subject = subjectOf();
		const image = small('latest');
		await subject.registries.open.push('demo/latest', 'latest', image);
		const name = `${subject.registries.open.host}/demo/latest`;
		await pull(subject, `${name}:latest`);
		assert.equal((await subject.client.images.inspect(name)).Id, image.id);
		await discard(subject, name);
	});

	it('what is not there: is refused by its name, and nothing is stored', async () => {
		const subject = subjectOf();
		const { host } = subject.registries.open;
		const before = await subject.client.images.list();
		await refused(
			pull(subject, `${host}/demo/busybox:nosuch`),
			404,
			`manifest for ${host}/demo/busybox:nosuch not found: manifest unknown: manifest unknown`,
		);
		await refused(pull(subject, `${host}/demo/nosuch:1`), 404, /nosuch.*not found/);
		await refused(
			pull(subject, `${host}/demo/busybox@sha256:${'0'.repeat(64)}`),
			404,
			new RegExp(`manifest for ${host}/demo/busybox@sha256:0{64} not found`),
		);
		assert.deepEqual((await subject.client.images.list()).length, before.length);
	});

	it('an impossible reference: is refused', async () => {
		const subject = subjectOf();
		await refused(pull(subject, 'UPPER/Case:1'), 400, LOWERCASE);
		await refused(pull(subject, 'a b:1'), 400, /invalid reference format/);
	});

	it('a registry that does not answer: is named', async () => {
		const subject = subjectOf();
		const port = await freePort();
		await assert.rejects(
			pull(subject, `127.0.0.1:${port}/demo/any:1`),
			({ message }: Error) => message.includes(`127.0.0.1:${port}`) && /refused/i.test(message),
		);
	});

	it('a tag that moved: the new image takes the name, the old one stays without', async () => {
		const subject = subjectOf();
		const [old, fresh] = [small('old'), small('fresh')];
		const reference = await pushed(subject, 'moving', old);
		await pull(subject, reference);
		await pushed(subject, 'moving', fresh);
		const messages = await pull(subject, reference);
		assert.equal(messages.at(-1)?.status, `Status: Downloaded newer image for ${reference}`);
		assert.equal((await subject.client.images.inspect(reference)).Id, fresh.id);
		assert.deepEqual((await subject.client.images.inspect(old.id)).RepoTags, []);
		const dangling = await subject.client.images.list({ filters: { dangling: ['true'] } });
		assert.ok(
			dangling.some((image) => image.Id === old.id),
			'the old one is listed as dangling',
		);
		await discard(subject, old.id);
		await discard(subject, reference);
	});

	it('several pulls of one image at once: each blob is downloaded once, and all succeed', async () => {
		const subject = subjectOf();
		const { proxy } = subject.registries;
		const reference = subject.images.noise.reference.replace(subject.registries.open.host, proxy.host);
		proxy.force(({ path }) => (path.includes('/blobs/') ? { kind: 'slow', bytesPerSecond: 4_000_000 } : undefined));
		proxy.seen.length = 0;
		try {
			await Promise.all([1, 2, 3, 4].map(() => pull(subject, reference)));
		} finally {
			proxy.force();
		}
		const layers = subject.images.noise.fixture.layers.map((layer) => layer.digest);
		const blobs = asked(proxy.seen, 'blobs').filter((digest) => layers.includes(digest));
		assert.deepEqual(blobs.sort(), [...layers].sort());
		await discard(subject, reference);
	});

	it('a pull that is cancelled: lets go of the registry, stores no image, and can be done again', async () => {
		const subject = subjectOf();
		const { proxy } = subject.registries;
		const image = imageOf([noiseLayer(3_000_000)]);
		const reference = await pushed(subject, 'cancelled', image, proxy.host);
		proxy.force(({ path }) => (path.includes('/blobs/') ? { kind: 'slow', bytesPerSecond: 1_000_000 } : undefined));
		proxy.seen.length = 0;
		const controller = new AbortController();
		const running = pull(subject, reference, { signal: controller.signal });
		running.catch(() => undefined);
		try {
			const layer = image.layers[0]?.digest ?? '';
			await until('the layer is on its way', () => asked(proxy.seen, 'blobs').includes(layer));
			await delay(300);
			controller.abort();
			await assert.rejects(running, { name: 'AbortError' });
			await until('the registry is let go', () =>
				proxy.seen.filter((request) => request.path.includes(layer)).every((request) => request.wasAborted),
			);
		} finally {
			proxy.force();
		}
		await refused(subject.client.images.inspect(reference), 404, /No such image/);
		const messages = await pull(subject, reference);
		assert.equal(messages.at(-1)?.status, `Status: Downloaded newer image for ${reference}`);
		await discard(subject, reference);
	});

	it('one of two pulls is cancelled: the other goes on', async () => {
		const subject = subjectOf();
		const { proxy } = subject.registries;
		const image = imageOf([noiseLayer(1_500_000)]);
		const reference = await pushed(subject, 'half-cancelled', image, proxy.host);
		proxy.force(({ path }) => (path.includes('/blobs/') ? { kind: 'slow', bytesPerSecond: 1_000_000 } : undefined));
		const controller = new AbortController();
		const first = pull(subject, reference, { signal: controller.signal });
		first.catch(() => undefined);
		try {
			await delay(200);
			const second = pull(subject, reference);
			await delay(300);
			controller.abort();
			await assert.rejects(first, { name: 'AbortError' });
			assert.match((await within('the other pull', 15_000, second)).at(-1)?.status ?? '', /^Status: /);
		} finally {
			proxy.force();
		}
		assert.equal((await subject.client.images.inspect(reference)).Id, image.id);
		await discard(subject, reference);
	});
}

function platformCases(subjectOf: () => Subject): void {
	it('an index: gives the image of this machine, under the digest of the index', async () => {
		const subject = subjectOf();
		const { reference, repository, fixture } = subject.images.index;
		const messages = await pull(subject, reference);
		assert.equal(messages.at(-2)?.status, `Digest: ${fixture.digest}`);
		const image = await subject.client.images.inspect(reference);
		assert.deepEqual(
			[image.Architecture, image.Os, image.RepoDigests, image.Id],
			[architecture, 'linux', [`${repository}@${fixture.digest}`], fixture.children[2]?.id],
		);
		await discard(subject, reference);
	});

	it('another platform: can be asked for, with its variant', async () => {
		const subject = subjectOf();
		const { reference, fixture } = subject.images.index;
		await pull(subject, reference, { platform: 'linux/arm/v7' });
		const arm = await subject.client.images.inspect(reference);
		assert.deepEqual([arm.Architecture, arm.Variant, arm.Id], ['arm', 'v7', fixture.children[1]?.id]);
		await pull(subject, reference, { platform: 'linux/riscv64' });
		assert.equal((await subject.client.images.inspect(reference)).Id, fixture.children[0]?.id);
		const body = bodyOf(subject, { Image: reference, Cmd: ['true'] });
		const { Id, Warnings } = await subject.client.containers.create(body);
		const words =
			/^The requested image's platform \(linux\/riscv64\) does not match the detected host platform \(linux\/\w+(\/\w+)?\) and no specific platform was requested$/;
		assert.match(Warnings[0] ?? '', words);
		await remove(subject, Id);
		await discard(subject, reference);
		await discard(subject, arm.Id);
	});

	it('a platform that the index lacks: is named', async () => {
		const subject = subjectOf();
		await assert.rejects(
			pull(subject, subject.images.index.reference, { platform: 'linux/s390x' }),
			/no matching manifest for linux\/s390x in the manifest list entries/,
		);
	});
}

function credentialCases(subjectOf: () => Subject): void {
	const wrong = { username: account.username, password: 'wrong' };

	it('Basic: right ones open, wrong and missing ones are told', async () => {
		const subject = subjectOf();
		const reference = `${subject.registries.basic.host}/demo/private:1`;
		const refusal = /no basic auth credentials|unauthorized|authentication required/;
		await assert.rejects(pull(subject, reference), refusal);
		await assert.rejects(pull(subject, reference, { auth: wrong }), refusal);
		await pull(subject, reference, { auth: account });
		assert.equal((await subject.client.images.inspect(reference)).Id, subject.images.busybox.fixture.id);
		await discard(subject, reference);
	});

	it('Bearer: a token is fetched for this repository only', async () => {
		const subject = subjectOf();
		const { bearer } = subject.registries;
		const reference = `${bearer.host}/demo/private:1`;
		bearer.seen.length = 0;
		await pull(subject, reference, { auth: account });
		const tokens = bearer.seen.filter((request) => request.path.startsWith('/token'));
		assert.ok(tokens.length > 0);
		for (const token of tokens) {
			const query = new URL(token.path, 'http://proxy').searchParams;
			assert.deepEqual(
				[token.authorization, query.get('service'), query.get('scope')],
				[basicAuthorization(), 'demo-service', 'repository:demo/private:pull'],
			);
		}
		const others = bearer.seen.filter((request) => !request.path.startsWith('/token'));
		assert.ok(
			others.every((request) => !(request.authorization ?? '').startsWith('Basic')),
			'the password goes nowhere else',
		);
		await discard(subject, reference);
	});

	it('Bearer: no credentials, or wrong ones, are told', async () => {
		const subject = subjectOf();
		const reference = `${subject.registries.bearer.host}/demo/private:1`;
		await assert.rejects(pull(subject, reference), /unauthorized|authentication required|denied/);
		await assert.rejects(
			pull(subject, reference, { auth: wrong }),
			/unauthorized|authentication required|denied|wrong/,
		);
	});

	it('a redirect to another host: takes the request along, not the credentials', async () => {
		const subject = subjectOf();
		const { basicProxy } = subject.registries;
		const workspace = new Workspace('redirect');
		try {
			const elsewhere = await startProxy(workspace, subject.registries.basic, {
				authorization: basicAuthorization(),
			});
			const target = `http://localhost:${elsewhere.port}`;
			basicProxy.force(({ path }) =>
				path.includes('/blobs/') ? { kind: 'redirect', to: `${target}${path}` } : undefined,
			);
			const image = small(`redirect ${subject.name}`);
			await subject.registries.basic.push('demo/redirected', '1', image);
			const reference = `${basicProxy.host}/demo/redirected:1`;
			await pull(subject, reference, { auth: account });
			assert.equal((await subject.client.images.inspect(reference)).Id, image.id);
			assert.deepEqual(
				[...new Set(elsewhere.seen.map((request) => request.authorization))],
				[undefined],
				'credentials sent to the other host',
			);
			assert.ok(basicProxy.seen.some((request) => request.authorization === basicAuthorization()));
			await discard(subject, reference);
		} finally {
			basicProxy.force();
			await workspace.dispose();
		}
	});
}

function faultCases(subjectOf: () => Subject): void {
	afterEach(() => {
		subjectOf().registries.proxy.force();
	});

	/** Pulls with a fault and expects that nothing is stored; then without, and expects the right image. */
	async function failsThenSucceeds(subject: Subject, name: string, message: RegExp, byDigest = false): Promise<void> {
		const image = imageOf([noiseLayer(200_000)]);
		const tagged = await pushed(subject, name, image, subject.registries.proxy.host);
		const reference = byDigest ? tagged.replace(/:1$/, `@${image.digest}`) : tagged;
		const before = (await subject.client.images.list({ all: true })).length;
		await assert.rejects(pull(subject, reference), message);
		await refused(subject.client.images.inspect(reference), 404, /No such image/);
		assert.equal((await subject.client.images.list({ all: true })).length, before);
		subject.registries.proxy.force();
		await pull(subject, reference);
		assert.equal((await subject.client.images.inspect(reference)).Id, image.id);
		await discard(subject, reference);
	}

	it('an altered layer: is refused, and nothing is stored', async () => {
		const subject = subjectOf();
		const config = (path: string): boolean => path.includes('/blobs/');
		let count = 0;
		subject.registries.proxy.force(({ method, path }) => {
			// The configuration comes first or second; only what is bigger is the layer.
			if (method !== 'GET' || !config(path)) {
				return undefined;
			}
			count += 1;
			return { kind: 'alter' };
		});
		await failsThenSucceeds(subject, 'altered', /verification failed|does not match|digest/i);
		assert.ok(count > 0);
	});

	it('an altered manifest: is refused when asked for by digest', async () => {
		const subject = subjectOf();
		subject.registries.proxy.force(({ path }) => (path.includes('/manifests/') ? { kind: 'alter' } : undefined));
		await failsThenSucceeds(
			subject,
			'altered-manifest',
			/verification failed|does not match|digest|invalid|schema/i,
			true,
		);
	});

	it('a body that is shorter than the manifest says: is refused', async () => {
		const subject = subjectOf();
		subject.registries.proxy.force(({ path }) => (path.includes('/blobs/') ? { kind: 'shorten' } : undefined));
		await failsThenSucceeds(subject, 'short', /./);
	});

	it('a connection that breaks once: is taken up again', async () => {
		const subject = subjectOf();
		const image = imageOf([noiseLayer(400_000)]);
		const reference = await pushed(subject, 'broken-once', image, subject.registries.proxy.host);
		const layer = image.layers[0]?.digest ?? '';
		let isBroken = false;
		subject.registries.proxy.force(({ method, path }) => {
			if (isBroken || method !== 'GET' || !path.endsWith(layer)) {
				return undefined;
			}
			isBroken = true;
			return { kind: 'truncate' };
		});
		await pull(subject, reference);
		assert.ok(isBroken);
		assert.equal((await subject.client.images.inspect(reference)).Id, image.id);
		await discard(subject, reference);
	});

	it('a registry with an internal error: is told, and nothing is stored', async () => {
		const subject = subjectOf();
		subject.registries.proxy.force(({ path }) =>
			path.includes('/manifests/') ? { kind: 'status', status: 500 } : undefined,
		);
		await failsThenSucceeds(subject, 'ill', /500/);
	});

	it('a layer that cannot be had: is told, and nothing is stored', async () => {
		const subject = subjectOf();
		subject.registries.proxy.force(({ path }) =>
			path.includes('/blobs/') ? { kind: 'status', status: 404 } : undefined,
		);
		await failsThenSucceeds(subject, 'gone', /unknown|404|not found/i);
	});
}

function layerCases(subjectOf: () => Subject): void {
	let output: string;

	before(async () => {
		const subject = subjectOf();
		const script = [
			'find data | sort',
			'echo ==; cat data/kept data/changed data/file-to-folder/inner data/folder-to-file data/opaque/new data/again/fresh',
			'echo; echo ==; stat -c "%a %u %g %Y %h %F" data/kept data/twin data/changed data/file-to-folder',
			'echo ==; stat -c "%i" data/kept data/twin | uniq | wc -l',
			'echo ==; for link in data/link data/dangling data/folder-to-link bin/sh; do readlink $link; done',
			'echo ==; stat -c "%a %F %t,%T" data/pipe data/null; echo x > data/null && echo null works',
			'echo ==; stat -c "%a %u:%g %n" tmp root home/demo bin/busybox; stat -c %h bin/cp',
			'echo ==; cat "data/grüße-日本"; ls data/long* | wc -c',
		].join('\n');
		({ stdout: output } = await run(subject, {
			Image: subject.images.whiteouts.reference,
			Cmd: ['sh', '-c', script],
		}));
	});

	const part = (index: number): string => output.split('==\n')[index] ?? '';

	it('whiteouts and opaque folders: hide what is below, and only that', () => {
		const isMade = expected('deviceInLayer', subjectOf().name) === 'made';
		const tree = isMade ? whiteoutTree : whiteoutTree.replace('data/null\n', '');
		assert.equal(part(0).replace('data/again/old\n', ''), tree);
	});

	it('a whiteout and a new folder of that name in one layer: the new folder has no old content', () => {
		const isHidden = !part(0).includes('data/again/old\n');
		assert.equal(isHidden, expected('whiteoutBesideFolder', subjectOf().name) === 'hides');
	});

	it('replaced files, folders and links: have the upper content', () => {
		assert.equal(part(1), 'keptnewnow a foldernow a filenewfresh\n');
	});

	it('mode, owner, time and set-id bits: are kept', () => {
		const [kept, twin, changed, folder] = part(2).split('\n');
		assert.equal(kept, '4755 1000 44 1234567890 2 regular file');
		assert.equal(twin, kept);
		assert.equal(changed, '600 0 0 1600000000 1 regular file');
		assert.match(folder ?? '', /^750 0 0 1600000000 \d+ directory$/);
	});

	it('hard links: are one file', () => {
		assert.equal(part(3), '1\n');
	});

	it('symbolic links: point where the archive says, existing or not', () => {
		assert.equal(part(4), 'kept\n/no/such/../file\nmerged\nbusybox\n');
	});

	it('pipes and devices: are what they are', () => {
		const isMade = expected('deviceInLayer', subjectOf().name) === 'made';
		assert.equal(part(5), `600 fifo 0,0\n${isMade ? '666 character special file 1,3\n' : ''}null works\n`);
	});

	it('the base: sticky, private and foreign folders', () => {
		assert.equal(part(6), '1777 0:0 tmp\n700 0:0 root\n755 1000:1000 home/demo\n755 0:0 bin/busybox\n4\n');
	});

	it('long and foreign names: are kept', () => {
		assert.equal(part(7), `unicode${`data/${'long-name-'.repeat(11)}.txt\n`.length}\n`);
	});
}

function listCases(subjectOf: () => Subject): void {
	it('a row: has names, digests, size and time', async () => {
		const subject = subjectOf();
		const { reference, repository, fixture } = subject.images.app;
		const row = (await rowOf(subject, fixture.id)) ?? assert.fail('not listed');
		const { RepoTags, RepoDigests, Created, Size, Labels } = row;
		assert.deepEqual(
			{ RepoTags, RepoDigests, Created, Size, Labels },
			{
				RepoTags: [reference],
				RepoDigests: [`${repository}@${fixture.digest}`],
				Created: Date.parse('2024-02-03T04:05:06Z') / 1000,
				Size: sizeOf(fixture),
				Labels: { maker: 'fixture', 'org.example.two words': 'a=b' },
			},
		);
	});

	it('inspect: gives the configuration of the image', async () => {
		const subject = subjectOf();
		const { reference, fixture } = subject.images.app;
		const image = await subject.client.images.inspect(reference);
		const { Cmd, Entrypoint, Env, WorkingDir, User, ExposedPorts, Labels, StopSignal } = image.Config;
		assert.deepEqual(
			{ Cmd, Entrypoint, Env, WorkingDir, User, ExposedPorts, Labels, StopSignal },
			{
				Cmd: ['from', 'image'],
				Entrypoint: ['printf', '%s|'],
				Env: [`PATH=${defaultPath}`, 'FLAVOUR=plain', 'EMPTY='],
				WorkingDir: '/srv/work',
				User: 'demo',
				ExposedPorts: { '8080/tcp': {}, '53/udp': {} },
				Labels: { maker: 'fixture', 'org.example.two words': 'a=b' },
				StopSignal: 'SIGUSR1',
			},
		);
		const { Id, Architecture, Os, Created, RootFS, Size } = image;
		assert.deepEqual(
			{ Id, Architecture, Os, Created, RootFS, Size },
			{
				Id: fixture.id,
				Architecture: architecture,
				Os: 'linux',
				Created: '2024-02-03T04:05:06.000000007Z',
				RootFS: { Type: 'layers', Layers: fixture.layers.map((layer) => layer.diffId) },
				Size: sizeOf(fixture),
			},
		);
	});

	it('an image: is found by name, digest, id and a part of the id', async () => {
		const subject = subjectOf();
		const { reference, repository, fixture } = subject.images.app;
		const hex = fixture.id.slice('sha256:'.length);
		for (const name of [
			reference,
			`${repository}@${fixture.digest}`,
			fixture.id,
			hex,
			hex.slice(0, 12),
			hex.slice(0, 5),
		]) {
			assert.equal((await subject.client.images.inspect(name)).Id, fixture.id, name);
		}
	});

	it('a missing image: is refused by its name', async () => {
		const subject = subjectOf();
		await refused(subject.client.images.inspect('nosuch'), 404, /No such image: nosuch:latest$/);
		await refused(subject.client.images.inspect('nosuch:1'), 404, /No such image: nosuch:1$/);
	});

	it('list by reference, label and dangling: gives those only', async () => {
		const subject = subjectOf();
		const { app, busybox } = subject.images;
		const ids = async (filters: Record<string, readonly string[]>): Promise<string[]> =>
			(await subject.client.images.list({ filters })).map((image) => image.Id);
		assert.deepEqual(await ids({ reference: [busybox.repository] }), [busybox.fixture.id]);
		assert.deepEqual(await ids({ reference: [`${busybox.repository}:2`] }), []);
		assert.deepEqual(await ids({ label: ['maker=fixture'] }), [app.fixture.id]);
		assert.ok(!(await ids({ dangling: ['true'] })).includes(app.fixture.id));
	});
}

function tagCases(subjectOf: () => Subject): void {
	it('tag: adds a name to the same image', async () => {
		const subject = subjectOf();
		const { reference, fixture } = subject.images.busybox;
		await subject.client.images.tag(reference, 'mine');
		await subject.client.images.tag('mine', 'local.example:5000/team/mine:v1');
		assert.deepEqual(
			[...((await rowOf(subject, fixture.id))?.RepoTags ?? [])].sort(),
			[reference, 'local.example:5000/team/mine:v1', 'mine:latest'].sort(),
		);
		assert.equal((await run(subject, { Image: 'mine', Cmd: ['echo', 'runs'] })).stdout, 'runs\n');
		await subject.client.images.remove('mine');
		await subject.client.images.remove('local.example:5000/team/mine:v1');
		assert.deepEqual((await rowOf(subject, fixture.id))?.RepoTags, [reference]);
	});

	it('docker.io names: are shown as people write them', async () => {
		const subject = subjectOf();
		const { reference } = subject.images.busybox;
		await subject.client.images.tag(reference, 'docker.io/library/familiar:1');
		const { RepoTags } = await subject.client.images.inspect('familiar:1');
		assert.ok(RepoTags.includes('familiar:1'), RepoTags.join(' '));
		assert.deepEqual(await subject.client.images.remove('index.docker.io/library/familiar:1'), [
			{ Untagged: 'familiar:1' },
		]);
	});

	it('tag by id: works with a part of it', async () => {
		const subject = subjectOf();
		const { fixture } = subject.images.busybox;
		await subject.client.images.tag(fixture.id.slice(7, 19), 'by-id:1');
		assert.equal((await subject.client.images.inspect('by-id:1')).Id, fixture.id);
		await subject.client.images.remove('by-id:1');
	});

	it('a missing source, an impossible name, a digest: are refused', async () => {
		const subject = subjectOf();
		const { reference, fixture } = subject.images.busybox;
		const tag = (source: string, target: string): Promise<void> => subject.client.images.tag(source, target);
		await refused(tag('nosuch:1', 'x:1'), 404, /No such image: nosuch:1$/);
		const status = expected('statusOfImpossibleTag', subject.name);
		await refused(tag(reference, 'Upper:1'), status, LOWERCASE);
		await assert.rejects(tag(reference, `x@${fixture.digest}`), { name: 'ApiError' });
		const url = `/images/${encodeURIComponent(reference)}/tag?repo=${encodeURIComponent(`x@${fixture.digest}`)}`;
		const answer = await ask(subject, 'POST', url);
		assert.equal(answer.status, 400);
		const { message } = JSON.parse(answer.body.toString()) as { message: string };
		assert.equal(message, 'refusing to create a tag with a digest reference');
	});

	it('a name that another image has: moves, and the other image stays without', async () => {
		const subject = subjectOf();
		const [one, two] = [small('one'), small('two')];
		const first = await pushed(subject, 'retag-one', one);
		const second = await pushed(subject, 'retag-two', two);
		await pull(subject, first);
		await pull(subject, second);
		await subject.client.images.tag(second, first);
		assert.equal((await subject.client.images.inspect(first)).Id, two.id);
		const listed = (await subject.client.images.list()).filter((image) => image.Id === one.id);
		assert.equal(listed.length, 1, 'the old image is listed once');
		assert.deepEqual((await subject.client.images.inspect(one.id)).RepoTags, []);
		for (const name of [one.id, first, second]) {
			await discard(subject, name);
		}
	});

	it('the same tag again: changes nothing', async () => {
		const subject = subjectOf();
		const { reference, fixture } = subject.images.busybox;
		await subject.client.images.tag(reference, reference);
		assert.deepEqual((await rowOf(subject, fixture.id))?.RepoTags, [reference]);
	});
}

function removeCases(subjectOf: () => Subject): void {
	it('the last name: untags and deletes the image with its layers, the topmost first', async () => {
		const subject = subjectOf();
		const image = imageOf([layerOf([{ name: 'a', content: 'a' }]), layerOf([{ name: 'b', content: 'b' }])]);
		const reference = await pushed(subject, 'removed', image);
		await pull(subject, reference);
		const items = await subject.client.images.remove(reference);
		assert.deepEqual(items.slice(0, 3), [
			{ Untagged: reference },
			{ Untagged: reference.replace(/:1$/, `@${image.digest}`) },
			{ Deleted: image.id },
		]);
		assert.equal(items.filter((item) => item.Deleted !== undefined).length, 3, 'the image and its two layers');
		await refused(subject.client.images.inspect(reference), 404, /No such image/);
		await refused(subject.client.images.inspect(image.id), 404, /No such image/);
	});

	it('one of several names: untags only', async () => {
		const subject = subjectOf();
		const image = small('several');
		const reference = await pushed(subject, 'several', image);
		await pull(subject, reference);
		await subject.client.images.tag(reference, 'several:2');
		assert.deepEqual(await subject.client.images.remove('several:2'), [{ Untagged: 'several:2' }]);
		assert.equal((await subject.client.images.inspect(reference)).Id, image.id);
		await discard(subject, reference);
	});

	it('by id with several names: is refused, and done by force', async () => {
		const subject = subjectOf();
		const image = small('by id');
		const reference = await pushed(subject, 'by-id', image);
		await pull(subject, reference);
		await subject.client.images.tag(reference, 'other-repository:1');
		await refused(
			subject.client.images.remove(image.id),
			409,
			`conflict: unable to delete ${image.id.slice(7, 19)} (must be forced) - image is referenced in multiple repositories`,
		);
		const items = await subject.client.images.remove(image.id.slice(7), { force: true });
		assert.deepEqual(
			items
				.flatMap((item) => item.Untagged ?? [])
				.filter((name) => !name.includes('@'))
				.sort(),
			[reference, 'other-repository:1'].sort(),
		);
		await refused(subject.client.images.inspect(image.id), 404, /No such image/);
	});

	it('a missing image: is refused by its name', async () => {
		const subject = subjectOf();
		await refused(subject.client.images.remove('nosuch:1'), 404, 'No such image: nosuch:1');
		await refused(subject.client.images.remove('nosuch', { force: true }), 404, 'No such image: nosuch:latest');
	});

	describe('of containers', () => {
		let reference: string;
		let image: ImageFixture;

		beforeEach(async () => {
			const subject = subjectOf();
			image = imageOf([...subject.images.busybox.fixture.layers, layerOf([{ name: 'used', content: 'used' }])]);
			reference = await pushed(subject, 'used', image);
			await pull(subject, reference);
		});

		afterEach(async () => {
			const subject = subjectOf();
			for (const container of await subject.client.containers.list({ all: true })) {
				await remove(subject, container.Id);
			}
			await discard(subject, image.id);
		});

		it('an ended one: is refused naming it; by force the name goes and the container stays', async () => {
			const subject = subjectOf();
			const { id } = await run(subject, { Image: reference, Cmd: ['true'] }, { keep: true });
			await refused(
				subject.client.images.remove(reference),
				409,
				`conflict: unable to remove repository reference "${reference}" (must force) - container ${id.slice(0, 12)} is using its referenced image ${image.id.slice(7, 19)}`,
			);
			const items = await subject.client.images.remove(reference, { force: true });
			assert.deepEqual(items[0], { Untagged: reference });
			assert.equal((await subject.client.containers.inspect(id)).Image, image.id);
			await subject.client.containers.start(id);
		});

		it('a running one: is refused by id also by force, and goes on', async () => {
			const subject = subjectOf();
			const id = await launch(subject, { Image: reference, Cmd: ['sleep', '100'] });
			await refused(
				subject.client.images.remove(image.id, { force: true }),
				409,
				`conflict: unable to delete ${image.id.slice(7, 19)} (cannot be forced) - image is being used by running container ${id.slice(0, 12)}`,
			);
			const items = await subject.client.images.remove(reference, { force: true });
			assert.deepEqual(items[0], { Untagged: reference });
			assert.equal(items.filter((item) => item.Deleted !== undefined).length, 0);
			const row = (await subject.client.containers.list()).find((container) => container.Id === id);
			assert.equal(row?.Image, image.id, 'the container names the image by its id from now on');
		});

		it('a created one: is refused', async () => {
			const subject = subjectOf();
			await create(subject, { Image: reference, Cmd: ['true'] });
			await refused(
				subject.client.images.remove(image.id),
				409,
				/conflict: unable to delete .* (stopped|using) ?container/,
			);
		});
	});

	it('layers that another image has: stay', async () => {
		const subject = subjectOf();
		const [base] = subject.images.busybox.fixture.layers;
		const image = imageOf([base ?? assert.fail(), layerOf([{ name: 'top', content: 'top' }])]);
		const reference = await pushed(subject, 'sharing', image);
		await pull(subject, reference);
		await subject.client.images.remove(reference);
		assert.equal((await shell(subject, 'echo still here')).stdout, 'still here\n');
	});

	it('images that share layers, removed at once: all go', async () => {
		const subject = subjectOf();
		const common = layerOf([{ name: 'common', content: 'common' }]);
		const images = ['x', 'y', 'z'].map((name) => imageOf([common, layerOf([{ name, content: name }])]));
		const references = await Promise.all(images.map((image, index) => pushed(subject, `shared-${index}`, image)));
		await Promise.all(references.map((reference) => pull(subject, reference)));
		await Promise.all(references.map((reference) => subject.client.images.remove(reference)));
		for (const image of images) {
			await refused(subject.client.images.inspect(image.id), 404, /No such image/);
		}
		await pull(subject, references[0] ?? '');
		await discard(subject, references[0] ?? '');
	});
}

function eventCases(subjectOf: () => Subject): void {
	it('pull, tag, untag and delete: are announced with the name', async () => {
		const subject = subjectOf();
		const image = small('events');
		const reference = await pushed(subject, 'events', image);
		const controller = new AbortController();
		const seen: string[] = [];
		const reader = (async () => {
			for await (const event of subject.client.events({
				filters: { type: ['image'] },
				signal: controller.signal,
			})) {
				seen.push(`${event.Action} ${event.Actor.ID} ${event.Actor.Attributes?.['name'] ?? ''}`);
			}
		})();
		await delay(200);
		await pull(subject, reference);
		await subject.client.images.tag(reference, 'events:2');
		await subject.client.images.remove('events:2');
		await subject.client.images.remove(reference);
		await until('the last event', () => seen.some((event) => event.startsWith('delete')));
		controller.abort();
		await within('the end of the events', 2000, reader);
		assert.deepEqual(seen, [
			`pull ${reference} ${reference.replace(/:1$/, '')}`,
			`tag ${image.id} events:2`,
			`untag ${image.id} ${image.id}`,
			`untag ${image.id} ${image.id}`,
			`delete ${image.id} ${image.id}`,
		]);
	});
}
