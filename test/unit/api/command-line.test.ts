import assert from 'node:assert/strict';
import { build } from '../../../src/api/build';
import { readCommand } from '../../../src/api/routes/command';

const body = (...fields: readonly (string | number)[]): Buffer =>
	Buffer.from(fields.map((field) => `${field}\0`).join(''));

describe('a command that is handed to the engine', () => {
	it('words, environment, folder and terminals', () => {
		const fields = [build.time, '/home/é', '101', 24, 80, 3, 'run', '', 'a=b\nc', 'A=1=2', 'EMPTY='];
		assert.deepEqual(readCommand(body(...fields)), {
			cwd: '/home/é',
			words: ['run', '', 'a=b\nc'],
			env: { A: '1=2', EMPTY: '' },
			isTerminal: { stdin: true, stdout: false, stderr: true },
			size: { rows: 24, columns: 80 },
		});
	});

	it('another build is refused, whatever follows', () => {
		assert.throws(() => readCommand(body(build.time + 1)), { code: 'conflict' });
		assert.throws(() => readCommand(Buffer.alloc(0)), { code: 'conflict' });
	});

	it('what is not complete is refused', () => {
		const begin = [build.time, '/home', '000', 0, 0];
		for (const fields of [
			[build.time],
			[build.time, 'home', '000', 0, 0, 0],
			begin,
			[...begin, 'x'],
			[...begin, 2, 'ps'],
			[...begin, 1e9, 'ps'],
		]) {
			assert.throws(() => readCommand(body(...fields)), { code: 'invalid' }, fields.join());
		}
	});

	it('a variable cannot reach what all objects have', () => {
		const { env } = readCommand(body(build.time, '/', '000', 0, 0, 0, '__proto__=x', 'A=1'));
		assert.equal(env['A'], '1');
		assert.equal(({} as Record<string, unknown>)['x'], undefined);
	});
});
