import * as assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import * as fs from 'node:fs';
import * as http from 'node:http';
import * as net from 'node:net';
import * as os from 'node:os';
import * as path from 'node:path';
import type { Duplex } from 'node:stream';
import { sendRequest, type HttpRequest } from '../../../src/api/http-client';
import { IdleConnections } from '../../../src/api/idle-connections';
import { connectSocket } from '../../../src/api/unix-socket';

describe('HTTP client', () => {
	let folder: string;
	let socket: string;
	const servers: (net.Server | http.Server)[] = [];
	const connections = new Set<net.Socket>();
	beforeEach(() => {
		folder = fs.mkdtempSync(path.join(os.tmpdir(), 'mydocker-http-'));
		socket = path.join(folder, 'sock');
	});
	afterEach(() => {
		for (const connection of connections) {
			connection.destroy();
		}
		for (const server of servers.splice(0)) {
			server.close();
		}
		fs.rmSync(folder, { recursive: true });
	});

	async function listen(server: net.Server): Promise<void> {
		servers.push(server);
		server.on('connection', (connection: net.Socket) => connections.add(connection));
		await new Promise<void>((resolve) => server.listen(socket, resolve));
	}

	/** Answers every connection with these bytes, in the given pieces, and ends it. */
	async function answerWith(...pieces: readonly string[]): Promise<void> {
		await listen(
			net.createServer({ allowHalfOpen: true }, (connection) => {
				connection.on('error', () => undefined);
				connection.once('data', () => {
					void (async () => {
						for (const piece of pieces) {
							await new Promise((resolve) => connection.write(piece, 'latin1', resolve));
							await new Promise((resolve) => setImmediate(resolve));
						}
						connection.end();
					})();
				});
			}),
		);
	}

	async function ask(request: Partial<HttpRequest> = {}, connection: Duplex = connectSocket(socket)) {
		const answer = await sendRequest(connection, { method: 'GET', path: '/', headers: {}, ...request });
		const pieces: Buffer[] = [];
		for await (const piece of answer) {
			pieces.push(piece);
		}
		return { status: answer.status, headers: { ...answer.headers }, text: Buffer.concat(pieces).toString() };
	}

	it('a body by its length, in chunks, and until the connection ends; cut anywhere', async () => {
		const answers: readonly [string, string][] = [
			['HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Two: a\r\nx-two: b\r\n\r\nhello', 'hello'],
			[
				'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nhel\r\nA\r\nlo\r\nworld!\r\n0\r\nT: 1\r\n\r\n',
				'hello\r\nworld!',
			],
			['HTTP/1.0 404 Not Found\r\n\r\nhello', 'hello'],
			['HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200\r\nContent-Length: 2\r\n\r\nhi', 'hi'],
			['HTTP/1.1 204 No Content\r\n\r\n', ''],
			['HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n', ''],
		];
		for (const [bytes, text] of answers) {
			for (const pieces of [[bytes], Array.from(bytes)]) {
				await answerWith(...pieces);
				assert.equal((await ask()).text, text, bytes);
				servers.pop()?.close();
			}
		}
		await answerWith('HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX-Two: a\r\nx-two: b\r\n\r\n');
		assert.equal((await ask()).headers['x-two'], 'a, b');
	});

	it('an answer that is none, or breaks off: is an error', async () => {
		const answers: readonly [string, RegExp][] = [
			['hello\r\n\r\n', /it begins with "hello"/],
			['HTTP/1.1 200 OK\r\nno header\r\n\r\n', /"no header" is no header/],
			['HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n', /no valid length: "-1"/],
			['HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab', /no valid length: "1, 2"/],
			['HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n', /"xyz" is no chunk's size/],
			['HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n0\r\n\r\n', /longer than its size/],
			[`HTTP/1.1 200 OK\r\nX: ${'x'.repeat(70_000)}\r\n\r\n`, /a line is longer than/],
			['HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello', /in the middle of its answer/],
			['HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n', /in the middle of its answer/],
			['HTTP/1.1 200', /in the middle of its answer/],
		];
		for (const [bytes, reason] of answers) {
			await answerWith(bytes);
			await assert.rejects(ask(), reason, bytes.slice(0, 80));
			servers.pop()?.close();
		}
		await answerWith('');
		await assert.rejects(ask(), { code: 'ECONNRESET' });
	});

	it('nobody listens: the system error', async () => {
		await assert.rejects(ask(), { code: 'ENOENT' });
	});

	it('what is sent: with its length, piece by piece, and no header of somebody else', async () => {
		await listen(
			http.createServer((incoming, response) => {
				const chunks: Buffer[] = [];
				incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
				incoming.on('end', () => {
					const { method, url, headers } = incoming;
					const [length, encoding] = [headers['content-length'], headers['transfer-encoding']];
					response.end(JSON.stringify([method, url, length, encoding, Buffer.concat(chunks).toString()]));
				});
			}),
		);
		async function* pieces(): AsyncGenerator<Buffer> {
			yield Buffer.from('one ');
			yield Buffer.alloc(0);
			await new Promise((resolve) => setImmediate(resolve));
			yield Buffer.from('two');
		}
		assert.deepEqual(JSON.parse((await ask({ path: '/a?b=%20' })).text), ['GET', '/a?b=%20', null, null, '']);
		assert.deepEqual(JSON.parse((await ask({ method: 'POST', body: Buffer.from('ä') })).text), [
			...['POST', '/', '2', null, 'ä'],
		]);
		assert.deepEqual(JSON.parse((await ask({ method: 'PUT', body: pieces() })).text), [
			...['PUT', '/', null, 'chunked', 'one two'],
		]);
		await assert.rejects(ask({ path: '/a HTTP/1.1\r\nX: y' }), /a character that HTTP does not allow/);
		await assert.rejects(ask({ headers: { X: 'a\r\nY: b' } }), /a character that HTTP does not allow/);
	});

	it('an upgraded connection: nothing behind the head is lost, and the write side can be ended', async () => {
		await listen(
			net.createServer({ allowHalfOpen: true }, (connection) => {
				connection.once('data', () => {
					connection.write('HTTP/1.1 101 UPGRADED\r\nUpgrade: tcp\r\n\r\nfirst ');
					connection.on('data', (data: Buffer) => connection.write(data));
					connection.once('end', () => connection.end('last'));
				});
			}),
		);
		const { socket: both } = await sendRequest(connectSocket(socket), { method: 'POST', path: '/', headers: {} });
		assert.ok(both !== undefined);
		both.end('echo ');
		let text = '';
		for await (const piece of both) {
			text += String(piece);
		}
		assert.equal(text, 'first echo last');
	});

	it('a connection that was read to its end: takes the next request, unless it ends or something more comes', async () => {
		let count = 0;
		let unasked = '';
		await listen(
			net.createServer((connection) => {
				count++;
				connection.on('error', () => undefined);
				connection.on('data', (data: Buffer) => {
					const close = data.toString().startsWith('GET /last') ? 'Connection: close\r\n' : '';
					connection.write(`HTTP/1.1 200 OK\r\n${close}Content-Length: 2\r\n\r\nok${unasked}`);
				});
			}),
		);
		const idle = new IdleConnections();
		const keep = (connection: Duplex): void => {
			idle.keep(connection);
		};
		const next = async (path: string): Promise<number> => {
			assert.equal((await ask({ path, keep }, idle.take() ?? connectSocket(socket))).text, 'ok');
			return count;
		};
		assert.deepEqual([await next('/'), await next('/'), await next('/last'), await next('/')], [1, 1, 1, 2]);
		for (const connection of [...connections].filter(({ destroyed }) => !destroyed)) {
			connection.end();
			await new Promise((resolve) => connection.once('close', resolve));
		}
		assert.equal(await next('/'), 3);
		unasked = 'HTTP/1.1 200 OK\r\n\r\n';
		await next('/');
		assert.equal(idle.take(), undefined);
	});

	it('refused in the middle of its body: the answer, though the other side has gone before it is looked at', async () => {
		const program = `require('net').createServer((connection) => {
			connection.on('error', () => undefined).once('readable', () => {
				connection.read();
				connection.end('HTTP/1.1 400 Bad Request\\r\\nContent-Length: 7\\r\\n\\r\\nrefused', () => connection.destroy());
			});
		}).listen(process.argv[1], () => console.log('ready'))`;
		const server = spawn(process.execPath, ['-e', program, socket], { stdio: ['ignore', 'pipe', 'inherit'] });
		try {
			await once(server.stdout, 'data');
			for (let time = 0; time < 10; time++) {
				const connection = connectSocket(socket);
				await once(connection, 'connect');
				const { status, text } = await ask({ method: 'POST', body: zeros(40_000_000, 100) }, connection);
				assert.deepEqual([status, text], [400, 'refused']);
			}
		} finally {
			server.kill();
		}
	});

	it("closed in the middle of its body: the connection's error", async () => {
		await listen(
			net.createServer((connection) => {
				connection.on('error', () => undefined).once('data', () => connection.destroy());
			}),
		);
		for (let time = 0; time < 20; time++) {
			await assert.rejects(ask({ method: 'POST', body: zeros(40_000_000) }), (error: NodeJS.ErrnoException) => {
				return error.code === 'EPIPE' || error.code === 'ECONNRESET';
			});
		}
	});

	it('aborted: before the answer and in its body, and the connection ends', async () => {
		let closed = 0;
		await listen(
			net.createServer((connection) => {
				connection.on('error', () => undefined).once('close', () => closed++);
				connection.once('data', (data: Buffer) => {
					if (data.toString().startsWith('GET /body')) {
						connection.write('HTTP/1.1 200 OK\r\n\r\nhello');
					}
				});
			}),
		);
		for (const name of ['/head', '/body']) {
			const controller = new AbortController();
			const asked = ask({ path: name, signal: controller.signal });
			setTimeout(() => {
				controller.abort();
			}, 20);
			await assert.rejects(asked, { name: 'AbortError' });
		}
		while (closed < 2) {
			await new Promise((resolve) => setImmediate(resolve));
		}
	});

	it('a reader that stops early ends the connection, one that is slow holds the sender', async () => {
		let sent = 0;
		const gone = new Promise<void>((resolve) => {
			servers.push(
				net.createServer((connection) => {
					connection.on('error', () => undefined).once('close', resolve);
					connection.write('HTTP/1.1 200 OK\r\n\r\n');
					const more = (): void => {
						do {
							sent += 65_536;
						} while (connection.write(Buffer.alloc(65_536)));
					};
					connection.on('drain', more);
					connection.once('data', more);
				}),
			);
		});
		await new Promise<void>((resolve) => servers[0]?.listen(socket, resolve));
		const answer = await sendRequest(connectSocket(socket), { method: 'GET', path: '/', headers: {} });
		for await (const piece of answer) {
			assert.ok(piece.length > 0);
			// What fits into the buffers of both sides has been sent, and no more comes while nobody reads.
			let before = -1;
			while (before !== sent) {
				before = sent;
				await new Promise((resolve) => setTimeout(resolve, 20));
			}
			break;
		}
		await gone;
		assert.ok(sent < 16 * 1024 * 1024, `${sent} bytes were sent to a reader that does not read`);
	});
});

/** After the first piece this process stands still for `pause` milliseconds, and sees nothing of what happens meanwhile. */
async function* zeros(length: number, pause = 0): AsyncGenerator<Buffer> {
	const piece = Buffer.alloc(65_536);
	for (let sent = 0; sent < length; sent += piece.length) {
		yield await Promise.resolve(piece);
		if (sent === 0 && pause > 0) {
			Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, pause);
		}
	}
}
