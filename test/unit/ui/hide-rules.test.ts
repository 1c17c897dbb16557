import assert from 'node:assert/strict';
import { containerHider, hideRule, imageHider, wrongRule } from '../../../src/ui/hide-rules';
import { repositoryOfName } from '../../../src/ui/names';
import { containerRow, imageRows } from '../../../src/ui/rows';

const container = (name: string, image: string, labels: Record<string, string> = {}) =>
	containerRow(
		{
			Id: name,
			Names: [`/${name}`],
			Image: image,
			ImageID: 'sha256:1',
			Command: '',
			Created: 0,
			State: 'running',
			Status: 'Up 2 hours',
			Ports: [],
			Labels: labels,
		},
		0,
	);

describe('hide rules', () => {
	const rows = [
		container('web-1', 'nginx:1.27', { 'com.docker.compose.project': 'shop' }),
		container('Web.2', 'localhost:5000/demo/web:latest'),
		container('db', 'postgres', { tier: 'data base' }),
	];
	const hiddenBy = (...rules: string[]): string[] => rows.filter(containerHider(rules)).map(({ name }) => name);

	it('containers: by name, image, repository of the image, project and label, with "*" for anything', () => {
		assert.deepEqual(
			[
				hiddenBy('name:web*'),
				hiddenBy('name:web.2'),
				hiddenBy('name:we'),
				hiddenBy('image:nginx'),
				hiddenBy('image:localhost:5000/demo/web'),
				hiddenBy('image:*:latest'),
				hiddenBy('project:shop', 'name:db'),
				hiddenBy('label:tier'),
				hiddenBy(hideRule('label', 'tier=data base')),
				hiddenBy('project:*'),
				hiddenBy('repository:nginx'),
				hiddenBy(),
			],
			[
				['web-1', 'Web.2'],
				['Web.2'],
				[],
				['web-1'],
				['Web.2'],
				['Web.2'],
				['web-1', 'db'],
				['db'],
				['db'],
				['web-1'],
				[],
				[],
			],
		);
	});

	it('images: by name, by repository, and those without a name', () => {
		const summary = (Id: string, RepoTags: string[]) => ({ Id, RepoTags, RepoDigests: [], Size: 1, Created: 0 });
		const images = [
			...imageRows([
				summary('sha256:a', ['nginx:1.27', 'localhost:5000/cache/one:latest']),
				summary('sha256:b', []),
			] as unknown as Parameters<typeof imageRows>[0]).values(),
		];
		const hidden = (...rules: string[]): string[] => images.filter(imageHider(rules)).map(({ name }) => name);
		assert.deepEqual(
			[
				hidden('repository:nginx'),
				hidden('repository:nginx:1.26'),
				hidden('repository:*/cache/*'),
				hidden('repository:<none>'),
				hidden('image:nginx'),
			],
			[['nginx:1.27'], [], ['localhost:5000/cache/one:latest'], ['sha256:b'], []],
		);
	});

	it('what is no rule is told, and hides nothing', () => {
		assert.equal(wrongRule(['name:a', 'web-*', 'image:']), 'web-*');
		assert.equal(wrongRule(['name:a', 'label:x=y']), undefined);
		assert.deepEqual(hiddenBy('*', 'web-1', 'name:('), []);
	});

	it('a repository is the name without tag and digest, with the port of its registry', () => {
		assert.deepEqual(
			['nginx', 'localhost:5000/a/b', 'localhost:5000/a/b:1', `a@sha256:${'0'.repeat(64)}`].map(repositoryOfName),
			['nginx', 'localhost:5000/a/b', 'localhost:5000/a/b', 'a'],
		);
	});
});
