import type { EncoderState, Stream } from './json-lines';

/** One logical line: docker's fragments of it are joined (up to 1 MiB; longer lines come in pieces of about that). */
export interface LogEntry {
	/** When its first byte was logged, Unix nanoseconds. Increases strictly from line to line. */
	readonly time: bigint;
	readonly stream: Stream;
	/** As written, with its newline if it had one. */
	readonly data: Buffer;
	/** What was written beside it by the log options labels, env and tag. */
	readonly attributes?: Readonly<Record<string, string>>;
}

export interface LogQuery {
	/** Goes on until the container has exited and everything was read. */
	readonly follow?: boolean;
	/** First time that counts, inclusive; Unix nanoseconds. */
	readonly since?: bigint;
	/** Last time that counts, inclusive; ends a follower when the clock reaches it. */
	readonly until?: bigint;
	/** Number of last lines, counted before the other conditions, as docker does. */
	readonly tail?: number;
	/** Both streams by default. */
	readonly stdout?: boolean;
	readonly stderr?: boolean;
	readonly signal?: AbortSignal;
}

/** State of a log between two writes, to go back to after a crash; survives JSON. */
export interface LogCheckpoint {
	readonly inode: number;
	readonly size: number;
	readonly encoder: EncoderState;
}

/** Takes a container's output and gives it back. One object serves all runs of a container. */
export interface LogDriver {
	/** Before a start by a person: reaches what the driver needs, or throws why the container cannot be started. */
	connect?(): Promise<void>;
	/** A run begins; a checkpoint takes back everything written after it. */
	begin(checkpoint?: LogCheckpoint): void;
	/** Gets ready for `take`; true when the checkpoint has changed by that and must be noted first. */
	prepare(): boolean;
	/**
	 * Logs output that begins where the last call ended, and says how many bytes it took: whole lines and whole
	 * fragments, and with `isFinal` also an unfinished line. Zero means that it needs to see more. Throws the system's
	 * error (ENOSPC) with nothing taken.
	 */
	take(stream: Stream, data: Buffer, isFinal: boolean): number;
	readonly checkpoint: LogCheckpoint;
	/** Closes what `begin` opened. Followers go on; they wait for the next `begin` or for `finish`. */
	pause(): void;
	/** The container has exited and will not be started right away: followers end behind the last line. */
	finish(): void;
	/** Finishes, and makes nothing any more: the container is removed, or the engine leaves and may wait a moment. */
	close(): void | Promise<void>;
	/** Throws EngineError "unsupported" for a driver that cannot read. */
	read(query: LogQuery): AsyncIterable<LogEntry>;
}
