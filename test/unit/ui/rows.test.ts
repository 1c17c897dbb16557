import assert from 'node:assert/strict';
import type { ContainerSummary, ImageSummary, NetworkJson, VolumeJson } from '../../../src/api/types';
import { containerRow, imageRows, networkRows, volumeRows } from '../../../src/ui/rows';

describe('rows', () => {
	const now = Date.UTC(2026, 10, 24);
	const container: ContainerSummary = {
		Id: 'a'.repeat(64),
		Names: ['/web'],
		Image: 'demo/web',
		ImageID: 'sha256:1',
		Command: '/bin/web',
		Created: now / 1000 - 7200,
		State: 'running',
		Status: 'Up 5 minutes',
		Ports: [
			{ PrivatePort: 80, PublicPort: 8080, Type: 'tcp' },
			{ PrivatePort: 53, Type: 'udp' },
		],
		Labels: {},
	};
	const image = (Id: string, RepoTags: string[], RepoDigests: string[] = []): ImageSummary => ({
		Id,
		RepoTags,
		RepoDigests,
		Created: now / 1000,
		Size: 1,
		Labels: null,
		Containers: -1,
	});

	it('a container: has its name without slash and the time of its last change', () => {
		assert.deepEqual(containerRow(container, now), {
			id: 'a'.repeat(64),
			name: 'web',
			image: 'demo/web',
			imageId: 'sha256:1',
			command: '/bin/web',
			state: 'running',
			exitCode: undefined,
			since: now - 300_000,
			health: undefined,
			ports: [
				{ port: 53, protocol: 'udp', host: undefined },
				{ port: 80, protocol: 'tcp', host: { ip: '', port: 8080 } },
			],
			labels: {},
			networks: {},
			networkDriver: '',
			volumes: [],
			binds: [],
			created: now - 7_200_000,
		});
	});

	it('a container: has its health, networks, mounts, and a port of IPv4 and IPv6 once', () => {
		const row = containerRow(
			{
				...container,
				Status: 'Up 5 minutes (unhealthy)',
				Ports: [
					{ IP: '0.0.0.0', PrivatePort: 80, PublicPort: 8080, Type: 'tcp' },
					{ IP: '::', PrivatePort: 80, PublicPort: 8080, Type: 'tcp' },
				],
				NetworkSettings: { Networks: { app: { IPAddress: '10.1.0.2' }, none: {} } },
				Mounts: [
					{ Type: 'volume', Name: 'data', Source: '/store/data' },
					{ Type: 'bind', Source: '/work' },
				],
			},
			now,
		);
		assert.deepEqual(
			[row.health, row.ports, row.networks, row.volumes, row.binds],
			[
				'unhealthy',
				[{ port: 80, protocol: 'tcp', host: { ip: '0.0.0.0', port: 8080 } }],
				{ app: '10.1.0.2', none: '' },
				['data'],
				['/work'],
			],
		);
	});

	it('ports of an engine on another machine: are published there', () => {
		const Ports = ['0.0.0.0', '::', '10.0.0.5'].map((IP, n) => ({
			IP,
			PrivatePort: n,
			PublicPort: n,
			Type: 'tcp' as const,
		}));
		const { ports } = containerRow({ ...container, Ports }, now, undefined, 'box');
		assert.deepEqual(
			ports.map(({ host }) => host?.ip),
			['box', 'box', '10.0.0.5'],
		);
	});

	it('networks: own ones by name, then the built-in ones', () => {
		const network = (Name: string, Subnet?: string): NetworkJson => ({
			Name,
			Id: Name,
			Created: '',
			Scope: 'local',
			Driver: 'bridge',
			EnableIPv6: false,
			IPAM: { Driver: 'default', Config: Subnet === undefined ? null : [{ Subnet, Gateway: '10.1.0.1' }] },
			Internal: false,
			Options: null,
			Labels: null,
		});
		const rows = [...networkRows([network('none'), network('web', '10.1.0.0/24'), network('app')]).values()];
		assert.deepEqual(
			rows.map(({ name, subnets, gateway, isBuiltIn }) => [name, subnets, gateway, isBuiltIn]),
			[
				['app', [], '', false],
				['web', ['10.1.0.0/24'], '10.1.0.1', false],
				['none', [], '', true],
			],
		);
	});

	it('volumes: those with a name first, the anonymous ones newest first', () => {
		const volume = (Name: string, CreatedAt?: string): VolumeJson => ({
			Name,
			Driver: 'local',
			Mountpoint: `/volumes/${Name}`,
			Labels: null,
			Options: null,
			Scope: 'local',
			...(CreatedAt === undefined ? {} : { CreatedAt }),
		});
		const [old, young] = ['a'.repeat(64), 'b'.repeat(64)];
		const list = [volume(old, '2026-01-01T00:00:00Z'), volume(young, '2026-02-01T00:00:00Z'), volume('data')];
		assert.deepEqual(
			[...volumeRows(list).values()].map(({ name, isAnonymous }) => [name, isAnonymous]),
			[
				['data', false],
				[young, true],
				[old, true],
			],
		);
	});

	it('a container that has exited: has its code', () => {
		const row = containerRow({ ...container, State: 'exited', Status: 'Exited (3) 2 minutes ago' }, now);
		assert.deepEqual([row.exitCode, row.since], [3, now - 120_000]);
	});

	it('a container that was never started: counts from its creation', () => {
		const row = containerRow({ ...container, State: 'created', Status: 'Created' }, now);
		assert.deepEqual([row.exitCode, row.since], [undefined, now - 7_200_000]);
	});

	it('images: one row a name, sorted without the registry, nameless ones last', () => {
		const rows = imageRows([
			image('sha256:2', ['<none>:<none>'], ['<none>@<none>']),
			image('sha256:3', [], ['ghcr.io/a/pinned@sha256:33']),
			image('sha256:1', ['localhost:5000/demo/web:latest', 'alpine:3']),
		]);
		assert.deepEqual(
			[...rows.values()].map(({ name, id, tag, digest }) => [name, id, tag, digest]),
			[
				['alpine:3', 'sha256:1', 'alpine:3', undefined],
				['localhost:5000/demo/web:latest', 'sha256:1', 'localhost:5000/demo/web:latest', undefined],
				['sha256:2', 'sha256:2', undefined, undefined],
				['sha256:3', 'sha256:3', undefined, 'ghcr.io/a/pinned@sha256:33'],
			],
		);
	});
});
