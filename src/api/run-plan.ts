import type { ContainerInspect, CreateContainerBody, HostConfigJson } from './types';
import { splitArguments } from './arguments';

/** What a person says about a new container, as texts that `docker run` takes. Empty ones are the engine's to choose. */
export interface RunPlan {
	readonly image: string;
	readonly name: string;
	/** "8080:80", "127.0.0.1:5353:53/udp"; undefined for the image's ports on the same or the next free numbers. */
	readonly ports: readonly string[] | undefined;
	/** "NAME=value" */
	readonly env: readonly string[];
	/** Path of a file with such lines. */
	readonly envFile: string;
	/** "/folder:/inside", "volume:/inside:ro" */
	readonly mounts: readonly string[];
	/** Name of a network. */
	readonly network: string;
	/** "512m", "2g" */
	readonly memory: string;
	/** "1.5" */
	readonly cpus: string;
	/** no, always, unless-stopped, on-failure, on-failure:3 */
	readonly restart: string;
	/** Instead of the image's own command. */
	readonly command: readonly string[];
	/** The container goes when it ends. */
	readonly isRemoved: boolean;
}

export const EMPTY_PLAN: RunPlan = {
	image: '',
	name: '',
	ports: undefined,
	env: [],
	envFile: '',
	mounts: [],
	network: '',
	memory: '',
	cpus: '',
	restart: '',
	command: [],
	isRemoved: false,
};

/** A published port as it is typed. */
export interface PortSpec {
	/** "" for an address that the engine chooses. */
	readonly ip: string;
	/** undefined for a free one. */
	readonly host: number | undefined;
	readonly container: number;
	readonly protocol: string;
}

/** Reads "80", "8080:80", "127.0.0.1:8080:80/udp", "[::1]:8080:80"; undefined for what is none of them. */
export function parsePort(text: string): PortSpec | undefined {
	const match = /^(?:(?:(\[[0-9a-f:]+\]|[0-9.]+):)?(\d{1,5})?:)?(\d{1,5})(?:\/(tcp|udp|sctp))?$/.exec(text);
	if (match === null) {
		return undefined;
	}
	const [, ip = '', host, container, protocol = 'tcp'] = match;
	const numbers = [host, container].flatMap((digits) => (digits === undefined ? [] : [Number(digits)]));
	return numbers.some((number) => number < 1 || number > 65_535)
		? undefined
		: {
				ip: ip.replace(/[[\]]/g, ''),
				host: host === undefined ? undefined : Number(host),
				container: Number(container),
				protocol,
			};
}

/** Bytes of "512m", "2g", "1048576"; undefined for what is no size. */
export function parseSize(text: string): number | undefined {
	const match = /^(\d+(?:\.\d+)?)\s*([bkmg]?)b?$/i.exec(text);
	const power = ['b', 'k', 'm', 'g'].indexOf(match?.[2]?.toLowerCase() || 'b');
	return match === null ? undefined : Math.round(Number(match[1]) * 1024 ** power);
}

/** Exactly so many bytes, as parseSize reads them. */
function formatSize(bytes: number): string {
	const [unit = '', power = 0] =
		[['g', 3] as const, ['m', 2] as const].find(([, n]) => bytes % 1024 ** n === 0) ?? [];
	return `${bytes / 1024 ** power}${unit}`;
}

/** Lines of an env file: "NAME=value", and a NAME alone takes its value from `environment` (docker's rules). */
export function parseEnvFile(content: string, environment: Readonly<Record<string, string | undefined>>): string[] {
	return content
		.split(/\r?\n/)
		.map((line) => line.trimStart())
		.filter((line) => line !== '' && !line.startsWith('#'))
		.flatMap((line) => {
			if (line.includes('=')) {
				return [line];
			}
			const value = environment[line.trim()];
			return value === undefined ? [] : [`${line.trim()}=${value}`];
		});
}

/**
 * What the engine has to be told. `env` are the lines of the env file, which the plan's own override; `exposed` are the
 * image's ports ("80/tcp"), published on loopback when the plan says nothing.
 */
export function planBody(
	plan: RunPlan,
	context: {
		readonly env: readonly string[];
		readonly exposed: readonly string[];
		readonly labels: Readonly<Record<string, string>>;
	},
): CreateContainerBody {
	const env = [...context.env, ...plan.env];
	const bindings = plan.ports === undefined ? loopbackBindings(context.exposed) : portBindings(plan.ports);
	const [policy = '', count] = plan.restart.split(':');
	return {
		Image: plan.image,
		...(plan.command.length > 0 ? { Cmd: plan.command } : {}),
		...(env.length > 0 ? { Env: env } : {}),
		...(Object.keys(context.labels).length > 0 ? { Labels: context.labels } : {}),
		ExposedPorts: Object.fromEntries(Object.keys(bindings).map((port) => [port, {}])),
		HostConfig: {
			PortBindings: bindings,
			...(plan.mounts.length > 0 ? { Binds: plan.mounts } : {}),
			...(plan.network === '' ? {} : { NetworkMode: plan.network }),
			...(plan.memory === '' ? {} : { Memory: parseSize(plan.memory) ?? 0 }),
			...(plan.cpus === '' ? {} : { NanoCpus: Math.round(Number(plan.cpus) * 1e9) }),
			...(policy === ''
				? {}
				: { RestartPolicy: { Name: policy, MaximumRetryCount: count === undefined ? 0 : Number(count) } }),
			...(plan.isRemoved ? { AutoRemove: true } : {}),
		},
	};
}

type Bindings = NonNullable<HostConfigJson['PortBindings']>;

/** The same number on the host, or the next that is free; reached from this machine and from nowhere else. */
function loopbackBindings(ports: readonly string[]): Bindings {
	return Object.fromEntries(
		ports.map((port) => [port, [{ HostIp: '127.0.0.1', HostPort: `${Number.parseInt(port)}-65535` }]]),
	);
}

/** A port without an address is on loopback: what is reached from elsewhere is said to be. */
function portBindings(ports: readonly string[]): Bindings {
	const bindings: Record<string, { HostIp: string; HostPort: string }[]> = {};
	for (const text of ports) {
		const port = parsePort(text);
		if (port !== undefined) {
			const key = `${port.container}/${port.protocol}`;
			const binding = {
				HostIp: port.ip || '127.0.0.1',
				HostPort: port.host === undefined ? '' : String(port.host),
			};
			bindings[key] = [...(bindings[key] ?? []), binding];
		}
	}
	return bindings;
}

/** The plan as a line for a terminal. `program` is "docker" or "mydocker"; `exposed` as for planBody. */
export function planCommandLine(plan: RunPlan, program: string, exposed: readonly string[]): string {
	const ports =
		plan.ports === undefined
			? exposed.map((port) => `127.0.0.1:${Number.parseInt(port)}:${port.replace(/\/tcp$/, '')}`)
			: plan.ports.map((port) => (/^(\d*:)?\d+(\/|$)/.test(port) ? loopbackSpec(port) : port));
	const flags: readonly (readonly [string, string])[] = [
		['--name', plan.name],
		...ports.map((port) => ['-p', port] as const),
		['--env-file', plan.envFile],
		...plan.env.map((line) => ['-e', line] as const),
		...plan.mounts.map((mount) => ['-v', mount] as const),
		['--network', plan.network],
		['--memory', plan.memory],
		['--cpus', plan.cpus],
		['--restart', plan.restart],
	];
	const words = flags.flatMap(([flag, value]) => (value === '' ? [] : [flag, quote(value)]));
	const command = plan.command.map(quote);
	return [program, 'run', '-d', ...(plan.isRemoved ? ['--rm'] : []), ...words, quote(plan.image), ...command].join(
		' ',
	);
}

function loopbackSpec(port: string): string {
	return `127.0.0.1:${port.includes(':') ? port : `:${port}`}`;
}

/** A word for a shell. */
function quote(word: string): string {
	return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/** The plan that would make such a container again; `image` and `imageEnv` are of the image it was made from. */
export function planOf(
	inspect: ContainerInspect,
	image: { readonly env: readonly string[]; readonly cmd: readonly string[] },
): RunPlan {
	const { Config: config, HostConfig: host } = inspect;
	const ports = Object.entries(host.PortBindings ?? {}).flatMap(([key, bindings]) =>
		bindings.map(({ HostIp, HostPort = '' }) => {
			// A plan's port without an address is on loopback, an engine's everywhere.
			const address = HostIp?.includes(':') === true ? `[${HostIp}]` : HostIp || '0.0.0.0';
			// Of "8080-65535", the one that it has.
			const number = HostPort.includes('-') ? (publishedPort(inspect, key) ?? HostPort.split('-')[0]) : HostPort;
			return `${address}:${number}:${key.replace(/\/tcp$/, '')}`;
		}),
	);
	const command = config.Cmd ?? [];
	const { Name: policy, MaximumRetryCount: count = 0 } = host.RestartPolicy ?? { Name: 'no' };
	return {
		...EMPTY_PLAN,
		image: config.Image,
		name: inspect.Name.replace(/^\//, ''),
		ports,
		env: (config.Env ?? []).filter((line) => !image.env.includes(line)),
		mounts: host.Binds ?? [],
		network: host.NetworkMode === 'default' || host.NetworkMode === 'bridge' ? '' : (host.NetworkMode ?? ''),
		memory: host.Memory ? formatSize(host.Memory) : '',
		cpus: host.NanoCpus ? String(host.NanoCpus / 1e9) : '',
		restart: policy === 'no' || policy === '' ? '' : count > 0 ? `${policy}:${count}` : policy,
		command: command.join('\0') === image.cmd.join('\0') ? [] : command,
		isRemoved: host.AutoRemove ?? false,
	};
}

/** The first port of the host that leads to a container's ("80/tcp") now. */
function publishedPort({ NetworkSettings }: ContainerInspect, key: string): string | undefined {
	const bindings = NetworkSettings.Ports?.[key] as readonly { readonly HostPort?: string }[] | null | undefined;
	return bindings?.[0]?.HostPort;
}

/** Reads a plan that somebody wrote into the settings; undefined when it names no image. */
export function readPlan(value: unknown): RunPlan | undefined {
	if (typeof value !== 'object' || value === null) {
		return undefined;
	}
	const fields = value as Readonly<Record<string, unknown>>;
	const text = (name: string): string => (typeof fields[name] === 'string' ? fields[name] : '');
	const list = (name: string): string[] => {
		const field = fields[name];
		return Array.isArray(field) ? field.filter((item): item is string => typeof item === 'string') : [];
	};
	if (text('image') === '') {
		return undefined;
	}
	return {
		image: text('image'),
		name: text('name'),
		ports: fields['ports'] === undefined ? undefined : list('ports'),
		env: list('env'),
		envFile: text('envFile'),
		mounts: list('mounts'),
		network: text('network'),
		memory: text('memory'),
		cpus: text('cpus'),
		restart: text('restart'),
		command: typeof fields['command'] === 'string' ? (splitArguments(fields['command']) ?? []) : list('command'),
		isRemoved: fields['isRemoved'] === true,
	};
}

/** The plan without what says nothing, as it is kept in the settings. */
export function compactPlan(plan: RunPlan): Partial<RunPlan> {
	return Object.fromEntries(
		Object.entries(plan).filter(
			([name, value]) =>
				// No ports at all is another thing than those of the image.
				(name === 'ports' && value !== undefined) ||
				(value !== undefined && value !== '' && value !== false && (!Array.isArray(value) || value.length > 0)),
		),
	);
}
