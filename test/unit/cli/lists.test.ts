import * as assert from 'node:assert/strict';
import type { ContainerSummary, ImageSummary } from '../../../src/api/types';
import { renderContainers } from '../../../src/cli/containers';
import { renderImages } from '../../../src/cli/images';

const NOW = 1_700_000_000_000;
const HEX = '4fcccde24bd880c330e0628ef6f7264f50de0fb1245282f18ebefb9e79b1be71';
const DIGEST = `sha256:${'d'.repeat(64)}`;

const image: ImageSummary = {
	Id: `sha256:${HEX}`,
	RepoTags: ['busybox:latest', 'localhost:5000/demo/busybox:1'],
	RepoDigests: [`localhost:5000/demo/busybox@${DIGEST}`],
	Created: 1_700_000_000 - 180,
	Size: 1_982_375,
	Labels: null,
	Containers: -1,
};
const imageFlags = { all: false, digests: false, filter: {}, format: undefined, noTrunc: false, quiet: false };

const container: ContainerSummary = {
	Id: HEX,
	Names: ['/web', '/other/alias'],
	Image: 'busybox',
	ImageID: image.Id,
	Command: "sh -c 'echo out; echo err >&2'",
	Created: 1_700_000_000 - 7200,
	State: 'running',
	Status: 'Up 2 hours',
	Ports: [{ IP: '0.0.0.0', PrivatePort: 80, PublicPort: 8080, Type: 'tcp' }],
	Labels: { a: 'b', c: 'd' },
	NetworkSettings: { Networks: { host: {} } },
	Mounts: [
		{ Type: 'volume', Name: 'data' },
		{ Type: 'bind', Source: '/a/very/long/path' },
	],
};
const containerFlags = {
	all: false,
	filter: {},
	format: undefined,
	last: undefined,
	latest: false,
	noTrunc: false,
	quiet: false,
};

describe('images', () => {
	const render = (images: readonly ImageSummary[], flags: object = {}): string[] =>
		renderImages(images, { ...imageFlags, ...flags }, NOW)
			.split('\n')
			.slice(0, -1);

	it('one row a name', () => {
		assert.deepEqual(render([image]), [
			'REPOSITORY                    TAG       IMAGE ID       CREATED         SIZE',
			'busybox                       latest    4fcccde24bd8   3 minutes ago   1.98MB',
			'localhost:5000/demo/busybox   1         4fcccde24bd8   3 minutes ago   1.98MB',
		]);
	});

	it('a digest is shown where it is asked for: that of the repository', () => {
		assert.deepEqual(render([image], { format: 'table {{.Repository}}\\t{{.Digest}}' }), [
			'REPOSITORY                    DIGEST',
			'busybox                       <none>',
			`localhost:5000/demo/busybox   ${DIGEST}`,
		]);
	});

	it('an image pulled by digest has no tag, a dangling one no name', () => {
		const format = '{{.Repository}} {{.Tag}}';
		assert.deepEqual(render([{ ...image, RepoTags: [], RepoDigests: [`nginx@${DIGEST}`] }], { format }), [
			'nginx <none>',
		]);
		for (const dangling of [
			{ ...image, RepoTags: null, RepoDigests: null },
			{ ...image, RepoTags: ['<none>:<none>'], RepoDigests: ['<none>@<none>'] },
		]) {
			assert.deepEqual(render([dangling], { format }), ['<none> <none>']);
		}
	});

	it('-q and --no-trunc', () => {
		assert.deepEqual(render([{ ...image, RepoTags: ['a:1'], RepoDigests: [] }], { quiet: true }), ['4fcccde24bd8']);
		assert.deepEqual(render([{ ...image, RepoTags: ['a:1'], RepoDigests: [] }], { quiet: true, noTrunc: true }), [
			image.Id,
		]);
	});
});

describe('containers', () => {
	const render = (flags: object = {}, changes: object = {}): string[] =>
		renderContainers([{ ...container, ...changes }], { ...containerFlags, ...flags }, NOW)
			.split('\n')
			.slice(0, -1);

	it('docker’s columns', () => {
		assert.deepEqual(render(), [
			'CONTAINER ID   IMAGE     COMMAND                  CREATED       STATUS       PORTS                  NAMES',
			`4fcccde24bd8   busybox   "sh -c 'echo out; ec…"   2 hours ago   Up 2 hours   0.0.0.0:8080->80/tcp   web`,
		]);
	});

	it('every field for templates', () => {
		const format =
			'{{.ID}}|{{.Image}}|{{.Labels}}|{{.Label "c"}}|{{.Label "toString"}}|{{.Mounts}}|{{.LocalVolumes}}|{{.Networks}}|{{.State}}|{{.Size}}';
		assert.deepEqual(render({ format }), [
			'4fcccde24bd8|busybox|a=b,c=d|d||data,/a/very/long/p…|1|host|running|0B',
		]);
	});

	it('an image that lost its name is shown by its id, a digest is left out', () => {
		const format = '{{.Image}}';
		const shown = (name: string): unknown => render({ format }, { Image: name })[0];
		assert.deepEqual([image.Id, `nginx@${DIGEST}`, `nginx:1@${DIGEST}`, ''].map(shown), [
			'4fcccde24bd8',
			'nginx',
			'nginx:1',
			'<no image>',
		]);
		assert.deepEqual(render({ format, noTrunc: true }, { Image: `nginx@${DIGEST}` }), [`nginx@${DIGEST}`]);
	});

	it('-q and --no-trunc', () => {
		assert.deepEqual(render({ quiet: true }), ['4fcccde24bd8']);
		assert.deepEqual(render({ noTrunc: true, format: '{{.ID}} {{.Command}} {{.Names}}' }), [
			`${HEX} ${JSON.stringify(container.Command)} web,other/alias`,
		]);
	});
});
