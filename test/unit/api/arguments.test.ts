import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { splitArguments } from '../../../src/api/arguments';

describe('arguments', () => {
	const cases: readonly (readonly [text: string, split: string[] | undefined])[] = [
		['', []],
		['   ', []],
		['sleep 5', ['sleep', '5']],
		['sh -c "echo hello; exit 3"', ['sh', '-c', 'echo hello; exit 3']],
		['echo \'it is "so" \\n\'', ['echo', 'it is "so" \\n']],
		['echo "a \\"b\\" \\$c \\n"', ['echo', 'a "b" $c \\n']],
		['echo a\\ b', ['echo', 'a b']],
		['echo \'\' ""', ['echo', '', '']],
		['a"b"\'c\'d', ['abcd']],
		['$HOME `id` *', ['$HOME', '`id`', '*']],
		['tail\\', ['tail\\']],
		['echo "open', undefined],
		["echo 'open", undefined],
	];
	for (const [text, split] of cases) {
		it(`${JSON.stringify(text)}: splits as a shell does`, () => {
			assert.deepEqual(splitArguments(text), split);
		});
	}

	it('any words in single quotes: come back as they were', () => {
		const word = fc.string().map((text) => text.replaceAll("'", ''));
		fc.assert(
			fc.property(fc.array(word), (words) => {
				assert.deepEqual(splitArguments(words.map((text) => `'${text}'`).join(' ')), words);
			}),
		);
	});
});
