import { TemplateError } from './errors';

/** A field that is not there. It is false to `if`, and an error, "<no value>" or "<nil>" when shown. */
export class Missing {
	constructor(
		readonly name: string,
		readonly source: string,
		/** A nil pointer of a struct, a key that a map does not have, or one of both where no type is known. */
		readonly kind: 'pointer' | 'key' | 'unknown',
	) {}

	/**
	 * Go tells a struct without such a field, which is an error, from a map without such a key, which is not. JSON does
	 * not tell them apart, but fields of Go are in upper case.
	 */
	toString(): string {
		if (this.kind === 'pointer') {
			return '<nil>';
		}
		if (this.kind === 'unknown' && /^[A-Z]/.test(this.name)) {
			throw this.error(this.source);
		}
		return '<no value>';
	}

	/** A field of it: the first name that is not there is named. */
	field(source: string): this {
		if (this.kind === 'pointer') {
			throw this.error(source);
		}
		this.toString();
		return this;
	}

	private error(source: string): TemplateError {
		const where = `template: :1: executing "" at <${source}>`;
		return new TemplateError(`${where}: map has no entry for key ${JSON.stringify(this.name)}`);
	}
}

export function isTrue(value: unknown): boolean {
	if (value instanceof Missing || value === null || value === undefined) {
		return false;
	}
	if (Array.isArray(value)) {
		return value.length > 0;
	}
	return typeof value === 'object' ? Object.keys(value).length > 0 : Boolean(value);
}

/** As Go's fmt prints it: `[a b]`, `map[key:value]`. */
export function show(value: unknown): string {
	if (value === null || value === undefined) {
		return '<nil>';
	}
	if (Array.isArray(value)) {
		return `[${value.map(show).join(' ')}]`;
	}
	if (isObject(value)) {
		return `map[${sortedEntries(value)
			.map(([key, member]) => `${key}:${show(member)}`)
			.join(' ')}]`;
	}
	// eslint-disable-next-line @typescript-eslint/no-base-to-string -- what is left are texts, numbers, booleans and Missing
	return String(value);
}

export function isObject(value: unknown): value is Record<string, unknown> {
	return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Missing);
}

export function sortedEntries(value: Record<string, unknown>): [string, unknown][] {
	return Object.entries(value)
		.filter(([, member]) => typeof member !== 'function')
		.sort(([a], [b]) => (a < b ? -1 : 1));
}
type Function = (...values: readonly unknown[]) => unknown;

export const functions: ReadonlyMap<string, Function> = new Map<string, Function>([
	['json', (value) => JSON.stringify(value instanceof Missing ? null : (value ?? null))],
	['join', (list, separator) => (Array.isArray(list) ? list.map(show).join(show(separator)) : show(list))],
	['split', (text, separator) => show(text).split(show(separator))],
	['lower', (text) => show(text).toLowerCase()],
	['upper', (text) => show(text).toUpperCase()],
	['title', (text) => show(text).replace(/(?<=^|\s)\S/g, (letter) => letter.toUpperCase())],
	['pad', (text, before, after) => ' '.repeat(Number(before)) + show(text) + ' '.repeat(Number(after))],
	['truncate', (text, length) => Array.from(show(text)).slice(0, Number(length)).join('')],
	['print', (...values) => values.map(show).join('')],
	['println', (...values) => `${values.map(show).join(' ')}\n`],
	['printf', (format, ...values) => printf(show(format), values)],
	['len', (value) => lengthOf(value)],
	['index', (value, ...keys) => keys.reduce(indexed, value)],
	['slice', (value, from, to) => (Array.isArray(value) ? value : show(value)).slice(Number(from), optional(to))],
	['and', (...values) => values.find((value) => !isTrue(value)) ?? values.at(-1)],
	['or', (...values) => values.find(isTrue) ?? values.at(-1)],
	['not', (value) => !isTrue(value)],
	['eq', (value, ...others) => others.some((other) => isEqual(value, other))],
	['ne', (value, other) => !isEqual(value, other)],
	['lt', (a, b) => compared(a, b) < 0],
	['le', (a, b) => compared(a, b) <= 0],
	['gt', (a, b) => compared(a, b) > 0],
	['ge', (a, b) => compared(a, b) >= 0],
]);

/** What is not there equals nil. */
function isEqual(one: unknown, other: unknown): boolean {
	const [a, b] = [one, other].map((value) => (value instanceof Missing ? null : value));
	return a === b;
}

function optional(value: unknown): number | undefined {
	return value === undefined ? undefined : Number(value);
}

function compared(a: unknown, b: unknown): number {
	if (typeof a === 'number' && typeof b === 'number') {
		return a - b;
	}
	if (typeof a === 'string' && typeof b === 'string') {
		return a < b ? -1 : a > b ? 1 : 0;
	}
	throw new TemplateError('template: :1: executing "": incompatible types for comparison');
}

function lengthOf(value: unknown): number {
	if (typeof value === 'string') {
		return Buffer.byteLength(value);
	}
	if (Array.isArray(value)) {
		return value.length;
	}
	if (isObject(value)) {
		return Object.keys(value).length;
	}
	throw new TemplateError(`template: :1: executing "": error calling len: len of ${show(value)}`);
}

/** An element of a list, which must be there, or a member of a map, which need not: Go then gives an empty value. */
function indexed(value: unknown, key: unknown): unknown {
	if (Array.isArray(value)) {
		if (typeof key !== 'number' || key < 0 || key >= value.length) {
			throw new TemplateError(
				`template: :1: executing "": error calling index: index out of range: ${show(key)}`,
			);
		}
		return value[key];
	}
	if (isObject(value)) {
		const name = show(key);
		return Object.hasOwn(value, name) ? value[name] : '';
	}
	if (value === '' || value === null || value === undefined) {
		throw new TemplateError('template: :1: executing "": error calling index: index of untyped nil');
	}
	throw new TemplateError(`template: :1: executing "": error calling index: can't index ${show(value)}`);
}

function printf(format: string, values: readonly unknown[]): string {
	const rest = [...values];
	return format.replace(
		/%([-+0 #]*)(\d+)?(?:\.(\d+))?([a-zA-Z%])/g,
		(_, marks: string, width: string | undefined, precision: string | undefined, verb: string) => {
			if (verb === '%') {
				return '%';
			}
			const text = rest.length === 0 ? `%!${verb}(MISSING)` : verbText(rest.shift(), verb, precision);
			const wide = Number(width ?? 0);
			return marks.includes('-') ? text.padEnd(wide) : text.padStart(wide, marks.includes('0') ? '0' : ' ');
		},
	);
}

function verbText(value: unknown, verb: string, precision: string | undefined): string {
	if (verb === 'q') {
		return JSON.stringify(show(value));
	}
	if (verb === 'f' && typeof value === 'number') {
		return value.toFixed(Number(precision ?? 6));
	}
	if (verb === 'x' && typeof value === 'number') {
		return value.toString(16);
	}
	return precision === undefined ? show(value) : Array.from(show(value)).slice(0, Number(precision)).join('');
}
