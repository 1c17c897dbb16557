import assert from 'node:assert/strict';
import { lineText } from '../../../src/ui/log-view';

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
});
