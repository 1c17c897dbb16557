import * as fs from 'node:fs';
import * as path from 'node:path';
import * as v from 'valibot';
import { EngineError } from '../errors';
import { jsonIn } from '../json';
import { writeAtomically } from '../store';
import { hasConsoles } from './console';
import { MinimalRuntime } from './minimal-runtime';
import { OciRuntime } from './oci-runtime';
import { keyOf } from './program-key';
import {
	RUNTIME_NAMES,
	type CgroupResources,
	type ContainerRuntime,
	type RuntimeInfo,
	type RuntimeName,
} from './runtime';
import { readText } from './shim';
import type { Spec } from './spec';

/** What trying a runtime on this machine came to. */
export interface Trial {
	readonly name: RuntimeName;
	/** Undefined when it is not installed. */
	readonly path: string | undefined;
	readonly version: string;
	/** Why it cannot run containers here; "" when it has run one. */
	readonly problem: string;
}

const answer = v.object({ key: v.string(), version: v.string(), problem: v.string() });
const answers = v.record(v.string(), answer);
type Answer = v.InferOutput<typeof answer>;

/** Whether an answer of earlier will do. */
type How = 'anew' | 'as before';

/**
 * The runtimes of a machine behind one interface: which of them runs the next container, and which runs one already.
 * Found is not enough, each is tried at first use with a throw-away container, so that an engine without any still pulls
 * images and shows what it has. The answers are kept in `<run>/runtimes.json` until the program, the kernel or the boot changes.
 */
export class Runtimes {
	private chosen: Promise<RuntimeInfo> | undefined;
	private readonly all: readonly ContainerRuntime[];
	private hasTriedAgain = false;

	/** @param run the store's run folder. @param wanted the only one to use; by default the first that works. */
	constructor(
		private readonly run: string,
		private readonly wanted?: RuntimeName,
	) {
		this.all = RUNTIME_NAMES.map((name) =>
			name === 'minimal' ? new MinimalRuntime(run) : new OciRuntime(name, run),
		);
	}

	/** The one that runs what asks for none; EngineError "unsupported" that says why there is none. */
	async info(): Promise<RuntimeInfo> {
		this.chosen ??= this.choose().catch((error: unknown) => {
			// A person may install one meanwhile: the next call looks again.
			this.chosen = undefined;
			throw error;
		});
		return this.chosen;
	}

	/** Those that are installed, without trying them. */
	installed(): readonly { readonly name: RuntimeName; readonly path: string }[] {
		return this.all.flatMap((runtime) => {
			const program = runtime.find();
			return program === undefined ? [] : [{ name: runtime.name, path: program }];
		});
	}

	/** Tries them all anew. */
	async trials(): Promise<readonly Trial[]> {
		const trials: Trial[] = [];
		for (const runtime of this.all) {
			trials.push(await this.tryOut(runtime, 'anew'));
		}
		return trials;
	}

	/** Refuses a container that asks for one which is not there, as docker does. */
	checkInstalled(name: RuntimeName | undefined): void {
		if (name !== undefined && this.named(name).find() === undefined) {
			throw new EngineError('invalid', `Unknown runtime specified ${name}: ${missing(this.named(name))}`);
		}
	}

	/**
	 * Which one runs a container that asks for `name` or for none; EngineError "unsupported" when it cannot. With `keep`
	 * runc does where it works, since no other leaves the control groups for a look at why the container ended.
	 */
	async nameFor(name: RuntimeName | undefined, { keep = false } = {}): Promise<RuntimeName> {
		if (name !== undefined) {
			return (await this.use(name)).name;
		}
		const usual = await this.info();
		const keeper = keep && this.wanted === undefined ? await this.keeper() : undefined;
		return (keeper ?? usual).name;
	}

	/** See ContainerRuntime. */
	annotations(name: RuntimeName, id: string, spec: Spec): Readonly<Record<string, string>> {
		return this.named(name).annotations?.(id, spec) ?? {};
	}

	/** See ContainerRuntime. */
	hasStarted(id: string): void {
		this.all.find((runtime) => runtime.hasState(id))?.hasStarted?.(id);
	}

	/** See ContainerRuntime; by a runtime that `nameFor` gave. */
	async command(
		id: string,
		options: Parameters<ContainerRuntime['command']>[1] & { readonly runtime: RuntimeName },
	): Promise<readonly string[]> {
		return this.named(options.runtime).command(id, options);
	}

	async execCommand(id: string, options: Parameters<ContainerRuntime['execCommand']>[1]): Promise<readonly string[]> {
		return (await this.of(id)).execCommand(id, options);
	}

	async setPaused(id: string, isPaused: boolean): Promise<void> {
		await (await this.of(id)).setPaused(id, isPaused);
	}

	async update(id: string, resources: CgroupResources): Promise<void> {
		await (await this.of(id)).update(id, resources);
	}

	hasState(id: string): boolean {
		return this.all.some((runtime) => runtime.hasState(id));
	}

	async delete(id: string): Promise<void> {
		for (const runtime of this.all.filter((one) => one.hasState(id))) {
			await runtime.delete(id);
		}
	}

	forget(id: string): void {
		for (const runtime of this.all) {
			runtime.forget(id);
		}
	}

	/** A failure of earlier may have had a reason that is gone, such as a busy machine: each engine tries runc once more. */
	private async keeper(): Promise<RuntimeInfo | undefined> {
		const runc = this.named('runc');
		const before = works(await this.tryOut(runc, 'as before'));
		if (before !== undefined || this.hasTriedAgain) {
			return before;
		}
		this.hasTriedAgain = true;
		return works(await this.tryOut(runc, 'anew'));
	}

	/** Without a receiver of terminals crun loses the end of their output. */
	private inOrder(): readonly ContainerRuntime[] {
		const last = hasConsoles() ? [] : this.all.filter(({ name }) => name === 'crun');
		const minimal = this.all.filter(({ name }) => name === 'minimal');
		const others = this.all.filter((runtime) => !last.includes(runtime) && !minimal.includes(runtime));
		return [...others, ...last, ...minimal];
	}

	/** The one that runs a container: the default may have changed since it was started. */
	private async of(id: string): Promise<ContainerRuntime> {
		return this.all.find((runtime) => runtime.hasState(id)) ?? this.named((await this.info()).name);
	}

	private named(name: RuntimeName): ContainerRuntime {
		const runtime = this.all.find((one) => one.name === name);
		if (runtime === undefined) {
			throw new EngineError('internal', `Cannot find runtime "${name}"`);
		}
		return runtime;
	}

	private async choose(): Promise<RuntimeInfo> {
		if (this.wanted !== undefined) {
			return this.use(this.wanted);
		}
		const found = (await this.firstThatWorks('as before')) ?? (await this.firstThatWorks('anew'));
		if (found !== undefined) {
			return found;
		}
		const problems = this.all
			.filter((runtime) => runtime.find() !== undefined)
			.map(({ name }) => this.readAnswers()[name]?.problem ?? '');
		const reason = problems.join('; ') || 'no OCI runtime is installed; install the package "runc"';
		throw new EngineError('unsupported', `Cannot run containers: ${reason}`);
	}

	private async firstThatWorks(how: How): Promise<RuntimeInfo | undefined> {
		for (const runtime of this.inOrder()) {
			const info = works(await this.tryOut(runtime, how));
			if (info !== undefined) {
				return info;
			}
		}
		return undefined;
	}

	private async use(name: RuntimeName): Promise<RuntimeInfo> {
		const runtime = this.named(name);
		const before = works(await this.tryOut(runtime, 'as before'));
		if (before !== undefined) {
			return before;
		}
		// What was bad may have been mended meanwhile.
		const trial = await this.tryOut(runtime, 'anew');
		const info = works(trial);
		if (info === undefined) {
			throw new EngineError('unsupported', `Cannot run containers with "${name}": ${trial.problem}`);
		}
		return info;
	}

	/** "as before" takes an answer of earlier. */
	private async tryOut(runtime: ContainerRuntime, how: How): Promise<Trial> {
		const { name } = runtime;
		const program = runtime.find();
		if (program === undefined) {
			return { name, path: undefined, version: '', problem: missing(runtime) };
		}
		const key = keyOf(program);
		const known = this.readAnswers()[name];
		if (how === 'as before' && known?.key === key) {
			return { name, path: program, version: known.version, problem: known.problem };
		}
		const found = { key, version: await runtime.version(program), problem: await problemOf(runtime, program) };
		this.writeAnswer(name, found);
		return { name, path: program, version: found.version, problem: found.problem };
	}

	private readAnswers(): Readonly<Record<string, Answer>> {
		const parsed = v.safeParse(answers, jsonIn(readText(this.file) ?? ''));
		return parsed.success ? parsed.output : {};
	}

	private writeAnswer(name: RuntimeName, found: Answer): void {
		fs.mkdirSync(this.run, { recursive: true, mode: 0o700 });
		writeAtomically(this.file, JSON.stringify({ ...this.readAnswers(), [name]: found }));
	}

	private get file(): string {
		return path.join(this.run, 'runtimes.json');
	}
}

function works({ name, path: program, version, problem }: Trial): RuntimeInfo | undefined {
	return program === undefined || problem !== '' ? undefined : { name, path: program, version };
}

function missing(runtime: ContainerRuntime): string {
	return `it is not installed; install the package "${runtime.package}"`;
}

async function problemOf(runtime: ContainerRuntime, program: string): Promise<string> {
	try {
		await runtime.probe(program);
		return '';
	} catch (error) {
		if (error instanceof EngineError) {
			return error.message;
		}
		throw error;
	}
}
