import { EngineError } from '../errors';
import type { RunOptions, RunResult } from '../exec';
import { run } from '../exec';
import type { PlaceSockets } from './sockets';
import { ownSockets } from './sockets';

/** Where network commands run: on the host, or (rootless) in the holder's network namespace through nsenter. */
export interface NetworkPlace {
	/** Put before every command: [] or ["nsenter", "--net=/proc/PID/ns/net", "--"]. */
	readonly command: readonly string[];
	/** The process in /proc whose view of the network is meant: "self", or the holder's pid. */
	readonly process: string;
	readonly sockets: PlaceSockets;
	/**
	 * Program and first arguments of the relay that goes into a container's network namespace (inside-program.ts);
	 * undefined where rules lead there or it cannot run.
	 */
	readonly insideRelay: () => readonly [string, ...string[]] | undefined;
	/** The first bridge is about to be made. */
	readonly open: () => Promise<void>;
	/** The last bridge is gone. */
	readonly close: () => void;
}

export const HOST: NetworkPlace = {
	command: [],
	process: 'self',
	sockets: ownSockets,
	insideRelay: () => undefined,
	open: () => Promise.resolve(),
	close: () => undefined,
};

/** Runs a network program in its place; its failure is EngineError "internal" with what it printed. */
export async function runIn(
	place: NetworkPlace,
	argv: readonly [string, ...string[]],
	options: RunOptions = {},
): Promise<RunResult> {
	const [program, ...args] = [...place.command, ...argv];
	const result = await run(program ?? argv[0], args, { timeout: 30_000, ...options });
	if (result.code !== 0) {
		const reason = result.stderr.trim() || `exit code ${result.code}`;
		throw new EngineError('internal', `Cannot run "${argv.join(' ')}": ${reason}`);
	}
	return result;
}
