import assert from 'node:assert/strict';
import type { ContainerSummary, ImageSummary } from '../../../src/api/types';
import { containerRow, imageRows } from '../../../src/ui/rows';

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
			ports: ['8080 → 80/tcp', '53/udp'],
			created: now - 7_200_000,
		});
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
