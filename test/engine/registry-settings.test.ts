import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as http from 'node:http';
import * as https from 'node:https';
import * as net from 'node:net';
import type { AddressInfo } from 'node:net';
import * as path from 'node:path';
import { isHostIn } from '../../src/core/image/hosts';
import { proxyFor } from '../../src/core/image/proxy';
import { parseReference } from '../../src/core/image/reference';
import { Registry } from '../../src/core/image/registry';
import { RegistrySettingsFile } from '../../src/core/image/registry-settings';
import type { RegistrySettings } from '../../src/core/image/registry-settings';
import { Transport } from '../../src/core/image/transport';
import { RegistryServer } from '../unit/image/registry-server';
import { scratchFolder } from '../unit/image/scratch';

const TYPE = 'application/vnd.oci.image.manifest.v1+json';

describe('registry settings', () => {
	let root: string;
	let mirror: RegistryServer;
	let origin: RegistryServer;

	beforeEach(async () => {
		root = scratchFolder();
		[mirror, origin] = [new RegistryServer(), new RegistryServer()];
		await Promise.all([mirror.listen(), origin.listen()]);
		origin.putManifest({ from: 'origin' }, TYPE, 'latest');
	});

	afterEach(async () => {
		await Promise.all([mirror.close(), origin.close()]);
		fs.rmSync(root, { recursive: true });
	});

	async function fetch(given: RegistrySettings | undefined, auth?: object): Promise<string> {
		const reference = parseReference(`${origin.host}/team/app:latest`);
		const registry = new Registry(new RegistrySettingsFile(root, {}).sources(reference, auth, given));
		try {
			return (await registry.manifest(reference)).bytes.toString();
		} finally {
			registry.close();
		}
	}

	it('a mirror is asked first, by the rest of the name below its own path', async () => {
		mirror.putManifest({ from: 'mirror' }, TYPE, 'latest');
		const given = { mirrors: { [`${origin.host}/team`]: [`http://${mirror.host}/cache/team`] } };
		assert.equal(await fetch(given), '{"from":"mirror"}');
		assert.deepEqual([mirror.requests, origin.requests], [['GET /v2/cache/team/app/manifests/latest'], []]);
	});

	it('the longest beginning counts, and a beginning ends at a slash', async () => {
		mirror.putManifest({ from: 'mirror' }, TYPE, 'latest');
		const mirrors = { [origin.host]: ['127.0.0.1:1'], [`${origin.host}/team/app`]: [`${mirror.host}/x`] };
		assert.equal(await fetch({ mirrors }), '{"from":"mirror"}');
		assert.equal(await fetch({ mirrors: { [`${origin.host}/tea`]: [mirror.host] } }), '{"from":"origin"}');
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
			assert.equal(await fetch({ mirrors: { [origin.host]: [mirror.host] } }), '{"from":"origin"}');
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
		assert.equal(await fetch(given, { username: 'u', password: 'p' }), '{"from":"origin"}');
		assert.deepEqual([...new Set(mirror.authorizations)], ['']);
		assert.ok(origin.authorizations.some((header) => header.startsWith('Basic ')));
	});

	it('the file is read at each request; what a request says goes before it', async () => {
		mirror.putManifest({ from: 'mirror' }, TYPE, 'latest');
		assert.equal(await fetch(undefined), '{"from":"origin"}');
		const file = path.join(root, 'registries.json');
		fs.writeFileSync(file, JSON.stringify({ mirrors: { [origin.host]: [mirror.host] } }));
		assert.equal(await fetch(undefined), '{"from":"mirror"}');
		assert.equal(await fetch({ mirrors: { [origin.host]: [] } }), '{"from":"origin"}');
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
		assert.throws(
			() => proxyFor(new URL('http://x.io/'), { http: 'socks5://u:secret@p' }),
			(error: Error) => !error.message.includes('secret'),
		);
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

		beforeEach(async () => {
			folder = scratchFolder();
			const file = (name: string): string => path.join(folder, name);
			const subject = ['-subj', '/CN=registry.test', '-addext', 'subjectAltName=DNS:registry.test'];
			execFileSync(
				'openssl',
				[
					'req',
					'-x509',
					'-newkey',
					'ec',
					'-pkeyopt',
					'ec_paramgen_curve:prime256v1',
					'-nodes',
					'-days',
					'2',
					'-keyout',
					file('key.pem'),
					'-out',
					file('ca.crt'),
					...subject,
				],
				{ stdio: 'ignore' },
			);
			server = https.createServer(
				{ key: fs.readFileSync(file('key.pem')), cert: fs.readFileSync(file('ca.crt')) },
				(_, response) => {
					response.end('safe');
				},
			);
			await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
			({ port } = server.address() as AddressInfo);
		});

		afterEach(() => {
			server.closeAllConnections();
			server.close();
			fs.rmSync(folder, { recursive: true });
		});

		/** A proxy that leads every name to the server: registry.test is no name of this machine. */
		async function asked(options: ConstructorParameters<typeof Transport>[0]): Promise<string> {
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
			await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
			const address = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
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
				proxy.closeAllConnections();
				proxy.close();
			}
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
	});
});
