import assert from 'node:assert/strict';
import { lineText } from '../../../src/ui/log-view';

describe('view of a log', () => {
	const line = { time: '2026-11-26T08:00:00.123456789Z', text: 'ERROR no space' };

	it('a line: with its time to the millisecond and its container when asked', () => {
		assert.deepEqual(
			[
				lineText(line, { hasTimestamps: false, isJsonPretty: false }),
				lineText(line, { hasTimestamps: true, isJsonPretty: false }),
				lineText(line, { hasTimestamps: true, isJsonPretty: true }, { name: 'web', width: 5 }),
			],
			[
				'ERROR no space\n',
				'2026-11-26T08:00:00.123Z ERROR no space\n',
				'2026-11-26T08:00:00.123Z web   │ ERROR no space\n',
			],
		);
	});

	it('JSON: on several lines when asked, after what stands before it; what is none stays as it is', () => {
		const shown = (text: string): string =>
			lineText({ ...line, text }, { hasTimestamps: false, isJsonPretty: true });
		assert.equal(shown('api {"a":1,"b":["x"]}'), 'api {\n  "a": 1,\n  "b": [\n    "x"\n  ]\n}\n');
		for (const text of ['{"a":1} tail', '{"a":', 'set {a}', '']) {
			assert.equal(shown(text), `${text}\n`);
		}
	});
});
