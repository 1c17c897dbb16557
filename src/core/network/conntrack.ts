import { isIP } from 'node:net';
import { findProgram, run } from '../exec';
import type { NetworkPlace } from './place';
import type { PublishedPort } from './ports';

/**
 * Makes the kernel forget UDP conversations with these host ports. It remembers for minutes where a client's datagrams
 * go, so one that keeps sending would go on sending to the address that the container had before its restart. Only where
 * the program conntrack is installed; without it such a client has to be silent for half a minute.
 */
export async function forgetConversations(place: NetworkPlace, ports: readonly PublishedPort[]): Promise<void> {
	const udp = ports.filter(({ protocol }) => protocol === 'udp');
	if (udp.length === 0 || findProgram('conntrack') === undefined) {
		return;
	}
	for (const { host_ip, host_port } of udp) {
		// Exit code 1 says that there was none.
		const match = ['-D', '-f', `ipv${isIP(host_ip)}`, '-p', 'udp', '--orig-port-dst', String(host_port)];
		const [program = '', ...args] = [...place.command, 'conntrack', ...match];
		await run(program, args, { timeout: 10_000 });
	}
}
