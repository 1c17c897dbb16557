import { spawn } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { EngineError } from './errors';

export interface RunOptions {
	readonly signal?: AbortSignal;
	/** Milliseconds until the program is killed and an error thrown; none by default. */
	readonly timeout?: number;
	readonly cwd?: string;
	readonly input?: string | Uint8Array;
	/** Replaces the environment; by default only what tools need is passed on (`toolEnvironment`). */
	readonly env?: NodeJS.ProcessEnv;
}

export interface RunResult {
	/** Exit code, or 128 + n when signal n ended it. */
	readonly code: number;
	readonly stdout: string;
	readonly stderr: string;
}

const MAX_OUTPUT = 4 * 1024 * 1024;

/**
 * Runs a program to its end. Arguments are an array and never pass a shell. A missing program is EngineError
 * "unsupported" that names it; a non-zero exit is a result, not an error.
 */
export async function run(program: string, args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
	options.signal?.throwIfAborted();
	return new Promise((resolve, reject) => {
		const child = spawn(program, args, {
			stdio: ['pipe', 'pipe', 'pipe'],
			env: options.env ?? toolEnvironment(),
			...(options.cwd === undefined ? {} : { cwd: options.cwd }),
			...(options.signal === undefined ? {} : { signal: options.signal }),
		});
		// Not spawn's own timeout: that one goes on, and holds the process, when the program is not there.
		const timer =
			options.timeout === undefined ? undefined : setTimeout(() => child.kill('SIGKILL'), options.timeout);
		const output = { stdout: '', stderr: '' };
		for (const name of ['stdout', 'stderr'] as const) {
			child[name].setEncoding('utf8').on('data', (text: string) => {
				output[name] = (output[name] + text).slice(0, MAX_OUTPUT);
			});
		}
		child.stdin.on('error', () => {
			// A program may end without reading its input; its exit code tells how it went.
		});
		child.stdin.end(options.input);
		child.once('error', (error: NodeJS.ErrnoException) => {
			clearTimeout(timer);
			reject(
				error.code === 'ENOENT'
					? new EngineError('unsupported', `Cannot run "${program}": it is not installed`, { cause: error })
					: error,
			);
		});
		child.once('close', (code, signal) => {
			clearTimeout(timer);
			if (options.timeout !== undefined && signal === 'SIGKILL') {
				reject(new EngineError('internal', `Cannot run "${program}": no end after ${options.timeout} ms`));
				return;
			}
			resolve({ code: code ?? 128 + os.constants.signals[signal ?? 'SIGKILL'], ...output });
		});
	});
}

/** The environment that tools and containers' shims start with: no tokens, no editor variables. */
export function toolEnvironment(): NodeJS.ProcessEnv {
	const keep = ['PATH', 'HOME', 'LANG', 'LC_ALL', 'XDG_RUNTIME_DIR', 'TMPDIR'];
	const kept = Object.fromEntries(keep.flatMap((name) => (process.env[name] ? [[name, process.env[name]]] : [])));
	// Debian's ordinary users have no sbin in PATH, where runc, ip and the like live.
	return {
		...kept,
		PATH: `${kept['PATH'] ?? '/usr/local/bin:/usr/bin:/bin'}:/usr/local/sbin:/usr/sbin:/sbin`,
		LC_ALL: 'C',
	};
}

/** Absolute path of a program that tools are looked for, or undefined. */
export function findProgram(name: string): string | undefined {
	const folders =
		toolEnvironment()
			['PATH']?.split(':')
			.filter((folder) => folder !== '') ?? [];
	return folders.map((folder) => path.join(folder, name)).find((file) => isExecutable(file));
}

function isExecutable(file: string): boolean {
	try {
		fs.accessSync(file, fs.constants.X_OK);
		return fs.statSync(file).isFile();
	} catch {
		// Not there or not ours to run: the search goes on with the next folder.
		return false;
	}
}
