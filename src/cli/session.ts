import type { Client } from '../api/client';
import type { Interrupts } from './interrupts';
import type { Output } from './output';

/** What a command works with. Made once, in cli.ts or served.ts. */
export interface Session {
	/** Drives the engine that the global flags name; the engine is started by the first call, not before. */
	readonly client: Client;
	/** That engine's name, where several are told apart. */
	readonly engineName: string;
	readonly output: Output;
	readonly input: NodeJS.ReadStream;
	readonly env: Readonly<Record<string, string | undefined>>;
	/** Relative paths are meant from here; absolute. */
	readonly cwd: string;
	/** Aborted by Ctrl-C. */
	readonly signal: AbortSignal;
	readonly interrupts: Interrupts;
	/** Unix milliseconds; ages in tables count from here. */
	readonly now: number;
}
