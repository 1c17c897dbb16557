import { randomBytes } from 'node:crypto';
import * as os from 'node:os';
import * as path from 'node:path';
import { EngineError } from '../errors';
import { nowNanoseconds, rfc3339 } from '../events';
import type { Container, ContainerConfig, Image, Mount, NetworkConfig, ResourceConfig } from '../types';
import { containerCapabilities } from './capabilities';
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
	readonly labels?: Readonly<Record<string, string>>;
	readonly annotations?: Readonly<Record<string, string>>;
	/**
	 * `entrypoint` takes the place of the image's and drops its command; [] means none. `network` left out, or mode
	 * "default", shares the host's network with a warning, as long as there are no bridges.
	 */
	readonly config: Partial<Omit<ContainerConfig, 'image'>>;
}

export interface CreateResult {
	readonly container: Container;
	/** Sentences for the user. */
	readonly warnings: readonly string[];
}

export const BRIDGE_WARNING = "Bridge networks are not there yet: the container shares the host's network";

const MEBIBYTE = 1024 * 1024;
const MIN_MEMORY = 6 * MEBIBYTE;
const TMPFS_OPTION =
	/^(?:ro|rw|(?:no)?(?:exec|suid|dev|atime|diratime)|relatime|strictatime|sync|(?:size|mode|uid|gid|nr_inodes|nr_blocks)=[0-9a-zA-Z%]+)$/;
const BIND_OPTION = /^r?(?:private|slave|shared)$/;
const HOSTNAME = /^[a-zA-Z0-9](?:[a-zA-Z0-9_.-]{0,62})$/;

/**
 * Makes the record of a new container; its `name` is for the caller to fill in. Throws EngineError "invalid" and
 * "unsupported", with docker's texts where docker has one.
 */
export function newContainer(options: CreateOptions, image: Image): CreateResult {
	const id = newId();
	const warnings: string[] = [];
	const config = containerConfig(options, image, id, warnings);
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

function containerConfig(options: CreateOptions, image: Image, id: string, warnings: string[]): ContainerConfig {
	const { config: asked, image: name } = options;
	const network = networkConfig(asked.network, warnings);
	const hostname = asked.hostname || (asked.network?.mode === 'host' ? os.hostname() : id.slice(0, 12));
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
		resources: resourceConfig(asked.resources),
		network,
		log_config: parseLogConfig(asked.log_config ?? { type: 'json-file', options: {} }),
		mounts: mounts(asked.mounts ?? []),
		read_only: asked.read_only ?? false,
		privileged: asked.privileged ?? false,
		cap_add: asked.cap_add ?? [],
		cap_drop: asked.cap_drop ?? [],
		auto_remove: asked.auto_remove ?? false,
		extra_hosts: extraHosts(asked.extra_hosts ?? []),
	};
	if (config.tty) {
		throw new EngineError('unsupported', 'Cannot create container: a terminal (Tty) is not supported yet');
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

function networkConfig(asked: NetworkConfig | undefined, warnings: string[]): NetworkConfig {
	const mode = asked?.mode ?? 'default';
	if (mode === 'host' || mode === 'none') {
		return { mode };
	}
	if (mode === '' || mode === 'default') {
		warnings.push(BRIDGE_WARNING);
		return { mode: 'host' };
	}
	throw new EngineError(
		'unsupported',
		`Cannot create container: network "${mode}" is not supported yet; use "host" or "none"`,
	);
}

function resourceConfig(asked: ResourceConfig | undefined): ResourceConfig {
	const { cpu, memory, pids } = asked ?? { cpu: 0, memory: 0, pids: 0 };
	if (memory !== 0 && memory < MIN_MEMORY) {
		throw new EngineError('invalid', 'Minimum memory limit allowed is 6MB');
	}
	const cpus = os.cpus().length;
	if (cpu !== 0 && !(cpu >= 0.01 && cpu <= cpus)) {
		throw new EngineError(
			'invalid',
			`Range of CPUs is from 0.01 to ${cpus}.00, as there are only ${cpus} CPUs available`,
		);
	}
	return { cpu, memory, pids: Math.max(0, pids) };
}

function mounts(asked: readonly Mount[]): Mount[] {
	const taken = new Set<string>();
	return asked.map((item) => {
		const destination = path.posix.normalize(item.destination).replace(/(?<=.)\/$/, '');
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
		const form = item.type === 'bind' ? BIND_OPTION : TMPFS_OPTION;
		const unknown = item.options?.find((option) => !form.test(option));
		if (unknown !== undefined) {
			throw new EngineError('invalid', `invalid ${item.type} option ["${unknown}"]`);
		}
		return { ...item, destination };
	});
}

/** "name:address" */
function extraHosts(asked: readonly string[]): readonly string[] {
	for (const entry of asked) {
		if (!/^[^\s:]+:[0-9a-fA-F.:]+$/.test(entry)) {
			throw new EngineError('invalid', `bad format for add-host: "${entry}"`);
		}
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
