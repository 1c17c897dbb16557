/**
 * Commands of `mydocker` that the engine carries out itself. To start Node is most of what a short command takes, so a small
 * program (cli/command.pl) hands its words, environment and streams to the engine that runs already. What it sends, and what
 * comes back behind the answer 101, is written down here; both sides are of one build, so nothing else reads it.
 */
import type { Duplex } from 'node:stream';
import type { EngineAddress } from './transport';

/** A command line as the shell gave it. */
export interface HandedCommand {
	/** What follows the program's name. */
	readonly words: readonly string[];
	readonly env: Readonly<Record<string, string>>;
	/** Absolute. */
	readonly cwd: string;
	readonly isTerminal: { readonly stdin: boolean; readonly stdout: boolean; readonly stderr: boolean };
	/** Of the terminal on stdout; 0 when it is none. */
	readonly size: { readonly rows: number; readonly columns: number };
}

/** Carries a command out on the connection of who handed it over; resolves when it has ended. `signal`: that one is gone. */
export type CarryOut = (connection: Duplex, signal: AbortSignal) => Promise<void>;

/** As `serveCommands`, before the command line's code is there. */
export type CommandLine = (command: HandedCommand) => Promise<CarryOut | undefined>;

/** The engine that carries commands out. */
export interface CommandHost {
	/** Folder of its store. */
	readonly root: string;
	readonly address: EngineAddress;
	readonly hasImage: (name: string) => boolean;
}

/** What dist/commands.js has for the engine. */
export interface CommandBundle {
	readonly loadServed: () => Promise<{
		/** Gives what carries a command out, or undefined when whoever has it must run it. */
		readonly serveCommands: (host: CommandHost) => (command: HandedCommand) => CarryOut | undefined;
	}>;
}

/** First byte of a frame; the length of its data follows in four (big-endian). */
export const FRAMES = {
	toCaller: { stdout: 1, stderr: 2, exit: 3, wantsInput: 4, dieOf: 5 },
	toEngine: { input: 1, signal: 2 },
} as const;
