import type { Flags, Values } from './flags';
import type { Session } from './session';

/** Runs a command; gives its exit code. */
export type Action<V> = (session: Session, operands: readonly string[], flags: V) => Promise<number>;

export interface Operands {
	readonly least: number;
	readonly most: number;
}

/** One command, under all its names. */
export interface Row<F extends Flags = Flags> {
	/** "image pull", "pull": the first is the one with its noun, those with a noun in common are aliases. */
	readonly names: readonly string[];
	/** What follows the name in the usage line. */
	readonly usage: string;
	/** One line of help. */
	readonly summary: string;
	readonly operands: Operands;
	readonly flags: F;
	/** Flags end at the first operand, because what follows it is a command of its own. */
	readonly stopsAtOperand?: boolean;
	/** Shown among the first in `mydocker --help`. */
	readonly isCommon?: boolean;
	/** Loads what does the work, so that a command loads nothing of the others. */
	readonly load: () => Promise<Action<Values<F>>>;
}

/** Checks a row's flags against its action, then forgets their types. */
export function row<F extends Flags>(definition: Row<F>): Row {
	// Only parseFlags makes the values, from these very flags (program.ts).
	return definition as unknown as Row;
}

export const none: Operands = { least: 0, most: 0 };
export const oneOrMore: Operands = { least: 1, most: Infinity };
export function exactly(count: number): Operands {
	return { least: count, most: count };
}
