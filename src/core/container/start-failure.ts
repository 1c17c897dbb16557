import { jsonIn } from '../json';
import { mountReasons } from '../storage/driver';

/** Why a container could not be started, as `docker run` tells it. */
export interface StartFailure {
	readonly message: string;
	/** 127: no such program; 126: it cannot be executed; 125: anything else. */
	readonly exitCode: number;
}

/** What the programs that start a container said; "" is nothing. */
export interface StartErrors {
	/** The container's own, which not every runtime names. */
	readonly program: string;
	readonly ociLog: string;
	/** Of mount(8) and ip(8). */
	readonly mountError: string;
	readonly networkError: string;
}

/**
 * Reads why a start failed out of the runtime's log and of mount(8)'s words. This is the one place that must read
 * another program's text: runtimes give the same exit status for everything.
 */
export function startFailure({ program, ociLog, mountError, networkError }: StartErrors): StartFailure {
	if (networkError.trim() !== '') {
		return { message: `Cannot set up the network: ${networkError.trim()}`, exitCode: 125 };
	}
	const mountReason = mountReasons(mountError).join('\n').trim();
	if (mountReason !== '') {
		return { message: `error creating overlay mount: ${mountReason}`, exitCode: 125 };
	}
	const reason = lastError(ociLog, program) ?? 'the OCI runtime gave no reason';
	return {
		message: `failed to create task for container: failed to create shim task: OCI runtime create failed: ${reason}: unknown`,
		exitCode: startExitCode(reason),
	};
}

/** Why a process in a running container could not be started; docker's words and exit codes. */
export function execFailure(ociLog: string, program: string): StartFailure {
	const reason = lastError(ociLog, program) ?? 'the OCI runtime gave no reason';
	const exitCode = startExitCode(reason);
	return { message: `OCI runtime exec failed: ${reason}: unknown`, exitCode: exitCode === 125 ? 126 : exitCode };
}

function startExitCode(reason: string): number {
	// Only a failed exec of the program itself counts, not one of a mount source or a working directory.
	if (!/\bexec: /.test(reason)) {
		return 125;
	}
	if (/executable file not found|no such file or directory/.test(reason)) {
		return 127;
	}
	return /permission denied|is a directory/.test(reason) ? 126 : 125;
}

/** The last error of a log of JSON lines: runc's and crun's {level, msg}, youki's {level, fields: {message}}. */
function lastError(log: string, program: string): string | undefined {
	for (const line of log.trimEnd().split('\n').reverse()) {
		const own = /^minimal (.+)$/.exec(line)?.[1];
		if (own !== undefined) {
			return inWordsOf(own, program);
		}
		const entry = jsonIn(line);
		if (typeof entry === 'object' && entry !== null && 'level' in entry && /^error$/i.test(String(entry.level))) {
			const message = 'msg' in entry ? entry.msg : messageOfFields(entry);
			if (typeof message === 'string') {
				return inWordsOfRunc(message, program);
			}
		}
	}
	return undefined;
}

function messageOfFields(entry: object): unknown {
	const fields = 'fields' in entry ? entry.fields : undefined;
	return typeof fields === 'object' && fields !== null && 'message' in fields ? fields.message : undefined;
}

/** What our own runtime says (minimal-script.ts). */
function inWordsOf(word: string, program: string): string {
	const name = JSON.stringify(program);
	switch (word) {
		case 'not-found':
			return missing(program);
		case 'denied':
			return `exec: ${name}: permission denied`;
		case 'cwd':
			return 'chdir to the working directory failed';
		default:
			return word.replace(/^setup /, '');
	}
}

function missing(program: string): string {
	const name = JSON.stringify(program);
	return program.includes('/')
		? `exec: ${name}: stat ${program}: no such file or directory`
		: `exec: ${name}: executable file not found in $PATH`;
}

/** Docker's users, and the command line, know runc's sentences for a program that cannot be run; crun has its own. */
function inWordsOfRunc(message: string, program: string): string {
	const [, absent] = /^executable file `(.*)` not found(?: in \$PATH)?: /s.exec(message) ?? [];
	if (absent !== undefined) {
		return missing(absent);
	}
	const [, file] = /^chdir `(.*)`: Not a directory/s.exec(message) ?? [];
	if (file !== undefined) {
		return `chdir to the working directory: ${file}: not a directory`;
	}
	return /^(?:open executable|exec .*): (?:Operation not permitted|Permission denied)/.test(message)
		? `exec: ${JSON.stringify(program)}: permission denied`
		: message;
}
