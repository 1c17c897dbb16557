import * as assert from 'node:assert/strict';
import { portProblem, takenPorts } from '../../../src/ui/port-conflicts';

describe('ports that are taken', () => {
	const web = {
		id: 'a1',
		name: 'web',
		ports: [
			{ port: 80, protocol: 'tcp', host: { ip: '127.0.0.1', port: 8080 } },
			{ port: 53, protocol: 'udp', host: { ip: '0.0.0.0', port: 53 } },
			{ port: 90, protocol: 'tcp', host: undefined },
		],
	};
	const taken = takenPorts([web], new Set([22, 8080]));
	const problem = (value: string, isFinal = false): unknown => portProblem(value, taken, isFinal);

	it('a container has it: on the same address, or when one of both is on all', () => {
		const ofWeb = (port: number): object => ({ kind: 'container', port, name: 'web' });
		assert.deepEqual(problem('8080:80'), ofWeb(8080));
		assert.deepEqual(problem('0.0.0.0:8080:80'), ofWeb(8080));
		assert.deepEqual(problem('127.0.0.3:53:53/udp'), ofWeb(53));
		assert.equal(problem('53:53'), undefined, 'another protocol');
		assert.equal(problem('8081:80 80'), undefined);
	});

	it('a program listens there, or it stands there twice', () => {
		assert.deepEqual(problem('22:22'), { kind: 'listening', port: 22 });
		assert.equal(problem('22:22/udp'), undefined);
		assert.deepEqual(problem('9000:80 9000:81'), { kind: 'twice', port: 9000 });
		assert.equal(problem('9000:80 9000:80/udp 127.0.0.2:9000:80'), undefined);
	});

	it('what is unfinished is wrong only in the end, and before a blank', () => {
		assert.equal(problem('8081:80 x'), undefined);
		assert.deepEqual(problem('8081:80 x', true), { kind: 'invalid', text: 'x' });
		assert.deepEqual(problem('x 8081:80'), { kind: 'invalid', text: 'x' });
	});

	it('the container that is made anew: its ports are free', () => {
		assert.equal(portProblem('8080:80', takenPorts([web], new Set([8080]), 'a1'), true), undefined);
	});
});
