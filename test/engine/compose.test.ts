import * as assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { fetchFromHost, isolatedEngine, traces } from './namespace';
import './setup';
import { leaksOf, pushImages, startRegistries, type Subject } from './subject';
import { hasProgram, Workspace } from './workspace';

/** Debian's docker-compose (1.29), the oldest client in use that knows nothing of us. */
describe('docker-compose', function () {
	this.timeout(120_000);
	const workspace = new Workspace('compose');
	let subject: Subject;
	let holder = 0;
	let folder = '';

	before(async function () {
		if (process.getuid?.() !== 0 || !hasProgram('docker-compose')) {
			this.skip();
		}
		const registries = await startRegistries(workspace);
		const images = await pushImages(registries);
		({ subject, holder } = await isolatedEngine(workspace, { images, registries }));
		folder = workspace.folder('project');
		fs.writeFileSync(path.join(folder, 'docker-compose.yml'), JSON.stringify(project(images.busybox.reference)));
	});

	after(() => workspace.dispose());

	const compose = (...args: string[]): string => {
		const { status, stdout, stderr } = spawnSync('docker-compose', ['--project-name', 'shop', ...args], {
			cwd: folder,
			env: { PATH: process.env['PATH'], HOME: folder, DOCKER_HOST: `unix://${subject.socket}` },
			encoding: 'utf8',
		});
		assert.equal(status, 0, `docker-compose ${args.join(' ')}: ${stdout}${stderr}`);
		return stdout;
	};

	it('three services, a network, a volume and ports: up and down, and nothing is left', async () => {
		const atFirst = traces(holder);
		compose('up', '-d');
		assert.match(fetchFromHost(holder, '127.0.0.1', 8090), /from db through api/);
		assert.match(compose('ps'), /shop_web_1 .*Up .*0\.0\.0\.0:8090->80\/tcp/);
		assert.match(compose('logs', '--no-color', 'web'), /^web_1 +\| web is up$/m);
		assert.deepEqual(
			(await subject.client.volumes.list()).map(({ Name }) => Name),
			['shop_data'],
		);
		compose('down', '-v', '-t', '0');
		await assertNothingIsLeft(atFirst);
	});

	it('once more, with a service scaled, stopped, started, restarted, run once, made again when its configuration changes', async () => {
		const atFirst = traces(holder);
		compose('up', '-d', '--scale', 'api=2');
		const [before] = await idsOf('web');
		assert.equal((await idsOf('api')).length, 2);
		compose('stop', '-t', '0', 'web');
		compose('start', 'web');
		compose('restart', '-t', '0', 'web');
		assert.match(fetchFromHost(holder, '127.0.0.1', 8090), /from db through api/);
		// Its links name the service it depends on.
		assert.match(compose('run', '--rm', '-T', 'api', 'cat', '/etc/hosts'), /\bdb\b/);
		compose('up', '-d', '--scale', 'api=1', '-t', '0');
		assert.deepEqual([(await idsOf('api')).length, (await idsOf('web'))[0]], [1, before]);
		fs.writeFileSync(path.join(folder, '.env'), 'GREETING=changed\n');
		compose('up', '-d', '-t', '0');
		assert.notDeepEqual(await idsOf('web'), [before]);
		assert.match(fetchFromHost(holder, '127.0.0.1', 8090), /from db through api/);
		compose('down', '-v', '-t', '0');
		await assertNothingIsLeft(atFirst);
	});

	async function idsOf(service: string): Promise<string[]> {
		const filters = { label: [`com.docker.compose.service=${service}`] };
		return (await subject.client.containers.list({ filters })).map(({ Id }) => Id);
	}

	async function assertNothingIsLeft(atFirst: readonly string[]): Promise<void> {
		const { containers, networks, volumes } = subject.client;
		assert.deepEqual(await containers.list({ all: true }), []);
		assert.deepEqual((await networks.list()).map(({ Name }) => Name).sort(), ['bridge', 'host', 'none']);
		assert.deepEqual(await volumes.list(), []);
		assert.deepEqual(traces(holder), atFirst);
		assert.deepEqual(leaksOf(path.join(subject.root, 'containers'), subject.ids), []);
	}
});

/** web asks api by its alias, api reads what db wrote into their volume. */
function project(image: string): object {
	const wait = (condition: string): string => `until ${condition}; do sleep 0.1; done; `;
	const httpd = 'trap "exit 0" TERM; httpd -f -p 80 -h /www & wait';
	const script = (...parts: string[]): string[] => ['sh', '-c', parts.join('').replaceAll('$', '$$$$')];
	return {
		version: '3.8',
		services: {
			web: {
				image,
				command: script(
					'mkdir -p /www; ',
					wait('wget -q -O /www/index.html http://backend/'),
					'echo web is up; ',
					httpd,
				),
				environment: { GREETING: '${GREETING:-none}' },
				ports: ['8090:80', '127.0.0.1:8091:80', '8092:80/udp'],
				depends_on: ['api', 'db'],
				networks: ['front', 'back'],
			},
			api: {
				image,
				command: script(
					'mkdir -p /www; ',
					wait('test -s /data/text'),
					'echo "$(cat /data/text) through api" >/www/index.html; ',
					httpd,
				),
				depends_on: ['db'],
				volumes: ['data:/data:ro'],
				networks: { back: { aliases: ['backend'] } },
			},
			db: {
				image,
				command: script('echo from db >/data/text; trap "exit 0" TERM; sleep 1000 & wait'),
				labels: { tier: 'data' },
				volumes: ['data:/data'],
				networks: ['back'],
			},
		},
		networks: { front: {}, back: { ipam: { config: [{ subnet: '10.77.5.0/24' }] }, labels: { tier: 'inside' } } },
		volumes: { data: {} },
	};
}
