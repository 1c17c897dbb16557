import { findProgram, run } from '../exec';
import type { NetworkPlace } from './place';
import type { PublishedPort } from './ports';

/**
 * Makes the kernel forget UDP conversations with these host ports. It remembers for minutes where a client's datagrams
 * go, so one that keeps sending would go on sending to the address that the container had before its restart. Only where
 * the program conntrack is installed; without it such a client has to be silent for half a minute.
 */
export async function forgetConversations(place: NetworkPlace, ports: readonly PublishedPort[]): Promise<void> {
	const udp = new Set(ports.filter(({ protocol }) => protocol === 'udp').map(({ host_port }) => String(host_port)));
	if (udp.size === 0 || findProgram('conntrack') === undefined) {
		return;
	}
	for (const port of udp) {
		// Exit code 1 says that there was none.
		const [program, ...args] = [...place.command, 'conntrack', '-D', '-p', 'udp', '--orig-port-dst', port];
		await run(program, args, { timeout: 10_000 });
	}
}
