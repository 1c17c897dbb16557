import assert from 'node:assert/strict';
import { ALL_OF_LOG, lineFilter, lineText } from '../../../src/ui/log-view';

describe('view of a log', () => {
	const line = { time: '2026-11-26T08:00:00.123456789Z', text: 'ERROR no space' };

	it('a line: with its time to the millisecond and its container when asked', () => {
		assert.deepEqual(
			[
				lineText(line, { hasTimestamps: false }),
				lineText(line, { hasTimestamps: true }),
				lineText(line, { hasTimestamps: true }, { name: 'web', width: 5 }),
			],
			[
				'ERROR no space\n',
				'2026-11-26T08:00:00.123Z ERROR no space\n',
				'2026-11-26T08:00:00.123Z web   │ ERROR no space\n',
			],
		);
	});

	it('patterns: pick lines in and out; one that is no pattern wants all', () => {
		const wants = (include: string, exclude: string): boolean =>
			lineFilter({ ...ALL_OF_LOG, include, exclude })(line);
		assert.deepEqual(
			[wants('', ''), wants('error|warn', ''), wants('info', ''), wants('', 'space$'), wants('(', '')],
			[true, true, false, false, true],
		);
	});
});
