import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { EngineError, messageOf } from '../errors';
import type { LookupLayer } from '../storage/driver';
import type { Container } from '../types';
import type { Attachment } from './attachment';
import { Exec } from './exec';
import { execProcess, type ExecOptions } from './exec-process';
import { identify, parentOf, processesNaming, signalProcess } from './process';
import type { Runtimes } from './runtimes';
import { readText } from './shim';
import { checkTerminals, type TerminalSize } from './terminal';

export interface ExecsOptions {
	/** The store's run folder. */
	readonly run: string;
	readonly runtime: Runtimes;
	/** By name or id; "not-found" when there is none. */
	readonly container: (nameOrId: string) => Container;
	/** The container's upper folder and its image's, top first. */
	readonly layers: (container: Container) => Promise<readonly LookupLayer[]>;
	readonly emit: (containerId: string, action: string, attributes: Readonly<Record<string, string>>) => void;
	readonly warn: (message: string) => void;
}

export interface ExecResult {
	readonly exitCode: number;
	/** Standard output and error as they came, of at most `maxOutput` bytes. */
	readonly output: string;
}

/** Milliseconds for which one that has ended can still be asked for its exit code; docker's. */
const KEEP_FOR = 5 * 60_000;
const MAX_OUTPUT = 1024 * 1024;

/**
 * The further processes in running containers ("exec"). They belong to this engine: the next one does not know them. It
 * ends those that had a client and lets those go on that were started detached.
 */
export class Execs {
	private readonly execs = new Map<string, Exec>();
	/** Folders of detached ones of an earlier engine that still ran when last looked at. */
	private readonly left = new Set<string>();

	constructor(private readonly options: ExecsOptions) {}

	/** Makes an exec without starting it. Errors: "not-found", "conflict" when the container does not run, "invalid". */
	create(nameOrId: string, options: ExecOptions): Exec {
		const container = this.running(nameOrId);
		if (options.command.length === 0 || options.command[0] === '') {
			throw new EngineError('invalid', 'No exec command specified');
		}
		this.forgetEnded();
		const exec = new Exec(container.id, options, {
			emit: (action, attributes = {}) => {
				this.options.emit(container.id, action, attributes);
			},
			warn: this.options.warn,
		});
		this.execs.set(exec.id, exec);
		this.options.emit(container.id, `exec_create: ${exec.commandText}`, { execID: exec.id });
		return exec;
	}

	/** By its whole id; "not-found" also when its container is gone. */
	get(id: string): Exec {
		const exec = this.execs.get(id);
		if (exec === undefined) {
			throw new EngineError('not-found', `No such exec instance: ${id}`);
		}
		return exec;
	}

	/** Those of a container that have not ended. */
	of(containerId: string): readonly Exec[] {
		return [...this.execs.values()].filter((exec) => exec.containerId === containerId && exec.state !== 'ended');
	}

	/**
	 * Starts an exec and gives its streams. They end when it has ended; a start that fails is thrown by its output as
	 * EngineError "runtime" with the exit code 126 or 127. Detached it resolves, or throws that, once it runs.
	 */
	async start(
		id: string,
		{ detach, size }: { readonly detach: boolean; readonly size?: TerminalSize | undefined },
	): Promise<Attachment> {
		const exec = this.get(id);
		const container = this.running(exec.containerId);
		exec.claim();
		const folder = path.join(this.options.run, 'exec', id);
		try {
			const layers = await this.options.layers(container);
			const process = execProcess(container, exec.options, { layers, size });
			fs.mkdirSync(folder, { recursive: true, mode: 0o700 });
			fs.writeFileSync(path.join(folder, 'process.json'), JSON.stringify(process));
			const tty = exec.options.tty === true;
			const command = await this.options.runtime.execCommand(container.id, { folder, tty });
			if (tty) {
				await checkTerminals(command);
			}
			this.options.emit(container.id, `exec_start: ${exec.commandText}`, { execID: id });
			const session = exec.start({ command, folder, run: this.options.run, size, detach });
			if (detach) {
				await exec.whenStarted();
			}
			return session;
		} catch (error) {
			exec.giveUp();
			fs.rmSync(folder, { recursive: true, force: true });
			throw error;
		}
	}

	/**
	 * Runs a program in a container to its end. Throws EngineError "runtime" when it cannot be started, and the signal's
	 * reason when it aborts; the process is killed then.
	 */
	async run(
		nameOrId: string,
		options: ExecOptions,
		{ signal, maxOutput = MAX_OUTPUT }: { readonly signal?: AbortSignal; readonly maxOutput?: number } = {},
	): Promise<ExecResult> {
		signal?.throwIfAborted();
		const exec = this.create(nameOrId, { attach_stdout: true, attach_stderr: true, ...options });
		const kill = (): void => {
			exec.end();
		};
		signal?.addEventListener('abort', kill, { once: true });
		try {
			const session = await this.start(exec.id, { detach: false });
			const pieces: Buffer[] = [];
			let room = maxOutput;
			for await (const { data } of session.output) {
				const piece = data.subarray(0, room);
				room -= piece.length;
				pieces.push(piece);
			}
			signal?.throwIfAborted();
			return { exitCode: exec.exitCode ?? 255, output: Buffer.concat(pieces).toString() };
		} finally {
			signal?.removeEventListener('abort', kill);
			this.execs.delete(exec.id);
		}
	}

	/** The container has exited: what runs in it ends by itself, what was not started never will. */
	containerEnded(containerId: string): void {
		for (const exec of this.of(containerId).filter(({ state }) => state === 'created')) {
			this.execs.delete(exec.id);
		}
		this.endAllLeft(containerId);
	}

	/** The container is gone, and with it all that could be asked. */
	containerRemoved(containerId: string): void {
		for (const exec of [...this.execs.values()].filter((one) => one.containerId === containerId)) {
			this.execs.delete(exec.id);
		}
	}

	/** Ends what an engine that was killed has left. */
	load(): void {
		const parent = path.join(this.options.run, 'exec');
		for (const name of fs.existsSync(parent) ? fs.readdirSync(parent) : []) {
			this.left.add(path.join(parent, name));
		}
		this.endAllLeft();
	}

	/** The engine leaves. */
	close(): void {
		for (const exec of this.execs.values()) {
			exec.close();
		}
	}

	/** Looks after what earlier engines have left; what is detached may go on, unless its container has ended. */
	private endAllLeft(endedContainer?: string): void {
		for (const folder of this.left) {
			try {
				if (this.endLeft(folder, endedContainer)) {
					this.left.delete(folder);
				}
			} catch (error) {
				this.options.warn(
					`Cannot end exec "${path.basename(folder)}" of an earlier engine: ${messageOf(error)}`,
				);
			}
		}
	}

	/**
	 * Its runtime names the folder in its arguments and is the process's parent: neither can be mistaken. False when it
	 * may go on.
	 */
	private endLeft(folder: string, endedContainer?: string): boolean {
		const left = processesNaming(folder);
		const owner = readText(path.join(folder, 'detached'));
		if (left.length > 0 && owner !== undefined && owner !== endedContainer) {
			return false;
		}
		const process = identify(Number(readText(path.join(folder, 'pid'))));
		if (process !== undefined && left.some(({ pid }) => pid === parentOf(process.pid))) {
			signalProcess(process, os.constants.signals.SIGKILL);
		}
		for (const one of left) {
			signalProcess(one, os.constants.signals.SIGKILL);
		}
		fs.rmSync(folder, { recursive: true, force: true });
		return true;
	}

	private running(nameOrId: string): Container {
		const container = this.options.container(nameOrId);
		const { id, status } = container;
		if (status === 'paused') {
			throw new EngineError('conflict', `Container ${id} is paused, unpause the container before exec`);
		}
		if (status === 'restarting') {
			throw new EngineError('conflict', `Container ${id} is restarting, wait until the container is running`);
		}
		if (status !== 'running' && status !== 'stopping') {
			throw new EngineError('conflict', `Container ${id} is not running`);
		}
		return container;
	}

	private forgetEnded(): void {
		this.endAllLeft();
		for (const exec of this.execs.values()) {
			if (exec.endedAt !== undefined && Date.now() - exec.endedAt > KEEP_FOR) {
				this.execs.delete(exec.id);
			}
		}
	}
}
