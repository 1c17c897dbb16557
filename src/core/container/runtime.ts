import * as fs from 'node:fs';
import * as path from 'node:path';
import { EngineError, messageOf } from '../errors';
import { findProgram, run } from '../exec';
import { writeAtomically } from '../store';
import { currentBootId } from './process';
import { machine } from './spec';
import { readText } from './shim';

export interface RuntimeInfo {
	readonly name: 'runc' | 'crun' | 'youki';
	/** Absolute path of the program. */
	readonly path: string;
	readonly version: string;
}

/** Why a container could not be started, as `docker run` tells it. */
export interface StartFailure {
	readonly message: string;
	/** 127: no such program; 126: it cannot be executed; 125: anything else. */
	readonly exitCode: number;
}

/**
 * The OCI runtime (runtime-spec, command line of runc). Found and probed at first use, so that an engine without one
 * still pulls images and shows what it has.
 */
export class Runtime {
	private probed: Promise<RuntimeInfo> | undefined;

	/** @param run the store's run folder; the runtime's state goes into `<run>/runc`. */
	constructor(private readonly run: string) {}

	/** The runtime in use; EngineError "unsupported" that names the package to install when there is none. */
	async info(): Promise<RuntimeInfo> {
		this.probed ??= probeRuntime(this.run).catch((error: unknown) => {
			// A person may install one meanwhile: the next call looks again.
			this.probed = undefined;
			throw error;
		});
		return this.probed;
	}

	/**
	 * Program and arguments that run a bundle in the foreground and report into the shim folder. With `keep` the cgroups
	 * stay after the exit, for a look at why, until `delete`.
	 */
	async command(
		id: string,
		options: { readonly bundle: string; readonly shim: string; readonly keep: boolean },
	): Promise<string[]> {
		const { bundle, shim, keep } = options;
		const { path: program } = await this.info();
		return [
			program,
			...['--root', this.state, '--log', path.join(shim, 'oci.log'), '--log-format', 'json'],
			...['run', ...(keep ? ['--keep'] : []), '--pid-file', path.join(shim, 'pid'), '--bundle', bundle, id],
		];
	}

	/** Program and arguments that run `process.json` of the folder in a running container, in the foreground. */
	async execCommand(id: string, folder: string): Promise<string[]> {
		const { path: program } = await this.info();
		const inside = (name: string): string => path.join(folder, name);
		return [
			program,
			...['--root', this.state, '--log', inside('oci.log'), '--log-format', 'json'],
			...['exec', '--process', inside('process.json'), '--pid-file', inside('pid'), id],
		];
	}

	/** Freezes all processes of a container, or lets them go on. */
	async setPaused(id: string, isPaused: boolean): Promise<void> {
		const { path: program } = await this.info();
		const verb = isPaused ? 'pause' : 'resume';
		const result = await run(program, ['--root', this.state, verb, id], { timeout: 30_000 });
		if (result.code !== 0) {
			throw new EngineError('runtime', `OCI runtime ${verb} failed: ${result.stderr.trim()}`);
		}
	}

	/** True when the runtime still keeps state of the container, as it does when it was killed itself. */
	hasState(id: string): boolean {
		return fs.existsSync(path.join(this.state, id));
	}

	/** Kills what is left of the container and removes its cgroups and the runtime's state. Gone already is no error. */
	async delete(id: string): Promise<void> {
		const { path: program } = await this.info();
		const result = await run(program, ['--root', this.state, 'delete', '--force', id], { timeout: 30_000 });
		if (result.code !== 0 && this.hasState(id)) {
			throw new EngineError('runtime', `Cannot clean up container "${id}": ${result.stderr.trim()}`);
		}
	}

	/** Changes the limits of a container that runs; `resources` as in the runtime-spec. Throws "runtime" with its reason. */
	async update(id: string, resources: object): Promise<void> {
		const { path: program } = await this.info();
		const args = ['--root', this.state, 'update', '--resources', '-', id];
		const { code, stderr } = await run(program, args, { input: JSON.stringify(resources), timeout: 30_000 });
		if (code !== 0) {
			throw new EngineError('runtime', `Cannot update container ${id}: ${lastWords(stderr)}`);
		}
	}

	/** Drops the runtime's state of a container that ran before the machine was restarted. */
	forget(id: string): void {
		fs.rmSync(path.join(this.state, id), { recursive: true, force: true });
	}

	private get state(): string {
		return path.join(this.run, 'runc');
	}
}

/**
 * Finds an OCI runtime that really runs a container here: one that is found and answers `--version` may still refuse
 * this machine's cgroups. The answer is kept in `<run>/runtime.json` until the program or the boot changes.
 */
export async function probeRuntime(runFolder: string): Promise<RuntimeInfo> {
	const program = findProgram('runc');
	if (program === undefined) {
		throw new EngineError(
			'unsupported',
			'Cannot run containers: no OCI runtime is installed; install the package "runc"',
		);
	}
	const stat = fs.statSync(program);
	const key = [program, stat.size, stat.mtimeMs, currentBootId()].join(' ');
	const cache = path.join(runFolder, 'runtime.json');
	const cached = parseCache(readText(cache), key);
	if (cached !== undefined) {
		return { name: 'runc', path: program, version: cached };
	}
	const { stdout } = await run(program, ['--version'], { timeout: 10_000 });
	const version = /^runc version (\S+)/.exec(stdout)?.[1] ?? 'unknown';
	await tryRuntime(program, runFolder);
	writeAtomically(cache, JSON.stringify({ key, version }));
	return { name: 'runc', path: program, version };
}

/** Runs `true` of the host in a throw-away container. */
async function tryRuntime(program: string, runFolder: string): Promise<void> {
	fs.mkdirSync(runFolder, { recursive: true, mode: 0o700 });
	const folder = fs.mkdtempSync(path.join(runFolder, 'probe-'));
	try {
		fs.mkdirSync(path.join(folder, 'rootfs'));
		fs.writeFileSync(path.join(folder, 'config.json'), JSON.stringify(probeSpec()));
		const id = path.basename(folder);
		const args = ['--root', path.join(folder, 'state'), 'run', '--bundle', folder, id];
		const result = await run(program, args, { timeout: 30_000 });
		if (result.code !== 0) {
			throw new EngineError(
				'unsupported',
				`Cannot run containers: "${program}" is installed but does not work here: ${result.stderr.trim()}`,
			);
		}
	} finally {
		fs.rmSync(folder, { recursive: true, force: true });
	}
}

function probeSpec(): object {
	const host = ['/bin', '/lib', '/lib64', '/usr'].filter((folder) => fs.existsSync(folder));
	return {
		ociVersion: '1.0.2',
		process: { user: { uid: 0, gid: 0 }, args: ['true'], env: ['PATH=/bin:/usr/bin'], cwd: '/' },
		root: { path: 'rootfs' },
		mounts: [
			{ destination: '/proc', type: 'proc', source: 'proc' },
			...host.map((folder) => {
				return { destination: folder, type: 'bind', source: folder, options: ['rbind', 'rprivate', 'ro'] };
			}),
		],
		linux: {
			...(machine().hasCgroups ? { cgroupsPath: '/mydocker/probe' } : {}),
			namespaces: ['pid', 'ipc', 'uts', 'mount', 'network'].map((type) => ({ type })),
		},
	};
}

/** The reason in what runc prints: lines of `time="…" level=error msg="…"`, or plain text. */
function lastWords(stderr: string): string {
	const line = stderr.trim().split('\n').at(-1) ?? '';
	const message = /\bmsg=("(?:[^"\\]|\\.)*")/.exec(line)?.[1];
	const text = message === undefined ? line : parseJson(message);
	return typeof text === 'string' ? text : line;
}

function parseCache(text: string | undefined, key: string): string | undefined {
	const value: unknown = text === undefined ? undefined : parseJson(text);
	if (typeof value !== 'object' || value === null || !('key' in value) || !('version' in value)) {
		return undefined;
	}
	return value.key === key && typeof value.version === 'string' ? value.version : undefined;
}

/** What the programs that start a container said; "" is nothing. */
export interface StartErrors {
	readonly ociLog: string;
	/** Of mount(8) and ip(8). */
	readonly mountError: string;
	readonly networkError: string;
}

/**
 * Reads why a start failed out of the runtime's JSON log and of mount(8)'s words. This is the one place that must read
 * another program's text: runc gives exit status 1 for everything.
 */
export function startFailure({ ociLog, mountError, networkError }: StartErrors): StartFailure {
	if (networkError.trim() !== '') {
		return { message: `Cannot set up the network: ${networkError.trim()}`, exitCode: 125 };
	}
	if (mountError.trim() !== '') {
		return { message: `error creating overlay mount: ${mountError.trim()}`, exitCode: 125 };
	}
	const reason = lastError(ociLog) ?? 'the OCI runtime gave no reason';
	return {
		message: `failed to create task for container: failed to create shim task: OCI runtime create failed: ${reason}: unknown`,
		exitCode: startExitCode(reason),
	};
}

/** Why a process in a running container could not be started; docker's words and exit codes. */
export function execFailure(ociLog: string): StartFailure {
	const reason = lastError(ociLog) ?? 'the OCI runtime gave no reason';
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

function lastError(log: string): string | undefined {
	for (const line of log.trimEnd().split('\n').reverse()) {
		const entry = parseJson(line);
		if (typeof entry === 'object' && entry !== null && 'level' in entry && 'msg' in entry) {
			if (entry.level === 'error' && typeof entry.msg === 'string') {
				return entry.msg;
			}
		}
	}
	return undefined;
}

function parseJson(text: string): unknown {
	try {
		return JSON.parse(text);
	} catch (error) {
		if (error instanceof SyntaxError) {
			return undefined;
		}
		throw new Error(messageOf(error));
	}
}
