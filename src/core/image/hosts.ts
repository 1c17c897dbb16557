/** Lists of hosts as settings give them: names, "name:port" and networks in CIDR notation. */
import * as net from 'node:net';

/** Whether "host" or "host:port" is in the list, by name, by name and port, or by the network of its address. */
export function isHostIn(host: string, list: readonly string[]): boolean {
	const { name } = splitPort(host);
	return list.some((entry) => entry === host || entry === name || isInNetwork(name, entry));
}

/** Whether an IP address lies in a network such as "10.0.0.0/8"; false for names. */
export function isInNetwork(address: string, network: string): boolean {
	const [base = '', length = ''] = network.split('/');
	const family = net.isIP(address);
	if (family === 0 || net.isIP(base) !== family || !/^\d{1,3}$/.test(length)) {
		return false;
	}
	if (Number(length) > (family === 4 ? 32 : 128)) {
		return false;
	}
	const block = new net.BlockList();
	block.addSubnet(base, Number(length), family === 4 ? 'ipv4' : 'ipv6');
	return block.check(address, family === 4 ? 'ipv4' : 'ipv6');
}

/** The name without brackets and the port of "host", "host:port" or "[::1]:port". */
export function splitPort(host: string): { readonly name: string; readonly port: string } {
	const [, name = host, port = ''] = /^(.*?)(?::(\d+))?$/s.exec(host) ?? [];
	return { name: name.replace(/^\[|\]$/g, ''), port };
}
