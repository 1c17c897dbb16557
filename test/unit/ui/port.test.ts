import assert from 'node:assert/strict';
import { browserUrl, localAddress, machineOf, portText, webPorts } from '../../../src/ui/port';
import type { ContainerRow, PortRow } from '../../../src/ui/rows';

describe('ports', () => {
	const port = (number: number, host?: string, protocol = 'tcp'): PortRow => ({
		port: number,
		protocol,
		host: host === undefined ? undefined : { ip: host, port: 18_000 + (number % 1000) },
	});

	it('an address: an address for all is this machine, another one is itself', () => {
		const addresses = ['', '0.0.0.0', '127.0.0.1', '::', '10.0.0.5', 'fd00::1'].map((ip) =>
			localAddress(port(80, ip)),
		);
		assert.deepEqual(addresses, [
			'localhost:18080',
			'localhost:18080',
			'localhost:18080',
			'localhost:18080',
			'10.0.0.5:18080',
			'[fd00::1]:18080',
		]);
	});

	it('the machine of an engine: is named by addresses of other machines only', () => {
		const hosts = [
			'',
			'unix:///run/docker.sock',
			'tcp://127.0.0.1:2375',
			'ssh://ann@box:22',
			'tcp://[fd00::1]:2376',
		];
		assert.deepEqual(hosts.map(machineOf), ['', '', '', 'box', 'fd00::1']);
	});

	it('a page: is where TCP is published, and not behind the port of a database', () => {
		assert.deepEqual([port(80, ''), port(443, ''), port(5432, ''), port(80, '', 'udp'), port(80)].map(browserUrl), [
			'http://localhost:18080/',
			'https://localhost:18443/',
			undefined,
			undefined,
			undefined,
		]);
	});

	it('a text: says both ends', () => {
		assert.deepEqual([port(80, '0.0.0.0'), port(53, '::1', 'udp'), port(80)].map(portText), [
			'0.0.0.0:18080→80/tcp',
			'[::1]:18053→53/udp',
			'80/tcp',
		]);
	});

	it('pages of a container: the likeliest comes first', () => {
		const ports = [port(9999, ''), port(5432, ''), port(8080, ''), port(80, '')];
		assert.deepEqual(
			webPorts({ ports } as unknown as ContainerRow).map((each) => each.port),
			[80, 8080, 9999],
		);
	});
});
