import { CommandError } from './errors';
import type { Values } from './flags';
import { addUsage } from './help';
import type { globalFlags } from './commands';
import type { Interrupts } from './interrupts';
import type { Output } from './output';
import type { Invocation } from './program';
import type { Session } from './session';

export type Globals = Values<typeof globalFlags>;

/** Gives the exit code of `step`; what it throws becomes a message and an exit code here, and nowhere else. */
export async function carryOut(
	step: () => Promise<number>,
	{ output, interrupts, isDebug }: { output: Output; interrupts: Interrupts; isDebug: () => boolean },
): Promise<number> {
	try {
		return await step();
	} catch (error) {
		if (interrupts.signal.aborted) {
			return interrupts.exitCode;
		}
		const { explain } = await import('./explain');
		output.error(isDebug() && error instanceof Error ? (error.stack ?? error.message) : explain(error));
		return error instanceof CommandError ? error.exitCode : 1;
	}
}

/** Runs a command; a mistake in how it was written is told with its usage. */
export async function invoke({ row, name, operands, flags }: Invocation, session: Session): Promise<number> {
	const action = await row.load();
	try {
		return await action(session, operands, flags);
	} catch (error) {
		throw addUsage(error, name, row.usage);
	}
}
