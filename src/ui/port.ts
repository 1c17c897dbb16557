import { InvalidHost, parseHost } from '../api/endpoint';
import type { ContainerRow, PortRow } from './rows';

/** Ports that serve something else than web pages, by what they are registered for. */
const NOT_WEB = new Set([
	21, 22, 23, 25, 53, 110, 143, 389, 465, 587, 636, 993, 995, 1433, 1521, 1883, 2049, 2181, 2375, 2376, 3306, 5432,
	5672, 6379, 6443, 9092, 11211, 26257, 27017,
]);
/** Ports that are most likely the page that a person looks for, the likeliest first. */
const LIKELY = [443, 80, 3000, 8080, 8443, 8000, 5173, 4200, 5000, 8888, 9000];

/** The ports that can be reached from this machine. */
export function publishedPorts(row: ContainerRow): readonly PortRow[] {
	return row.ports.filter((port) => port.host !== undefined);
}

/** "127.0.0.1:8080→80/tcp", or "80/tcp" for a port that is only exposed. */
export function portText({ host, port, protocol }: PortRow): string {
	if (host === undefined) {
		return `${port}/${protocol}`;
	}
	const address = host.ip.includes(':') ? `[${host.ip}]` : host.ip;
	return `${address}:${host.port}→${port}/${protocol}`;
}

/** The other machine that the address of an engine names, such as "ssh://ann@box"; "" for this one. */
export function machineOf(address: string): string {
	try {
		const endpoint = parseHost(address);
		return endpoint.kind === 'unix' || /^(localhost|127\..*|::1)$/.test(endpoint.host) ? '' : endpoint.host;
	} catch (error) {
		if (error instanceof InvalidHost) {
			return '';
		}
		throw error;
	}
}

/** "host:port" as another program takes it; an address for all is this machine's own. Undefined when not published. */
export function localAddress({ host }: PortRow): string | undefined {
	if (host === undefined) {
		return undefined;
	}
	const isAny = host.ip === '' || host.ip === '0.0.0.0' || host.ip === '::' || host.ip === '127.0.0.1';
	const name = isAny ? 'localhost' : host.ip.includes(':') ? `[${host.ip}]` : host.ip;
	return `${name}:${host.port}`;
}

/** Where a browser finds what the port serves; undefined for one that surely serves no web page. */
export function browserUrl(row: PortRow): string | undefined {
	const address = localAddress(row);
	if (address === undefined || row.protocol !== 'tcp' || NOT_WEB.has(row.port)) {
		return undefined;
	}
	return `${row.port === 443 || row.port === 8443 ? 'https' : 'http'}://${address}/`;
}

/** The ports with a page, the likeliest first. */
export function webPorts(row: ContainerRow): readonly PortRow[] {
	const rank = ({ port }: PortRow): number => (LIKELY.includes(port) ? LIKELY.indexOf(port) : LIKELY.length);
	return publishedPorts(row)
		.filter((port) => browserUrl(port) !== undefined)
		.toSorted((a, b) => rank(a) - rank(b));
}
