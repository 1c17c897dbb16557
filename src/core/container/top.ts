import * as fs from 'node:fs';
import * as path from 'node:path';
import { EngineError, systemCode } from '../errors';
import { findProgram, run } from '../exec';
import type { Container } from '../types';
import { cgroupPath } from './cgroup';

/** GET /containers/{id}/top: what ps(1) shows of a container's processes. */
export interface ProcessList {
	readonly Titles: readonly string[];
	readonly Processes: readonly (readonly string[])[];
}

const DEFAULT_ARGUMENTS = '-ef';

/**
 * The processes of a running container as the host's ps shows them; nothing of the container is run. `psArguments` are
 * ps's own, separated by spaces. Throws EngineError "conflict" when it does not run, "invalid" for what ps refuses and
 * for output without the pids, "unsupported" without ps.
 */
export async function listProcesses(container: Container, psArguments = DEFAULT_ARGUMENTS): Promise<ProcessList> {
	const { id, status } = container;
	if (status === 'restarting') {
		throw new EngineError('conflict', `Container ${id} is restarting, wait until the container is running`);
	}
	if (container.process === null) {
		throw new EngineError('conflict', `Container ${id} is not running`);
	}
	const args = splitArguments(psArguments);
	const pids = containerPids(cgroupPath(id, container.config.isolation?.cgroup_parent), container.process.pid);
	return parseProcesses(await ps(args, pids), pids);
}

/** Docker's check: a column that is called PID without being the pid would let other processes through. */
function splitArguments(text: string): string[] {
	for (const [, name = '', title = ''] of ` ${text}`.matchAll(/\s+([^\s]*)=\s*(PID[^\s]*)/g)) {
		if (name !== 'pid') {
			throw new EngineError('invalid', `specifying "${name}=${title}" is not allowed`);
		}
	}
	return text.split(/\s+/).filter((word) => word !== '');
}

/** Some of ps's options, such as "f" and "aux", do not go together with a choice of processes: then it shows all. */
async function ps(args: readonly string[], pids: readonly number[]): Promise<string> {
	if (findProgram('ps') === undefined) {
		throw new EngineError(
			'unsupported',
			'Cannot list processes: "ps" is not installed; install the package "procps"',
		);
	}
	const chosen = await run('ps', [...args, `-q${pids.join(',')}`], { timeout: 10_000 });
	if (chosen.code === 0) {
		return chosen.stdout;
	}
	const all = await run('ps', args, { timeout: 10_000 });
	if (all.code !== 0) {
		throw new EngineError('invalid', `Error running ps: ${all.stderr.trim() || `exit status ${all.code}`}`);
	}
	return all.stdout;
}

/** Keeps the rows of these processes; the last column takes the rest of its line. */
export function parseProcesses(text: string, pids: readonly number[]): ProcessList {
	const [head = '', ...lines] = text.split('\n');
	const titles = words(head);
	const pidColumn = titles.indexOf('PID');
	if (pidColumn < 0) {
		throw new EngineError('invalid', "Couldn't find PID field in ps output");
	}
	const rows = lines.map(words).filter((fields) => pids.includes(Number(fields[pidColumn])));
	const last = titles.length - 1;
	return { Titles: titles, Processes: rows.map((row) => [...row.slice(0, last), row.slice(last).join(' ')]) };
}

/** Split at blanks of ASCII only: a program's name may hold others. */
function words(line: string): string[] {
	return line.split(/[ \t\v\f\r]+/).filter((word) => word !== '');
}

/** Numbers on the host of all processes in the container's cgroup; without one, of those in its pid namespace. */
function containerPids(group: string, first: number): number[] {
	const folders = ['/sys/fs/cgroup/pids', '/sys/fs/cgroup/memory', '/sys/fs/cgroup'];
	const folder = folders.map((base) => path.join(base, group)).find((file) => fs.existsSync(file));
	return folder === undefined ? namespacePids(first) : cgroupPids(folder);
}

/** Containers may make groups of their own below. */
function cgroupPids(folder: string): number[] {
	const own = ignoreGone(() => fs.readFileSync(path.join(folder, 'cgroup.procs'), 'utf8').match(/\d+/g)) ?? [];
	const entries = ignoreGone(() => fs.readdirSync(folder, { withFileTypes: true })) ?? [];
	const below = entries
		.filter((entry) => entry.isDirectory())
		.flatMap(({ name }) => cgroupPids(path.join(folder, name)));
	return [...own.map(Number), ...below];
}

function namespacePids(first: number): number[] {
	const namespaceOf = (pid: string | number): string | undefined =>
		ignoreGone(() => fs.readlinkSync(`/proc/${pid}/ns/pid`));
	const wanted = namespaceOf(first);
	const all = fs.readdirSync('/proc').filter((name) => /^\d+$/.test(name));
	return all.filter((name) => wanted !== undefined && namespaceOf(name) === wanted).map(Number);
}

/** Undefined for a process or group that has ended meanwhile, or is not ours to look at. */
function ignoreGone<T>(read: () => T): T | undefined {
	try {
		return read();
	} catch (error) {
		if (['ENOENT', 'ESRCH', 'EACCES', 'ENODEV', 'EPERM'].includes(systemCode(error) ?? '')) {
			return undefined;
		}
		throw error;
	}
}
