import assert from 'node:assert/strict';
import { sshArguments } from '../../../src/api/attach';
import { hostText, InvalidHost, parseHost } from '../../../src/api/endpoint';

describe('hosts of engines', () => {
	it('are read as docker reads them, and written back', () => {
		const texts = [
			'unix:///var/run/docker.sock',
			'npipe:////./pipe/docker_engine',
			'tcp://10.0.0.1',
			'tcp://[::1]:2376',
			'tcp://:4243',
			'ssh://box',
			'ssh://me@box.example:2222/run/user/1000/podman/podman.sock',
			'ssh://core@[fe80::1%eth0]:22/',
		];
		assert.deepEqual(
			texts.map((text) => hostText(parseHost(text))),
			[
				'unix:///var/run/docker.sock',
				'npipe:////./pipe/docker_engine',
				'tcp://10.0.0.1:2375',
				'tcp://[::1]:2376',
				'tcp://localhost:4243',
				'ssh://box',
				'ssh://me@box.example:2222/run/user/1000/podman/podman.sock',
				'ssh://core@[fe80::1%eth0]:22',
			],
		);
	});

	it('TLS has another port', () => {
		const tls = { ca: '/ca', cert: undefined, key: undefined, isVerified: true };
		assert.deepEqual(parseHost('tcp://box', tls), { kind: 'tcp', host: 'box', port: 2376, tls });
	});

	it('what could be read as an option, a command or another machine is refused', () => {
		const hostile = [
			'',
			'unix://relative',
			'fd://3',
			'ssh://-oProxyCommand=touch/x',
			'ssh://-l@box',
			'ssh://box;id',
			'ssh://box/$(id)',
			'ssh://box/a b',
			'ssh://me:secret@box',
			'ssh://box:0',
			'ssh://box:99999',
			'ssh://',
			'ssh://a@b@c',
			'tcp://me@box:1',
			'tcp://box:1/path',
			'tcp://box?x',
			'npipe:////evil/pipe/x',
			'unix:///a\nb',
			null,
			{},
		];
		for (const text of hostile) {
			assert.throws(() => parseHost(text), InvalidHost, JSON.stringify(text));
		}
	});

	it('ssh gets arguments, the host after the end of its options', () => {
		const endpoint = parseHost('ssh://me@box:2222/run/podman.sock');
		assert.ok(endpoint.kind === 'ssh');
		assert.deepEqual(sshArguments(endpoint, false), [
			...['-T', '-o', 'ConnectTimeout=30', '-o', 'BatchMode=yes', '-l', 'me', '-p', '2222', '--', 'box'],
			...['docker', '--host', 'unix:///run/podman.sock', 'system', 'dial-stdio'],
		]);
	});
});
