import type { ChildProcess } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { messageOf, systemCode } from '../errors';
import type { ProcessIdentity } from '../types';
import type { LogDriver } from './log';
import { commandLine, identify, isAlive, sessionMembers, signalProcess } from './process';
import { Pump } from './pump';
import { terminalCommand } from './terminal';
import { launchShim, readText, type Launch } from './shim';

/** How a start went: it runs (`pid` may be gone again by now), the runtime refused, or the shim died. */
export type Begin =
	| { readonly kind: 'running'; readonly pid: number }
	| { readonly kind: 'refused'; readonly ociLog: string; readonly mountError: string; readonly networkError: string }
	| { readonly kind: 'vanished'; readonly reason: string };

export interface RunEnd {
	/** Undefined when the shim vanished without leaving one. */
	readonly exitCode: number | undefined;
	/** Unix milliseconds. */
	readonly finishedAt: number;
}

/** When fs.watch cannot be had (inotify's limits), the shim folder is looked at this often, in milliseconds. */
const LOOK_EVERY = 200;

/** Looks for what is left of a shim, and milliseconds between two: a process stuck in the kernel is given up after 2 s. */
const MAX_LOOKS = 200;
const LOOK_AGAIN = 10;

/**
 * One run of a container, from its shim's start, or adoption by a later engine, to the exit code. Learns of all by
 * watching the shim folder; `check` is the net below for what no event tells: the death of an adopted shim.
 */
export class Run {
	/** Resolves once it is known how the start went. */
	readonly begin: Promise<Begin>;
	/** Resolves when the container has exited and its output is logged to the last byte; never after a failed start. */
	readonly end: Promise<RunEnd>;
	shim: ProcessIdentity | undefined;
	private readonly pump: Pump;
	private watcher: fs.FSWatcher | NodeJS.Timeout | undefined;
	private state: 'starting' | 'running' | 'ending' | 'over' = 'starting';
	private hasVanished = false;
	private resolveBegin: (begin: Begin) => void = () => undefined;
	private resolveEnd: (end: RunEnd) => void = () => undefined;

	constructor(
		readonly folder: string,
		log: LogDriver,
		private readonly options: {
			readonly warn: (message: string) => void;
			/** Kills what is left of the container after its shim vanished. */
			readonly cleanUp: () => Promise<void>;
		},
	) {
		this.begin = new Promise((resolve) => {
			this.resolveBegin = resolve;
		});
		this.end = new Promise((resolve) => {
			this.resolveEnd = resolve;
		});
		this.pump = new Pump(folder, log, {
			warn: options.warn,
			onComplete: () => {
				this.complete();
			},
		});
	}

	/** Starts a new shim in the folder, which is made anew. */
	launch(script: string, launch: Omit<Launch, 'folder'>): void {
		fs.rmSync(this.folder, { recursive: true, force: true });
		fs.mkdirSync(this.folder, { mode: 0o700 });
		if (launch.network !== undefined) {
			fs.writeFileSync(path.join(this.folder, 'network'), launch.network.outside);
			fs.writeFileSync(path.join(this.folder, 'network.inside'), launch.network.inside);
		}
		this.watch();
		const { folder } = this;
		const command =
			launch.terminal === undefined
				? launch.command
				: terminalCommand(launch.command, { folder, run: path.dirname(script), size: launch.terminal });
		const child = launchShim(script, { ...launch, folder, command });
		this.shim = child.pid === undefined ? undefined : identify(child.pid);
		this.watchChild(child);
	}

	/** Takes over a shim that an earlier engine started; false when there is nothing to take over. */
	adopt(): boolean {
		this.shim = this.claimShim();
		const hasExit = this.hasFile('exit');
		if (this.shim === undefined && !hasExit && !this.hasFile('pid')) {
			return false;
		}
		this.watch();
		this.check();
		return true;
	}

	/** Looks for what has changed. */
	check(): void {
		const lives = this.shim !== undefined && isAlive(this.shim);
		const hasExit = this.hasFile('exit');
		if (this.state === 'starting') {
			this.checkBegin(lives, hasExit);
		}
		if (this.state === 'running' && (hasExit || !lives)) {
			this.state = 'ending';
			this.drain(hasExit);
		}
		this.pump.wake();
	}

	get isRunning(): boolean {
		return this.state === 'running' || this.state === 'ending';
	}

	/** The container has exited, or its shim; what remains is the rest of the output. */
	get isEnding(): boolean {
		return this.state === 'ending';
	}

	/** Raw output from now on (from the start of an unfinished line); undefined before the container runs. */
	tail(stream: 'stdout' | 'stderr'): ReturnType<Pump['tail']> {
		return this.isRunning ? this.pump.tail(stream) : undefined;
	}

	/** The container is going to be removed with its log: its end does not wait for what is not in there yet. */
	discardOutput(): void {
		this.pump.discard();
	}

	/** Stops watching and reading; the container goes on. */
	close(): void {
		this.state = 'over';
		this.stopWatching();
		this.pump.close();
	}

	private checkBegin(lives: boolean, hasExit: boolean): void {
		const pid = Number(readText(path.join(this.folder, 'pid')));
		if (pid > 0) {
			this.state = 'running';
			this.pump.start();
			this.resolveBegin({ kind: 'running', pid });
		} else if (hasExit) {
			const read = (name: string): string => readText(path.join(this.folder, name)) ?? '';
			const begin = {
				kind: 'refused',
				ociLog: read('oci.log'),
				mountError: read('mount.err'),
				networkError: read('network.err'),
			} as const;
			this.close();
			this.resolveBegin(begin);
		} else if (!lives) {
			this.vanishBeforeBegin('the container monitor ended before the container ran');
		}
	}

	private vanishBeforeBegin(reason: string): void {
		this.close();
		// The runtime may be at work still, and would start the container when nobody expects it any more.
		this.endRest().then(
			() => {
				this.resolveBegin({ kind: 'vanished', reason });
			},
			(error: unknown) => {
				this.resolveBegin({ kind: 'vanished', reason: `${reason}; ${messageOf(error)}` });
			},
		);
	}

	/** Without an exit file whatever still writes is killed first; then the rest of the output is read. */
	private drain(hasExit: boolean): void {
		this.hasVanished = !hasExit;
		if (hasExit) {
			this.pump.finish();
			return;
		}
		this.endRest()
			.catch((error: unknown) => {
				this.options.warn(messageOf(error));
			})
			.finally(() => {
				this.pump.finish();
			});
	}

	private async endRest(): Promise<void> {
		await endShim(this.folder);
		await this.options.cleanUp();
	}

	private complete(): void {
		const exit = path.join(this.folder, 'exit');
		const exitCode = this.hasVanished ? undefined : parseExit(readText(exit));
		const finishedAt = exitCode === undefined ? Date.now() : fs.statSync(exit).mtimeMs;
		this.close();
		this.resolveEnd({ exitCode, finishedAt });
	}

	private watch(): void {
		const watcher = this.openWatcher();
		watcher?.on('change', (_event, name) => {
			// Output is by far the most frequent and needs no look at anything else.
			if (this.state === 'running' && String(name).startsWith('std')) {
				this.pump.wake();
			} else if (this.state === 'starting' ? tellsOfStart(String(name)) : this.state !== 'over') {
				this.check();
			}
		});
		watcher?.on('error', (error) => {
			this.options.warn(`Cannot watch "${this.folder}": ${error.message}`);
		});
		this.watcher =
			watcher ??
			setInterval(() => {
				this.check();
			}, LOOK_EVERY);
	}

	private openWatcher(): fs.FSWatcher | undefined {
		try {
			return fs.watch(this.folder, { persistent: false });
		} catch (error) {
			const code = systemCode(error);
			if (code === 'ENOSPC' || code === 'EMFILE') {
				this.options.warn(`Cannot watch "${this.folder}", looking now and then: inotify's limits are reached`);
				return undefined;
			}
			throw error;
		}
	}

	private stopWatching(): void {
		if (this.watcher !== undefined && 'close' in this.watcher) {
			this.watcher.close();
		} else {
			clearInterval(this.watcher);
		}
		this.watcher = undefined;
	}

	private watchChild(child: ChildProcess): void {
		child.once('exit', () => {
			if (this.state !== 'over') {
				this.check();
			}
		});
		child.once('error', (error: NodeJS.ErrnoException) => {
			const reason = error.code === 'ENOENT' ? '"unshare" is not installed (package util-linux)' : error.message;
			this.vanishBeforeBegin(reason);
		});
	}

	/**
	 * The living shim of this folder. The name shim.pid is made by link or exclusively, so exactly one of shim and engine
	 * makes it: a shim that was spawned by a dead engine and has not come so far yet will not run any more.
	 */
	private claimShim(): ProcessIdentity | undefined {
		const file = path.join(this.folder, 'shim.pid');
		try {
			fs.closeSync(fs.openSync(file, 'wx', 0o600));
			return undefined;
		} catch (error) {
			if (systemCode(error) === 'ENOENT') {
				return undefined;
			}
			if (systemCode(error) !== 'EEXIST') {
				throw error;
			}
		}
		const pid = Number(readText(file));
		// The folder's path among its arguments says that it is this shim and no later process with the same number.
		const isShim = pid > 0 && commandLine(pid)?.includes(this.folder) === true;
		return isShim ? identify(pid) : undefined;
	}

	private hasFile(name: string): boolean {
		return fs.existsSync(path.join(this.folder, name));
	}
}

/** Some twenty files are written on the way to a start; a look at each would cost milliseconds. */
function tellsOfStart(name: string): boolean {
	return name === 'pid' || name === 'exit';
}

/** The first line counts: the file was longer before (see shim.ts). */
function parseExit(text: string | undefined): number | undefined {
	const line = /^(\d{1,3})\n/.exec(text ?? '');
	return line === null ? undefined : Number(line[1]);
}

/**
 * Kills a shim and what it runs or has left behind: runtime, pumps, keeper, fuse-overlayfs. They are of its session and
 * name the container's folder in their arguments; the container itself is not among them. Resolves when they are gone:
 * one look is not enough, since a process may have begun another between the look and its signal.
 */
export async function endShim(folder: string): Promise<void> {
	for (let looks = 0; killShim(folder) && looks < MAX_LOOKS; looks++) {
		await delay(LOOK_AGAIN);
	}
}

/** True when there was something to kill. */
function killShim(folder: string): boolean {
	const session = Number(readText(path.join(folder, 'shim.pid')));
	const container = path.dirname(folder);
	const rest = session > 0 ? sessionMembers(session).flatMap((pid) => identify(pid) ?? []) : [];
	// Without the look at the arguments a later session with a recycled number could be hit.
	const ours = rest.filter(({ pid }) => commandLine(pid)?.some((argument) => argument.includes(container)) === true);
	for (const identity of ours) {
		signalProcess(identity, os.constants.signals.SIGKILL);
	}
	return ours.length > 0;
}
