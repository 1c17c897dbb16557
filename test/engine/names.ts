import * as assert from 'node:assert/strict';
import { exec } from './exec';
import { launch } from './run';
import type { Subject } from './subject';

/** Names on user networks, as they change; the suite around looks for what is left. */
export function nameCases(given: () => Subject): void {
	it('names: hold after restart, rename, disconnect and connect; the old ones do not', async () => {
		const { networks, containers } = given().client;
		await networks.create({ Name: 'app', Labels: { tier: 'web' } });
		const host = { NetworkMode: 'app' };
		const id = await launch(given(), { Cmd: ['sleep', '60'], HostConfig: host }, { name: 'web' });
		const asking = await launch(given(), { Cmd: ['sleep', '60'], HostConfig: host });
		const addressOf = async (): Promise<string> => {
			const { Networks: joined } = (await containers.inspect(id)).NetworkSettings;
			return { IPAddress: '', ...joined['app'] }.IPAddress;
		};
		/** By the name server, and by the hosts file, which getent asks first. */
		const known = async (name: string): Promise<void> => {
			const script = `nslookup -type=a ${name}; grep -w ${name} /etc/hosts`;
			const { stdout } = await exec(given(), asking, { Cmd: ['sh', '-c', script] });
			const address = await addressOf();
			assert.match(stdout, new RegExp(`Address: ${address.replaceAll('.', '\\.')}\n`), name);
			assert.match(stdout, new RegExp(`^${address.replaceAll('.', '\\.')}\t`, 'm'), name);
		};
		const unknown = async (name: string): Promise<void> => {
			const script = `nslookup -type=a ${name}; grep -w ${name} /etc/hosts`;
			const { exitCode, stdout } = await exec(given(), asking, { Cmd: ['sh', '-c', script] });
			assert.notEqual(exitCode, 0, name);
			assert.match(stdout, /NXDOMAIN/, name);
		};
		await known('web');
		await containers.restart(id, { timeout: 0 });
		await known('web');
		await containers.rename(id, 'site');
		await known('site');
		await unknown('web');
		await networks.disconnect('app', id);
		await unknown('site');
		await networks.connect('app', id, { endpoint: { Aliases: ['www'] } });
		await known('site');
		await known('www');
	});

	it('names: unknown ones fail fast, also with dots on a network without a way out', async () => {
		await given().client.networks.create({ Name: 'app', Internal: true });
		const asking = await launch(given(), { Cmd: ['sleep', '60'], HostConfig: { NetworkMode: 'app' } });
		// A question that nobody answers takes a resolver five seconds at least.
		const script = 'for i in 1 2 3 4 5 6 7 8 9 10; do nslookup wbe$i; nslookup wbe$i.example.org; done';
		const start = Date.now();
		const { stdout } = await exec(given(), asking, { Cmd: ['sh', '-c', script] });
		assert.ok(Date.now() - start < 5000, `${Date.now() - start} ms`);
		assert.equal(stdout.match(/NXDOMAIN/g)?.length, 40, stdout);
	});

	it('addresses: come from the range of the network, whose gateway is its first', async () => {
		const range = { Subnet: '10.99.8.0/24', IPRange: '10.99.8.128/25' };
		await given().client.networks.create({ Name: 'app', IPAM: { Config: [range] }, Labels: { tier: 'web' } });
		const id = await launch(given(), { Cmd: ['sleep', '60'], HostConfig: { NetworkMode: 'app' } });
		const { IPAM: ipam, Containers: members, Labels: labels } = await given().client.networks.inspect('app');
		assert.deepEqual(ipam.Config, [{ ...range, Gateway: '10.99.8.128' }]);
		assert.equal(members?.[id]?.IPv4Address, '10.99.8.129/24');
		assert.deepEqual(labels, { tier: 'web' });
	});
}
