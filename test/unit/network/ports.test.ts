import assert from 'node:assert/strict';
import { parsePortMap, publishAll } from '../../../src/core/network/ports';
import type { PortBinding } from '../../../src/core/network/publish';

const binding = (container_port: number, fields: Partial<PortBinding> = {}): PortBinding => ({
	container_port,
	protocol: 'tcp',
	host_ip: '',
	host_port: 0,
	host_port_end: 0,
	...fields,
});

describe('Port bindings of an API body', () => {
	it('are read with their protocol, address and range; an empty list is any free port', () => {
		assert.deepEqual(
			parsePortMap({
				'80/tcp': [{ HostPort: '8080' }, { HostIp: '127.0.0.1', HostPort: '8000-8010' }],
				'53/udp': [{ HostIp: '::', HostPort: '' }],
				'90': [],
				'91/tcp': null,
			}),
			[
				binding(90),
				binding(80, { host_port: 8080, host_port_end: 8080 }),
				binding(80, { host_ip: '127.0.0.1', host_port: 8000, host_port_end: 8010 }),
				binding(53, { protocol: 'udp', host_ip: '::' }),
				binding(91),
			],
		);
	});

	for (const map of [
		{ x: [] },
		{ '0/tcp': [] },
		{ '80-81/tcp': [] },
		{ '80': [{ HostPort: 'x' }] },
		{ '80': [{ HostIp: 'x' }] },
	]) {
		it(`refuses ${JSON.stringify(map)}`, () => {
			assert.throws(() => parsePortMap(map), { code: 'invalid' });
		});
	}

	it('refuses sctp as unsupported', () => {
		assert.throws(() => parsePortMap({ '80/sctp': [] }), { code: 'unsupported' });
	});

	it('-P publishes every exposed port that is not bound yet', () => {
		assert.deepEqual(publishAll(['80/tcp', '53/udp', '8000-8001'], [binding(80, { host_port: 1 })]), [
			binding(53, { protocol: 'udp' }),
			binding(8000),
			binding(8001),
		]);
	});
});
