import * as assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { globalFlags, nouns, rows } from '../../../src/cli/commands';
import { CommandError } from '../../../src/cli/errors';
import { parseCommandLine } from '../../../src/cli/program';
import { createBody } from '../../../src/cli/run';
import type { RunFlags } from '../../../src/cli/run-flags';
import { parseSize } from '../../../src/cli/size';

const FILES: Readonly<Record<string, string>> = {
	'env.list': '\ufeffA=1\n# comment\n\n  B=2 \r\nUNSET\nHOME\nQ="x y"\nEMPTY=\n',
	'labels.list': 'a=1\n#c\nalone\nc=x=y\n',
	'noname.list': '=x\n',
	'spaces.list': 'A B=1\n',
};

function readFile(file: string): string {
	const text = FILES[file];
	if (text === undefined) {
		throw Object.assign(new Error(`ENOENT: ${file}`), { code: 'ENOENT' });
	}
	return text;
}

/** The body that a command line comes to, without the members that every plain `run` has. */
function body(...args: string[]): object {
	const { request } = parseCommandLine({ rows, nouns, flags: globalFlags }, args);
	assert.ok(!('help' in request));
	const whole = createBody(request.flags as RunFlags, request.operands, {
		env: { HOME: '/root', A: 'own' },
		cwd: '/work',
		readFile,
	});
	const usual = { AttachStdin: false, AttachStdout: true, AttachStderr: true, Image: 'busybox' };
	const isUsual = ([key, value]: [string, unknown]): boolean =>
		value === usual[key as keyof typeof usual] || (key === 'HostConfig' && JSON.stringify(value) === '{}');
	return Object.fromEntries(Object.entries(whole).filter((entry) => !isUsual(entry)));
}

function refusal(...args: string[]): string {
	try {
		body('run', ...args, 'busybox');
	} catch (error) {
		assert.ok(error instanceof CommandError);
		assert.equal(error.exitCode, 125);
		return error.message.split('\n')[0] ?? '';
	}
	return assert.fail(`nothing was refused: ${args.join(' ')}`);
}

function same(cases: readonly (readonly [string[], object])[]): void {
	assert.deepEqual(
		cases.map(([args]) => body(...args)),
		cases.map(([, expected]) => expected),
	);
}

function refused(cases: readonly (readonly [string[], string])[]): void {
	assert.deepEqual(
		cases.map(([args]) => refusal(...args)),
		cases.map(([, expected]) => expected),
	);
}

// The bodies are those that docker 28.2.2 sends for the same words, without its defaults.
describe('run: flags to body', () => {
	it('nothing asked, nothing sent', () => {
		same([
			[['run', 'busybox'], {}],
			[['create', 'busybox', 'sh', '-c', 'x y'], { Cmd: ['sh', '-c', 'x y'] }],
			[['create', '--', 'busybox', '-x'], { Cmd: ['-x'] }],
			[['run', 'busybox:1@sha256:00'], { Image: 'busybox:1@sha256:00' }],
		]);
		assert.throws(() => body('run', ''), /^CommandError: invalid reference format$/);
	});

	it('streams: by default those of the foreground, else those named by -a', () => {
		const noOutput = { AttachStdout: false, AttachStderr: false };
		same([
			[['run', '-d', 'busybox'], noOutput],
			[['run', '-i', 'busybox'], { AttachStdin: true, OpenStdin: true, StdinOnce: true }],
			[['run', '-t', 'busybox'], { Tty: true }],
			[['run', '-dit', 'busybox'], { ...noOutput, Tty: true, OpenStdin: true, StdinOnce: false }],
			[['run', '-a', 'stdout', 'busybox'], { AttachStderr: false }],
			[['run', '-a', 'STDIN', '-a', 'stdout', 'busybox'], { AttachStdin: true, AttachStderr: false }],
			[
				['run', '-a', 'stdin', '-i', 'busybox'],
				{ ...noOutput, AttachStdin: true, OpenStdin: true, StdinOnce: true },
			],
		]);
		refused([
			[
				['-a', 'foo'],
				'invalid argument "foo" for "-a, --attach" flag: valid streams are STDIN, STDOUT and STDERR',
			],
		]);
	});

	it('environment: files first, flags over them, names alone take our value or take the image’s out', () => {
		same([
			[['run', '-e', 'B=1', '-e', 'HOME', '-e', 'NOSUCH', 'busybox'], { Env: ['B=1', 'HOME=/root', 'NOSUCH'] }],
			[['run', '-e', 'A=1', '-e', 'A=2', 'busybox'], { Env: ['A=2'] }],
			[
				['run', '--env-file', 'env.list', '-e', 'B=x y', 'busybox'],
				{ Env: ['A=1', 'B=x y', 'HOME=/root', 'Q="x y"', 'EMPTY='] },
			],
		]);
		refused([
			[['-e', ''], 'invalid argument "" for "-e, --env" flag: invalid environment variable: '],
			[['-e', '=x'], 'invalid argument "=x" for "-e, --env" flag: invalid environment variable: =x'],
			[['--env-file', '/nosuch'], 'open /nosuch: no such file or directory'],
			[['--env-file', 'noname.list'], "invalid env file (noname.list): no variable name on line '=x'"],
			[['--env-file', 'spaces.list'], "invalid env file (spaces.list): variable 'A B' contains whitespaces"],
		]);
	});

	it('labels and annotations', () => {
		same([
			[
				['run', '-l', 'a=b', '-l', 'z', '--label-file', 'labels.list', 'busybox'],
				{ Labels: { a: 'b', c: 'x=y', z: '' } },
			],
			[['run', '--annotation', 'a=b', 'busybox'], { HostConfig: { Annotations: { a: 'b' } } }],
		]);
		refused([
			[['-l', ''], 'invalid argument "" for "-l, --label" flag: invalid label \'\': empty name'],
			[['-l', '=a'], 'invalid argument "=a" for "-l, --label" flag: invalid label \'=a\': empty name'],
		]);
	});

	it('what runs: directory, user, entrypoint, host name, network, platform-free', () => {
		same([
			[
				['run', '-w', '/x', '-u', '1:2', '--entrypoint', 'sh -c', '-h', 'host', 'busybox', 'a'],
				{ Hostname: 'host', User: '1:2', Cmd: ['a'], WorkingDir: '/x', Entrypoint: ['sh -c'] },
			],
			[['run', '--entrypoint', '', 'busybox'], { Entrypoint: [''] }],
			[['run', '--network', 'host', 'busybox'], { HostConfig: { NetworkMode: 'host' } }],
			[['run', '--net=none', 'busybox'], { HostConfig: { NetworkMode: 'none' } }],
			[['run', '--name', 'n', '--platform', 'linux/arm64', '--pull', 'never', 'busybox'], {}],
			[
				['run', '--stop-signal', 'USR1', '--stop-timeout', '-1', 'busybox'],
				{ StopSignal: 'USR1', StopTimeout: -1 },
			],
		]);
		refused([
			[
				['--stop-timeout', 'x'],
				'invalid argument "x" for "--stop-timeout" flag: strconv.ParseInt: parsing "x": invalid syntax',
			],
		]);
	});

	it('volumes: a relative host folder counts from here, one part is an anonymous volume', () => {
		same([
			[
				[
					'run',
					'-v',
					'/a:/b',
					'-v',
					'./x:/y:ro',
					'-v',
					'.:/z',
					'-v',
					'vol:/w',
					'-v',
					'~/x:/h',
					'-v',
					'/anon',
					'busybox',
				],
				{
					Volumes: { '/anon': {} },
					HostConfig: { Binds: ['/a:/b', '/work/x:/y:ro', '/work:/z', 'vol:/w', '~/x:/h'] },
				},
			],
		]);
		refused([
			[['-v', ''], 'invalid empty volume spec'],
			[['-v', ':/b'], 'invalid spec: :/b: empty section between colons'],
			[['-v', '/a::ro'], 'invalid spec: /a::ro: empty section between colons'],
		]);
	});

	it('mounts', () => {
		const mounts = (...specs: string[]): string[] => [
			'run',
			...specs.flatMap((spec) => ['--mount', spec]),
			'busybox',
		];
		same([
			[
				mounts(
					'type=bind,src=/a,dst=/b',
					'type=bind,source=./rel,target=/c,readonly',
					'type=bind,src=/a,dst=/x,ro=false,bind-propagation=rslave',
					'type=bind,"src=/a,b",dst=/q',
					'type=TMPFS,destination=/t,tmpfs-size=10m,tmpfs-mode=1770',
					'type=volume,src=v,dst=/v',
					'dst=/d',
				),
				{
					HostConfig: {
						Mounts: [
							{ Type: 'bind', Source: '/a', Target: '/b' },
							{ Type: 'bind', Source: '/work/rel', Target: '/c', ReadOnly: true },
							{ Type: 'bind', Source: '/a', Target: '/x', BindOptions: { Propagation: 'rslave' } },
							{ Type: 'bind', Source: '/a,b', Target: '/q' },
							{ Type: 'tmpfs', Target: '/t', TmpfsOptions: { SizeBytes: 10485760, Mode: 0o1770 } },
							{ Type: 'volume', Source: 'v', Target: '/v' },
							{ Type: 'volume', Target: '/d' },
						],
					},
				},
			],
		]);
		const wrong = (spec: string, reason: string): readonly [string[], string] => [
			['--mount', spec],
			`invalid argument ${JSON.stringify(spec)} for "--mount" flag: ${reason}`,
		];
		refused([
			wrong('foo', "invalid field 'foo' must be a key=value pair"),
			wrong('type=bind', 'target is required'),
			wrong('type=tmpfs,dst=/b,readonly=maybe', 'invalid value for readonly: maybe'),
			wrong('type=tmpfs,dst=/b,nope=1', "unexpected key 'nope' in 'nope=1'"),
			wrong('type=tmpfs,dst=/b,constructor=1', "unexpected key 'constructor' in 'constructor=1'"),
			wrong('type=tmpfs,dst=/b,tmpfs-size=x', 'invalid value for tmpfs-size: x'),
			wrong('type=tmpfs,dst=/b,tmpfs-mode=9', 'invalid value for tmpfs-mode: 9'),
			wrong('type=bind,src=/a,dst=/b,tmpfs-mode=7', "cannot mix 'tmpfs-*' options with mount type 'bind'"),
			wrong('type=tmpfs,dst=/b,bind-propagation=x', "cannot mix 'bind-*' options with mount type 'tmpfs'"),
		]);
	});

	it('tmpfs, read-only, capabilities, privileged', () => {
		same([
			[
				['run', '--tmpfs', '/t', '--tmpfs', '/u:size=1m,ro', '--read-only', '--privileged', 'busybox'],
				{
					HostConfig: {
						Tmpfs: { '/t': '', '/u': 'size=1m,ro' },
						ReadonlyRootfs: true,
						Privileged: true,
					},
				},
			],
			[
				['run', '--cap-add', 'NET_ADMIN', '--cap-add', 'cap_chown', '--cap-drop', 'all', 'busybox'],
				{ HostConfig: { CapAdd: ['CAP_CHOWN', 'CAP_NET_ADMIN'], CapDrop: ['ALL'] } },
			],
		]);
	});

	it('limits', () => {
		same([
			[
				['run', '-m', '10m', '--cpus', '1.5', '--pids-limit', '10', 'busybox'],
				{ HostConfig: { Memory: 10485760, NanoCpus: 1500000000, PidsLimit: 10 } },
			],
			[['run', '--cpus', '.5', '--pids-limit=-1', 'busybox'], { HostConfig: { NanoCpus: 5e8, PidsLimit: -1 } }],
			[['run', '--cpus', '1/2', 'busybox'], { HostConfig: { NanoCpus: 5e8 } }],
			[['run', '--cpus', '1e3', 'busybox'], { HostConfig: { NanoCpus: 1e12 } }],
		]);
		refused([
			[['--cpus', 'abc'], 'invalid argument "abc" for "--cpus" flag: failed to parse abc as a rational number'],
			[['--cpus', '1/0'], 'invalid argument "1/0" for "--cpus" flag: failed to parse 1/0 as a rational number'],
			[['--cpus', '0.0000000001'], 'invalid argument "0.0000000001" for "--cpus" flag: value is too precise'],
			[['-m', ''], 'invalid argument "" for "-m, --memory" flag: invalid size: \'\''],
			[['-m', '-1'], 'invalid argument "-1" for "-m, --memory" flag: invalid size: \'-1\''],
			[['-m', '6.5x'], 'invalid argument "6.5x" for "-m, --memory" flag: invalid suffix: \'x\''],
		]);
	});

	it('memory: every unit, with and without "b" and "ib"', () => {
		const sizes = ['0', '100', '10b', '.5m', '1.m', '10MB', '1.5GiB', '10 m', '1tb', '1P', '1e3'];
		assert.deepEqual(sizes.map(parseSize), [
			0,
			100,
			10,
			524288,
			1048576,
			10485760,
			1610612736,
			10485760,
			2 ** 40,
			2 ** 50,
			1000,
		]);
		assert.deepEqual(['x', '1mm', '1bb', '1.2.3', '1 kk'].map(parseSize), [
			"invalid size: 'x'",
			"invalid suffix: 'mm'",
			"invalid suffix: 'bb'",
			'strconv.ParseFloat: parsing "1.2.3": invalid syntax',
			"invalid suffix: 'kk'",
		]);
		fc.assert(fc.property(fc.string(), (value) => ['number', 'string'].includes(typeof parseSize(value))));
	});

	it('logging', () => {
		same([
			[['run', '--log-driver', 'none', 'busybox'], { HostConfig: { LogConfig: { Type: 'none', Config: {} } } }],
			[
				['run', '--log-opt', 'max-size=1m', '--log-opt', 'a=b=c', '--log-opt', 'x', 'busybox'],
				{ HostConfig: { LogConfig: { Type: '', Config: { 'max-size': '1m', a: 'b=c', x: '' } } } },
			],
		]);
		refused([[['--log-driver', 'none', '--log-opt', 'a=b'], 'invalid logging opts for driver none']]);
	});

	it('removal and restart', () => {
		const policy = (name: string, count = 0): object => ({
			HostConfig: { RestartPolicy: { Name: name, MaximumRetryCount: count } },
		});
		same([
			[['run', '--rm', 'busybox'], { HostConfig: { AutoRemove: true } }],
			[['run', '--restart', 'always', 'busybox'], policy('always')],
			[['run', '--restart', 'on-failure:3', 'busybox'], policy('on-failure', 3)],
			[['run', '--restart', 'always:3', 'busybox'], policy('always', 3)],
		]);
		const format = 'invalid restart policy format';
		refused([
			[['--rm', '--restart', 'always'], 'conflicting options: cannot specify both --restart and --rm'],
			[['--restart', 'on-failure:x'], `${format}: maximum retry count must be an integer`],
			[['--restart', 'on-failure:1:2'], `${format}: maximum retry count must be an integer`],
			[['--restart', ':3'], `${format}: no policy provided before colon`],
		]);
	});

	it('ports', () => {
		const ports = [
			'80',
			'8080:80',
			'127.0.0.1:1:2/udp',
			'8000-8001:90-91',
			'[::1]:5:6',
			'7000-7010:99',
			'10.0.0.1::70',
		];
		same([
			[
				['run', ...ports.flatMap((port) => ['-p', port]), 'busybox'],
				{
					ExposedPorts: {
						'80/tcp': {},
						'2/udp': {},
						'90/tcp': {},
						'91/tcp': {},
						'6/tcp': {},
						'99/tcp': {},
						'70/tcp': {},
					},
					HostConfig: {
						PortBindings: {
							'80/tcp': [
								{ HostIp: '', HostPort: '' },
								{ HostIp: '', HostPort: '8080' },
							],
							'2/udp': [{ HostIp: '127.0.0.1', HostPort: '1' }],
							'90/tcp': [{ HostIp: '', HostPort: '8000' }],
							'91/tcp': [{ HostIp: '', HostPort: '8001' }],
							'6/tcp': [{ HostIp: '::1', HostPort: '5' }],
							'99/tcp': [{ HostIp: '', HostPort: '7000-7010' }],
							'70/tcp': [{ HostIp: '10.0.0.1', HostPort: '' }],
						},
					},
				},
			],
		]);
		refused([
			[['-p', 'x'], 'invalid containerPort: x'],
			[['-p', '5-4'], 'invalid containerPort: 5-4'],
			[['-p', ''], 'no port specified: <empty>'],
			[['-p', '99999:1'], 'invalid hostPort: 99999'],
			[['-p', '1:2:3:4'], 'invalid IP address: 1:2'],
			[['-p', 'a.b:1:2'], 'invalid IP address: a.b'],
			[['-p', '80/foo'], 'invalid proto: foo'],
			[['-p', '1-2:3-5'], 'invalid ranges specified for container and host Ports: 3-5 and 1-2'],
		]);
	});

	it('extra hosts', () => {
		const hosts = ['a:1.2.3.4', 'b:host-gateway', 'c=::1', 'd:::1', 'e:[::1]'];
		same([
			[
				['run', ...hosts.flatMap((host) => ['--add-host', host]), 'busybox'],
				{ HostConfig: { ExtraHosts: ['a:1.2.3.4', 'b:host-gateway', 'c:::1', 'd:::1', 'e:::1'] } },
			],
		]);
		refused([
			[['--add-host', 'foo'], 'invalid argument "foo" for "--add-host" flag: bad format for add-host: "foo"'],
			[
				['--add-host', 'foo:999'],
				'invalid argument "foo:999" for "--add-host" flag: invalid IP address in add-host: "999"',
			],
		]);
	});
});

describe('networks of a new container', () => {
	it('short and long form, several, and the flags of the first', () => {
		same([
			[['run', '--network', 'app', 'busybox'], { HostConfig: { NetworkMode: 'app' } }],
			[
				['run', '--network', 'name=app,alias=www,alias=site,ip=10.9.0.5', '--network', 'other', 'busybox'],
				{
					HostConfig: { NetworkMode: 'app' },
					NetworkingConfig: {
						EndpointsConfig: {
							app: { Aliases: ['www', 'site'], IPAMConfig: { IPv4Address: '10.9.0.5' } },
							other: {},
						},
					},
				},
			],
			[
				[
					'run',
					'--net',
					'app',
					'--ip6',
					'fd09::5',
					'--mac-address',
					'02:42:00:00:00:05',
					'--link',
					'db',
					'busybox',
				],
				{
					HostConfig: { NetworkMode: 'app', Links: ['db:db'] },
					NetworkingConfig: {
						EndpointsConfig: {
							app: { IPAMConfig: { IPv6Address: 'fd09::5' }, MacAddress: '02:42:00:00:00:05' },
						},
					},
				},
			],
			[
				['run', '--network-alias', 'www', 'busybox'],
				{ NetworkingConfig: { EndpointsConfig: { default: { Aliases: ['www'] } } } },
			],
		]);
	});

	it('refuses what contradicts itself', () => {
		refused([
			[
				['--network', 'app', '--network', 'host'],
				'conflicting options: cannot attach both user-defined and non-user-defined network-modes',
			],
			[['--network', 'app', '--network', 'app'], 'network "app" is specified multiple times'],
			[
				['--network', 'name=app,ip=10.9.0.5', '--ip', '10.9.0.6'],
				'conflicting options: cannot specify both --ip and per-network ip',
			],
			[
				['--network', 'alias=www'],
				'invalid argument "alias=www" for "--network" flag: network name is not specified',
			],
			[
				['--network', 'name=app,color=red'],
				'invalid argument "name=app,color=red" for "--network" flag: invalid field key color',
			],
			[['--link', 'a:b:c'], 'invalid argument "a:b:c" for "--link" flag: bad format for links: a:b:c'],
		]);
	});
});
