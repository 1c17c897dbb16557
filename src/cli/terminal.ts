import { DEFAULT_DETACH_KEYS, DetachFilter, parseDetachKeys } from '../api/detach-keys';
import { ApiError, type Attachment, type TerminalSize } from '../api/client';
import { CommandError, systemCode } from './errors';
import { explain } from './explain';
import type { Session } from './session';

/** Rows and columns of the terminal that we print to; undefined when it is none. */
export function terminalSize({ output }: Pick<Session, 'output'>): TerminalSize | undefined {
	const { stdout } = output;
	return stdout.isTTY ? { rows: stdout.rows, columns: stdout.columns } : undefined;
}

/**
 * Gives keys on as they are typed, and the size of our terminal now and after each change, until the returned function
 * is called, or the process ends: our terminal is itself again then, however that came.
 */
export async function takeTerminal(
	session: Session,
	resize: ((size: TerminalSize) => Promise<void>) | undefined,
): Promise<() => void> {
	const { input, output } = session;
	const restore = (): void => {
		input.setRawMode(false);
	};
	if (input.isTTY) {
		process.on('exit', restore);
		input.setRawMode(true);
		await passOutput();
	}
	const follow = (): void => {
		const size = terminalSize(session);
		if (size !== undefined) {
			resize?.(size).catch((error: unknown) => {
				// What had the terminal has ended.
				if (!(error instanceof ApiError) && !session.signal.aborted) {
					output.error(explain(error));
				}
			});
		}
	};
	output.stdout.on('resize', follow);
	return () => {
		output.stdout.off('resize', follow);
		if (input.isTTY) {
			process.off('exit', restore);
			restore();
		}
	};
}

/**
 * libuv's raw mode still turns each line feed of the output into two bytes, but the container's terminal has done so
 * already, or was told not to. setRawMode(false) undoes this too. A machine without stty(1) shows what it did before.
 */
async function passOutput(): Promise<void> {
	// Most commands have no terminal to take and start quicker without it.
	const { spawnSync } = await import('node:child_process');
	spawnSync('stty', ['-opost'], { stdio: ['inherit', 'ignore', 'ignore'] });
}

/** What a write says once the container, or our attachment to it, has ended. */
const ENDED = ['EPIPE', 'ECONNRESET', 'ERR_STREAM_DESTROYED', 'ERR_STREAM_WRITE_AFTER_END'];

/**
 * Sends our input beside the output, which decides when all is over. `detachKeys` are looked for in a terminal: when
 * they come, the attachment is closed and `isDetached` says so.
 */
export function copyInput(
	session: Session,
	attachment: Attachment,
	detachKeys: Buffer | undefined,
): { readonly isDetached: boolean } {
	const state = { isDetached: false };
	const filter = detachKeys === undefined ? undefined : new DetachFilter(detachKeys);
	const copy = async (): Promise<void> => {
		for await (const chunk of session.input) {
			const typed = chunk as Buffer;
			const { data, isDetached } = filter?.push(typed) ?? { data: typed, isDetached: false };
			if (isDetached) {
				state.isDetached = true;
				attachment.close();
				return;
			}
			await attachment.write(data);
		}
		attachment.end();
	};
	copy().catch((error: unknown) => {
		// A container need not read its input to the end: its output and exit code tell how it went.
		if (!session.signal.aborted && !ENDED.includes(systemCode(error) ?? '')) {
			session.output.error(explain(error));
		}
	});
	return state;
}

/** The bytes of --detach-keys; throws CommandError in docker's words. */
export function readDetachKeys(text: string | undefined): Buffer {
	try {
		return parseDetachKeys(text ?? DEFAULT_DETACH_KEYS);
	} catch (error) {
		if (error instanceof RangeError) {
			throw new CommandError(`invalid detach keys: ${error.message}`);
		}
		throw error;
	}
}
