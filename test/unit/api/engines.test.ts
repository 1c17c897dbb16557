import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as net from 'node:net';
import * as os from 'node:os';
import * as path from 'node:path';
import { contextId } from '../../../src/api/contexts';
import { findEngines, type Machine } from '../../../src/api/engines';

describe('finding engines', () => {
	let folder: string;
	let machine: Machine;
	const servers: net.Server[] = [];

	beforeEach(() => {
		folder = fs.mkdtempSync(path.join(os.tmpdir(), 'mydocker-engines-'));
		machine = { env: {}, home: path.join(folder, 'home'), uid: 1000, platform: 'linux', root: folder };
	});

	afterEach(() => {
		for (const server of servers.splice(0)) {
			server.close();
		}
		fs.rmSync(folder, { recursive: true });
	});

	async function listen(file: string): Promise<string> {
		const place = path.join(folder, file);
		fs.mkdirSync(path.dirname(place), { recursive: true });
		const server = net.createServer(() => {
			assert.fail('somebody connected');
		});
		servers.push(server);
		await new Promise<void>((resolve) => server.listen(place, resolve));
		return place;
	}

	function writeContext(name: string, content: unknown, id = contextId(name)): string {
		const meta = path.join(machine.home, '.docker/contexts/meta', id);
		fs.mkdirSync(meta, { recursive: true });
		const text = typeof content === 'string' ? content : JSON.stringify(content);
		fs.writeFileSync(path.join(meta, 'meta.json'), text);
		return meta;
	}

	const names = async () => (await findEngines(machine)).map(({ name, host }) => [name, host]);

	it('finds nothing where there is nothing', async () => {
		assert.deepEqual(await names(), []);
	});

	it('finds the sockets that exist, each once, and connects to none', async () => {
		const docker = await listen('run/docker.sock');
		fs.mkdirSync(path.join(folder, 'var'));
		fs.symlinkSync('../run', path.join(folder, 'var/run'));
		const podman = await listen('run/user/1000/podman/podman.sock');
		fs.mkdirSync(path.join(machine.home, '.docker/desktop'), { recursive: true });
		fs.symlinkSync(docker, path.join(machine.home, '.docker/desktop/docker.sock'));
		fs.mkdirSync(path.join(machine.home, '.rd'));
		fs.writeFileSync(path.join(machine.home, '.rd/docker.sock'), 'no socket');
		assert.deepEqual(await names(), [
			['Docker', `unix://${path.join(folder, 'var/run/docker.sock')}`],
			['Podman', `unix://${podman}`],
		]);
	});

	it("reads docker's contexts, their certificates, and which one is current", async () => {
		writeContext('box', {
			Name: 'box',
			Metadata: { Description: 'The big one' },
			Endpoints: { docker: { Host: 'tcp://10.0.0.1:2376', SkipTLSVerify: false } },
		});
		writeContext('far', { Name: 'far', Metadata: {}, Endpoints: { docker: { Host: 'ssh://me@far' } } });
		const tls = path.join(machine.home, '.docker/contexts/tls', contextId('box'), 'docker');
		fs.mkdirSync(tls, { recursive: true });
		fs.writeFileSync(path.join(tls, 'ca.pem'), '');
		fs.writeFileSync(path.join(machine.home, '.docker/config.json'), '{"currentContext":"far"}');
		assert.deepEqual(await findEngines(machine), [
			{
				id: 'context box',
				name: 'box',
				host: 'tcp://10.0.0.1:2376',
				endpoint: {
					...{ kind: 'tcp', host: '10.0.0.1', port: 2376 },
					tls: { ca: path.join(tls, 'ca.pem'), cert: undefined, key: undefined, isVerified: true },
				},
				context: 'box',
				isCurrent: false,
			},
			{
				id: 'context far',
				name: 'far',
				host: 'ssh://me@far',
				endpoint: { kind: 'ssh', user: 'me', host: 'far', port: undefined, path: undefined },
				context: 'far',
				isCurrent: true,
			},
		]);
	});

	it('DOCKER_HOST is one, with its certificates', async () => {
		machine = { ...machine, env: { DOCKER_HOST: 'tcp://box', DOCKER_TLS_VERIFY: '1', DOCKER_CERT_PATH: '/certs' } };
		const [found] = await findEngines(machine);
		assert.deepEqual(found, {
			id: 'context default',
			name: 'DOCKER_HOST',
			host: 'tcp://box:2376',
			endpoint: {
				...{ kind: 'tcp', host: 'box', port: 2376 },
				tls: { ca: '/certs/ca.pem', cert: '/certs/cert.pem', key: '/certs/key.pem', isVerified: true },
			},
			context: 'default',
			isCurrent: true,
		});
	});

	it('leaves out what no context should be: other names, broken, huge and hostile files', async () => {
		const docker = { docker: { Host: 'unix:///x.sock' } };
		writeContext('stolen', { Name: 'other', Endpoints: docker });
		writeContext('-option', { Name: '-option', Endpoints: docker });
		writeContext('default', { Name: 'default', Endpoints: docker });
		writeContext('broken', '{"Name":');
		writeContext('array', []);
		writeContext('none', 'null');
		writeContext('number', { Name: 7, Endpoints: docker });
		writeContext('shell', { Name: 'shell', Endpoints: { docker: { Host: 'ssh://-oProxyCommand=id/' } } });
		writeContext('hostless', { Name: 'hostless', Endpoints: { docker: { Host: {} } } });
		writeContext('bare', { Name: 'bare' });
		const huge = writeContext('huge', { Name: 'huge', Endpoints: docker });
		fs.truncateSync(path.join(huge, 'meta.json'), 2 * 1024 * 1024);
		const folderInstead = writeContext('folder', '');
		fs.rmSync(path.join(folderInstead, 'meta.json'));
		fs.mkdirSync(path.join(folderInstead, 'meta.json'));
		const loop = writeContext('loop', '');
		fs.rmSync(path.join(loop, 'meta.json'));
		fs.symlinkSync('meta.json', path.join(loop, 'meta.json'));
		writeContext('good', { Name: 'good', Endpoints: docker, __proto__: { Host: 'x' } });
		assert.deepEqual(await names(), [['good', 'unix:///x.sock']]);
	});
});
