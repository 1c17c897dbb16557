import * as assert from 'node:assert/strict';
import { busyboxLayer, imageOf, layerOf } from './fixture';
import { load } from './loading';
import { expected } from './differences';
import { create, discard, refused, remove, run } from './run';
import type { Subject } from './subject';

const NAME = 'opaque-layers:1';

/** Folders that a layer of an image makes opaque: what lower layers have in them is not there for anybody. */
export function opaqueCases(subjectOf: () => Subject): void {
	describe('opaque folders of layers', () => {
		before(() =>
			load(
				subjectOf().client,
				imageOf([
					busyboxLayer(),
					layerOf([
						{ name: 'data/hidden/old', content: 'old' },
						{ name: 'data/hidden/deep/old', content: 'old' },
						{ name: 'data/remade/old', content: 'old' },
						{ name: 'data/gone/old', content: 'old' },
					]),
					layerOf([
						{ name: 'data/.wh.gone' },
						{ name: 'data/hidden/.wh..wh..opq' },
						{ name: 'data/hidden/new', content: 'new' },
						{ name: 'etc/.wh..wh..opq' },
						{ name: 'etc/group', content: 'demo:x:1000:\n' },
						{ name: 'usr/lib/passwd', content: 'other:x:1234:0::/:/bin/sh\n' },
					]),
					layerOf([
						{ name: 'data/gone/new', content: 'new' },
						{ name: 'data/hidden/newest', content: 'newest' },
					]),
				]),
				NAME,
			),
		);

		after(() => discard(subjectOf(), NAME));

		it('diff: what is written under a hidden name is added, and what is deleted was there', async () => {
			const script =
				'cd /data; echo x >hidden/old; mkdir hidden/deep; echo x >hidden/deep/old; echo x >>hidden/newest; ' +
				'rm hidden/new; echo x >gone/old; rm -r remade; mkdir remade; echo x >remade/old';
			const ran = await run(subjectOf(), { Image: NAME, Cmd: ['sh', '-ec', script] }, { keep: true });
			const changes = await subjectOf().client.containers.changes(ran.id);
			await remove(subjectOf(), ran.id);
			assert.equal(ran.exitCode, 0, ran.stderr);
			assert.deepEqual(lettersOf(changes), [
				...['A /data/gone/old', 'A /data/hidden/deep', 'A /data/hidden/deep/old', 'A /data/hidden/old'],
				...['C /data', 'C /data/gone', 'C /data/hidden', 'C /data/hidden/newest', 'C /data/remade'],
				...['C /data/remade/old', 'D /data/hidden/new'],
			]);
		});

		it('diff: a folder that replaces one tells the visible names as deleted and no others', async () => {
			const script = 'cd /data; rm -r hidden gone; mkdir hidden gone';
			const ran = await run(subjectOf(), { Image: NAME, Cmd: ['sh', '-ec', script] }, { keep: true });
			const changes = await subjectOf().client.containers.changes(ran.id);
			await remove(subjectOf(), ran.id);
			assert.equal(ran.exitCode, 0, ran.stderr);
			assert.deepEqual(lettersOf(changes), [
				...['C /data', 'C /data/gone', 'C /data/hidden'],
				...['D /data/gone/new', 'D /data/hidden/new', 'D /data/hidden/newest'],
			]);
		});

		it('cp: a hidden file is not there, a visible one is', async () => {
			const subject = subjectOf();
			const id = await create(subject, { Image: NAME });
			const archive = subject.client.containers.archive(id);
			await refused(archive.stat('/data/hidden/old'), 404, /not find the file \/data\/hidden\/old/);
			assert.equal((await archive.stat('/data/hidden/newest')).name, 'newest');
			await remove(subject, id);
		});

		it('a user or group of a hidden file: is unknown', async () => {
			const subject = subjectOf();
			const id = await create(subject, { Image: NAME, User: 'demo', Cmd: ['true'] });
			try {
				const status = expected('statusOfUnknownUser', subject.name);
				await refused(subject.client.containers.start(id), status, /unable to find user demo/);
			} finally {
				await remove(subject, id);
			}
			const { stdout } = await run(subject, { Image: NAME, User: '1000:demo', Cmd: ['id'] });
			assert.match(stdout, /^uid=1000 gid=1000/);
		});
	});
}

/** As `docker diff` prints them, sorted. */
function lettersOf(changes: readonly { readonly Kind: number; readonly Path: string }[]): string[] {
	return changes.map(({ Kind, Path }) => `${'CAD'[Kind] ?? ''} ${Path}`).sort();
}
