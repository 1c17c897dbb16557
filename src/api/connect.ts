import type { ChildProcess } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { BUILD_HEADERS, build, isOlderBuild } from './build';
import type { Build } from './build';
import { codeCacheFolder } from './code-cache';
import { openStoreFolder } from './store-folder';
import { abortError, errorCode, exchange, type EngineAddress } from './transport';

export interface EngineOptions {
	/** Folder of the store; made with mode 0700 when missing. */
	readonly root: string;
	/** dist/engine.js of this build. */
	readonly engine: string;
	/** Seconds without client and without running container until the engine leaves; 30 by default. */
	readonly idleTimeout?: number;
	/** The only runtime to use, "auto" for what MYDOCKER_RUNTIME says, or the first that works. */
	readonly runtime?: string | undefined;
	/** Storage driver of new containers; by default MYDOCKER_STORAGE_DRIVER, else the best that works. */
	readonly storageDriver?: string;
	/** Told in one line when an engine is started, replaced or found dead. */
	readonly log?: (message: string) => void;
}

/** The engine could not come up; the message ends with its own last words. */
export class EngineNotStarted extends Error {
	override readonly name = 'EngineNotStarted';
}

const READY_WITHIN = 10_000;
const ANSWER_WITHIN = 10_000;
/** An engine can be replaced by another client's while this one connects; more than a few times is a fault. */
const ROUNDS = 4;
const LONGEST_LOG = 1024 * 1024;
/** What an engine may inherit (also by cli/start-engine.pl): no token, no editor variable. A registry may be reachable through a proxy only. */
export const ENVIRONMENT =
	/^(PATH|HOME|USER|LOGNAME|LANG|LC_\w+|TZ|TMPDIR|XDG_RUNTIME_DIR|DOCKER_CONFIG|SSL_CERT_(FILE|DIR)|NODE_EXTRA_CA_CERTS|MYDOCKER_STORAGE_DRIVER|(HTTPS?|NO|ALL)_PROXY)$/i;

/**
 * Gives the socket path of the store's one engine: finds a living one, replaces an older build (version handshake), or
 * starts one and waits until it answers. Safe to call from many processes at once: exactly one engine wins.
 * Throws EngineNotStarted with the engine's own last words when it cannot come up.
 */
export async function connectEngine(options: EngineOptions, signal?: AbortSignal): Promise<string> {
	return (await reachEngine(options, signal)).socketPath;
}

/** As `connectEngine`, with the API version that the engine named, so that a client need not ask for it again. */
export async function reachEngine(options: EngineOptions, signal?: AbortSignal): Promise<EngineAddress> {
	const root = path.resolve(options.root);
	const socketPath = path.join(root, 'run', 'api.sock');
	const log = options.log ?? (() => undefined);
	for (let round = 0; round < ROUNDS; round++) {
		const running = await handshake(socketPath, signal);
		if (running !== undefined && !isOlderBuild(running, build)) {
			return { socketPath, apiVersion: running.apiVersion, program: 'mydocker' };
		}
		if (running !== undefined) {
			log(`Replacing engine ${running.version} by ${build.version} in ${root}`);
			await askToLeave(socketPath, signal);
		} else {
			log(`Starting engine ${build.version} in ${root}`);
		}
		await startEngine({ ...options, root }, signal);
	}
	throw new EngineNotStarted(`Cannot connect to the engine of "${root}": engines keep replacing each other`);
}

/** The build of the engine that answers, or undefined when none does. */
async function handshake(
	socketPath: string,
	signal: AbortSignal | undefined,
): Promise<(Build & Pick<EngineAddress, 'apiVersion'>) | undefined> {
	const deadline = AbortSignal.timeout(ANSWER_WITHIN);
	try {
		const response = await exchange(socketPath, {
			method: 'GET',
			path: '/_ping',
			signal: signal === undefined ? deadline : AbortSignal.any([signal, deadline]),
		});
		response.destroy();
		const version = response.headers[BUILD_HEADERS.version];
		if (typeof version !== 'string') {
			throw new EngineNotStarted(`Cannot use "${socketPath}": another program than MyDocker's engine serves it`);
		}
		const named = response.headers['api-version'];
		const apiVersion = typeof named === 'string' ? named : undefined;
		return { version, time: Number(response.headers[BUILD_HEADERS.time]) || 0, apiVersion };
	} catch (error) {
		if (isAbsent(error)) {
			return undefined;
		}
		if (deadline.aborted && signal?.aborted !== true) {
			const reason = `it does not answer within ${ANSWER_WITHIN / 1000} s (see ${logFile(socketPath)})`;
			throw new EngineNotStarted(`Cannot use the engine at "${socketPath}": ${reason}`, { cause: error });
		}
		throw error;
	}
}

/** Asks an engine to leave and not to touch its containers. It may be gone before it has answered. */
async function askToLeave(socketPath: string, signal: AbortSignal | undefined): Promise<void> {
	try {
		const response = await exchange(socketPath, { method: 'POST', path: '/mydocker/shutdown', signal });
		response.destroy();
	} catch (error) {
		if (!isAbsent(error)) {
			throw error;
		}
	}
}

function isAbsent(error: unknown): boolean {
	return ['ENOENT', 'ENOTDIR', 'ECONNREFUSED', 'ECONNRESET', 'EPIPE'].includes(errorCode(error) ?? '');
}

/**
 * Starts an engine process that outlives this one and waits for its word on file descriptor 3: "ready" when it, or the
 * engine that was quicker, answers; else what went wrong.
 */
async function startEngine(options: EngineOptions, signal: AbortSignal | undefined): Promise<void> {
	const { root } = options;
	const log = openStoreLog(root);
	const before = fs.fstatSync(log).size;
	try {
		// Most commands find an engine and never need it.
		const { spawn } = await import('node:child_process');
		const child = spawn(
			// VS Code's own program may have been replaced by an update while it runs.
			fs.existsSync(process.execPath) ? process.execPath : 'node',
			[
				options.engine,
				'--root',
				root,
				'--idle',
				String(options.idleTimeout ?? 30),
				...runtimeOf(options),
				'--report',
				'3',
			],
			{ detached: true, cwd: '/', env: environment(options), stdio: ['ignore', 'ignore', log, 'pipe'] },
		);
		child.unref();
		const word = await firstWord(child, signal);
		if (word !== 'ready') {
			const said = word ?? lastWords(path.join(root, 'engine.log'), before);
			throw new EngineNotStarted(`Cannot start the engine of "${root}": ${said}`);
		}
	} finally {
		fs.closeSync(log);
	}
}

function runtimeOf({ runtime }: EngineOptions): readonly string[] {
	const name = runtime === undefined || runtime === 'auto' ? process.env['MYDOCKER_RUNTIME'] : runtime;
	return name === undefined || name === '' || name === 'auto' ? [] : ['--runtime', name];
}

/** Why a store cannot be opened, by the system's code. */
const CLOSED_STORE: Readonly<Record<string, string>> = {
	EROFS: 'its disk is read-only',
	EACCES: 'your user may not write there',
	EPERM: 'your user may not write there',
	ENOENT: 'no folder can be made there',
	ENOTDIR: 'a part of its path is a file',
	ENOSPC: 'its disk is full',
};

function openStoreLog(root: string): number {
	try {
		openStoreFolder(root);
		return openLog(path.join(root, 'engine.log'));
	} catch (error) {
		const reason = CLOSED_STORE[errorCode(error) ?? ''];
		if (reason !== undefined) {
			const next = 'make it writable, or name another folder with --root or MYDOCKER_ROOT';
			throw new EngineNotStarted(`Cannot open the store "${root}": ${reason}; ${next}`, { cause: error });
		}
		throw error;
	}
}

/** What the engine writes before it closes descriptor 3; undefined when it says nothing, or nothing in time. */
async function firstWord(child: ChildProcess, signal: AbortSignal | undefined): Promise<string | undefined> {
	const channel = child.stdio[3];
	if (channel === null || channel === undefined || !('read' in channel)) {
		throw new EngineNotStarted('Cannot start an engine: it has no channel to report on');
	}
	return new Promise((resolve, reject) => {
		let said = '';
		const finish = (settle: () => void) => {
			clearTimeout(timer);
			signal?.removeEventListener('abort', cancel);
			channel.destroy();
			settle();
		};
		const cancel = () => {
			finish(() => {
				reject(abortError(signal as AbortSignal));
			});
		};
		const timer = setTimeout(() => {
			finish(() => {
				resolve(undefined);
			});
		}, READY_WITHIN);
		signal?.addEventListener('abort', cancel, { once: true });
		child.once('error', (error) => {
			finish(() => {
				reject(new EngineNotStarted(`Cannot start an engine: ${error.message}`, { cause: error }));
			});
		});
		channel.on('data', (piece: Buffer) => {
			said = (said + piece.toString()).slice(0, 4096);
		});
		channel.once('error', (error) => {
			finish(() => {
				reject(error);
			});
		});
		channel.once('end', () => {
			finish(() => {
				resolve(said.trim() || undefined);
			});
		});
	});
}

/** Appends; a log that has grown long becomes engine.log.1. */
function openLog(file: string): number {
	const size = fs.statSync(file, { throwIfNoEntry: false })?.size ?? 0;
	if (size > LONGEST_LOG) {
		try {
			fs.renameSync(file, `${file}.1`);
		} catch (error) {
			// Another client was quicker.
			if (errorCode(error) !== 'ENOENT') {
				throw error;
			}
		}
	}
	return fs.openSync(file, 'a', 0o600);
}

/** What was written to the log since `position`: what Node died of without its stack, else at most the last lines. */
function lastWords(file: string, position: number): string {
	const text = fs.readFileSync(file).subarray(position).toString().trim();
	const lines = text.split('\n');
	const thrown = lines.findLast((line) => /^\w*Error(?: \[\w+\])?: /.test(line));
	if (thrown !== undefined) {
		return `${thrown} (see ${file})`;
	}
	return text === ''
		? `it ended, or was not ready within ${READY_WITHIN / 1000} s, without a word (see ${file})`
		: lines.slice(-12).join('\n');
}

function logFile(socketPath: string): string {
	return path.join(path.dirname(path.dirname(socketPath)), 'engine.log');
}

function environment({ storageDriver }: EngineOptions): NodeJS.ProcessEnv {
	const kept = Object.entries(process.env).filter(([name]) => ENVIRONMENT.test(name));
	// In VS Code, process.execPath is Electron, which is Node only with this variable.
	const chosen = storageDriver === undefined ? {} : { MYDOCKER_STORAGE_DRIVER: storageDriver };
	const code = codeCacheFolder();
	const cache = code === undefined ? {} : { NODE_COMPILE_CACHE: code };
	return { ...Object.fromEntries(kept), ...chosen, ...cache, ELECTRON_RUN_AS_NODE: '1' };
}
