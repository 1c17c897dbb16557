import assert from 'node:assert/strict';
import { LogOutput } from '../../../src/ui/log-output';

/** Only what LogOutput calls of vscode's OutputChannel; the real one needs VS Code (test/vscode). */
function recorder() {
	const calls: (readonly [method: string, text: string])[] = [];
	const record = (method: string) => (text: string) => {
		calls.push([method, text]);
	};
	const channel = { append: record('append'), replace: record('replace') };
	return { calls, output: new LogOutput(channel, 'cut') };
}

describe('log output', () => {
	it('lines that come together: are one append', async () => {
		const { calls, output } = recorder();
		await output.append('a\n');
		await output.append('b\n');
		assert.deepEqual(calls, []);
		output.flush();
		assert.deepEqual(calls, [['append', 'a\nb\n']]);
	});

	it('lines: are written without anybody asking', async () => {
		const { calls, output } = recorder();
		await output.append('a\n');
		await new Promise((resolve) => setTimeout(resolve, 120));
		assert.deepEqual(calls, [['append', 'a\n']]);
	});

	it('a flood: makes the writer wait for the channel', async () => {
		const { calls, output } = recorder();
		await output.append(`${'x'.repeat(300 * 1024)}\n`);
		assert.equal(calls.length, 1);
	});

	it('beyond ten thousand lines: only the newest two thousand stay', async () => {
		const { calls, output } = recorder();
		for (let line = 1; line <= 10_001; line++) {
			await output.append(`${line}\n`);
		}
		output.flush();
		const [method, text = ''] = calls.at(-1) ?? [];
		const lines = text.split('\n');
		assert.deepEqual([method, lines[0], lines.at(-2)], ['replace', 'cut', '10001']);
		assert.ok(lines.length >= 2000 && lines.length <= 2003, String(lines.length));
	});

	it('few but huge lines: are bounded as well', () => {
		const { calls, output } = recorder();
		for (let line = 0; line < 50; line++) {
			void output.append(`${'x'.repeat(100_000)}\n`);
			output.flush();
		}
		const longest = Math.max(...calls.filter(([method]) => method === 'replace').map(([, text]) => text.length));
		assert.ok(longest > 100_000 && longest < 600_000, String(longest));
	});
});
