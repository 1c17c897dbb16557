import * as assert from 'node:assert/strict';
import { once } from 'node:events';
import * as fs from 'node:fs';
import * as http from 'node:http';
import * as net from 'node:net';
import * as os from 'node:os';
import * as path from 'node:path';
import { ApiError, createClient } from '../../../src/api/client';
import type { Client } from '../../../src/api/client';
import type { Core } from '../../../src/api/request';
import { ApiServer } from '../../../src/api/server';
import { formatUnixTime } from '../../../src/api/time';
import { EngineError } from '../../../src/core/errors';
import { Events } from '../../../src/core/events';
import type { Container } from '../../../src/core/types';
import { container, CONTAINER_ID, image } from './records';

/** The real server and the real client over a real socket; what lies behind is a stand-in of a few lines. */
describe('server and client', () => {
	let folder: string;
	let socketPath: string;
	let server: ApiServer;
	let client: Client;
	let core: StandIn;
	let lines: string[];
	let connects: number;

	beforeEach(async () => {
		folder = fs.mkdtempSync(path.join(os.tmpdir(), 'mydocker-api-'));
		socketPath = path.join(folder, 'api.sock');
		core = new StandIn(folder);
		lines = [];
		connects = 0;
		server = newServer();
		await server.listen(socketPath);
		client = createClient(() => {
			connects++;
			return Promise.resolve(socketPath);
		});
	});
	afterEach(async () => {
		await server.close(0);
		fs.rmSync(folder, { recursive: true });
	});

	function newServer(): ApiServer {
		return new ApiServer(core.asCore(), { log: (line) => lines.push(line), onQuiet: () => undefined });
	}

	it('socket: is for its owner alone', () => {
		assert.equal(fs.statSync(socketPath).mode & 0o777, 0o600);
	});

	it('a socket path that is longer than the kernel takes: works', async () => {
		const deep = path.join(folder, 'é'.repeat(60), 'x'.repeat(60));
		fs.mkdirSync(deep, { recursive: true });
		const other = newServer();
		await other.listen(path.join(deep, 'api.sock'));
		try {
			assert.equal(
				(await createClient(() => Promise.resolve(path.join(deep, 'api.sock'))).version()).Os,
				'linux',
			);
		} finally {
			await other.close(0);
		}
		assert.deepEqual(fs.readdirSync(deep), []);
	});

	it('images: list, inspect', async () => {
		assert.deepEqual(
			(await client.images.list()).map((one) => one.RepoTags),
			[['nginx:latest']],
		);
		assert.equal((await client.images.inspect('nginx')).Os, 'linux');
	});

	it("a refusal: is an ApiError with the engine's sentence, status and code", async () => {
		await assert.rejects(client.containers.inspect('nosuch'), (error) => {
			assert.ok(error instanceof ApiError);
			assert.deepEqual(
				[error.message, error.status, error.code],
				['No such container: nosuch', 404, 'not-found'],
			);
			return true;
		});
	});

	it('a fault of ours: is 500, and in the log', async () => {
		core.fault = new TypeError('boom');
		await assert.rejects(client.containers.start(CONTAINER_ID), { status: 500, message: 'boom' });
		assert.match(lines.join('\n'), /Error: TypeError: boom\n.* at /);
	});

	it('not modified: is a success', async () => {
		core.fault = new EngineError('not-modified', 'already running');
		await client.containers.start(CONTAINER_ID);
	});

	it('the log: has method, path and status, never a query', async () => {
		await client.images.list({ filters: { label: ['secret=1'] } });
		assert.match(lines.at(-1) ?? '', /^GET \/v1\.47\/images\/json 200 \d+ ms$/);
	});

	it('wait: has its headers before the container ends', async () => {
		const { exit } = await client.containers.wait(CONTAINER_ID);
		core.finish(7);
		assert.equal(await exit, 7);
	});

	it('attach: output and input, and input can end before output', async () => {
		const attachment = await client.containers.attach(CONTAINER_ID, { stdin: true });
		await attachment.write(Buffer.from('hello '));
		await attachment.write(Buffer.from('world'));
		attachment.end();
		const received: string[] = [];
		for await (const { stream, data } of attachment.output) {
			received.push(`${stream}:${data.toString()}`);
		}
		assert.deepEqual(received, ['stdout:HELLO WORLD', 'stderr:bye']);
	});

	it('attach: a body that comes with the upgrade is no input', async () => {
		const request = http.request({
			socketPath,
			method: 'POST',
			path: `/containers/${CONTAINER_ID}/attach?stream=1&stdin=1&stdout=1`,
			headers: {
				Connection: 'Upgrade',
				Upgrade: 'tcp',
				'Content-Type': 'application/json',
				'Content-Length': 13,
			},
		});
		request.end('{"stream":1}\n');
		const output = await new Promise<string>((resolve, reject) => {
			request.once('error', reject).once('upgrade', (response, socket, head) => {
				assert.equal(response.headers['content-type'], 'application/vnd.docker.multiplexed-stream');
				let text = head.toString();
				socket.on('data', (piece: Buffer) => {
					text += piece.toString();
				});
				socket.once('end', () => {
					resolve(text);
					socket.destroy();
				});
				socket.write('in');
				setTimeout(() => socket.end('put'), 5);
			});
		});
		assert.equal(output, '\x01\0\0\0\0\0\0\x05INPUT\x02\0\0\0\0\0\0\x03bye');
	});

	it('attach without upgrade: status 200, and the answer ends with the connection', async () => {
		const answer = await ask('POST', `/containers/${CONTAINER_ID}/attach?stream=1&stdin=1&stdout=1`, 'typed');
		assert.equal(answer.headers['transfer-encoding'], undefined);
		assert.equal(answer.body, '\x01\0\0\0\0\0\0\x05TYPED\x02\0\0\0\0\0\0\x03bye');
	});

	it('attach to nothing: is refused as any other request', async () => {
		await assert.rejects(client.containers.attach('nosuch'), { status: 404, message: 'No such container: nosuch' });
	});

	it('logs: framed, with times when asked', async () => {
		assert.deepEqual(await text(client.containers.logs(CONTAINER_ID)), 'one\ntwo\n');
		assert.deepEqual(
			await text(client.containers.logs(CONTAINER_ID, { timestamps: true, tail: 1 })),
			'1970-01-01T00:00:02.000000003Z two\n',
		);
	});

	it("logs of neither stream: docker's text", async () => {
		const { status, body } = await ask('GET', `/containers/${CONTAINER_ID}/logs`);
		assert.equal(status, 400);
		assert.match(body, /Bad parameters: you must choose at least one stream/);
	});

	it('logs of a terminal: not framed', async () => {
		core.record = container({ config: { tty: true } });
		const { headers, body } = await ask('GET', `/containers/${CONTAINER_ID}/logs?stdout=1`);
		assert.deepEqual([headers['content-type'], body], ['application/vnd.docker.raw-stream', 'one\ntwo\n']);
	});

	it('pull: reports, and repeats only the newest count when the client is slow', async () => {
		const statuses: string[] = [];
		for await (const { status, progressDetail } of client.images.pull('nginx')) {
			statuses.push(`${status ?? ''} ${progressDetail?.current ?? ''}`.trim());
		}
		assert.deepEqual(
			[statuses[0], statuses.at(-2), statuses.at(-1)],
			['Pulling from library/nginx', 'Downloading 10000', 'Status: Downloaded'],
		);
		assert.ok(statuses.length < 100, `${statuses.length} lines`);
	});

	it('pull: what fails at once has a status, what fails later is thrown with its code', async () => {
		await assert.rejects(drain(client.images.pull('missing')), { status: 404, code: 'not-found' });
		await assert.rejects(drain(client.images.pull('broken')), {
			status: 0,
			code: 'corrupt',
			message: 'bad digest',
		});
	});

	it('pull: cancelled by the client, it is cancelled in the engine', async () => {
		const cancel = new AbortController();
		await assert.rejects(
			async () => {
				for await (const message of client.images.pull('endless', { signal: cancel.signal })) {
					assert.equal(message.status, 'Pulling from library/nginx');
					cancel.abort();
				}
			},
			{ name: 'AbortError' },
		);
		assert.equal(await core.pullCancelled, true);
	});

	it('pull: credentials arrive', async () => {
		await drain(client.images.pull('nginx', { auth: { username: 'ä', password: 'p' } }));
		assert.deepEqual(core.auth, { username: 'ä', password: 'p' });
	});

	it('events: past ones by time, new ones as they come, only those that pass', async () => {
		core.events.emit('image', 'pull', 'nginx');
		core.events.emit('container', 'start', CONTAINER_ID, { name: 'web', app: 'x' });
		const cancel = new AbortController();
		const seen: string[] = [];
		const options = { since: '1h', filters: { type: ['container'], label: ['app=x'] }, signal: cancel.signal };
		for await (const event of client.events(options)) {
			seen.push(event.Action);
			if (seen.length === 1) {
				core.events.emit('container', 'stop', CONTAINER_ID, { name: 'web' });
				core.events.emit('container', 'die', CONTAINER_ID, { name: 'web', app: 'x' });
			} else {
				cancel.abort();
			}
		}
		assert.deepEqual(seen, ['start', 'die']);
	});

	it('events until a time that is past: end', async () => {
		core.events.emit('container', 'start', CONTAINER_ID);
		const until = formatUnixTime(core.events.since(0n)[0]?.time ?? 0n);
		core.events.emit('container', 'die', CONTAINER_ID);
		const seen: string[] = [];
		for await (const event of client.events({ since: '1h', until })) {
			seen.push(event.Action);
		}
		assert.deepEqual(seen, ['start']);
	});

	it('events: an engine that leaves is an error, so that nobody waits for a dead stream', async () => {
		const events = client.events({})[Symbol.asyncIterator]();
		const next = events.next();
		setTimeout(() => void server.close(0), 20);
		await assert.rejects(Promise.resolve(next));
		await server.listen(socketPath);
	});

	it('an engine that was replaced: is asked for and found again', async () => {
		await client.version();
		await server.close(0);
		await assert.rejects(client.containers.kill(CONTAINER_ID), { code: 'ENOENT' });
		server = newServer();
		await server.listen(socketPath);
		await client.version();
		assert.ok(connects >= 2);
	});

	it('connect: is asked once for calls at the same time, and again after it failed', async () => {
		let asked = 0;
		const flaky = createClient(() => {
			asked++;
			return asked === 1 ? Promise.reject(new Error('not now')) : Promise.resolve(socketPath);
		});
		const both = await Promise.allSettled([flaky.version(), flaky.info()]);
		assert.deepEqual([both.map(({ status }) => status), asked], [['rejected', 'rejected'], 1]);
		await flaky.version();
		assert.equal(asked, 2);
	});

	it('cancelled before and while asking: AbortError', async () => {
		await assert.rejects(client.version({ signal: AbortSignal.abort() }), { name: 'AbortError' });
		const never = createClient(() => new Promise(() => undefined));
		await assert.rejects(never.version({ signal: AbortSignal.timeout(10) }), { name: 'AbortError' });
	});

	it('a body that is too long: is refused', async () => {
		const { status, body } = await ask(
			'POST',
			'/containers/create',
			JSON.stringify({ Image: 'x'.repeat(2 ** 21) }),
		);
		assert.equal(status, 400);
		assert.match(body, /too large/);
	});

	it('a body that is refused at once: is read to its end for who does not look at the answer before', async () => {
		for (let time = 0; time < 5; time++) {
			for (const url of ['/nosuch', '/containers/create']) {
				const { answer, error } = await sendAll(url, 40_000_000);
				assert.equal(error, undefined);
				assert.match(answer, /^HTTP\/1\.1 40[04] .*\r\nConnection: close\r\n.*"message"/s);
			}
		}
	});

	it('a refused body without an end: is not read for ever, nor kept', async function () {
		this.timeout(30_000);
		const before = process.memoryUsage().rss;
		const { sent, answer } = await sendAll('/nosuch', Infinity);
		assert.match(answer, /^HTTP\/1\.1 404 /);
		assert.ok(sent > 40_000_000 && sent < 1.2 * 1024 ** 3, `${sent} bytes`);
		assert.ok(process.memoryUsage().rss - before < 200_000_000, 'it was kept');
	});

	it('a refused body whose client leaves: the connection is gone', async () => {
		const socket = net.connect(socketPath);
		socket.write('POST /nosuch HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n');
		await once(socket, 'data');
		assert.equal(server.isQuiet, false);
		socket.destroy();
		while (!server.isQuiet) {
			await new Promise((resolve) => setTimeout(resolve, 5));
		}
	});

	/** Sends a body of `length` bytes, and only then reads the answer. */
	async function sendAll(url: string, length: number): Promise<{ answer: string; sent: number; error?: unknown }> {
		const socket = net.connect({ path: socketPath, allowHalfOpen: true });
		const pieces: Buffer[] = [];
		socket.on('data', (piece: Buffer) => pieces.push(piece));
		const head = `POST ${url} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n`;
		socket.write(`${head}Transfer-Encoding: chunked\r\n\r\n`);
		const ended = once(socket, 'close').catch(() => undefined);
		const chunk = Buffer.concat([Buffer.from('10000\r\n'), Buffer.alloc(65_536), Buffer.from('\r\n')]);
		let sent = 0;
		let error: unknown;
		try {
			for (; sent < length; sent += 65_536) {
				if (!socket.write(chunk)) {
					await once(socket, 'drain');
				}
			}
			socket.end('0\r\n\r\n');
		} catch (thrown) {
			error = thrown;
		}
		await ended;
		return { answer: Buffer.concat(pieces).toString(), sent, error };
	}

	it('waiting connections: are let in and counted, our own not', async () => {
		const waiting = [1, 2, 3].map(() => ask('GET', '/_ping'));
		assert.equal(await server.admitWaiting(socketPath), 3);
		await Promise.all(waiting);
	});

	async function ask(
		method: string,
		url: string,
		body?: string,
	): Promise<{ status: number | undefined; headers: http.IncomingHttpHeaders; body: string }> {
		return new Promise((resolve, reject) => {
			const headers = body === undefined ? {} : { 'Content-Type': 'application/json' };
			const request = http.request({ socketPath, method, path: url, headers }, (response) => {
				let text = '';
				response.on('data', (piece: Buffer) => {
					text += piece.toString('latin1');
				});
				response.once('end', () => {
					resolve({ status: response.statusCode, headers: response.headers, body: text });
				});
			});
			request.once('error', reject).end(body);
		});
	}
});

/** One image, one container that answers its input in capitals. */
class StandIn {
	record: Container = container({ status: 'running', started_at: '2026-01-01T00:00:00Z' });
	fault: Error | undefined;
	auth: unknown;
	pullCancelled: Promise<boolean> | undefined;
	finish: (exitCode: number) => void = () => undefined;
	readonly events = new Events();

	constructor(private readonly root: string) {}

	asCore(): Core {
		const core: { [name in keyof Core]: unknown } = {
			root: this.root,
			events: this.events,
			bridgeWay: '',
			facts: () => Promise.resolve({ runtime: { name: 'runc', path: '', version: '' }, runtimes: [] }),
			examine: () => Promise.resolve([]),
			commandLine: () => Promise.resolve(undefined),
			shutdown: () => undefined,
			images: this.images(),
			registries: {},
			containers: this.containers(),
			networks: { find: () => undefined, connectionsOf: () => [], portsOf: () => [] },
			volumes: { list: () => [] },
		};
		// The stand-in has the few methods that these tests reach.
		return core as unknown as Core;
	}

	private images() {
		return {
			list: () => [image()],
			get: () => image(),
			names: () => [image()],
			find: () => image(),
			document: () => ({}),
			pull: (reference: string, options: Parameters<Core['images']['pull']>[1]) => this.pull(reference, options),
		};
	}

	private async pull(reference: string, options: Parameters<Core['images']['pull']>[1] = {}): Promise<void> {
		const { signal, onProgress = () => undefined } = options;
		this.auth = options.auth;
		if (reference.startsWith('missing')) {
			throw new EngineError('not-found', 'manifest unknown');
		}
		onProgress({ status: 'Pulling from library/nginx' });
		if (reference.startsWith('endless')) {
			this.pullCancelled = new Promise((resolve) => {
				signal?.addEventListener('abort', () => {
					resolve(true);
				});
			});
			await this.pullCancelled;
			signal?.throwIfAborted();
		}
		await new Promise((resolve) => setTimeout(resolve, 5));
		if (reference.startsWith('broken')) {
			throw new EngineError('corrupt', 'bad digest');
		}
		for (let current = 1; current <= 10_000; current++) {
			onProgress({ status: 'Downloading', id: 'aaaaaaaaaaaa', current, total: 10_000 });
		}
		onProgress({ status: 'Status: Downloaded' });
	}

	private containers() {
		return {
			list: () => [this.record],
			get: (id: string) => {
				if (id !== CONTAINER_ID) {
					throw new EngineError('not-found', `No such container: ${id}`);
				}
				return this.record;
			},
			start: () => (this.fault === undefined ? Promise.resolve() : Promise.reject(this.fault)),
			kill: () => Promise.resolve(),
			wait: () =>
				new Promise((resolve) => {
					this.finish = (exitCode) => {
						resolve({ exitCode, error: '' });
					};
				}),
			logs: (_: string, { tail = 2 }: { tail?: number }) =>
				[
					{ time: 1n, stream: 'stdout', data: Buffer.from('one\n') },
					{ time: 2_000_000_003n, stream: 'stdout', data: Buffer.from('two\n') },
				].slice(-tail),
			attach: () => {
				let input = '';
				let end: () => void = () => undefined;
				const ended = new Promise<void>((resolve) => {
					end = resolve;
				});
				async function* output() {
					await ended;
					yield { stream: 'stdout', data: Buffer.from(input.toUpperCase()) };
					yield { stream: 'stderr', data: Buffer.from('bye') };
				}
				return {
					output: output(),
					write: (data: Buffer) => {
						input += data.toString();
						return Promise.resolve();
					},
					end,
					close: () => undefined,
				};
			},
		};
	}
}

async function text(chunks: AsyncIterable<{ data: Buffer }>): Promise<string> {
	let all = '';
	for await (const { data } of chunks) {
		all += data.toString();
	}
	return all;
}

async function drain(messages: AsyncIterable<unknown>): Promise<number> {
	let count = 0;
	for await (const message of messages) {
		count += message === undefined ? 0 : 1;
	}
	return count;
}
