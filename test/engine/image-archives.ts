import * as assert from 'node:assert/strict';
import { archiveOf, gzip } from './archive';
import { create, discard, refused, remove, run } from './run';
import { ask, type Subject } from './subject';

const SCRIPT =
	'echo new >/tmp/file; rm /etc/not-executable; rm -rf /home/demo; mkdir /home/demo; echo x >>/etc/group; ln -s file /tmp/link';

/** diff, commit, export, import, save, load, history and prunes, the same on every engine. */
export function imageArchiveCases(subjectOf: () => Subject): void {
	describe('image archives', () => {
		it('diff: added, changed and deleted, and no mount points', async () => {
			const subject = subjectOf();
			const { id } = await run(subject, { Cmd: ['sh', '-c', SCRIPT] }, { keep: true });
			const changes = (await subject.client.containers.changes(id))
				.map(({ Kind, Path }) => `${Kind} ${Path}`)
				.sort();
			assert.deepEqual(changes, [
				'0 /etc',
				'0 /etc/group',
				'0 /home',
				'0 /home/demo',
				'0 /tmp',
				'1 /tmp/file',
				'1 /tmp/link',
				'2 /etc/not-executable',
			]);
			await remove(subject, id);
		});

		it('commit, save, remove, load: the image comes back with its id and its content', async () => {
			const subject = subjectOf();
			const { containers, images } = subject.client;
			const { id } = await run(subject, { Cmd: ['sh', '-c', SCRIPT] }, { keep: true });
			const image = await containers.commit(id, {
				target: 'committed:1',
				author: 'me',
				message: 'why',
				changes: [
					'CMD ["cat", "/tmp/link"]',
					'ENV ADDED=yes',
					'LABEL a=b',
					'ONBUILD RUN x',
					'HEALTHCHECK --interval=5s CMD true',
					'ENV B=$ADDED/x',
				],
			});
			await remove(subject, id);
			const { Config: config, Author, Comment, Container } = await images.inspect(image);
			assert.deepEqual([Author, Comment, Container, config.OnBuild], ['me', 'why', id, ['RUN x']]);
			assert.deepEqual([config.Cmd, config.Labels?.['a']], [['cat', '/tmp/link'], 'b']);
			assert.ok(config.Env?.includes('ADDED=yes') && config.Env.includes('B=yes/x'));
			assert.deepEqual(config.Healthcheck, { Test: ['CMD-SHELL', 'true'], Interval: 5e9 });
			const [newest] = await images.history('committed:1');
			assert.deepEqual([newest?.Id, newest?.Comment, newest?.Tags], [image, 'why', ['committed:1']]);
			assert.match(newest?.CreatedBy ?? '', /^sh -c echo new/);
			const chunks: Buffer[] = [];
			for await (const chunk of await images.save(['committed:1'])) {
				chunks.push(chunk);
			}
			await discard(subject, 'committed:1');
			await refused(images.inspect('committed:1'), 404, /No such image/);
			const sentences: string[] = [];
			for await (const { stream } of images.load(gzip(Buffer.concat(chunks)))) {
				sentences.push(stream ?? '');
			}
			assert.match(sentences.join(''), /Loaded image: committed:1\n/);
			assert.equal((await images.inspect('committed:1')).Id, image);
			const { stdout } = await run(subject, { Image: 'committed:1' });
			assert.equal(stdout, 'new\n');
			const gone = await run(subject, { Image: 'committed:1', Cmd: ['ls', '/etc/not-executable'] });
			assert.equal(gone.exitCode, 1);
			await discard(subject, 'committed:1');
		});

		it('save: a name without a tag means all tags of the repository', async () => {
			const subject = subjectOf();
			const { images } = subject.client;
			const ids = [];
			for (const tag of ['one', 'two']) {
				const archive = archiveOf([{ name: tag, content: tag }]);
				ids.push(await images.import(archive, { target: `several:${tag}` }));
			}
			await images.tag('several:two', 'several:again');
			await images.tag('several:two', 'other:1');
			const all = ['several:again', 'several:one', 'several:two'];
			assert.deepEqual(await savedTags(subject, '/images/get?names=several'), all);
			assert.deepEqual(await savedTags(subject, '/images/several/get'), all);
			assert.deepEqual(await savedTags(subject, '/images/get?names=several&names=several:one'), all);
			assert.deepEqual(await savedTags(subject, '/images/several:again/get'), ['several:again']);
			assert.deepEqual(await savedTags(subject, `/images/${ids[0] ?? ''}/get`), []);
			await refused(images.save(['absent']), 404, /No such image: absent$/);
			for (const name of [...all, 'other:1']) {
				await discard(subject, name);
			}
		});

		it('export and import: one layer with the same files', async () => {
			const subject = subjectOf();
			const { containers, images } = subject.client;
			const { id } = await run(subject, { Cmd: ['sh', '-c', SCRIPT] }, { keep: true });
			const tar = await containers.export(id);
			const image = await images.import(tar, {
				target: 'imported:1',
				message: 'brought in',
				changes: ['CMD ["cat", "/tmp/file"]'],
			});
			await remove(subject, id);
			const { RootFS: root, Author, Comment, Config: config } = await images.inspect('imported:1');
			assert.deepEqual([root.Layers?.length, Author, Comment, config.OnBuild], [1, '', 'brought in', null]);
			assert.equal((await run(subject, { Image: image })).stdout, 'new\n');
			await discard(subject, 'imported:1');
		});

		it('load: refuses what is no archive of images, and keeps nothing', async () => {
			const subject = subjectOf();
			const load = async (archive: Buffer): Promise<void> => {
				for await (const message of subject.client.images.load(archive)) {
					assert.ok(message);
				}
			};
			const before = (await subject.client.images.list({ all: true })).length;
			await assert.rejects(load(archiveOf([{ name: 'file', content: 'x' }])));
			await assert.rejects(
				load(archiveOf([{ name: 'manifest.json', content: '[{"Config":"../../etc/passwd"}]' }])),
			);
			await assert.rejects(load(Buffer.alloc(4096, 'x')));
			assert.equal((await subject.client.images.list({ all: true })).length, before);
		});

		it('prunes: stopped containers, dangling images, and what that frees', async () => {
			const subject = subjectOf();
			const { containers, images } = subject.client;
			const id = await create(subject, { Cmd: ['true'] });
			const pruned = await containers.prune();
			assert.deepEqual(pruned.ContainersDeleted, [id]);
			const first = await images.import(archiveOf([{ name: 'one', content: 'x'.repeat(1000) }]), {
				target: 'dangle:1',
			});
			await images.import(archiveOf([{ name: 'two', content: 'y' }]), { target: 'dangle:1' });
			const { ImagesDeleted: deleted, SpaceReclaimed: space } = await images.prune();
			assert.ok(deleted?.some((item) => item.Deleted === first));
			assert.ok(space >= 1000, `${space} bytes`); // ours counts blobs and whole blocks, as df does
			await images.inspect('dangle:1');
			await discard(subject, 'dangle:1');
		});

		it("a prune of the build cache: finds nothing, as docker's system prune expects", async () => {
			const { status, body } = await ask(subjectOf(), 'POST', '/build/prune');
			assert.equal(status, 200);
			assert.deepEqual(JSON.parse(body.toString()), { CachesDeleted: null, SpaceReclaimed: 0 });
		});
	});
}

/** The names in an archive that the engine gives. */
async function savedTags(subject: Subject, path: string): Promise<string[]> {
	const { body } = await ask(subject, 'GET', path);
	return [...body.toString('latin1').matchAll(/"RepoTags":(null|\[[^\]]*\])/g)]
		.flatMap(([, list = 'null']) => (JSON.parse(list) as string[] | null) ?? [])
		.sort();
}
