/** A sentence for the person at the terminal, and the exit code that goes with it. */
export class CommandError extends Error {
	override readonly name = 'CommandError';
	constructor(
		message: string,
		/** 1: the command failed; 125: it was written wrong, or `run` itself failed (docker's codes). */
		readonly exitCode = 1,
	) {
		super(message);
	}
}

/** The command line was written wrong. The message gets the command's usage added where the command is known. */
export class UsageError extends CommandError {
	constructor(message: string, exitCode = 125) {
		super(message, exitCode);
	}
}

/** A flag's value cannot be used; docker's words. `spelling` is the flag's, "-m, --memory". */
export class FlagError extends UsageError {
	constructor(spelling: string, value: string, reason: string) {
		super(`invalid argument ${JSON.stringify(value)} for "${spelling}" flag: ${reason}`);
	}
}

/** A template of `--format` that cannot be read, or does not fit its data; the message is Go's. */
export class TemplateError extends Error {
	override readonly name = 'TemplateError';
}

/** The error's `code` as Node sets it on system errors ("ENOENT"), or undefined. */
export function systemCode(error: unknown): string | undefined {
	return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}
