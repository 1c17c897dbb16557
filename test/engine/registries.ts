import * as assert from 'node:assert/strict';
import { account } from './registry';
import { imageOf, layerOf } from './fixture';
import { discard, pull } from './run';
import { ask, type Subject } from './subject';

/** What an engine does with registries beside pulling and pushing. */
export function registryCases(subjectOf: () => Subject): void {
	describe('log in to a registry', () => {
		loginCases(subjectOf);
	});
	describe('look into a registry', () => {
		browseCases(subjectOf);
	});
}

function loginCases(subjectOf: () => Subject): void {
	const wrong = { ...account, password: 'wrong' };

	it('Basic: right credentials are accepted, wrong and missing ones are told', async () => {
		const subject = subjectOf();
		const serveraddress = subject.registries.basic.host;
		assert.equal((await subject.client.registries.login({ ...account, serveraddress })).Status, 'Login Succeeded');
		for (const auth of [wrong, {}]) {
			const answer = await ask(subject, 'POST', '/auth', { ...auth, serveraddress });
			assert.ok(answer.status === 401 || answer.status === 500, `status ${answer.status}`);
			assert.match(answer.body.toString(), /unauthorized|401|no basic auth credentials/i);
			assert.ok(!answer.body.includes('wrong'), 'the password is not repeated');
		}
	});

	it('Bearer: right credentials are accepted, wrong ones are told', async () => {
		const subject = subjectOf();
		const serveraddress = `http://${subject.registries.bearer.host}/v2/`;
		assert.equal((await subject.client.registries.login({ ...account, serveraddress })).Status, 'Login Succeeded');
		const answer = await ask(subject, 'POST', '/auth', { ...wrong, serveraddress });
		assert.ok(answer.status === 401 || answer.status === 500, `status ${answer.status}`);
	});

	it('a registry without accounts takes anything; one that is not there is told', async () => {
		const subject = subjectOf();
		const { open } = subject.registries;
		await subject.client.registries.login({ ...account, serveraddress: open.host });
		const answer = await ask(subject, 'POST', '/auth', { ...account, serveraddress: '127.0.0.1:1' });
		assert.equal(answer.status, 500);
		assert.match(answer.body.toString(), /connection refused|ECONNREFUSED/);
	});
}

/** Docker has no such calls but search, which needs Docker Hub. */
function browseCases(subjectOf: () => Subject): void {
	it('distribution: the descriptor and the platforms of an image and of an index', async () => {
		const subject = subjectOf();
		const { busybox, index: several } = subject.images;
		for (const { reference, fixture } of [busybox, several]) {
			const answer = await ask(subject, 'GET', `/distribution/${reference}/json`);
			const { Descriptor, Platforms } = JSON.parse(answer.body.toString()) as Record<string, object>;
			const { mediaType, digest, manifest } = fixture;
			assert.deepEqual(Descriptor, { mediaType, digest, size: manifest.length });
			const index = JSON.parse(manifest.toString()) as { manifests?: { platform: object }[] };
			const { architecture, os } = JSON.parse(busybox.fixture.config.toString()) as Record<string, string>;
			assert.deepEqual(Platforms, index.manifests?.map(({ platform }) => platform) ?? [{ architecture, os }]);
		}
		const missing = await ask(subject, 'GET', `/distribution/${busybox.repository}:nosuch/json`);
		assert.ok(missing.status >= 400);
		assert.match(missing.body.toString(), /manifest unknown/);
	});

	it("push of a digest: is refused in docker's words", async () => {
		const subject = subjectOf();
		const { repository, fixture } = subject.images.busybox;
		await assert.rejects(
			async () => {
				for await (const message of subject.client.images.push(`${repository}@${fixture.digest}`)) {
					assert.ok(message);
				}
			},
			{ message: subject.name === 'docker' ? /./ : 'cannot push a digest reference' },
		);
	});

	it('all tags of a repository: are pulled, and told once', async () => {
		const subject = subjectOf();
		const { open } = subject.registries;
		const images = ['x', 'y'].map((content) => imageOf([layerOf([{ name: 'file', content }])]));
		for (const [index, image] of images.entries()) {
			await open.push('demo/all-tags', `t${index}`, image);
		}
		const name = `${open.host}/demo/all-tags`;
		const messages = await pull(subject, name, { allTags: true });
		assert.deepEqual(
			messages
				.filter(({ status }) => /^(?:Pulling from|Status)/.test(status ?? ''))
				.map(({ id, status }) => `${id ?? ''} ${status ?? ''}`),
			[
				't0 Pulling from demo/all-tags',
				't1 Pulling from demo/all-tags',
				` Status: Downloaded newer image for ${name}`,
			],
		);
		for (const [index, image] of images.entries()) {
			assert.equal((await subject.client.images.inspect(`${name}:t${index}`)).Id, image.id);
			await discard(subject, image.id);
		}
	});

	it('catalog, tags and image: page by page, without a pull', async function () {
		const subject = subjectOf();
		if (subject.name === 'docker') {
			return;
		}
		const { registries } = subject.client;
		const { open, basic } = subject.registries;
		const { index, busybox } = subject.images;
		const first = await registries.catalog(open.host, { limit: 1 });
		assert.equal(first.Items.length, 1);
		const second = await registries.catalog(open.host, { limit: 1, next: first.Next });
		assert.notDeepEqual(second.Items, first.Items);
		assert.deepEqual((await registries.tags(index.repository)).Items, ['1']);
		const image = await registries.image(index.reference);
		assert.equal(image.Digest, index.fixture.digest);
		assert.equal(image.Platforms.length, 4);
		const size = busybox.fixture.layers.reduce((sum, { blob }) => sum + blob.length, 0);
		assert.equal(image.Size, size);
		assert.deepEqual(await registries.digest(index.reference), { Digest: image.Digest });
		await assert.rejects(registries.digest(`${open.host}/no/such`), { code: 'not-found' });
		const arm = await registries.image(index.reference, { platform: 'linux/arm/v7' });
		assert.equal(arm.Platform, 'linux/arm/v7');
		await assert.rejects(registries.tags(`${open.host}/no/such`), /name unknown/);
		await assert.rejects(registries.catalog(basic.host), { code: 'unauthorized' });
		const found = await registries.search(`${open.host}/demo/busy`);
		assert.deepEqual(
			found.map(({ name }) => name),
			[`${open.host}/demo/busybox`],
		);
	});
}
