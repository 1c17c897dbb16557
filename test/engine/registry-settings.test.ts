import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as http from 'node:http';
import * as https from 'node:https';
import * as net from 'node:net';
import type { AddressInfo } from 'node:net';
import * as path from 'node:path';
import { EngineError } from '../../src/core/errors';
import { isHostIn } from '../../src/core/image/hosts';
import { proxyFor } from '../../src/core/image/proxy';
import { parseReference } from '../../src/core/image/reference';
import { Registry } from '../../src/core/image/registry';
import { RegistrySettingsFile } from '../../src/core/image/registry-settings';
import type { RegistrySettings } from '../../src/core/image/registry-settings';
import { Transport } from '../../src/core/image/transport';
import { RegistryServer } from '../unit/image/registry-server';
import { scratchFolder } from '../unit/image/scratch';

const TYPE = 'application/vnd.oci.image.index.v1+json';
/** The least that is an answer to a pull. */
const documentOf = (from: string): object => ({ schemaVersion: 2, manifests: [], from });

describe('registry settings', () => {
	let root: string;
	let mirror: RegistryServer;
	let origin: RegistryServer;

	beforeEach(async () => {
		root = scratchFolder();
		[mirror, origin] = [new RegistryServer(), new RegistryServer()];
		await Promise.all([mirror.listen(), origin.listen()]);
		origin.putManifest(documentOf('origin'), TYPE, 'latest');
	});

	afterEach(async () => {
		await Promise.all([mirror.close(), origin.close()]);
		fs.rmSync(root, { recursive: true });
	});

	async function fetch(given: RegistrySettings | undefined, auth?: object): Promise<string> {
		const reference = parseReference(`${origin.host}/team/app:latest`);
		const registry = new Registry(new RegistrySettingsFile(root, {}).sources(reference, auth, given));
		try {
			const { bytes } = await registry.manifest(reference);
			return (JSON.parse(bytes.toString()) as { from: string }).from;
		} finally {
			registry.close();
		}
	}

	it('a mirror is asked first, by the rest of the name below its own path', async () => {
		mirror.putManifest(documentOf('mirror'), TYPE, 'latest');
		const given = { mirrors: { [`${origin.host}/team`]: [`http://${mirror.host}/cache/team`] } };
		assert.equal(await fetch(given), 'mirror');
		assert.deepEqual([mirror.requests, origin.requests], [['GET /v2/cache/team/app/manifests/latest'], []]);
	});

	it('the longest beginning counts, and a beginning ends at a slash', async () => {
		mirror.putManifest(documentOf('mirror'), TYPE, 'latest');
		const mirrors = { [origin.host]: ['127.0.0.1:1'], [`${origin.host}/team/app`]: [`${mirror.host}/x`] };
		assert.equal(await fetch({ mirrors }), 'mirror');
		assert.equal(await fetch({ mirrors: { [`${origin.host}/tea`]: [mirror.host] } }), 'origin');
	});

	for (const [what, answer] of [
		['does not have it', 404],
		['wants credentials', 401],
		['is out of order', 503],
	] as const) {
		it(`a mirror that ${what}: the registry itself is asked`, async () => {
			mirror.handler = (_, response) => {
				response.writeHead(answer, { 'retry-after': '0', 'www-authenticate': 'Basic realm="x"' }).end();
				return true;
			};
			assert.equal(await fetch({ mirrors: { [origin.host]: [mirror.host] } }), 'origin');
		});
	}

	for (const [what, type, body] of [
		['the page of a network that wants a login first', 'text/html', '<html>Please log in</html>'],
		['JSON that is no manifest', 'application/json', '{"error":"login"}'],
	] as const) {
		it(`a mirror that has for the tag only ${what}: the registry itself is asked`, async () => {
			mirror.manifests.set('latest', { type, bytes: Buffer.from(body) });
			assert.equal(await fetch({ mirrors: { [origin.host]: [mirror.host] } }), 'origin');
			origin.manifests.set('latest', { type, bytes: Buffer.from(body) });
			await assert.rejects(fetch(undefined), (error: Error) => {
				const start = `Cannot pull image "${origin.host}/team/app:latest": registry "${origin.host}" sent no image that can be used: `;
				assert.equal(error.message.slice(0, start.length), start);
				return true;
			});
		});
	}

	it('the credentials of a registry never go to its mirror', async () => {
		for (const server of [mirror, origin]) {
			server.handler = (request, response) => {
				if (request.headers.authorization !== undefined) {
					return false;
				}
				response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
				return true;
			};
		}
		const given = { mirrors: { [origin.host]: [mirror.host] } };
		assert.equal(await fetch(given, { username: 'u', password: 'p' }), 'origin');
		assert.deepEqual([...new Set(mirror.authorizations)], ['']);
		assert.ok(origin.authorizations.some((header) => header.startsWith('Basic ')));
	});

	it('the file is read at each request; what a request says goes before it', async () => {
		mirror.putManifest(documentOf('mirror'), TYPE, 'latest');
		assert.equal(await fetch(undefined), 'origin');
		const file = path.join(root, 'registries.json');
		fs.writeFileSync(file, JSON.stringify({ mirrors: { [origin.host]: [mirror.host] } }));
		assert.equal(await fetch(undefined), 'mirror');
		assert.equal(await fetch({ mirrors: { [origin.host]: [] } }), 'origin');
	});

	it('what is wrong in the file is told with its place', async () => {
		const file = path.join(root, 'registries.json');
		for (const [text, reason] of [
			['{', /registries\.json": /],
			['{"mirrors":{"a":"b"}}', /mirrors\.a: /],
			['{"mirrors":{"a":["https://user:secret@h/x?y"]}}', /mirror ".*" is not/],
			['{"mirrors":{"a":["h/../x"]}}', /mirror "h\/\.\.\/x" is not/],
			['{"mirors":{}}', /mirors/],
		] as const) {
			fs.writeFileSync(file, text);
			await assert.rejects(fetch(undefined), (error: Error) => {
				assert.match(error.message, reason);
				assert.ok(!error.message.includes('secret'));
				return true;
			});
		}
	});

	it('hosts: by name, with port, and by network', () => {
		const list = ['a.io', 'b.io:5000', '10.0.0.0/8', 'fd00::/8'];
		for (const host of ['a.io', 'a.io:443', 'b.io:5000', '10.2.3.4:5000', '[fd00::1]:5000']) {
			assert.ok(isHostIn(host, list), host);
		}
		for (const host of ['x.a.io', 'b.io', '11.0.0.1', '10.evil.io', '[fe80::1]:1']) {
			assert.ok(!isHostIn(host, list), host);
		}
	});

	it('proxies: by scheme, with exceptions by name, domain, port and network', () => {
		const settings = {
			http: 'proxy:3128',
			https: 'http://u:p%20w@proxy:3129',
			except: 'a.io,.b.io,10.0.0.0/8,c.io:444',
		};
		const through = (url: string): string | undefined => proxyFor(new URL(url), settings)?.address.href;
		assert.equal(through('http://x.io/'), 'http://proxy:3128/');
		assert.equal(through('https://x.io/'), 'http://proxy:3129/');
		const { headers } = proxyFor(new URL('https://x.io/'), settings) ?? {};
		assert.deepEqual(headers, { 'proxy-authorization': `Basic ${Buffer.from('u:p w').toString('base64')}` });
		for (const direct of [
			'https://a.io/',
			'https://x.a.io/',
			'https://x.b.io/',
			'https://10.1.1.1/',
			'https://c.io:444/',
			'http://localhost:5000/',
			'http://127.0.0.1:5000/',
		]) {
			assert.equal(through(direct), undefined, direct);
		}
		assert.notEqual(through('https://c.io/'), undefined);
		assert.equal(proxyFor(new URL('https://x.io/'), { ...settings, except: '*' }), undefined);
		for (const wrong of ['socks5://u:secret@p', 'http://u:secret%@p']) {
			assert.throws(
				() => proxyFor(new URL('http://x.io/'), { http: wrong }),
				(error: Error) => 'code' in error && !error.message.includes('secret'),
			);
		}
	});

	it('plain HTTP goes through a proxy, with its credentials for it alone', async () => {
		const seen: (string | undefined)[][] = [];
		const proxy = http.createServer((request, response) => {
			seen.push([request.url, request.headers.host, request.headers['proxy-authorization']]);
			response.end('through');
		});
		await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
		const { port } = proxy.address() as AddressInfo;
		const transport = new Transport({ proxy: { http: `http://u:p@127.0.0.1:${port}` } });
		const response = await transport.send(new URL('http://registry.invalid/v2/'));
		response.resume();
		const basic = `Basic ${Buffer.from('u:p').toString('base64')}`;
		assert.deepEqual(seen, [['http://registry.invalid/v2/', 'registry.invalid', basic]]);
		transport.close();
		proxy.close();
	});

	describe('TLS', () => {
		let server: https.Server;
		let folder: string;
		let port: number;
		const file = (name: string): string => path.join(folder, name);

		beforeEach(async () => {
			folder = scratchFolder();
			newCertificate('ca', ['-keyout', file('key.pem'), '-out', file('ca.crt')]);
			server = https.createServer(
				{ key: fs.readFileSync(file('key.pem')), cert: fs.readFileSync(file('ca.crt')) },
				(_, response) => {
					response.end('safe');
				},
			);
			await listen(server);
			({ port } = server.address() as AddressInfo);
		});

		afterEach(() => {
			server.closeAllConnections();
			server.close();
			fs.rmSync(folder, { recursive: true });
		});

		/** A certificate of its own for registry.test, with its key. */
		function newCertificate(name: string, files: readonly string[]): void {
			const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
			const subject = ['-subj', `/CN=${name}`, '-addext', 'subjectAltName=DNS:registry.test'];
			execFileSync('openssl', ['req', '-x509', ...key, ...subject, ...files], { stdio: 'ignore' });
		}

		/** A folder of certificates with <name>.cert and <name>.key for this host. */
		function certificateFolder(host: string, name: string): { certificates: string; of: (file: string) => string } {
			const certificates = file('certs.d');
			const of = (each: string): string => path.join(certificates, host, each);
			fs.mkdirSync(path.join(certificates, host), { recursive: true });
			newCertificate(name, ['-keyout', of(`${name}.key`), '-out', of(`${name}.cert`)]);
			return { certificates, of };
		}

		async function listen(each: net.Server): Promise<void> {
			await new Promise<void>((resolve) => each.listen(0, '127.0.0.1', resolve));
		}

		/** A proxy that leads every name to the server: registry.test is no name of this machine. */
		async function throughProxy<T>(use: (address: string, targets: readonly string[]) => Promise<T>): Promise<T> {
			const targets: string[] = [];
			const proxy = http.createServer();
			proxy.on('connect', (request: http.IncomingMessage, socket: net.Socket) => {
				targets.push(request.url ?? '');
				const upstream = net.connect(port, '127.0.0.1', () => {
					socket.write('HTTP/1.1 200 OK\r\n\r\n');
					upstream.pipe(socket).pipe(upstream);
				});
				upstream.on('error', () => socket.destroy());
				socket.on('error', () => upstream.destroy());
			});
			await listen(proxy);
			try {
				return await use(`http://127.0.0.1:${(proxy.address() as AddressInfo).port}`, targets);
			} finally {
				proxy.closeAllConnections();
				proxy.close();
			}
		}

		function asked(options: ConstructorParameters<typeof Transport>[0]): Promise<string> {
			return throughProxy(async (address, targets) => {
				const transport = new Transport({ ...options, proxy: { https: address } });
				try {
					const response = await transport.send(new URL('https://registry.test/v2/'));
					let text = '';
					for await (const chunk of response) {
						text += String(chunk);
					}
					return `${text} ${targets.at(-1) ?? ''}`;
				} finally {
					transport.close();
				}
			});
		}

		/** What a pull from this host is refused with. */
		async function refusal(host: string, given: RegistrySettings): Promise<string> {
			const reference = parseReference(`${host}/team/app:latest`);
			let registry: Registry | undefined;
			try {
				registry = new Registry(new RegistrySettingsFile(root, {}).sources(reference, undefined, given));
				await registry.manifest(reference);
				return '';
			} catch (error) {
				assert.ok(error instanceof EngineError, String(error));
				return `${error.code}: ${error.message}`;
			} finally {
				registry?.close();
			}
		}

		function refusalThroughProxy(given: RegistrySettings = {}): Promise<string> {
			return throughProxy((proxy) => refusal('registry.test', { ...given, proxy }));
		}

		it('an unknown authority is refused, one in certs.d is trusted, an insecure host is not checked', async () => {
			await assert.rejects(asked({}), /self-signed certificate/);
			const certificates = path.join(folder, 'certs.d');
			fs.mkdirSync(path.join(certificates, 'registry.test'), { recursive: true });
			fs.copyFileSync(path.join(folder, 'ca.crt'), path.join(certificates, 'registry.test', 'ca.crt'));
			const settings = new RegistrySettingsFile(root, {});
			const { transport } = settings.origin('registry.test', undefined, { certificates: [certificates] });
			assert.equal(await asked(transport), 'safe registry.test:443');
			assert.equal(await asked({ insecure: ['registry.test'] }), 'safe registry.test:443');
			await assert.rejects(asked(settings.origin('registry.test', undefined, undefined).transport));
		});

		it('a client certificate with the key of another: the same error with a proxy as without', async () => {
			const { of } = certificateFolder('registry.test', 'client');
			newCertificate('other', ['-keyout', file('other.key'), '-out', file('other.cert')]);
			const [certificate, key] = [of('client.cert'), file('other.key')].map((each) =>
				fs.readFileSync(each, 'utf8'),
			);
			const own = { certificate: certificate ?? '', key: key ?? '' };
			const code = { code: 'ERR_OSSL_X509_KEY_VALUES_MISMATCH' };
			await assert.rejects(asked({ clientCertificate: { host: 'registry.test', ...own } }), code);
			const transport = new Transport({ clientCertificate: { host: `127.0.0.1:${port}`, ...own } });
			await assert.rejects(transport.send(new URL(`https://127.0.0.1:${port}/`)), code);
			transport.close();
		});

		for (const [what, spoil, reason] of [
			[
				'the key of another certificate',
				(of) => {
					newCertificate('other', ['-keyout', of('client.key'), '-out', file('other.cert')]);
				},
				/Cannot use client certificate "\S+\/client\.cert": "\S+\/client\.key" is the key of another certificate$/,
			],
			[
				'junk for a key',
				(of) => {
					fs.writeFileSync(of('client.key'), 'junk');
				},
				/Cannot use key "\S+\/client\.key": it holds no private key in PEM form$/,
			],
			[
				'an empty key',
				(of) => {
					fs.writeFileSync(of('client.key'), '');
				},
				/Cannot use key "\S+\/client\.key": it holds no private key in PEM form$/,
			],
			[
				'junk for a certificate',
				(of) => {
					fs.writeFileSync(of('client.cert'), 'junk');
				},
				/Cannot use certificate "\S+\/client\.cert": it holds no certificate in PEM form$/,
			],
			[
				'a key with a passphrase',
				(of) => {
					const pkcs8 = [
						'pkcs8',
						'-topk8',
						'-passout',
						'pass:x',
						'-in',
						of('client.key'),
						'-out',
						file('locked'),
					];
					execFileSync('openssl', pkcs8, { stdio: 'ignore' });
					fs.renameSync(file('locked'), of('client.key'));
				},
				/Cannot use key "\S+\/client\.key": it wants a passphrase: keep it without one$/,
			],
			[
				'no key',
				(of) => {
					fs.rmSync(of('client.key'));
				},
				/Cannot use certificates of "\S+\/registry\.test": missing key client\.key for client certificate client\.cert$/,
			],
			[
				'no certificate',
				(of) => {
					fs.rmSync(of('client.cert'));
				},
				/Cannot use certificates of "\S+\/registry\.test": missing client certificate client\.cert for key client\.key$/,
			],
			[
				'an authority that is none',
				(of) => {
					fs.writeFileSync(of('ca.crt'), 'junk');
				},
				/Cannot use certificate "\S+\/ca\.crt": it holds no certificate in PEM form$/,
			],
			[
				'an authority that is a folder',
				(of) => {
					fs.mkdirSync(of('ca.crt'));
				},
				/Cannot read "\S+\/ca\.crt": it is not a file$/,
			],
		] as readonly [string, (of: (file: string) => string) => void, RegExp][]) {
			it(`a folder of certificates with ${what}: the file is named`, async () => {
				const { certificates, of } = certificateFolder('registry.test', 'client');
				spoil(of);
				const message = await refusalThroughProxy({ certificates: [certificates] });
				assert.match(message, new RegExp(`^invalid: ${reason.source}`));
			});
		}

		it('a registry that wants a client certificate: where to put it; with it, it answers', async () => {
			const { certificates, of } = certificateFolder('registry.test', 'client');
			fs.copyFileSync(file('ca.crt'), of('ca.crt'));
			fs.mkdirSync(file('trusted/registry.test'), { recursive: true });
			fs.copyFileSync(file('ca.crt'), file('trusted/registry.test/ca.crt'));
			for (const maxVersion of ['TLSv1.3', 'TLSv1.2'] as const) {
				const wanting = https.createServer(
					{
						key: fs.readFileSync(file('key.pem')),
						cert: fs.readFileSync(file('ca.crt')),
						ca: fs.readFileSync(of('client.cert')),
						requestCert: true,
						maxVersion,
					},
					(_, response) => response.writeHead(404).end(),
				);
				await listen(wanting);
				({ port } = wanting.address() as AddressInfo);
				try {
					const wants =
						/^unreachable: .*wants a client certificate: put it and its key as "registry\.test\/client\.cert"/;
					assert.match(await refusalThroughProxy({ certificates: [file('trusted')] }), wants);
					assert.match(await refusal(`127.0.0.1:${port}`, {}), /wants a client certificate/, 'not "hang up"');
					assert.match(await refusalThroughProxy({ certificates: [certificates] }), /^not-found: /);
				} finally {
					wanting.closeAllConnections();
					wanting.close();
				}
			}
		});

		it('an unknown authority: the setting is named, and no option of Node', async () => {
			assert.equal(
				await refusalThroughProxy(),
				'unreachable: Cannot pull image "registry.test/team/app:latest": registry "registry.test" does not answer: ' +
					"its certificate is signed by nobody who is trusted here: put the signer's certificate as " +
					'"registry.test/ca.crt" into a folder of "certificates" in registries.json ' +
					'(VS Code: mydocker.registries.certificates)',
			);
		});

		it('plain HTTP behind https: the setting that allows it is named', async () => {
			port = Number(origin.host.split(':')[1]);
			assert.equal(
				await refusalThroughProxy(),
				'unreachable: Cannot pull image "registry.test/team/app:latest": registry "registry.test" does not answer: ' +
					'it speaks plain HTTP, not https; to allow that, add "registry.test" to "insecure" in registries.json ' +
					'(VS Code: mydocker.registries.insecure)',
			);
		});

		it('a proxy that speaks plain HTTP and is said to speak https: it is named', async () => {
			await throughProxy(async (address) => {
				const proxy = address.replace('http:', 'https:');
				const reason = `proxy "${new URL(address).host}" does not answer: it speaks plain HTTP, not https`;
				assert.ok((await refusal('registry.test', { proxy })).endsWith(reason));
			});
		});
	});
});
