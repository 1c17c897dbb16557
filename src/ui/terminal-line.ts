import type { Attachment, TerminalSize } from '../api/client';

/** What a terminal shows: a process's streams, and what goes with them. */
export interface Line {
	/** What is said before. */
	readonly greeting?: string;
	readonly attachment: Attachment;
	readonly resize: (size: TerminalSize) => Promise<void>;
	/** Undefined while it runs on. */
	readonly exitCode: () => Promise<number | undefined>;
	/** The person has closed the terminal. */
	readonly hangUp: () => void;
}
