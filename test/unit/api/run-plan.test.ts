import assert from 'node:assert/strict';
import type { ContainerInspect } from '../../../src/api/types';
import { listeningPorts, parseListening } from '../../../src/ui/listening';
import {
	compactPlan,
	EMPTY_PLAN,
	parseEnvFile,
	parsePort,
	parseSize,
	planBody,
	planCommandLine,
	planOf,
	readPlan,
	type RunPlan,
} from '../../../src/api/run-plan';

describe('run plan', () => {
	const plan: RunPlan = {
		...EMPTY_PLAN,
		image: 'demo/web',
		name: 'web',
		ports: ['8080:80', '0.0.0.0:53:53/udp', '9000'],
		env: ["GREETING=it's me"],
		mounts: ['/work:/src:ro', 'data:/data'],
		network: 'app',
		memory: '64m',
		cpus: '0.5',
		restart: 'on-failure:3',
		command: ['sh', '-c', 'echo hi'],
	};
	const context = { env: [], exposed: [], labels: {} };

	it('ports: are read in each of docker’s forms', () => {
		assert.deepEqual(['80', '8080:80', '127.0.0.1::80/udp', '[::1]:8080:80'].map(parsePort), [
			{ ip: '', host: undefined, container: 80, protocol: 'tcp' },
			{ ip: '', host: 8080, container: 80, protocol: 'tcp' },
			{ ip: '127.0.0.1', host: undefined, container: 80, protocol: 'udp' },
			{ ip: '::1', host: 8080, container: 80, protocol: 'tcp' },
		]);
		assert.deepEqual(['', 'x', '80:', '0:80', '70000', '80/icmp'].map(parsePort), Array(6).fill(undefined));
	});

	it('sizes: are bytes, with or without a unit', () => {
		assert.deepEqual(['64m', '1g', '1.5k', '100', '2GB', 'x'].map(parseSize), [
			67_108_864,
			1_073_741_824,
			1536,
			100,
			2_147_483_648,
			undefined,
		]);
	});

	it('env file: comments and blank lines do not count, a name alone is taken from outside', () => {
		assert.deepEqual(parseEnvFile('# a\n\nA=1\r\n  B=2 3\nHOME\nNOT_SET\n', { HOME: '/root' }), [
			'A=1',
			'B=2 3',
			'HOME=/root',
		]);
	});

	it('body: says all of it; a port without an address is on loopback', () => {
		const { HostConfig: host, ...body } = planBody(plan, { ...context, env: ['A=1'], labels: { l: 'v' } });
		assert.deepEqual(body, {
			Image: 'demo/web',
			Cmd: ['sh', '-c', 'echo hi'],
			Env: ['A=1', "GREETING=it's me"],
			Labels: { l: 'v' },
			ExposedPorts: { '80/tcp': {}, '53/udp': {}, '9000/tcp': {} },
		});
		assert.deepEqual(host, {
			PortBindings: {
				'80/tcp': [{ HostIp: '127.0.0.1', HostPort: '8080' }],
				'53/udp': [{ HostIp: '0.0.0.0', HostPort: '53' }],
				'9000/tcp': [{ HostIp: '127.0.0.1', HostPort: '' }],
			},
			Binds: ['/work:/src:ro', 'data:/data'],
			NetworkMode: 'app',
			Memory: 67_108_864,
			NanoCpus: 500_000_000,
			RestartPolicy: { Name: 'on-failure', MaximumRetryCount: 3 },
		});
	});

	it('body of an untouched plan: the image’s ports, on loopback, on the next free numbers', () => {
		const body = planBody({ ...EMPTY_PLAN, image: 'demo/web' }, { ...context, exposed: ['80/tcp'] });
		assert.deepEqual(body.HostConfig, {
			PortBindings: { '80/tcp': [{ HostIp: '127.0.0.1', HostPort: '80-65535' }] },
		});
	});

	it('line for a terminal: is quoted for a shell', () => {
		assert.equal(
			planCommandLine(plan, 'docker', []),
			"docker run -d --name web -p 127.0.0.1:8080:80 -p 0.0.0.0:53:53/udp -p 127.0.0.1::9000 -e 'GREETING=it'\\''s me' " +
				'-v /work:/src:ro -v data:/data --network app --memory 64m --cpus 0.5 --restart on-failure:3 ' +
				"demo/web sh -c 'echo hi'",
		);
	});

	it('a container: gives the plan that it was made by', () => {
		const { HostConfig, ...config } = planBody(plan, context);
		const inspect = {
			Name: '/web',
			Config: { ...config, Env: ['PATH=/bin', ...plan.env] },
			HostConfig,
		} as unknown as ContainerInspect;
		assert.deepEqual(planOf(inspect, { env: ['PATH=/bin'], cmd: ['/bin/web'] }), {
			...plan,
			ports: ['127.0.0.1:8080:80', '0.0.0.0:53:53/udp', '127.0.0.1::9000'],
		});
	});

	it('a container on the next free port, reached from everywhere: its plan says the port that it has, and where', () => {
		const inspect = {
			Name: '/web',
			Config: { Image: 'demo/web' },
			HostConfig: {
				Memory: 1000,
				PortBindings: {
					'80/tcp': [{ HostIp: '', HostPort: '80-65535' }],
					'81/tcp': [{ HostIp: '127.0.0.1', HostPort: '81-65535' }],
				},
			},
			NetworkSettings: { Ports: { '80/tcp': [{ HostIp: '0.0.0.0', HostPort: '8123' }] } },
		} as unknown as ContainerInspect;
		const { ports, memory } = planOf(inspect, { env: [], cmd: [] });
		assert.deepEqual([ports, memory], [['0.0.0.0:8123:80', '127.0.0.1:81:81'], '1000']);
	});

	it('settings: a plan comes back as it was; what is none is left out', () => {
		assert.deepEqual(readPlan(JSON.parse(JSON.stringify(compactPlan(plan)))), plan);
		assert.deepEqual([readPlan({ name: 'x' }), readPlan('x'), readPlan(null)], [undefined, undefined, undefined]);
		assert.deepEqual(compactPlan({ ...EMPTY_PLAN, image: 'a', ports: [] }), { image: 'a', ports: [] });
		assert.deepEqual(readPlan({ image: 'a', command: 'sh -c "x y"', ports: [1, '80'] }), {
			...EMPTY_PLAN,
			image: 'a',
			command: ['sh', '-c', 'x y'],
			ports: ['80'],
		});
	});

	it('listening: only sockets in that state count, and those of another machine are not known', () => {
		const table = [
			'  sl  local_address rem_address   st tx_queue',
			'   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000',
			'   1: 0100007F:0016 0100007F:9999 01 00000000:00000000',
		].join('\n');
		assert.deepEqual(parseListening(table), [8080]);
		assert.equal(listeningPorts('box').size, 0);
	});
});
