import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import type { LogDriver, LogEntry, LogQuery } from '../../src/core/container/log';
import type { LogSubject } from '../../src/core/container/log-attributes';
import { createLog, parseLogConfig } from '../../src/core/container/log-drivers';
import './setup';
import { selfSigned, startSyslog, SYSLOG_WAYS, type SyslogServer, type SyslogWay } from './syslog-server';
import { until, within, Workspace } from './workspace';

type Options = Readonly<Record<string, string>>;

interface Driver {
	readonly name: string;
	readonly type: string;
	/** Docker's options, for a small log that is rotated and for one that keeps all. */
	readonly options: (isSmall: boolean) => Options;
	readonly way?: SyslogWay;
}

const small = { 'max-size': '2k', 'max-file': '3' };
const drivers: readonly Driver[] = [
	{ name: 'json-file', type: 'json-file', options: (isSmall) => (isSmall ? small : {}) },
	{
		name: 'json-file, compressed',
		type: 'json-file',
		options: (isSmall) => ({ ...(isSmall ? small : { 'max-size': '10m', 'max-file': '3' }), compress: 'true' }),
	},
	{
		name: "json-file in the seed's words",
		type: 'json-file',
		options: (isSmall) => (isSmall ? { max_size: '2k', max_files: '3' } : {}),
	},
	...SYSLOG_WAYS.map((way) => ({
		name: `syslog, ${way}`,
		type: 'syslog',
		way,
		options: (isSmall: boolean): Options => (isSmall ? { 'cache-max-size': '2k', 'cache-max-file': '3' } : {}),
	})),
];

const subject: LogSubject = {
	id: 'f'.repeat(64),
	name: 'web',
	image_id: `sha256:${'a'.repeat(64)}`,
	labels: {},
	config: { env: [], image: 'busybox', entrypoint: [], command: ['true'] },
} as unknown as LogSubject;

/** What every log driver must do, each with its real other end. */
describe('log driver', function () {
	const workspace = new Workspace('log-drivers');
	const warnings: string[] = [];
	const logs: LogDriver[] = [];

	afterEach(async () => {
		await Promise.all(logs.splice(0).map(async (log) => log.close()));
		warnings.splice(0);
	});

	after(async () => {
		await workspace.dispose();
	});

	function openLog(
		type: string,
		options: Options,
		file = path.join(workspace.folder('log'), 'x-json.log'),
	): LogDriver {
		const log = createLog(
			parseLogConfig({ type, options }),
			file,
			() => subject,
			(text) => warnings.push(text),
		);
		logs.push(log);
		return log;
	}

	/** Writes as the pump does, in pieces of a length that ends no line; gives what the driver has not taken yet. */
	function write(log: LogDriver, text: string, stream: 'stdout' | 'stderr' = 'stdout', isFinal = false): void {
		const input = Buffer.from(text);
		let from = 0;
		for (let to = 0; from < input.length;) {
			to = Math.min(to + 7001, input.length);
			log.prepare();
			const taken = log.take(stream, input.subarray(from, to), isFinal && to === input.length);
			from += taken;
			assert.ok(taken > 0 || to < input.length, 'whole lines are taken');
		}
	}

	for (const { name, type, options, way } of drivers) {
		describe(name, () => {
			let server: SyslogServer | undefined;

			before(async () => {
				server = way === undefined ? undefined : await startSyslog(way, workspace);
			});

			async function begin(isSmall = false): Promise<LogDriver> {
				const log = openLog(type, { ...server?.options, ...options(isSmall) });
				await log.connect?.();
				log.begin();
				return log;
			}

			/** Lines of the server that are of this test, in order. */
			async function arrived(mark: string, count: number): Promise<string[]> {
				const lines = (): string[] => (server?.text() ?? '').split('\n').filter((line) => line.includes(mark));
				await until(`${count} lines arrive`, () => lines().length >= count);
				return lines();
			}

			it('order: no line is lost, none is there twice', async () => {
				const log = await begin();
				const text = numbered('order', 1, 3000);
				write(log, text);
				assert.equal(await read(log), text);
				if (server !== undefined) {
					const lines = await arrived('order', 3000);
					assert.deepEqual(lines.map(afterHead), text.trimEnd().split('\n'));
				}
			});

			it('streams: are kept apart', async () => {
				const log = await begin();
				write(log, 'streams out\n');
				write(log, 'streams err\n', 'stderr');
				write(log, 'streams more\n');
				assert.equal(await read(log, { stderr: false }), 'streams out\nstreams more\n');
				assert.equal(await read(log, { stdout: false }), 'streams err\n');
				if (server !== undefined) {
					const lines = await arrived('streams', 3);
					assert.deepEqual(
						lines.map((line) => /^<\d+>/.exec(line)?.[0]),
						['<30>', '<27>', '<30>'],
					);
				}
			});

			it('a line of 40000 bytes: is one again when read, pieces of 16 KiB elsewhere; blank lines count', async () => {
				const log = await begin();
				const text = `before\n\n${'long'.repeat(10_000)}\nlong after`;
				write(log, text, 'stdout', true);
				assert.deepEqual(
					(await entries(log)).map(({ data }) => data.length),
					[7, 1, 40_001, 10],
				);
				if (server !== undefined) {
					const lines = await arrived('long', 4);
					assert.deepEqual(
						lines.map((line) => afterHead(line).length),
						[16_384, 16_384, 7232, 10],
					);
				}
			});

			it('tail, since, until: choose lines', async () => {
				const log = await begin();
				write(log, numbered('choose', 1, 9));
				const times = (await entries(log)).map(({ time }) => time);
				assert.equal(await read(log, { tail: 2 }), numbered('choose', 8, 9));
				assert.equal(await read(log, { tail: 0 }), '');
				const [since, end] = [times[3], times[5]];
				assert.ok(since !== undefined && end !== undefined);
				assert.equal(await read(log, { since }), numbered('choose', 4, 9));
				assert.equal(await read(log, { until: end }), numbered('choose', 1, 6));
				assert.equal(await read(log, { since, until: end }), numbered('choose', 4, 6));
			});

			it('followers, one of them slow: have every line over rotations and a restart', async () => {
				const log = await begin(true);
				write(log, numbered('follow', 1, 5));
				let letGo: () => void = () => undefined;
				const slow = read(log, { follow: true }, new Promise((resolve) => (letGo = resolve)));
				const quick = [read(log, { follow: true }), read(log, { follow: true, tail: 5 })];
				await new Promise(setImmediate);
				for (let line = 6; line <= 400; line++) {
					if (line === 200) {
						log.pause();
						await log.connect?.();
						log.begin(structuredClone(log.checkpoint));
					}
					write(log, numbered('follow', line, line));
					if (line % 50 === 0) {
						await new Promise(setImmediate);
					}
				}
				letGo();
				log.finish();
				const all = numbered('follow', 1, 400);
				assert.deepEqual(await Promise.all([slow, ...quick]), [all, all, all]);
				assert.ok((await read(log)).length < all.length / 2, 'the files were rotated meanwhile');
				if (server !== undefined) {
					assert.deepEqual((await arrived('follow', 400)).map(afterHead), all.trimEnd().split('\n'));
				}
			});
		});
	}

	describe('none', () => {
		it('takes whole lines, and does not read', () => {
			const log = openLog('none', {});
			log.begin();
			assert.equal(log.take('stdout', Buffer.from('one\ntw'), false), 4);
			assert.equal(log.take('stdout', Buffer.from('two'), true), 3);
			assert.throws(() => log.read({}), /configured logging driver does not support reading/);
			log.finish();
		});
	});

	describe('json-file', () => {
		it("the seed's lines: are read beside docker's", async () => {
			const file = path.join(workspace.folder('log'), 'x-json.log');
			fs.writeFileSync(file, '{"timestamp":"2026-11-24T15:48:07.5Z","message":"seed <one>"}\n');
			const log = openLog('json-file', {}, file);
			log.begin();
			write(log, 'two\n');
			assert.equal(await read(log), 'seed <one>\ntwo\n');
			const [first] = await entries(log);
			assert.equal(first?.time, 1_795_535_287_500_000_000n);
		});
	});

	describe('syslog', () => {
		const sent = async (server: SyslogServer, last: string): Promise<string> => {
			await until(`"${last}" arrives`, () => server.text().endsWith(`${last}\n`));
			return server.text();
		};

		it("nobody listens: the start is refused with docker's words", async () => {
			const log = openLog('syslog', { 'syslog-address': 'tcp://127.0.0.1:1' });
			await assert.rejects(async () => log.connect?.(), {
				message: 'failed to initialize logging driver: dial tcp 127.0.0.1:1: connect: connection refused',
				exitCode: 125,
			});
		});

		it('a server that goes and comes back: gets what was written meanwhile', async () => {
			const first = await startSyslog('tcp', workspace);
			const log = openLog('syslog', first.options);
			await log.connect?.();
			log.begin();
			write(log, 'before\n');
			await sent(first, 'before');
			await first.close();
			let written = 0;
			await until('the loss is noticed', () => {
				write(log, `meanwhile ${++written}\n`);
				return warnings.some((text) => text.includes('Cannot send a log to syslog'));
			});
			write(log, 'known to be away\n');
			const second = await startSyslog('tcp', workspace, first.address.split(':').at(-1));
			write(log, 'after\n');
			const lines = (await sent(second, 'after')).trimEnd().split('\n').map(afterHead);
			// What the system had taken for the broken connection is gone with it; nothing else is.
			const numbers = lines.slice(0, -2).map((line) => Number(line.replace('meanwhile ', '')));
			assert.deepEqual(numbers, numbers.length === 0 ? [] : range(numbers[0] ?? 0, written));
			assert.deepEqual(lines.slice(-2), ['known to be away', 'after']);
		});

		it('a server that does not read: holds up nobody; what does not fit is dropped and told of', async () => {
			const server = await startSyslog('tcp', workspace);
			server.setPaused(true);
			const options = { ...server.options, mode: 'non-blocking', 'max-buffer-size': '64k' };
			const log = openLog('syslog', options);
			await log.connect?.();
			log.begin();
			const text = numbered('x'.repeat(1000), 1, 20_000);
			write(log, text);
			assert.ok((await read(log)) === text, 'the local copy has all');
			assert.ok(
				warnings.some((warning) => warning.includes('some are dropped')),
				warnings.join(),
			);
			server.setPaused(false);
			await until('the count is told', () => warnings.some((warning) => /\d+ lines .* not sent/.test(warning)));
			write(log, 'after\n');
			const lines = (await sent(server, 'after')).trimEnd().split('\n').map(afterHead);
			const numbers = lines.slice(0, -1).map((line) => Number(line.split(' ')[1]));
			assert.deepEqual(
				numbers,
				[...numbers].sort((one, other) => one - other),
			);
		});

		it('TLS: an unknown certificate is refused, unless told to skip that; the newer format counts its bytes', async () => {
			const server = await startSyslog('tcp+tls', workspace);
			const options = { 'syslog-address': server.address, 'syslog-format': 'rfc5424' };
			const other = { ...options, 'syslog-tls-ca-cert': selfSigned(workspace).ca };
			for (const refused of [options, other]) {
				await assert.rejects(async () => openLog('syslog', refused).connect?.(), /certificate/);
			}
			const log = openLog('syslog', { ...options, 'syslog-tls-skip-verify': '', tag: '{{.Name}}' });
			await log.connect?.();
			log.begin();
			write(log, 'one\ntwo\n');
			const text = await sent(server, 'two');
			const [, count = '', first = ''] = /^(\d+) (.*?\n)\d/s.exec(text) ?? [];
			assert.equal(Number(count), first.length, text);
			assert.match(first, /^<30>1 \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d) \S+ web \d+ web - one\n$/);
		});

		it('cache-disabled: nothing is kept here', async () => {
			const server = await startSyslog('udp', workspace);
			const log = openLog('syslog', { ...server.options, 'cache-disabled': 'true' });
			log.begin();
			write(log, 'gone\n');
			await sent(server, 'gone');
			assert.throws(() => log.read({}), /configured logging driver does not support reading/);
		});

		it('the last lines: arrive after the container is gone', async () => {
			const server = await startSyslog('tcp', workspace);
			const log = openLog('syslog', server.options);
			log.begin();
			write(log, 'last words', 'stderr', true);
			log.finish();
			await within('the end', 10_000, Promise.resolve(log.close()));
			assert.match(await sent(server, 'last words'), /^<27>/);
		});

		const bad: [Options, string][] = [
			[{ 'syslog-address': 'here' }, 'syslog-address should be in form proto://address, got here'],
			[{ 'syslog-address': 'unix:///nosuch' }, 'stat /nosuch: no such file or directory'],
			[{ 'syslog-facility': 'local8' }, 'invalid syslog facility'],
			[{ 'syslog-facility': '24' }, 'invalid syslog facility'],
			[{ 'syslog-format': 'rfc1' }, 'Invalid syslog format'],
			[{ 'max-size': '1m' }, "unknown log opt 'max-size' for syslog log driver"],
			[{ mode: 'x' }, 'logger: logging mode not supported: x'],
			[{ 'max-buffer-size': '1m' }, "logger: max-buffer-size option is only supported with 'mode=non-blocking'"],
		];
		for (const [config, message] of bad) {
			it(`option ${JSON.stringify(config)}: is refused`, () => {
				assert.throws(() => parseLogConfig({ type: 'syslog', options: config }), { code: 'invalid', message });
			});
		}
	});
});

function range(from: number, to: number): number[] {
	return Array.from({ length: to - from + 1 }, (_, index) => from + index);
}

function numbered(mark: string, from: number, to: number): string {
	return range(from, to)
		.map((number) => `${mark} ${number}\n`)
		.join('');
}

/** The text of a syslog message in one of the older formats. */
function afterHead(line: string): string {
	return line.replace(/^<\d+>.{15} \S+\[\d+\]: /, '');
}

async function entries(log: LogDriver): Promise<LogEntry[]> {
	const all: LogEntry[] = [];
	for await (const entry of log.read({})) {
		all.push(entry);
	}
	return all;
}

/** Reads to the end, after the first line not before `pause` resolves. */
async function read(log: LogDriver, query: LogQuery = {}, pause = Promise.resolve()): Promise<string> {
	const parts: string[] = [];
	for await (const { data } of log.read(query)) {
		parts.push(data.toString());
		await pause;
	}
	return parts.join('');
}
