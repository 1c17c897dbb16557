import * as assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';
import type { Client } from '../../src/api/client';
import { archiveOf, gzip, type Entry } from './archive';
import { create, launch, refused, remove } from './run';
import type { Subject } from './subject';

const CAPABILITY = Buffer.from('0100000200040000000000000000000000000000', 'hex');
const TREE: readonly Entry[] = [
	{ name: './', type: 'directory', mode: 0o1770, uid: 7, gid: 8, time: 1_500_000_000 },
	{
		...{ name: './file', content: 'one', mode: 0o4750, uid: 1000, gid: 44, time: 1_600_000_000 },
		attributes: { 'user.note': Buffer.from('kept'), 'security.capability': CAPABILITY },
	},
	{ name: './hard', type: 'hardlink', target: './file' },
	{ name: './out', type: 'symlink', target: '/etc' },
	{ name: './dir/', type: 'directory', mode: 0o711, time: 1_400_000_000 },
	{ name: './dir/pipe', type: 'fifo', time: 1_300_000_000 },
	{ name: `./${'long'.repeat(50)}`, content: '', time: 1_300_000_000 },
];

/** Backup, restore and clone of volumes, which Docker does not have. */
export function volumeArchiveCases(subjectOf: () => Subject): void {
	describe('volume archives', () => {
		afterEach('no volume is left', async () => {
			const { volumes } = subjectOf().client;
			for (const { Name } of await volumes.list()) {
				await volumes.remove(Name);
			}
		});

		it('restore, backup, restore, clone: all is as in the archive, links and attributes too', async () => {
			const { volumes } = subjectOf().client;
			await volumes.restore('first', gzip(archiveOf(TREE)));
			const first = await listing(subjectOf().client, 'first');
			assert.match(first, /^\. directory 1770 7 8 1500000000/m);
			assert.match(first, /^\.\/file regular file 4750 1000 44 1600000000\S* 2 3/m);
			assert.match(first, /user\.note="kept"|user\.note=kept/);
			await volumes.restore('second', await whole(await volumes.backup('first', { isCompressed: true })));
			assert.equal(await listing(subjectOf().client, 'second'), first);
			const { Labels } = await volumes.create({ Name: 'third', Labels: { tier: 'web' } });
			await volumes.restore('third', await volumes.backup('first'));
			assert.equal((await volumes.clone('third', 'fourth')).Name, 'fourth');
			assert.equal(await listing(subjectOf().client, 'fourth'), first);
			assert.deepEqual((await volumes.inspect('fourth')).Labels, Labels);
		});

		it('restore: replaces content only by force, and not below a running container', async () => {
			const subject = subjectOf();
			const { volumes } = subject.client;
			await volumes.restore('data', archiveOf([{ name: 'old', content: 'x' }]));
			const next = archiveOf([{ name: 'new', content: 'y' }]);
			await refused(volumes.restore('data', next), 409, /"data": it is not empty/);
			const body = { Cmd: ['sleep', '60'], HostConfig: { NetworkMode: 'none', Binds: ['data:/data'] } };
			const running = await launch(subject, body);
			await refused(volumes.restore('data', next, { force: true }), 409, /running containers use it/);
			assert.deepEqual(await names(subject.client, 'data'), ['old']);
			await remove(subject, running);
			const stopped = await create(subject, body);
			await volumes.restore('data', next, { force: true });
			assert.deepEqual(await names(subject.client, 'data'), ['new']);
			await remove(subject, stopped);
		});

		it('restore of what is no whole archive: changes and makes nothing', async () => {
			const { volumes } = subjectOf().client;
			await volumes.restore('data', archiveOf([{ name: 'old', content: 'x' }]));
			const tar = archiveOf([
				{ name: 'a', content: 'y'.repeat(5000) },
				{ name: 'b', content: 'z' },
			]);
			const broken = [
				Buffer.alloc(0),
				tar.subarray(0, 2000),
				tar.subarray(0, 512 + 5120),
				Buffer.alloc(4096, 'x'),
			];
			for (const archive of [...broken, gzip(tar).subarray(0, 60)]) {
				await assert.rejects(volumes.restore('data', archive, { force: true }), { status: 400 });
				await assert.rejects(volumes.restore('other', archive), { status: 400 });
			}
			assert.deepEqual(await names(subjectOf().client, 'data'), ['old']);
			assert.deepEqual(
				(await volumes.list()).map(({ Name }) => Name),
				['data'],
			);
			assert.deepEqual(await leftovers(subjectOf().client), []);
		});

		it('restore of a hostile archive: nothing outside of the volume is touched', async () => {
			const { client } = subjectOf();
			await client.volumes.create({ Name: 'data' });
			const { Mountpoint: place } = await client.volumes.inspect('data');
			const outside = path.join(path.dirname(path.dirname(path.dirname(place))), 'outside');
			fs.mkdirSync(outside);
			try {
				const hostile: readonly (readonly Entry[])[] = [
					[{ name: '../../../outside/a', content: 'x' }],
					[{ name: `${outside}/b`, content: 'x' }],
					[
						{ name: 'link', type: 'symlink', target: outside },
						{ name: 'link/c', content: 'x' },
					],
					[
						{ name: 'up', type: 'symlink', target: '../../../outside' },
						{ name: 'up/d', content: 'x' },
					],
				];
				for (const entries of hostile) {
					// Refused or kept inside: both are safe.
					await client.volumes
						.restore('data', archiveOf(entries), { force: true })
						.catch((error: unknown) => {
							assert.equal((error as { status?: number }).status, 400);
						});
				}
				assert.deepEqual(fs.readdirSync(outside), []);
			} finally {
				fs.rmSync(outside, { recursive: true });
			}
		});

		it('clone: refuses a taken or impossible name and a source that is not there', async () => {
			const { volumes } = subjectOf().client;
			await volumes.create({ Name: 'one' });
			await volumes.create({ Name: 'two' });
			await refused(volumes.clone('one', 'two'), 409, /a volume of this name exists/);
			await refused(volumes.clone('one', '../x'), 400, /includes invalid characters/);
			await refused(volumes.clone('nosuch', 'three'), 404, /no such volume/);
			await refused(volumes.clone('one', ''), 400, 'bad parameter: target cannot be empty');
			await refused(volumes.backup('nosuch'), 404, /no such volume/);
			const same = await Promise.allSettled([volumes.clone('one', 'three'), volumes.clone('two', 'three')]);
			assert.deepEqual(same.map(({ status }) => status).sort(), ['fulfilled', 'rejected']);
		});

		it('a clone that is cancelled leaves nothing', async () => {
			const { client } = subjectOf();
			await client.volumes.restore(
				'big',
				archiveOf([{ name: 'file', content: Buffer.alloc(64 * 1024 ** 2, 'x') }]),
			);
			const abort = new AbortController();
			const clone = client.volumes.clone('big', 'copy', { signal: abort.signal });
			setTimeout(() => {
				abort.abort();
			}, 20);
			await assert.rejects(clone, { name: 'AbortError' });
			// The next one waits for the end of the first.
			await client.volumes.clone('big', 'copy');
			assert.deepEqual(await leftovers(client), []);
		});
	});
}

async function placeOf(client: Client, name: string): Promise<string> {
	return (await client.volumes.inspect(name)).Mountpoint;
}

async function names(client: Client, name: string): Promise<string[]> {
	return fs.readdirSync(await placeOf(client, name)).sort();
}

/** Temporary folders beside the volumes. */
async function leftovers(client: Client): Promise<string[]> {
	const [volume] = await client.volumes.list();
	const folder = path.dirname(path.dirname(volume?.Mountpoint ?? ''));
	const entries = fs.readdirSync(folder, { recursive: true, encoding: 'utf8' });
	return entries.filter((entry) => path.basename(entry).startsWith('.tmp-'));
}

/** Kind, mode, owners, mtime, number of links, size, target and attributes of all that is in a volume. */
async function listing(client: Client, name: string): Promise<string> {
	const cwd = await placeOf(client, name);
	const paths = execFileSync('find', ['.'], { cwd, encoding: 'utf8' }).trim().split('\n').sort();
	const rows = paths.map((place) => {
		const stat = execFileSync('stat', ['-c', '%n %F %a %u %g %.9Y %h %s', place], { cwd, encoding: 'utf8' });
		const isLink = fs.lstatSync(path.join(cwd, place)).isSymbolicLink();
		return `${stat.trim()}${isLink ? ` -> ${fs.readlinkSync(path.join(cwd, place))}` : ''}`;
	});
	// GNU tar shows what Node cannot read.
	const tar = execFileSync('tar', ['--format=posix', '--xattrs', '--xattrs-include=*', '-cf', '-', './file'], {
		cwd,
	});
	const attributes = [...tar.toString('latin1').matchAll(/SCHILY\.xattr\.([\w.]+=[^\n]*)\n/g)].map(
		([, text]) => text,
	);
	return [...rows, ...attributes.sort()].join('\n');
}

async function whole(tar: AsyncIterable<Buffer>): Promise<Buffer> {
	const chunks: Buffer[] = [];
	for await (const chunk of tar) {
		chunks.push(chunk);
	}
	return Buffer.concat(chunks);
}
