import assert from 'node:assert/strict';
import { EngineError } from '../../../src/core/errors';
import { run, toolEnvironment } from '../../../src/core/exec';

describe('run', () => {
	it('gives exit code, stdout and stderr', async () => {
		const result = await run('sh', ['-c', 'cat; echo oops >&2; exit 3'], { input: 'in' });
		assert.deepEqual(result, { code: 3, stdout: 'in', stderr: 'oops\n' });
	});

	it('counts a signal as 128 + n', async () => {
		assert.equal((await run('sh', ['-c', 'kill -TERM $$'])).code, 143);
	});

	it('names a program that is not installed', async () => {
		await assert.rejects(
			run('mydocker-no-such-program', []),
			(error) =>
				error instanceof EngineError && error.code === 'unsupported' && /no-such-program/.test(error.message),
		);
	});

	it('ends the program when aborted', async () => {
		const abort = new AbortController();
		const running = run('sleep', ['60'], { signal: abort.signal });
		abort.abort();
		await assert.rejects(running, { name: 'AbortError' });
	});

	it('passes no token and no editor variable on', () => {
		process.env['MYDOCKER_TEST_TOKEN'] = 'secret';
		try {
			assert.deepEqual(
				Object.keys(toolEnvironment()).filter((name) => /TOKEN|VSCODE|ELECTRON/.test(name)),
				[],
			);
		} finally {
			delete process.env['MYDOCKER_TEST_TOKEN'];
		}
	});
});
