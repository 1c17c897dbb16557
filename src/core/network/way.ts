import * as path from 'node:path';
import type { NetworkFacts } from './firewall';
import type { NetworkMode } from './network';
import type { OutboundFacts } from './outbound';

/** By what bridges work here: "ip, iptables", of an ordinary user "ip, nftables, slirp4netns"; "" where they do not. */
export function bridgeWay(
	network: Pick<NetworkFacts, 'hasBridge' | 'firewall'>,
	outbound: Pick<OutboundFacts, 'program'> | undefined,
): string {
	const out = outbound === undefined ? [] : [path.basename(outbound.program) || 'no way to other machines'];
	return network.hasBridge ? ['ip', network.firewall, ...out].join(', ') : '';
}

/** How the network of a container works, for people; `bridges` is what bridgeWay says. */
export function networkWay(mode: NetworkMode, bridges: string): string {
	switch (mode.kind) {
		case 'container':
			return `container:${mode.container}`;
		case 'network':
			return bridges === '' ? 'bridge (does not work here)' : `bridge (${bridges})`;
		case 'host':
			return bridges === '' ? "host (this machine's own; bridges do not work here)" : "host (this machine's own)";
		case 'none':
			return 'none';
	}
}
