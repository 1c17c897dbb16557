import { randomBytes } from 'node:crypto';
import * as os from 'node:os';
import * as path from 'node:path';
import { EngineError } from '../errors';
import { nowNanoseconds, rfc3339 } from '../events';
import { parseExtraHost } from '../network/hosts';
import { formatPlatform, hostPlatform, isRunnable, platformWarning } from '../image/platform';
import { DEFAULT_NETWORK, parseNetworkMode, type EndpointConfig } from '../network/network';
import { parseExposed } from '../network/ports';
import { checkDnsConfig } from '../network/resolvconf';
import type { Container, ContainerConfig, Image, Mount, NetworkConfig, Platform } from '../types';
import type { CreateVolumeOptions } from '../volume/volumes';
import { containerCapabilities } from './capabilities';
import { healthConfig } from './health';
import { checkIsolation } from './isolation';
import { checkResources, limitFacts } from './limits';
import { parseLogConfig } from './log-drivers';
import { signalNumber } from './signals';

/**
 * What a caller may ask of a new container. All that is left out is the image's, or docker's default. Whatever docker
 * offers and is not here is refused by who parses the request.
 */
export interface CreateOptions {
	/** Made up when left out. */
	readonly name?: string;
	readonly image: string;
	/** What the image has to be made for; by default this machine's, with a warning when it is not. */
	readonly platform?: Platform;
	readonly labels?: Readonly<Record<string, string>>;
	readonly annotations?: Readonly<Record<string, string>>;
	/**
	 * `entrypoint` takes the place of the image's and drops its command; [] means none. `network.mode` left out, "" or
	 * "default", is the network "bridge", or with a warning the host's where bridges do not work and no port is asked for.
	 */
	readonly config: Partial<Omit<ContainerConfig, 'image' | 'network'>> & {
		readonly network?: Partial<NetworkConfig>;
	};
	/** Volumes that are mounted and shall have a driver, labels or options when they are made for it. */
	readonly volumes?: readonly CreateVolumeOptions[];
}

export interface CreateResult {
	readonly container: Container;
	/** Sentences for the user. */
	readonly warnings: readonly string[];
}

const TMPFS_OPTION =
	/^(?:ro|rw|(?:no)?(?:exec|suid|dev|atime|diratime)|relatime|strictatime|sync|(?:size|mode|uid|gid|nr_inodes|nr_blocks)=[0-9a-zA-Z%]+)$/;
const MOUNT_OPTIONS: Readonly<Record<Mount['type'], RegExp>> = {
	bind: /^(?:r?(?:private|slave|shared)|nonrecursive)$/,
	tmpfs: TMPFS_OPTION,
	volume: /^nocopy$/,
};
const HOSTNAME = /^[a-zA-Z0-9](?:[a-zA-Z0-9_.-]{0,62})$/;

/**
 * Makes the record of a new container; its `name` and the names of anonymous volumes are for the caller to fill in.
 * `bridgeProblem` says why bridge networks do not work on this machine. Throws EngineError "invalid" and
 * "unsupported", with docker's texts where docker has one.
 */
export function newContainer(options: CreateOptions, image: Image, bridgeProblem: string | undefined): CreateResult {
	const id = newId();
	const warnings = checkPlatform(image, options);
	const network = networkConfig(options.config.network ?? {}, image, { warnings, bridgeProblem });
	const config = containerConfig(options, image, { id, network, warnings });
	return {
		warnings,
		container: {
			id,
			name: options.name ?? '',
			image_id: image.id,
			status: 'created',
			created_at: rfc3339(nowNanoseconds()),
			started_at: '',
			finished_at: '',
			config,
			labels: { ...image.config.labels, ...options.labels },
			annotations: { ...options.annotations },
			restart_count: 0,
			exit_code: 0,
			error: '',
			oom_killed: false,
			manual_stop: false,
			process: null,
			shim: null,
		},
	};
}

/** Gives docker's warning; an image that is not what was asked for is docker's "not-found", after which clients pull. */
function checkPlatform(image: Image, { image: reference, platform }: CreateOptions): string[] {
	if (platform === undefined) {
		return isRunnable(image.platform, hostPlatform()) ? [] : [platformWarning(image.platform)];
	}
	if (!isRunnable(image.platform, platform)) {
		const [wanted, actual] = [platform, image.platform].map(formatPlatform);
		const reason = `was found but does not match the specified platform: wanted ${wanted ?? ''}, actual: ${actual ?? ''}`;
		throw new EngineError('not-found', `image with reference ${reference} ${reason}`);
	}
	return [];
}

function containerConfig(
	options: CreateOptions,
	image: Image,
	{ id, network, warnings }: { readonly id: string; readonly network: NetworkConfig; readonly warnings: string[] },
): ContainerConfig {
	const { config: asked, image: name } = options;
	const sharesName = network.mode === 'host' || asked.isolation?.uts === 'host';
	const hostname = asked.hostname || (sharesName ? os.hostname() : id.slice(0, 12));
	if (!HOSTNAME.test(hostname)) {
		throw new EngineError('invalid', `invalid hostname format: ${hostname}`);
	}
	const config: ContainerConfig = {
		image: name,
		...commandLine(asked, image),
		env: imageEnvironment(image.config.env, asked.env ?? []),
		working_dir: workingDir(asked.working_dir || image.config.working_dir || '/'),
		user: asked.user || image.config.user,
		hostname,
		tty: asked.tty ?? false,
		open_stdin: asked.open_stdin ?? false,
		stdin_once: asked.stdin_once ?? false,
		stop_signal: asked.stop_signal || image.config.stop_signal || 'SIGTERM',
		stop_timeout: asked.stop_timeout ?? 10,
		resources: checkResources(asked.resources ?? { cpu: 0, memory: 0, pids: 0 }, limitFacts(), warnings),
		network,
		log_config: parseLogConfig(asked.log_config ?? { type: 'json-file', options: {} }),
		mounts: mounts(asked.mounts ?? [], Object.keys(image.config.volumes)),
		read_only: asked.read_only ?? false,
		privileged: asked.privileged ?? false,
		cap_add: asked.cap_add ?? [],
		cap_drop: asked.cap_drop ?? [],
		auto_remove: asked.auto_remove ?? false,
		extra_hosts: extraHosts(asked.extra_hosts ?? []),
		...(asked.console_size === undefined ? {} : { console_size: asked.console_size }),
		...(asked.restart_policy === undefined ? {} : { restart_policy: asked.restart_policy }),
		...isolationConfig(asked, network, warnings),
		...health(asked, image),
	};
	if (config.auto_remove && config.restart_policy !== undefined) {
		throw new EngineError('invalid', "can't create 'AutoRemove' container with restart policy");
	}
	signalNumber(config.stop_signal);
	containerCapabilities(config);
	return config;
}

/** Docker's merge: an entrypoint of the user's own drops the image's command. */
function commandLine(
	asked: CreateOptions['config'],
	image: Image,
): { readonly entrypoint: readonly string[]; readonly command: readonly string[] } {
	const entrypoint = asked.entrypoint ?? image.config.entrypoint;
	const hasCommand = asked.command !== undefined && asked.command.length > 0;
	const command = hasCommand ? asked.command : asked.entrypoint === undefined ? image.config.cmd : [];
	if (entrypoint.length + command.length === 0) {
		throw new EngineError('invalid', 'no command specified');
	}
	return { entrypoint, command };
}

/** The user's variables, then the image's that the user does not name: docker's order. */
function imageEnvironment(image: readonly string[], asked: readonly string[]): string[] {
	const names = new Set(asked.map((variable) => variable.split('=', 1)[0]));
	const invalid = asked.find((variable) => variable === '' || variable.startsWith('='));
	if (invalid !== undefined) {
		throw new EngineError('invalid', `invalid environment variable: ${invalid}`);
	}
	return [...asked, ...image.filter((variable) => !names.has(variable.split('=', 1)[0]))];
}

function workingDir(folder: string): string {
	if (!folder.startsWith('/')) {
		throw new EngineError(
			'invalid',
			`the working directory '${folder}' is invalid, it needs to be an absolute path`,
		);
	}
	return path.posix.normalize(folder);
}

function networkConfig(
	asked: Partial<NetworkConfig>,
	image: Image,
	{ warnings, bridgeProblem }: { readonly warnings: string[]; readonly bridgeProblem: string | undefined },
): NetworkConfig {
	const endpoints = asked.endpoints ?? [];
	const exposed = [...new Set([...Object.keys(image.config.exposed_ports), ...(asked.exposed_ports ?? [])])];
	const config = {
		ports: asked.ports ?? [],
		publish_all: asked.publish_all ?? false,
		exposed_ports: exposed.flatMap(exposedPorts),
		dns: checkDnsConfig(asked.dns ?? { servers: [], search: [], options: [] }),
	};
	const isLeftOpen = ['', 'default'].includes(asked.mode ?? '') && endpoints.length === 0;
	const mode = parseNetworkMode(asked.mode ?? '');
	if (mode.kind !== 'network') {
		checkSharing(mode.kind, config);
		return { ...config, mode: asked.mode ?? '', endpoints: [] };
	}
	if (bridgeProblem !== undefined) {
		if (!isLeftOpen || config.ports.length > 0 || config.publish_all) {
			throw new EngineError('unsupported', `Cannot create container: ${bridgeProblem}`);
		}
		warnings.push(`${bridgeProblem}; the container shares the host's network`);
		return { ...config, mode: 'host', endpoints: [] };
	}
	return { ...config, mode: mode.network, endpoints: endpointsOf(mode.network, endpoints, isLeftOpen) };
}

/** "8000-8001" is "8000/tcp" and "8001/tcp". What cannot be published may be exposed all the same. */
function exposedPorts(text: string): string[] {
	return /\/sctp$/i.test(text) ? [text] : parseExposed(text).map(({ port, protocol }) => `${port}/${protocol}`);
}

/** Ports and names belong to the namespace, so whoever shares another's cannot have their own. */
function checkSharing(kind: string, config: Pick<NetworkConfig, 'ports' | 'publish_all'>): void {
	if (kind === 'container' && (config.ports.length > 0 || config.publish_all)) {
		throw new EngineError('invalid', 'conflicting options: port publishing and the container type network mode');
	}
}

/** The network of the mode first: it has the default route. Docker leaves the default one out when others are named. */
function endpointsOf(network: string, asked: readonly EndpointConfig[], isLeftOpen: boolean): EndpointConfig[] {
	const named = asked.filter((endpoint) => endpoint.network === network);
	const others = asked.filter((endpoint) => endpoint.network !== network);
	const plain = { network, aliases: [], address: '', mac_address: '' };
	const needsOwn = named.length === 0 && (isLeftOpen || others.length === 0 || network !== DEFAULT_NETWORK);
	return [...(needsOwn ? [plain] : named), ...others];
}

function health(asked: CreateOptions['config'], image: Image): Pick<ContainerConfig, 'health'> {
	const config = healthConfig(asked.health, image.config.health);
	return config === undefined ? {} : { health: config };
}

function isolationConfig(
	asked: CreateOptions['config'],
	network: NetworkConfig,
	warnings: string[],
): Pick<ContainerConfig, 'isolation'> {
	if (asked.isolation?.uts === 'host' && asked.hostname) {
		throw new EngineError('invalid', 'conflicting options: hostname and the UTS mode');
	}
	if (parseNetworkMode(network.mode).kind === 'container' && asked.hostname) {
		throw new EngineError('invalid', 'conflicting options: hostname and the network mode');
	}
	if (asked.mounts?.some(({ options }) => options?.some((option) => /^r?shared$/.test(option))) === true) {
		warnings.push('Mounts that the container makes in a shared bind mount are not seen on the host');
	}
	const isolation = checkIsolation(asked.isolation ?? {}, warnings);
	return Object.keys(isolation).length === 0 ? {} : { isolation };
}

/** The mounts asked for, and an anonymous volume for each of the image's that has none. */
function mounts(asked: readonly Mount[], imageVolumes: readonly string[]): Mount[] {
	const taken = new Set<string>();
	const own = asked.map((item) => {
		const destination = mountPath(item.destination);
		if (!destination.startsWith('/')) {
			throw new EngineError('invalid', `invalid mount path: '${item.destination}' mount path must be absolute`);
		}
		if (destination === '/') {
			throw new EngineError('invalid', `invalid volume specification: destination can't be '/'`);
		}
		if (item.type === 'bind' && !item.source.startsWith('/')) {
			throw new EngineError('invalid', `invalid mount path: '${item.source}' mount path must be absolute`);
		}
		if (taken.has(destination)) {
			throw new EngineError('invalid', `Duplicate mount point: ${destination}`);
		}
		taken.add(destination);
		const unknown = item.options?.find((option) => !MOUNT_OPTIONS[item.type].test(option));
		if (unknown !== undefined) {
			throw new EngineError('invalid', `invalid ${item.type} option ["${unknown}"]`);
		}
		return { ...item, destination };
	});
	const others = imageVolumes.map(mountPath).filter((destination) => !taken.has(destination) && destination !== '/');
	return [
		...own,
		...others.map((destination) => ({ type: 'volume' as const, source: '', destination, read_only: false })),
	];
}

/** A mount's place in the container, written one way. */
export function mountPath(text: string): string {
	return path.posix.normalize(text).replace(/(?<=.)\/$/, '');
}

/** "name:address" */
function extraHosts(asked: readonly string[]): readonly string[] {
	for (const entry of asked) {
		parseExtraHost(entry, '127.0.0.1');
	}
	return asked;
}

/** 64 hex digits; the short form must not look like a number, since it is a host name. */
function newId(): string {
	for (;;) {
		const id = randomBytes(32).toString('hex');
		if (!/^\d+$/.test(id.slice(0, 12))) {
			return id;
		}
	}
}
