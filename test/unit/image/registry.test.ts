import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { parseChallenges } from '../../../src/core/image/auth';
import { digestOf } from '../../../src/core/image/manifest';
import type { Descriptor } from '../../../src/core/image/manifest';
import { parseReference } from '../../../src/core/image/reference';
import type { Reference } from '../../../src/core/image/reference';
import { Registry } from '../../../src/core/image/registry';
import type { RegistryAccess } from '../../../src/core/image/registry';
import { RegistryServer } from './registry-server';

const TYPE = 'application/vnd.oci.image.index.v1+json';

describe('registry', () => {
	let server: RegistryServer;
	let other: RegistryServer;
	const open: Registry[] = [];

	beforeEach(async () => {
		server = new RegistryServer();
		other = new RegistryServer();
		await Promise.all([server.listen(), other.listen()]);
		server.putManifest({ schemaVersion: 2, manifests: [] }, TYPE, 'latest');
	});

	afterEach(async () => {
		for (const registry of open.splice(0)) {
			registry.close();
		}
		await Promise.all([server.close(), other.close()]);
	});

	function connect(access: Partial<RegistryAccess> = {}): Registry {
		const registry = new Registry([{ host: server.host, ...access }]);
		open.push(registry);
		return registry;
	}

	function image(rest = ':latest'): Reference {
		return parseReference(`${server.host}/demo/app${rest}`);
	}

	function putBlob(bytes: Buffer): Descriptor {
		return { mediaType: 'x', ...server.putBlob(bytes) };
	}

	async function readAll(descriptor: Descriptor, registry = connect(), signal?: AbortSignal): Promise<Buffer> {
		const chunks: Buffer[] = [];
		for await (const chunk of registry.blob(image(), descriptor, signal === undefined ? {} : { signal })) {
			chunks.push(Buffer.from(chunk));
			await new Promise(setImmediate); // more may come in before the next chunk is asked for
		}
		return Buffer.concat(chunks);
	}

	function challenge(response: ServerResponse, header: string): true {
		const body = JSON.stringify({ errors: [{ code: 'UNAUTHORIZED', message: 'authentication required' }] });
		response.writeHead(401, { 'www-authenticate': header }).end(body);
		return true;
	}

	it('fetches a manifest with its digest and type', async () => {
		const bytes = Buffer.from('{"schemaVersion":2,"manifests":[]}');
		const { document, ...sent } = await connect().manifest(image());
		assert.deepEqual(sent, { bytes, digest: digestOf(bytes), mediaType: TYPE });
		assert.equal(document?.kind, 'index');
		assert.deepEqual(server.requests, ['GET /v2/demo/app/manifests/latest']);
	});

	it('a manifest of another digest than asked for is refused', async () => {
		const digest = digestOf(Buffer.from('other'));
		server.manifests.set(digest, { type: TYPE, bytes: Buffer.from('{"b":1}') });
		await assert.rejects(connect().manifest(image(`@${digest}`)), {
			code: 'corrupt',
			message: /sent a manifest of digest/,
		});
	});

	it('a missing manifest is "not found" in docker\'s words', async () => {
		await assert.rejects(connect().manifest(image(':no')), {
			code: 'not-found',
			message: `manifest for ${server.host}/demo/app:no not found: manifest unknown: manifest unknown`,
		});
	});

	it('a manifest of more than 4 MiB is refused', async () => {
		server.manifests.set('latest', { type: TYPE, bytes: Buffer.alloc(4 * 1024 * 1024 + 1, ' ') });
		await assert.rejects(connect().manifest(image()), { code: 'corrupt', message: /larger than 4194304 bytes/ });
	});

	it("errors have docker's texts", async () => {
		const answers: [status: number, body: unknown, code: string, text: RegExp][] = [
			[
				403,
				{ errors: [{ code: 'DENIED', message: 'requested access to the resource is denied' }] },
				'denied',
				/^pull access denied for 127\.0\.0\.1:[0-9]+\/demo\/app, repository does not exist or may require 'docker login': denied: requested access to the resource is denied$/,
			],
			[401, {}, 'unauthorized', /^pull access denied for .*: unauthorized: authentication required$/],
			[
				404,
				{ errors: [{ code: 'NAME_UNKNOWN', message: 'repository name not known to registry' }] },
				'not-found',
				/^repository .*demo\/app not found: name unknown: repository name not known to registry$/,
			],
			[404, '<html>', 'not-found', /^manifest for .* not found: manifest unknown: manifest unknown$/],
			[418, { errors: [] }, 'internal', /answered with status 418$/],
		];
		for (const [status, body, code, message] of answers) {
			server.handler = (_, response) => {
				response.writeHead(status).end(JSON.stringify(body));
				return true;
			};
			await assert.rejects(connect().manifest(image()), { code, message });
		}
	});

	it('nobody there is said at once', async () => {
		const registry = connect();
		const reference = image();
		await server.close();
		await assert.rejects(registry.manifest(reference), {
			code: 'unreachable',
			message: /^Cannot pull image ".*": registry ".*" does not answer: connect ECONNREFUSED/,
		});
		await server.listen();
	});

	it('a busy server is asked again, when it says', async () => {
		let count = 0;
		server.handler = (_, response) => {
			count++;
			if (count < 4) {
				response.writeHead(count === 1 ? 429 : 503, { 'retry-after': '0' }).end();
			}
			return count < 4;
		};
		await connect().manifest(image());
		assert.equal(count, 4);
	});

	it('a server that stays busy is given up', async () => {
		server.handler = (_, response) => {
			response
				.writeHead(503, { 'retry-after': '0' })
				.end('{"errors":[{"code":"UNAVAILABLE","message":"tired"}]}');
			return true;
		};
		await assert.rejects(connect().manifest(image()), {
			code: 'unreachable',
			message: /answered with status 503: unavailable: tired/,
		});
		assert.equal(server.requests.length, 5);
	});

	for (const size of [100_000, 3_000_000]) {
		it(`a blob of ${size} bytes goes on where the connection broke`, async () => {
			const bytes = randomBytes(size);
			const descriptor = putBlob(bytes);
			let count = 0;
			server.handler = (_, response) => {
				count++;
				if (count === 1) {
					response.writeHead(200, { 'content-length': size }).write(bytes.subarray(0, 0.3 * size), () => {
						response.destroy();
					});
				}
				return count === 1;
			};
			assert.ok((await readAll(descriptor)).equals(bytes));
			assert.equal(count, 2);
		});
	}

	it('a long blob comes whole with its length, without it, and on a connection that was used before', async () => {
		const bytes = randomBytes(5_000_000);
		const descriptor = putBlob(bytes);
		const registry = connect();
		await registry.manifest(image());
		assert.ok((await readAll(descriptor, registry)).equals(bytes));
		server.handler = ({ url = '' }, response) => {
			if (url.includes('/blobs/')) {
				response.writeHead(200); // in chunks
				response.end(bytes);
			}
			return url.includes('/blobs/');
		};
		assert.ok((await readAll(descriptor, registry)).equals(bytes));
	});

	it('a server that knows no ranges may send all again', async () => {
		const bytes = randomBytes(100_000);
		const descriptor = putBlob(bytes);
		let count = 0;
		server.handler = (_, response) => {
			count++;
			response.writeHead(200, { 'content-length': bytes.length });
			response.write(count === 1 ? bytes.subarray(0, 30_000) : bytes, () => {
				response.destroy();
			});
			return true;
		};
		assert.ok((await readAll(descriptor)).equals(bytes));
	});

	for (const [what, status, range] of [
		['does not have the rest', 416, 'bytes */40000'],
		['sends another part', 206, 'bytes 0-39999/40000'],
	] as const) {
		it(`of a server that ${what} the whole is fetched again`, async () => {
			const bytes = randomBytes(40_000);
			const descriptor = putBlob(bytes);
			const ranges: (string | undefined)[] = [];
			server.handler = (request, response) => {
				ranges.push(request.headers.range);
				if (ranges.length === 1) {
					response.writeHead(200, { 'content-length': 40_000 }).write(bytes.subarray(0, 20_000), () => {
						response.destroy();
					});
				} else if (ranges.length === 2) {
					response.writeHead(status, { 'content-range': range }).end(bytes);
				}
				return ranges.length <= 2;
			};
			assert.ok((await readAll(descriptor)).equals(bytes));
			assert.deepEqual(ranges, [undefined, 'bytes=20000-', undefined]);
		});
	}

	it('a server that sends a part of what was asked as a whole, or more than there should be, is refused', async () => {
		const descriptor = putBlob(Buffer.alloc(40_000, 1));
		server.handler = (request, response) => {
			if (server.requests.length === 1) {
				response.writeHead(200, { 'content-length': 40_000 }).write(Buffer.alloc(20_000), () => {
					response.destroy();
				});
			} else if (request.headers.range === undefined) {
				response.writeHead(206, { 'content-range': 'bytes 5-39999/40000' }).end(Buffer.alloc(40_000));
			} else {
				response.writeHead(416).end();
			}
			return true;
		};
		await assert.rejects(readAll(descriptor), { code: 'corrupt', message: /another part/ });
		server.handler = (_, response) => {
			response.writeHead(200).end(Buffer.alloc(40_001));
			return true;
		};
		await assert.rejects(readAll(descriptor), { code: 'corrupt', message: /larger than 40000 bytes/ });
	});

	it('a server that never sends all of a blob has broken off in its middle', async () => {
		const descriptor = { ...putBlob(Buffer.alloc(10)), size: 20_000 };
		const message = `Cannot pull image "${server.host}/demo/app:latest": the connection to registry "${server.host}" broke off in the middle of blob ${descriptor.digest}`;
		server.handler = (_, response) => {
			response.writeHead(200, { 'content-length': 20_000 }).write('x', () => {
				response.destroy();
			});
			return true;
		};
		await assert.rejects(readAll(descriptor), { code: 'unreachable', message });
		await assert.rejects(connect().manifest(image()), {
			code: 'unreachable',
			message: /the connection to registry ".*" broke off in the middle of its answer$/,
		});
	}).timeout(30_000);

	it('a port that is none is said to be out of range', () => {
		assert.throws(() => connect({ host: 'localhost:99999' }), {
			code: 'invalid',
			message: 'Cannot reach registry "localhost:99999": its port 99999 is out of range (1 to 65535)',
		});
	});

	it('a document of another digest is refused', async () => {
		const descriptor = { mediaType: 'x', digest: digestOf(Buffer.from('a')), size: 1 };
		server.blobs.set(descriptor.digest, Buffer.from('b'));
		await assert.rejects(connect().document(image(), descriptor), {
			code: 'corrupt',
			message: /does not have its digest/,
		});
	});

	for (const size of [1000, 3_000_000]) {
		it(`an abort ends a blob of ${size} bytes at once with the reason`, async () => {
			const controller = new AbortController();
			const descriptor = putBlob(Buffer.alloc(size));
			server.handler = (_, response) => {
				response.writeHead(200, { 'content-length': size }).write(Buffer.alloc(10));
				setTimeout(() => {
					controller.abort();
				}, 5);
				return true;
			};
			await assert.rejects(readAll(descriptor, connect(), controller.signal), { name: 'AbortError' });
		});
	}

	describe('with credentials', () => {
		const credentials = { username: 'me', password: 'pass:word' };
		const basic = `Basic ${Buffer.from('me:pass:word').toString('base64')}`;

		it('Basic: sent after the challenge, then always', async () => {
			server.handler = (request, response) =>
				request.headers.authorization !== basic && challenge(response, 'Basic realm="x"');
			const registry = connect({ credentials });
			await registry.manifest(image());
			await registry.manifest(image());
			assert.deepEqual(server.authorizations, ['', basic, basic]);
		});

		it('Bearer: one token for a repository, from the realm', async () => {
			let query: URLSearchParams | undefined;
			server.handler = (request, response) => {
				const url = new URL(request.url ?? '', 'http://x');
				if (url.pathname === '/token') {
					query = url.searchParams;
					response.end(JSON.stringify({ token: 'T1', expires_in: 300 }));
					return true;
				}
				const header = `Bearer realm="http://${server.host}/token",service="srv",scope="repository:other:push"`;
				return request.headers.authorization !== 'Bearer T1' && challenge(response, header);
			};
			const registry = connect({ credentials });
			await registry.manifest(image());
			await registry.manifest(image());
			assert.deepEqual(server.authorizations, ['', basic, 'Bearer T1', 'Bearer T1']);
			assert.deepEqual(Object.fromEntries(query ?? []), {
				service: 'srv',
				scope: 'repository:demo/app:pull',
				account: 'me',
			});
			const heir = connect(registry.handover()[0]);
			await heir.manifest(image());
			assert.equal(server.authorizations.at(-1), 'Bearer T1');
		});

		it('Bearer: without credentials an anonymous token; an identity token is posted', async () => {
			const bodies: string[] = [];
			server.handler = (request, response) => {
				if (request.url?.startsWith('/token') === true) {
					request.setEncoding('utf8').on('data', (text: string) => bodies.push(text));
					request.on('end', () => response.end('{"access_token":"T2"}'));
					return true;
				}
				return (
					request.headers.authorization !== 'Bearer T2' &&
					challenge(response, `Bearer realm="http://${server.host}/token",service="srv"`)
				);
			};
			await connect().manifest(image());
			assert.deepEqual(server.authorizations, ['', '', 'Bearer T2']);
			await connect({ credentials: { identitytoken: 'REFRESH' } }).manifest(image());
			assert.deepEqual(Object.fromEntries(new URLSearchParams(bodies.join(''))), {
				grant_type: 'refresh_token',
				client_id: 'mydocker',
				service: 'srv',
				scope: 'repository:demo/app:pull',
				refresh_token: 'REFRESH',
			});
		});

		describe('a token service', () => {
			/** Answers of the token service, one after the other; the last one again and again. */
			let answers: (readonly [status: number, wait?: string])[];
			const tokens = (): number => server.requests.filter((request) => request.startsWith('GET /token')).length;

			beforeEach(() => {
				server.handler = (request, response) => {
					if (request.url?.startsWith('/token') === true) {
						const [status, wait] = (answers.length > 1 ? answers.shift() : answers[0]) ?? [200];
						const headers = wait === undefined ? {} : { 'retry-after': wait };
						response.writeHead(status, headers).end('{"token":"T1"}');
						return true;
					}
					const header = `Bearer realm="http://${server.host}/token"`;
					return request.headers.authorization !== 'Bearer T1' && challenge(response, header);
				};
			});

			it('that is busy is asked again, when it says', async () => {
				answers = [[429, '1'], [503, '0'], [500, '0'], [200]];
				const began = Date.now();
				await connect().manifest(image());
				assert.ok(Date.now() - began >= 1000);
				assert.equal(tokens(), 4);
			});

			it('that stays busy is given up', async () => {
				answers = [[503, '0']];
				await assert.rejects(connect().manifest(image()), {
					code: 'unreachable',
					message: `Cannot log in to registry "${server.host}": its token service "${server.host}" answered with status 503`,
				});
				assert.equal(tokens(), 5);
			});

			it('that wants a long pause is told to the person at once', async () => {
				answers = [[429, '3600']];
				await assert.rejects(connect().manifest(image()), {
					code: 'unreachable',
					message: /status 429 \(it asks to be left alone for 3600 seconds\)$/,
				});
				assert.equal(tokens(), 1);
			});

			it('that is waited for: an abort ends that at once', async () => {
				answers = [[429, '50']];
				const reading = connect().manifest(image(), AbortSignal.timeout(300));
				await assert.rejects(reading, { name: 'TimeoutError' });
			});
		});

		it('a token service that is not encrypted gets nothing', async () => {
			server.handler = (_, response) => challenge(response, 'Bearer realm="http://example.com/token"');
			await assert.rejects(connect({ credentials }).manifest(image()), {
				code: 'unauthorized',
				message: /"http:\/\/example\.com\/token" is not reached over https/,
			});
		});

		it('wrong credentials are refused in words without them', async () => {
			server.handler = (_, response) => challenge(response, 'Basic realm="x"');
			await assert.rejects(connect({ credentials }).manifest(image()), (error: Error) => {
				assert.match(error.message, /pull access denied .*authentication required/);
				assert.doesNotMatch(JSON.stringify([error, error.stack]), /pass:word/);
				return true;
			});
			assert.equal(server.requests.length, 2);
		});

		it('a redirect takes no authorization to another server, and that server may not ask for it', async () => {
			const bytes = Buffer.from('content');
			const descriptor = putBlob(bytes);
			server.handler = (request, response) => {
				if (request.headers.authorization !== basic) {
					return challenge(response, 'Basic realm="x"');
				}
				response.writeHead(307, { location: `http://${other.host}/somewhere?signed=1` }).end();
				return true;
			};
			other.handler = (_, response) => {
				response.end(bytes);
				return true;
			};
			assert.ok((await readAll(descriptor, connect({ credentials }))).equals(bytes));
			assert.deepEqual(other.authorizations, ['']);
			other.handler = (_, response) => challenge(response, `Basic realm="http://${other.host}"`);
			await assert.rejects(readAll(descriptor, connect({ credentials })), { code: 'unauthorized' });
			assert.deepEqual(other.authorizations, ['', '']);
		});
	});

	it('redirects to plain http elsewhere, to other schemes and in circles are refused', async () => {
		for (const [location, reason] of [
			['http://example.com/blob', /is not https/],
			['file:///etc/passwd', /is not https/],
			['/v2/demo/app/manifests/latest', /redirects more than 10 times/],
		] as const) {
			server.handler = (_, response) => {
				response.writeHead(302, { location }).end();
				return true;
			};
			await assert.rejects(connect().manifest(image()), { code: 'corrupt', message: reason });
		}
	});
});

describe('challenges', () => {
	it('are read in all forms of RFC 9110', () => {
		assert.deepEqual(parseChallenges(['Bearer realm="https://a/t",service="s p",scope="repository:a:pull,push"']), [
			{ scheme: 'bearer', parameters: { realm: 'https://a/t', service: 's p', scope: 'repository:a:pull,push' } },
		]);
		assert.deepEqual(parseChallenges(['Basic realm="q\\"uote", Bearer realm=token , x = y', 'Negotiate']), [
			{ scheme: 'basic', parameters: { realm: 'q"uote' } },
			{ scheme: 'bearer', parameters: { realm: 'token', x: 'y' } },
			{ scheme: 'negotiate', parameters: {} },
		]);
		assert.deepEqual(parseChallenges(['', '"', '=', 'Bearer realm="unclosed']), [
			{ scheme: 'bearer', parameters: {} },
		]);
	});
});
