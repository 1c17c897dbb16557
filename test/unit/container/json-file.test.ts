import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import * as zlib from 'node:zlib';
import { JsonFileLog, type JsonFileOptions } from '../../../src/core/container/json-file';
import type { LogEntry, LogQuery } from '../../../src/core/container/log';

describe('json-file log', () => {
	let folder: string;
	let file: string;

	beforeEach(() => {
		folder = fs.mkdtempSync(path.join(os.tmpdir(), 'mydocker-log-'));
		file = path.join(folder, 'log', 'x-json.log');
	});

	afterEach(() => {
		fs.rmSync(folder, { recursive: true, force: true });
	});

	function open(options: Partial<JsonFileOptions> = {}): JsonFileLog {
		const log = new JsonFileLog(file, { maxSize: Infinity, maxFiles: 3, ...options });
		log.begin();
		return log;
	}

	/** As the pump does. */
	function write(log: JsonFileLog, text: string, stream: 'stdout' | 'stderr' = 'stdout', isFinal = false): void {
		let rest = Buffer.from(text);
		for (let taken = 1; rest.length > 0 && taken > 0; rest = rest.subarray(taken)) {
			log.prepare();
			taken = log.take(stream, rest, isFinal);
		}
	}

	function lines(from: number, to: number): string {
		return Array.from({ length: to - from + 1 }, (_, index) => `line ${from + index}\n`).join('');
	}

	async function read(log: JsonFileLog, query: LogQuery = {}): Promise<string> {
		return (await entries(log, query)).map((entry) => entry.data.toString()).join('');
	}

	async function entries(log: JsonFileLog, query: LogQuery = {}): Promise<LogEntry[]> {
		const all: LogEntry[] = [];
		for await (const entry of log.read(query)) {
			all.push(entry);
		}
		return all;
	}

	function files(): string[] {
		return fs.readdirSync(path.dirname(file)).sort();
	}

	it('nothing written: reads as nothing', async () => {
		const log = new JsonFileLog(file, { maxSize: Infinity, maxFiles: 3 });
		assert.equal(await read(log), '');
		assert.equal(await read(log, { follow: true, tail: 3 }), '');
	});

	it('rotation: keeps max-file files, each over max-size by less than a record', async () => {
		const log = open({ maxSize: 2000, maxFiles: 3 });
		write(log, lines(1, 200));
		assert.deepEqual(files(), ['x-json.log', 'x-json.log.1', 'x-json.log.2']);
		for (const name of files().slice(1)) {
			const { size } = fs.statSync(path.join(path.dirname(file), name));
			assert.ok(size >= 2000 && size < 2000 + 100, `${name} has ${size} bytes`);
		}
		const text = await read(log);
		assert.equal(text, lines(201 - text.split('\n').slice(0, -1).length, 200));
	});

	it('rotation with one file: begins it anew', async () => {
		const log = open({ maxSize: 500, maxFiles: 1 });
		write(log, lines(1, 100));
		assert.deepEqual(files(), ['x-json.log']);
		assert.match(await read(log), /^line \d\d\n(.*\n)*line 100\n$/);
	});

	it('rotation after a crash in the middle of one: drops no file', async () => {
		const log = open({ maxSize: 500, maxFiles: 4 });
		write(log, lines(1, 22));
		fs.renameSync(`${file}.1`, `${file}.2`);
		const before = await read(log);
		write(log, lines(23, 29));
		assert.ok((await read(log)).startsWith(before));
	});

	const tails: readonly (readonly [number, string])[] = [
		[0, ''],
		[1, 'e\n'],
		[2, 'd\ne\n'],
		[5, 'a\nb\nc\nd\ne\n'],
		[99, 'a\nb\nc\nd\ne\n'],
	];
	for (const [count, expected] of tails) {
		it(`tail ${count}: gives the last lines`, async () => {
			const log = open();
			write(log, 'a\nb\nc\nd\ne\n');
			assert.equal(await read(log, { tail: count }), expected);
		});
	}

	it('tail: counts lines and not fragments, over files, with an unfinished last line', async () => {
		const log = open({ maxSize: 20_000, maxFiles: 9 });
		const long = `${'x'.repeat(60_000)}\n`;
		write(log, `before\n${long}after\n`);
		write(log, 'unfinished', 'stdout', true);
		assert.equal(await read(log, { tail: 1 }), 'unfinished');
		assert.equal(await read(log, { tail: 2 }), 'after\nunfinished');
		assert.equal(await read(log, { tail: 3 }), `${long}after\nunfinished`);
		assert.equal(await read(log, { tail: 4 }), `before\n${long}after\nunfinished`);
	});

	it('tail: has the beginning of a long line that the other stream wrote into', async () => {
		const log = open();
		const long = 'x'.repeat(20_000);
		write(log, 'first\n');
		write(log, long);
		write(log, 'between\n', 'stderr');
		write(log, `${long.slice(16_384)}\n`);
		assert.equal(await read(log, { tail: 1 }), `${long}\n`);
		assert.equal(await read(log, { tail: 2 }), `between\n${long}\n`);
	});

	it('lines of many sizes: come back from any tail', async () => {
		const log = open({ maxSize: 100_000, maxFiles: 99 });
		const all = Array.from({ length: 300 }, (_, index) => `${index} ${'y'.repeat((index * 7919) % 3000)}\n`);
		write(log, all.join(''));
		for (const count of [1, 7, 50, 299, 300]) {
			assert.equal(await read(log, { tail: count }), all.slice(-count).join(''));
		}
	});

	it('fragments: are joined to one entry', async () => {
		const log = open();
		write(log, `${'x'.repeat(40_000)}\nshort\n`);
		assert.deepEqual(
			(await entries(log)).map((entry) => entry.data.length),
			[40_001, 6],
		);
	});

	it('an unfinished line: does not run into the next run', async () => {
		const log = open();
		write(log, 'one', 'stdout', true);
		log.finish();
		log.begin();
		write(log, 'two\n');
		assert.deepEqual(
			(await entries(log)).map((entry) => entry.data.toString()),
			['one', 'two\n'],
		);
	});

	it('since and until: include both ends', async () => {
		const log = open();
		write(log, 'a\nb\nc\nd\n');
		const times = (await entries(log)).map((entry) => entry.time);
		const [, second, third] = times;
		assert.ok(second !== undefined && third !== undefined);
		assert.equal(await read(log, { since: second }), 'b\nc\nd\n');
		assert.equal(await read(log, { until: third }), 'a\nb\nc\n');
		assert.equal(await read(log, { since: second, until: third, tail: 3 }), 'b\nc\n');
		assert.equal(await read(log, { since: third + 1_000_000_000n }), '');
	});

	it('streams: can be chosen', async () => {
		const log = open();
		write(log, 'out\n');
		write(log, 'err\n', 'stderr');
		assert.equal(await read(log, { stdout: false }), 'err\n');
		assert.equal(await read(log, { stderr: false }), 'out\n');
	});

	it("corrupt lines and the seed's lines: the rest is read", async () => {
		const log = open();
		write(log, 'a\n');
		fs.appendFileSync(file, 'rubbish\n{"log":"torn\n{"timestamp":"2026-11-24T15:48:07Z","message":"seed"}\n');
		log.begin();
		write(log, 'b\n');
		assert.equal(await read(log), 'a\nseed\nb\n');
		assert.equal(await read(log, { tail: 2 }), 'seed\nb\n');
	});

	it('a last line that was cut off: spoils nothing but itself', async () => {
		const log = open();
		write(log, 'a\n');
		fs.appendFileSync(file, '{"log":"half a li');
		log.begin();
		write(log, 'b\n');
		assert.equal(await read(log), 'a\nb\n');
	});

	it('follow: goes on over rotations until the run ends, and misses nothing however slow it reads', async () => {
		const log = open({ maxSize: 1000, maxFiles: 2 });
		write(log, lines(1, 5));
		const following = read(log, { follow: true });
		await new Promise(setImmediate);
		for (let line = 6; line <= 500; line++) {
			write(log, lines(line, line));
			if (line % 100 === 0) {
				await new Promise(setImmediate);
			}
		}
		log.finish();
		assert.equal(await following, lines(1, 500));
	});

	it('follow: goes on over a restart of the container', async () => {
		const log = open();
		write(log, lines(1, 1));
		const following = read(log, { follow: true, tail: 1 });
		await new Promise(setImmediate);
		log.pause();
		log.begin();
		write(log, lines(2, 2));
		log.finish();
		assert.equal(await following, lines(1, 2));
	});

	it('follow: ends at once when nothing runs', async () => {
		const log = open();
		write(log, lines(1, 2));
		log.finish();
		assert.equal(await read(log, { follow: true }), lines(1, 2));
	});

	it('follow with until: ends when the clock gets there', async () => {
		const log = open();
		write(log, lines(1, 2));
		const until = BigInt(Date.now() + 30) * 1_000_000n;
		assert.equal(await read(log, { follow: true, until }), lines(1, 2));
	});

	it('an aborted reader: throws the reason', async () => {
		const log = open();
		const controller = new AbortController();
		const following = read(log, { follow: true, signal: controller.signal });
		setImmediate(() => {
			controller.abort();
		});
		await assert.rejects(following, { name: 'AbortError' });
	});

	it('a checkpoint: takes back what was written after it', async () => {
		const log = open();
		write(log, lines(1, 3));
		const checkpoint = structuredClone(log.checkpoint);
		write(log, lines(4, 6));
		log.begin(checkpoint);
		write(log, 'instead\n');
		assert.equal(await read(log), `${lines(1, 3)}instead\n`);
	});

	it('a checkpoint of a file that was rotated since: takes back in that file', async () => {
		const log = open({ maxSize: 300, maxFiles: 3 });
		write(log, lines(1, 2));
		const checkpoint = structuredClone(log.checkpoint);
		write(log, lines(3, 4));
		fs.renameSync(file, `${file}.1`);
		log.begin(checkpoint);
		write(log, lines(3, 9));
		assert.equal(await read(log), lines(1, 9));
	});

	describe('compressed', () => {
		/** The compressor works beside this thread; its last act removes the plain file. */
		async function settled(): Promise<void> {
			for (const end = Date.now() + 5000; files().some((name) => /\.(\d+|part)$/.test(name));) {
				assert.ok(Date.now() < end, files().join());
				await new Promise((resolve) => setTimeout(resolve, 5));
			}
		}

		it('rotated files: become gzip files that say the time of their last record, and read as before', async () => {
			const log = open({ maxSize: 2000, maxFiles: 4, compress: true });
			for (let index = 1; index <= 80; index++) {
				write(log, lines(index, index));
				await settled();
			}
			assert.deepEqual(
				files(),
				['', '.1.gz', '.2.gz', '.3.gz'].map((end) => `x-json.log${end}`),
			);
			const data = fs.readFileSync(`${file}.1.gz`);
			const last = zlib.gunzipSync(data).toString().trimEnd().split('\n').at(-1) ?? '';
			const extra = data.toString('utf8', 12, 12 + data.readUInt16LE(10));
			assert.deepEqual(JSON.parse(extra), { lastTime: (JSON.parse(last) as { time: string }).time });
			const text = await read(log);
			const first = 81 - text.split('\n').slice(0, -1).length;
			assert.equal(text, lines(first, 80));
			assert.equal(await read(log, { tail: 50 }), lines(31, 80));
			assert.deepEqual(files().length, 4, 'what was decompressed is gone');
		});

		it('a follower: loses and repeats nothing while files are rotated and compressed', async () => {
			const log = open({ maxSize: 1000, maxFiles: 3, compress: true });
			write(log, lines(1, 30));
			await settled();
			const past = (await read(log)).length;
			const following = read(log, { follow: true });
			for (let index = 31; index <= 400; index++) {
				write(log, lines(index, index));
				if (index % 7 === 0) {
					await new Promise(setImmediate);
				}
			}
			log.finish();
			const text = await following;
			assert.equal(text, lines(1, 400).slice(lines(1, 30).length - past));
			await settled();
			log.close();
		});

		it('an engine that died in the middle: is tidied up after, and the rest compressed', async () => {
			const log = open({ maxSize: 500, maxFiles: 4 });
			write(log, lines(1, 24));
			const text = await read(log);
			log.finish();
			fs.writeFileSync(`${file}.2.gz`, zlib.gzipSync(fs.readFileSync(`${file}.2`)));
			fs.writeFileSync(`${file}.gz.part`, 'half');
			const next = open({ maxSize: 500, maxFiles: 4, compress: true });
			assert.deepEqual(
				files(),
				['', '.1', '.2.gz', '.3'].map((end) => `x-json.log${end}`),
			);
			assert.equal(await read(next), text);
			write(next, 'more\n');
			await settled();
			assert.deepEqual(
				files(),
				['', '.1.gz', '.2.gz', '.3.gz'].map((end) => `x-json.log${end}`),
			);
			assert.equal(await read(next), `${text}more\n`);
		});

		it('a damaged file: gives what comes before the damage', async () => {
			const log = open({ maxSize: 3000, maxFiles: 2, compress: true });
			write(log, lines(1, 50));
			await settled();
			const data = fs.readFileSync(`${file}.1.gz`);
			fs.writeFileSync(`${file}.1.gz`, data.subarray(0, data.length - 12));
			const text = await read(log);
			assert.ok(text.startsWith('line ') && text.endsWith('line 50\n'), text);
		});

		it('closed: a file that is being compressed is not put in place any more', async () => {
			const log = open({ maxSize: 500, maxFiles: 3, compress: true });
			write(log, lines(1, 9));
			log.close();
			fs.rmSync(path.dirname(file), { recursive: true });
			await new Promise((resolve) => setTimeout(resolve, 50));
			assert.equal(fs.existsSync(path.dirname(file)), false);
		});
	});

	it('no room on the disk: nothing is half written', () => {
		const log = open();
		write(log, lines(1, 1));
		const before = fs.readFileSync(file);
		const checkpoint = structuredClone(log.checkpoint);
		const node = process.getBuiltinModule('node:fs');
		const { writeSync } = node;
		let isFirst = true;
		Object.assign(node, {
			writeSync: (descriptor: number, data: Buffer) => {
				if (isFirst) {
					isFirst = false;
					return writeSync(descriptor, data.subarray(0, 10));
				}
				throw Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' });
			},
		});
		try {
			assert.throws(() => log.take('stdout', Buffer.from('more\n'), false), /ENOSPC/);
		} finally {
			Object.assign(node, { writeSync });
		}
		assert.deepEqual(fs.readFileSync(file), before);
		assert.deepEqual(log.checkpoint, checkpoint);
	});
});
