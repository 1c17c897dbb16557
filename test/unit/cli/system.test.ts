import * as assert from 'node:assert/strict';
import { eventRenderer, renderInfo, renderVersion } from '../../../src/cli/system';
import type { EventMessage } from '../../../src/api/types';

const event: EventMessage = {
	Type: 'container',
	Action: 'die',
	Actor: { ID: '4fcc', Attributes: { name: 'web', image: 'busybox', exitCode: '3' } },
	scope: 'local',
	time: 1_700_000_000,
	timeNano: 1_700_000_000_123_456_768,
};
const client = {
	Version: '0.1.0',
	ApiVersion: '1.47',
	NodeVersion: 'v20.0.0',
	Os: 'linux',
	Arch: 'amd64',
	BuildTime: '2024-05-01T00:00:00.000Z',
};

describe('events', () => {
	const zone = process.env['TZ'];
	before(() => {
		process.env['TZ'] = 'UTC';
	});
	after(() => {
		if (zone === undefined) {
			delete process.env['TZ'];
		} else {
			process.env['TZ'] = zone;
		}
	});

	it('docker’s line, attributes sorted', () => {
		assert.equal(
			eventRenderer(undefined)(event),
			'2023-11-14T22:13:20.123456768Z container die 4fcc (exitCode=3, image=busybox, name=web)',
		);
	});

	it('without nanoseconds and attributes', () => {
		const { timeNano, ...plain } = event;
		assert.ok(timeNano);
		assert.equal(
			eventRenderer('')({ ...plain, Actor: { ID: 'x' } }),
			'2023-11-14T22:13:20.000000000Z container die x',
		);
	});

	it('json is the message, a template has docker’s fields', () => {
		assert.equal(eventRenderer('json')(event), JSON.stringify(event));
		assert.equal(eventRenderer('{{json .}}')(event), JSON.stringify(event));
		assert.equal(
			eventRenderer('{{.Type}} {{.Action}} {{.Status}} {{.ID}} {{.From}} {{.Actor.Attributes.name}} {{.Time}}')(
				event,
			),
			'container die die 4fcc busybox web 1700000000',
		);
	});
});

describe('version', () => {
	it('client and engine, docker’s layout', () => {
		assert.equal(
			renderVersion(client, {
				Version: '0.1.0',
				ApiVersion: '1.47',
				MinAPIVersion: '1.24',
				GitCommit: '',
				Os: 'linux',
				Arch: 'amd64',
				BuildTime: '2024-05-01T00:00:00.000Z',
				Platform: { Name: 'MyDocker' },
				Components: [
					{ Name: 'Engine', Version: '0.1.0' },
					{ Name: 'runc', Version: '1.1.5' },
				],
			}),
			[
				'Client:',
				' Version:           0.1.0',
				' API version:       1.47',
				' Node.js version:   v20.0.0',
				' Built:             2024-05-01T00:00:00.000Z',
				' OS/Arch:           linux/amd64',
				'',
				'Server: MyDocker',
				' Engine:',
				'  Version:           0.1.0',
				'  API version:       1.47 (minimum version 1.24)',
				'  Built:             2024-05-01T00:00:00.000Z',
				'  OS/Arch:           linux/amd64',
				' runc:',
				'  Version:           1.1.5',
				'',
			].join('\n'),
		);
	});

	it('the client’s half when no engine answers', () => {
		assert.match(renderVersion(client, undefined), /^Client:\n(?: .*\n)+$/);
	});
});

describe('info', () => {
	it('the facts in docker’s layout', () => {
		const text = renderInfo({
			Name: 'vm',
			Containers: 3,
			ContainersRunning: 1,
			ContainersPaused: 0,
			ContainersStopped: 2,
			Images: 1,
			Driver: 'overlay',
			DriverStatus: [['Backing Filesystem', 'extfs']],
			LoggingDriver: 'json-file',
			CgroupVersion: '2',
			DockerRootDir: '/store',
			ServerVersion: '0.1.0',
			OperatingSystem: 'Debian',
			OSType: 'linux',
			Architecture: 'x86_64',
			KernelVersion: '6.1',
			NCPU: 2,
			MemTotal: 8 * 2 ** 30,
			DefaultRuntime: 'runc',
			Runtimes: { runc: { path: 'runc' } },
			SecurityOptions: ['name=seccomp,profile=builtin', 'name=rootless'],
		});
		assert.deepEqual(text.split('\n').slice(3), [
			'Server:',
			' Containers: 3',
			'  Running: 1',
			'  Paused: 0',
			'  Stopped: 2',
			' Images: 1',
			' Server Version: 0.1.0',
			' Storage Driver: overlay',
			'  Backing Filesystem: extfs',
			' Logging Driver: json-file',
			' Cgroup Version: 2',
			' Runtimes: runc',
			' Default Runtime: runc',
			' Security Options:',
			'  seccomp',
			'   Profile: builtin',
			'  rootless',
			' Kernel Version: 6.1',
			' Operating System: Debian',
			' OSType: linux',
			' Architecture: x86_64',
			' CPUs: 2',
			' Total Memory: 8GiB',
			' Name: vm',
			' Docker Root Dir: /store',
			'',
		]);
	});
});
