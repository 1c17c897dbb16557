import { EngineError } from '../core/errors';
import { parseTime } from './time';

/** Wanted values by filter name: a thing passes when, for every name, it matches one of the values. */
export type FilterValues = ReadonlyMap<string, readonly string[]>;

/**
 * Reads the query parameter `filters` in both encodings, {"label":["a"]} (docker-py, testcontainers, and our client)
 * and {"label":{"a":true}} (docker CLI). `known` are the names that the route understands; another one is refused
 * with docker's text, since leaving it out would give too much.
 */
export function parseFilters(text: string | null, known: readonly string[]): FilterValues {
	const filters = new Map<string, readonly string[]>();
	if (text === null || text === '') {
		return filters;
	}
	for (const [name, values] of Object.entries(parseObject(text))) {
		if (!known.includes(name)) {
			throw new EngineError('invalid', `invalid filter '${name}'`);
		}
		filters.set(name, valuesOf(values));
	}
	return filters;
}

/** True when the filter is not set or one of its values passes the test. */
export function matches(filters: FilterValues, name: string, test: (value: string) => boolean): boolean {
	const values = filters.get(name);
	return values === undefined || values.length === 0 || values.some(test);
}

/** Label filters "key" and "key=value": all of "label" must be there, and none of "label!". */
export function hasLabels(filters: FilterValues, labels: Readonly<Record<string, string>>): boolean {
	const isThere = (wanted: string): boolean => {
		const equals = wanted.indexOf('=');
		const key = equals < 0 ? wanted : wanted.slice(0, equals);
		return Object.hasOwn(labels, key) && (equals < 0 || labels[key] === wanted.slice(equals + 1));
	};
	return (filters.get('label') ?? []).every(isThere) && !(filters.get('label!') ?? []).some(isThere);
}

/** Tests a time against the filter "until" of a prune: RFC 3339, Unix seconds, or a duration before now. */
export function untilFilter(filters: FilterValues): (created: string) => boolean {
	const limits = (filters.get('until') ?? []).map(untilTime);
	return (created) => limits.every((limit) => Date.parse(created) < limit);
}

/** Milliseconds. */
function untilTime(text: string): number {
	try {
		return Number(parseTime(text)) * 1000;
	} catch (error) {
		if (error instanceof RangeError) {
			const value = JSON.stringify(text);
			throw new EngineError('invalid', `failed to parse value as time or duration: ${value}`, { cause: error });
		}
		throw error;
	}
}

/** The one boolean value of a filter such as dangling; undefined when it is not set. */
export function booleanFilter(filters: FilterValues, name: string): boolean | undefined {
	const values = filters.get(name) ?? [];
	const isTrue = values.some((value) => value === 'true' || value === '1' || value === 'True');
	const isFalse = values.some((value) => value === 'false' || value === '0' || value === 'False');
	if (values.length > 0 && isTrue === isFalse) {
		throw new EngineError('invalid', `invalid filter '${name}=[${values.join(' ')}]'`);
	}
	return values.length === 0 ? undefined : isTrue;
}

/** What Go's path.Match takes: a class is closed and not empty, its "-" stands between two, and "\\" before something. */
const GLOB = /^(?:\\.|[^\\[]|\[(?:\^|(?!\^))(?:(?:\\.|[^\\\]-])(?:-(?:\\.|[^\\\]-]))?)+\])*$/su;

/** Go's path.Match as docker uses it for image references: `*` and `?` stop at a slash, `[…]` is a class. */
export function globToRegExp(glob: string): RegExp {
	if (!GLOB.test(glob)) {
		throw new EngineError('invalid', 'syntax error in pattern');
	}
	const tokens = glob.match(/\\.|\[\^?[^\]]*\]|./gsu) ?? [];
	const pattern = tokens.map((token) => {
		if (token === '*') {
			return '[^/]*';
		}
		if (token === '?') {
			return '[^/]';
		}
		const isClass = token.length > 2 && token.startsWith('[');
		return isClass ? `[${token.slice(1, -1).replace(/[\\[\]]/g, '\\$&')}]` : escape(token.replace(/^\\(.)/s, '$1'));
	});
	// Neighbouring stars mean the same as one and would make the expression slow.
	return new RegExp(`^${pattern.join('').replaceAll('[^/]*[^/]*', '[^/]*')}$`, 'su');
}

/** Docker's name filter is a regular expression; only such as cannot run for long are taken. */
export function nameExpression(text: string): RegExp {
	const quantifiers = text.match(/[*+?{]/g)?.length ?? 0;
	if (text.length > 256 || quantifiers > 3 || /[*+?}][*+?{]|\\[1-9]|\(/.test(text)) {
		throw new EngineError('invalid', `invalid filter 'name=${text}': give a part of the name or a simple pattern`);
	}
	try {
		return new RegExp(text);
	} catch (error) {
		throw new EngineError('invalid', `invalid filter 'name=${text}'`, { cause: error });
	}
}

function escape(text: string): string {
	return text.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&');
}

function parseObject(text: string): object {
	let value: unknown;
	try {
		value = JSON.parse(text);
	} catch (error) {
		throw new EngineError('invalid', `invalid filter: ${text.slice(0, 200)} is not JSON`, { cause: error });
	}
	if (typeof value !== 'object' || value === null || Array.isArray(value)) {
		throw new EngineError('invalid', 'invalid filter: a JSON object of filter names is expected');
	}
	return value;
}

function valuesOf(values: unknown): string[] {
	const list: unknown = Array.isArray(values)
		? values
		: typeof values === 'object' && values !== null
			? Object.entries(values).flatMap(([value, isWanted]) => (isWanted === true ? [value] : []))
			: undefined;
	if (!Array.isArray(list) || !list.every((value) => typeof value === 'string')) {
		throw new EngineError('invalid', 'invalid filter: values are an array of strings or an object of booleans');
	}
	return list;
}
