import * as assert from 'node:assert/strict';
import { runVerb } from './verbs';

const ID = 'a1b2c3d4e5f6'.padEnd(64, '0');

async function createdWith(...flags: string[]): Promise<unknown> {
	const answers = { 'POST /networks/create': [201, { Id: ID, Warning: '' }] } as const;
	const { code, stdout, requests } = await runVerb(['network', 'create', ...flags, 'app'], answers);
	assert.deepEqual([code, stdout], [0, `${ID}\n`]);
	return requests[0]?.[1];
}

describe('network', () => {
	const usual = { CheckDuplicate: true, Name: 'app', Driver: 'bridge', Internal: false, Labels: {}, Options: {} };

	it('create: every flag is in the request, pools with the subnet that they lie in', async () => {
		assert.deepEqual(await createdWith(), { ...usual, IPAM: { Config: [] } });
		const pools = ['--subnet', '10.9.0.0/16', '--subnet', 'fd09::/64', '--gateway', 'fd09::9'];
		const range = ['--gateway', '10.9.0.9', '--ip-range', '10.9.4.0/24'];
		const rest = [
			'--ipv6',
			'--internal',
			'--label',
			'a=b',
			'--label',
			'c',
			'-o',
			'com.docker.network.driver.mtu=9000',
		];
		assert.deepEqual(await createdWith(...pools, ...range, ...rest, '-d', 'bridge'), {
			...usual,
			Internal: true,
			EnableIPv6: true,
			IPAM: {
				Config: [
					{ Subnet: '10.9.0.0/16', IPRange: '10.9.4.0/24', Gateway: '10.9.0.9' },
					{ Subnet: 'fd09::/64', Gateway: 'fd09::9' },
				],
			},
			Labels: { a: 'b', c: '' },
			Options: { 'com.docker.network.driver.mtu': '9000' },
		});
	});

	it('create: pools that do not fit are refused before anything is asked', async () => {
		for (const [flags, message] of [
			[['--gateway', '10.9.0.1'], 'every ip-range or gateway must have a corresponding subnet'],
			[['--subnet', '10.9.0.0/16', '--gateway', '10.8.0.1'], 'no matching subnet for gateway 10.8.0.1'],
			[['--subnet', '10.9.0.0/16', '--ip-range', '10.8.0.0/24'], 'no matching subnet for range 10.8.0.0/24'],
			[
				['--subnet', '10.9.0.0/16', '--subnet', '10.9.1.0/24'],
				'multiple overlapping subnet configuration is not supported',
			],
			[['--subnet', '10.9.0.0', '--gateway', '10.9.0.1'], 'invalid CIDR address: 10.9.0.0'],
		] as const) {
			await assert.rejects(createdWith(...flags), { message });
		}
	});

	it('list: docker’s table, quiet, filters', async () => {
		const network = { Id: ID, Name: 'app', Driver: 'bridge', Scope: 'local', Internal: false };
		const table = await runVerb(['network', 'ls'], { 'GET /networks?filters={}': [200, [network]] });
		assert.equal(
			table.stdout,
			'NETWORK ID     NAME      DRIVER    SCOPE\na1b2c3d4e5f6   app       bridge    local\n',
		);
		const url = 'GET /networks?filters={"driver":["bridge"]}';
		const asked = await runVerb(['network', 'ls', '-q', '--no-trunc', '-f', 'driver=bridge'], {
			[url]: [200, [network]],
		});
		assert.equal(asked.stdout, `${ID}\n`);
	});

	it('connect and disconnect: alias, addresses, links, force', async () => {
		const done = {
			'POST /networks/app/connect': [200, undefined],
			'POST /networks/app/disconnect': [200, undefined],
		} as const;
		const flags = ['--alias', 'www', '--ip', '10.9.0.5', '--ip6', 'fd09::5', '--link', 'db'];
		assert.deepEqual((await runVerb(['network', 'connect', ...flags, 'app', 'web'], done)).requests[0]?.[1], {
			Container: 'web',
			EndpointConfig: {
				Aliases: ['www'],
				Links: ['db:db'],
				IPAMConfig: { IPv4Address: '10.9.0.5', IPv6Address: 'fd09::5' },
			},
		});
		assert.deepEqual((await runVerb(['network', 'disconnect', '-f', 'app', 'web'], done)).requests[0]?.[1], {
			Container: 'web',
			Force: true,
		});
	});

	it('remove: each in turn, what fails is said and counts', async () => {
		const { code, stdout, stderr } = await runVerb(['network', 'rm', 'app', 'nosuch'], {
			'DELETE /networks/app': [204, undefined],
			'DELETE /networks/nosuch': [404, { message: 'network nosuch not found' }],
		});
		assert.deepEqual([code, stdout], [1, 'app\n']);
		assert.match(stderr, /network nosuch not found/);
	});

	it('prune: docker’s list', async () => {
		const { stdout } = await runVerb(['network', 'prune', '-f'], {
			'POST /networks/prune?filters={}': [200, { NetworksDeleted: ['app'] }],
		});
		assert.equal(stdout, 'Deleted Networks:\napp\n\n');
	});
});

describe('volume', () => {
	it('create: name, driver, labels, options', async () => {
		const answers = { 'POST /volumes/create': [201, { Name: 'data' }] } as const;
		const flags = ['--label', 'a=b', '-o', 'type=none', '-o', 'o=bind', '-o', 'device=/srv'];
		const { stdout, requests } = await runVerb(['volume', 'create', ...flags, 'data'], answers);
		assert.equal(stdout, 'data\n');
		assert.deepEqual(requests[0]?.[1], {
			Name: 'data',
			Driver: 'local',
			Labels: { a: 'b' },
			DriverOpts: { type: 'none', o: 'bind', device: '/srv' },
		});
	});

	it('prune: --all is a filter; the space is said', async () => {
		const { stdout } = await runVerb(['volume', 'prune', '--all', '--force'], {
			'POST /volumes/prune?filters={"all":["true"]}': [200, { VolumesDeleted: ['data'], SpaceReclaimed: 4096 }],
		});
		assert.equal(stdout, 'Deleted Volumes:\ndata\n\nTotal reclaimed space: 4.096kB\n');
	});
});

describe('inspect of any object', () => {
	it('looks for a container, an image, a network, a volume; --type for one kind', async () => {
		const answers = { 'GET /volumes/data': [200, { Name: 'data' }] } as const;
		const any = await runVerb(['inspect', '-f', '{{.Name}}', 'data'], answers);
		assert.deepEqual(
			any.requests.map(([name]) => name),
			['GET /containers/data/json', 'GET /images/data/json', 'GET /networks/data', 'GET /volumes/data'],
		);
		assert.equal(any.stdout, 'data\n');
		const one = await runVerb(['inspect', '--type', 'network', 'data']);
		assert.deepEqual([one.code, one.requests.map(([name]) => name)], [1, ['GET /networks/data']]);
	});
});

describe('prune', () => {
	it('--dry-run: what would go, with its bytes, as if containers had gone before', async () => {
		const dry = 'dry-run=1&without-containers';
		const { code, stdout } = await runVerb(['system', 'prune', '--all', '--volumes', '--dry-run'], {
			[`POST /containers/prune?filters={}&${dry}=0`]: [200, { ContainersDeleted: ['c'], SpaceReclaimed: 10 }],
			[`POST /networks/prune?filters={}&${dry}=0`]: [200, { NetworksDeleted: ['n'] }],
			[`POST /volumes/prune?filters={}&${dry}=1`]: [200, { VolumesDeleted: ['v'], SpaceReclaimed: 20 }],
			[`POST /images/prune?filters={"dangling":["false"]}&${dry}=1`]: [
				200,
				{ ImagesDeleted: [{ Untagged: 'i:1' }, { Deleted: 'sha256:1' }], SpaceReclaimed: 30 },
			],
		});
		assert.equal(code, 0);
		assert.equal(
			stdout,
			'Containers that would be deleted (10B):\nc\n\nNetworks that would be deleted:\nn\n\n' +
				'Volumes that would be deleted (20B):\nv\n\nImages that would be deleted (30B):\nuntagged: i:1\n' +
				'deleted: sha256:1\n\nTotal reclaimable space: 60B\n',
		);
	});

	it('what could not be removed is told, in one line each, and the exit code is 1', async () => {
		const { code, stdout, stderr } = await runVerb(['volume', 'prune', '-f'], {
			'POST /volumes/prune?filters={}': [
				200,
				{
					VolumesDeleted: ['gone'],
					SpaceReclaimed: 1,
					Failures: [{ Kind: 'volume', Name: 'stays\n', Reason: 'EBUSY' }],
				},
			],
		});
		assert.deepEqual([code, stdout], [1, 'Deleted Volumes:\ngone\n\nTotal reclaimed space: 1B\n']);
		assert.equal(stderr, 'Cannot remove volume "stays\ufffd": EBUSY\n');
	});

	it('asks in docker’s words first, and removes nothing unless the answer is y', async () => {
		const version = { 'GET /version': [200, { ApiVersion: '1.47' }] } as const;
		const cases: readonly (readonly [string, string])[] = [
			['container prune', ' all stopped containers.'],
			['image prune', ' all dangling images.'],
			['image prune -a', ' all images without at least one container associated to them.'],
			['network prune', ' all custom networks not used by at least one container.'],
			['volume prune', ' anonymous local volumes not used by at least one container.'],
			['volume prune -a', ' all local volumes not used by at least one container.'],
			[
				'system prune',
				':\n  - all stopped containers\n  - all networks not used by at least one container\n  - all dangling images\n',
			],
			[
				'system prune -a --volumes --filter label=x --filter label=a',
				':\n  - all stopped containers\n  - all networks not used by at least one container\n' +
					'  - all anonymous volumes not used by at least one container\n' +
					'  - all images without at least one container associated to them\n\n' +
					'  Items to be pruned will be filtered with:\n  - label=a\n  - label=x\n',
			],
		];
		for (const [words, warning] of cases) {
			for (const input of ['', 'n\n', 'yes\n', '\n', 'n']) {
				const { code, stdout, stderr, requests } = await runVerb(words.split(' '), version, { input });
				const question = 'Are you sure you want to continue? [y/N] ';
				assert.deepEqual(
					{ code, stdout, stderr, posts: requests.filter(([name]) => name.startsWith('POST')) },
					{ code: 0, stdout: `WARNING! This will remove${warning}\n${question}`, stderr: '', posts: [] },
				);
			}
		}
	});

	it('goes on after y, in either case', async () => {
		for (const input of ['y\n', 'Y\n', 'y']) {
			const { stdout } = await runVerb(
				['network', 'prune'],
				{ 'POST /networks/prune?filters={}': [200, { NetworksDeleted: ['app'] }] },
				{ input },
			);
			assert.match(stdout, /\? \[y\/N\] Deleted Networks:\napp\n\n$/);
		}
	});

	it('tells a person how many bytes would come free, and of the preview', async () => {
		const answers = {
			'POST /images/prune?filters={"dangling":["true"]}&dry-run=1&without-containers=0': [
				200,
				{ ImagesDeleted: [{ Deleted: 'sha256:1' }], SpaceReclaimed: 89_550_000 },
			],
		} as const;
		const { stdout, requests } = await runVerb(['image', 'prune'], answers, { isTerminal: true });
		assert.equal(
			stdout,
			'WARNING! This will remove all dangling images.\n89.55MB would come free; --dry-run lists what goes.\n' +
				'Are you sure you want to continue? [y/N] ',
		);
		assert.deepEqual(
			requests.map(([name]) => name),
			Object.keys(answers),
		);
		const foreign: Readonly<Record<string, readonly [number, unknown]>> = {
			...answers,
			[Object.keys(answers)[0] ?? '']: [501, { message: 'no', code: 'unsupported' }],
		};
		assert.doesNotMatch((await runVerb(['image', 'prune'], foreign, { isTerminal: true })).stdout, /free/);
	});

	it('an engine before 1.42 takes volumes with a name, and the question says so', async () => {
		const version = { 'GET /version': [200, { ApiVersion: '1.41' }] } as const;
		const { stdout } = await runVerb(['volume', 'prune'], version);
		assert.match(stdout, /remove all local volumes not/);
	});
});
