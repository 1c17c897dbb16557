import assert from 'node:assert/strict';
import type { ContainerSummary, DiskUsage, ImageSummary, VolumeJson } from '../../../src/api/types';
import { prunableContainers, prunableImages, prunableVolumes } from '../../../src/ui/prunable';

const container = (name: string, State: string, ImageID: string, SizeRw = 0): ContainerSummary =>
	({ Id: `id-${name}`, Names: [`/${name}`], State, ImageID, SizeRw }) as unknown as ContainerSummary;
const image = (Id: string, RepoTags: readonly string[], Size: number, SharedSize = 0): ImageSummary =>
	({ Id, RepoTags, Size, SharedSize }) as ImageSummary;
const volume = (Name: string, RefCount: number, Size: number): VolumeJson =>
	({ Name, UsageData: { RefCount, Size } }) as VolumeJson;

const anonymous = 'f'.repeat(64);
const usage: DiskUsage = {
	LayersSize: 0,
	Containers: [
		container('web', 'running', 'a'),
		container('old', 'exited', 'b', 5),
		container('new', 'created', 'b', 9),
	],
	Images: [image('a', ['web:1'], 100), image('b', ['old:1', 'old:2'], 80, 30), image('c', ['<none>:<none>'], 60, -1)],
	Volumes: [volume('used', 1, 7), volume('data', 0, 3), volume(anonymous, 0, 8)],
};

describe('what may be pruned', () => {
	const summary = (prunables: ReturnType<typeof prunableContainers>): unknown[] =>
		prunables.map(({ key, names, bytes, users, isNameless }) => [
			key,
			names.join(),
			bytes,
			users.join(),
			isNameless,
		]);

	it('containers: those that do not run, the biggest first', () => {
		assert.deepEqual(summary(prunableContainers(usage)), [
			['id-new', 'new', 9, '', false],
			['id-old', 'old', 5, '', false],
		]);
	});

	it('images: those without a container, with the bytes that no other image shares', () => {
		assert.deepEqual(summary(prunableImages(usage)), [['c', '', 60, '', true]]);
	});

	it('images: with everything else, also those of containers that do not run', () => {
		assert.deepEqual(summary(prunableImages(usage, true)), [
			['c', '', 60, '', true],
			['b', 'old:1,old:2', 50, 'old,new', false],
		]);
	});

	it('images: where the engine tells what comes free on the disk, that', () => {
		const told = { ...usage, Images: [{ ...image('c', ['c:1'], 60, 10), OwnSize: 90 }] };
		assert.deepEqual(summary(prunableImages(told)), [['c', 'c:1', 90, '', false]]);
	});

	it('volumes: those without a container; the anonymous ones are marked', () => {
		assert.deepEqual(summary(prunableVolumes(usage)), [
			[anonymous, anonymous, 8, '', true],
			['data', 'data', 3, '', false],
		]);
	});

	it('an engine that lists nothing: nothing', () => {
		const empty = { LayersSize: 0, Images: null, Containers: null, Volumes: null };
		assert.deepEqual([prunableContainers(empty), prunableImages(empty), prunableVolumes(empty)], [[], [], []]);
	});
});
