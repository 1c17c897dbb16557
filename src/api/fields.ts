import { EngineError } from '../core/errors';

/** Values that mean "as usual", besides null, "", 0, false and emptiness. */
export type Defaults = Readonly<Record<string, readonly unknown[]>>;

/** Members of a JSON object, read with a type; a member of another type is refused by its name. */
export class Fields {
	constructor(
		private readonly value: object,
		private readonly prefix: string,
	) {}

	string(name: string): string {
		const value = this.get(name) ?? '';
		if (typeof value !== 'string' || value.includes('\0')) {
			throw this.wrong(name, 'a string');
		}
		return value;
	}

	flag(name: string): boolean {
		return this.optionalFlag(name) ?? false;
	}

	optionalFlag(name: string): boolean | undefined {
		const value = this.get(name);
		if (value !== undefined && typeof value !== 'boolean') {
			throw this.wrong(name, 'a boolean');
		}
		return value;
	}

	integer(name: string): number {
		return this.optionalInteger(name) ?? 0;
	}

	optionalInteger(name: string): number | undefined {
		const value = this.get(name);
		if (value !== undefined && !(typeof value === 'number' && Number.isSafeInteger(value))) {
			throw this.wrong(name, 'a whole number');
		}
		return value;
	}

	/** A list of strings, or one string, as docker takes both. */
	words(name: string): string[] | undefined {
		const value = this.get(name);
		const list = typeof value === 'string' ? [value] : value;
		if (list === undefined) {
			return undefined;
		}
		if (!isWords(list)) {
			throw this.wrong(name, 'a list of strings');
		}
		return list;
	}

	/** A list of whole numbers. */
	integers(name: string): number[] | undefined {
		const value = this.get(name);
		if (value === undefined) {
			return undefined;
		}
		if (!Array.isArray(value) || !value.every((item) => Number.isSafeInteger(item))) {
			throw this.wrong(name, 'a list of whole numbers');
		}
		return value as number[];
	}

	object(name: string): object | undefined {
		const value = this.get(name);
		return value === undefined ? undefined : object(value, this.prefix + name);
	}

	/** The members of an object; a missing one has none. */
	fields(name: string): Fields {
		return new Fields(this.object(name) ?? {}, `${this.prefix}${name}.`);
	}

	objects(name: string): Fields[] {
		const value = this.get(name) ?? [];
		if (!Array.isArray(value)) {
			throw this.wrong(name, 'a list');
		}
		return value.map((item, index) => new Fields(object(item, `${this.prefix}${name}[${index}]`), `${name}.`));
	}

	/** An object whose members are strings. */
	record(name: string): Record<string, string> {
		const entries = Object.entries(this.object(name) ?? {});
		if (!entries.every(([key, value]) => typeof value === 'string' && !`${key}${value}`.includes('\0'))) {
			throw this.wrong(name, 'an object of strings');
		}
		return Object.fromEntries(entries);
	}

	/** Throws for the first of the named members that says anything but its default. */
	refuse(defaults: Defaults): void {
		for (const [name, usual] of Object.entries(defaults)) {
			const value = this.get(name);
			if (!isEmpty(value) && !usual.includes(value)) {
				throw unsupported(this.prefix + name);
			}
		}
	}

	/** Undefined for a missing member and for null. */
	private get(name: string): unknown {
		return (Object.hasOwn(this.value, name) ? (Reflect.get(this.value, name) as unknown) : undefined) ?? undefined;
	}

	private wrong(name: string, expected: string): EngineError {
		return new EngineError('invalid', `Cannot read "${this.prefix}${name}": ${expected} is expected`);
	}
}

export function object(value: unknown, name: string): object {
	if (typeof value !== 'object' || value === null || Array.isArray(value)) {
		throw new EngineError('invalid', `Cannot read "${name}": an object is expected`);
	}
	return value;
}

/** Strings that a C program can take. */
function isWords(value: unknown): value is string[] {
	return Array.isArray(value) && value.every((word) => typeof word === 'string' && !word.includes('\0'));
}

function isEmpty(value: unknown): boolean {
	if (typeof value === 'object' && value !== null) {
		return Object.keys(value).length === 0;
	}
	return value === undefined || value === null || value === '' || value === 0 || value === false;
}

/** A setting that would make the container another one than was asked for. */
export function unsupported(option: string): EngineError {
	return new EngineError('unsupported', `Cannot create container: option "${option}" is not supported yet`);
}
