import * as assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { isFolder, isLink } from '../../src/api/archive';
import type { Archive } from '../../src/api/client';
import { archiveOf, gzip, type Entry } from './archive';
import { expected } from './differences';
import { create, launch, refused, remove } from './run';
import type { Subject } from './subject';
import { until, Workspace } from './workspace';

const TREE: readonly Entry[] = [
	{ name: 'a/', type: 'directory' },
	{ name: 'a/dir/', type: 'directory', mode: 0o750, time: 1_500_000_000 },
	{ name: 'a/dir/file', content: 'one', mode: 0o640, uid: 1000, gid: 44, time: 1_600_000_000 },
	{ name: 'a/link', type: 'symlink', target: 'dir' },
	{ name: 'a/etc', type: 'symlink', target: '/etc' },
	{ name: 'a/broken', type: 'symlink', target: 'nosuch' },
	{ name: 'a/circle', type: 'symlink', target: 'circle' },
	{ name: 'a/out', type: 'symlink', target: '../../../../../etc' },
];

/** Files in and out of containers, the same on every engine. */
export function copyCases(subjectOf: () => Subject): void {
	describe('copy', () => {
		const workspace = new Workspace('copy');
		after(() => workspace.dispose());
		pathCases(subjectOf);
		unpackCases(subjectOf);
		mountCases(subjectOf, workspace);
		fidelityCases(subjectOf);
		safetyCases(subjectOf, workspace);
		explorerCases(subjectOf);
	});
}

/** A container with TREE in it, running or not. */
async function withTree(subject: Subject, isRunning: boolean): Promise<{ id: string; archive: Archive }> {
	const id = await (isRunning ? launch : create)(subject, { Cmd: ['sleep', '100'] });
	const archive = subject.client.containers.archive(id);
	await archive.put('/', archiveOf(TREE));
	return { id, archive };
}

async function whole(tar: AsyncIterable<Buffer>): Promise<Buffer> {
	const chunks: Buffer[] = [];
	for await (const chunk of tar) {
		chunks.push(chunk);
	}
	return Buffer.concat(chunks);
}

async function namesOf(archive: Archive, target: string): Promise<string[]> {
	const tar = await whole((await archive.get(target)).tar);
	// A member "/" is of use to docker cp, and to nobody else.
	const args = ['--absolute-names', '-tf', '-'];
	return execFileSync('tar', args, { input: tar, encoding: 'utf8' }).trimEnd().split('\n').sort();
}

async function contentOf(archive: Archive, target: string): Promise<string> {
	const tar = await whole((await archive.get(target)).tar);
	return execFileSync('tar', ['-xOf', '-'], { input: tar, encoding: 'utf8' });
}

function pathCases(subjectOf: () => Subject): void {
	for (const state of ['created', 'running'] as const) {
		it(`stat and get of a container that is ${state}: follow links where docker does`, async () => {
			const { archive } = await withTree(subjectOf(), state === 'running');
			const rows = await Promise.all(
				['/a/dir', '/a/dir/', '/a/dir/.', '/a/link', '/a/link/', '/a/link/.', 'a/dir/file', '../a/etc'].map(
					async (target) => {
						const stat = await archive.stat(target);
						const kind = isLink(stat) ? 'link' : isFolder(stat) ? 'folder' : 'file';
						return [target, stat.name, kind, stat.linkTarget, ...(await namesOf(archive, target))];
					},
				),
			);
			assert.deepEqual(rows, [
				['/a/dir', 'dir', 'folder', '', 'dir/', 'dir/file'],
				['/a/dir/', 'dir', 'folder', '', 'dir/', 'dir/file'],
				['/a/dir/.', '.', 'folder', '', './', './file'],
				['/a/link', 'link', 'link', '/a/dir', 'link'],
				['/a/link/', 'link', 'folder', '', 'link/', 'link/file'],
				['/a/link/.', '.', 'folder', '', './', './file'],
				['a/dir/file', 'file', 'file', '', 'file'],
				['../a/etc', 'etc', 'link', '/etc', 'etc'],
			]);
			const { size, mode, mtime } = await archive.stat('/a/dir/file');
			assert.deepEqual([size, mode, mtime], [3, 0o640, '2020-09-13T12:26:40Z']);
			assert.equal((await archive.stat('/a/broken')).linkTarget, '/a/nosuch');
			assert.ok((await namesOf(archive, '/')).includes('/a/dir/file'));
			assert.ok((await namesOf(archive, '/a/etc/')).includes('etc/passwd'));
		});
	}

	it('what is not there, and what is no folder: docker’s refusals', async () => {
		const subject = subjectOf();
		const { id, archive } = await withTree(subject, false);
		await refused(archive.stat('/a/nosuch'), 404, 'Could not find the file /a/nosuch');
		await refused(archive.get('/a/nosuch'), 404, `Could not find the file /a/nosuch in container ${id}`);
		await refused(archive.get('/nosuch/x'), 404, `Could not find the file /nosuch/x in container ${id}`);
		const wrong = expected('statusOfWrongPath', subject.name);
		await refused(archive.get('/a/dir/file/'), wrong, /not a directory$/);
		await refused(archive.get('/a/circle/'), wrong, /too many/);
		await refused(archive.put('/nosuch', archiveOf([])), 404, /^Could not find the file \/nosuch in container /);
		await refused(archive.put('/a/dir/file', archiveOf([])), wrong, 'extraction point is not a directory');
		await refused(archive.get(''), 400, /^bad parameter: path ?cannot be empty$/);
		await refused(subject.client.containers.archive('nosuch').get('/'), 404, 'No such container: nosuch');
	});

	it('events: archive-path and extract-to-dir', async () => {
		const subject = subjectOf();
		const since = String(Date.now() / 1000);
		const { id, archive } = await withTree(subject, false);
		await namesOf(archive, '/a');
		const actions: string[] = [];
		const filters = { container: [id], type: ['container'] };
		for await (const event of subject.client.events({ since, until: String(Date.now() / 1000 + 0.2), filters })) {
			actions.push(event.Action);
		}
		assert.deepEqual(actions, ['create', 'extract-to-dir', 'archive-path']);
	});
}

function unpackCases(subjectOf: () => Subject): void {
	it('put: merges folders, replaces files and links, keeps owners, modes and times', async () => {
		const subject = subjectOf();
		const { id, archive } = await withTree(subject, true);
		await archive.put(
			'/a/link',
			archiveOf([
				{ name: './', type: 'directory', mode: 0o700 },
				{ name: 'file', content: 'two', mode: 0o4711, uid: 7, gid: 8, time: 1_400_000_000 },
				{ name: 'sub/', type: 'directory', mode: 0o711, uid: 9, time: 1_300_000_000 },
				{ name: 'sub/inner', content: '' },
			]),
		);
		await archive.put('/a', archiveOf([{ name: 'etc', content: 'a file now' }]));
		await archive.put('/a', archiveOf([{ name: 'broken/', type: 'directory' }]));
		const script =
			'stat -c "%n %a %u %g %Y %F" /a/dir/file /a/dir/sub /a/etc /a/broken; stat -c "%a" /a/dir; cat /a/etc';
		const { stdout } = await inside(subject, id, script);
		assert.deepEqual(stdout.split('\n'), [
			'/a/dir/file 4711 7 8 1400000000 regular file',
			'/a/dir/sub 711 9 0 1300000000 directory',
			'/a/etc 644 0 0 1600000000 regular file',
			'/a/broken 755 0 0 1600000000 directory',
			'750',
			'a file now',
		]);
	});

	it('noOverwriteDirNonDir: a folder and a file do not replace each other', async () => {
		const subject = subjectOf();
		const { archive } = await withTree(subject, false);
		const keepsKind = true;
		const status = expected('statusOfKeptKind', subject.name);
		await refused(
			archive.put('/a', archiveOf([{ name: 'dir', content: 'x' }]), { keepsKind }),
			status,
			/cannot overwrite directory "\/a\/dir" with non-directory "\/a"$/,
		);
		await refused(
			archive.put('/a/dir', archiveOf([{ name: 'file/', type: 'directory' }]), { keepsKind }),
			status,
			/cannot overwrite non-directory "\/a\/dir\/file" with directory "\/a\/dir"$/,
		);
		await archive.put('/a', archiveOf([{ name: 'dir', content: 'x' }]));
		assert.equal(await contentOf(archive, '/a/dir'), 'x');
	});

	it('put: takes gzip; refuses what is no archive and what would leave the folder', async () => {
		const subject = subjectOf();
		const { archive } = await withTree(subject, false);
		await archive.put('/a', gzip(archiveOf([{ name: 'zipped', content: 'z' }])));
		assert.equal(await contentOf(archive, '/a/zipped'), 'z');
		await refused(archive.put('/a', Buffer.alloc(2048, 'x')), 500, /./);
		const status = expected('statusOfWrongPath', subject.name);
		await refused(
			archive.put('/a', archiveOf([{ name: '../../escaped', content: '' }])),
			status,
			/"\.\.\/\.\.\/escaped" is outside of "\/a"$/,
		);
		await refused(archive.stat('/escaped'), 404, /./);
	});

	it('put: as long as the stream is, by a thread of its own', async () => {
		const subject = subjectOf();
		const { id, archive } = await withTree(subject, true);
		const files = Array.from({ length: 3000 }, (_, index) => ({
			name: `many/f${index}`,
			content: `${index}\n`.repeat(50),
		}));
		const tar = archiveOf(files);
		async function* pieces(): AsyncGenerator<Buffer> {
			for (let start = 0; start < tar.length; start += 100_000) {
				yield await Promise.resolve(tar.subarray(start, start + 100_000));
			}
		}
		await archive.put('/a', pieces());
		assert.equal((await inside(subject, id, 'ls /a/many | wc -l; tail -n 1 /a/many/f2999')).stdout, '3000\n2999\n');
	});

	it('copyUIDGID: all belongs to the container’s user', async () => {
		const subject = subjectOf();
		if (expected('ownerOfCopy', subject.name) === 'looked up on the host') {
			return;
		}
		const id = await create(subject, { Cmd: ['true'], User: 'demo' });
		const archive = subject.client.containers.archive(id);
		await archive.put('/tmp', archiveOf([{ name: 'mine', content: '', uid: 5, gid: 6 }]), { isOwnedByUser: true });
		const tar = await whole((await archive.get('/tmp/mine')).tar);
		const listing = execFileSync('tar', ['--numeric-owner', '-tvf', '-'], { input: tar, encoding: 'utf8' });
		assert.match(listing, / 1000\/1000 /);
	});
}

/** Runs a shell script in a container that has been started, by way of a copied script and its stdin: exec is not needed. */
async function inside(subject: Subject, id: string, script: string): Promise<{ stdout: string }> {
	const archive = subject.client.containers.archive(id);
	const tar = await whole((await archive.get('/a')).tar);
	return shellOn(subject, tar, script);
}

/** What the script prints in a new container that has the archive at its root. */
async function shellOn(subject: Subject, tar: Buffer, script: string): Promise<{ stdout: string }> {
	const id = await create(subject, { Cmd: ['sh', '-c', script] });
	await subject.client.containers.archive(id).put('/', tar);
	const { exit } = await subject.client.containers.wait(id, { condition: 'next-exit' });
	await subject.client.containers.start(id);
	await exit;
	let stdout = '';
	for await (const chunk of subject.client.containers.logs(id)) {
		stdout += chunk.data.toString();
	}
	await remove(subject, id);
	return { stdout };
}

function mountCases(subjectOf: () => Subject, workspace: Workspace): void {
	for (const state of ['created', 'running'] as const) {
		it(`through volumes and bind mounts of a container that is ${state}; read-only ones refuse`, async () => {
			const subject = subjectOf();
			const host = workspace.folder('bind');
			fs.writeFileSync(path.join(host, 'seen'), 'from the host');
			fs.symlinkSync('/etc', path.join(host, 'away'));
			const id = await create(subject, {
				Cmd: ['sleep', '100'],
				HostConfig: {
					NetworkMode: 'none',
					Binds: [`${host}:/b`, `copied-${state}:/v`, `copied-${state}:/r:ro`, `${host}:/b2/deep/er:ro`],
				},
			});
			if (state === 'running') {
				await subject.client.containers.start(id);
			}
			const archive = subject.client.containers.archive(id);
			assert.equal(await contentOf(archive, '/b/seen'), 'from the host');
			assert.equal(await contentOf(archive, '/b2/deep/er/seen'), 'from the host');
			await archive.put('/b', archiveOf([{ name: 'made', content: 'in the bind' }]));
			assert.equal(fs.readFileSync(path.join(host, 'made'), 'utf8'), 'in the bind');
			await archive.put('/v', archiveOf([{ name: 'made', content: 'in the volume' }]));
			const { Mountpoint: place } = await subject.client.volumes.inspect(`copied-${state}`);
			assert.equal(fs.readFileSync(path.join(place, 'made'), 'utf8'), 'in the volume');
			assert.equal(await contentOf(archive, '/r/made'), 'in the volume');
			// The container's /etc, not the host's.
			assert.ok(!(await namesOf(archive, '/b/away/')).includes('away/debian_version'));
			const status = expected('statusOfReadOnly', subject.name);
			await refused(archive.put('/r', archiveOf([])), status, 'mounted volume is marked read-only');
			await remove(subject, id);
			await subject.client.volumes.remove(`copied-${state}`);
		});

		it(`read-only root of a container that is ${state}: refuses`, async () => {
			const subject = subjectOf();
			const host = { NetworkMode: 'none', ReadonlyRootfs: true };
			const id = await (state === 'running' ? launch : create)(subject, {
				Cmd: ['sleep', '9'],
				HostConfig: host,
			});
			const status = expected('statusOfReadOnly', subject.name);
			const archive = subject.client.containers.archive(id);
			await refused(archive.put('/tmp', archiveOf([])), status, 'container rootfs is marked read-only');
			assert.ok((await namesOf(archive, '/etc')).includes('etc/passwd'));
		});
	}

	it('a copy into a stopped container: is there when it starts', async () => {
		const subject = subjectOf();
		const { stdout } = await shellOn(subject, archiveOf([{ name: 'tmp/new', content: 'there' }]), 'cat /tmp/new');
		assert.equal(stdout, 'there');
	});
}

function fidelityCases(subjectOf: () => Subject): void {
	it('hard links, FIFOs, devices, set-id bits, names of any bytes and file capabilities: survive in and out', async () => {
		const subject = subjectOf();
		const id = await launch(subject, { Cmd: ['sleep', '100'] });
		const archive = subject.client.containers.archive(id);
		const capability = Buffer.from('0100000200040000000000000000000000000000', 'hex');
		const long = `${'long-'.repeat(30)}name`;
		const entries: Entry[] = [
			{ name: 'd/', type: 'directory', mode: 0o2775, gid: 7 },
			{ name: 'd/file', content: 'x', mode: 0o755, attributes: { 'security.capability': capability } },
			{ name: 'd/hard', type: 'hardlink', target: 'd/file' },
			{ name: 'd/plain', content: 'y', mode: 0o4755 },
			{ name: 'd/linked', content: 'z' },
			{ name: 'd/linked-hard', type: 'hardlink', target: 'd/linked' },
			{ name: 'd/fifo', type: 'fifo', mode: 0o600 },
			{ name: 'd/null', type: 'character', device: [1, 3], mode: 0o666 },
			{ name: `d/${long}`, content: 'long' },
			{ name: 'd/two words\n"é&,\\', content: 'odd' },
		];
		await archive.put('/tmp', archiveOf(entries));
		const tar = await whole((await archive.get('/tmp/d')).tar);
		const folder = new Workspace('fidelity');
		try {
			execFileSync('tar', ['-xpf', '-', '--xattrs', '--xattrs-include=*', '-C', folder.root], { input: tar });
			const of = (name: string): fs.Stats => fs.lstatSync(path.join(folder.root, 'd', name));
			assert.deepEqual(
				[of('').mode & 0o7777, of('').gid, of('hard').ino === of('file').ino, of('plain').mode & 0o7777],
				[0o2775, 7, true, 0o4755],
			);
			assert.deepEqual(
				[
					of('linked-hard').nlink,
					of('fifo').isFIFO(),
					of('null').isCharacterDevice(),
					of('null').rdev,
					of(long).size,
				],
				[2, true, true, 0x103, 4],
			);
			assert.equal(fs.readFileSync(path.join(folder.root, 'd', 'two words\n"é&,\\'), 'utf8'), 'odd');
			const listing = execFileSync('getcap', [path.join(folder.root, 'd/file')], { encoding: 'utf8' });
			assert.match(listing, expected('capabilityOfCopy', subject.name));
		} finally {
			await folder.dispose();
		}
		await remove(subject, id);
	});
}

function safetyCases(subjectOf: () => Subject, workspace: Workspace): void {
	it('links to folders of the host: lead into the container, if anywhere', async () => {
		const subject = subjectOf();
		const secret = workspace.folder('secret');
		fs.writeFileSync(path.join(secret, 'file'), 'secret');
		const { archive } = await withTree(subject, true);
		await archive.put('/a', archiveOf([{ name: 'evil', type: 'symlink', target: secret }]));
		await refused(archive.get('/a/evil/file'), 404, /^Could not find the file \/a\/evil\/file/);
		await refused(archive.put('/a/evil', archiveOf([{ name: 'file', content: 'changed' }])), 404, /./);
		const through = archiveOf([
			{ name: 'trap', type: 'symlink', target: secret },
			{ name: 'trap/file', content: 'changed' },
			{ name: 'up', type: 'symlink', target: '../../../../../../../..' },
			{ name: `up${secret}/file`, content: 'changed' },
		]);
		await archive.put('/a/dir', through).catch(() => undefined);
		assert.equal(fs.readFileSync(path.join(secret, 'file'), 'utf8'), 'secret');
		assert.deepEqual(fs.readdirSync(secret), ['file']);
	});

	it('a folder that becomes a link during the copy (CVE-2018-15664): no copy leaves the container', async function () {
		const subject = subjectOf();
		if (subject.name === 'docker') {
			return;
		}
		this.timeout(120_000);
		const secret = workspace.folder('race');
		fs.mkdirSync(path.join(secret, 'in'));
		fs.writeFileSync(path.join(secret, 'in', 'file'), 'secret');
		const script = `mkdir -p /x/real/in; echo inside >/x/real/in/file; ln -s ${secret} /x/evil; touch /x/go
			while :; do ln -sfn real /x/at; mv /x/real /x/d; mv /x/d /x/real; ln -sfn evil /x/at; mv -T /x/evil /x/e2; mv -T /x/e2 /x/evil; done`;
		const id = await launch(subject, { Cmd: ['sh', '-c', script] });
		const archive = subject.client.containers.archive(id);
		await until('the attacker is at work', () => archive.stat('/x/go').then(Boolean, () => false));
		const seen = new Set<string>();
		for (let turn = 0; turn < 600; turn++) {
			try {
				if (turn % 2 === 0) {
					seen.add(await contentOf(archive, '/x/at/in/file'));
				} else {
					await archive.put('/x/at/in', archiveOf([{ name: 'file', content: 'inside\n' }]));
				}
			} catch (error) {
				const isUsual =
					error instanceof Error &&
					/Could not find|not a directory|in the middle of its answer/.test(error.message);
				seen.add(isUsual ? 'gone' : String(error));
			}
		}
		assert.deepEqual(
			[...seen].filter((text) => text !== 'inside\n' && text !== 'gone'),
			[],
		);
		assert.ok(seen.has('inside\n'));
		assert.equal(fs.readFileSync(path.join(secret, 'in', 'file'), 'utf8'), 'secret');
		await remove(subject, id);
	});

	it('a client that leaves in the middle: ends the copy, and the container can be started', async () => {
		const subject = subjectOf();
		const { id, archive } = await withTree(subject, false);
		const controller = new AbortController();
		const { tar } = await archive.get('/', { signal: controller.signal });
		for await (const chunk of tar) {
			assert.ok(chunk.length > 0);
			break;
		}
		controller.abort();
		await subject.client.containers.start(id);
		await remove(subject, id);
	});
}

/** Calls of ours that docker does not have. */
function explorerCases(subjectOf: () => Subject): void {
	it('explorer: lists, renames and removes in containers and volumes', async () => {
		const subject = subjectOf();
		if (subject.name === 'docker') {
			return;
		}
		const { archive } = await withTree(subject, true);
		const entries = (await archive.list('/a')).map(({ name, size, linkTarget }) => [name, size > 0, linkTarget]);
		assert.deepEqual(entries, [
			['broken', true, 'nosuch'],
			['circle', true, 'circle'],
			['dir', true, ''],
			['etc', true, '/etc'],
			['link', true, 'dir'],
			['out', true, '../../../../../etc'],
		]);
		await archive.rename('/a/dir/file', '/a/link/renamed');
		assert.deepEqual(
			(await archive.list('/a/dir')).map(({ name }) => name),
			['renamed'],
		);
		await archive.remove('/a/link');
		await archive.remove('/a/dir');
		assert.deepEqual(
			(await archive.list('/a')).map(({ name }) => name),
			['broken', 'circle', 'etc', 'out'],
		);
		await refused(archive.remove('/'), 400, /^Cannot change "\/" of container /);
		await refused(archive.list('/etc/passwd'), 400, /not a directory$/);
		await subject.client.volumes.create({ Name: 'explored' });
		const volume = subject.client.volumes.archive('explored');
		await volume.put('/', archiveOf([{ name: 'f', content: 'kept' }]));
		assert.equal(await contentOf(volume, '/f'), 'kept');
		assert.deepEqual(
			(await volume.list('/')).map(({ name }) => name),
			['f'],
		);
		await refused(volume.get('/nosuch'), 404, 'Could not find the file /nosuch in volume explored');
		await subject.client.volumes.remove('explored');
	});
}
