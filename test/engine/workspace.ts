import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import * as fs from 'node:fs';
import * as net from 'node:net';
import * as os from 'node:os';
import * as path from 'node:path';

/** The repository's folder: the nearest one above this bundle, or above the working directory, with our package.json. */
export const repository = findRepository();

/** Where the bundles under test lie; MYDOCKER_DIST names another build. */
export const dist = process.env['MYDOCKER_DIST'] ?? path.join(repository, 'dist');

/**
 * Workspaces that are in use, for the signals that end this process. Every test file is bundled with this module and all
 * run in one process, which must not end before the last of them has cleaned up.
 */
const shared = globalThis as { mydockerWorkspaces?: Set<Pick<Workspace, 'dispose' | 'root'>> };
if (shared.mydockerWorkspaces === undefined) {
	process.once('SIGINT', endByInterrupt).once('SIGTERM', endByInterrupt);
}
const inUse = (shared.mydockerWorkspaces ??= new Set());

/** Of an engine's log. */
const MOST_LINES = 30;

/**
 * What a test file makes and must not leave behind: one temporary folder, and actions that undo the rest in reverse
 * order. They run also when this process is told to end by SIGINT or SIGTERM.
 */
export class Workspace {
	readonly root: string;
	private disposal: Promise<void> | undefined;
	private readonly undo: { readonly what: string; readonly action: () => void | Promise<void> }[] = [];

	constructor(name: string) {
		this.root = fs.mkdtempSync(path.join(os.tmpdir(), `mydocker-${name}-`));
		inUse.add(this);
	}

	/** A new folder inside. */
	folder(name: string): string {
		const folder = fs.mkdtempSync(path.join(this.root, `${name}-`));
		return folder;
	}

	/** Promises that `action` runs at the end, whatever happened. */
	defer(what: string, action: () => void | Promise<void>): void {
		this.undo.push({ what, action });
	}

	/** Starts a program that ends with the workspace. Its output goes to `<root>/<name>.log`. */
	start(name: string, program: string, args: readonly string[], env?: NodeJS.ProcessEnv): ChildProcess {
		const log = fs.openSync(path.join(this.root, `${name}.log`), 'a');
		const child = spawn(program, args, { stdio: ['ignore', log, log], env: env ?? process.env });
		fs.closeSync(log);
		this.defer(`end ${name}`, () => endChild(child));
		return child;
	}

	log(name: string): string {
		return fs.readFileSync(path.join(this.root, `${name}.log`), 'utf8');
	}

	/** Undoes everything, once; an action that fails does not keep the others from running. */
	dispose(): Promise<void> {
		this.disposal ??= this.undoAll();
		return this.disposal;
	}

	private async undoAll(): Promise<void> {
		const failures: unknown[] = [];
		for (let next = this.undo.pop(); next !== undefined; next = this.undo.pop()) {
			try {
				await next.action();
			} catch (error) {
				failures.push(new Error(`Cannot ${next.what}`, { cause: error }));
			}
		}
		try {
			fs.rmSync(this.root, { recursive: true, force: true });
		} catch (error) {
			// Seldom the cause: what could not be undone before is.
			failures.push(error);
		}
		inUse.delete(this);
		if (failures.length > 0) {
			throw new AggregateError(failures, failures.map(String).join('; '));
		}
	}
}

/** What the engines of all workspaces did last: their logs' paths and last lines. */
export function lastOfEngines(): string {
	const folders = [...inUse].flatMap(({ root }) => fs.readdirSync(root).map((name) => path.join(root, name)));
	return folders
		.flatMap((folder) => [path.join(folder, 'engine.log'), path.join(folder, 'store', 'engine.log')])
		.filter((log) => fs.existsSync(log))
		.map((log) => [log, ...fs.readFileSync(log, 'utf8').trimEnd().split('\n').slice(-MOST_LINES)].join('\n\t| '))
		.join('\n');
}

function endByInterrupt(signal: NodeJS.Signals): void {
	void Promise.allSettled([...inUse].map((workspace) => workspace.dispose())).then((results) => {
		for (const result of results) {
			if (result.status === 'rejected') {
				process.stderr.write(`${String(result.reason)}\n`);
			}
		}
		process.exit(128 + os.constants.signals[signal]);
	});
}

/** True when the program is on PATH. */
export function hasProgram(name: string): boolean {
	return spawnSync('sh', ['-c', 'command -v -- "$1"', 'sh', name]).status === 0;
}

/** Ends a child of ours: SIGTERM, and SIGKILL when that does not help within ten seconds. */
export async function endChild(child: ChildProcess): Promise<void> {
	if (child.exitCode !== null || child.signalCode !== null) {
		return;
	}
	const exit = new Promise<void>((resolve) =>
		child.once('exit', () => {
			resolve();
		}),
	);
	child.kill('SIGTERM');
	const force = setTimeout(() => child.kill('SIGKILL'), 10_000);
	await exit;
	clearTimeout(force);
}

/** Ends a process that need not be our child, and waits until it is gone. */
export async function endProcess(
	pid: number,
	signal: NodeJS.Signals = 'SIGTERM',
	milliseconds?: number,
): Promise<void> {
	if (!isAlive(pid)) {
		return;
	}
	process.kill(pid, signal);
	await until(`process ${pid} is gone`, () => !isAlive(pid), milliseconds);
}

/** Whether the process runs; a zombie does not, once its last thread has ended, and with it what it has open. */
export function isAlive(pid: number): boolean {
	try {
		const stat = fs.readFileSync(`/proc/${pid}/stat`, 'latin1');
		const isZombie = 'ZX'.includes(stat.slice(stat.lastIndexOf(')') + 2)[0] ?? 'X');
		return !isZombie || fs.readdirSync(`/proc/${pid}/task`).length > 1;
	} catch (error) {
		if (isMissing(error)) {
			return false;
		}
		throw error;
	}
}

/** Waits for something outside this process that announces nothing; throws with `what` when it does not come. */
export async function until<T>(
	what: string,
	condition: () => T | Promise<T>,
	milliseconds = 10_000,
): Promise<Exclude<T, false | undefined | null>> {
	const deadline = Date.now() + milliseconds;
	for (;;) {
		const value = await condition();
		if (value !== false && value !== undefined && value !== null) {
			return value as Exclude<T, false | undefined | null>;
		}
		if (Date.now() > deadline) {
			throw new Error(`Waited ${milliseconds} ms in vain until ${what}`);
		}
		await delay(20);
	}
}

export async function delay(milliseconds: number): Promise<void> {
	await new Promise((resolve) => setTimeout(resolve, milliseconds));
}

/** Gives up on `promise` after a while, with `what` in the message. */
export async function within<T>(what: string, milliseconds: number, promise: Promise<T>): Promise<T> {
	let timer: NodeJS.Timeout | undefined;
	const expiry = new Promise<never>((_resolve, reject) => {
		timer = setTimeout(() => {
			reject(new Error(`${what} took more than ${milliseconds} ms`));
		}, milliseconds);
	});
	try {
		return await Promise.race([promise, expiry]);
	} finally {
		clearTimeout(timer);
	}
}

/** A TCP port of loopback that is free now. */
export async function freePort(): Promise<number> {
	const server = net.createServer();
	await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
	const address = server.address();
	await new Promise((resolve) => server.close(resolve));
	if (address === null || typeof address === 'string') {
		throw new Error('A listening server has no port');
	}
	return address.port;
}

/** Processes whose command line or working folder lies below `folder`. */
export function processesOf(folder: string): { readonly pid: number; readonly command: string }[] {
	return fs
		.readdirSync('/proc')
		.filter((name) => /^\d+$/.test(name))
		.flatMap((name) => {
			const pid = Number(name);
			const command = readOr(`/proc/${name}/cmdline`, '').replaceAll('\0', ' ').trim();
			const cwd = linkOr(`/proc/${name}/cwd`, '');
			const isOurs = command.includes(folder) || cwd.startsWith(folder);
			return isOurs && pid !== process.pid && isAlive(pid) ? [{ pid, command }] : [];
		});
}

/** Mount points of this mount namespace below `folder`. */
export function mountsOf(folder: string): string[] {
	return fs
		.readFileSync('/proc/self/mountinfo', 'utf8')
		.split('\n')
		.filter((line) => line.includes(folder));
}

/** Folders of control groups whose name contains one of the container ids. */
export function controlGroupsOf(ids: ReadonlySet<string>): string[] {
	const found: string[] = [];
	const visit = (folder: string, depth: number): void => {
		for (const entry of entriesOf(folder)) {
			if (!entry.isDirectory()) {
				continue;
			}
			const child = path.join(folder, entry.name);
			if (ids.has(/[0-9a-f]{64}/.exec(entry.name)?.[0] ?? '')) {
				found.push(child);
			} else if (depth < 5) {
				visit(child, depth + 1);
			}
		}
	};
	visit('/sys/fs/cgroup', 0);
	return found;
}

/** None when the folder has gone: other engines' groups come and go meanwhile. */
function entriesOf(folder: string): fs.Dirent[] {
	try {
		return fs.readdirSync(folder, { withFileTypes: true });
	} catch (error) {
		if (isMissing(error)) {
			return [];
		}
		throw error;
	}
}

/** The file's text, or `fallback` when it went away or may not be read. */
export function readOr(file: string, fallback: string): string {
	try {
		return fs.readFileSync(file, 'utf8');
	} catch (error) {
		return orFallback(error, fallback);
	}
}

function linkOr(file: string, fallback: string): string {
	try {
		return fs.readlinkSync(file);
	} catch (error) {
		return orFallback(error, fallback);
	}
}

function orFallback(error: unknown, fallback: string): string {
	const code = error instanceof Error && 'code' in error ? error.code : undefined;
	if (code === 'ENOENT' || code === 'ESRCH' || code === 'EACCES') {
		return fallback;
	}
	throw error;
}

function isMissing(error: unknown): boolean {
	const code = error instanceof Error && 'code' in error ? error.code : undefined;
	return code === 'ENOENT' || code === 'ESRCH';
}

function findRepository(): string {
	for (const start of [__dirname, process.cwd()]) {
		for (let folder = start; folder !== path.dirname(folder); folder = path.dirname(folder)) {
			if (fs.existsSync(path.join(folder, 'package.json')) && fs.existsSync(path.join(folder, 'src', 'api'))) {
				return folder;
			}
		}
	}
	throw new Error('The repository was not found above this test');
}

/** Runs `action` with another PATH: programs are found there. */
export async function withPath<T>(value: string, action: () => Promise<T>): Promise<T> {
	const before = process.env['PATH'];
	process.env['PATH'] = value;
	try {
		return await action();
	} finally {
		process.env['PATH'] = before;
	}
}
