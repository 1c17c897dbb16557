import { EngineError, messageOf } from '../errors';
import type { PortBinding, Protocol } from './publish';
import { parseHostAddress, parsePortRange, parseProtocol } from './publish';

/** A host port that leads into a container. */
export interface PublishedPort {
	/** The address bound: "0.0.0.0", "::", "127.0.0.1", … */
	readonly host_ip: string;
	readonly host_port: number;
	readonly container_port: number;
	readonly protocol: Protocol;
}

/** HostConfig.PortBindings of the Engine API. */
export type PortMap = Readonly<
	Record<string, readonly { readonly HostIp?: string | undefined; readonly HostPort?: string | undefined }[] | null>
>;

/** One port of "80/tcp" or "80". */
export function parsePort(text: string): { readonly port: number; readonly protocol: Protocol } {
	const [number, protocol] = text.split('/', 2);
	const range = parsePortRange(number ?? '');
	if (range === undefined || range.first === 0 || range.first !== range.last) {
		throw new EngineError('invalid', `invalid port specification: "${text}"`);
	}
	const parsed = parseProtocol(protocol ?? '');
	if (parsed === undefined) {
		throw new EngineError('unsupported', `Cannot publish port "${text}": only tcp and udp can be published`);
	}
	return { port: range.first, protocol: parsed };
}

/** Bindings of an API body, in the body's order; an entry with an empty list publishes on any free port, as docker does. */
export function parsePortMap(map: PortMap): PortBinding[] {
	return Object.entries(map).flatMap(([key, hosts]) => {
		const { port, protocol } = parsePort(key);
		const places = hosts === null || hosts.length === 0 ? [{}] : hosts;
		return places.map((host) => hostBinding(host, { container_port: port, protocol }));
	});
}

/** What a container publishes: what is bound, and with `-P` what is exposed besides. */
export function bindingsOf(config: {
	readonly ports: readonly PortBinding[];
	readonly publish_all: boolean;
	readonly exposed_ports: readonly string[];
}): PortBinding[] {
	const { ports, publish_all, exposed_ports } = config;
	return [...ports, ...(publish_all ? publishAll(exposed_ports, ports) : [])];
}

/** `-P`: every exposed port that is not bound yet, on any free host port. */
export function publishAll(exposed: readonly string[], bindings: readonly PortBinding[]): PortBinding[] {
	const isBound = (port: number, protocol: Protocol): boolean =>
		bindings.some((binding) => binding.container_port === port && binding.protocol === protocol);
	return exposed
		.flatMap(parseExposed)
		.filter(({ port, protocol }) => !isBound(port, protocol))
		.map(({ port, protocol }) => ({
			container_port: port,
			protocol,
			host_ip: '',
			host_port: 0,
			host_port_end: 0,
		}));
}

/** EXPOSE and `--expose` may hold a range; "8000-8002/udp" is three ports. */
export function parseExposed(text: string): { readonly port: number; readonly protocol: Protocol }[] {
	const [ports, protocol] = text.split('/', 2);
	const range = parsePortRange(ports ?? '');
	if (range === undefined) {
		throw new EngineError('invalid', `invalid port specification: "${text}"`);
	}
	return Array.from({ length: range.last - range.first + 1 }, (_, index) =>
		parsePort(`${range.first + index}/${protocol ?? ''}`),
	);
}

function hostBinding(
	host: { readonly HostIp?: string | undefined; readonly HostPort?: string | undefined },
	container: { readonly container_port: number; readonly protocol: Protocol },
): PortBinding {
	const text = host.HostPort ?? '';
	const range = text === '' ? { first: 0, last: 0 } : parsePortRange(text);
	if (range === undefined) {
		throw new EngineError('invalid', `invalid port specification: "${text}"`);
	}
	try {
		const host_ip = parseHostAddress(host.HostIp ?? '');
		return { ...container, host_ip, host_port: range.first, host_port_end: range.last };
	} catch (error) {
		throw new EngineError('invalid', messageOf(error), { cause: error });
	}
}
