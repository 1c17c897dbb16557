/** Parts of port bindings; errors are docker's texts as plain Errors. */
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
