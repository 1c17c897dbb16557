// The test runner inside VS Code's extension host: runs test/vscode with mocha. What mocha prints goes through the Unix
// socket that test/host/run.mjs listens on, since the host's own console reaches nobody.
import * as fs from 'node:fs';
import * as net from 'node:net';
import * as path from 'node:path';
import { format } from 'node:util';
import Mocha from 'mocha';

const out = path.resolve(__dirname, '..', '..');

/** Called by VS Code; a rejection makes its exit code 1. */
export async function run(): Promise<void> {
	const output = process.env['MYDOCKER_TEST_OUTPUT'] ? net.connect(process.env['MYDOCKER_TEST_OUTPUT']) : undefined;
	const print = (line: string): void => {
		if (output) {
			output.write(`${line}\n`);
		} else {
			console.log(line);
		}
	};
	// Base.consoleLog is how mocha's reporters print; its types do not name it.
	(Mocha.reporters.Base as unknown as { consoleLog: typeof console.log }).consoleLog = (...args: unknown[]) => {
		print(format(...args));
	};
	try {
		const failures: string[] = [];
		const stats = await runMocha(failures);
		writeCounts(stats, failures);
		if (stats.failures > 0 || stats.passes === 0) {
			throw new Error(`${stats.failures} of ${stats.tests} tests failed`);
		}
	} catch (error) {
		print(error instanceof Error ? (error.stack ?? error.message) : String(error));
		throw error;
	} finally {
		if (output) {
			await new Promise<void>((resolve) => output.end(resolve));
		}
	}
}

/** `failures` gets a text for each test that fails. */
async function runMocha(failures: string[]): Promise<Mocha.Stats> {
	const grep = process.env['MYDOCKER_TEST_GREP'];
	const mocha = new Mocha({ ui: 'bdd', color: false, timeout: 60_000, reporter: 'spec', ...(grep ? { grep } : {}) });
	const folder = path.join(out, 'test', 'vscode');
	for (const file of fs.readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
		if (file.endsWith('.test.js')) {
			mocha.addFile(path.join(folder, file));
		}
	}
	return new Promise((resolve, reject) => {
		const runner = mocha.run(() => {
			if (runner.stats) {
				resolve(runner.stats);
			} else {
				reject(new Error('mocha gave no counts'));
			}
		});
		runner.on('fail', (test, error: Error) => {
			failures.push(`${test.fullTitle()}\n${error.stack ?? error.message}`);
		});
	});
}

/** As scripts/mocha-reporter.cjs does. */
function writeCounts({ passes, failures: failed, pending }: Mocha.Stats, failures: readonly string[]): void {
	const file = process.env['MYDOCKER_TEST_COUNTS'];
	if (file) {
		const counts = { passed: passes, failed, skipped: pending };
		fs.writeFileSync(file, JSON.stringify({ counts, failures, repeated: [] }));
	}
}
