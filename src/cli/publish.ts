import { isIP } from 'node:net';
import { CommandError } from './errors';

/** One published port. */
export interface PortMapping {
	/** "80/tcp", in the container. */
	readonly port: string;
	/** "" means every address. */
	readonly hostIp: string;
	/** "8080", "8000-8010" (any free one of these), or "" (any free one). */
	readonly hostPort: string;
}

/** Reads `-p [[ip:]host[-range]:]container[-range][/protocol]`. Throws CommandError with docker's words. */
export function parsePort(spec: string): PortMapping[] {
	const parts = spec.split(':');
	const [target = '', protocol = 'tcp'] = (parts.pop() ?? '').split('/');
	const host = parts.pop() ?? '';
	const hostIp = address(parts.join(':'));
	if (!['tcp', 'udp', 'sctp'].includes(protocol.toLowerCase())) {
		throw new CommandError(`invalid proto: ${protocol}`, 125);
	}
	if (target === '') {
		throw new CommandError(`no port specified: ${spec}<empty>`, 125);
	}
	const [first, last] = range(target, 'containerPort');
	if (first === 0) {
		throw new CommandError(`invalid containerPort: ${target}`, 125);
	}
	const [hostFirst, hostLast] = host === '' ? [0, last - first] : range(host, 'hostPort');
	if (last - first !== hostLast - hostFirst && last !== first) {
		throw new CommandError(`invalid ranges specified for container and host Ports: ${target} and ${host}`, 125);
	}
	// For one port of the container, any free one of the host's range.
	const isChoice = first === last && hostFirst < hostLast;
	return Array.from({ length: last - first + 1 }, (_, index) => ({
		port: `${first + index}/${protocol.toLowerCase()}`,
		hostIp,
		hostPort: host === '' ? '' : isChoice ? `${hostFirst}-${hostLast}` : String(hostFirst + index),
	}));
}

function address(text: string): string {
	const bare = text.replace(/^\[(.*)\]$/, '$1');
	if (bare !== '' && isIP(bare) === 0) {
		throw new CommandError(`invalid IP address: ${text}`, 125);
	}
	return bare;
}

function range(text: string, what: string): [number, number] {
	const match = /^(\d+)(?:-(\d+))?$/.exec(text);
	const first = Number(match?.[1]);
	const last = Number(match?.[2] ?? match?.[1]);
	// NaN, when nothing matched, fails every comparison.
	if (!(first <= last && last <= 65535)) {
		throw new CommandError(`invalid ${what}: ${text}`, 125);
	}
	return [first, last];
}
