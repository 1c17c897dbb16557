import { build } from '../api/build';
import type { EventMessage, Info, Version } from '../api/types';
import { checkTime } from './containers';
import { explain } from './explain';
import { memorySize, rfc3339 } from './format';
import { compileObjectTemplate } from './inspect';
import { plain } from './output';
import type { Action } from './row';

/** `mydocker info` */
export const info: Action<{ readonly format: string | undefined }> = async (session, _operands, flags) => {
	const facts = await session.client.info({ signal: session.signal });
	session.output.stdout.write(render(flags.format, facts, renderInfo));
	facts.Warnings?.forEach((warning) => {
		session.output.error(warning);
	});
	return 0;
};

/** The facts that matter, in docker's layout. */
export function renderInfo(facts: Info): string {
	const lines = [
		'Client:',
		` Version:    ${build.version}`,
		'',
		'Server:',
		` Containers: ${facts.Containers}`,
		`  Running: ${facts.ContainersRunning}`,
		`  Paused: ${facts.ContainersPaused}`,
		`  Stopped: ${facts.ContainersStopped}`,
		` Images: ${facts.Images}`,
		` Server Version: ${facts.ServerVersion}`,
		` Storage Driver: ${facts.Driver}`,
		...(facts.DriverStatus ?? []).map(([name, value]) => `  ${name}: ${value}`),
		` Logging Driver: ${facts.LoggingDriver}`,
		...optional('Cgroup Driver', facts.CgroupDriver),
		...optional('Cgroup Version', facts.CgroupVersion),
		` Runtimes: ${Object.keys(facts.Runtimes ?? {}).join(' ')}`,
		` Default Runtime: ${facts.DefaultRuntime}`,
		...(facts.SecurityOptions === undefined ? [] : [' Security Options:']),
		...(facts.SecurityOptions ?? []).flatMap(securityOption),
		` Kernel Version: ${facts.KernelVersion}`,
		` Operating System: ${facts.OperatingSystem}`,
		` OSType: ${facts.OSType}`,
		` Architecture: ${facts.Architecture}`,
		` CPUs: ${facts.NCPU}`,
		` Total Memory: ${memorySize(facts.MemTotal)}`,
		` Name: ${facts.Name}`,
		...optional('ID', facts.ID),
		` Docker Root Dir: ${facts.DockerRootDir}`,
	];
	return lines.map((line) => `${plain(line)}\n`).join('');
}

/** "name=seccomp,profile=default" → "  seccomp", "   Profile: default" */
function securityOption(option: string): string[] {
	return option.split(',').map((pair) => {
		const [name = '', value = ''] = pair.split('=');
		return name === 'name' ? `  ${value}` : `   ${name.charAt(0).toUpperCase()}${name.slice(1)}: ${value}`;
	});
}

function optional(name: string, value: string | undefined): string[] {
	return value === undefined || value === '' ? [] : [` ${name}: ${value}`];
}

/** What `version` knows of this program. */
export interface ClientVersion {
	readonly Version: string;
	readonly ApiVersion: string;
	readonly NodeVersion: string;
	readonly Os: string;
	readonly Arch: string;
	readonly BuildTime: string;
}

/** `mydocker version`: says what it knows of itself also when no engine answers. */
export const version: Action<{ readonly format: string | undefined }> = async (session, _operands, flags) => {
	const client = thisClient();
	let server: Version | undefined;
	let failure: unknown;
	try {
		server = await session.client.version({ signal: session.signal });
	} catch (error) {
		session.signal.throwIfAborted();
		failure = error;
	}
	const both = { Client: client, Server: server ?? null };
	session.output.stdout.write(render(flags.format, both, () => renderVersion(client, server)));
	if (server === undefined) {
		session.output.error(explain(failure));
		return 1;
	}
	return 0;
};

function thisClient(): ClientVersion {
	return {
		Version: build.version,
		ApiVersion: '1.47',
		NodeVersion: process.version,
		Os: process.platform,
		Arch: process.arch === 'x64' ? 'amd64' : process.arch,
		BuildTime: new Date(build.time).toISOString(),
	};
}

/** Docker's layout; without the server's half when no engine answers. */
export function renderVersion(client: ClientVersion, server: Version | undefined): string {
	const lines = [
		'Client:',
		field('Version', client.Version),
		field('API version', client.ApiVersion),
		field('Node.js version', client.NodeVersion),
		field('Built', client.BuildTime),
		field('OS/Arch', `${client.Os}/${client.Arch}`),
		...(server === undefined ? [] : serverLines(server)),
	];
	return lines.map((line) => `${plain(line)}\n`).join('');
}

function serverLines(server: Version): string[] {
	const platform = server.Platform?.Name ?? '';
	const commit = server.GitCommit ?? '';
	const minimum = server.MinAPIVersion === undefined ? '' : ` (minimum version ${server.MinAPIVersion})`;
	const components = (server.Components ?? []).filter(({ Name: name }) => name !== 'Engine');
	return [
		'',
		`Server:${platform === '' ? '' : ` ${platform}`}`,
		' Engine:',
		` ${field('Version', server.Version)}`,
		` ${field('API version', `${server.ApiVersion}${minimum}`)}`,
		...(commit === '' ? [] : [` ${field('Git commit', commit)}`]),
		...(server.BuildTime === undefined ? [] : [` ${field('Built', server.BuildTime)}`]),
		` ${field('OS/Arch', `${server.Os}/${server.Arch}`)}`,
		...components.flatMap((component) => [` ${component.Name}:`, ` ${field('Version', component.Version)}`]),
	];
}

function field(name: string, value: string): string {
	return ` ${`${name}:`.padEnd(18)} ${value}`;
}

function render<T extends object>(format: string | undefined, value: T, layout: (value: T) => string): string {
	if (format === undefined || format === '') {
		return layout(value);
	}
	return `${compileObjectTemplate(format === 'json' ? '{{json .}}' : format)(value)}\n`;
}

export interface EventsFlags {
	readonly filter: Readonly<Record<string, readonly string[]>>;
	readonly format: string | undefined;
	readonly since: string | undefined;
	readonly until: string | undefined;
}

/** `mydocker events`: a line each, until Ctrl-C or `--until`. */
export const events: Action<EventsFlags> = async (session, _operands, flags) => {
	const show = eventRenderer(flags.format);
	const messages = session.client.events({
		signal: session.signal,
		filters: flags.filter,
		...(flags.since !== undefined && { since: checkTime('since', flags.since) }),
		...(flags.until !== undefined && { until: checkTime('until', flags.until) }),
	});
	for await (const message of messages) {
		session.output.line(show(message));
	}
	// The client ends the events quietly when they are cancelled.
	session.signal.throwIfAborted();
	return 0;
};

/** How an event is printed: docker's line, one line of JSON, or a template. */
export function eventRenderer(format: string | undefined): (message: EventMessage) => string {
	if (format === undefined || format === '') {
		return eventLine;
	}
	if (format === 'json') {
		return (message) => JSON.stringify(message);
	}
	const template = compileObjectTemplate(format);
	return (message) => template(eventFields(message));
}

/** "2024-05-01T13:37:00.123456789Z container die 4f… (exitCode=0, image=busybox, name=web)" */
function eventLine(message: EventMessage): string {
	const time = rfc3339(
		message.timeNano === undefined ? BigInt(message.time) * 1_000_000_000n : BigInt(message.timeNano),
	);
	const attributes = Object.entries(message.Actor.Attributes ?? {})
		.sort(([a], [b]) => (a < b ? -1 : 1))
		.map(([name, value]) => `${name}=${value}`);
	const suffix = attributes.length === 0 ? '' : ` (${attributes.join(', ')})`;
	return plain(`${time} ${message.Type} ${message.Action} ${message.Actor.ID}${suffix}`);
}

/** Go's field names, which templates use; `{{json .}}` gives the message as it came. */
function eventFields(message: EventMessage): object {
	const fields = {
		Status: message.Action,
		ID: message.Actor.ID,
		From: message.Actor.Attributes?.['image'] ?? '',
		Scope: message.scope ?? '',
		Time: message.time,
		TimeNano: message.timeNano ?? message.time * 1e9,
	};
	return Object.defineProperties(
		{ ...message },
		Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, { value, enumerable: false }])),
	);
}
