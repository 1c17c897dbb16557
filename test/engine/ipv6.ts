import * as assert from 'node:assert/strict';
import { isIPv6 } from 'node:net';
import * as path from 'node:path';
import type { EndpointJson } from '../../src/api/types';
import { archiveOf } from './archive';
import { defaultPath } from './fixture';
import { exec } from './exec';
import { fetchFromHost, holdNamespace, inNamespace, isolatedEngine, SERVE, startEngine, traces } from './namespace';
import { launch, refused, remove, shell } from './run';
import {
	dockerEngine,
	enginePid,
	leaksOf,
	removeContainers,
	type Images,
	type Registries,
	type Subject,
} from './subject';
import { hasDocker } from './setup';
import { endProcess, until, Workspace } from './workspace';

const BOTH = [
	{ Subnet: '10.99.6.0/24', Gateway: '10.99.6.1' },
	{ Subnet: 'fd00:99::/64', Gateway: 'fd00:99::1' },
];
/** Another machine, and this one as that sees it. */
const [FAR, NEAR] = ['fd00:250::1', 'fd00:250::2'];

interface Given {
	readonly images: Images;
	readonly registries: Registries;
}

/** Networks with IPv6, on our engine and on docker's, each with a machine beside it in network namespaces of their own. */
export function ipv6Cases(given: () => Given): void {
	for (const name of ['embedded', ...(hasDocker ? (['docker'] as const) : [])] as const) {
		describe(`${name}: networks with IPv6`, () => {
			let workspace: Workspace;
			let subject: Subject;
			let holder = 0;
			let other = 0;
			let atFirst: string[] = [];

			before(async function () {
				this.timeout(60_000);
				workspace = new Workspace('ipv6');
				({ subject, holder } = await (name === 'docker' ? isolatedDocker : isolatedEngine)(workspace, given()));
				other = await holdNamespace(workspace);
				await connectMachines(other, holder);
				atFirst = traces(holder);
			});

			beforeEach(() => subject.client.networks.create({ Name: 'app', EnableIPv6: true, IPAM: { Config: BOTH } }));

			afterEach('nothing is left', async () => {
				await removeContainers(subject.client);
				await subject.client.networks.prune();
				if (name === 'embedded') {
					assert.deepEqual(traces(holder), atFirst);
					assert.deepEqual(leaksOf(path.join(subject.root, 'containers'), subject.ids), []);
				}
			});

			after(() => workspace.dispose());

			const web = (host: object = {}, endpoint: EndpointJson = {}): Promise<string> =>
				launch(
					subject,
					{
						Cmd: ['sh', '-c', SERVE, 'web'],
						ExposedPorts: { '80/tcp': {} },
						HostConfig: { NetworkMode: 'app', ...host },
						NetworkingConfig: { EndpointsConfig: { app: endpoint } },
					},
					{ name: 'web' },
				);

			it('create: both subnets are shown; a second one of a family, and one that is taken, are refused', async () => {
				const { networks } = subject.client;
				const { EnableIPv6: isEnabled, IPAM: ipam } = await networks.inspect('app');
				assert.deepEqual([isEnabled, ipam.Config], [true, BOTH]);
				const two = [{ Subnet: 'fd00:98::/64' }, { Subnet: 'fd00:97::/64' }];
				await refused(
					networks.create({ Name: 'two', EnableIPv6: true, IPAM: { Config: two } }),
					403,
					"bridge driver doesn't support multiple subnets",
				);
				await refused(
					networks.create({ ...six('two'), IPAM: { Config: [{ Subnet: 'fd00:99::/48' }] } }),
					name === 'docker' ? 403 : 409,
					'Pool overlaps with other one on this address space',
				);
			});

			it('a container: has an address and a gateway of each family, or the address asked for', async () => {
				const id = await web({}, { IPAMConfig: { IPv6Address: 'fd00:99::77' } });
				const { Networks: joined } = (await subject.client.containers.inspect(id)).NetworkSettings;
				const fields = ['GlobalIPv6Address', 'GlobalIPv6PrefixLen', 'IPv6Gateway', 'IPAddress', 'IPAMConfig'];
				assert.deepEqual(
					Object.fromEntries(Object.entries(joined['app'] ?? {}).filter(([field]) => fields.includes(field))),
					{
						GlobalIPv6Address: 'fd00:99::77',
						GlobalIPv6PrefixLen: 64,
						IPv6Gateway: 'fd00:99::1',
						IPAddress: '10.99.6.2',
						IPAMConfig: { IPv6Address: 'fd00:99::77' },
					},
				);
				const { Containers: members } = await subject.client.networks.inspect('app');
				assert.equal(members?.[id]?.IPv6Address, 'fd00:99::77/64');
				const script = 'ip -6 addr show dev eth0 scope global; ip -6 route';
				const { stdout } = await shell(subject, script, { NetworkMode: 'app' });
				assert.match(stdout, /inet6 fd00:99::2\/64/);
				assert.match(stdout, /default via fd00:99::1 dev eth0/);
			});

			it('names: an AAAA record beside the A, and neighbours talk by it', async () => {
				await web();
				const script = `nslookup -type=aaaa web | grep -A1 web; wget -q -O - http://web/; wget -q -O - 'http://[fd00:99::2]/'`;
				const { stdout } = await shell(subject, script, { NetworkMode: 'app' });
				assert.match(stdout, /fd00:99::2\nhello from web\nhello from web\n/);
			});

			it('a published port: is reached over IPv6 from here, by ::1 too, and from another machine', async () => {
				await web({ PortBindings: { '80/tcp': [{ HostPort: '8080' }] } });
				for (const [from, address] of [
					[holder, '127.0.0.1'],
					[holder, '::1'],
					[holder, NEAR],
					[other, NEAR],
				] as const) {
					assert.match(fetchFromHost(from, address, 8080), /hello from web/, address);
				}
			});

			it('connect and disconnect: a running container gets and loses IPv6 with its way out', async () => {
				const { networks } = subject.client;
				const id = await launch(subject, { Cmd: ['sleep', '60'], HostConfig: { NetworkMode: 'bridge' } });
				const routes = async () => (await exec(subject, id, { Cmd: ['sh', '-c', 'ip -6 route'] })).stdout;
				await networks.connect('app', id);
				assert.match(await routes(), /default via fd00:99::1/);
				await networks.disconnect('app', id);
				assert.doesNotMatch(await routes(), /fd00/);
			});

			// Docker 20 has no rules for IPv6: nothing is translated on the way out, and internal networks are open.
			if (name === 'embedded') {
				it('the way out: other machines see the host; into the network none gets but by a published port', async () => {
					const id = await web();
					inNamespace(other, ['ip', 'route', 'add', 'fd00:99::/64', 'via', NEAR]);
					const ping = `ping -c 1 -W 2 ${FAR} >/dev/null && echo out`;
					assert.match((await exec(subject, id, { Cmd: ['sh', '-c', ping] })).stdout, /out/);
					assert.equal(fetchFromHost(other, 'fd00:99::2', 80, 1), '');
					inNamespace(other, ['ip', 'route', 'del', 'fd00:99::/64']);
				});

				it('an internal network: neighbours talk, and nothing leaves', async () => {
					const { networks } = subject.client;
					await networks.create({ ...six('inside', 'fd00:96::/64', '10.99.7.0/24'), Internal: true });
					await launch(
						subject,
						{ Cmd: ['sh', '-c', SERVE, 'in'], HostConfig: { NetworkMode: 'inside' } },
						{ name: 'in' },
					);
					const script = `wget -q -O - 'http://[fd00:96::2]/'; ip -6 route | grep default; ping -c 1 -w 1 ${NEAR} >/dev/null && echo left; true`;
					assert.equal((await shell(subject, script, { NetworkMode: 'inside' })).stdout, 'hello from in\n');
				});

				it("no subnet: it gets one of the store's own, and none without IPv6", async () => {
					const { networks } = subject.client;
					await networks.create({ Name: 'any', EnableIPv6: true });
					const [, ipv6] = (await networks.inspect('any')).IPAM.Config ?? [];
					assert.match(ipv6?.Subnet ?? '', /^fd[0-9a-f]{2}:[0-9a-f:]+::\/64$/);
					assert.ok(isIPv6(ipv6?.Gateway ?? ''));
					const { Warning: warning } = await networks.create({
						Name: 'four',
						IPAM: { Config: [{ Subnet: 'fd00:95::/64' }] },
					});
					assert.match(warning, /fd00:95::\/64 is not used/);
				});

				it('engine killed: the rules go on, the next one knows the addresses and cleans up', async () => {
					const id = await web({ PortBindings: { '80/tcp': [{ HostPort: '8080' }] } });
					await endProcess(enginePid(subject.root) ?? 0, 'SIGKILL');
					assert.match(fetchFromHost(other, NEAR, 8080), /hello from web/, 'without an engine');
					await startEngine(subject, holder);
					assert.match(fetchFromHost(holder, '::1', 8080), /hello from web/);
					await endProcess((await subject.client.containers.inspect(id)).State.Pid, 'SIGKILL');
					await endProcess(enginePid(subject.root) ?? 0, 'SIGKILL');
					await startEngine(subject, holder);
					assert.deepEqual(traces(holder), atFirst);
					await remove(subject, id);
				});
			}
		});
	}
}

function six(name: string, ipv6 = 'fd00:99::/64', ipv4 = '10.99.6.0/24') {
	return { Name: name, EnableIPv6: true, IPAM: { Config: [{ Subnet: ipv4 }, { Subnet: ipv6 }] } };
}

async function connectMachines(other: number, holder: number): Promise<void> {
	inNamespace(other, ['ip', 'link', 'add', 'wire', 'type', 'veth', 'peer', 'wire', 'netns', String(holder)]);
	for (const [there, address] of [
		[other, FAR],
		[holder, NEAR],
	] as const) {
		inNamespace(
			there,
			['ip', '-batch', '-'],
			`addr add ${address}/64 dev wire nodad\nlink set wire addrgenmode none\nlink set wire up\n`,
		);
	}
	const state = () => inNamespace(holder, ['ip', 'link', 'show', 'wire']);
	await until('the wire is up', () => state().includes('state UP') || undefined);
}

/** dockerd with a bridge of its own, and busybox in its store by import: its namespace has no way to our registry. */
async function isolatedDocker(
	workspace: Workspace,
	given: Given,
): Promise<{ readonly subject: Subject; readonly holder: number }> {
	const holder = await holdNamespace(workspace);
	const docker = await dockerEngine(workspace, holder);
	const { reference, fixture } = given.images.busybox;
	const entries = fixture.layers.flatMap((layer) => layer.entries);
	await docker.client.images.import(archiveOf(entries), { target: reference, changes: [`ENV PATH=${defaultPath}`] });
	return { subject: { ...docker, ...given, name: 'docker', ids: new Set() }, holder };
}
