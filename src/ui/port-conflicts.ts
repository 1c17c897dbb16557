import { parsePort, type PortSpec } from '../api/run-plan';
import type { ContainerRow } from './rows';

/** A port of the host that a container has. */
interface TakenPort {
	readonly ip: string;
	readonly port: number;
	readonly protocol: string;
	/** Of the container. */
	readonly name: string;
}

/** Which ports of the host are not free. */
export interface TakenPorts {
	readonly containers: readonly TakenPort[];
	/** TCP ports that programs listen on, without those of the container that is made anew. */
	readonly listening: ReadonlySet<number>;
}

/** What is wrong with a text of ports: the one that is none, or one that is taken. */
export type PortProblem =
	| { readonly kind: 'invalid'; readonly text: string }
	| { readonly kind: 'twice' | 'listening'; readonly port: number }
	| { readonly kind: 'container'; readonly port: number; readonly name: string };

/** `except` is a container whose ports do not count: it is made anew. */
export function takenPorts(
	containers: readonly Pick<ContainerRow, 'id' | 'name' | 'ports'>[],
	listening: ReadonlySet<number>,
	except = '',
): TakenPorts {
	const all = containers.flatMap(({ id, name, ports }) =>
		ports.flatMap(({ protocol, host }) => (host === undefined ? [] : [{ ...host, id, name, protocol }])),
	);
	const own = new Set(all.filter(({ id, protocol }) => id === except && protocol === 'tcp').map(({ port }) => port));
	return {
		containers: all.filter(({ id }) => id !== except),
		listening: new Set([...listening].filter((port) => !own.has(port))),
	};
}

/** The first problem of ports as a person types them. What is only unfinished is none until `isFinal`. */
export function portProblem(value: string, taken: TakenPorts, isFinal: boolean): PortProblem | undefined {
	const before: PortSpec[] = [];
	for (const text of value.split(/\s+/).filter(Boolean)) {
		const spec = parsePort(text);
		if (spec === undefined) {
			return isFinal || !value.endsWith(text) ? { kind: 'invalid', text } : undefined;
		}
		if (spec.host !== undefined) {
			const port = spec.host;
			const owner = taken.containers.find((other) => isSamePort(other, { ...spec, port }));
			if (owner !== undefined) {
				return { kind: 'container', port, name: owner.name };
			}
			if (before.some((other) => isSamePort({ ...other, port: other.host ?? 0 }, { ...spec, port }))) {
				return { kind: 'twice', port };
			}
			if (spec.protocol === 'tcp' && taken.listening.has(port)) {
				return { kind: 'listening', port };
			}
		}
		before.push(spec);
	}
	return undefined;
}

type Address = Pick<TakenPort, 'ip' | 'port' | 'protocol'>;

/** One that is on all addresses is on each. */
function isSamePort(one: Address, other: Address): boolean {
	const [ip, otherIp] = [one, other].map(({ ip: text }) => (text === '' ? '127.0.0.1' : text));
	const isEverywhere = (text = ''): boolean => !/^[\d.]+$|:/.test(text) || text === '0.0.0.0' || text === '::';
	return (
		one.port === other.port &&
		one.protocol === other.protocol &&
		(ip === otherIp || isEverywhere(ip) || isEverywhere(otherIp))
	);
}
