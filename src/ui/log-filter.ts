import type { LogLine } from '../api/log-lines';

/** What a person looks for in lines, upper and lower case alike. */
export interface LogPattern {
	readonly text: string;
	/** False when `text` stands for itself. */
	readonly isRegExp: boolean;
}

/** From the least to the most severe. */
export const LEVELS = ['debug', 'info', 'warning', 'error'] as const;
export type LogLevel = (typeof LEVELS)[number];

/** Which lines of a log are wanted. */
export interface LogFilter {
	readonly include: LogPattern | undefined;
	readonly exclude: LogPattern | undefined;
	/** The least severe that is wanted; undefined for all. */
	readonly level: LogLevel | undefined;
}

const INVALID = /^Invalid regular expression: .*: /s;

/** What is wrong with a pattern, in the words of the JavaScript engine; undefined when it is right. */
export function problemOf({ text, isRegExp }: LogPattern): string | undefined {
	if (!isRegExp) {
		return undefined;
	}
	try {
		new RegExp(text, 'i');
		return undefined;
	} catch (error) {
		if (error instanceof SyntaxError) {
			return error.message.replace(INVALID, '');
		}
		throw error;
	}
}

/**
 * Tells which lines are wanted; give it the lines in their order. A line that names no level, as those of a stack
 * trace, has the level of the line before it in the same container's log. A wrong pattern wants all.
 */
export function lineFilter({ include, exclude, level }: LogFilter): (line: LogLine, container?: string) => boolean {
	const wanted = expressionOf(include);
	const unwanted = expressionOf(exclude);
	const least = level === undefined ? 0 : LEVELS.indexOf(level);
	const levels = new Map<string, LogLevel>();
	const isSevere = (text: string, container: string): boolean => {
		const found = levelOf(text) ?? levels.get(container) ?? 'info';
		levels.set(container, found);
		return LEVELS.indexOf(found) >= least;
	};
	return ({ text }, container = '') =>
		(least === 0 || isSevere(text, container)) && wanted?.test(text) !== false && unwanted?.test(text) !== true;
}

/** Characters of a line in which its level is looked for. */
const HEAD = 200;
const NAMES: Readonly<Record<LogLevel, string>> = {
	debug: 'trace|debug|verbose',
	info: 'info|notice',
	warning: 'warn|warning',
	error: 'err|error|fatal|crit|critical|panic|alert|emerg',
};
/** A word of its own: "[error]", "level=warn", "INFO ", "error:". */
const NAMED = new RegExp(
	`(?:^|[\\s[(|<"'=:])(?:${LEVELS.map((level) => `(?<${level}>${NAMES[level]})`).join('|')})(?=[\\s\\])|>"',;:]|$)`,
	'i',
);
/** https://github.com/google/glog: "E1126 10:00:00.000000 …". */
const GLOG = /^([IWEF])\d{4} \d\d:/;
const LETTERS: Readonly<Record<string, LogLevel>> = { I: 'info', W: 'warning', E: 'error', F: 'error' };
/** Numbers of pino and bunyan (https://getpino.io/#/docs/api?id=loggerlevels-object): 10 trace, 20 debug, … 60 fatal. */
const NUMBERED = /"level":([1-6])0\b/;
const NUMBERS: readonly (LogLevel | undefined)[] = [undefined, 'debug', 'debug', 'info', 'warning', 'error', 'error'];

/** The level that a line names, and where: [start, end). */
export interface NamedLevel {
	readonly level: LogLevel;
	readonly start: number;
	readonly end: number;
}

/** Undefined when the line names none. */
export function levelAt(text: string): NamedLevel | undefined {
	const head = text.slice(0, HEAD);
	const named = NAMED.exec(head);
	const level = LEVELS.find((one) => named?.groups?.[one] !== undefined);
	if (named !== null && level !== undefined) {
		const end = named.index + named[0].length;
		return { level, start: end - (named.groups?.[level]?.length ?? 0), end };
	}
	const numbered = NUMBERED.exec(head);
	const ofNumber = NUMBERS[Number(numbered?.[1] ?? 0)];
	if (numbered !== null && ofNumber !== undefined) {
		return { level: ofNumber, start: numbered.index, end: numbered.index + numbered[0].length };
	}
	const ofLetter = LETTERS[GLOG.exec(head)?.[1] ?? ''];
	return ofLetter && { level: ofLetter, start: 0, end: 1 };
}

/** The level that a line names; undefined when it names none. */
export function levelOf(text: string): LogLevel | undefined {
	return levelAt(text)?.level;
}

function expressionOf(pattern: LogPattern | undefined): RegExp | undefined {
	if (pattern === undefined || problemOf(pattern) !== undefined) {
		return undefined;
	}
	const { text, isRegExp } = pattern;
	return new RegExp(isRegExp ? text : text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'), 'i');
}
