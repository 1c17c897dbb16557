import assert from 'node:assert/strict';
import { LogText } from '../../../src/ui/log-text';

describe('text of a log', () => {
	it('what fits: is kept whole, after its head', () => {
		const text = new LogText({ bytes: 1e6, lines: 100 });
		text.append('one\ntwo\n', 2);
		text.append('grün\n', 1);
		assert.deepEqual(
			[text.read('head\n').toString(), text.bytes, text.linesBefore],
			['head\none\ntwo\ngrün\n', 14, 0],
		);
	});

	it('what does not fit: the oldest lines go, counted, and memory stays bounded', () => {
		const most = { bytes: 2 ** 21, lines: 1e9 };
		const text = new LogText(most);
		const line = `${'x'.repeat(1023)}\n`;
		for (let at = 0; at < 10_000; at++) {
			text.append(line, 1);
			assert.ok(text.bytes <= most.bytes);
		}
		assert.equal(text.linesBefore + text.read().length / 1024, 10_000);
		assert.ok(text.bytes > 0.6 * most.bytes);
	});
});
