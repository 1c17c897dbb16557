import * as assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { expected } from './differences';
import { create, launch, refused, remove, run } from './run';
import type { Subject } from './subject';
import { mountsOf } from './workspace';

/** Volumes, the same on every engine. */
export function volumeCases(subjectOf: () => Subject): void {
	describe('volumes', () => {
		afterEach('no volume is left', async () => {
			const { containers, volumes } = subjectOf().client;
			for (const { Id } of await containers.list({ all: true })) {
				await containers.remove(Id, { force: true, volumes: true });
			}
			for (const { Name } of await volumes.list()) {
				await volumes.remove(Name);
			}
		});

		it('named volume: made at create, keeps what is written, is shown where it is mounted', async () => {
			const subject = subjectOf();
			const host = { NetworkMode: 'none', Binds: ['data:/data'] };
			await run(subject, { Cmd: ['sh', '-c', 'echo kept >/data/file'], HostConfig: host });
			const { stdout, id } = await run(subject, { Cmd: ['cat', '/data/file'], HostConfig: host }, { keep: true });
			assert.equal(stdout, 'kept\n');
			const { Mountpoint: place } = await subject.client.volumes.inspect('data');
			assert.equal(fs.readFileSync(`${place}/file`, 'utf8'), 'kept\n');
			const { Mounts: mounts } = await subject.client.containers.inspect(id);
			assert.deepEqual(mounts, [
				{
					...{ Type: 'volume', Name: 'data', Source: place, Destination: '/data', Driver: 'local' },
					...{ Mode: 'z', RW: true, Propagation: '' },
				},
			]);
		});

		it('new volume: gets what the image has there, owner and mode too, once', async () => {
			const subject = subjectOf();
			const host = { NetworkMode: 'none', Binds: ['home:/home'] };
			const script = 'stat -c "%u %g" /home/demo; rmdir /home/demo';
			const first = await run(subject, { Cmd: ['sh', '-c', script], HostConfig: host });
			assert.equal(first.stdout, '1000 1000\n');
			const second = await run(subject, { Cmd: ['ls', '/home'], HostConfig: host });
			assert.equal(second.stdout, expected('emptiedVolume', subject.name));
			const temporary = { NetworkMode: 'none', Binds: ['tmp:/tmp'] };
			assert.equal(
				(await run(subject, { Cmd: ['stat', '-c', '%a', '/tmp'], HostConfig: temporary })).stdout,
				'1777\n',
			);
		});

		it('nocopy: the volume stays empty', async () => {
			const subject = subjectOf();
			const mount = { Type: 'volume', Source: 'empty', Target: '/home', VolumeOptions: { NoCopy: true } };
			const { stdout } = await run(subject, {
				Cmd: ['ls', '/home'],
				HostConfig: { NetworkMode: 'none', Mounts: [mount] },
			});
			assert.equal(stdout, '');
		});

		it('read-only: writes are refused', async () => {
			const { exitCode, stderr } = await run(subjectOf(), {
				Cmd: ['touch', '/data/file'],
				HostConfig: { NetworkMode: 'none', Binds: ['data:/data:ro'] },
			});
			assert.equal(exitCode, 1);
			assert.match(stderr, /Read-only file system/);
		});

		it('a volume in use: cannot be removed, whether its container runs or not', async () => {
			const subject = subjectOf();
			const id = await create(subject, {
				Cmd: ['true'],
				HostConfig: { NetworkMode: 'none', Binds: ['data:/data'] },
			});
			await refused(subject.client.volumes.remove('data'), 409, `remove data: volume is in use - [${id}]`);
			await remove(subject, id);
			await subject.client.volumes.remove('data');
			await refused(subject.client.volumes.inspect('data'), 404, /data: no such volume$/);
		});

		it('anonymous volumes: rm -v and --rm remove them, rm alone does not', async () => {
			const subject = subjectOf();
			const body = { Cmd: ['true'], Volumes: { '/data': {} } };
			const count = async (): Promise<number> => (await subject.client.volumes.list()).length;
			const kept = await launch(subject, body);
			assert.equal(await count(), 1);
			await subject.client.containers.remove(kept, { force: true });
			assert.equal(await count(), 1);
			const removed = await launch(subject, body);
			assert.equal(await count(), 2);
			await subject.client.containers.remove(removed, { force: true, volumes: true });
			assert.equal(await count(), 1);
			const id = await create(subject, { ...body, HostConfig: { NetworkMode: 'none', AutoRemove: true } });
			const { exit } = await subject.client.containers.wait(id, { condition: 'removed' });
			await subject.client.containers.start(id);
			await exit;
			assert.equal(await count(), 1);
		});

		it('volume in memory: shared by the containers that run, of its size, empty and unmounted after them', async () => {
			const subject = subjectOf();
			const DriverOpts = { type: 'tmpfs', device: 'tmpfs', o: 'size=1m' };
			const { Mountpoint: place } = await subject.client.volumes.create({ Name: 'memory', DriverOpts });
			const host = { NetworkMode: 'none', Binds: ['memory:/data'] };
			const first = await launch(subject, { Cmd: ['sh', '-c', 'echo x >/data/a; sleep 60'], HostConfig: host });
			const { stdout } = await run(subject, {
				Cmd: ['sh', '-c', 'until [ -s /data/a ]; do sleep 0.1; done; ls /data; df -k /data | tail -n 1'],
				HostConfig: host,
			});
			assert.match(stdout, /^a\ntmpfs +1024 /);
			await remove(subject, first);
			assert.deepEqual(mountsOf(place), []);
			assert.equal((await run(subject, { Cmd: ['ls', '/data'], HostConfig: host })).stdout, '');
		});

		it('volume in memory with options that mount(8) refuses: the start fails and says so', async () => {
			const subject = subjectOf();
			const DriverOpts = { type: 'tmpfs', device: 'tmpfs', o: 'nosuch=1' };
			const { Mountpoint: place } = await subject.client.volumes.create({ Name: 'memory', DriverOpts });
			const host = { NetworkMode: 'none', Binds: ['memory:/data'] };
			const start = launch(subject, { Cmd: ['true'], HostConfig: host });
			await assert.rejects(start, /failed to mount local volume: mount tmpfs/);
			assert.deepEqual(mountsOf(place), []);
		});

		it('a folder of the host as a volume: is seen and written by a container, and survives the volume', async () => {
			const subject = subjectOf();
			const folder = fs.mkdtempSync('/tmp/mydocker-volume-');
			try {
				fs.chmodSync(folder, 0o777);
				const DriverOpts = { type: 'none', o: 'bind', device: folder };
				await subject.client.volumes.create({ Name: 'folder', DriverOpts });
				assert.deepEqual((await subject.client.volumes.inspect('folder')).Options, DriverOpts);
				const host = { NetworkMode: 'none', Binds: ['folder:/data'] };
				await run(subject, { Cmd: ['sh', '-c', 'echo kept >/data/file'], HostConfig: host });
				assert.equal(fs.readFileSync(`${folder}/file`, 'utf8'), 'kept\n');
				await subject.client.volumes.remove('folder');
				assert.deepEqual(fs.readdirSync(folder), ['file']);
			} finally {
				fs.rmSync(folder, { recursive: true });
			}
		});

		it('prune: unused volumes without a name, those with one on demand, none that a container has', async () => {
			const subject = subjectOf();
			const { volumes } = subject.client;
			const id = await create(subject, {
				Cmd: ['true'],
				HostConfig: { Binds: ['used:/used'] },
				Volumes: { '/own': {} },
			});
			await volumes.create({ Name: 'named', Labels: { tier: 'web' } });
			const anonymous = (await volumes.create({})).Name;
			assert.deepEqual((await volumes.prune({ filters: { 'label!': ['tier'] } })).VolumesDeleted, [anonymous]);
			const first = (await volumes.prune()).VolumesDeleted ?? [];
			const rest =
				subject.name === 'docker'
					? []
					: ((await volumes.prune({ filters: { all: ['true'] } })).VolumesDeleted ?? []);
			assert.deepEqual([first, rest], expected('pruneOfVolumes', subject.name));
			const { Volumes: left } = await subject.client.diskUsage();
			const used = left?.find(({ Name }) => Name === 'used')?.UsageData;
			assert.deepEqual([used?.RefCount, (used?.Size ?? -1) >= 0], [1, true]);
			await subject.client.containers.remove(id, { volumes: true });
		});

		it('volumes: options, labels, filters', async () => {
			const { volumes } = subjectOf().client;
			await volumes.create({ Name: 'one', Labels: { tier: 'web' } });
			const again = await volumes.create({ Name: 'one' });
			assert.deepEqual(again.Labels, { tier: 'web' });
			await volumes.create({ Name: 'two' });
			const names = async (filters: Record<string, string[]>): Promise<string[]> =>
				(await volumes.list({ filters })).map(({ Name }) => Name).sort();
			assert.deepEqual(await names({ label: ['tier'] }), ['one']);
			assert.deepEqual(await names({ name: ['two'] }), ['two']);
			assert.deepEqual(await names({ dangling: ['true'] }), ['one', 'two']);
			await refused(volumes.create({ Name: '-bad' }), 400, /includes invalid characters for a local volume name/);
			await refused(volumes.remove('nosuch'), 404, /no such volume/);
			await volumes.remove('nosuch', { force: true });
		});
	});
}
