import assert from 'node:assert/strict';
import type { ContainerSummary, DiskUsage, ImageSummary } from '../../../src/api/types';
import { usageParts } from '../../../src/ui/usage-items';

const image = (Id: string, Size: number, Containers: number, SharedSize = 0): ImageSummary => ({
	Id,
	RepoTags: Id === 'none' ? ['<none>:<none>'] : [`${Id}:latest`],
	RepoDigests: null,
	Created: 0,
	Size,
	SharedSize,
	Labels: null,
	Containers,
});
const container = (Id: string, State: string, SizeRw: number) =>
	({ Id, Names: [`/${Id}`], State, SizeRw }) as unknown as ContainerSummary;

describe('usageParts', () => {
	const usage: DiskUsage = {
		LayersSize: 100,
		Images: [image('small', 10, 0), image('big', 60, 2, 20), image('none', 30, 0)],
		Containers: [container('web', 'running', 5), container('old', 'exited', 7)],
		Volumes: [
			{
				...{ Name: 'data', Driver: 'local', Mountpoint: '', Labels: null, Options: null, Scope: 'local' },
				UsageData: { Size: 50, RefCount: 1 },
			},
			{
				...{ Name: 'unknown', Driver: 'other', Mountpoint: '', Labels: null, Options: null, Scope: 'local' },
				UsageData: { Size: -1, RefCount: -1 },
			},
		],
		BuildCache: null,
	};

	it('images: nothing can be freed of those in use, whatever they share', () => {
		const [both] = usageParts({ ...usage, Images: [image('one', 40, 1, 30), image('two', 30, 1, 30)] });
		assert.equal(both?.reclaimable, 0);
		const [none] = usageParts({ ...usage, Images: [image('one', 70, 0, 30), image('two', 60, 0, 30)] });
		assert.equal(none?.reclaimable, 100);
	});

	it('sums: as docker system df, but for images', () => {
		assert.deepEqual(
			usageParts(usage).map((part) => ({ ...part, items: [] })),
			[
				{ kind: 'image', total: 3, active: 1, size: 100, reclaimable: 40, items: [] },
				{ kind: 'container', total: 2, active: 1, size: 12, reclaimable: 7, items: [] },
				{ kind: 'volume', total: 2, active: 1, size: 50, reclaimable: 0, items: [] },
				{ kind: 'build-cache', total: 0, active: 0, size: 0, reclaimable: 0, items: [] },
			],
		);
	});

	it('items: the biggest first, and what is not known is nothing', () => {
		assert.deepEqual(
			usageParts(usage).map(({ items }) =>
				items.map(({ key, names, size, shared, users }) => [key, ...names, size, shared, users]),
			),
			[
				[
					['big', 'big:latest', 60, 20, 2],
					['none', 30, 0, 0],
					['small', 'small:latest', 10, 0, 0],
				],
				[
					['old', 'old', 7, 0, 0],
					['web', 'web', 5, 0, 1],
				],
				[
					['data', 'data', 50, 0, 1],
					['unknown', 'unknown', 0, 0, 0],
				],
				[],
			],
		);
	});

	it('the rest: what our engine tells beyond docker, only where there is some', () => {
		const Other = [
			{ Kind: 'engine', Size: 3 },
			{ Kind: 'logs', Size: 9 },
			{ Kind: 'copies', Size: 0 },
		] as const;
		const other = usageParts({ ...usage, Other }).at(-1);
		assert.deepEqual(
			[other?.kind, other?.size, other?.reclaimable, other?.items.map(({ key, size }) => [key, size])],
			[
				'other',
				12,
				0,
				[
					['logs', 9],
					['engine', 3],
				],
			],
		);
	});
});
