import { randomBytes } from 'node:crypto';
import { spawn, type ChildProcess } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { EngineError, systemCode } from '../errors';
import { toolEnvironment } from '../exec';
import type { ProcessIdentity } from '../types';
import type { Attachment } from './attachment';
import type { ExecOptions } from './exec-process';
import type { Stream } from './json-lines';
import { identify, signalProcess } from './process';
import { execFailure } from './start-failure';
import { readText } from './shim';
import { resizeTerminal, terminalCommand, type TerminalSize } from './terminal';

/** What an exec needs of the engine around it. */
export interface ExecHost {
	/** Docker's event: "exec_start", "exec_die", … */
	readonly emit: (action: string, attributes?: Readonly<Record<string, string>>) => void;
	readonly warn: (message: string) => void;
}

export interface ExecStart {
	/** Program and arguments that run the process in the foreground. */
	readonly command: readonly string[];
	/** Of this exec alone; holds process.json already. */
	readonly folder: string;
	/** The store's run folder. */
	readonly run: string;
	readonly size?: TerminalSize | undefined;
	/** Nobody reads or writes: the process goes on also when this engine ends. */
	readonly detach: boolean;
}

/** Docker's exit code for what is there and cannot be run. */
const CANNOT_RUN = 126;
const SIGKILL = os.constants.signals.SIGKILL;

/** When fs.watch cannot be had (inotify's limits), the folder is looked at this often, in milliseconds. */
const LOOK_EVERY = 20;

/**
 * A further process in a running container, from its creation to some time after its end. The OCI runtime stays its
 * parent and this engine the runtime's: exit code and streams come straight from there. Files in its folder:
 *   process.json    what the runtime starts (runtime-spec, process)
 *   pid             the process's number on the host, written by the runtime once it runs; absent after a failed start
 *   oci.log         the runtime's own log, JSON lines
 *   size, console, terminal.pid, or arguments, size, tty   only with a terminal, see console.ts and terminal.ts
 *   detached        marks a process that may outlive the engine; its container's id
 */
export class Exec {
	/** 64 hex digits. */
	readonly id = randomBytes(32).toString('hex');
	/** Of Date.now(). */
	endedAt: number | undefined;
	/** Null until it has ended. */
	exitCode: number | null = null;
	private isClaimed = false;
	/** Whether it ran at all. */
	private started: Promise<boolean> | undefined;
	private process: ProcessIdentity | undefined;
	private child: ChildProcess | undefined;
	private folder: string | undefined;
	private isDetached = false;
	/** Resolves when it has ended; with the reason when it could not start. */
	private ended: Promise<EngineError | undefined> | undefined;

	constructor(
		readonly containerId: string,
		readonly options: ExecOptions,
		private readonly host: ExecHost,
	) {}

	get state(): 'created' | 'running' | 'ended' {
		return this.endedAt !== undefined ? 'ended' : this.child === undefined ? 'created' : 'running';
	}

	/** Number of the process on the host; 0 when there is none. */
	get pid(): number {
		return this.process?.pid ?? 0;
	}

	/** Arguments as docker shows them: "sh -c true". */
	get commandText(): string {
		return this.options.command.join(' ');
	}

	/** Whoever calls this first may start it; "conflict" for all others. */
	claim(): void {
		if (this.isClaimed) {
			const reason = this.state === 'ended' ? 'has already run' : 'is already running';
			throw new EngineError('conflict', `Error: Exec command ${this.id} ${reason}`);
		}
		this.isClaimed = true;
	}

	/** It was claimed and cannot be started. */
	giveUp(): void {
		this.exitCode ??= CANNOT_RUN;
		this.endedAt ??= Date.now();
	}

	/** Starts the runtime. The session's output ends when the exit code is known; it throws when the start failed. */
	start(start: ExecStart): Attachment {
		const { folder, detach } = start;
		const { options } = this;
		const [program = '', ...args] = options.tty === true ? terminalCommand(start.command, start) : start.command;
		if (detach) {
			fs.writeFileSync(path.join(folder, 'detached'), this.containerId);
		}
		const pipe = (isAttached: boolean | undefined): 'pipe' | 'ignore' =>
			isAttached === true && !detach ? 'pipe' : 'ignore';
		// A terminal has an input also when nobody is attached: its end would be a Ctrl-D.
		const isTerminal = options.tty === true;
		const child = spawn(program, args, {
			// A session of its own: a Ctrl-C for the engine is none for the process.
			detached: true,
			cwd: '/',
			env: toolEnvironment(),
			stdio: isTerminal
				? ['pipe', detach ? 'ignore' : 'pipe', 'ignore']
				: [pipe(options.attach_stdin), pipe(options.attach_stdout), pipe(options.attach_stderr)],
		});
		this.child = child;
		this.folder = folder;
		this.isDetached = detach;
		if (detach) {
			child.unref();
		}
		this.started = this.watchStart(child, folder);
		this.ended = this.watchEnd(child, this.started);
		return new ExecSession(child, isTerminal, this.started, this.ended, () => {
			this.host.emit('exec_detach', { execID: this.id });
		});
	}

	/** Resolves once it runs; throws EngineError "runtime" when it cannot be started. */
	async whenStarted(): Promise<void> {
		if ((await this.started) === false) {
			await this.whenEnded();
		}
	}

	/** Resolves when it has ended; throws EngineError "runtime" when it could not be started. */
	async whenEnded(): Promise<void> {
		const failure = await this.ended;
		if (failure !== undefined) {
			throw failure;
		}
	}

	/** False when there is no process (any more). */
	kill(signal: number): boolean {
		return this.process !== undefined && signalProcess(this.process, signal);
	}

	async resize(size: TerminalSize): Promise<void> {
		if (this.options.tty === true && this.folder !== undefined && this.state === 'running') {
			await resizeTerminal(this.folder, size);
		}
	}

	/** The engine leaves: what has a client ends with it, what has none goes on. */
	close(): void {
		if (this.state === 'running' && !this.isDetached) {
			this.end();
		}
	}

	/** Kills process and runtime. */
	end(): void {
		this.kill(SIGKILL);
		this.child?.kill('SIGKILL');
	}

	/** True once the process runs or has run; false when the runtime ended without having started it. */
	private watchStart(child: ChildProcess, folder: string): Promise<boolean> {
		return new Promise<boolean>((resolve) => {
			const look = (): boolean => {
				const pid = Number(readText(path.join(folder, 'pid')));
				if (pid > 0) {
					this.process = identify(pid);
				}
				return pid > 0;
			};
			const watcher = watch(folder, () => {
				if (look()) {
					finish(true);
				}
			});
			const finish = (hasStarted: boolean): void => {
				watcher.close();
				resolve(hasStarted);
			};
			child.once('exit', () => {
				finish(look());
			});
			child.once('error', () => {
				finish(false);
			});
		});
	}

	private async watchEnd(child: ChildProcess, started: Promise<boolean>): Promise<EngineError | undefined> {
		const code = await new Promise<number | Error>((resolve) => {
			child.once('exit', (exitCode, signal) => {
				resolve(exitCode ?? 128 + os.constants.signals[signal ?? 'SIGKILL']);
			});
			child.once('error', resolve);
		});
		const hasStarted = await started;
		// The runtime may have been killed itself; its process then has no parent that could tell how it ends.
		this.kill(SIGKILL);
		const failure = hasStarted ? undefined : this.failure(code);
		this.exitCode = failure?.exitCode ?? (typeof code === 'number' ? code : CANNOT_RUN);
		this.endedAt = Date.now();
		this.process = undefined;
		if (this.folder !== undefined) {
			fs.rmSync(this.folder, { recursive: true, force: true });
		}
		if (failure === undefined) {
			this.host.emit('exec_die', { execID: this.id, exitCode: String(this.exitCode) });
		}
		return failure;
	}

	private failure(code: number | Error): EngineError {
		if (code instanceof Error) {
			const isMissing = systemCode(code) === 'ENOENT';
			const reason = isMissing ? `"${this.child?.spawnfile ?? ''}" is not installed` : code.message;
			return new EngineError('runtime', `Cannot start exec: ${reason}`, { exitCode: CANNOT_RUN, cause: code });
		}
		const { message, exitCode } = execFailure(
			readText(path.join(this.folder ?? '', 'oci.log')) ?? '',
			this.options.command[0] ?? '',
		);
		return new EngineError('runtime', message, { exitCode });
	}
}

/** The client's side of an exec's streams. */
class ExecSession implements Attachment {
	readonly output: AsyncIterable<{ readonly stream: Stream; readonly data: Buffer }>;
	private isOver = false;
	private leave: () => void = () => undefined;
	/** Resolves when the client has left. */
	private readonly gone: Promise<undefined>;

	constructor(
		private readonly child: ChildProcess,
		private readonly isTerminal: boolean,
		private readonly started: Promise<boolean>,
		private readonly ended: Promise<EngineError | undefined>,
		/** The person at the client has left by the detach keys. */
		private readonly left: () => void,
	) {
		this.gone = new Promise((resolve) => {
			this.leave = () => {
				resolve(undefined);
			};
		});
		this.output = this.read();
		child.stdin?.on('error', () => {
			// The process has closed its input; each write is told by its callback.
		});
	}

	async write(data: Uint8Array): Promise<void> {
		// Before the runtime has put a terminal of script(1) into raw mode, the input would be echoed and edited twice.
		await this.started;
		const { stdin } = this.child;
		if (stdin === null) {
			return;
		}
		await new Promise<void>((resolve, reject) => {
			stdin.write(data, (error) => {
				if (error === null || error === undefined) {
					resolve();
				} else {
					reject(new EngineError('conflict', 'Cannot write to the exec: it reads no more', { cause: error }));
				}
			});
		});
	}

	end(): void {
		if (this.isTerminal) {
			return;
		}
		void this.started.then(() => this.child.stdin?.end());
	}

	detach(): void {
		this.left();
		this.close();
	}

	/** The process goes on as in docker: without a terminal its input ends, and its output is read and dropped. */
	close(): void {
		if (this.isOver) {
			return;
		}
		this.isOver = true;
		this.leave();
		this.end();
		this.child.stdout?.resume();
		this.child.stderr?.resume();
	}

	private async *read(): AsyncGenerator<{ readonly stream: Stream; readonly data: Buffer }, void, void> {
		try {
			// What the runtime says about a failed start comes from its log.
			if (await this.started) {
				yield* merge(this.child, this.gone);
			}
			const failure = await Promise.race([this.ended, this.gone]);
			if (failure !== undefined) {
				throw failure;
			}
		} finally {
			this.close();
		}
	}
}

/** Chunks of both streams as they come, until both have ended or the client is gone. */
async function* merge(
	{ stdout, stderr }: ChildProcess,
	gone: Promise<undefined>,
): AsyncGenerator<{ readonly stream: Stream; readonly data: Buffer }, void, void> {
	const iterators = new Map<Stream, AsyncIterator<unknown>>();
	for (const [name, stream] of [['stdout', stdout] as const, ['stderr', stderr] as const]) {
		if (stream !== null) {
			iterators.set(name, stream.iterator({ destroyOnReturn: false }));
		}
	}
	const next = async (stream: Stream, iterator: AsyncIterator<unknown>) => ({
		stream,
		result: await iterator.next(),
	});
	const pending = new Map([...iterators].map(([stream, iterator]) => [stream, next(stream, iterator)]));
	try {
		while (pending.size > 0) {
			const chunk = await Promise.race([...pending.values(), gone]);
			if (chunk === undefined) {
				return;
			}
			const { stream, result } = chunk;
			const iterator = iterators.get(stream);
			if (result.done === true || iterator === undefined) {
				pending.delete(stream);
				continue;
			}
			pending.set(stream, next(stream, iterator));
			yield { stream, data: result.value as Buffer };
		}
	} finally {
		for (const [stream, waiting] of pending) {
			void waiting
				.then(() => iterators.get(stream)?.return?.())
				.then(
					// Not at once: a stream flows only when it knows that its iterator listens no more.
					() => setImmediate(() => (stream === 'stdout' ? stdout : stderr)?.resume()),
					() => {
						// Nobody reads any more.
					},
				);
		}
	}
}

/** Calls `look` now and whenever something in the folder has changed. */
function watch(folder: string, look: () => void): { close(): void } {
	const interval = (): { close(): void } => {
		const timer = setInterval(look, LOOK_EVERY);
		return {
			close: () => {
				clearInterval(timer);
			},
		};
	};
	try {
		const watcher = fs.watch(folder, { persistent: false });
		watcher.on('change', look);
		watcher.on('error', look);
		setImmediate(look);
		return watcher;
	} catch (error) {
		const code = systemCode(error);
		if (code === 'ENOSPC' || code === 'EMFILE') {
			return interval();
		}
		throw error;
	}
}
