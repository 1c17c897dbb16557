import * as assert from 'node:assert/strict';
import type { ProgressMessage } from '../../src/api/types';
import { imageOf, layerOf, noiseLayer, type ImageFixture } from './fixture';
import { account, request } from './registry';
import { discard, pull } from './run';
import type { Subject } from './subject';
import { until, within } from './workspace';

/** Pushing images. Every case makes an image of its own, so that no registry has its layers already. */
export function pushCases(subjectOf: () => Subject): void {
	describe('push', () => {
		plainCases(subjectOf);
	});
	describe('push with credentials', () => {
		credentialCases(subjectOf);
	});
	describe('push that fails', () => {
		faultCases(subjectOf);
	});
}

/** An image in the engine that no registry has: it was pulled, then its registry forgot it. */
async function local(subject: Subject, name: string, layers = 2): Promise<{ image: ImageFixture; source: string }> {
	const image = imageOf(
		Array.from({ length: layers }, (_, index) => noiseLayer(200_000, `${name}-${index}`)),
		{ config: { Cmd: ['/x'], Labels: { name } } },
	);
	const { basic } = subject.registries;
	await basic.push(`source/${name}`, '1', image);
	const source = `${basic.host}/source/${name}:1`;
	await pull(subject, source, { auth: account });
	return { image, source };
}

async function push(
	subject: Subject,
	name: string,
	options: Parameters<Subject['client']['images']['push']>[1] = {},
): Promise<ProgressMessage[]> {
	const messages: ProgressMessage[] = [];
	for await (const message of subject.client.images.push(name, options)) {
		messages.push(message);
	}
	return messages;
}

function statuses(messages: readonly ProgressMessage[]): string[] {
	return [...new Set(messages.map(({ status }) => status ?? ''))];
}

function plainCases(subjectOf: () => Subject): void {
	it('a new image: each layer goes, then the digest is told; what comes back is the same image', async () => {
		const subject = subjectOf();
		const { image, source } = await local(subject, 'new');
		const { host, port } = subject.registries.open;
		const name = `${host}/pushed/new-${subject.name}`;
		await subject.client.images.tag(source, `${name}:2`);
		const messages = await push(subject, `${name}:2`);
		assert.equal(messages[0]?.status, `The push refers to repository [${name}]`);
		const ids = image.layers.map(({ diffId }) => diffId.slice(7, 19)).reverse();
		assert.deepEqual([...new Set(messages.flatMap(({ id }) => id ?? []))].sort(), [...ids].sort());
		for (const id of ids) {
			const own = messages.filter((message) => message.id === id);
			assert.deepEqual([own[0]?.status, own.at(-1)?.status], ['Preparing', 'Pushed']);
			assert.ok(
				own.some(({ status, progressDetail }) => status === 'Pushing' && (progressDetail?.total ?? 0) > 0),
			);
		}
		const digest = /^2: digest: (sha256:[a-f0-9]{64}) size: (\d+)$/.exec(messages.at(-2)?.status ?? '');
		assert.deepEqual(messages.at(-1)?.aux, { Tag: '2', Digest: digest?.[1], Size: Number(digest?.[2]) });
		const answer = await request({
			port,
			path: `/v2/pushed/new-${subject.name}/manifests/2`,
			headers: { accept: image.mediaType },
		});
		assert.deepEqual(
			[answer.headers['docker-content-digest'], answer.body.length],
			[digest?.[1], Number(digest?.[2])],
		);
		assert.ok((await subject.client.images.inspect(source)).RepoDigests.includes(`${name}@${digest?.[1] ?? ''}`));
		await subject.client.images.remove(image.id, { force: true });
		await pull(subject, `${name}:2`);
		assert.equal((await subject.client.images.inspect(`${name}:2`)).Id, image.id);
		await discard(subject, image.id);
	});

	it('again: the layers are there already', async () => {
		const subject = subjectOf();
		const { image, source } = await local(subject, 'again');
		const name = `${subject.registries.open.host}/pushed/again-${subject.name}:1`;
		await subject.client.images.tag(source, name);
		await push(subject, name);
		const messages = await push(subject, name);
		assert.deepEqual(statuses(messages).slice(1, 3), ['Preparing', 'Layer already exists']);
		assert.ok(!statuses(messages).includes('Pushed'));
		await discard(subject, image.id);
	});

	it('layers that another repository of the registry has: are taken from there', async () => {
		const subject = subjectOf();
		const { image, source } = await local(subject, 'mount');
		const { open } = subject.registries;
		await subject.client.images.tag(source, `${open.host}/pushed/mount-a-${subject.name}:1`);
		await subject.client.images.tag(source, `${open.host}/pushed/mount-b-${subject.name}:1`);
		await push(subject, `${open.host}/pushed/mount-a-${subject.name}:1`);
		const messages = await push(subject, `${open.host}/pushed/mount-b-${subject.name}:1`);
		assert.ok(
			statuses(messages).some((status) => /^Mounted from (.*\/)?pushed\/mount-a-/.test(status)),
			statuses(messages).join(),
		);
		await discard(subject, image.id);
	});

	it('without tag: all tags of the repository', async () => {
		const subject = subjectOf();
		const { image, source } = await local(subject, 'all', 1);
		const { open } = subject.registries;
		const name = `${open.host}/pushed/all-${subject.name}`;
		for (const tag of ['a', 'b']) {
			await subject.client.images.tag(source, `${name}:${tag}`);
		}
		const messages = await push(subject, name);
		assert.deepEqual(messages.flatMap(({ aux }) => aux?.Tag ?? []).sort(), ['a', 'b']);
		const answer = await request({ port: open.port, path: `/v2/pushed/all-${subject.name}/tags/list` });
		assert.deepEqual((JSON.parse(answer.body.toString()) as { tags: string[] }).tags.sort(), ['a', 'b']);
		await discard(subject, image.id);
	});

	it('is announced', async () => {
		const subject = subjectOf();
		const { image, source } = await local(subject, 'event', 1);
		const name = `${subject.registries.open.host}/pushed/event-${subject.name}`;
		await subject.client.images.tag(source, `${name}:1`);
		const since = String(Math.floor(Date.now() / 1000));
		await push(subject, `${name}:1`);
		const events = subject.client.events({ since, filters: { type: ['image'], event: ['push'] } });
		for await (const event of events) {
			if (event.Actor.ID === `${name}:1`) {
				assert.deepEqual([event.Action, event.Actor.Attributes?.['name']], ['push', name]);
				break;
			}
		}
		await discard(subject, image.id);
	});
}

function credentialCases(subjectOf: () => Subject): void {
	const wrong = { username: account.username, password: 'wrong' };

	it('Basic and Bearer: right ones open, wrong and missing ones are told', async () => {
		const subject = subjectOf();
		const { basic, bearer } = subject.registries;
		// Docker asks the token service for more than the stand-in gives when it mounts.
		for (const { host } of subject.name === 'docker' ? [basic] : [basic, bearer]) {
			const { image, source } = await local(subject, `private-${host.replace(/\W/g, '-')}`, 1);
			const name = `${host}/pushed/private-${subject.name}:1`;
			await subject.client.images.tag(source, name);
			// Docker tries without, or with wrong ones, for more than a minute.
			for (const auth of subject.name === 'docker' ? [] : [wrong, {}]) {
				await assert.rejects(
					push(subject, name, { auth }),
					/unauthorized|no basic auth|authentication|denied|wrong/,
				);
			}
			const messages = await push(subject, name, { auth: account });
			assert.equal(messages.at(-1)?.aux?.Tag, '1');
			await discard(subject, image.id);
		}
	});
}

function faultCases(subjectOf: () => Subject): void {
	afterEach(() => {
		subjectOf().registries.proxy.force();
	});

	it('what is not there: is named', async () => {
		const subject = subjectOf();
		const { host } = subject.registries.open;
		await assert.rejects(push(subject, `${host}/no/such:1`), {
			message: `An image does not exist locally with the tag: ${host}/no/such`,
		});
		const { image, source } = await local(subject, 'tags', 1);
		await subject.client.images.tag(source, `${host}/pushed/tags:1`);
		await assert.rejects(push(subject, `${host}/pushed/tags:2`), {
			message: `tag does not exist: ${host}/pushed/tags:2`,
		});
		await discard(subject, image.id);
	});

	it('an impossible name, a digest: are refused', async () => {
		const subject = subjectOf();
		const digest = `sha256:${'0'.repeat(64)}`;
		await assert.rejects(push(subject, 'UPPER:1'), /must be lowercase/);
		await assert.rejects(push(subject, `x@${digest}`), /invalid|digest/);
	});

	it('a registry that refuses: is told, and nothing of it is kept', async () => {
		const subject = subjectOf();
		const { proxy } = subject.registries;
		const { image, source } = await local(subject, 'refused', 1);
		const name = `${proxy.host}/pushed/refused-${subject.name}:1`;
		await subject.client.images.tag(source, name);
		proxy.force(({ method }) =>
			method === 'PUT' || method === 'PATCH' ? { kind: 'status', status: 403 } : undefined,
		);
		await assert.rejects(push(subject, name), /denied|403|forbidden/i);
		assert.ok(!(await subject.client.images.inspect(source)).RepoDigests.some((text) => text.includes('refused-')));
		await discard(subject, image.id);
	});

	it('a busy registry: is asked again', async () => {
		const subject = subjectOf();
		const { proxy } = subject.registries;
		const { image, source } = await local(subject, 'busy', 1);
		const name = `${proxy.host}/pushed/busy-${subject.name}:1`;
		await subject.client.images.tag(source, name);
		let failures = 0;
		proxy.force(({ method, path }) =>
			method === 'PUT' && path.includes('/blobs/') && failures++ === 0
				? { kind: 'status', status: 503 }
				: undefined,
		);
		const messages = await push(subject, name);
		assert.equal(messages.at(-1)?.aux?.Tag, '1');
		assert.ok(failures > 1);
		await discard(subject, image.id);
	});

	it('cancelled: lets go of the registry at once', async () => {
		const subject = subjectOf();
		const { proxy } = subject.registries;
		const { image, source } = await local(subject, 'cancelled', 1);
		const name = `${proxy.host}/pushed/cancelled-${subject.name}:1`;
		await subject.client.images.tag(source, name);
		proxy.force(({ path }) => (path.includes('/blobs/uploads/') ? { kind: 'hang' } : undefined));
		const abort = new AbortController();
		const pushing = push(subject, name, { signal: abort.signal });
		pushing.catch(() => undefined);
		const seen = await until('the upload begins', () =>
			proxy.seen.find(({ path }) => path.includes('cancelled-') && path.includes('/uploads/')),
		);
		abort.abort();
		await assert.rejects(pushing, { name: 'AbortError' });
		// dockerd keeps the upload's connection for a while at times.
		if (subject.name !== 'docker') {
			await within(
				'the registry to be left',
				5_000,
				until('the connection is closed', () => seen.wasAborted),
			);
		}
		await discard(subject, image.id);
	});

	it('a small image of a layer without content: goes too', async () => {
		const subject = subjectOf();
		const image = imageOf([layerOf([])]);
		await subject.registries.basic.push('source/empty', '1', image);
		const source = `${subject.registries.basic.host}/source/empty:1`;
		await pull(subject, source, { auth: account });
		const name = `${subject.registries.open.host}/pushed/empty-${subject.name}:1`;
		await subject.client.images.tag(source, name);
		assert.equal((await push(subject, name)).at(-1)?.aux?.Tag, '1');
		await discard(subject, image.id);
	});
}
