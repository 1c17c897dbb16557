import * as fs from 'node:fs';
import * as path from 'node:path';
import { EngineError } from '../errors';
import { findProgram, run, type RunOptions, type RunResult } from '../exec';
import { jsonIn } from '../json';
import { cgroupPath } from './cgroup';
import { CONSOLE_ARGUMENTS, hasConsoles } from './console';
import { keyOf } from './program-key';
import type { Annotated, ContainerRuntime, RuntimeName } from './runtime';
import { SeccompFilters } from './seccomp-filters';
import { machine } from './spec';

/** Milliseconds for everything but the run of a container. */
const TIMEOUT = 30_000;

/** linux/magic.h */
const CGROUP2_SUPER_MAGIC = 0x63677270;

/** linux/threads.h, PID_MAX_LIMIT: no kernel has more processes. */
const MOST_PIDS = 4_194_304;

const UNIFIED = '/sys/fs/cgroup/unified';

/** Runs the rest of its arguments where the unified hierarchy of control groups is out of sight, and may be written to in vain. */
const COVER = `mount -t tmpfs -o mode=755,size=64k mydocker ${UNIFIED} && exec "$@"`;

/** Put before what covers something: a mount namespace of its own, or nothing where the shim has made one. */
const ANYWHERE: readonly string[] = ['unshare', '--mount', '--propagation', 'slave'];
const IN_SHIM: readonly string[] = [];

/** A program with the command line of runc (opencontainers/runtime-tools, docs/command-line-interface.md). */
export class OciRuntime implements ContainerRuntime {
	private readonly filters: SeccompFilters;

	/** @param run the store's run folder; the runtime's state goes into `<run>/<name>`. */
	constructor(
		readonly name: RuntimeName,
		private readonly run: string,
	) {
		this.filters = new SeccompFilters(path.join(run, 'seccomp'));
	}

	get package(): string {
		return this.name;
	}

	find(): string | undefined {
		return findProgram(this.name);
	}

	async version(program: string): Promise<string> {
		const { stdout } = await run(program, ['--version'], { timeout: TIMEOUT });
		return /^\w+(?: version:?)? (\S+)/.exec(stdout)?.[1] ?? 'unknown';
	}

	async probe(program: string): Promise<void> {
		fs.mkdirSync(this.run, { recursive: true, mode: 0o700 });
		const folder = fs.mkdtempSync(path.join(this.run, 'probe-'));
		try {
			// crun wants it to be there.
			fs.mkdirSync(path.join(folder, 'rootfs', 'dev'), { recursive: true });
			fs.writeFileSync(path.join(folder, 'config.json'), JSON.stringify(probeSpec()));
			const args = ['run', '--bundle', folder, path.basename(folder)];
			const command = this.withProgram(program, path.join(folder, 'state'), args);
			const { code, stderr } = await runCommand(command, { timeout: TIMEOUT });
			if (code !== 0) {
				const reason = lastWords(stderr) || `it ended with ${code}`;
				throw new EngineError('unsupported', `"${program}" is installed but does not work here: ${reason}`);
			}
		} finally {
			fs.rmSync(folder, { recursive: true, force: true });
		}
	}

	/** Only crun takes a filter that is compiled already. */
	annotations(id: string, spec: Annotated): Readonly<Record<string, string>> {
		return this.name === 'crun' ? this.filters.annotations(id, spec, keyOf(this.program)) : {};
	}

	hasStarted(id: string): void {
		if (this.name === 'crun') {
			this.filters.keep(id, path.join(this.state, id, 'seccomp.bpf'));
		}
	}

	command(
		id: string,
		{ bundle, shim, keep, tty }: Parameters<ContainerRuntime['command']>[1],
	): Promise<readonly string[]> {
		// Only runc can keep the cgroups.
		const kept = keep && this.name === 'runc' ? ['--keep'] : [];
		const pid = ['--pid-file', path.join(shim, 'pid')];
		const args = ['run', ...kept, ...this.console(tty), ...pid, '--bundle', bundle, id];
		return Promise.resolve(this.withLog(shim, args, IN_SHIM));
	}

	execCommand(
		id: string,
		{ folder, tty }: Parameters<ContainerRuntime['execCommand']>[1],
	): Promise<readonly string[]> {
		const inside = (name: string): string => path.join(folder, name);
		const files = ['--process', inside('process.json'), '--pid-file', inside('pid')];
		const args = ['exec', ...this.console(tty), ...files, id];
		return Promise.resolve(this.withLog(folder, args));
	}

	async setPaused(id: string, isPaused: boolean): Promise<void> {
		const verb = isPaused ? 'pause' : 'resume';
		const { code, stderr } = await this.ask([verb, id]);
		if (code !== 0) {
			throw new EngineError('runtime', `OCI runtime ${verb} failed: ${stderr.trim()}`);
		}
	}

	async update(id: string, resources: Parameters<ContainerRuntime['update']>[1]): Promise<void> {
		// A file: crun cannot open the pipes that Node makes.
		const file = path.join(this.run, `update-${id}.json`);
		// crun before 1.9 has no word for "unlimited" here.
		const isFreed = this.name === 'crun' && resources.pids?.limit === -1;
		try {
			fs.writeFileSync(file, JSON.stringify(isFreed ? { ...resources, pids: { limit: MOST_PIDS } } : resources));
			const { code, stderr } = await this.ask(['update', '--resources', file, id]);
			if (code !== 0) {
				throw new EngineError('runtime', `Cannot update container ${id}: ${lastWords(stderr)}`);
			}
		} finally {
			fs.rmSync(file, { force: true });
		}
	}

	hasState(id: string): boolean {
		return fs.existsSync(path.join(this.state, id));
	}

	async delete(id: string): Promise<void> {
		const { code, stderr } = await this.ask(['delete', '--force', id]);
		if (code !== 0 && this.hasState(id)) {
			throw new EngineError('runtime', `Cannot clean up container "${id}": ${stderr.trim()}`);
		}
	}

	forget(id: string): void {
		fs.rmSync(path.join(this.state, id), { recursive: true, force: true });
	}

	/** Youki's has not been tried. */
	private console(tty: boolean): readonly string[] {
		return tty && this.name !== 'youki' && hasConsoles() ? CONSOLE_ARGUMENTS : [];
	}

	private get state(): string {
		return path.join(this.run, this.name);
	}

	/** Where the program is; EngineError "unsupported" when it was taken away meanwhile. */
	private get program(): string {
		const program = this.find();
		if (program === undefined) {
			throw new EngineError(
				'unsupported',
				`Cannot run "${this.name}": it is not installed, or not any more; install the package "${this.name}"`,
			);
		}
		return program;
	}

	private ask(args: readonly string[]): Promise<RunResult> {
		return runCommand(this.withProgram(this.program, this.state, args), { timeout: TIMEOUT });
	}

	private withLog(folder: string, args: readonly string[], place = ANYWHERE): readonly string[] {
		// crun takes what stands before a colon for a kind of log.
		const kind = this.name === 'crun' ? 'file:' : '';
		const log = ['--log', `${kind}${path.join(folder, 'oci.log')}`, '--log-format', 'json'];
		return this.withProgram(this.program, this.state, [...log, ...args], place);
	}

	private withProgram(program: string, state: string, args: readonly string[], place = ANYWHERE): readonly string[] {
		const isCrun = this.name === 'crun';
		return [
			...(isCrun && isHybrid() ? [...place, 'sh', '-c', COVER, 'sh'] : []),
			...[program, '--root', state],
			...(isCrun && !machine().hasCgroups ? ['--cgroup-manager=disabled'] : []),
			...args,
		];
	}
}

/**
 * Version 1 control groups with a version 2 tree beside them, as systemd mounts them: crun takes that for neither and
 * refuses to work ("cgroups in hybrid mode not supported") as long as it sees the second.
 */
function isHybrid(): boolean {
	return fs.existsSync(UNIFIED) && fs.statfsSync(UNIFIED).type === CGROUP2_SUPER_MAGIC;
}

function runCommand([program = '', ...args]: readonly string[], options: RunOptions): Promise<RunResult> {
	return run(program, args, options);
}

/** Runs `true` of the host. */
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
			...(machine().hasCgroups ? { cgroupsPath: cgroupPath('probe') } : {}),
			namespaces: ['pid', 'ipc', 'uts', 'mount', 'network'].map((type) => ({ type })),
		},
	};
}

/** The reason in what runc prints: lines of `time="…" level=error msg="…"`, or plain text. */
function lastWords(stderr: string): string {
	const line = stderr.trim().split('\n').at(-1) ?? '';
	const message = /\bmsg=("(?:[^"\\]|\\.)*")/.exec(line)?.[1];
	const text = message === undefined ? line : jsonIn(message);
	return typeof text === 'string' ? text : line;
}
