import * as assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { fetchFromHost, SERVE } from './namespace';
import { launch, refused, remove } from './run';
import type { Subject } from './subject';
import { endProcess, until } from './workspace';

interface Place {
	readonly subject: Subject;
	/** Keeps the network namespace. */
	readonly holder: number;
}

/** Published ports in all their forms; the suite around looks for what they leave. */
export function portCases(given: () => Place): void {
	const web = (name: string, bindings: readonly object[]): Promise<string> =>
		launch(
			given().subject,
			{
				Cmd: ['sh', '-c', SERVE, name],
				HostConfig: { NetworkMode: 'bridge', PortBindings: { '80/tcp': bindings } },
			},
			{ name },
		);
	const hostPort = async (id: string): Promise<number> =>
		(await given().subject.client.containers.list({ filters: { id: [id] } }))[0]?.Ports[0]?.PublicPort ?? 0;

	it('published port: of a range the first free one; a full range is refused', async () => {
		const { holder, subject } = given();
		const range = [{ HostIp: '127.0.0.1', HostPort: '8090-8091' }];
		const ids = [await web('first', range), await web('second', range)];
		assert.deepEqual([await hostPort(ids[0] ?? ''), await hostPort(ids[1] ?? '')], [8090, 8091]);
		assert.match(fetchFromHost(holder, '127.0.0.1', 8090), /hello from first/);
		assert.match(fetchFromHost(holder, '127.0.0.1', 8091), /hello from second/);
		await refused(web('third', range), 500, /Bind for 127\.0\.0\.1:8090 failed: port is already allocated$/);
		await remove(subject, ids[0] ?? '');
		await subject.client.containers.start('third');
		assert.match(fetchFromHost(holder, '127.0.0.1', 8090), /hello from third/);
	});

	it('published port: at [::1] alone, and a free one that is the same for IPv4 and IPv6', async () => {
		const { holder, subject } = given();
		const id = await web('web', [{ HostIp: '::1', HostPort: '8092' }, { HostPort: '' }]);
		assert.match(fetchFromHost(holder, '::1', 8092), /hello from web/);
		assert.equal(fetchFromHost(holder, '127.0.0.1', 8092, 1), '');
		const [row] = await subject.client.containers.list({ filters: { id: [id] } });
		const free = row?.Ports.filter(({ PublicPort }) => PublicPort !== 8092) ?? [];
		assert.deepEqual(
			free.map(({ IP }) => IP),
			['0.0.0.0', '::'],
		);
		assert.equal(new Set(free.map(({ PublicPort }) => PublicPort)).size, 1);
		for (const address of ['127.0.0.1', '::1']) {
			assert.match(fetchFromHost(holder, address, free[0]?.PublicPort ?? 0), /hello from web/, address);
		}
	});

	it('published port: one that another program has is refused before anything of the container runs', async () => {
		const { holder, subject } = given();
		const script = "require('net').createServer().listen(8093, '0.0.0.0', () => console.log('here'))";
		const stranger = spawn('nsenter', ['-t', String(holder), '-n', process.execPath, '-e', script]);
		try {
			await new Promise((resolve) => stranger.stdout.once('data', resolve));
			await refused(
				web('web', [{ HostPort: '8093' }]),
				500,
				/Bind for 0\.0\.0\.0:8093 failed: port is already allocated$/,
			);
			const { State: state } = await subject.client.containers.inspect('web');
			assert.deepEqual([state.Status, state.Pid], ['created', 0]);
			assert.match(state.StartedAt, /^0001-/);
		} finally {
			await endProcess(stranger.pid ?? 0);
		}
		await subject.client.containers.start('web');
		await until('the port answers', () => fetchFromHost(holder, '127.0.0.1', 8093, 1).includes('web') || undefined);
	});

	it('published port: goes with the last network, and comes back with the next', async () => {
		const { holder, subject } = given();
		const { networks } = subject.client;
		const id = await web('web', [{ HostPort: '8094' }]);
		const ports = async () =>
			((await subject.client.containers.list({ filters: { id: [id] } }))[0]?.Ports ?? []).map(
				({ PublicPort }) => PublicPort ?? 0,
			);
		await networks.create({ Name: 'next' });
		await networks.create({ Name: 'inside', Internal: true });
		await networks.disconnect('bridge', id);
		await networks.connect('inside', id);
		assert.deepEqual((await ports()).filter(Boolean), []);
		await networks.connect('next', id);
		assert.deepEqual(await ports(), [8094, 8094]);
		for (const address of ['127.0.0.1', '::1']) {
			assert.match(fetchFromHost(holder, address, 8094), /hello from web/, address);
		}
		await networks.disconnect('next', id);
		assert.equal(fetchFromHost(holder, '127.0.0.1', 8094, 1), '');
		const other = await web('other', [{ HostPort: '8094' }]);
		await refused(networks.connect('next', id), 500, /Bind for 0\.0\.0\.0:8094 failed: port is already allocated$/);
		const { Networks: joined } = (await subject.client.containers.inspect(id)).NetworkSettings;
		assert.deepEqual(Object.keys(joined), ['inside']);
		await remove(subject, other);
	});
}
