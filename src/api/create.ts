import * as fs from 'node:fs';
import { EngineError } from '../core/errors';
import type { CreateOptions } from '../core/container/containers';
import type { Mount } from '../core/types';

export interface CreateRequest {
	readonly options: CreateOptions;
	/** Sentences that the client prints. */
	readonly warnings: readonly string[];
}

/**
 * Turns the body of POST /containers/create into the engine's options. The body is hostile: types and sizes are
 * checked here, names and values that need the image or the host in core. What clients send by default is accepted; a
 * setting that this engine does not know how to keep is refused rather than ignored, since the container would not be
 * what was asked for.
 */
export function createOptions(body: unknown, name: string | undefined): CreateRequest {
	const config = new Fields(object(body, 'body'), '');
	const host = config.fields('HostConfig');
	config.refuse(UNSUPPORTED);
	host.refuse(UNSUPPORTED_HOST);
	refuseHealthcheck(config);
	refuseRestart(host);
	const image = config.string('Image');
	if (image === '') {
		throw new EngineError('invalid', 'Config.Image: an image is required');
	}
	const warnings: string[] = [];
	const network = networkMode(config, host);
	if (Object.keys(host.object('PortBindings') ?? {}).length > 0) {
		checkPublish(network);
		warnings.push('Published ports are discarded when using host network mode');
	}
	const stopTimeout = config.optionalInteger('StopTimeout');
	const annotations = host.record('Annotations');
	const command = config.words('Cmd');
	const entrypoint = config.words('Entrypoint');
	return {
		warnings,
		options: {
			...(name === undefined ? {} : { name: name.replace(/^\//, '') }),
			image,
			labels: config.record('Labels'),
			annotations,
			config: {
				...(command === undefined ? {} : { command }),
				// docker's --entrypoint "" sends [""]: no entrypoint, not even the image's.
				...(entrypoint === undefined ? {} : { entrypoint: entrypoint.join('') === '' ? [] : entrypoint }),
				env: config.words('Env') ?? [],
				working_dir: config.string('WorkingDir'),
				user: config.string('User'),
				hostname: config.string('Hostname'),
				tty: config.flag('Tty'),
				open_stdin: config.flag('OpenStdin'),
				stdin_once: config.flag('StdinOnce'),
				stop_signal: config.string('StopSignal'),
				...(stopTimeout === undefined ? {} : { stop_timeout: stopTimeout }),
				resources: {
					cpu: cpus(host),
					memory: host.integer('Memory'),
					pids: Math.max(host.integer('PidsLimit'), 0),
				},
				...(network === undefined ? {} : { network: { mode: network } }),
				log_config: logConfig(host),
				mounts: [...binds(host), ...mounts(host), ...tmpfs(host)],
				read_only: host.flag('ReadonlyRootfs'),
				privileged: host.flag('Privileged'),
				cap_add: host.words('CapAdd') ?? [],
				cap_drop: host.words('CapDrop') ?? [],
				auto_remove: host.flag('AutoRemove'),
				extra_hosts: host.words('ExtraHosts') ?? [],
			},
		},
	};
}

/** Values that mean "as usual", besides null, "", 0, false and emptiness. */
type Defaults = Readonly<Record<string, readonly unknown[]>>;

const UNSUPPORTED: Defaults = {
	Domainname: [],
	MacAddress: [],
	Shell: [],
	Volumes: [],
};

const UNSUPPORTED_HOST: Defaults = {
	BlkioDeviceReadBps: [],
	BlkioDeviceReadIOps: [],
	BlkioDeviceWriteBps: [],
	BlkioDeviceWriteIOps: [],
	BlkioWeight: [],
	BlkioWeightDevice: [],
	Cgroup: [],
	CgroupParent: [],
	CgroupnsMode: ['private', 'host'],
	CpuRealtimePeriod: [],
	CpuRealtimeRuntime: [],
	CpuShares: [],
	CpusetCpus: [],
	CpusetMems: [],
	DeviceCgroupRules: [],
	DeviceRequests: [],
	Devices: [],
	Dns: [],
	DnsOptions: [],
	DnsSearch: [],
	GroupAdd: [],
	Init: [],
	IpcMode: ['private', 'shareable'],
	Isolation: ['default'],
	KernelMemory: [],
	Links: [],
	MemoryReservation: [],
	MemorySwap: [-1],
	MemorySwappiness: [-1],
	OomKillDisable: [],
	OomScoreAdj: [],
	PidMode: ['private'],
	PublishAllPorts: [],
	Runtime: ['runc'],
	SecurityOpt: [],
	ShmSize: [67_108_864],
	StorageOpt: [],
	Sysctls: [],
	UTSMode: [],
	Ulimits: [],
	UsernsMode: [],
	VolumesFrom: [],
};

function refuseHealthcheck(config: Fields): void {
	const test = config.fields('Healthcheck').words('Test') ?? [];
	if (test.length > 0 && test[0] !== 'NONE') {
		throw unsupported('Healthcheck');
	}
}

function refuseRestart(host: Fields): void {
	const name = host.fields('RestartPolicy').string('Name');
	if (!['', 'no', 'always', 'unless-stopped', 'on-failure'].includes(name)) {
		throw new EngineError('invalid', `invalid restart policy '${name}'`);
	}
	if (name !== '' && name !== 'no') {
		throw unsupported('HostConfig.RestartPolicy');
	}
}

/** Undefined when the client leaves the choice to the engine. */
function networkMode(config: Fields, host: Fields): string | undefined {
	const mode = host.string('NetworkMode');
	if (config.flag('NetworkDisabled')) {
		return 'none';
	}
	return mode === '' || mode === 'default' ? undefined : mode;
}

/** In the host's network every port is there anyway: docker warns. Anywhere else it would be missed. */
function checkPublish(network: string | undefined): void {
	if (network !== 'host') {
		throw new EngineError(
			'unsupported',
			'Cannot publish ports: this engine has no bridge network yet; use the host network (--network host)',
		);
	}
}

/** --cpus, or the quota and period that older clients send instead. */
function cpus(host: Fields): number {
	const [nano, quota, period] = [host.integer('NanoCpus'), host.integer('CpuQuota'), host.integer('CpuPeriod')];
	if (nano !== 0 && (quota > 0 || period !== 0)) {
		throw new EngineError('invalid', 'Conflicting options: Nano CPUs and CPU Period cannot both be set');
	}
	return nano !== 0 ? nano / 1e9 : Math.max(quota, 0) / (period || 100_000);
}

function logConfig(host: Fields): { readonly type: string; readonly options: Readonly<Record<string, string>> } {
	const log = host.fields('LogConfig');
	return { type: log.string('Type') || 'json-file', options: log.record('Config') };
}

/** "source:destination[:options]" */
function binds(host: Fields): Mount[] {
	return (host.words('Binds') ?? []).map((bind) => {
		const [source = '', destination = '', modeText = '', ...rest] = bind.split(':');
		if (source === '' || destination === '' || rest.length > 0) {
			throw new EngineError('invalid', `invalid volume specification: '${bind}'`);
		}
		if (!source.startsWith('/')) {
			throw new EngineError('unsupported', `Cannot use volume "${source}": this engine has no named volumes yet`);
		}
		const modes = modeText === '' ? [] : modeText.split(',');
		// Labels of SELinux (z, Z), and what happens anyway, may be given.
		const options = modes.filter((mode) => !['ro', 'rw', 'z', 'Z', 'nocopy'].includes(mode));
		if (options.length > 1 || !options.every((option) => /^r?(private|slave|shared)$/.test(option))) {
			throw new EngineError('invalid', `invalid mode: ${modeText}`);
		}
		return bindMount(source, destination, modes.includes('ro'), options);
	});
}

function bindMount(source: string, destination: string, isReadOnly: boolean, options: readonly string[]): Mount {
	return {
		type: 'bind',
		source,
		destination,
		read_only: isReadOnly,
		...(options.length === 0 ? {} : { options }),
	};
}

function mounts(host: Fields): Mount[] {
	return host.objects('Mounts').map((fields) => {
		const [type, source, destination] = [fields.string('Type'), fields.string('Source'), fields.string('Target')];
		const invalid = (reason: string) =>
			new EngineError('invalid', `invalid mount config for type "${type}": ${reason}`);
		if (destination === '') {
			throw invalid('field Target must not be empty');
		}
		if (type === 'bind') {
			if (source === '') {
				throw invalid('field Source must not be empty');
			}
			// Docker makes the missing source of a bind (-v), and refuses that of a mount (--mount).
			if (!fs.existsSync(source)) {
				throw invalid(`bind source path does not exist: ${source}`);
			}
			const propagation = fields.fields('BindOptions').string('Propagation');
			return bindMount(source, destination, fields.flag('ReadOnly'), propagation === '' ? [] : [propagation]);
		}
		if (type === 'tmpfs') {
			return tmpfsMount(destination, fields.flag('ReadOnly'), tmpfsOptions(fields.fields('TmpfsOptions')));
		}
		throw new EngineError(
			'unsupported',
			`Cannot mount "${destination}": mounts of type "${type}" are not supported yet`,
		);
	});
}

/** {"/run": "rw,size=64m"} */
function tmpfs(host: Fields): Mount[] {
	return Object.entries(host.record('Tmpfs')).map(([destination, text]) => {
		const words = text.split(',').filter((word) => word !== '');
		return tmpfsMount(
			destination,
			words.includes('ro'),
			words.filter((word) => word !== 'ro' && word !== 'rw'),
		);
	});
}

/** Docker's TmpfsOptions, bytes and mode bits, as options of mount(8). */
function tmpfsOptions(fields: Fields): string[] {
	const [size, mode] = [fields.integer('SizeBytes'), fields.integer('Mode')];
	return [...(size === 0 ? [] : [`size=${size}`]), ...(mode === 0 ? [] : [`mode=${mode.toString(8)}`])];
}

function tmpfsMount(destination: string, isReadOnly: boolean, options: readonly string[]): Mount {
	return {
		type: 'tmpfs',
		source: '',
		destination,
		read_only: isReadOnly,
		...(options.length === 0 ? {} : { options }),
	};
}

function unsupported(option: string): EngineError {
	return new EngineError('unsupported', `Cannot create container: option "${option}" is not supported yet`);
}

/** Members of a JSON object, read with a type; a member of another type is refused by its name. */
class Fields {
	constructor(
		private readonly value: object,
		private readonly prefix: string,
	) {}

	string(name: string): string {
		const value = this.get(name) ?? '';
		if (typeof value !== 'string' || value.includes('\0')) {
			throw this.wrong(name, 'a string');
		}
		return value;
	}

	flag(name: string): boolean {
		const value = this.get(name) ?? false;
		if (typeof value !== 'boolean') {
			throw this.wrong(name, 'a boolean');
		}
		return value;
	}

	integer(name: string): number {
		return this.optionalInteger(name) ?? 0;
	}

	optionalInteger(name: string): number | undefined {
		const value = this.get(name);
		if (value !== undefined && !(typeof value === 'number' && Number.isSafeInteger(value))) {
			throw this.wrong(name, 'a whole number');
		}
		return value;
	}

	/** A list of strings, or one string, as docker takes both. */
	words(name: string): string[] | undefined {
		const value = this.get(name);
		const list = typeof value === 'string' ? [value] : value;
		if (list === undefined) {
			return undefined;
		}
		if (!isWords(list)) {
			throw this.wrong(name, 'a list of strings');
		}
		return list;
	}

	object(name: string): object | undefined {
		const value = this.get(name);
		return value === undefined ? undefined : object(value, this.prefix + name);
	}

	/** The members of an object; a missing one has none. */
	fields(name: string): Fields {
		return new Fields(this.object(name) ?? {}, `${this.prefix}${name}.`);
	}

	objects(name: string): Fields[] {
		const value = this.get(name) ?? [];
		if (!Array.isArray(value)) {
			throw this.wrong(name, 'a list');
		}
		return value.map((item, index) => new Fields(object(item, `${this.prefix}${name}[${index}]`), `${name}.`));
	}

	/** An object whose members are strings. */
	record(name: string): Record<string, string> {
		const entries = Object.entries(this.object(name) ?? {});
		if (!entries.every(([key, value]) => typeof value === 'string' && !`${key}${value}`.includes('\0'))) {
			throw this.wrong(name, 'an object of strings');
		}
		return Object.fromEntries(entries);
	}

	/** Throws for the first of the named members that says anything but its default. */
	refuse(defaults: Defaults): void {
		for (const [name, usual] of Object.entries(defaults)) {
			const value = this.get(name);
			if (!isEmpty(value) && !usual.includes(value)) {
				throw unsupported(this.prefix + name);
			}
		}
	}

	/** Undefined for a missing member and for null. */
	private get(name: string): unknown {
		return (Object.hasOwn(this.value, name) ? (Reflect.get(this.value, name) as unknown) : undefined) ?? undefined;
	}

	private wrong(name: string, expected: string): EngineError {
		return new EngineError('invalid', `Cannot read "${this.prefix}${name}": ${expected} is expected`);
	}
}

function object(value: unknown, name: string): object {
	if (typeof value !== 'object' || value === null || Array.isArray(value)) {
		throw new EngineError('invalid', `Cannot read "${name}": an object is expected`);
	}
	return value;
}

/** Strings that a C program can take. */
function isWords(value: unknown): value is string[] {
	return Array.isArray(value) && value.every((word) => typeof word === 'string' && !word.includes('\0'));
}

function isEmpty(value: unknown): boolean {
	if (typeof value === 'object' && value !== null) {
		return Object.keys(value).length === 0;
	}
	return value === undefined || value === null || value === '' || value === 0 || value === false;
}
