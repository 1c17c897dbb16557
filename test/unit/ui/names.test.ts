import assert from 'node:assert/strict';
import {
	shortenPaths,
	isContainerName,
	referenceProblem,
	shortId,
	shortName,
	suggestName,
} from '../../../src/ui/names';

describe('names', () => {
	it('references: right ones pass', () => {
		const right = [
			'nginx',
			'nginx:1.27',
			'library/nginx',
			'ghcr.io/owner/app:v1',
			'localhost:5000/demo/web:latest',
			'LOCALHOST.local/demo/web',
			'[::1]:5000/demo/web',
			`a__b/c-d--e.f@sha256:${'0'.repeat(64)}`,
		];
		assert.deepEqual(
			right.filter((text) => referenceProblem(text) !== undefined),
			[],
		);
	});

	it('references: wrong ones say why', () => {
		const wrong = {
			'': 'blank',
			'https://docker.io/nginx': 'scheme',
			'nginx latest': 'space',
			Nginx: 'uppercase',
			'ghcr.io/Owner/app': 'uppercase',
			'nginx:': 'unfinished',
			'ghcr.io/': 'unfinished',
			'nginx@sha256:12': 'malformed',
			'nginx::1': 'malformed',
			'a//b': 'malformed',
			'-a': 'malformed',
			'a:b:c': 'malformed',
		};
		assert.deepEqual(Object.fromEntries(Object.keys(wrong).map((text) => [text, referenceProblem(text)])), wrong);
	});

	it('references: a new tag has no digest', () => {
		assert.equal(referenceProblem(`a@sha256:${'0'.repeat(64)}`, { noDigest: true }), 'digest');
	});

	it('references: a long one costs no time', () => {
		const begun = performance.now();
		assert.equal(referenceProblem(`${'a-'.repeat(100_000)}!`), 'malformed');
		assert.ok(performance.now() - begun < 200);
	});

	it('short names: without registry and "latest"', () => {
		assert.deepEqual(
			['nginx:latest', 'localhost:5000/demo/web:latest', 'ghcr.io/a/b:1', `a@sha256:${'0'.repeat(64)}`].map(
				shortName,
			),
			['nginx', 'demo/web', 'a/b:1', 'a'],
		);
		assert.equal(shortId(`sha256:${'0123456789ab'.repeat(5)}0000`), '0123456789ab');
	});

	it('container names: docker’s rule', () => {
		assert.deepEqual(['web', 'a1', 'a_b.c-d', 'a', '-a', '.a', 'a b', 'ä1', ''].filter(isContainerName), [
			'web',
			'a1',
			'a_b.c-d',
		]);
	});

	it('suggested names: after the image, and free', () => {
		const taken = new Set(['web', 'web-2']);
		assert.deepEqual(
			['localhost:5000/demo/web:latest', 'nginx', 'a/x', '<none>'].map((reference) =>
				suggestName(reference, taken),
			),
			['web-3', 'nginx', 'x-1', 'none'],
		);
		assert.ok(isContainerName(suggestName('sha256:…', new Set())));
	});

	it('a long path in a message: keeps its ends, so that the reason after it can be read', () => {
		const long = '/root/.vscode-server/data/User/globalStorage/mydocker.mydocker/run';
		assert.equal(
			shortenPaths(`Cannot start the engine in "${long}": no space`),
			'Cannot start the engine in "/root/…/mydocker.mydocker/run": no space',
		);
		assert.equal(shortenPaths('Cannot open "/dev/null" or 1/2'), 'Cannot open "/dev/null" or 1/2');
	});
});
