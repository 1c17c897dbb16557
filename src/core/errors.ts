/**
 * What went wrong, for code to act on. The API maps each to one HTTP status (api/server), the CLI to one exit code,
 * the UI to one offer.
 */
export type ErrorCode =
	| 'invalid' // the caller gave something malformed
	| 'not-found' // no such image, container, …
	| 'conflict' // a name is taken, or the state forbids it
	| 'not-modified' // already in the state asked for
	| 'unauthorized' // the registry wants (other) credentials
	| 'denied' // the credentials are right and do not suffice
	| 'unreachable' // the registry or another host does not answer
	| 'corrupt' // a digest, size or record does not match
	| 'unsupported' // this engine or machine cannot do it
	| 'no-space' // the disk is full
	| 'runtime' // the OCI runtime refused; see exitCode
	| 'internal';

/**
 * An error that says to a person what failed, on what, why and what to do next.
 * Message form: `Cannot <verb> <noun> "<value>": <reason>`, or docker's own text where scripts rely on it.
 */
export class EngineError extends Error {
	override readonly name = 'EngineError';
	/** Exit code that `docker run` gives for a failed start (125, 126, 127), only with code "runtime". */
	readonly exitCode?: number;

	constructor(
		readonly code: ErrorCode,
		message: string,
		options: { cause?: unknown; exitCode?: number } = {},
	) {
		super(message, options.cause === undefined ? undefined : { cause: options.cause });
		if (options.exitCode !== undefined) {
			this.exitCode = options.exitCode;
		}
	}
}

/** What to say, and what to do, when the store's disk is full. */
export function fullDisk(root: string): string {
	return `no space left on the disk of "${root}"; free some (mydocker system df shows what uses it, mydocker system prune removes what is unused) or move the store`;
}

/** The error's `code` as Node sets it on system errors ("ENOENT"), or undefined. */
export function systemCode(error: unknown): string | undefined {
	return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

/** Whether a disk, or a person's part of it, has no room. */
export function isDiskFull(error: unknown): boolean {
	const code = systemCode(error);
	return code === 'ENOSPC' || code === 'EDQUOT';
}

/** The text of anything that was thrown. */
export function messageOf(error: unknown): string {
	return error instanceof Error ? error.message : String(error);
}
