import assert from 'node:assert/strict';
import { formatAgo, formatBytes, formatDuration } from '../../../src/ui/amounts';

describe('amounts', () => {
	it('bytes: three digits, decimal units', () => {
		const bytes = [0, 999, 1000, 34_100_000, 120_400_000, 1_234_000_000, 5e15];
		assert.deepEqual(
			bytes.map((count) => formatBytes(count, 'en')),
			['0 B', '999 B', '1 kB', '34.1 MB', '120 MB', '1.23 GB', '5,000 TB'],
		);
	});

	it('duration: the largest whole unit', () => {
		assert.deepEqual(
			[0, 59.9, 60, 119, 7200, 86_400 * 3, 86_400 * 800].map((seconds) => formatDuration(seconds, 'en')),
			['0 seconds', '59 seconds', '1 minute', '1 minute', '2 hours', '3 days', '2 years'],
		);
	});

	it('ages and durations: in the language of the user', () => {
		assert.deepEqual(
			[
				formatAgo(120, 'en'),
				formatAgo(120, 'zh-cn'),
				formatDuration(120, 'zh-cn'),
				formatBytes(34_100_000, 'zh-cn'),
			],
			['2 minutes ago', '2分钟前', '2分钟', '34.1 MB'],
		);
	});
});
