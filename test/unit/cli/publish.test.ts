import * as assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { CommandError } from '../../../src/cli/errors';
import { parsePort } from '../../../src/cli/publish';
import type { PortMapping } from '../../../src/cli/publish';
import { parsePortMap } from '../../../src/core/network/ports';

describe('docker run -p', () => {
	const mapping = (port: string, hostPort = '', hostIp = ''): PortMapping => ({ port, hostIp, hostPort });
	const table: readonly (readonly [string, readonly PortMapping[]])[] = [
		['80', [mapping('80/tcp')]],
		['8080:80', [mapping('80/tcp', '8080')]],
		['8080:80/udp', [mapping('80/udp', '8080')]],
		['53:53/UDP', [mapping('53/udp', '53')]],
		[':80', [mapping('80/tcp')]],
		['127.0.0.1::80', [mapping('80/tcp', '', '127.0.0.1')]],
		['127.0.0.1:8080:80', [mapping('80/tcp', '8080', '127.0.0.1')]],
		['[::1]:8080:80', [mapping('80/tcp', '8080', '::1')]],
		['::1:8080:80', [mapping('80/tcp', '8080', '::1')]],
		['80-81', [mapping('80/tcp'), mapping('81/tcp')]],
		['8080-8081:80-81', [mapping('80/tcp', '8080'), mapping('81/tcp', '8081')]],
		['8000-8010:80', [mapping('80/tcp', '8000-8010')]],
		['0:80', [mapping('80/tcp', '0')]],
	];
	for (const [text, expected] of table) {
		it(text, () => {
			assert.deepEqual(parsePort(text), expected);
		});
	}

	for (const [text = '', message] of [
		['', 'no port specified: <empty>'],
		['8080:', 'no port specified: 8080:<empty>'],
		['x', 'invalid containerPort: x'],
		['0', 'invalid containerPort: 0'],
		['65536', 'invalid containerPort: 65536'],
		['81-80', 'invalid containerPort: 81-80'],
		['99999:80', 'invalid hostPort: 99999'],
		['x:80', 'invalid hostPort: x'],
		['80:80/icmp', 'invalid proto: icmp'],
		['8000-8002:80-81', 'invalid ranges specified for container and host Ports: 80-81 and 8000-8002'],
		['300.0.0.1:80:80', 'invalid IP address: 300.0.0.1'],
		['localhost:80:80', 'invalid IP address: localhost'],
		['[x]:80:80', 'invalid IP address: [x]'],
	]) {
		it(`refuses "${text}"`, () => {
			assert.throws(() => parsePort(text), { message, exitCode: 125 });
		});
	}

	it('what is not refused, the engine takes too', () => {
		const text = fc.oneof(
			fc.string(),
			fc.stringMatching(
				/^(\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}:)?(\d{0,6}(-\d{1,5})?:)?\d{1,6}(-\d{1,3})?(\/udp)?$/,
			),
		);
		fc.assert(
			fc.property(text, (value) => {
				let mappings: PortMapping[];
				try {
					mappings = parsePort(value);
				} catch (error) {
					return error instanceof CommandError;
				}
				const bindings = mappings
					.filter(({ port }) => !port.endsWith('/sctp'))
					.flatMap(({ port, hostIp, hostPort }) =>
						parsePortMap({ [port]: [{ HostIp: hostIp, HostPort: hostPort }] }),
					);
				return bindings.every((binding) => binding.host_port <= binding.host_port_end);
			}),
		);
	});
});
