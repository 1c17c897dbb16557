import * as fs from 'node:fs';
import { EngineError } from '../core/errors';
import type { CreateOptions } from '../core/container/containers';
import { mountPath } from '../core/container/create';
import type { EndpointConfig } from '../core/network/network';
import { parseNetworkMode } from '../core/network/network';
import { parseLink } from '../core/network/links';
import type { PortMap } from '../core/network/ports';
import { parsePortMap } from '../core/network/ports';
import type { Mount, RestartPolicy } from '../core/types';
import { checkVolumeName } from '../core/volume/volume';
import type { CreateVolumeOptions } from '../core/volume/volumes';
import { parseRestartPolicy } from '../core/container/restart';
import { parseSize } from './console-size';
import { Fields, object, type Defaults } from './fields';
import { health, isolation, resources, warnOfKernelMemory } from './host-options';

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
	const image = config.string('Image');
	if (image === '') {
		throw new EngineError('invalid', 'Config.Image: an image is required');
	}
	const warnings: string[] = [];
	warnOfKernelMemory(host, warnings);
	const network = networkConfig(config, host);
	if (network.mode === 'host' && network.ports.length > 0) {
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
			volumes: volumes(host),
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
				resources: resources(host),
				...isolation(config, host),
				...health(config),
				network,
				log_config: logConfig(host),
				mounts: withAnonymousVolumes([...binds(host), ...mounts(host), ...tmpfs(host)], config),
				read_only: host.flag('ReadonlyRootfs'),
				privileged: host.flag('Privileged'),
				cap_add: host.words('CapAdd') ?? [],
				cap_drop: host.words('CapDrop') ?? [],
				auto_remove: host.flag('AutoRemove'),
				extra_hosts: host.words('ExtraHosts') ?? [],
				...restartPolicy(host),
				...consoleSize(host),
			},
		},
	};
}

const UNSUPPORTED: Defaults = {
	Shell: [],
};

const UNSUPPORTED_HOST: Defaults = {
	BlkioDeviceReadBps: [],
	BlkioDeviceReadIOps: [],
	BlkioDeviceWriteBps: [],
	BlkioDeviceWriteIOps: [],
	BlkioWeightDevice: [],
	Cgroup: [],
	CpuRealtimePeriod: [],
	CpuRealtimeRuntime: [],
	DeviceRequests: [],
	Isolation: ['default'],
	StorageOpt: [],
	VolumeDriver: ['local'],
};

function consoleSize(host: Fields): Pick<CreateOptions['config'], 'console_size'> {
	const size = parseSize(host.integers('ConsoleSize'));
	return size === undefined ? {} : { console_size: size };
}

function restartPolicy(host: Fields): { restart_policy?: RestartPolicy } {
	const fields = host.fields('RestartPolicy');
	const policy = parseRestartPolicy(fields.string('Name'), fields.integer('MaximumRetryCount'));
	return policy === undefined ? {} : { restart_policy: policy };
}

function networkConfig(config: Fields, host: Fields): Required<NonNullable<CreateOptions['config']['network']>> {
	const mode = config.flag('NetworkDisabled') ? 'none' : host.string('NetworkMode');
	return {
		mode,
		endpoints: withMacAddress(
			withLinks(endpoints(config.fields('NetworkingConfig'), mode), linkWords(host), mode),
			config,
			mode,
		),
		ports: parsePortMap(portMap(host)),
		publish_all: host.flag('PublishAllPorts'),
		exposed_ports: Object.keys(config.object('ExposedPorts') ?? {}),
		dns: {
			servers: host.words('Dns') ?? [],
			search: host.words('DnsSearch') ?? [],
			options: host.words('DnsOptions') ?? [],
		},
	};
}

/** --mac-address is for the network of the mode, which need not be named. */
function withMacAddress(list: readonly EndpointConfig[], config: Fields, modeText: string): readonly EndpointConfig[] {
	const mac_address = config.string('MacAddress');
	const mode = parseNetworkMode(modeText);
	if (mac_address === '') {
		return list;
	}
	if (mode.kind !== 'network') {
		throw new EngineError('invalid', 'conflicting options: mac-address and the network mode');
	}
	const isMain = ({ network }: EndpointConfig): boolean => network === mode.network;
	const main = list.find(isMain) ?? { network: mode.network, aliases: [], address: '', mac_address: '' };
	return [{ ...main, mac_address }, ...list.filter((endpoint) => !isMain(endpoint))];
}

/** Newer clients name the mode's own network here again, with nothing said about it. */
function endpoints(networking: Fields, mode: string): EndpointConfig[] {
	const names = Object.keys(networking.object('EndpointsConfig') ?? {});
	if (parseNetworkMode(mode).kind !== 'network') {
		return [];
	}
	const all = networking.fields('EndpointsConfig');
	const list = names.map((name) => endpointConfig(name === 'default' ? 'bridge' : name, all.fields(name)));
	if (list.some(({ network, aliases }) => network === 'bridge' && aliases.length > 0)) {
		throw new EngineError(
			'invalid',
			'network-scoped alias is supported only for containers in user defined networks',
		);
	}
	const isPlain = ({ network, aliases, links = [], address, address6 = '', mac_address }: EndpointConfig): boolean =>
		network === 'bridge' && `${address}${address6}${mac_address}${aliases.join('')}${links.join('')}` === '';
	return ['', 'default'].includes(mode) && list.every(isPlain) ? [] : list;
}

/** HostConfig.Links are links on the network of the mode. */
function withLinks(list: readonly EndpointConfig[], links: readonly string[], text: string): readonly EndpointConfig[] {
	const mode = parseNetworkMode(text);
	if (links.length === 0 || mode.kind !== 'network') {
		return list;
	}
	const plain: EndpointConfig = { network: mode.network, aliases: [], address: '', mac_address: '' };
	const own = list.find(({ network }) => network === mode.network) ?? plain;
	return [{ ...own, links: [...(own.links ?? []), ...links] }, ...list.filter((endpoint) => endpoint !== own)];
}

function linkWords(fields: Fields): string[] {
	return (fields.words('Links') ?? []).map(parseLink).map(({ target, alias }) => `${target}:${alias}`);
}

/** EndpointSettings of the API. */
export function endpointConfig(network: string, fields: Fields): EndpointConfig {
	const links = linkWords(fields);
	const ipam = fields.fields('IPAMConfig');
	ipam.refuse({ LinkLocalIPs: [] });
	const address6 = ipam.string('IPv6Address');
	return {
		network,
		aliases: fields.words('Aliases') ?? [],
		...(links.length === 0 ? {} : { links }),
		address: ipam.string('IPv4Address'),
		...(address6 === '' ? {} : { address6 }),
		mac_address: fields.string('MacAddress'),
	};
}

/** {"80/tcp": [{"HostIp": "", "HostPort": "8080"}]} */
function portMap(host: Fields): PortMap {
	const ports = host.fields('PortBindings');
	return Object.fromEntries(
		Object.keys(host.object('PortBindings') ?? {}).map((port) => [
			port,
			ports.objects(port).map((binding) => ({
				HostIp: binding.string('HostIp'),
				HostPort: binding.string('HostPort'),
			})),
		]),
	);
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
			return volumeMount(checkVolumeName(source), destination, modeText);
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

/** Modes of "name:destination:mode". */
function volumeMount(source: string, destination: string, modeText: string): Mount {
	const modes = modeText === '' ? [] : modeText.split(',');
	if (!modes.every((mode) => ['ro', 'rw', 'z', 'Z', 'nocopy'].includes(mode))) {
		throw new EngineError('invalid', `invalid mode: ${modeText}`);
	}
	return {
		type: 'volume',
		source,
		destination,
		read_only: modes.includes('ro'),
		...(modes.includes('nocopy') ? { options: ['nocopy'] } : {}),
	};
}

/** {"/data": {}}; of one that is also mounted from somewhere (compose names its volumes twice), that mount counts. */
function withAnonymousVolumes(mounts: readonly Mount[], config: Fields): Mount[] {
	const taken = new Set(mounts.map(({ destination }) => mountPath(destination)));
	const anonymous = Object.keys(config.object('Volumes') ?? {}).filter((place) => !taken.has(mountPath(place)));
	return [...mounts, ...anonymous.map((destination) => volumeMount('', destination, ''))];
}

/** Volumes of HostConfig.Mounts that shall be made with a driver, labels or options. */
function volumes(host: Fields): CreateVolumeOptions[] {
	return host.objects('Mounts').flatMap((fields) => {
		const name = fields.string('Source');
		if (fields.string('Type') !== 'volume' || name === '') {
			return [];
		}
		const options = fields.fields('VolumeOptions');
		const driver = options.fields('DriverConfig');
		const labels = options.record('Labels');
		return [{ name, driver: driver.string('Name'), labels, options: driver.record('Options') }];
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
			const bind = fields.fields('BindOptions');
			const options = [bind.string('Propagation'), bind.flag('NonRecursive') ? 'nonrecursive' : ''];
			const given = options.filter((option) => option !== '');
			return bindMount(source, destination, fields.flag('ReadOnly'), given);
		}
		if (type === 'volume') {
			const modes = [
				...(fields.flag('ReadOnly') ? ['ro'] : []),
				...(fields.fields('VolumeOptions').flag('NoCopy') ? ['nocopy'] : []),
			];
			return volumeMount(source === '' ? '' : checkVolumeName(source), destination, modes.join(','));
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
