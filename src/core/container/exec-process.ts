import { EngineError } from '../errors';
import type { LookupLayer } from '../storage/driver';
import type { Container } from '../types';
import { containerCapabilities } from './capabilities';
import { readRootFile, resolveRootPath } from './rootfs';
import { containerEnvironment, mergeEnvironment, type ProcessSpec } from './spec';
import type { TerminalSize } from './terminal';
import { resolveUser } from './user';

/** What a caller may ask of a further process in a container; what is left out is the container's. */
export interface ExecOptions {
	/** Program and arguments. */
	readonly command: readonly string[];
	/** "NAME=value" replaces or adds, "NAME" takes away. */
	readonly env?: readonly string[];
	/** Absolute. */
	readonly working_dir?: string;
	/** "name", "uid", "uid:gid", … */
	readonly user?: string;
	readonly tty?: boolean;
	/** With all capabilities that this engine may give. */
	readonly privileged?: boolean;
	readonly attach_stdin?: boolean;
	readonly attach_stdout?: boolean;
	readonly attach_stderr?: boolean;
	/** As the API was given them; who reads the client's input looks for them. */
	readonly detach_keys?: string;
}

/**
 * The process of an exec as docker makes it: the container's own with what the caller changes. `layers` are the
 * container's upper folder and its image's. Throws EngineError "invalid" for a user or working directory that it lacks.
 */
export function execProcess(
	{ config }: Container,
	options: ExecOptions,
	{ layers, size }: { readonly layers: readonly LookupLayer[]; readonly size?: TerminalSize | undefined },
): ProcessSpec {
	const user = resolveUser(
		options.user || config.user,
		readRootFile(layers, '/etc/passwd') ?? '',
		readRootFile(layers, '/etc/group') ?? '',
	);
	const tty = options.tty ?? false;
	const capabilities = containerCapabilities({
		...config,
		privileged: config.privileged || options.privileged === true,
	});
	const effective = user.uid === 0 ? capabilities : [];
	const env = mergeEnvironment(config.env, options.env ?? []);
	return {
		terminal: tty,
		...(tty && size !== undefined ? { consoleSize: { height: size.rows, width: size.columns } } : {}),
		user: { uid: user.uid, gid: user.gid, additionalGids: user.additionalGids },
		args: options.command,
		env: containerEnvironment({ env, hostname: config.hostname, tty }, user.home),
		cwd: workingDir(options.working_dir || config.working_dir || '/', layers),
		capabilities: { bounding: capabilities, effective, permitted: effective, inheritable: [], ambient: [] },
		noNewPrivileges: false,
	};
}

/** A working directory in /proc could be one that the runtime has open outside the container (CVE-2024-21626). */
function workingDir(folder: string, layers: readonly LookupLayer[]): string {
	if (!folder.startsWith('/')) {
		throw new EngineError(
			'invalid',
			`the working directory '${folder}' is invalid, it needs to be an absolute path`,
		);
	}
	if (/^\/proc(\/|$)/.test(resolveRootPath(layers, folder))) {
		throw new EngineError('invalid', `the working directory '${folder}' is invalid, it must not be in /proc`);
	}
	return folder;
}
