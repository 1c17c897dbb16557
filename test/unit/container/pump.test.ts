import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import * as fc from 'fast-check';
import { JsonFileLog } from '../../../src/core/container/json-file';
import type { LogDriver } from '../../../src/core/container/log';
import { Pump } from '../../../src/core/container/pump';

/** Plays the shim: writes output into segments of random size. */
class Segments {
	private number = 0;
	private size = 0;

	constructor(
		private readonly folder: string,
		private readonly stream: string,
	) {
		this.write('');
	}

	write(text: string): void {
		fs.appendFileSync(this.file, text);
		this.size += text.length;
	}

	next(): void {
		this.number++;
		this.size = 0;
		this.write('');
	}

	private get file(): string {
		return path.join(this.folder, `${this.stream}.${this.number}`);
	}
}

describe('pump', () => {
	let folder: string;
	let shim: string;
	const maxSize = 400;

	beforeEach(() => {
		folder = fs.mkdtempSync(path.join(os.tmpdir(), 'mydocker-pump-'));
		shim = path.join(folder, 'shim');
		fs.mkdirSync(shim);
	});

	afterEach(() => {
		fs.rmSync(folder, { recursive: true, force: true });
	});

	function openLog(): JsonFileLog {
		return new JsonFileLog(path.join(folder, 'log', 'x.log'), { maxSize, maxFiles: 1000 });
	}

	function openPump(log: LogDriver, warnings: string[] = []): { pump: Pump; complete: Promise<void> } {
		let onComplete: () => void = () => undefined;
		const complete = new Promise<void>((resolve) => {
			onComplete = resolve;
		});
		const warn = (message: string): unknown => warnings.push(message);
		const pump = new Pump(shim, log, { onComplete, warn });
		pump.start();
		return { pump, complete };
	}

	async function text(log: JsonFileLog, stream: 'stdout' | 'stderr'): Promise<string> {
		const parts: string[] = [];
		for await (const entry of log.read({ stdout: stream === 'stdout', stderr: stream === 'stderr' })) {
			parts.push(entry.data.toString());
		}
		return parts.join('');
	}

	it('output of both streams: is in the log, and finished segments are gone', async () => {
		const stdout = new Segments(shim, 'stdout');
		const stderr = new Segments(shim, 'stderr');
		const log = openLog();
		const { pump, complete } = openPump(log);
		stdout.write('one\ntw');
		stdout.next();
		stdout.write('o\nend');
		stderr.write('error\n');
		pump.finish();
		await complete;
		assert.deepEqual([await text(log, 'stdout'), await text(log, 'stderr')], ['one\ntwo\nend', 'error\n']);
		assert.deepEqual(fs.readdirSync(shim).sort(), ['journal', 'stderr.0', 'stdout.1']);
		pump.close();
	});

	it('an engine that dies between any two steps: the next one loses no line and repeats none', async () => {
		type Step =
			| { readonly kind: 'write' | 'error'; readonly size: number }
			| { readonly kind: 'next' | 'look' | 'die' | 'torn' };
		const step = fc.oneof<fc.Arbitrary<Step>[]>(
			fc.record({ kind: fc.constantFrom('write' as const, 'error' as const), size: fc.nat(60) }),
			fc.record({ kind: fc.constantFrom('next' as const, 'look' as const, 'die' as const, 'torn' as const) }),
		);
		let round = 0;
		await fc.assert(
			fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
				shim = path.join(folder, `shim-${round++}`);
				fs.mkdirSync(shim);
				fs.rmSync(path.join(folder, 'log'), { recursive: true, force: true });
				const streams = { stdout: new Segments(shim, 'stdout'), stderr: new Segments(shim, 'stderr') };
				const written = { stdout: '', stderr: '' };
				let log = openLog();
				let { pump, complete } = openPump(log);
				for (const current of steps) {
					if (current.kind === 'write' || current.kind === 'error') {
						const stream = current.kind === 'write' ? 'stdout' : 'stderr';
						const piece = `${written[stream].length}${'.'.repeat(current.size)}${current.size % 3 === 0 ? '' : '\n'}`;
						streams[stream].write(piece);
						written[stream] += piece;
					} else if (current.kind === 'next') {
						streams.stdout.next();
					} else if (current.kind === 'look') {
						pump.wake();
						await new Promise((resolve) => setTimeout(resolve, 0));
					} else {
						// A death leaves the files as they are; "torn" after an append that no journal tells of.
						pump.close();
						if (current.kind === 'torn' && fs.existsSync(path.join(folder, 'log', 'x.log'))) {
							fs.appendFileSync(
								path.join(folder, 'log', 'x.log'),
								'{"log":"twice\\n","stream":"stdout","time":"2026-11',
							);
						}
						log = openLog();
						({ pump, complete } = openPump(log));
					}
				}
				pump.finish();
				await complete;
				pump.close();
				assert.deepEqual({ stdout: await text(log, 'stdout'), stderr: await text(log, 'stderr') }, written);
			}),
			{ numRuns: 15 },
		);
	}).timeout(20_000);

	it('discard: the end comes without what is not in the log, but not before all has ended that writes', async () => {
		const stdout = new Segments(shim, 'stdout');
		new Segments(shim, 'stderr');
		const log = openLog();
		const { pump, complete } = openPump(log);
		let isComplete = false;
		const noticed = complete.then(() => (isComplete = true));
		pump.discard();
		stdout.write('nobody reads this\n');
		pump.wake();
		await delay(20); // several looks
		assert.equal(isComplete, false);
		pump.finish();
		await noticed;
		assert.equal(await text(log, 'stdout'), '');
		pump.close();
	});

	it('a raw tail: has the output from the first byte on that is not in the log', async () => {
		const stdout = new Segments(shim, 'stdout');
		const log = openLog();
		const { pump, complete } = openPump(log);
		stdout.write('logged\nprompt> ');
		pump.wake();
		await new Promise((resolve) => setTimeout(resolve, 20));
		const queue = pump.tail('stdout');
		stdout.write('answer\n');
		stdout.next();
		stdout.write('more');
		new Segments(shim, 'stderr');
		pump.finish();
		await complete;
		let read = '';
		for (
			let chunk = await queue?.read(Buffer.alloc(99));
			chunk !== undefined;
			chunk = await queue?.read(Buffer.alloc(99))
		) {
			read += chunk.data.toString();
		}
		assert.equal(read, 'prompt> answer\nmore');
		queue?.close();
		pump.close();
	});

	it('a log that cannot be written: warns once, and goes on as soon as it can', async () => {
		const stdout = new Segments(shim, 'stdout');
		new Segments(shim, 'stderr');
		fs.writeFileSync(path.join(folder, 'log'), 'in the way');
		const warnings: string[] = [];
		const log = openLog();
		const { pump, complete } = openPump(log, warnings);
		stdout.write('patience\n');
		pump.finish();
		while (warnings.length === 0) {
			await new Promise(setImmediate);
		}
		fs.rmSync(path.join(folder, 'log'));
		pump.wake();
		await complete;
		assert.deepEqual([warnings.length, await text(log, 'stdout')], [1, 'patience\n']);
		pump.close();
	});
});
