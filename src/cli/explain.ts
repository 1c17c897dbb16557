import { ApiError } from '../api/client';
import { EngineNotStarted } from '../api/connect';
import { systemCode } from './errors';

/** The sentence that a person gets for anything that was thrown; the one place where an error becomes a message. */
export function explain(error: unknown): string {
	if (error instanceof ApiError) {
		return `Error response from engine: ${error.message}`;
	}
	if (error instanceof EngineNotStarted) {
		return `${error.message}\nRun 'mydocker --debug version' to see what was tried.`;
	}
	const code = systemCode(error);
	const address = error instanceof Error && 'address' in error ? String(error.address) : undefined;
	if (address !== undefined && code !== undefined) {
		return unreachable(address, code);
	}
	return error instanceof Error ? error.message : String(error);
}

/**
 * The exit code of a container that could not be started. The engine says why in words only, so as docker's command
 * line does, the runtime's words are read here: 127 for a program that is not there, 126 for one that cannot be run.
 */
export function startExitCode(error: unknown): number {
	const message = error instanceof Error ? error.message : '';
	if (/executable file not found|no such file or directory/.test(message)) {
		return 127;
	}
	return /permission denied|is a directory/.test(message) ? 126 : 125;
}

function unreachable(address: string, code: string): string {
	const reasons: Readonly<Record<string, string>> = {
		ENOENT: 'Is the engine running?',
		ECONNREFUSED: 'Is the engine running?',
		EACCES: 'Your user may not use its socket.',
	};
	return `Cannot connect to the engine at unix://${address}. ${reasons[code] ?? code}`;
}
