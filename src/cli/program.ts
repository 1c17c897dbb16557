import { UsageError } from './errors';
import { parseFlags } from './flags';
import type { Flags, ParsedArguments } from './flags';
import { addUsage, fullName, nounHelp, rootHelp, rowHelp } from './help';
import type { Operands, Row } from './row';

/** All that the command line can do. */
export interface Program {
	readonly rows: readonly Row[];
	/** "image" → "Manage images" */
	readonly nouns: Readonly<Record<string, string>>;
	/** Flags that come before the command. */
	readonly flags: Flags;
}

/** A command that was asked for, its flags read. */
export interface Invocation {
	readonly row: Row;
	/** "run" or "container run"; of a noun's aliases the first. */
	readonly name: string;
	readonly operands: readonly string[];
	/** By the keys of the row's flags. */
	readonly flags: Readonly<Record<string, unknown>>;
}

export interface CommandLine {
	/** Values of the flags before the command. */
	readonly globals: Readonly<Record<string, unknown>>;
	/** What to do: run a command, or print its help, the help of a noun, or of all. */
	readonly request: Invocation | { readonly help: string };
}

/** A word under which there are commands: a noun, or the program itself, "". */
interface Group {
	readonly name: string;
	readonly usage: string;
	readonly flags: Flags;
	readonly help: () => string;
}

/**
 * Finds the command that `args` name and reads its flags; nothing is loaded, started or printed. Throws CommandError
 * with docker's sentence, usage line and exit code when the line is written wrong.
 */
export function parseCommandLine(program: Program, args: readonly string[]): CommandLine {
	const root: Group = {
		...{ name: '', usage: '[OPTIONS] COMMAND [ARG...]', flags: program.flags },
		help: () => rootHelp(program.rows, program.nouns, program.flags),
	};
	const parsed = parseGroup(root, args);
	const [noun = '', ...words] = parsed.operands;
	if (!Object.hasOwn(program.nouns, noun)) {
		return { globals: parsed.values, request: findCommand(program, root, parsed) };
	}
	const group: Group = {
		...{ name: noun, usage: '', flags: {} },
		help: () => nounHelp(noun, program.nouns[noun] ?? '', program.rows),
	};
	const request = findCommand(program, group, parseGroup(group, withHelp(words, parsed.isHelp)));
	return { globals: parsed.values, request };
}

/** Reads what stands before a group's command. `help run` is `run --help`. */
function parseGroup({ name, usage, flags }: Group, args: readonly string[]): ParsedArguments {
	const parsed = guard(name, usage, () => parseFlags(flags, args, true));
	const [first, ...rest] = parsed.operands;
	return first === 'help' ? { ...parsed, operands: rest, isHelp: true } : parsed;
}

function findCommand(program: Program, group: Group, parsed: ParsedArguments): CommandLine['request'] {
	const [word, ...words] = parsed.operands;
	const found = word === undefined ? undefined : findRow(program.rows, group.name, word);
	if (found !== undefined) {
		return readRow(found.row, found.name, withHelp(words, parsed.isHelp));
	}
	if (word === undefined || parsed.isHelp || words.includes('--help')) {
		return { help: group.help() };
	}
	return guard(group.name, group.usage, () => {
		throw new UsageError(`mydocker: unknown command: ${fullName(group.name)} ${word}`, 1);
	});
}

/** The row with the word below the noun, and the first of its names there. */
function findRow(rows: readonly Row[], noun: string, word: string): { row: Row; name: string } | undefined {
	const wanted = `${noun} ${word}`.trim();
	const row = word === '' || word.includes(' ') ? undefined : rows.find(({ names }) => names.includes(wanted));
	const name = row?.names.find((candidate) =>
		noun === '' ? !/ /.test(candidate) : candidate.startsWith(`${noun} `),
	);
	return row === undefined || name === undefined ? undefined : { row, name };
}

function readRow(row: Row, name: string, args: readonly string[]): CommandLine['request'] {
	return guard(name, row.usage, () => {
		const { operands, values, isHelp } = parseFlags(row.flags, args, row.stopsAtOperand ?? false);
		if (isHelp) {
			return { help: rowHelp(row, name) };
		}
		checkOperands(row.operands, name, operands.length);
		return { row, name, operands, flags: values };
	});
}

function withHelp(words: readonly string[], isHelp: boolean): readonly string[] {
	return isHelp ? [...words, '--help'] : words;
}

/** Adds the usage line to an error about how the command was written. */
function guard<T>(name: string, usage: string, step: () => T): T {
	try {
		return step();
	} catch (error) {
		throw addUsage(error, name, usage);
	}
}

function checkOperands({ least, most }: Operands, name: string, count: number): void {
	if (count >= least && count <= most) {
		return;
	}
	throw new UsageError(`mydocker: '${fullName(name)}' ${wanted({ least, most }, count)}`, 1);
}

function wanted({ least, most }: Operands, count: number): string {
	if (most === 0) {
		return 'accepts no arguments';
	}
	const [limit, bound] = count < least ? [least, 'at least '] : [most, 'at most '];
	return `requires ${least === most ? '' : bound}${limit} ${limit === 1 ? 'argument' : 'arguments'}`;
}
