import { isIP } from 'node:net';
import * as path from 'node:path';
import type { ContainerConfigJson, CreateContainerBody, HostConfigJson } from '../api/types';
import { CommandError, FlagError, systemCode } from './errors';
import { configOptions, hostOptions } from './host-options';
import { parseMount } from './mount';
import { networking, parseLink } from './network-flag';
import { parsePort } from './publish';
import { createFlags } from './run-flags';
import type { CreateFlags } from './run-flags';

/** What a command line may refer to outside itself. */
export interface Surroundings {
	readonly env: Readonly<Record<string, string | undefined>>;
	readonly cwd: string;
	/** Text of a file; throws Node's system errors. */
	readonly readFile: (file: string) => string;
}

/**
 * The body of POST /containers/create for `run` and `create`: only what was asked for is in it, so that the engine's
 * defaults hold. `operands` are the image and its command. Throws FlagError for a flag's value, CommandError for what
 * the flags say together; docker's words.
 */
export function createBody(
	flags: CreateFlags & { readonly detach?: boolean },
	operands: readonly string[],
	surroundings: Surroundings,
): CreateContainerBody {
	const [image = '', ...command] = operands;
	if (image === '') {
		throw new CommandError('invalid reference format', 125);
	}
	return {
		Image: image,
		...(command.length > 0 && { Cmd: command }),
		...streams(flags),
		...config(flags, surroundings),
		HostConfig: hostConfig(flags, surroundings),
		...networking(flags).config,
	};
}

function streams(flags: CreateFlags & { readonly detach?: boolean }): Partial<ContainerConfigJson> {
	const named = flags.attach.map((name) => name.toLowerCase());
	const isAttached = (name: string, byDefault: boolean): boolean =>
		named.length > 0 ? named.includes(name) : byDefault && flags.detach !== true;
	const stdin = isAttached('stdin', flags.interactive);
	return {
		AttachStdin: stdin,
		AttachStdout: isAttached('stdout', true),
		AttachStderr: isAttached('stderr', true),
		...(flags.tty && { Tty: true }),
		...(flags.interactive && { OpenStdin: true, StdinOnce: stdin }),
	};
}

function config(flags: CreateFlags, surroundings: Surroundings): Partial<ContainerConfigJson> {
	const env = environment(flags, surroundings);
	const labels = labelsOf(flags, surroundings);
	const exposed = flags.expose.map((port) => (port.includes('/') ? port : `${port}/tcp`));
	const ports = [...flags.publish.flatMap(parsePort).map(({ port }) => port), ...exposed].map((port) => [port, {}]);
	const volumes = flags.volume.filter((volume) => !splitVolume(volume)[1]).map((volume) => [volume, {}]);
	return {
		...(flags.hostname !== undefined && { Hostname: flags.hostname }),
		...(flags.user !== undefined && { User: flags.user }),
		...(flags.workdir !== undefined && { WorkingDir: flags.workdir }),
		...(flags.entrypoint !== undefined && { Entrypoint: [flags.entrypoint] }),
		...(env.length > 0 && { Env: env }),
		...(labels !== undefined && { Labels: labels }),
		...(ports.length > 0 && { ExposedPorts: Object.fromEntries(ports) as Record<string, object> }),
		...(volumes.length > 0 && { Volumes: Object.fromEntries(volumes) as Record<string, object> }),
		...(flags.stopSignal !== undefined && { StopSignal: flags.stopSignal }),
		...(flags.stopTimeout !== undefined && { StopTimeout: flags.stopTimeout }),
		...configOptions(flags),
	};
}

function hostConfig(flags: CreateFlags, surroundings: Surroundings): HostConfigJson {
	const binds = flags.volume
		.filter((volume) => splitVolume(volume)[1])
		.map((volume) => bind(volume, surroundings.cwd));
	const { mode } = networking(flags);
	checkTogether(flags);
	return {
		...(mode !== undefined && { NetworkMode: mode }),
		...(flags.rm && { AutoRemove: true }),
		...(binds.length > 0 && { Binds: binds }),
		...(flags.mount.length > 0 && { Mounts: flags.mount.map((mount) => parseMount(mount, surroundings.cwd)) }),
		...(flags.tmpfs.length > 0 && { Tmpfs: Object.fromEntries(flags.tmpfs.map((tmpfs) => cut(tmpfs, ':'))) }),
		...logConfig(flags),
		...(flags.readOnly && { ReadonlyRootfs: true }),
		...(flags.privileged && { Privileged: true }),
		...(flags.capAdd.length > 0 && { CapAdd: capabilities(flags.capAdd) }),
		...(flags.capDrop.length > 0 && { CapDrop: capabilities(flags.capDrop) }),
		...hostOptions(flags, (file) => readText(file, surroundings)),
		...(flags.publish.length > 0 && { PortBindings: portBindings(flags.publish) }),
		...(flags.publishAll && { PublishAllPorts: true }),
		...(flags.dns.length > 0 && { Dns: flags.dns }),
		...(flags.dnsOption.length > 0 && { DnsOptions: flags.dnsOption }),
		...(flags.dnsSearch.length > 0 && { DnsSearch: flags.dnsSearch }),
		...(flags.link.length > 0 && { Links: flags.link.map(parseLink) }),
		...(flags.addHost.length > 0 && { ExtraHosts: flags.addHost.map(extraHost) }),
		...(flags.annotation.length > 0 && {
			Annotations: Object.fromEntries(flags.annotation.map((text) => cut(text, '='))),
		}),
	};
}

function checkTogether(flags: CreateFlags): void {
	const policy = flags.restart?.split(':', 1)[0] ?? '';
	if (flags.rm && policy !== '' && policy !== 'no') {
		throw new CommandError('conflicting options: cannot specify both --restart and --rm', 125);
	}
}

/** Of two settings of one variable the later counts, a flag after all files; "NAME" alone takes our own value. */
export function environment(flags: Pick<CreateFlags, 'env' | 'envFile'>, surroundings: Surroundings): string[] {
	const own = (name: string): string | undefined => surroundings.env[name];
	const fromFiles = flags.envFile.flatMap((file) =>
		keyValueLines(file, 'env', surroundings).flatMap((line) => {
			const value = line.includes('=') ? line : own(line) === undefined ? [] : `${line}=${own(line) ?? ''}`;
			return value;
		}),
	);
	const fromFlags = flags.env.map((entry) =>
		// A name that is set nowhere goes as it is: the engine then takes it out of the image's environment.
		entry.includes('=') || own(entry) === undefined ? entry : `${entry}=${own(entry) ?? ''}`,
	);
	return [...new Map([...fromFiles, ...fromFlags].map((entry) => [cut(entry, '=')[0], entry])).values()];
}

function labelsOf(flags: CreateFlags, surroundings: Surroundings): Record<string, string> | undefined {
	const fromFiles = flags.labelFile.flatMap((file) =>
		keyValueLines(file, 'label', surroundings).filter((line) => line.includes('=')),
	);
	const entries = [...fromFiles, ...flags.label];
	return entries.length === 0 ? undefined : Object.fromEntries(entries.map((entry) => cut(entry, '=')));
}

/** Lines of an env or label file; empty ones and comments are left out. */
function keyValueLines(file: string, kind: string, surroundings: Surroundings): string[] {
	const lines = readText(file, surroundings)
		.replace(/^\ufeff/, '')
		.split('\n')
		.map((line) => line.replace(/\r$/, '').trimStart())
		.filter((line) => line !== '' && !line.startsWith('#'));
	for (const line of lines) {
		const [name] = cut(line, '=');
		if (name === '') {
			throw new CommandError(`invalid ${kind} file (${file}): no variable name on line '${line}'`, 125);
		}
		if (/\s/.test(name)) {
			throw new CommandError(`invalid ${kind} file (${file}): variable '${name}' contains whitespaces`, 125);
		}
	}
	return lines;
}

function readText(file: string, surroundings: Surroundings): string {
	try {
		return surroundings.readFile(file);
	} catch (error) {
		const code = systemCode(error);
		if (code === undefined) {
			throw error;
		}
		const reasons: Record<string, string> = {
			ENOENT: 'no such file or directory',
			EACCES: 'permission denied',
			EISDIR: 'is a directory',
		};
		throw new CommandError(`open ${file}: ${reasons[code] ?? code}`, 125);
	}
}

/** The parts of `-v`: one part is an anonymous volume, more are source, target and mode. */
function splitVolume(volume: string): string[] {
	const parts = volume.split(':');
	if (volume === '') {
		throw new CommandError('invalid empty volume spec', 125);
	}
	if (parts.includes('')) {
		throw new CommandError(`invalid spec: ${volume}: empty section between colons`, 125);
	}
	return parts;
}

function bind(volume: string, cwd: string): string {
	const [source = '', ...rest] = splitVolume(volume);
	return [source.startsWith('.') ? path.resolve(cwd, source) : source, ...rest].join(':');
}

function logConfig(flags: CreateFlags): Pick<HostConfigJson, 'LogConfig'> {
	if (flags.logDriver === undefined && flags.logOpt.length === 0) {
		return {};
	}
	if (flags.logDriver === 'none' && flags.logOpt.length > 0) {
		throw new CommandError('invalid logging opts for driver none', 125);
	}
	const options = Object.fromEntries(flags.logOpt.map((option) => cut(option, '=')));
	return { LogConfig: { Type: flags.logDriver ?? '', Config: options } };
}

function capabilities(names: readonly string[]): string[] {
	const full = names.map((name) => {
		const upper = name.trim().toUpperCase();
		return upper === 'ALL' || upper.startsWith('CAP_') ? upper : `CAP_${upper}`;
	});
	return [...new Set(full)].sort();
}

function portBindings(publish: readonly string[]): NonNullable<HostConfigJson['PortBindings']> {
	const bindings: Record<string, { HostIp: string; HostPort: string }[]> = {};
	for (const { port, hostIp, hostPort } of publish.flatMap(parsePort)) {
		bindings[port] = [...(bindings[port] ?? []), { HostIp: hostIp, HostPort: hostPort }];
	}
	return bindings;
}

function extraHost(value: string): string {
	const [name, address] = cut(value, value.includes('=') ? '=' : ':');
	if (name === '' || address === '') {
		throw new FlagError(createFlags.addHost.spelling, value, `bad format for add-host: ${JSON.stringify(value)}`);
	}
	const bare = address.replace(/^\[(.+)\]$/, '$1');
	if (bare !== 'host-gateway' && isIP(bare) === 0) {
		const reason = `invalid IP address in add-host: ${JSON.stringify(bare)}`;
		throw new FlagError(createFlags.addHost.spelling, value, reason);
	}
	return `${name}:${bare}`;
}

/** Before and after the first separator; after is "" when there is none. */
function cut(text: string, separator: string): [string, string] {
	const at = text.indexOf(separator);
	return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + separator.length)];
}
