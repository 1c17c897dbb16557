import { TemplateError } from './errors';
import { Missing, functions, isObject, isTrue, show, sortedEntries } from './template-functions';
import { parseTemplate } from './template-syntax';
import type { Item, Pipeline, Term } from './template-syntax';
import { memberType, typesIn } from './template-types';
import type { Type } from './template-types';

/** Fills the template. `type` has what the data leave out. Throws TemplateError when it does not fit the data. */
export type Template = (data: unknown, type?: Type) => string;

/**
 * Reads a template: the part of Go's text/template that people and scripts use with docker's `--format`. Data are JSON
 * values; a function among them is a field with an argument. Throws TemplateError.
 */
export function compileTemplate(text: string): Template {
	const items = parseTemplate(text);
	return (data, type) => render(items, { dot: data, variables: new Map([['$', data]]), types: typesIn(data, type) });
}

interface Scope {
	readonly dot: unknown;
	readonly variables: ReadonlyMap<string, unknown>;
	/** Of lists, maps and structs of the data, where they are known. */
	readonly types: ReadonlyMap<unknown, Type>;
}

function render(items: readonly Item[], scope: Scope): string {
	let current = scope;
	let output = '';
	for (const item of items) {
		if (item.kind === 'text') {
			output += item.text;
		} else if (item.kind === 'action') {
			const value = evaluate(item.pipeline, current);
			current = declare(current, item.pipeline, [value]);
			output += item.pipeline.declares.length > 0 ? '' : show(value);
		} else {
			output += renderControl(item, current);
		}
	}
	return output;
}

function renderControl(item: Extract<Item, { readonly body: readonly Item[] }>, scope: Scope): string {
	const value = evaluate(item.pipeline, scope);
	if (!isTrue(value)) {
		return render(item.otherwise, scope);
	}
	if (item.kind !== 'range') {
		const inner = declare(scope, item.pipeline, [value]);
		return render(item.body, item.kind === 'with' ? { ...inner, dot: value } : inner);
	}
	return entries(value)
		.map(([key, element]) => {
			const values = item.pipeline.declares.length === 1 ? [element] : [key, element];
			return render(item.body, { ...declare(scope, item.pipeline, values), dot: element });
		})
		.join('');
}

function entries(value: unknown): (readonly [unknown, unknown])[] {
	if (Array.isArray(value)) {
		return value.map((element: unknown, index) => [index, element]);
	}
	if (isObject(value)) {
		return sortedEntries(value);
	}
	throw new TemplateError(`template: :1: executing "": range can't iterate over ${show(value)}`);
}

function declare(scope: Scope, pipeline: Pipeline, values: readonly unknown[]): Scope {
	const declared = pipeline.declares.map((name, index) => [name, values[index]] as const);
	return declared.length === 0 ? scope : { ...scope, variables: new Map([...scope.variables, ...declared]) };
}

function evaluate(pipeline: Pipeline, scope: Scope): unknown {
	let piped: unknown[] = [];
	for (const command of pipeline.commands) {
		piped = [evaluateCommand(command, piped, scope)];
	}
	return piped[0];
}

function evaluateCommand(command: readonly Term[], piped: readonly unknown[], scope: Scope): unknown {
	const [first, ...rest] = command;
	const values = [...rest.map((term) => valueOf(term, scope)), ...piped];
	if (first?.kind === 'function') {
		return functions.get(first.name)?.(...values);
	}
	const value = first === undefined ? undefined : valueOf(first, scope);
	if (typeof value === 'function') {
		return (value as (...parameters: readonly unknown[]) => unknown)(...values);
	}
	if (values.length > 0) {
		throw new TemplateError(`template: :1: executing "": can't give argument to non-function ${show(value)}`);
	}
	return value;
}

function valueOf(term: Term, scope: Scope): unknown {
	switch (term.kind) {
		case 'literal':
			return term.value;
		case 'variable':
			if (!scope.variables.has(term.name)) {
				throw new TemplateError(`template: :1: undefined variable ${JSON.stringify(term.name)}`);
			}
			return scope.variables.get(term.name);
		case 'pipeline':
			return evaluate(term.pipeline, scope);
		case 'function':
			return functions.get(term.name)?.();
		case 'field': {
			const base = term.base === undefined ? scope.dot : valueOf(term.base, scope);
			return term.names.reduce((value, name) => fieldOf(value, name, term.source, scope.types), base);
		}
	}
}

function fieldOf(value: unknown, name: string, source: string, types: Scope['types']): unknown {
	if (value instanceof Missing) {
		return value.field(source);
	}
	if (value === null || value === undefined) {
		throw new TemplateError(`template: :1: executing "" at <${source}>: nil pointer evaluating ${name}`);
	}
	if (!isObject(value)) {
		const type = Array.isArray(value) ? 'slice' : typeof value;
		throw new TemplateError(
			`template: :1: executing "" at <${source}>: can't evaluate field ${name} in type ${type}`,
		);
	}
	const member = Object.hasOwn(value, name) ? value[name] : undefined;
	return member ?? emptyField(value, name, source, types);
}

/** What stands for a field that is null or not there. */
function emptyField(value: Record<string, unknown>, name: string, source: string, types: Scope['types']): unknown {
	const type = types.get(value);
	const known = type && memberType(type, name);
	if (known?.sameAs !== undefined) {
		return fieldOf(value, known.sameAs, source, types);
	}
	if (known !== undefined) {
		return known.empty ?? new Missing(name, source, 'pointer');
	}
	return Object.hasOwn(value, name) ? null : new Missing(name, source, type?.isMap === true ? 'key' : 'unknown');
}
