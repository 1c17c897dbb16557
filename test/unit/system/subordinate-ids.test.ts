import * as assert from 'node:assert/strict';
import { mappingLines, ownRanges, parseRanges } from '../../../src/core/system/subordinate-ids';

const USER = { username: 'dev', uid: 1000 };

describe('subordinate ids', () => {
	it('lines of the user count, by name and by number; others and broken ones do not', () => {
		const text = 'other:1:2\ndev:100000:65536\n1000:300000:10\ndev:x:5\ndev:5:0\ndev:1:2:3\n\n';
		assert.deepEqual(parseRanges(text, USER), [
			{ first: 100000, count: 65536 },
			{ first: 300000, count: 10 },
		]);
	});

	it('mapping: the user is 0, the ranges follow one another', () => {
		const ranges = [
			{ first: 100000, count: 65536 },
			{ first: 300000, count: 10 },
		];
		assert.equal(mappingLines(1000, ranges).join(' '), '0 1000 1 1 100000 65536 65537 300000 10');
	});

	it('none in one file: the problem names the file and the command', () => {
		const files: Readonly<Record<string, string>> = { '/etc/subuid': 'dev:100000:65536\n' };
		const { problem } = ownRanges(USER, (file) => files[file] ?? '');
		assert.match(
			problem,
			/^the user "dev" has no subordinate ids in \/etc\/subgid: .*usermod --add-subuids .* dev"$/,
		);
		assert.equal(ownRanges(USER, () => 'dev:100000:65536\n').problem, '');
	});
});
