import { spawn } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { EngineError, messageOf } from '../errors';
import { run, toolEnvironment } from '../exec';
import { identify, isAlive } from '../container/process';
import { readText } from '../container/shim';
import { jsonIn } from '../json';
import { writeAtomically } from '../store';
import type { ProcessIdentity } from '../types';
import { currentUser } from './current-user';
import { ownRanges, mappingLines, type IdRange } from './subordinate-ids';

/**
 * The namespaces of an ordinary user's store: one process that does nothing keeps a user namespace, in which the user is
 * root and the subordinate ids exist, a mount namespace in which that root may mount, and a network namespace for the
 * bridges. The engine runs inside the first two, and so do shims and containers; an engine that comes after a crash
 * finds all of them again through the holder.
 *
 * The holder waits for the end of a FIFO, `<run>/holder`, that the engine and every shim hold open for writing: when the
 * last of them is gone, however it ended, the holder goes, and the namespaces with it. Nothing has to clean up.
 */
export interface Holder {
	readonly process: ProcessIdentity;
	/** Why only one id exists inside; "" when the subordinate ids do. */
	readonly singleReason: string;
}

/** $0: the FIFO. Signals are caught, so that a terminal's Ctrl-C is none for the containers. */
const SCRIPT = `trap : HUP INT TERM
echo ready
exec >/dev/null 2>&1
read -r _ <"$0"`;

/** Opens the FIFO that keeps the holder alive, for as long as the descriptor is open. */
export async function openHold(runFolder: string): Promise<number> {
	const fifo = holdFile(runFolder);
	if (!fs.existsSync(fifo)) {
		const made = await run('mkfifo', ['-m', '600', fifo]);
		if (made.code !== 0) {
			throw new EngineError('internal', `Cannot make "${fifo}": ${made.stderr.trim()}`);
		}
	}
	// Reading too: to open a FIFO for writing waits for a reader, and there may be none yet.
	return fs.openSync(fifo, fs.constants.O_RDWR | fs.constants.O_NOFOLLOW);
}

/** Program and arguments, to be put before a command, that keep the holder alive as long as the command runs. */
export function holding(runFolder: string): string[] {
	return ['/bin/sh', '-c', 'exec "$@" 9>"$0"', holdFile(runFolder)];
}

/** The store's living holder. */
export function findHolder(runFolder: string): Holder | undefined {
	const text = readText(recordFile(runFolder));
	const value: unknown = text === undefined ? undefined : jsonIn(text);
	return isHolder(value) && isAlive(value.process) ? value : undefined;
}

/**
 * Makes a holder; the caller owns the store and holds the FIFO open. Throws EngineError "unsupported" that names the
 * setting of the machine where user namespaces are forbidden.
 */
export async function makeHolder(runFolder: string): Promise<Holder> {
	const namespaces = ['--user', '--net', '--mount', '--propagation', 'slave'];
	const child = spawn('unshare', [...namespaces, '--', '/bin/sh', '-c', SCRIPT, holdFile(runFolder)], {
		detached: true,
		cwd: '/',
		env: toolEnvironment(),
		stdio: ['ignore', 'pipe', 'pipe'],
	});
	child.unref();
	const failure = await new Promise<string | undefined>((resolve) => {
		let said = '';
		child.stderr.on('data', (text: Buffer) => (said += text.toString()));
		child.stdout.once('data', () => {
			resolve(undefined);
		});
		child.once('error', (error) => {
			resolve(messageOf(error));
		});
		child.once('close', () => {
			resolve(said.trim() || 'unshare(1) gave no reason');
		});
	});
	child.stdout.destroy();
	child.stderr.destroy();
	const { pid } = child;
	const process = pid === undefined ? undefined : identify(pid);
	if (failure !== undefined || process === undefined) {
		throw forbidden(failure ?? 'the process ended at once');
	}
	try {
		const holder = { process, singleReason: await mapIds(process.pid) };
		writeAtomically(recordFile(runFolder), JSON.stringify(holder));
		return holder;
	} catch (error) {
		child.kill('SIGKILL');
		throw error;
	}
}

/** Program and arguments that run the rest in the holder's user and mount namespace, as its root. */
export function enter({ process }: Holder): string[] {
	return ['nsenter', '--target', String(process.pid), '--user', '--mount', '--preserve-credentials', '--'];
}

/** Maps all ids that the user has. Gives why it could map one only, or "". */
async function mapIds(pid: number): Promise<string> {
	const user = currentUser();
	const ranges = ownRanges(user, (file) => readText(file) ?? '');
	const reason =
		ranges.problem || (await mapRanges(pid, user.uid, ranges.uids, 'uid')) || (await mapGroups(pid, user, ranges));
	if (reason !== '' && readText(`/proc/${pid}/uid_map`)?.trim() === '') {
		try {
			fs.writeFileSync(`/proc/${pid}/setgroups`, 'deny');
			fs.writeFileSync(`/proc/${pid}/uid_map`, `0 ${user.uid} 1`);
			fs.writeFileSync(`/proc/${pid}/gid_map`, `0 ${user.gid} 1`);
		} catch (error) {
			throw forbidden(messageOf(error));
		}
	}
	return reason;
}

/** The user ids are there already, and a map can be written once: what fails here cannot be a single mapping. */
async function mapGroups(pid: number, user: { gid: number }, ranges: { gids: readonly IdRange[] }): Promise<string> {
	const failure = await mapRanges(pid, user.gid, ranges.gids, 'gid');
	if (failure !== '') {
		throw new EngineError('unsupported', `Cannot map subordinate group ids: ${failure}`);
	}
	return '';
}

async function mapRanges(pid: number, own: number, ranges: readonly IdRange[], kind: 'uid' | 'gid'): Promise<string> {
	const program = `new${kind}map`;
	try {
		const result = await run(program, [String(pid), ...mappingLines(own, ranges)], { timeout: 10_000 });
		return result.code === 0 ? '' : `${program}: ${result.stderr.trim()}`;
	} catch (error) {
		if (error instanceof EngineError && error.code === 'unsupported') {
			return `the program ${program} is not installed: install the package uidmap`;
		}
		throw error;
	}
}

/** Settings that forbid user namespaces, with the value that does. */
const SWITCHES: readonly (readonly [string, string, string])[] = [
	['kernel.unprivileged_userns_clone', '0', '1'],
	['user.max_user_namespaces', '0', '15000'],
	['kernel.apparmor_restrict_unprivileged_userns', '1', '0'],
];

function forbidden(reason: string): EngineError {
	return new EngineError('unsupported', `Cannot run containers as an ordinary user: ${forbiddenReason(reason)}`);
}

/** What forbids user namespaces on this machine, with the command that allows them. */
export function forbiddenReason(
	reason: string,
	read: (file: string) => string | undefined = (file) => readText(file),
): string {
	const value = (name: string): string | undefined => read(path.join('/proc/sys', name.replaceAll('.', '/')))?.trim();
	const off = SWITCHES.find(([name, forbids]) => value(name) === forbids);
	if (off !== undefined) {
		const [name, forbids, allows] = off;
		return `this machine forbids user namespaces (${name} is ${forbids}): allow them with "sudo sysctl -w ${name}=${allows}", or run the engine as root (${reason})`;
	}
	return `this machine forbids user namespaces (${reason}); in a container, start it with the right to make them, or run the engine as root`;
}

/** The FIFO. */
export function holdFile(runFolder: string): string {
	return path.join(runFolder, 'holder');
}

function recordFile(runFolder: string): string {
	return path.join(runFolder, 'holder.json');
}

function isHolder(value: unknown): value is Holder {
	if (typeof value !== 'object' || value === null || !('process' in value) || !('singleReason' in value)) {
		return false;
	}
	const { process, singleReason } = value;
	return (
		typeof singleReason === 'string' &&
		typeof process === 'object' &&
		process !== null &&
		['start_time', 'boot_id'].every((name) => typeof Reflect.get(process, name) === 'string') &&
		Number.isSafeInteger(Reflect.get(process, 'pid'))
	);
}
