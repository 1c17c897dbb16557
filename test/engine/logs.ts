import * as assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as os from 'node:os';
import { gunzipSync } from 'node:zlib';
import type { LogsOptions } from '../../src/api/client';
import type { HostConfigJson } from '../../src/api/types';
import { expected } from './differences';
import { bodyOf, collect, create, launch, logsOf, refused, remove, run, startAndFinish, type Body } from './run';
import type { Subject } from './subject';
import { startSyslog, type SyslogWay } from './syslog-server';
import { delay, until, within, Workspace } from './workspace';

/** What an engine does with a container's output: on disk and through GET /containers/{id}/logs. */
export function logCases(subjectOf: () => Subject): void {
	describe('json-file', () => {
		fileCases(subjectOf);
	});
	describe('logs of an ended container', () => {
		endedCases(subjectOf);
	});
	describe('logs that follow', () => {
		followCases(subjectOf);
	});
	describe('log rotation', () => {
		rotationCases(subjectOf);
	});
	describe('log drivers', () => {
		driverCases(subjectOf);
	});
}

/** Runs a script and gives its log file as it lies on disk, with every time made the same. */
async function fileOf(subject: Subject, body: Body): Promise<string> {
	const { id } = await run(subject, body, { keep: true });
	try {
		const { LogPath } = await subject.client.containers.inspect(id);
		const mode = (fs.statSync(LogPath).mode & 0o777).toString(8);
		assert.equal(mode, expected('logFileMode', subject.name), 'mode of the log file');
		const text = fs.readFileSync(LogPath, 'utf8');
		return text.replace(/"time":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{0,8}[1-9])?Z"/g, '"time":T');
	} finally {
		await remove(subject, id);
	}
}

function fileCases(subjectOf: () => Subject): void {
	const record = (log: string, stream = 'stdout'): string => `{"log":"${log}","stream":"${stream}","time":T}\n`;

	it('bytes: escaped as docker escapes them', async () => {
		const script = [
			String.raw`printf 'plain <&> "quoted" back\\slash\n'`,
			String.raw`printf 'tab\tbell\abackspace\bescape\033[1m carriage\rform\fdel\177\n'`,
			String.raw`printf 'gr\303\274\303\237e \360\237\220\263 \342\200\250 \342\200\251\n'`,
			String.raw`printf 'bad \377\303 utf\n'`,
			String.raw`printf '\n\n'`,
			String.raw`printf 'no newline'`,
		].join('; ');
		const text = await fileOf(subjectOf(), { Cmd: ['sh', '-c', script] });
		assert.equal(
			text,
			[
				record(String.raw`plain \u003c\u0026\u003e \"quoted\" back\\slash\n`),
				record(
					String.raw`tab\u0009bell\u0007backspace\u0008escape\u001b[1m carriage\rform\u000cdel` +
						'\x7f' +
						String.raw`\n`,
				),
				record('grüße 🐳 ' + String.raw`\u2028 \u2029\n`),
				record(String.raw`bad \ufffd\ufffd utf\n`),
				record(String.raw`\n`),
				record(String.raw`\n`),
				record('no newline'),
			].join(''),
		);
	});

	it('standard error: is marked', async () => {
		assert.equal(
			await fileOf(subjectOf(), { Cmd: ['sh', '-c', 'echo err >&2'] }),
			record(String.raw`err\n`, 'stderr'),
		);
	});

	it('a long line: is kept in pieces of 16 KiB with one time', async () => {
		const subject = subjectOf();
		const { id } = await run(
			subject,
			{ Cmd: ['sh', '-c', 'head -c 40000 /dev/zero | tr "\\0" x; echo; echo after'] },
			{ keep: true },
		);
		const { LogPath } = await subject.client.containers.inspect(id);
		const records = fs
			.readFileSync(LogPath, 'utf8')
			.trimEnd()
			.split('\n')
			.map((line): unknown => JSON.parse(line));
		const pieces = records.map((value) => (value as { log: string }).log.length);
		const times = records.map((value) => (value as { time: string }).time);
		assert.deepEqual(pieces, [16384, 16384, 7233, 6]);
		assert.equal(new Set(times.slice(0, 3)).size, 1);
		assert.equal((await logsOf(subject, id)).stdout, `${'x'.repeat(40000)}\nafter\n`);
		await remove(subject, id);
	});

	it('a terminal: keeps its carriage returns', async () => {
		const subject = subjectOf();
		const text = await fileOf(subject, { Cmd: ['sh', '-c', 'echo out; echo err >&2'], Tty: true });
		assert.equal(text, record(String.raw`out\r\n`) + record(String.raw`err\r\n`));
	});

	it('labels and environment: stand with each line when asked for', async () => {
		const subject = subjectOf();
		const text = await fileOf(subject, {
			Cmd: ['echo', 'x'],
			Labels: { svc: 'web', other: 'no' },
			Env: ['STAGE=dev'],
			HostConfig: { LogConfig: { Type: 'json-file', Config: { labels: 'svc', env: 'STAGE' } } },
		});
		assert.equal(text, '{"log":"x\\n","stream":"stdout","attrs":{"STAGE":"dev","svc":"web"},"time":T}\n');
	});

	it('expressions and a tag: stand with each line too, and before it when details are asked for', async () => {
		const subject = subjectOf();
		const options = { 'labels-regex': '^sv', 'env-regex': '^STA', tag: '{{.Name}}/{{.ImageName}}' };
		const id = await launch(subject, {
			Cmd: ['echo', 'x'],
			Labels: { svc: 'a b&c', other: 'no' },
			Env: ['STAGE=dev'],
			HostConfig: { LogConfig: { Type: 'json-file', Config: options } },
		});
		await (
			await subject.client.containers.wait(id)
		).exit;
		const { Name } = await subject.client.containers.inspect(id);
		const tag = `${Name.slice(1)}/${subject.images.busybox.reference}`;
		const { stdout } = await logsOf(subject, id, { details: true });
		assert.equal(stdout, `STAGE=dev,svc=a+b%26c,tag=${encodeURIComponent(tag)} x\n`);
		await remove(subject, id);
	});

	it('a tag that is no template, an expression that is none: are refused', async () => {
		const subject = subjectOf();
		for (const Config of [{ tag: '{{.Nosuch}}' }, { 'labels-regex': '(' }]) {
			const HostConfig = { LogConfig: { Type: 'json-file', Config } };
			await assert.rejects(
				(async () => {
					const id = await launch(subject, { Cmd: ['true'], HostConfig });
					await remove(subject, id);
				})(),
			);
		}
	});
}

function endedCases(subjectOf: () => Subject): void {
	const all = 'line 1\nline 2\nline 3\nline 4\nline 5';
	/** What was read of one container's log, by how it was asked for: the suite removes containers between cases. */
	const read: Record<string, string> = {};
	let stored: readonly string[];

	before(async () => {
		const subject = subjectOf();
		const script =
			'echo error >&2; sleep 0.2; for i in 1 2 3 4; do echo line $i; sleep 0.15; done; printf "line 5"';
		const { id } = await run(subject, { Cmd: ['sh', '-c', script] }, { keep: true });
		stored = await storedTimes(subject, id);
		const [, second = '', third = ''] = stored;
		const asked: Record<string, LogsOptions> = {
			'standard output': { stderr: false },
			'standard error': { stdout: false },
			followed: { follow: true, stderr: false },
			'with times': { timestamps: true, stderr: false },
			'tail 1': { tail: 1 },
			'tail 2': { tail: 2 },
			'tail 0': { tail: 0 },
			'tail all': { tail: 'all' },
			'tail 100': { tail: 100 },
			'tail -1': { tail: -1 },
			'since RFC 3339': { since: third },
			'since Unix time': { since: unixOf(third) },
			'since ten minutes ago': { since: '10m' },
			'since the future': { since: '2030-01-01' },
			'until RFC 3339': { until: third },
			'until ten minutes ago': { until: '10m' },
			'since and until': { since: second, until: third },
		};
		for (const [name, options] of Object.entries(asked)) {
			const { stdout, stderr } = await logsOf(subject, id, options);
			read[name] = name === 'standard error' ? stderr : stdout;
		}
	});

	it('a stream: can be had alone, also by who follows', () => {
		assert.deepEqual([read['standard output'], read['standard error'], read['followed']], [all, 'error\n', all]);
	});

	it('tail: gives so many last lines, all when there are fewer, or when the number is negative', () => {
		assert.deepEqual(
			[read['tail 1'], read['tail 2'], read['tail 0'], read['tail all'], read['tail 100'], read['tail -1']],
			['line 5', 'line 4\nline 5', '', all, all, all],
		);
	});

	it('timestamps: nine digits, the same as stored', () => {
		const lines = stored.map((time, index) => `${time} line ${index + 1}`);
		assert.equal(read['with times'], lines.join('\n'));
	});

	it('since: gives what was written at that time or later', () => {
		const expectedLines = 'line 3\nline 4\nline 5';
		assert.deepEqual(
			[read['since RFC 3339'], read['since Unix time'], read['since ten minutes ago'], read['since the future']],
			[expectedLines, expectedLines, all, ''],
		);
	});

	it('until: gives what was written at that time or earlier', () => {
		assert.deepEqual(
			[read['until RFC 3339'], read['until ten minutes ago'], read['since and until']],
			['line 1\nline 2\nline 3\n', '', 'line 2\nline 3\n'],
		);
	});

	it('a container that never started: has an empty log', async () => {
		const subject = subjectOf();
		const created = await create(subject, { Cmd: ['true'] });
		assert.deepEqual(await logsOf(subject, created), { stdout: '', stderr: '' });
		assert.deepEqual(await within('follow', 5000, logsOf(subject, created, { tail: 5 })), {
			stdout: '',
			stderr: '',
		});
	});

	it('tail of long lines', async () => {
		const subject = subjectOf();
		const result = await run(
			subject,
			{ Cmd: ['sh', '-c', 'echo first; head -c 20000 /dev/zero | tr "\\0" x'] },
			{ keep: true },
		);
		const { stdout } = await logsOf(subject, result.id, { tail: 1 });
		const length = expected('tailOfLongLine', subject.name) === 'one line' ? 20000 : 20000 - 16384;
		assert.equal(stdout, 'x'.repeat(length));
	});

	it('after a second start: both runs can be read', async () => {
		const subject = subjectOf();
		const twice = await create(subject, { Cmd: ['echo', 'run'] });
		await startAndFinish(subject, twice);
		assert.equal((await startAndFinish(subject, twice)).stdout, 'run\nrun\n');
		const [one, two] = (await logsOf(subject, twice, { timestamps: true })).stdout.split('\n');
		assert.notEqual(one, two);
	});

	it('the last words: are never lost', async () => {
		const subject = subjectOf();
		for (let round = 0; round < 3; round++) {
			const { stdout, exitCode } = await run(subject, {
				Cmd: ['sh', '-c', 'seq 1 500; echo last words; exit 3'],
			});
			assert.equal(exitCode, 3);
			assert.equal(stdout.slice(-15), '500\nlast words\n');
		}
	});
}

/** The times of the lines of standard output, with all nine digits, from the file. */
async function storedTimes(subject: Subject, id: string): Promise<string[]> {
	const { LogPath } = await subject.client.containers.inspect(id);
	return fs
		.readFileSync(LogPath, 'utf8')
		.trimEnd()
		.split('\n')
		.map((line) => JSON.parse(line) as { stream: string; time: string })
		.filter((value) => value.stream === 'stdout')
		.map(({ time }) => {
			const [whole = '', fraction = ''] = time.replace('Z', '').split('.');
			return `${whole}.${fraction.padEnd(9, '0')}Z`;
		});
}

function unixOf(time: string): string {
	const [whole = '', fraction = ''] = time.replace('Z', '').split('.');
	return `${Date.parse(`${whole}Z`) / 1000}.${fraction}`;
}

function followCases(subjectOf: () => Subject): void {
	it('follow: gives the past, then each line as it comes, and ends with the container', async () => {
		const subject = subjectOf();
		const id = await launch(subject, { Cmd: ['sh', '-c', 'echo one; sleep 0.3; echo two; sleep 0.3; echo three'] });
		const times: number[] = [];
		let text = '';
		await within(
			'follow',
			10_000,
			(async () => {
				for await (const chunk of subject.client.containers.logs(id, { follow: true })) {
					times.push(Date.now());
					text += chunk.data.toString();
				}
			})(),
		);
		assert.equal(text, 'one\ntwo\nthree\n');
		assert.ok((times.at(-1) ?? 0) - (times[0] ?? 0) > 400, 'lines came as they were written');
	});

	it('follow of a silent container: ends with it', async () => {
		const subject = subjectOf();
		const id = await launch(subject, { Cmd: ['sleep', '0.3'] });
		assert.deepEqual(await within('follow', 5000, logsOf(subject, id, { follow: true })), {
			stdout: '',
			stderr: '',
		});
	});

	it('follow with tail 0: gives only what comes', async () => {
		const subject = subjectOf();
		const id = await launch(subject, {
			Cmd: ['sh', '-c', 'echo past; while ! test -e /go; do sleep 0.05; done; echo new'],
		});
		await until('the first line', async () => (await logsOf(subject, id)).stdout === 'past\n');
		const following = logsOf(subject, id, { follow: true, tail: 0 });
		await delay(200);
		await subject.client.containers.kill(id);
		assert.equal((await within('follow', 5000, following)).stdout, '');
	});

	it('follow with until: ends at that time although the container goes on', async () => {
		const subject = subjectOf();
		const id = await launch(subject, { Cmd: ['sh', '-c', 'while :; do echo tick; sleep 0.1; done'] });
		const until = (Date.now() / 1000 + 1).toFixed(3);
		const start = Date.now();
		const { stdout } = await within('follow', 8000, logsOf(subject, id, { follow: true, until }));
		const took = Date.now() - start;
		assert.ok(took > 700 && took < 4000, `ended after ${took} ms`);
		assert.ok(stdout.startsWith('tick\ntick\n'));
	});

	it('two readers: both get every line', async () => {
		const subject = subjectOf();
		const id = await launch(subject, { Cmd: ['sh', '-c', 'seq 1 3000; sleep 0.2; seq 3001 6000'] });
		const lines = Array.from({ length: 6000 }, (_, index) => `${index + 1}\n`).join('');
		const read = await Promise.all([1, 2].map(() => logsOf(subject, id, { follow: true })));
		assert.deepEqual(
			read.map(({ stdout }) => stdout === lines),
			[true, true],
		);
	});

	it('a reader that does not read: does not hold up the container', async () => {
		const subject = subjectOf();
		const id = await create(subject, { Cmd: ['sh', '-c', 'seq 1 200000'] });
		const { exit } = await subject.client.containers.wait(id, { condition: 'next-exit' });
		await subject.client.containers.start(id);
		const slow = subject.client.containers.logs(id, { follow: true })[Symbol.asyncIterator]();
		await slow.next();
		assert.equal(await within('the container', 20_000, exit), 0);
		await slow.return?.();
	});

	it('a reader that leaves: is let go', async () => {
		const subject = subjectOf();
		const id = await launch(subject, { Cmd: ['sh', '-c', 'while :; do echo tick; sleep 0.05; done'] });
		const controller = new AbortController();
		const reading = collect(subject.client.containers.logs(id, { follow: true, signal: controller.signal }));
		await delay(200);
		controller.abort();
		await within(
			'the end of the reading',
			2000,
			reading.then(
				() => undefined,
				(error: unknown) => {
					assert.equal((error as Error).name, 'AbortError');
				},
			),
		);
		assert.equal((await subject.client.containers.inspect(id)).State.Running, true);
	});
}

function rotationCases(subjectOf: () => Subject): void {
	const rotating = (size: string, files: string): HostConfigJson => ({
		LogConfig: { Type: 'json-file', Config: { 'max-size': size, 'max-file': files } },
	});

	it('keeps as many files as said, none bigger than said by more than a line, and reads them in order', async () => {
		const subject = subjectOf();
		const { id } = await run(
			subject,
			{ Cmd: ['seq', '1', '1000'], HostConfig: rotating('10k', '3') },
			{ keep: true },
		);
		const { LogPath } = await subject.client.containers.inspect(id);
		const files = ['', '.1', '.2', '.3'].filter((suffix) => fs.existsSync(LogPath + suffix));
		assert.deepEqual(files, ['', '.1', '.2']);
		for (const suffix of files) {
			assert.ok(fs.statSync(LogPath + suffix).size <= 10_000 + 100, `size of ${suffix}`);
		}
		const lines = (await logsOf(subject, id)).stdout.trimEnd().split('\n').map(Number);
		const first = lines[0] ?? 0;
		assert.ok(first > 500, 'the oldest lines are gone');
		assert.deepEqual(
			lines,
			Array.from({ length: 1001 - first }, (_, index) => first + index),
		);
		assert.equal((await logsOf(subject, id, { tail: 150 })).stdout.split('\n').length, 151);
	});

	it('compress: rotated files become gzip files, which read as before', async () => {
		const subject = subjectOf();
		const HostConfig = {
			LogConfig: { Type: 'json-file', Config: { 'max-size': '10k', 'max-file': '3', compress: 'true' } },
		};
		const script = 'for i in $(seq 1 600); do echo $i; usleep 500; done';
		const { id } = await run(subject, { Cmd: ['sh', '-c', script], HostConfig }, { keep: true });
		const { LogPath } = await subject.client.containers.inspect(id);
		const names = ['', '.1', '.1.gz', '.2', '.2.gz', '.1.tmp'];
		const present = (): string[] => names.filter((name) => fs.existsSync(LogPath + name));
		await until('the rotated files are compressed', () => present().join() === ',.1.gz,.2.gz', 10_000);
		const data = fs.readFileSync(`${LogPath}.1.gz`);
		const extra = JSON.parse(data.toString('utf8', 12, 12 + data.readUInt16LE(10))) as { lastTime: string };
		const last = gunzipSync(data).toString().trimEnd().split('\n').at(-1) ?? '';
		assert.equal(extra.lastTime, (JSON.parse(last) as { time: string }).time);
		const read = (await logsOf(subject, id)).stdout.trimEnd().split('\n').map(Number);
		const first = read[0] ?? 0;
		assert.deepEqual(
			read,
			Array.from({ length: 601 - first }, (_, index) => first + index),
		);
		assert.equal((await logsOf(subject, id, { tail: 150 })).stdout.split('\n').length, 151);
		await remove(subject, id);
	});

	it('one file: starts afresh', async () => {
		const subject = subjectOf();
		const { id, stdout } = await run(
			subject,
			{ Cmd: ['seq', '1', '500'], HostConfig: rotating('10k', '1') },
			{ keep: true },
		);
		const { LogPath } = await subject.client.containers.inspect(id);
		assert.equal(fs.existsSync(`${LogPath}.1`), expected('rotationToOneFile', subject.name) === 'two files');
		assert.match(stdout, /\n500\n$/);
	});

	it('follow: loses nothing while the files are rotated', async () => {
		const subject = subjectOf();
		const id = await launch(subject, {
			Cmd: ['sh', '-c', 'for i in $(seq 1 400); do echo $i; usleep 2000; done'],
			HostConfig: rotating('5k', '3'),
		});
		const { stdout } = await within('follow', 15_000, logsOf(subject, id, { follow: true }));
		const lines = stdout.trimEnd().split('\n').map(Number);
		const isExact = expected('followOverRotation', subject.name) === 'each line once';
		assert.deepEqual(
			isExact ? lines : [...new Set(lines)],
			Array.from({ length: 400 }, (_, index) => index + 1),
		);
	});
}

function withoutTimes(text: string): string {
	return text
		.replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?(Z|[+-]\d\d:\d\d)/g, (_, fraction?: string) =>
			fraction === undefined ? 'TIME' : 'MICRO',
		)
		.replace(/[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d/g, 'STAMP')
		.replace(/\[\d+\]: /g, '[PID]: ')
		.replace(/ \d+ (a\/\S+ - )/g, ' PID $1')
		.replace(/^\d+ </gm, 'COUNT <');
}

function syslogLine(line: { text: string; way: SyslogWay; format: string; tag: string }): string {
	const { text, way, format, tag } = line;
	const priority = text === 'err' ? '<131>' : '<134>';
	const count = way === 'tcp+tls' && format.startsWith('rfc5424') ? 'COUNT ' : '';
	const host = os.hostname();
	switch (format) {
		case '':
			return `${priority}STAMP ${tag}[PID]: ${text}`;
		case 'rfc3164':
			return `${priority}STAMP ${host} ${tag}[PID]: ${text}`;
		default: {
			const time = format === 'rfc5424' ? 'TIME' : 'MICRO';
			return `${count}${priority}1 ${time} ${host} ${tag} PID ${tag} - ${text}`;
		}
	}
}

function driverCases(subjectOf: () => Subject): void {
	const using = (Type: string, Config: Record<string, string> = {}): HostConfigJson => ({
		LogConfig: { Type, Config },
	});

	it('none: the container runs, its output reaches who is attached, and logs are refused', async () => {
		const subject = subjectOf();
		const id = await create(subject, { Cmd: ['echo', 'seen'], HostConfig: using('none') });
		const attachment = await subject.client.containers.attach(id, { stdout: true });
		const output = collect(attachment.output);
		await subject.client.containers.start(id);
		assert.equal((await within('the output', 10_000, output)).stdout, 'seen\n');
		await assert.rejects(logsOf(subject, id), /configured logging driver does not support reading/);
		assert.equal((await subject.client.containers.inspect(id)).LogPath, '');
	});

	it('syslog: the server gets the same bytes, and logs are read', async () => {
		const subject = subjectOf();
		const workspace = new Workspace('syslog');
		try {
			for (const [way, format] of [
				['udp', ''],
				['tcp', 'rfc3164'],
				['unix', 'rfc5424micro'],
				['tcp+tls', 'rfc5424'],
			] as const) {
				const server = await startSyslog(way, workspace);
				const options = {
					...server.options,
					'syslog-format': format,
					'syslog-facility': 'local0',
					env: 'STAGE',
				};
				const { stdout, stderr } = await run(subject, {
					Cmd: ['sh', '-c', 'echo out; echo; usleep 50000; echo err >&2; usleep 50000; printf end'],
					Env: ['STAGE=dev'],
					HostConfig: using('syslog', {
						...options,
						tag: 'a/{{.ImageName}}/{{(.ExtraAttributes nil).STAGE}}',
					}),
				});
				assert.deepEqual([stdout, stderr], ['out\n\nend', 'err\n']);
				await until('the last line arrives', () => server.text().endsWith('end\n'));
				const tag = `a/${subject.images.busybox.reference}/dev`;
				assert.deepEqual(withoutTimes(server.text()).split('\n'), [
					...['out', 'err', 'end'].map((text) => syslogLine({ text, way, format, tag })),
					'',
				]);
			}
		} finally {
			await workspace.dispose();
		}
	});

	it('syslog without a server: the start is refused, and the container stays', async () => {
		const subject = subjectOf();
		const id = await create(subject, {
			Cmd: ['true'],
			HostConfig: using('syslog', { 'syslog-address': 'tcp://127.0.0.1:1' }),
		});
		await refused(
			subject.client.containers.start(id),
			500,
			'failed to initialize logging driver: dial tcp 127.0.0.1:1: connect: connection refused',
		);
		assert.equal((await subject.client.containers.inspect(id)).State.Status, 'created');
		await remove(subject, id);
	});

	const badSyslog: [Record<string, string>, string][] = [
		[{ 'syslog-address': 'here' }, 'syslog-address should be in form proto://address, got here'],
		[{ 'syslog-facility': 'x' }, 'invalid syslog facility'],
		[{ 'syslog-format': 'x' }, 'Invalid syslog format'],
		[{ 'max-size': '1m' }, "unknown log opt 'max-size' for syslog log driver"],
		[{ mode: 'x' }, 'logger: logging mode not supported: x'],
	];
	it('syslog: options that are wrong are refused with the same words', async () => {
		const subject = subjectOf();
		for (const [config, message] of badSyslog) {
			const body = bodyOf(subject, { Cmd: ['true'], HostConfig: using('syslog', config) });
			await refused(subject.client.containers.create(body), 400, message);
		}
	});

	it('an unknown driver: is refused by its name', async () => {
		const subject = subjectOf();
		if (expected('unknownLogDriver', subject.name) === 'refused at once') {
			const body = bodyOf(subject, { Cmd: ['true'], HostConfig: using('nosuch') });
			await assert.rejects(subject.client.containers.create(body), /nosuch/);
		}
	});

	it('an unknown option: is refused by its name', async () => {
		await refused(
			subjectOf().client.containers.create(
				bodyOf(subjectOf(), { Cmd: ['true'], HostConfig: using('json-file', { nosuch: '1' }) }),
			),
			400,
			"unknown log opt 'nosuch' for json-file log driver",
		);
	});

	const bad: [Record<string, string>, RegExp][] = [
		[{ 'max-file': '0' }, /max-file cannot be less than 1/],
		[{ 'max-size': 'x' }, /invalid size: 'x'/],
		[{ 'max-size': '10k', 'max-file': '3', compress: 'x' }, /strconv.ParseBool: parsing "x": invalid syntax/],
		[
			{ 'max-size': '10k', 'max-file': '1', compress: 'true' },
			/compress cannot be true when max-file is less than 2 or max-size is not set/,
		],
	];
	for (const [config, message] of bad) {
		it(`option ${JSON.stringify(config)}: is refused before anything runs`, async () => {
			const subject = subjectOf();
			await assert.rejects(
				(async () => {
					await launch(subject, { Cmd: ['true'], HostConfig: using('json-file', config) });
				})(),
				message,
			);
		});
	}
}
