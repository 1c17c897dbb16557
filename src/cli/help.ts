import { CommandError, UsageError } from './errors';
import type { Flag, Flags } from './flags';
import type { Row } from './row';

/** The name people type. */
export const PROGRAM = 'mydocker';

/** "mydocker run", or "mydocker" for the name "". */
export function fullName(name: string): string {
	return name === '' ? PROGRAM : `${PROGRAM} ${name}`;
}

/** Adds the usage line to an error about how the command was written; any other error is given back as it is. */
export function addUsage(error: unknown, name: string, usage: string): unknown {
	if (!(error instanceof UsageError)) {
		return error;
	}
	const lines = [error.message, '', usageLine(name, usage), '', seeHelp(name)];
	return new CommandError(lines.join('\n'), error.exitCode);
}

/** "Run 'mydocker run --help' for more information" */
export function seeHelp(name: string): string {
	return `Run '${fullName(name)} --help' for more information`;
}

/** Help of one command, under the name it was asked for. */
export function rowHelp(row: Row, name: string): string {
	const aliases =
		row.names.length > 1 ? `\nAliases:\n  ${row.names.map((alias) => fullName(alias)).join(', ')}\n` : '';
	return `${usageLine(name, row.usage)}\n\n${row.summary}\n${aliases}${flagSection('Options', row.flags)}`;
}

/** Help of `mydocker image`. */
export function nounHelp(noun: string, summary: string, rows: readonly Row[]): string {
	const verbs = rows.flatMap((row) => {
		const name = row.names.find((candidate) => candidate.startsWith(`${noun} `));
		return name === undefined ? [] : [[name.slice(noun.length + 1), row.summary] as const];
	});
	return [
		usageLine(noun, 'COMMAND'),
		`\n${summary}\n`,
		section('Commands', verbs),
		`Run '${fullName(noun)} COMMAND --help' for more information on a command.\n`,
	].join('\n');
}

/** Help of `mydocker`. */
export function rootHelp(rows: readonly Row[], nouns: Readonly<Record<string, string>>, flags: Flags): string {
	const short = rows.flatMap((row) => {
		const name = row.names.find((candidate) => !candidate.includes(' '));
		return name === undefined ? [] : [{ entry: [name, row.summary] as const, isCommon: row.isCommon ?? false }];
	});
	const entries = (isCommon: boolean): (readonly [string, string])[] =>
		short.filter((item) => item.isCommon === isCommon).map((item) => item.entry);
	return [
		usageLine('', '[OPTIONS] COMMAND'),
		'\nA container engine of its own, in VS Code and on the command line\n',
		section('Common Commands', entries(true)),
		section('Management Commands', Object.entries(nouns)),
		section('Commands', entries(false)),
		flagSection('Global Options', flags).trimStart(),
		"Run 'mydocker COMMAND --help' for more information on a command.\n",
	].join('\n');
}

function usageLine(name: string, usage: string): string {
	return `Usage:  ${fullName(name)} ${usage}`.trimEnd();
}

function section(title: string, entries: readonly (readonly [string, string])[]): string {
	const sorted = [...entries].sort(([a], [b]) => (a < b ? -1 : 1));
	const width = Math.max(...sorted.map(([name]) => name.length), 9) + 3;
	return [`${title}:`, ...sorted.map(([name, summary]) => `  ${name.padEnd(width)}${summary}`), ''].join('\n');
}

function flagSection(title: string, flags: Flags): string {
	const sorted = Object.values(flags).sort((a, b) => (longName(a) < longName(b) ? -1 : 1));
	if (sorted.length === 0) {
		return '';
	}
	const terms = sorted.map((flag) => [flagTerm(flag), flag.description] as const);
	const width = Math.max(...terms.map(([term]) => term.length)) + 3;
	return ['', `${title}:`, ...terms.map(([term, text]) => `  ${term.padEnd(width)}${text}`), ''].join('\n');
}

function flagTerm(flag: Flag<unknown>): string {
	const spelling = flag.spelling.startsWith('--') ? `    ${flag.spelling}` : flag.spelling;
	return flag.type === '' ? spelling : `${spelling} ${flag.type}`;
}

function longName(flag: Flag<unknown>): string {
	return flag.spelling.slice(flag.spelling.indexOf('--'));
}
