import type { LogFilter } from './log-filter';
import { jsonIn } from './log-json';
import type { LogLine } from '../api/log-lines';

/** What a person wants to see of a log. */
export interface LogChoices extends LogFilter {
	readonly hasTimestamps: boolean;
	/** A line that ends with a JSON object stands on several lines. */
	readonly isJsonPretty: boolean;
	/** As `docker logs` takes it: "10m", an RFC 3339 time; "" from the beginning. */
	readonly since: string;
	/** "" to follow. */
	readonly until: string;
	/** Last lines to begin with; undefined for all. */
	readonly tail: number | undefined;
	readonly stream: 'both' | 'stdout' | 'stderr';
	/** Which part of a log that is too long for an editor; undefined for the newest, which follows. */
	readonly part: LogPart | undefined;
}

/** Counted in lines that the filters leave: the ones that end before a line, or those from a line on. */
export type LogPart = { readonly before: number } | { readonly from: number };

export const ALL_OF_LOG: LogChoices = {
	hasTimestamps: false,
	isJsonPretty: false,
	since: '',
	until: '',
	tail: undefined,
	stream: 'both',
	include: undefined,
	exclude: undefined,
	level: undefined,
	part: undefined,
};

/** The line as it is shown; `name` with its column's width when there are several containers. */
export function lineText(
	line: LogLine,
	{ hasTimestamps, isJsonPretty }: Pick<LogChoices, 'hasTimestamps' | 'isJsonPretty'>,
	column?: { readonly name: string; readonly width: number },
): string {
	const time = hasTimestamps && line.time !== undefined ? `${shortTime(line.time)} ` : '';
	const name = column === undefined ? '' : `${column.name.padEnd(column.width)} │ `;
	const pretty = isJsonPretty ? jsonIn(line.text) : undefined;
	const text = pretty === undefined ? line.text : pretty.before + pretty.json;
	return `${time}${name}${text}\n`;
}

/** Milliseconds are what a person can use of nine digits. */
function shortTime(time: string): string {
	return time.replace(/\.(\d{3})\d*(?=Z|[+-])/, '.$1');
}
