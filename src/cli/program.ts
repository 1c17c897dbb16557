import { Command, CommanderError } from 'commander';
import type { ParseOptionsResult } from 'commander';
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

/**
 * Finds the command that `args` name and reads its flags; nothing is loaded, started or printed. Throws CommandError
 * with docker's sentence, usage line and exit code when the line is written wrong.
 */
export function parseCommandLine(program: Program, args: readonly string[]): CommandLine {
	let request: CommandLine['request'] = { help: '' };
	const decide: Decide = (decided) => {
		request = decided;
	};
	const root = groupNode('', program.flags, decide, () => rootHelp(program.rows, program.nouns, program.flags));
	const groups = new Map([['', root]]);
	// Only what the line may mean: the whole tree takes a third of a short command's own time.
	const words = new Set(args);
	for (const [noun, summary] of Object.entries(program.nouns).filter(([noun]) => words.has(noun))) {
		const group = groupNode(noun, {}, decide, () => nounHelp(noun, summary, program.rows));
		groups.set(noun, group);
		root.addCommand(group);
	}
	for (const row of program.rows) {
		for (const { noun, verbs } of places(row)) {
			if (verbs.some((verb) => words.has(verb))) {
				groups.get(noun)?.addCommand(verbNode(row, noun, verbs, decide));
			}
		}
	}
	root.run(args);
	return { globals: root.parsed.values, request };
}

type Decide = (request: CommandLine['request']) => void;

/**
 * A word of the command tree. Commander finds the command and notices `--help`; the flags are read by parseFlags,
 * because docker's syntax (`--sig-proxy=false`, `-e=A`) and sentences are not commander's.
 */
class Node extends Command {
	parsed: ParsedArguments = { operands: [], values: {}, isHelp: false };

	constructor(
		/** "", "container", "container run", "run". */
		readonly path: string,
		private readonly usageText: string,
		private readonly flags: Flags,
		private readonly isGroup: boolean,
		private readonly stopsAtOperand: boolean,
		private readonly giveHelp: () => void,
	) {
		super(path.split(' ').at(-1));
		this.helpOption('--help').helpCommand(false).allowExcessArguments().exitOverride();
	}

	/** Parses; that help was asked for is no error. */
	run(args: readonly string[]): void {
		try {
			this.parse(args, { from: 'user' });
		} catch (error) {
			if (!(error instanceof CommanderError) || error.exitCode !== 0) {
				throw error;
			}
		}
	}

	/** Adds the usage line to an error about how the command was written. */
	guard<T>(step: () => T): T {
		try {
			return step();
		} catch (error) {
			throw addUsage(error, this.path, this.usageText);
		}
	}

	override outputHelp(): void {
		this.giveHelp();
	}

	override parseOptions(args: string[]): ParseOptionsResult {
		const parsed = this.guard(() => parseFlags(this.flags, args, this.stopsAtOperand));
		const { isGroup } = this;
		const [first, ...rest] = parsed.operands;
		// `help run` is `run --help`.
		this.parsed = isGroup && first === 'help' ? { ...parsed, operands: rest, isHelp: true } : parsed;
		const operands = [...this.parsed.operands];
		const help = this.parsed.isHelp ? ['--help'] : [];
		// What follows the name of a command is the command's to read.
		return isGroup
			? { operands: operands.slice(0, 1), unknown: [...operands.slice(1), ...help] }
			: { operands, unknown: help };
	}
}

function groupNode(name: string, flags: Flags, decide: Decide, help: () => string): Node {
	const node = new Node(name, name === '' ? '[OPTIONS] COMMAND [ARG...]' : '', flags, true, true, () => {
		decide({ help: help() });
	});
	node.action(() => {
		const [unknown] = node.parsed.operands;
		node.guard(() => {
			if (unknown !== undefined) {
				throw new UsageError(`mydocker: unknown command: ${fullName(name)} ${unknown}`, 1);
			}
		});
		node.outputHelp();
	});
	return node;
}

function verbNode(row: Row, noun: string, verbs: readonly string[], decide: Decide): Node {
	const [verb = '', ...aliases] = verbs;
	const name = `${noun} ${verb}`.trim();
	const node = new Node(name, row.usage, row.flags, false, row.stopsAtOperand ?? false, () => {
		decide({ help: rowHelp(row, name) });
	});
	node.aliases(aliases).action(() => {
		const { operands, values } = node.parsed;
		node.guard(() => {
			checkOperands(row.operands, name, operands.length);
		});
		decide({ row, name, operands, flags: values });
	});
	return node;
}

/** Where a row stands in the tree: with its noun, and at the top. */
function places(row: Row): { readonly noun: string; readonly verbs: readonly string[] }[] {
	const words = row.names.map((name) => (name.includes(' ') ? name.split(' ') : ['', name]));
	return [...new Set(words.map(([noun = '']) => noun))].map((noun) => ({
		noun,
		verbs: words.filter((word) => word[0] === noun).map(([, verb = '']) => verb),
	}));
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
