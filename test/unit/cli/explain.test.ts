import * as assert from 'node:assert/strict';
import { ApiError } from '../../../src/api/client';
import { EngineNotStarted } from '../../../src/api/connect';
import { CommandError } from '../../../src/cli/errors';
import { explain, startExitCode } from '../../../src/cli/explain';

describe('errors of commands', () => {
	it('an engine’s refusal is told as such', () => {
		assert.equal(
			explain(new ApiError('No such container: x', 404, 'not-found')),
			'Error response from engine: No such container: x',
		);
	});

	it('an engine that is not there: what to look at', () => {
		const refused = (code: string): Error => Object.assign(new Error(code), { code, address: '/run/x.sock' });
		assert.deepEqual(
			['ENOENT', 'ECONNREFUSED', 'EACCES', 'EIO'].map((code) => explain(refused(code))),
			[
				'Cannot connect to the engine at unix:///run/x.sock. Is the engine running?',
				'Cannot connect to the engine at unix:///run/x.sock. Is the engine running?',
				'Cannot connect to the engine at unix:///run/x.sock. Your user may not use its socket.',
				'Cannot connect to the engine at unix:///run/x.sock. EIO',
			],
		);
		assert.match(
			explain(new EngineNotStarted('Cannot start the engine: runc is missing')),
			/^Cannot start the engine: runc is missing\nRun 'mydocker --debug version' /,
		);
	});

	it('our own sentences, and what nobody foresaw, as they are', () => {
		assert.deepEqual([new CommandError('x'), new Error('y'), 'z'].map(explain), ['x', 'y', 'z']);
	});

	it('the exit code of a start that failed, by the runtime’s words', () => {
		const code = (message: string): number => startExitCode(new ApiError(message, 400, 'runtime'));
		assert.deepEqual(
			[
				'exec: "nosuch": executable file not found in $PATH: unknown',
				'exec: "/no/such": stat /no/such: no such file or directory: unknown',
				'exec: "/etc": permission denied: unknown',
				'exec: "/etc": is a directory: unknown',
				'unable to find user nosuch: no matching entries in passwd file',
			].map(code),
			[127, 127, 126, 126, 125],
		);
	});
});
