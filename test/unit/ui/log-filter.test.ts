import assert from 'node:assert/strict';
import { levelAt, levelOf, lineFilter, problemOf } from '../../../src/ui/log-filter';
import { ALL_OF_LOG, type LogChoices } from '../../../src/ui/log-view';

describe('filter of a log', () => {
	const lines = ['ERROR no space (disk)', 'info: started', 'GET /a?b=1 200', 'warn slow'];
	const left = (choices: Partial<LogChoices>): string[] => {
		const isWanted = lineFilter({ ...ALL_OF_LOG, ...choices });
		return lines.filter((text) => isWanted({ time: undefined, text }));
	};
	const [error, info, , warn] = lines;

	it('text: stands for itself, upper and lower case alike', () => {
		assert.deepEqual(left({ include: { text: 'SPACE (', isRegExp: false } }), [error]);
		assert.deepEqual(left({ exclude: { text: '?b=', isRegExp: false } }), [error, info, warn]);
		assert.deepEqual(left({ include: { text: '.*', isRegExp: false } }), []);
	});

	it('regular expression: picks in and out, also together', () => {
		assert.deepEqual(left({ include: { text: '^(error|warn)', isRegExp: true } }), [error, warn]);
		const both = { include: { text: 's', isRegExp: false }, exclude: { text: '\\bslow$', isRegExp: true } };
		assert.deepEqual(left(both), [error, info]);
	});

	it('regular expression: a wrong one is told in words, and wants all', () => {
		assert.equal(problemOf({ text: '(', isRegExp: true }), 'Unterminated group');
		assert.equal(problemOf({ text: '(', isRegExp: false }), undefined);
		assert.equal(problemOf({ text: 'a|b', isRegExp: true }), undefined);
		assert.deepEqual(left({ include: { text: '(', isRegExp: true } }), lines);
	});

	it('level: a line without one goes with the line before, in the log of each container', () => {
		assert.deepEqual(left({ level: 'warning' }), [error, warn]);
		const isWanted = lineFilter({ ...ALL_OF_LOG, level: 'error' });
		const wants = (text: string, container: string): boolean => isWanted({ time: undefined, text }, container);
		assert.deepEqual(
			[
				wants('  before any', 'a'),
				wants('[error] it broke', 'a'),
				wants('other', 'b'),
				wants('  at main.js:1', 'a'),
				wants('INFO on', 'a'),
				wants('  more', 'a'),
			],
			[false, true, false, true, false, false],
		);
	});

	it('level: is read as programs write it', () => {
		const cases: readonly (readonly [string, ReturnType<typeof levelOf>])[] = [
			['2026-11-26T10:00:00Z level=warn msg="x"', 'warning'],
			['{"level":"error","msg":"x"}', 'error'],
			['{"level":20,"msg":"x"}', 'debug'],
			['E1126 10:00:00.000000 1 main.go:1] x', 'error'],
			['10:00 [notice] x', 'info'],
			['Fatal: x', 'error'],
			['an errorless day', undefined],
			['10.0.0.1 - "GET /information" 200', undefined],
		];
		for (const [text, level] of cases) {
			assert.equal(levelOf(text), level, text);
		}
	});

	it('the place of a level: the word or the number that names it', () => {
		const named = (text: string): string | undefined => {
			const found = levelAt(text);
			return found && `${found.level}: ${text.slice(found.start, found.end)}`;
		};
		assert.deepEqual(
			[
				'12:00 [ERROR] no space',
				'{"msg":"x","level":"warn"}',
				'{"level":50,"msg":"x"}',
				'E1126 10:00:00.000000 gone',
				'plain',
			].map(named),
			['error: ERROR', 'warning: warn', 'error: "level":50', 'error: E', undefined],
		);
	});
});
