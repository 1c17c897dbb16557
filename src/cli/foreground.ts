import { ApiError } from '../api/client';
import type { ContainerInspect } from '../api/types';
import { CommandError } from './errors';
import { explain, startExitCode } from './explain';
import type { Action } from './row';
import type { Session } from './session';
import { copyInput, readDetachKeys, takeTerminal, terminalSize } from './terminal';

/** The exit code of a `run` or `start` that its person left by the detach keys. */
const DETACHED = 0;

/** A container that this terminal belongs to for a while. */
export interface Foreground {
	readonly id: string;
	readonly stdin: boolean;
	readonly stdout: boolean;
	readonly stderr: boolean;
	/** The container has a terminal of its own: keys go to it as they are typed. */
	readonly hasTerminal: boolean;
	/** Ctrl-C and other signals go to the container instead of ending us. */
	readonly proxiesSignals: boolean;
	/** What tells the exit code once the output has ended. */
	readonly condition: 'not-running' | 'next-exit' | 'removed';
	/** Keys that leave a terminal, docker's by default. */
	readonly detachKeys?: string | undefined;
	/** Starts the container once we are attached and waiting, so that nothing is missed. */
	readonly starts: boolean;
}

/**
 * Joins this terminal and the container until its output ends; gives its exit code. Throws CommandError with docker's
 * exit code (125, 126 or 127) when the container cannot be started.
 */
export async function runInForeground(session: Session, container: Foreground): Promise<number> {
	const { client, signal } = session;
	const { id, stdin, stdout, stderr } = container;
	const { detachKeys: keys, hasTerminal } = container;
	const detachKeys = hasTerminal ? readDetachKeys(keys) : undefined;
	const attaching = client.containers.attach(id, {
		...{ signal, stdin, stdout, stderr, hasTerminal },
		...(keys !== undefined && { detachKeys: keys }),
	});
	// Both are asked for at once: each has a connection of its own.
	const waiting = client.containers.wait(id, { signal, condition: container.condition });
	waiting.catch(() => undefined);
	const attachment = await attaching;
	let release = (): void => undefined;
	try {
		const { exit } = await waiting;
		release = await takeOver(session, container);
		if (container.starts) {
			await startOrExplain(session, container, exit);
		}
		tellSize(session, container);
		const input = stdin ? copyInput(session, attachment, detachKeys) : undefined;
		for await (const chunk of attachment.output) {
			await session.output.write(chunk.stream, chunk.data);
		}
		if (input?.isDetached === true) {
			return leave(container);
		}
		return await exit;
	} finally {
		release();
		attachment.close();
	}
}

/** Who came by `attach` and leaves by the detach keys is told so, as by docker. */
function leave({ starts }: Foreground): number {
	if (!starts) {
		throw new CommandError('read escape sequence');
	}
	return DETACHED;
}

/** Signals, and the keys of a terminal, go to the container until the returned function is called. */
async function takeOver(session: Session, container: Foreground): Promise<() => void> {
	const { containers } = session.client;
	const releaseTerminal =
		container.stdin && container.hasTerminal
			? await takeTerminal(session, (size) => containers.resize(container.id, size, { signal: session.signal }))
			: undefined;
	const releaseSignals = container.proxiesSignals
		? session.interrupts.proxy((name) => {
				sendSignal(session, container.id, name);
			})
		: undefined;
	return () => {
		releaseSignals?.();
		releaseTerminal?.();
	};
}

/** A container that was made elsewhere, or by an older API, does not know our size. It may have ended: then it needs none. */
function tellSize(session: Session, { id, hasTerminal }: Foreground): void {
	const size = hasTerminal ? terminalSize(session) : undefined;
	if (size !== undefined) {
		session.client.containers.resize(id, size, { signal: session.signal }).catch(() => undefined);
	}
}

function sendSignal(session: Session, id: string, name: string): void {
	session.client.containers.kill(id, { killSignal: name }).catch((error: unknown) => {
		// The container has ended, or has not begun: there is nobody to signal, and the exit code will tell.
		if (!(error instanceof ApiError)) {
			session.output.error(explain(error));
		}
	});
}

async function startOrExplain(session: Session, container: Foreground, exit: Promise<number>): Promise<void> {
	try {
		await session.client.containers.start(container.id, { signal: session.signal });
	} catch (error) {
		session.signal.throwIfAborted();
		if (container.condition === 'removed') {
			// The engine removes what it could not start; the next command shall not find it.
			await exit;
		}
		throw new CommandError(explain(error), startExitCode(error));
	}
}

export interface StartFlags {
	readonly attach: boolean;
	readonly interactive: boolean;
	readonly detachKeys: string | undefined;
}

/** `mydocker start`: in the background all of them, one after the other; in the foreground one. */
export const start: Action<StartFlags> = async (session, names, flags) => {
	if (!flags.attach && !flags.interactive) {
		return startAll(session, names);
	}
	const [name = '', ...others] = names;
	if (others.length > 0) {
		throw new CommandError('you cannot start and attach multiple containers at once');
	}
	const container = await session.client.containers.inspect(name, { signal: session.signal });
	try {
		return await runInForeground(session, {
			...foregroundOf(container),
			stdin: flags.interactive && container.Config.OpenStdin === true,
			detachKeys: flags.detachKeys,
			condition: container.HostConfig.AutoRemove === true ? 'removed' : 'next-exit',
			starts: true,
		});
	} catch (error) {
		// 126 and 127 are for `run`, whose command it is.
		throw error instanceof CommandError ? new CommandError(error.message) : error;
	}
};

async function startAll(session: Session, names: readonly string[]): Promise<number> {
	const failed: string[] = [];
	for (const name of names) {
		try {
			await session.client.containers.start(name, { signal: session.signal });
			session.output.line(name);
		} catch (error) {
			session.signal.throwIfAborted();
			session.output.error(explain(error));
			failed.push(name);
		}
	}
	if (failed.length > 0) {
		throw new CommandError(`Error: failed to start containers: ${failed.join(', ')}`);
	}
	return 0;
}

export interface AttachFlags {
	readonly noStdin: boolean;
	readonly sigProxy: boolean;
	readonly detachKeys: string | undefined;
}

/** `mydocker attach`: gives the container's exit code. */
export const attach: Action<AttachFlags> = async (session, [name = ''], flags) => {
	const container = await session.client.containers.inspect(name, { signal: session.signal });
	checkAttachable(container);
	const foreground = foregroundOf(container);
	const stdin = !flags.noStdin && container.Config.OpenStdin === true;
	if (stdin && foreground.hasTerminal && !session.input.isTTY) {
		throw new CommandError('the input device is not a TTY');
	}
	return runInForeground(session, {
		...foreground,
		stdin,
		detachKeys: flags.detachKeys,
		proxiesSignals: flags.sigProxy && foreground.proxiesSignals,
		condition: 'not-running',
		starts: false,
	});
};

function checkAttachable(container: ContainerInspect): void {
	if (!container.State.Running) {
		throw new CommandError('You cannot attach to a stopped container, start it first');
	}
	if (container.State.Paused) {
		throw new CommandError('You cannot attach to a paused container, unpause it first');
	}
	if (container.State.Restarting) {
		throw new CommandError('You cannot attach to a restarting container, wait until it is running');
	}
}

function foregroundOf(container: ContainerInspect): Omit<Foreground, 'stdin' | 'condition' | 'starts'> {
	const hasTerminal = container.Config.Tty === true;
	// In a terminal Ctrl-C is a key, which the container's own terminal turns into a signal.
	return { id: container.Id, stdout: true, stderr: true, hasTerminal, proxiesSignals: !hasTerminal };
}
