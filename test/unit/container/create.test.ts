import assert from 'node:assert/strict';
import * as os from 'node:os';
import { containerCapabilities } from '../../../src/core/container/capabilities';
import { newContainer, type CreateOptions } from '../../../src/core/container/create';
import { generateName, checkName } from '../../../src/core/container/names';
import { isContainer } from '../../../src/core/container/record';
import { startFailure } from '../../../src/core/container/start-failure';
import { signalNumber } from '../../../src/core/container/signals';
import type { Image, ImageConfig } from '../../../src/core/types';

const IMAGE_CONFIG: ImageConfig = {
	cmd: ['sh', '-l'],
	entrypoint: [],
	env: ['PATH=/bin', 'LANG=C'],
	working_dir: '/srv/',
	exposed_ports: {},
	user: 'web',
	volumes: {},
	labels: { from: 'image', both: 'image' },
	stop_signal: 'SIGQUIT',
};

function image(config: Partial<ImageConfig> = {}): Image {
	return {
		id: `sha256:${'a'.repeat(64)}`,
		name: 'docker.io/library/busybox',
		tag: 'latest',
		layers: [],
		config: { ...IMAGE_CONFIG, ...config },
		size: 1,
		created: '',
		digest: '',
		repo_digests: [],
		platform: { os: 'linux', architecture: 'amd64' },
		pulled_at: '',
	};
}

function create(config: CreateOptions['config'] = {}, from = image(), rest: Partial<CreateOptions> = {}) {
	return newContainer({ image: 'busybox', config, ...rest }, from, undefined);
}

describe('a new container', () => {
	it('nothing asked: is what the image says, with docker defaults', () => {
		const { container, warnings } = create({}, image(), { name: 'web' });
		const { id, created_at: created, ...rest } = container;
		assert.match(id, /^[0-9a-f]{64}$/);
		assert.match(created, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z$/);
		assert.deepEqual(warnings, []);
		assert.deepEqual(rest, {
			name: 'web',
			image_id: `sha256:${'a'.repeat(64)}`,
			status: 'created',
			started_at: '',
			finished_at: '',
			config: {
				image: 'busybox',
				entrypoint: [],
				command: ['sh', '-l'],
				env: ['PATH=/bin', 'LANG=C'],
				working_dir: '/srv/',
				user: 'web',
				hostname: id.slice(0, 12),
				tty: false,
				open_stdin: false,
				stdin_once: false,
				stop_signal: 'SIGQUIT',
				stop_timeout: 10,
				resources: { cpu: 0, memory: 0, pids: 0 },
				network: {
					mode: 'bridge',
					endpoints: [{ network: 'bridge', aliases: [], address: '', mac_address: '' }],
					ports: [],
					publish_all: false,
					exposed_ports: [],
					dns: { servers: [], search: [], options: [] },
				},
				log_config: { type: 'json-file', options: {} },
				mounts: [],
				read_only: false,
				privileged: false,
				cap_add: [],
				cap_drop: [],
				auto_remove: false,
				extra_hosts: [],
			},
			labels: { from: 'image', both: 'image' },
			annotations: {},
			restart_count: 0,
			exit_code: 0,
			error: '',
			oom_killed: false,
			manual_stop: false,
			process: null,
			shim: null,
		});
	});

	it('a record: is accepted again when it is read', () => {
		const { container } = create({}, image(), { name: 'web' });
		assert.equal(isContainer(JSON.parse(JSON.stringify(container))), true);
		for (const wrong of [
			{},
			null,
			{ ...container, id: '../x' },
			{ ...container, config: {} },
			{ ...container, status: 'up' },
		]) {
			assert.equal(isContainer(wrong), false);
		}
	});

	const commands: readonly (readonly [Partial<ImageConfig>, CreateOptions['config'], readonly string[]])[] = [
		[{}, { command: ['ls'] }, ['ls']],
		[{}, { entrypoint: ['/bin/echo'] }, ['/bin/echo']],
		[{}, { entrypoint: ['/bin/echo'], command: ['hi'] }, ['/bin/echo', 'hi']],
		[{ entrypoint: ['/init'] }, {}, ['/init', 'sh', '-l']],
		[{ entrypoint: ['/init'] }, { command: ['ls'] }, ['/init', 'ls']],
		[{ entrypoint: ['/init'] }, { entrypoint: [], command: ['ls'] }, ['ls']],
	];
	for (const [config, asked, expected] of commands) {
		it(`entrypoint and command: ${JSON.stringify([config, asked])} runs ${expected.join(' ')}`, () => {
			const { entrypoint, command } = create(asked, image(config)).container.config;
			assert.deepEqual([...entrypoint, ...command], expected);
		});
	}

	it('environment and labels: the user goes before the image', () => {
		const { container } = create({ env: ['LANG=de', 'NEW='] }, image(), { labels: { both: 'user' } });
		assert.deepEqual(
			[container.config.env, container.labels],
			[['LANG=de', 'NEW=', 'PATH=/bin'], { from: 'image', both: 'user' }],
		);
	});

	it('host name: is the own id, or with the host network that of the host', () => {
		assert.equal(create({ network: { mode: 'host' } }).container.config.hostname, os.hostname());
		assert.equal(create({ network: { mode: 'none' }, hostname: 'db' }).container.config.hostname, 'db');
	});

	it('network none and host: come without a warning', () => {
		assert.deepEqual(
			[create({ network: { mode: 'none' } }).warnings, create({ network: { mode: 'host' } }).warnings],
			[[], []],
		);
	});

	it('no bridges on this machine: shares the network of the host and says why, unless a network was asked for', () => {
		const without = (config: CreateOptions['config']) =>
			newContainer({ image: 'busybox', config }, image(), 'No iptables; install the package "iptables"');
		const { container, warnings } = without({});
		assert.deepEqual(
			[container.config.network.mode, warnings],
			['host', [`No iptables; install the package "iptables"; the container shares the host's network`]],
		);
		assert.throws(() => without({ network: { mode: 'db' } }), { code: 'unsupported' });
	});

	it('log options: the spelling of the seed means that of docker', () => {
		const { log_config: log } = create({ log_config: { type: '', options: { max_size: '2k', max_files: '5' } } })
			.container.config;
		assert.deepEqual(log, { type: 'json-file', options: { 'max-size': '2k', 'max-file': '5' } });
	});

	const bind = { type: 'bind', source: '/a', destination: '/b/', read_only: false } as const;
	const refusals: readonly (readonly [CreateOptions['config'], string, string])[] = [
		[{ working_dir: 'rel' }, 'invalid', "the working directory 'rel' is invalid, it needs to be an absolute path"],
		[{ resources: { cpu: 0, memory: 6291455, pids: 0 } }, 'invalid', 'Minimum memory limit allowed is 6MB'],
		[
			{ resources: { cpu: 9999, memory: 0, pids: 0 } },
			'invalid',
			`Range of CPUs is from 0.01 to ${os.cpus().length}.00, as there are only ${os.cpus().length} CPUs available`,
		],
		[{ cap_add: ['FOO'] }, 'invalid', 'invalid CapAdd: unknown capability: "CAP_FOO"'],
		[{ stop_signal: 'FOO' }, 'invalid', 'invalid signal: FOO'],
		[{ hostname: 'a b' }, 'invalid', 'invalid hostname format: a b'],
		[{ env: ['=x'] }, 'invalid', 'invalid environment variable: =x'],
		[{ extra_hosts: ['x'] }, 'invalid', 'bad format for add-host: "x"'],
		[{ mounts: [bind, { ...bind, destination: '/b' }] }, 'invalid', 'Duplicate mount point: /b'],
		[
			{ mounts: [{ ...bind, destination: '/x/..' }] },
			'invalid',
			"invalid volume specification: destination can't be '/'",
		],
		[{ mounts: [{ ...bind, destination: 'b' }] }, 'invalid', "invalid mount path: 'b' mount path must be absolute"],
		[{ mounts: [{ ...bind, options: ['x,y'] }] }, 'invalid', 'invalid bind option ["x,y"]'],
		[
			{ log_config: { type: 'gelf', options: {} } },
			'unsupported',
			"logger: no log driver named 'gelf' is registered",
		],
		[
			{ log_config: { type: 'json-file', options: { compress: 'true' } } },
			'invalid',
			'compress cannot be true when max-file is less than 2 or max-size is not set',
		],
		[
			{ log_config: { type: 'json-file', options: { nosuch: '' } } },
			'invalid',
			"unknown log opt 'nosuch' for json-file log driver",
		],
		[
			{ log_config: { type: 'json-file', options: { 'max-file': '0' } } },
			'invalid',
			'max-file cannot be less than 1',
		],
		[{ log_config: { type: 'json-file', options: { 'max-size': '0' } } }, 'invalid', "invalid size: '0'"],
	];
	for (const [asked, code, message] of refusals) {
		it(`refuses ${JSON.stringify(asked)}`, () => {
			assert.throws(() => create(asked), { code, message });
		});
	}

	it('no command anywhere: is refused', () => {
		assert.throws(() => create({}, image({ cmd: [] })), { code: 'invalid', message: 'no command specified' });
	});
});

describe('container names', () => {
	it('generated: have the form adjective_surname and are free', () => {
		const taken = new Set<string>();
		for (let count = 0; count < 500; count++) {
			const name = generateName((candidate) => taken.has(candidate));
			assert.equal(taken.has(name), false);
			assert.match(name, /^[a-z]+_[a-z]+\d*$/);
			taken.add(name);
		}
	});

	it('generated when all are taken: get a number', () => {
		assert.match(
			generateName((name) => /^[a-z_]+$/.test(name)),
			/^[a-z]+_[a-z]+\d+$/,
		);
	});

	for (const name of ['a b', '/x', 'x', '', '-x', 'x/y', 'ä1', 'a\n']) {
		it(`${JSON.stringify(name)}: is refused with docker's text`, () => {
			assert.throws(
				() => {
					checkName(name);
				},
				{
					code: 'invalid',
					message: `Invalid container name (${name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed`,
				},
			);
		});
	}
});

describe('signals', () => {
	for (const [text, number] of [
		['TERM', 15],
		['SIGTERM', 15],
		['sigkill', 9],
		['9', 9],
		['RTMIN+1', 35],
		['SIGRTMAX', 64],
	] as const) {
		it(`${text}: is ${number}`, () => {
			assert.equal(signalNumber(text), number);
		});
	}
	for (const text of ['0', '65', 'FOO', '', '-9', 'RTMIN-1', 'SIG']) {
		it(`"${text}": is refused`, () => {
			assert.throws(() => signalNumber(text), { code: 'invalid', message: `invalid signal: ${text}` });
		});
	}
});

describe('capabilities', () => {
	const of = (cap_add: string[], cap_drop: string[], privileged = false) =>
		containerCapabilities({ cap_add, cap_drop, privileged }, ['CHOWN', 'NET_ADMIN', 'SYS_ADMIN']);

	it('ALL: may be added or dropped', () => {
		assert.deepEqual(of([], ['ALL']), []);
		assert.deepEqual(of(['net_admin'], ['all']), ['CAP_NET_ADMIN']);
		assert.deepEqual(of(['ALL'], ['CAP_SYS_ADMIN']), ['CAP_CHOWN', 'CAP_NET_ADMIN']);
		assert.deepEqual(of([], [], true), ['CAP_CHOWN', 'CAP_NET_ADMIN', 'CAP_SYS_ADMIN']);
	});

	it('single ones: change the fourteen defaults', () => {
		const names = of(['SYS_TIME', 'CHOWN'], ['MKNOD', 'KILL']);
		assert.equal(names.length, 13);
		assert.deepEqual(
			['CAP_SYS_TIME', 'CAP_CHOWN', 'CAP_MKNOD', 'CAP_KILL'].map((name) => names.includes(name)),
			[true, true, false, false],
		);
	});
});

describe('a start that failed', () => {
	const log = (msg: string): string =>
		`{"level":"warning","msg":"x"}\n${JSON.stringify({ level: 'error', msg: `runc run failed: ${msg}`, time: '' })}\n`;
	// Words of runc 1.1.5.
	const cases: readonly (readonly [string, number])[] = [
		['unable to start container process: exec: "nosuch": executable file not found in $PATH', 127],
		['unable to start container process: exec: "/no/such": stat /no/such: no such file or directory', 127],
		['unable to start container process: exec: "/etc": permission denied', 126],
		['unable to start container process: exec: "/etc": is a directory', 126],
		['unable to start container process: error mounting "/x" to rootfs at "/y": no such file or directory', 125],
		[
			'unable to start container process: chdir to cwd ("/etc/passwd") set in config.json failed: not a directory',
			125,
		],
	];
	for (const [message, exitCode] of cases) {
		it(`${message}: gives ${exitCode}`, () => {
			assert.deepEqual(startFailure({ program: 'x', ociLog: log(message), mountError: '', networkError: '' }), {
				message: `failed to create task for container: failed to create shim task: OCI runtime create failed: runc run failed: ${message}: unknown`,
				exitCode,
			});
		});
	}

	// Words of crun 1.8.1 and youki 0.3, which docker's users do not know.
	const others: readonly (readonly [object, string, number])[] = [
		[
			{ level: 'error', msg: 'executable file `nosuch` not found in $PATH: No such file or directory' },
			'exec: "nosuch": executable file not found in $PATH',
			127,
		],
		[
			{ level: 'error', msg: 'executable file `/no/such` not found in $PATH: No such file or directory' },
			'exec: "/no/such": stat /no/such: no such file or directory',
			127,
		],
		[{ level: 'error', msg: 'open executable: Operation not permitted' }, 'exec: "x": permission denied', 126],
		[{ level: 'ERROR', fields: { message: 'no room' } }, 'no room', 125],
	];
	for (const [line, reason, exitCode] of others) {
		it(`of another runtime, ${reason}: gives ${exitCode}`, () => {
			const ociLog = `${JSON.stringify(line)}\n`;
			assert.deepEqual(startFailure({ program: 'x', ociLog, mountError: '', networkError: '' }), {
				message: `failed to create task for container: failed to create shim task: OCI runtime create failed: ${reason}: unknown`,
				exitCode,
			});
		});
	}

	it('a mount that failed: says so', () => {
		assert.deepEqual(
			startFailure({ program: 'x', ociLog: '', mountError: 'mount: /m: wrong fs type\n', networkError: '' }),
			{
				message: 'error creating overlay mount: mount: /m: wrong fs type',
				exitCode: 125,
			},
		);
	});

	it('a mount that worked, though fuse-overlayfs did not know an option: is not what failed', () => {
		const mountError = 'unknown argument ignored: lazytime\n';
		const ociLog = log('exec: "x": executable file not found in $PATH');
		assert.equal(startFailure({ program: 'x', ociLog, mountError, networkError: '' }).exitCode, 127);
	});

	it('a runtime that said nothing: gives 125', () => {
		assert.equal(startFailure({ program: 'x', ociLog: 'rubbish', mountError: '', networkError: '' }).exitCode, 125);
	});
});
