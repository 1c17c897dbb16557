import * as assert from 'node:assert/strict';
import * as path from 'node:path';
import type { CreateContainerBody } from '../../src/api/types';
import { echo, fetchDatagram, fetchFromHost, isolatedEngine, REQUEST, SERVE, startEngine, traces } from './namespace';
import { nameCases } from './names';
import { portCases } from './ports';
import { launch, logsOf, refused, remove, run, shell } from './run';
import { enginePid, leaksOf, removeContainers, type Images, type Registries, type Subject } from './subject';
import { delay, endProcess, until, Workspace } from './workspace';

/**
 * Bridges, rules and published ports, in a network namespace that belongs to the suite: nothing of the machine's own
 * network is touched. Only our engine runs these: the dockerd of the suite has no bridge (see differences.ts).
 */
export function networkCases(given: () => { readonly images: Images; readonly registries: Registries }): void {
	describe('networks', () => {
		let workspace: Workspace;
		let subject: Subject;
		let holder = 0;
		let atFirst: string[] = [];

		before(async function () {
			this.timeout(60_000);
			workspace = new Workspace('networks');
			({ subject, holder } = await isolatedEngine(workspace, given()));
			atFirst = traces(holder);
		});

		afterEach('nothing is left', async () => {
			await removeContainers(subject.client);
			await subject.client.networks.prune();
			assert.deepEqual(traces(holder), atFirst);
			assert.deepEqual(leaksOf(path.join(subject.root, 'containers'), subject.ids), []);
		});

		after(() => workspace.dispose());

		const web = (name: string, body: Partial<CreateContainerBody>): Promise<string> =>
			launch(subject, { Cmd: ['sh', '-c', SERVE, name], ...body }, { name });
		const fetchIn = async (network: string, host: string): Promise<string> => {
			const script = `for i in 1 2 3 4 5 6 7 8 9 10; do printf '${REQUEST}' | nc ${host} 80 && exit; sleep 0.2; done`;
			return (await shell(subject, script, { NetworkMode: network })).stdout;
		};

		const addressOf = async (id: string): Promise<string> =>
			String((await subject.client.containers.inspect(id)).NetworkSettings['IPAddress']);

		it('default network: an address, a gateway, a way to neighbours, and no names', async () => {
			const id = await web('web', { HostConfig: { NetworkMode: 'default' } });
			const { NetworkSettings: settings, HostConfig: host } = await subject.client.containers.inspect(id);
			const address = String(settings['IPAddress']);
			assert.match(address, /^\d+\.\d+\.\d+\.\d+$/);
			assert.equal(host.NetworkMode, 'bridge');
			assert.deepEqual(Object.keys(settings.Networks), ['bridge']);
			assert.equal(settings['Driver'], 'bridge (ip, iptables)');
			assert.match(await fetchIn('bridge', address), /hello from web/);
			const { stdout } = await shell(subject, 'ip route 2>/dev/null || cat /proc/net/route; nc -w 1 web 80', {
				NetworkMode: 'bridge',
			});
			assert.ok(!stdout.includes('hello'), stdout);
		});

		it('user network: containers reach each other by name, alias, id and new name', async () => {
			await subject.client.networks.create({ Name: 'app' });
			const id = await web('web', {
				HostConfig: { NetworkMode: 'app' },
				NetworkingConfig: { EndpointsConfig: { app: { Aliases: ['www'] } } },
			});
			for (const name of ['web', 'www', id.slice(0, 12), 'web.app']) {
				assert.match(await fetchIn('app', name), /hello from web/, name);
			}
			await subject.client.containers.rename(id, 'site');
			assert.match(await fetchIn('app', 'site'), /hello from web/);
			const inspected = await subject.client.networks.inspect('app');
			assert.deepEqual(
				Object.values(inspected.Containers ?? {}).map(({ Name }) => Name),
				['site'],
			);
			await refused(subject.client.networks.remove('app'), 403, /has active endpoints$/);
		});

		it('published port: the host reaches it by 127.0.0.1, and not after the stop', async () => {
			const id = await web('web', {
				ExposedPorts: { '80/tcp': {}, '443/tcp': {} },
				HostConfig: { NetworkMode: 'bridge', PortBindings: { '80/tcp': [{ HostIp: '', HostPort: '8080' }] } },
			});
			assert.match(fetchFromHost(holder, '127.0.0.1', 8080), /hello from web/);
			const [row] = await subject.client.containers.list();
			assert.deepEqual(row?.Ports, [
				{ PrivatePort: 443, Type: 'tcp' },
				{ IP: '0.0.0.0', PrivatePort: 80, PublicPort: 8080, Type: 'tcp' },
				{ IP: '::', PrivatePort: 80, PublicPort: 8080, Type: 'tcp' },
			]);
			await subject.client.containers.stop(id, { timeout: 0 });
			assert.equal(fetchFromHost(holder, '127.0.0.1', 8080, 1), '');
		});

		it('published port: a busy one fails the start with 125, leaves the container startable', async () => {
			const host = {
				NetworkMode: 'bridge',
				PortBindings: { '80/tcp': [{ HostIp: '127.0.0.1', HostPort: '8081' }] },
			};
			const first = await web('first', { HostConfig: host });
			await refused(
				web('second', { HostConfig: host }),
				500,
				/Bind for 127\.0\.0\.1:8081 failed: port is already allocated$/,
			);
			const { State: state } = await subject.client.containers.inspect('second');
			assert.equal(state.Status, 'created');
			await remove(subject, first);
			await subject.client.containers.start('second');
			assert.match(fetchFromHost(holder, '127.0.0.1', 8081), /hello from second/);
		});

		it('publish all: every exposed port gets a free host port', async () => {
			const id = await web('web', {
				ExposedPorts: { '80/tcp': {} },
				HostConfig: { NetworkMode: 'bridge', PublishAllPorts: true },
			});
			const [row] = await subject.client.containers.list({ filters: { id: [id] } });
			const port = row?.Ports.find(({ IP }) => IP === '0.0.0.0')?.PublicPort ?? 0;
			assert.ok(port > 0);
			assert.match(fetchFromHost(holder, '127.0.0.1', port), /hello from web/);
		});

		it('engine killed: a published port works again after the next start, and names do', async function () {
			this.timeout(60_000);
			await subject.client.networks.create({ Name: 'app' });
			await web('web', {
				HostConfig: { NetworkMode: 'app', PortBindings: { '80/tcp': [{ HostPort: '8082' }] } },
			});
			assert.match(fetchFromHost(holder, '127.0.0.1', 8082), /hello from web/);
			await endProcess(enginePid(subject.root) ?? 0, 'SIGKILL');
			assert.match(fetchFromHost(holder, '127.0.0.1', 8082), /hello from web/, 'without an engine');
			await startEngine(subject, holder);
			assert.match(fetchFromHost(holder, '127.0.0.1', 8082), /hello from web/);
			assert.match(await fetchIn('app', 'web'), /hello from web/);
		});

		it('engine killed: what belonged to a container that ended meanwhile is gone', async function () {
			this.timeout(60_000);
			const id = await launch(subject, { Cmd: ['sleep', '60'], HostConfig: { NetworkMode: 'bridge' } });
			const { Pid: pid } = (await subject.client.containers.inspect(id)).State;
			await endProcess(enginePid(subject.root) ?? 0, 'SIGKILL');
			await endProcess(pid, 'SIGKILL');
			await startEngine(subject, holder);
			assert.deepEqual(traces(holder), atFirst);
		});

		it('connect and disconnect: a running container gets and loses a network', async () => {
			await subject.client.networks.create({ Name: 'one' });
			await subject.client.networks.create({ Name: 'two' });
			const id = await web('web', { HostConfig: { NetworkMode: 'one' } });
			await subject.client.networks.connect('two', id, { endpoint: { Aliases: ['other'] } });
			assert.match(await fetchIn('two', 'other'), /hello from web/);
			await subject.client.networks.disconnect('two', id);
			const { NetworkSettings: settings } = await subject.client.containers.inspect(id);
			assert.deepEqual(Object.keys(settings.Networks), ['one']);
			await refused(subject.client.networks.disconnect('two', id), 403, /is not connected to network two$/);
		});

		it('disconnect while the container ends: is no error', async () => {
			const { containers, networks } = subject.client;
			await networks.create({ Name: 'one' });
			await networks.create({ Name: 'two' });
			const id = await launch(subject, { Cmd: ['sleep', '60'], HostConfig: { NetworkMode: 'one' } });
			for (const name of ['one', 'two', 'one']) {
				await networks.connect(name === 'one' ? 'two' : 'one', id);
				await Promise.all([containers.kill(id), networks.disconnect(name, id)]);
				await until('it has ended', async () => !(await containers.inspect(id)).State.Running);
				await containers.start(id);
			}
		});

		it('static address and several networks: as asked', async () => {
			await subject.client.networks.create({ Name: 'one', IPAM: { Config: [{ Subnet: '10.99.7.0/24' }] } });
			await subject.client.networks.create({ Name: 'two', Internal: true });
			const { stdout } = await run(subject, {
				Cmd: ['sh', '-c', "sed -n 's/:.*//p' /proc/net/dev | tr -d ' ' | sort; cat /etc/hosts"],
				HostConfig: { NetworkMode: 'one' },
				NetworkingConfig: {
					EndpointsConfig: { one: { IPAMConfig: { IPv4Address: '10.99.7.77' } }, two: {} },
				},
			});
			assert.match(stdout, /^eth0\neth1\nlo\n/);
			assert.match(stdout, /^10\.99\.7\.77\t/m);
		});

		it('container network: shares the other one, and only while it runs', async () => {
			const id = await web('web', { HostConfig: { NetworkMode: 'bridge' } });
			assert.match(await fetchIn(`container:${id}`, '127.0.0.1'), /hello from web/);
			await subject.client.containers.stop(id, { timeout: 0 });
			await refused(
				launch(subject, { Cmd: ['true'], HostConfig: { NetworkMode: `container:${id}` } }),
				409,
				`cannot join network of a non running container: ${id}`,
			);
		});

		it('hosts and resolvers: --add-host and --dns are in the files', async () => {
			const { stdout } = await shell(subject, 'cat /etc/hosts /etc/resolv.conf', {
				...{ NetworkMode: 'bridge', ExtraHosts: ['db:10.1.2.3', 'me:host-gateway'] },
				...{ Dns: ['10.9.8.7'], DnsSearch: ['example.test'], DnsOptions: ['ndots:3'] },
			});
			assert.match(stdout, /^10\.1\.2\.3\tdb$/m);
			assert.match(stdout, /^10\.\S+\tme$|^172\.\S+\tme$|^192\.\S+\tme$/m);
			assert.match(stdout, /^nameserver 10\.9\.8\.7$/m);
			assert.match(stdout, /^search example\.test$/m);
			assert.match(stdout, /^options ndots:3$/m);
		});

		it('udp port: a client that keeps sending reaches the container at its new address', async () => {
			const { Cmd, binds } = echo();
			const ports = { '53/udp': [{ HostPort: '8053' }] };
			const host = { NetworkMode: 'bridge', Binds: binds, PortBindings: ports };
			// As long as the bridge is there, the kernel forgets nothing by itself.
			await launch(subject, { Cmd: ['sleep', '60'], HostConfig: { NetworkMode: 'bridge' } });
			const id = await launch(subject, { Cmd, HostConfig: host });
			const before = await addressOf(id);
			const ask = (): string => fetchDatagram(holder, 8053);
			assert.match(await until('the answer comes', () => ask() || undefined), /ping/);
			await subject.client.containers.stop(id, { timeout: 0 });
			await launch(subject, { Cmd: ['sleep', '60'], HostConfig: { NetworkMode: 'bridge' } });
			await subject.client.containers.start(id);
			assert.notEqual(await addressOf(id), before);
			assert.match(await until('the answer comes again', () => ask() || undefined), /ping/);
		});

		it('crash at random moments of create, connect, run and remove: nothing is left', async function () {
			this.timeout(120_000);
			const work = async (): Promise<void> => {
				const { client } = subject;
				await client.networks.create({ Name: 'one' });
				await client.networks.create({ Name: 'two' });
				const id = await launch(subject, {
					Cmd: ['sleep', '60'],
					HostConfig: { NetworkMode: 'one', PortBindings: { '80/tcp': [{ HostPort: '8083' }] } },
				});
				await client.networks.connect('two', id);
				await client.networks.disconnect('one', id);
				await remove(subject, id);
				await client.networks.prune();
			};
			for (let moment = 20; moment < 1200; moment += 60 + Math.floor(Math.random() * 120)) {
				const interrupted = work().catch((error: unknown) => String(error));
				await delay(moment);
				await endProcess(enginePid(subject.root) ?? 0, 'SIGKILL');
				await interrupted;
				await startEngine(subject, holder);
				await removeContainers(subject.client);
				await subject.client.networks.prune();
				assert.deepEqual(traces(holder), atFirst, `killed after ${moment} ms`);
				assert.deepEqual(leaksOf(path.join(subject.root, 'containers'), subject.ids), [], `${moment} ms`);
			}
		});

		it('links: another name that only the linking container knows, on the default network too', async () => {
			await subject.client.networks.create({ Name: 'app' });
			for (const network of ['app', 'bridge']) {
				const id = await web('web', { HostConfig: { NetworkMode: network } });
				const script = 'nc -w 2 site 80 </dev/null && echo reached';
				const host = { NetworkMode: network, Links: ['web:site'] };
				assert.match((await shell(subject, script, host)).stdout, /reached/, network);
				const stranger = await shell(subject, script, { NetworkMode: network });
				assert.ok(!stranger.stdout.includes('reached'), stranger.stdout);
				await remove(subject, id);
			}
			await refused(
				launch(subject, { Cmd: ['true'], HostConfig: { NetworkMode: 'bridge', Links: ['web:site'] } }),
				400,
				/^Cannot link to a non running container: \/web AS \/\w+\/site$/,
			);
		});

		it("events: in docker's order", async () => {
			const since = String(Math.floor(Date.now() / 1000) - 1);
			await subject.client.networks.create({ Name: 'app' });
			await run(subject, { Cmd: ['true'], HostConfig: { NetworkMode: 'app', Binds: ['data:/data'] } });
			await subject.client.networks.prune();
			await subject.client.volumes.remove('data');
			const events: string[] = [];
			const until = String(Math.floor(Date.now() / 1000) + 1);
			for await (const { Type, Action } of subject.client.events({ since, until })) {
				events.push(`${Type} ${Action}`);
			}
			const words =
				'network create, volume create, container create, network connect, volume mount, container start,';
			const more =
				'container die, network disconnect, volume unmount, container destroy, network destroy, network prune,';
			assert.match(events.join(', '), new RegExp(`${words} ${more} volume destroy$`));
		});

		it('a start that fails: leaves nothing on the network', async () => {
			await refused(launch(subject, { Cmd: ['/nosuch'], HostConfig: { NetworkMode: 'bridge' } }), 400, /nosuch/);
			assert.deepEqual(traces(holder), atFirst);
		});

		it('networks: names, the predefined ones, filters, prune', async () => {
			const { networks } = subject.client;
			await networks.create({ Name: 'app', Labels: { tier: 'web' } });
			await refused(networks.create({ Name: 'app' }), 409, 'network with name app already exists');
			await refused(networks.remove('bridge'), 403, 'bridge is a pre-defined network and cannot be removed');
			await refused(networks.inspect('nosuch'), 404, 'network nosuch not found');
			const names = async (filters: Record<string, string[]>): Promise<string[]> =>
				(await networks.list({ filters })).map(({ Name }) => Name);
			assert.deepEqual(await names({ type: ['builtin'] }), ['bridge', 'host', 'none']);
			assert.deepEqual(await names({ label: ['tier=web'] }), ['app']);
			assert.deepEqual(await names({ driver: ['null'] }), ['none']);
			assert.deepEqual(await names({ dangling: ['true'] }), ['app']);
			assert.equal((await networks.prune({ filters: { 'label!': ['tier'] } })).NetworksDeleted, null);
			assert.deepEqual((await networks.prune()).NetworksDeleted, ['app']);
		});

		portCases(() => ({ subject, holder }));
		nameCases(() => subject);

		it('output of a container that ends at once is logged', async () => {
			const id = await launch(subject, { Cmd: ['echo', 'quick'], HostConfig: { NetworkMode: 'bridge' } });
			await until('it has ended', async () => !(await subject.client.containers.inspect(id)).State.Running);
			assert.equal((await logsOf(subject, id)).stdout, 'quick\n');
		});
	});
}

/** Machines where something is missing, each in a namespace of its own. */
export function poorMachineCases(given: () => { readonly images: Images; readonly registries: Registries }): void {
	describe('networks on a machine without iptables', function () {
		this.timeout(60_000);
		let workspace: Workspace;

		beforeEach(() => {
			workspace = new Workspace('networks');
		});

		afterEach(() => workspace.dispose());

		it('nftables alone: names, ports for all and for 127.0.0.1, an engine killed; nothing is left', async () => {
			const hidden = ['iptables', 'iptables-save'];
			const { subject, holder } = await isolatedEngine(workspace, given(), hidden);
			const atFirst = traces(holder);
			await subject.client.networks.create({ Name: 'app', EnableIPv6: true });
			const ports = { '80/tcp': [{ HostPort: '8080' }, { HostIp: '127.0.0.1', HostPort: '8081' }] };
			const body = { Cmd: ['sh', '-c', SERVE, 'web'], HostConfig: { NetworkMode: 'app', PortBindings: ports } };
			await launch(subject, body, { name: 'web' });
			const [row] = await subject.client.containers.list();
			assert.equal(row?.NetworkSettings?.Driver, 'bridge (ip, nftables)');
			for (const family of ['ip', 'ip6']) {
				assert.match(traces(holder).join('\n'), new RegExp(`^table ${family} mydocker_[0-9a-f]{8}$`, 'm'));
			}
			assert.match(fetchFromHost(holder, '::1', 8080), /hello from web/);
			assert.ok(!traces(holder).join('\n').includes('MYDOCKER'));
			const script = `printf '${REQUEST}' | nc -w 2 web 80`;
			assert.match((await shell(subject, script, { NetworkMode: 'app' })).stdout, /hello from web/);
			await endProcess(enginePid(subject.root) ?? 0, 'SIGKILL');
			for (const port of [8080, 8081]) {
				assert.match(fetchFromHost(holder, '127.0.0.1', port), /hello from web/, `${port}, without an engine`);
			}
			await startEngine(subject, holder, hidden);
			await removeContainers(subject.client);
			assert.deepEqual(traces(holder), atFirst);
		});

		it("no firewall program: the host's network with a warning, and a refusal for what needs more", async () => {
			const { subject } = await isolatedEngine(workspace, given(), ['iptables', 'iptables-save', 'nft']);
			const image = subject.images.busybox.reference;
			const reason = /^Neither iptables nor nft is installed \(package iptables\): only .* host and none work/;
			const { Id: id, Warnings: warnings } = await subject.client.containers.create({ Image: image });
			assert.match(warnings[0] ?? '', reason);
			const { HostConfig: host, NetworkSettings: settings } = await subject.client.containers.inspect(id);
			assert.equal(host.NetworkMode, 'host');
			assert.equal(settings['Driver'], "host (this machine's own; bridges do not work here)");
			const ports = { '80/tcp': [{ HostPort: '8080' }] };
			await refused(
				subject.client.containers.create({ Image: image, HostConfig: { PortBindings: ports } }),
				501,
				/^Cannot create container: Neither iptables nor nft is installed/,
			);
			await remove(subject, id);
		});
	});
}
