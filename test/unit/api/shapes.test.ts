import * as assert from 'node:assert/strict';
import { containerSummary, eventJson, imageInspect, imageSummary, stateWord } from '../../../src/api/shapes';
import { container, image, IMAGE_ID } from './records';
import type { Core } from '../../../src/api/request';

// A row asks the core for nothing but the networks of its container.
const WITHOUT_NETWORKS = {
	networks: { find: () => undefined, connectionsOf: () => [], portsOf: () => [] },
	bridgeWay: 'ip, iptables',
} as unknown as Core;

const DIGEST = `sha256:${'d'.repeat(64)}`;

describe('image row', () => {
	it('two tags of one image: one row with familiar names', () => {
		const other = image({ name: 'localhost:5000/a/b', tag: '1', repo_digests: [`localhost:5000/a/b@${DIGEST}`] });
		assert.deepEqual(imageSummary([image(), other], '1.47'), {
			Id: IMAGE_ID,
			ParentId: '',
			RepoTags: ['nginx:latest', 'localhost:5000/a/b:1'],
			RepoDigests: [`nginx@${DIGEST}`, `localhost:5000/a/b@${DIGEST}`],
			Created: 1767225600,
			Size: 1000,
			SharedSize: -1,
			Labels: { maintainer: 'me' },
			Containers: -1,
		});
	});

	it('dangling: empty names since API 1.43, <none> before', () => {
		const dangling = image({ name: '', tag: '', repo_digests: [] });
		const names = (version: string) => {
			const { RepoTags, RepoDigests } = imageSummary([dangling], version);
			return [RepoTags, RepoDigests];
		};
		assert.deepEqual(names('1.43'), [[], []]);
		assert.deepEqual(names('1.42'), [['<none>:<none>'], ['<none>@<none>']]);
	});

	it('an image that does not say when it was built: year 1', () => {
		const undated = image({ created: '' });
		assert.equal(imageSummary([undated], '1.47').Created, 0);
		assert.equal(
			imageInspect([undated], { version: '1.47', driver: 'overlay', document: {} }).Created,
			'0001-01-01T00:00:00Z',
		);
	});
});

describe('container row', () => {
	it("command: docker quotes arguments with spaces, not the program's name", () => {
		const command = (words: string[]) =>
			containerSummary(container({ config: { command: words } }), 'i', 0, WITHOUT_NETWORKS).Command;
		assert.deepEqual(
			[command(['sh', '-c', 'echo hi']), command(['a b']), command(['a', ''])],
			["sh -c 'echo hi'", 'a b', 'a '],
		);
	});

	it('names, times, states', () => {
		const { Names, Created, State } = containerSummary(container({ status: 'stopping' }), 'i', 0, WITHOUT_NETWORKS);
		assert.deepEqual([Names, Created, State], [['/web'], 1767225600, 'stopping']);
	});

	it('starting: counts as what it was', () => {
		assert.equal(stateWord(container({ status: 'starting' })), 'created');
		assert.equal(stateWord(container({ status: 'starting', finished_at: '2026-01-01T00:00:00Z' })), 'exited');
	});
});

describe('event line', () => {
	const time = 1_700_000_000_123_456_789n;

	it("a container's: with the older members, and exact nanoseconds", () => {
		assert.equal(
			eventJson({
				type: 'container',
				action: 'die',
				id: 'c1',
				attributes: { image: 'nginx', exitCode: '0' },
				time,
			}),
			'{"status":"die","id":"c1","from":"nginx","Type":"container","Action":"die",' +
				'"Actor":{"ID":"c1","Attributes":{"image":"nginx","exitCode":"0"}},"scope":"local","time":1700000000,' +
				'"timeNano":1700000000123456789}',
		);
	});

	it("a network's: without them", () => {
		const line = eventJson({ type: 'network', action: 'create', id: 'n1', attributes: {}, time });
		assert.deepEqual(Object.keys(JSON.parse(line) as object), [
			'Type',
			'Action',
			'Actor',
			'scope',
			'time',
			'timeNano',
		]);
	});
});
