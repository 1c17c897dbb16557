import assert from 'node:assert/strict';
import { ApiError } from '../../../src/api/client';
import type { ExecCalls } from '../../../src/api/exec-calls';
import { execFiles } from '../../../src/api/exec-files';
import { execOutput } from '../../../src/api/exec-output';
import type { OutputChunk } from '../../../src/api/stream';

/** Containers whose commands print this, with what was read of it. */
function printing(output: Iterable<OutputChunk>, exitCode = 0) {
	const seen = { bytes: 0, isLeft: false };
	async function* read(): AsyncGenerator<OutputChunk, void> {
		try {
			for (const chunk of output) {
				seen.bytes += chunk.data.length;
				yield await Promise.resolve(chunk);
			}
		} finally {
			seen.isLeft = true;
		}
	}
	const execs = {
		create: () => Promise.resolve('exec'),
		start: () => Promise.resolve({ output: read() }),
		inspect: () => Promise.resolve({ ExitCode: exitCode }),
	} as unknown as ExecCalls;
	return { execs, seen };
}

/** Containers whose commands print nothing and go on until their connection is left. */
function silent() {
	const seen = { left: 0 };
	const execs = {
		create: () => Promise.resolve('exec'),
		start: (_id: string, { signal }: { signal: AbortSignal }) => {
			const gone = new Promise<never>((_resolve, reject) => {
				const leave = (): void => {
					seen.left++;
					reject(signal.reason as Error);
				};
				signal.addEventListener('abort', leave);
				if (signal.aborted) {
					leave();
				}
			});
			return Promise.resolve({ output: { [Symbol.asyncIterator]: () => ({ next: () => gone }) } });
		},
	} as unknown as ExecCalls;
	return { execs, seen };
}

function* forEver(bytes: number): Generator<OutputChunk, void> {
	for (let number = 0; ; number++) {
		yield { stream: number % 2 === 0 ? 'stdout' : 'stderr', data: Buffer.alloc(bytes, String(number % 10)) };
	}
}

const out = (text: string): OutputChunk => ({ stream: 'stdout', data: Buffer.from(text, 'latin1') });

describe('what a command in a container printed', () => {
	const body = { Cmd: ['chatter', '-x'] };

	it('is told with its exit code, each stream and both as they came; a character may come in parts', async () => {
		const { execs } = printing([out('a\xc3'), { stream: 'stderr', data: Buffer.from('!') }, out('\xa4')], 3);
		const { exitCode, stdout, all } = await execOutput(execs, 'box', body, { most: 4 });
		assert.deepEqual({ exitCode, stdout, all }, { exitCode: 3, stdout: 'aä', all: 'a�!�' });
	});

	it('without end: no more than the bound is read, the connection ends, and the error says what command it was', async () => {
		const { execs, seen } = printing(forEver(64));
		await assert.rejects(execOutput(execs, 'box', body, { most: 1000 }), {
			code: 'too-much',
			message: 'Cannot run "chatter" in the container: it printed more than 1000 bytes',
		});
		assert.deepEqual(seen, { bytes: 1024, isLeft: true });
	});

	it('of a command that never ends: is given up on, and the error says after how long; a person may leave earlier', async () => {
		const { execs, seen } = silent();
		await assert.rejects(execOutput(execs, 'box', body, { most: 10, within: 20 }), {
			code: 'too-late',
			message: 'Cannot run "chatter" in the container: it did not end within 0.02 s',
		});
		const left = AbortSignal.abort(new Error('left'));
		await assert.rejects(execOutput(execs, 'box', body, { most: 10, within: 60_000, signal: left }), /left/);
		assert.deepEqual(seen, { left: 2 });
	});

	it('of which the end will do: that is kept, whatever the pieces are', async () => {
		const pieces = Array.from({ length: 20_000 }, (_, number) => out(String(number % 10)));
		for (const output of [pieces, [out(pieces.map(({ data }) => data.toString()).join(''))]]) {
			const { all, stdout } = await execOutput(printing(output).execs, 'box', body, {
				...{ most: 12, isEndEnough: true },
			});
			assert.deepEqual([all, stdout], ['890123456789', '890123456789']);
		}
	});

	it('a folder without end is an error, and what rm has to say is cut', async () => {
		const { execs, seen } = printing(forEver(64 * 1024));
		await assert.rejects(execFiles(execs, 'box').list('/'), { code: 'too-much', message: /^Cannot run "sh" / });
		assert.deepEqual(seen, { bytes: 8 * 1024 * 1024 + 64 * 1024, isLeft: true });
		const rm = execFiles(printing([out('no '.repeat(1000))], 1).execs, 'box').remove('/x');
		await assert.rejects(rm, (error: unknown) => {
			assert.ok(error instanceof ApiError && error.code === 'denied');
			assert.equal(error.message.length, 1000);
			return true;
		});
	});
});
