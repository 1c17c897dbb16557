import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { EngineError } from '../errors';
import { findProgram, run } from '../exec';
import { jsonIn } from '../json';
import { writeAtomically } from '../store';
import { cgroupPath } from './cgroup';
import { CgroupTree } from './cgroup-tree';
import { nsenterArguments, stageOf, writeExecPlan, writePlan } from './minimal-plan';
import { MINIMAL_SCRIPT } from './minimal-script';
import { installTools, missingTools } from './minimal-tools';
import type { CgroupResources, ContainerRuntime } from './runtime';
import { readText, writeIfOther } from './shim';
import { machine, type ProcessSpec, type Spec } from './spec';

/** What a container without seccomp, or with less, is told when it is made. */
export const MINIMAL_WARNING =
	'The container runs with the minimal runtime, which has no seccomp filter; install the package "runc" to have one.';

/** The same of the engine. */
export const MINIMAL_PROBLEM =
	'Containers run with the minimal runtime, without a seccomp filter. Install the package "runc" to have one.';

/** Milliseconds that killed processes have to go. */
const GONE_WITHIN = 5_000;
/** The same for processes that are to stand still. */
const FROZEN_WITHIN = 2_000;

/** What is kept of a container while it runs: `<run>/minimal/<id>/state.json`. */
interface State {
	readonly bundle: string;
	readonly shim: string;
	readonly group: string | undefined;
	readonly cgroups: readonly string[];
}

/** Our own runtime on util-linux, for machines without any other: see minimal-script.ts. There is no seccomp filter. */
export class MinimalRuntime implements ContainerRuntime {
	readonly name = 'minimal';
	readonly package = 'util-linux';
	private readonly tree = new CgroupTree();
	private tools: string | undefined;

	/** @param run the store's run folder. */
	constructor(private readonly run: string) {}

	/** It is where unshare(1) is, when nothing else is missing. */
	find(): string | undefined {
		return missingTools().length === 0 ? findProgram('unshare') : undefined;
	}

	async version(program: string): Promise<string> {
		const { stdout } = await run(program, ['--version'], { timeout: 10_000 });
		return /(\d[\w.]*)/.exec(stdout)?.[1] ?? 'unknown';
	}

	async probe(): Promise<void> {
		fs.mkdirSync(this.run, { recursive: true, mode: 0o700 });
		const folder = fs.mkdtempSync(path.join(this.run, 'probe-'));
		const id = path.basename(folder);
		try {
			const bundle = path.join(folder, 'bundle');
			fs.mkdirSync(bundle);
			fs.mkdirSync(path.join(folder, 'rootfs'));
			fs.writeFileSync(path.join(bundle, 'config.json'), JSON.stringify(probeSpec(path.join(folder, 'rootfs'))));
			const [program = '', ...args] = await this.command(id, { bundle, shim: folder });
			const { code } = await run('unshare', ['--mount', '--propagation', 'slave', program, ...args], {
				timeout: 30_000,
			});
			if (code !== 0) {
				const said = readText(path.join(folder, 'oci.log'))?.trim().split('\n').at(-1) ?? '';
				const reason = said.replace(/^minimal (?:setup )?/, '') || `it ended with ${code}`;
				throw new EngineError('unsupported', `our own runtime on util-linux does not work here: ${reason}`);
			}
		} finally {
			await this.delete(id);
			fs.rmSync(folder, { recursive: true, force: true });
		}
	}

	async command(
		id: string,
		{ bundle, shim }: { readonly bundle: string; readonly shim: string },
	): Promise<readonly string[]> {
		this.tools ??= await installTools(path.join(this.run, 'minimal-tools'));
		writeIfOther(this.script, MINIMAL_SCRIPT);
		const spec = readSpec(bundle);
		const group = spec.linux.cgroupsPath;
		const state = path.join(this.run, 'minimal', id);
		fs.mkdirSync(state, { recursive: true, mode: 0o700 });
		const save = (cgroups: readonly string[]): void => {
			writeAtomically(path.join(state, 'state.json'), JSON.stringify({ bundle, shim, group, cgroups }));
		};
		// Before the groups are there: whoever finds the state knows that there may be some.
		save([]);
		const cgroups = group === undefined ? [] : this.tree.make(group, spec.linux.resources);
		save(cgroups);
		writePlan(path.join(bundle, 'minimal'), withoutDevices(spec), cgroups);
		return ['sh', this.script, 'run', path.join(bundle, 'minimal'), shim, this.tools];
	}

	async execCommand(id: string, { folder }: { readonly folder: string }): Promise<readonly string[]> {
		this.tools ??= await installTools(path.join(this.run, 'minimal-tools'));
		const { bundle, shim, cgroups } = this.stateOf(id);
		const pid = readText(path.join(shim, 'pid'))?.trim() ?? '';
		const spec = readSpec(bundle);
		const program = jsonIn(readText(path.join(folder, 'process.json')) ?? '') as ProcessSpec;
		const plan = path.join(folder, 'minimal');
		writeExecPlan(plan, program, { stage: stageOf(spec), cgroups });
		return ['sh', this.script, 'exec', plan, folder, this.tools, pid, ...nsenterArguments(spec)];
	}

	async setPaused(id: string, isPaused: boolean): Promise<void> {
		const { group } = this.stateOf(id);
		if (group === undefined || !this.tree.setFrozen(group, isPaused)) {
			throw new EngineError(
				'runtime',
				`Cannot ${isPaused ? 'pause' : 'unpause'} container ${id}: this machine has no control group to freeze`,
			);
		}
		for (let waited = 0; isPaused && !this.tree.isFrozen(group); waited += 5) {
			if (waited > FROZEN_WITHIN) {
				this.tree.setFrozen(group, false);
				throw new EngineError('runtime', `Cannot pause container ${id}: its processes could not be frozen`);
			}
			await delay(5);
		}
	}

	async update(id: string, resources: CgroupResources): Promise<void> {
		const { group } = this.stateOf(id);
		if (group !== undefined) {
			this.tree.apply(group, resources);
		}
		return Promise.resolve();
	}

	hasState(id: string): boolean {
		return fs.existsSync(this.folderOf(id));
	}

	async delete(id: string): Promise<void> {
		const { group } = this.hasState(id) ? this.stateOf(id) : { group: undefined };
		if (group !== undefined) {
			await this.removeGroups(id, group);
		}
		this.forget(id);
	}

	forget(id: string): void {
		fs.rmSync(this.folderOf(id), { recursive: true, force: true });
	}

	private async removeGroups(id: string, group: string): Promise<void> {
		this.tree.setFrozen(group, false);
		for (let waited = 0; !this.tree.remove(group); waited += 10) {
			if (waited > GONE_WITHIN) {
				throw new EngineError('runtime', `Cannot clean up container "${id}": its processes do not end`);
			}
			this.tree.killAll(group, os.constants.signals.SIGKILL);
			await delay(10);
		}
	}

	private get script(): string {
		return path.join(this.run, 'minimal.sh');
	}

	private folderOf(id: string): string {
		return path.join(this.run, 'minimal', id);
	}

	private stateOf(id: string): State {
		const state = jsonIn(readText(path.join(this.folderOf(id), 'state.json')) ?? '');
		if (typeof state !== 'object' || state === null || !('bundle' in state)) {
			return { bundle: '', shim: '', group: undefined, cgroups: [] };
		}
		return state as State;
	}
}

/**
 * Where no group keeps devices away (version 2 wants a program for the kernel, an ordinary user has none), nobody may
 * make one.
 */
function withoutDevices(spec: Spec): Spec {
	const isKept = fs.existsSync('/sys/fs/cgroup/devices') && machine().hasCgroups;
	const { capabilities } = spec.process;
	const kept = Object.fromEntries(
		Object.entries(capabilities).map(([set, names]) => [set, names.filter((name) => name !== 'CAP_MKNOD')]),
	);
	return isKept ? spec : { ...spec, process: { ...spec.process, capabilities: kept } };
}

/** Our own, of this start: bundle.ts has written it. */
function readSpec(bundle: string): Spec & { readonly linux: { readonly resources: CgroupResources } } {
	return jsonIn(readText(path.join(bundle, 'config.json')) ?? '') as Spec & {
		readonly linux: { readonly resources: CgroupResources };
	};
}

/** Runs `true` of the host. */
function probeSpec(root: string): Spec {
	const host = ['/bin', '/lib', '/lib64', '/usr'].filter((folder) => fs.existsSync(folder));
	return {
		ociVersion: '1.0.2',
		process: {
			...{ terminal: false, user: { uid: 0, gid: 0, additionalGids: [] } },
			...{ args: ['true'], env: ['PATH=/bin:/usr/bin'], cwd: '/', noNewPrivileges: false },
			capabilities: { bounding: ['CAP_KILL'] },
		},
		root: { path: root, readonly: false },
		hostname: 'probe',
		mounts: [
			{ destination: '/proc', type: 'proc', source: 'proc', options: [] },
			{ destination: '/dev', type: 'tmpfs', source: 'tmpfs', options: ['mode=755'] },
			...host.map((folder) => {
				return { destination: folder, type: 'bind', source: folder, options: ['rbind', 'rprivate', 'ro'] };
			}),
		],
		annotations: {},
		linux: {
			...(machine().hasCgroups ? { cgroupsPath: cgroupPath('probe-minimal') } : {}),
			namespaces: ['pid', 'ipc', 'uts', 'mount', 'network'].map((type) => ({ type })),
			...{ resources: {}, rootfsPropagation: 'rprivate', maskedPaths: [], readonlyPaths: [], sysctl: {} },
		},
	};
}
