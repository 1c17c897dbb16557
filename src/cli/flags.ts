import { FlagError, UsageError } from './errors';

/**
 * A flag of a command, as docker describes it in its help. A flag that is given several times is parsed several times;
 * `previous` is the value so far.
 */
export interface Flag<T> {
	/** "-a, --all" or "--all". */
	readonly spelling: string;
	/** What the value is called in the help ("list"); empty for a switch, whose bare form means "true". */
	readonly type: string;
	readonly description: string;
	readonly initial: T;
	/** Throws FlagError. */
	parse(text: string, previous: T): T;
	/** Another name that the help does not show, "--net". */
	readonly alias?: string;
}

export type Flags = Readonly<Record<string, Flag<unknown>>>;

/** The parsed values of a set of flags. */
export type Values<F extends Flags> = { readonly [K in keyof F]: F[K] extends Flag<infer T> ? T : never };

/** `--all`, `--all=false`. */
export function toggle(spelling: string, description: string, initial = false): Flag<boolean> {
	return { spelling, type: '', description, initial, parse: (text) => parseBoolean(spelling, text) };
}

/** One value; the last one given counts. */
export function text<T extends string | undefined = string | undefined>(
	spelling: string,
	type: string,
	description: string,
	initial?: T,
): Flag<string | T> {
	return { spelling, type, description, initial: initial as T, parse: (value) => value };
}

/** May be given several times. `check` may refuse a value with a reason by throwing FlagError. */
export function list(
	spelling: string,
	type: string,
	description: string,
	check: (value: string) => void = () => undefined,
): Flag<readonly string[]> {
	return {
		spelling,
		type,
		description,
		initial: [],
		parse(value, previous) {
			check(value);
			return [...previous, value];
		},
	};
}

/** A whole number, in Go's notation as docker takes it: 16, -1, 0x10. */
export function integer(spelling: string, description: string): Flag<number | undefined> {
	return { spelling, type: 'int', description, initial: undefined, parse: (value) => parseInteger(spelling, value) };
}

/** `--filter name=value`; several values of one name are alternatives. */
export function filters(description: string): Flag<Readonly<Record<string, readonly string[]>>> {
	const spelling = '-f, --filter';
	return {
		spelling,
		type: 'filter',
		description,
		initial: {},
		parse(value, previous) {
			const equals = value.indexOf('=');
			if (equals < 0) {
				throw new FlagError(spelling, value, 'bad format of filter (expected name=value)');
			}
			const name = value.slice(0, equals).trim().toLowerCase();
			const earlier = Object.hasOwn(previous, name) ? previous[name] : undefined;
			return { ...previous, [name]: [...(earlier ?? []), value.slice(equals + 1).trim()] };
		},
	};
}

/** What an argument list says: the flags' values, and the rest. */
export interface ParsedArguments {
	readonly operands: readonly string[];
	readonly values: Readonly<Record<string, unknown>>;
	/** `--help` was among the flags; what follows it was not looked at. */
	readonly isHelp: boolean;
}

/**
 * Reads an argument list with docker's flag syntax (Go's pflag): `--name value`, `--name=value`, `-n value`, `-nvalue`,
 * `-n=value`, `-it`, `--switch=false`, and `--` as the end of flags. With `stopAtOperand` everything from the first
 * operand on is an operand. Throws UsageError with docker's words.
 */
export function parseFlags(flags: Flags, args: readonly string[], stopAtOperand: boolean): ParsedArguments {
	const values: Record<string, unknown> = initialValues(flags);
	const operands: string[] = [];
	const rest = [...args];
	for (let argument = rest.shift(); argument !== undefined; argument = rest.shift()) {
		if (argument === '--') {
			operands.push(...rest);
			break;
		}
		if (argument === '--help' || argument === '--help=true') {
			return { operands, values, isHelp: true };
		}
		if (argument.startsWith('--')) {
			parseLong(flags, argument, rest, values);
		} else if (argument.startsWith('-') && argument !== '-') {
			parseShort(flags, argument.slice(1), rest, values);
		} else {
			operands.push(argument, ...(stopAtOperand ? rest.splice(0) : []));
		}
	}
	return { operands, values, isHelp: false };
}

/** The values when no flag is given. */
export function initialValues(flags: Flags): Record<string, unknown> {
	return Object.fromEntries(Object.entries(flags).map(([key, flag]) => [key, flag.initial]));
}

function parseLong(flags: Flags, argument: string, rest: string[], values: Record<string, unknown>): void {
	const equals = argument.indexOf('=');
	const name = equals < 0 ? argument : argument.slice(0, equals);
	if (!/^--[^-=]/.test(name)) {
		throw new UsageError(`bad flag syntax: ${argument}`);
	}
	const key = findKey(flags, name);
	if (key === undefined) {
		throw new UsageError(`unknown flag: ${name}`);
	}
	const inline = equals < 0 ? undefined : argument.slice(equals + 1);
	set(flags, key, values, inline ?? bareValue(flags[key]) ?? rest.shift(), name);
}

/** `letters` is a group of short flags without the dash; the first one that wants a value takes the remainder. */
function parseShort(flags: Flags, letters: string, rest: string[], values: Record<string, unknown>): void {
	const letter = String.fromCodePoint(letters.codePointAt(0) ?? 0);
	const key = findKey(flags, `-${letter}`);
	if (key === undefined) {
		throw new UsageError(`unknown shorthand flag: '${letter}' in -${letters}`);
	}
	const after = letters.slice(letter.length);
	if (after.startsWith('=')) {
		set(flags, key, values, after.slice(1), letter);
		return;
	}
	const bare = bareValue(flags[key]);
	if (bare === undefined) {
		set(flags, key, values, after === '' ? rest.shift() : after, `'${letter}' in -${letters}`);
		return;
	}
	set(flags, key, values, bare, letter);
	if (after !== '') {
		parseShort(flags, after, rest, values);
	}
}

function set(
	flags: Flags,
	key: string,
	values: Record<string, unknown>,
	value: string | undefined,
	shown: string,
): void {
	if (value === undefined) {
		throw new UsageError(`flag needs an argument: ${shown}`);
	}
	values[key] = flags[key]?.parse(value, values[key]);
}

function findKey(flags: Flags, name: string): string | undefined {
	return Object.keys(flags).find((key) => {
		const flag = flags[key];
		return flag !== undefined && (flag.alias === name || flag.spelling.split(', ').includes(name));
	});
}

function bareValue(flag: Flag<unknown> | undefined): string | undefined {
	return flag?.type === '' ? 'true' : undefined;
}

function parseBoolean(spelling: string, value: string): boolean {
	if (['1', 't', 'T', 'TRUE', 'true', 'True'].includes(value)) {
		return true;
	}
	if (['0', 'f', 'F', 'FALSE', 'false', 'False'].includes(value)) {
		return false;
	}
	throw new FlagError(spelling, value, `strconv.ParseBool: parsing ${JSON.stringify(value)}: invalid syntax`);
}

function parseInteger(spelling: string, value: string): number {
	const match = /^([+-]?)(0[xX][0-9a-fA-F]+|0[oO]?[0-7]+|\d+)$/.exec(value);
	const digits = match?.[2]?.replace(/^0[oO]?(?=[0-7])/, '0o');
	const number = Number(digits ?? NaN) * (match?.[1] === '-' ? -1 : 1);
	if (Number.isNaN(number)) {
		throw new FlagError(spelling, value, `strconv.ParseInt: parsing ${JSON.stringify(value)}: invalid syntax`);
	}
	if (!Number.isSafeInteger(number)) {
		throw new FlagError(spelling, value, `strconv.ParseInt: parsing ${JSON.stringify(value)}: value out of range`);
	}
	return number;
}
