import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { parsePortMap, publishAll } from '../../../src/core/network/ports';
import type { PortBinding } from '../../../src/core/network/publish';
import { parsePublish } from '../../../src/core/network/publish';

const binding = (container_port: number, fields: Partial<PortBinding> = {}): PortBinding => ({
	container_port,
	protocol: 'tcp',
	host_ip: '',
	host_port: 0,
	host_port_end: 0,
	...fields,
});

describe('docker run -p', () => {
	const table: readonly (readonly [string, readonly PortBinding[]])[] = [
		['80', [binding(80)]],
		['8080:80', [binding(80, { host_port: 8080, host_port_end: 8080 })]],
		['8080:80/udp', [binding(80, { host_port: 8080, host_port_end: 8080, protocol: 'udp' })]],
		['53:53/UDP', [binding(53, { host_port: 53, host_port_end: 53, protocol: 'udp' })]],
		[':80', [binding(80)]],
		['127.0.0.1::80', [binding(80, { host_ip: '127.0.0.1' })]],
		['127.0.0.1:8080:80', [binding(80, { host_ip: '127.0.0.1', host_port: 8080, host_port_end: 8080 })]],
		['[::1]:8080:80', [binding(80, { host_ip: '::1', host_port: 8080, host_port_end: 8080 })]],
		['::1:8080:80', [binding(80, { host_ip: '::1', host_port: 8080, host_port_end: 8080 })]],
		['80-81', [binding(80), binding(81)]],
		[
			'8080-8081:80-81',
			[
				binding(80, { host_port: 8080, host_port_end: 8080 }),
				binding(81, { host_port: 8081, host_port_end: 8081 }),
			],
		],
		['8000-8010:80', [binding(80, { host_port: 8000, host_port_end: 8010 })]],
		['0:80', [binding(80)]],
	];
	for (const [text, expected] of table) {
		it(text, () => {
			assert.deepEqual(parsePublish(text), expected);
		});
	}

	for (const [text, message] of [
		['', 'no port specified: <empty>'],
		['8080:', 'no port specified: 8080:<empty>'],
		['x', 'invalid containerPort: x'],
		['0', 'invalid containerPort: 0'],
		['65536', 'invalid containerPort: 65536'],
		['81-80', 'invalid containerPort: 81-80'],
		['99999:80', 'invalid hostPort: 99999'],
		['x:80', 'invalid hostPort: x'],
		['80:80/icmp', 'invalid proto: icmp'],
		['80:80/sctp', 'invalid proto: sctp'],
		['8000-8002:80-81', 'invalid ranges specified for container and host Ports: 80-81 and 8000-8002'],
		['300.0.0.1:80:80', 'invalid IP address: 300.0.0.1'],
		['localhost:80:80', 'invalid IP address: localhost'],
		['[x]:80:80', 'invalid IP address: [x]'],
	]) {
		it(`refuses "${text ?? ''}"`, () => {
			assert.throws(() => parsePublish(text ?? ''), { message });
		});
	}

	it('what is not refused has ports from 1 to 65535, whatever the text', () => {
		const text = fc.oneof(
			fc.string(),
			fc.stringMatching(
				/^(\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}:)?(\d{0,6}(-\d{1,5})?:)?\d{1,6}(-\d{1,3})?(\/udp)?$/,
			),
		);
		fc.assert(
			fc.property(text, (value) => {
				let bindings: PortBinding[];
				try {
					bindings = parsePublish(value);
				} catch (error) {
					return error instanceof Error && /^(invalid|no port)/.test(error.message);
				}
				return bindings.every(
					(port) =>
						port.container_port >= 1 &&
						port.container_port <= 65535 &&
						port.host_port <= port.host_port_end &&
						port.host_port_end <= 65535,
				);
			}),
		);
	});
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
