import * as assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { createOptions } from '../../../src/api/create';
import { EngineError } from '../../../src/core/errors';

/** What docker CLI 28.2.2 sends for `docker run busybox echo hi`. */
const CLI_BODY = JSON.parse(
	'{"Hostname":"","Domainname":"","User":"","AttachStdin":false,"AttachStdout":true,"AttachStderr":true,"Tty":false,"OpenStdin":false,"StdinOnce":false,"Env":null,"Cmd":["echo","hi"],"Image":"busybox","Volumes":{},"WorkingDir":"","Entrypoint":null,"OnBuild":null,"Labels":{},"HostConfig":{"Binds":null,"ContainerIDFile":"","LogConfig":{"Type":"","Config":{}},"NetworkMode":"default","PortBindings":{},"RestartPolicy":{"Name":"no","MaximumRetryCount":0},"AutoRemove":false,"VolumeDriver":"","VolumesFrom":null,"ConsoleSize":[0,0],"CapAdd":null,"CapDrop":null,"CgroupnsMode":"","Dns":[],"DnsOptions":[],"DnsSearch":[],"ExtraHosts":null,"GroupAdd":null,"IpcMode":"","Cgroup":"","Links":null,"OomScoreAdj":0,"PidMode":"","Privileged":false,"PublishAllPorts":false,"ReadonlyRootfs":false,"SecurityOpt":null,"UTSMode":"","UsernsMode":"","ShmSize":0,"Isolation":"","CpuShares":0,"Memory":0,"NanoCpus":0,"CgroupParent":"","BlkioWeight":0,"BlkioWeightDevice":[],"BlkioDeviceReadBps":[],"BlkioDeviceWriteBps":[],"BlkioDeviceReadIOps":[],"BlkioDeviceWriteIOps":[],"CpuPeriod":0,"CpuQuota":0,"CpuRealtimePeriod":0,"CpuRealtimeRuntime":0,"CpusetCpus":"","CpusetMems":"","Devices":[],"DeviceCgroupRules":null,"DeviceRequests":null,"MemoryReservation":0,"MemorySwap":0,"MemorySwappiness":-1,"OomKillDisable":false,"PidsLimit":0,"Ulimits":[],"CpuCount":0,"CpuPercent":0,"IOMaximumIOps":0,"IOMaximumBandwidth":0,"MaskedPaths":null,"ReadonlyPaths":null},"NetworkingConfig":{"EndpointsConfig":{"default":{"IPAMConfig":null,"Links":null,"Aliases":null,"MacAddress":"","DriverOpts":null,"GwPriority":0,"NetworkID":"","EndpointID":"","Gateway":"","IPAddress":"","IPPrefixLen":0,"IPv6Gateway":"","GlobalIPv6Address":"","GlobalIPv6PrefixLen":0,"DNSNames":null}}}}',
) as object;

/** What is asked of the network when nothing is. */
const NETWORK = {
	mode: 'default',
	endpoints: [],
	ports: [],
	publish_all: false,
	exposed_ports: [],
	dns: { servers: [], search: [], options: [] },
};

describe('create body', () => {
	it("docker CLI's defaults: are accepted and say nothing", () => {
		assert.deepEqual(createOptions(CLI_BODY, undefined), {
			warnings: [],
			options: {
				image: 'busybox',
				labels: {},
				annotations: {},
				volumes: [],
				config: {
					command: ['echo', 'hi'],
					env: [],
					working_dir: '',
					user: '',
					hostname: '',
					tty: false,
					open_stdin: false,
					stdin_once: false,
					stop_signal: '',
					resources: { cpu: 0, memory: 0, pids: 0 },
					log_config: { type: 'json-file', options: {} },
					mounts: [],
					network: NETWORK,
					read_only: false,
					privileged: false,
					cap_add: [],
					cap_drop: [],
					auto_remove: false,
					extra_hosts: [],
				},
			},
		});
	});

	const configs: [string, object, object][] = [
		['a string for a list', { Cmd: 'ls', Entrypoint: 'sh' }, { command: ['ls'], entrypoint: ['sh'] }],
		['an empty entrypoint', { Entrypoint: [''] }, { entrypoint: [] }],
		['stop settings', { StopSignal: 'USR1', StopTimeout: -1 }, { stop_signal: 'USR1', stop_timeout: -1 }],
		['no network', { NetworkDisabled: true }, { network: { ...NETWORK, mode: 'none' } }],
		[
			'no health check',
			{ Healthcheck: { Test: ['NONE'] } },
			{ health: { test: ['NONE'], interval: 0, timeout: 0, start_period: 0, retries: 0 } },
		],
		['null everywhere', { Cmd: null, Env: null, Labels: null, HostConfig: null, Healthcheck: null }, {}],
		['unknown members, as docker', { Nosuch: 1, HostConfig: { Nosuch: 1 } }, {}],
	];
	for (const [what, body, config] of configs) {
		it(`${what}: is understood`, () => {
			assert.deepEqual(createOptions({ Image: 'i', ...body }, undefined).options.config, {
				...createOptions({ Image: 'i' }, undefined).options.config,
				...config,
			});
		});
	}

	const hosts: [string, object, object][] = [
		['--cpus', { NanoCpus: 1_500_000_000 }, { resources: { cpu: 1.5, memory: 0, pids: 0 } }],
		['quota and period', { CpuQuota: 50_000 }, { resources: { cpu: 0, cpu_quota: 50_000, memory: 0, pids: 0 } }],
		['limits', { Memory: 10_000_000, PidsLimit: -1 }, { resources: { cpu: 0, memory: 10_000_000, pids: 0 } }],
		['network', { NetworkMode: 'none' }, { network: { ...NETWORK, mode: 'none' } }],
		[
			'log options',
			{ LogConfig: { Type: '', Config: { 'max-size': '1k' } } },
			{ log_config: { type: 'json-file', options: { 'max-size': '1k' } } },
		],
		['-v', { Binds: ['/a:/b'] }, { mounts: [{ type: 'bind', source: '/a', destination: '/b', read_only: false }] }],
		[
			'-v :ro,Z',
			{ Binds: ['/a:/b:ro,Z'] },
			{ mounts: [{ type: 'bind', source: '/a', destination: '/b', read_only: true }] },
		],
		[
			'-v :rslave',
			{ Binds: ['/a:/b:rslave'] },
			{ mounts: [{ type: 'bind', source: '/a', destination: '/b', read_only: false, options: ['rslave'] }] },
		],
		[
			'--mount bind',
			{ Mounts: [{ Type: 'bind', Source: '/', Target: '/b', ReadOnly: true }] },
			{ mounts: [{ type: 'bind', source: '/', destination: '/b', read_only: true }] },
		],
		[
			'--mount tmpfs',
			{ Mounts: [{ Type: 'tmpfs', Target: '/t', TmpfsOptions: { SizeBytes: 1024, Mode: 0o1777 } }] },
			{
				mounts: [
					{
						type: 'tmpfs',
						source: '',
						destination: '/t',
						read_only: false,
						options: ['size=1024', 'mode=1777'],
					},
				],
			},
		],
		[
			'--tmpfs',
			{ Tmpfs: { '/t': 'rw,size=1m' } },
			{ mounts: [{ type: 'tmpfs', source: '', destination: '/t', read_only: false, options: ['size=1m'] }] },
		],
		['--rm', { AutoRemove: true }, { auto_remove: true }],
	];
	for (const [what, HostConfig, config] of hosts) {
		it(`${what}: is understood`, () => {
			assert.deepEqual(createOptions({ Image: 'i', HostConfig }, undefined).options.config, {
				...createOptions({ Image: 'i' }, undefined).options.config,
				...config,
			});
		});
	}

	it('ports in the host network: are there anyway, with a warning', () => {
		const HostConfig = { NetworkMode: 'host', PortBindings: { '80/tcp': [{ HostPort: '80' }] } };
		const { warnings } = createOptions({ Image: 'i', HostConfig }, undefined);
		assert.deepEqual(warnings, ['Published ports are discarded when using host network mode']);
	});

	it('name: with or without slash', () => {
		assert.equal(createOptions({ Image: 'i' }, '/web').options.name, 'web');
		assert.equal('name' in createOptions({ Image: 'i' }, undefined).options, false);
	});

	const refused: [string, unknown, string][] = [
		['no object', [], 'invalid'],
		['no image', {}, 'invalid'],
		['a number for a string', { Image: 'i', User: 0 }, 'invalid'],
		['a string for a boolean', { Image: 'i', Tty: 'true' }, 'invalid'],
		['a fraction', { Image: 'i', HostConfig: { Memory: 1.5 } }, 'invalid'],
		['a number beyond 2^53', { Image: 'i', HostConfig: { Memory: 2 ** 60 } }, 'invalid'],
		['NUL in a word', { Image: 'i', Env: ['A=\0'] }, 'invalid'],
		['NUL in a label', { Image: 'i', Labels: { a: '\0' } }, 'invalid'],
		['labels that are no strings', { Image: 'i', Labels: { a: 1 } }, 'invalid'],
		['a bind without target', { Image: 'i', HostConfig: { Binds: ['/a'] } }, 'invalid'],
		['a bind with too many parts', { Image: 'i', HostConfig: { Binds: ['/a:/b:ro:rw'] } }, 'invalid'],
		['an unknown mode', { Image: 'i', HostConfig: { Binds: ['/a:/b:bad'] } }, 'invalid'],
		[
			'a mount whose source is missing',
			{ Image: 'i', HostConfig: { Mounts: [{ Type: 'bind', Source: '/nosuch', Target: '/b' }] } },
			'invalid',
		],
		['a bad restart policy', { Image: 'i', HostConfig: { RestartPolicy: { Name: 'sometimes' } } }, 'invalid'],
		['a port that is none', { Image: 'i', HostConfig: { PortBindings: { '99999/tcp': [] } } }, 'invalid'],
	];
	for (const [what, body, code] of refused) {
		it(`${what}: is ${code}`, () => {
			assert.throws(() => createOptions(body, undefined), { name: 'EngineError', code });
		});
	}

	it('any JSON: gives options or an EngineError, nothing else', () => {
		const names = [
			'Image',
			'Cmd',
			'Env',
			'Labels',
			'Tty',
			'StopTimeout',
			'HostConfig',
			'Binds',
			'Mounts',
			'Tmpfs',
			'__proto__',
		];
		const anything = fc.letrec((tie) => ({
			value: fc.oneof({ maxDepth: 3 }, fc.jsonValue({ maxDepth: 1 }), fc.constant('i'), tie('members')),
			members: fc.dictionary(fc.constantFrom(...names), tie('value'), { maxKeys: 6 }),
		})).value;
		fc.assert(
			fc.property(anything, (body) => {
				try {
					createOptions(body, undefined);
				} catch (error) {
					assert.ok(error instanceof EngineError, String(error));
				}
			}),
		);
	});
});
