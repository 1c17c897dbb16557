import { AgentSockets } from './agent-sockets';
import { insideCommand } from './inside-program';
import type { Outbound } from './outbound';
import type { NetworkPlace } from './place';

export interface HolderPlaceOptions {
	/** Of the process whose network namespace has the bridges. */
	readonly pid: number;
	/** The bundle of socket-agent.ts. */
	readonly agent: string;
	readonly outbound: Outbound;
	/** The store's run folder. */
	readonly run: string;
}

/**
 * The network namespace that the holder of an ordinary user's store keeps (system/holder.ts). The engine itself stays in
 * the host's, where published ports are and registries are reached.
 */
export function holderPlace({ pid, agent, outbound, run }: HolderPlaceOptions): NetworkPlace {
	const command = ['nsenter', `--net=/proc/${pid}/ns/net`, '--'];
	const sockets = new AgentSockets(command, agent);
	return {
		command,
		process: String(pid),
		sockets,
		insideRelay: () => insideCommand(run),
		open: () => outbound.open(),
		close: () => {
			outbound.close();
			sockets.close();
		},
	};
}
