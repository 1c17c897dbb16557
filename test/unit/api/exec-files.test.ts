import assert from 'node:assert/strict';
import { readList } from '../../../src/api/exec-files';

describe('files that stat(1) has listed', () => {
	it('are read whatever their names are; what is no line of it is left out', () => {
		const text = [
			'/41ed 4096 1764190011 ./dir',
			'/a1ff 3 0 ./l\n',
			'/81a4 12 -1 ./two\nlines',
			'/81a4 0 1 ./ 81a4 0 1 .',
			'/21b6 0 1 ./null',
			'/81a4 x 1 ./bad',
			'/81a4 1 99999999999999999999 ./never',
			'what a shell says',
			'',
		].join('\n');
		const found = readList(text).map(({ name, size, mode, mtime }) => [name, size, mode, mtime]);
		assert.deepEqual(found, [
			[' 81a4 0 1 .', 0, 0o644, '1970-01-01T00:00:01.000Z'],
			['dir', 4096, 2 ** 31 + 0o755, '2025-11-26T20:46:51.000Z'],
			['l\n', 3, 2 ** 27 + 0o777, '1970-01-01T00:00:00.000Z'],
			['null', 0, 2 ** 26 + 2 ** 21 + 0o666, '1970-01-01T00:00:01.000Z'],
			['two\nlines', 12, 0o644, '1969-12-31T23:59:59.000Z'],
		]);
		assert.deepEqual(readList(''), []);
	});
});
