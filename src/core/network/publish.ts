/**
 * docker's `-p` text. This file imports nothing, so that the command line can use it as well as the engine; its errors
 * are docker's texts as plain Errors.
 */
export type Protocol = 'tcp' | 'udp';

/** One container port and where on the host it may appear. */
export interface PortBinding {
	readonly container_port: number;
	readonly protocol: Protocol;
	/** "" is every address, IPv4 and IPv6. */
	readonly host_ip: string;
	/** First and last host port that will do; 0 and 0 is any free one. */
	readonly host_port: number;
	readonly host_port_end: number;
}

export interface PortRange {
	readonly first: number;
	readonly last: number;
}

/** "80" or "8000-8010"; undefined when a number is no port, or the range runs backwards. */
export function parsePortRange(text: string): PortRange | undefined {
	const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(text);
	if (match === null) {
		return undefined;
	}
	const first = Number(match[1]);
	const last = Number(match[2] ?? match[1]);
	return first <= last && last <= 65535 ? { first, last } : undefined;
}

/** "tcp", "udp", or "" for tcp; undefined for what cannot be published here. */
export function parseProtocol(text: string): Protocol | undefined {
	const protocol = text.toLowerCase();
	if (protocol === '') {
		return 'tcp';
	}
	return protocol === 'tcp' || protocol === 'udp' ? protocol : undefined;
}

/** `[[ip:]host[-range]:]container[-range][/protocol]`, one binding for each container port. */
export function parsePublish(text: string): PortBinding[] {
	const slash = text.lastIndexOf('/');
	const protocol = parseProtocol(slash < 0 ? '' : text.slice(slash + 1));
	if (protocol === undefined) {
		throw new Error(`invalid proto: ${text.slice(slash + 1)}`);
	}
	const parts = (slash < 0 ? text : text.slice(0, slash)).split(':');
	const containerText = parts.pop() ?? '';
	const hostText = parts.pop() ?? '';
	const container = parsePortRange(containerText);
	if (containerText === '') {
		throw new Error(`no port specified: ${text}<empty>`);
	}
	if (container === undefined || container.first === 0) {
		throw new Error(`invalid containerPort: ${containerText}`);
	}
	const host = hostText === '' ? { first: 0, last: 0 } : parsePortRange(hostText);
	if (host === undefined) {
		throw new Error(`invalid hostPort: ${hostText}`);
	}
	return pair({
		container,
		host,
		protocol,
		host_ip: parseHostAddress(parts.join(':')),
		texts: [containerText, hostText],
	});
}

interface Pairing {
	readonly container: PortRange;
	readonly host: PortRange;
	readonly protocol: Protocol;
	readonly host_ip: string;
	readonly texts: readonly [string, string];
}

function pair({ container, host, protocol, host_ip, texts }: Pairing): PortBinding[] {
	const ports = container.last - container.first + 1;
	const isAny = host.first === 0;
	if (!isAny && ports > 1 && host.last - host.first + 1 !== ports) {
		throw new Error(`invalid ranges specified for container and host Ports: ${texts[0]} and ${texts[1]}`);
	}
	return Array.from({ length: ports }, (_, index) => ({
		container_port: container.first + index,
		protocol,
		host_ip,
		host_port: isAny ? 0 : host.first + index,
		// One container port may take any port of a host range.
		host_port_end: ports === 1 ? host.last : isAny ? 0 : host.first + index,
	}));
}

const IPV4 = /^(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)(?:\.(?!$)|$)){4}$/;
const IPV6 = /^[0-9a-fA-F:.]*:[0-9a-fA-F:.]*$/;

/** An address to bind, brackets taken off; "" stays "". */
export function parseHostAddress(text: string): string {
	const address = /^\[(.*)\]$/.exec(text)?.[1] ?? text;
	if (address !== '' && !IPV4.test(address) && !(IPV6.test(address) && isUrlHost(address))) {
		throw new Error(`invalid IP address: ${text}`);
	}
	return address;
}

function isUrlHost(address: string): boolean {
	return URL.canParse(`http://[${address}]/`);
}
