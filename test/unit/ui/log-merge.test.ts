import assert from 'node:assert/strict';
import { mergeByTime, type NamedLine } from '../../../src/ui/log-merge';

describe('merging logs', () => {
	async function* source(name: string, ...times: (string | undefined)[]): AsyncGenerator<readonly NamedLine[], void> {
		for (const time of times) {
			yield await Promise.resolve([{ name, time, text: `${name}${time ?? ''}` }]);
		}
	}

	const merged = async (...sources: AsyncGenerator<readonly NamedLine[], void>[]): Promise<string[]> => {
		const texts: string[] = [];
		for await (const lines of mergeByTime(sources)) {
			texts.push(...lines.map(({ text }) => text));
		}
		return texts;
	};

	it('lines: come in the order of time, those of one source in their own', async () => {
		assert.deepEqual(await merged(source('a', '1', '4', '5'), source('b', '2', '3', '6')), [
			'a1',
			'b2',
			'b3',
			'a4',
			'a5',
			'b6',
		]);
	});

	it('the same time, no time, no lines: lose nothing', async () => {
		assert.deepEqual(await merged(source('a', '1', undefined), source('b', '1'), source('c')), ['a1', 'a', 'b1']);
		assert.deepEqual(await merged(), []);
	});
});
