import { TemplateError } from './errors';
import { functions } from './template-functions';

/** Fields looked up one in the other: `.State.ExitCode`. */
interface Field {
	readonly kind: 'field';
	/** What the names are looked up in; undefined is the dot. */
	readonly base: Term | undefined;
	readonly names: readonly string[];
	readonly source: string;
}
/** What stands between spaces. */
export type Term =
	| { readonly kind: 'literal'; readonly value: unknown }
	| { readonly kind: 'variable'; readonly name: string }
	| { readonly kind: 'function'; readonly name: string }
	| { readonly kind: 'pipeline'; readonly pipeline: Pipeline }
	| Field;
/** What stands between `{{` and `}}`, or in parentheses. */
export interface Pipeline {
	/** `$x := …` and `$i, $x := …` */
	readonly declares: readonly string[];
	/** Each command's value is the last argument of the next. */
	readonly commands: readonly (readonly Term[])[];
}
/** A piece of a template, with what is inside its `if`, `with` or `range`. */
export type Item =
	| { readonly kind: 'text'; readonly text: string }
	| { readonly kind: 'action'; readonly pipeline: Pipeline }
	| {
			readonly kind: 'if' | 'with' | 'range';
			readonly pipeline: Pipeline;
			readonly body: readonly Item[];
			readonly otherwise: readonly Item[];
	  };

type Piece = { readonly text: string } | { readonly action: string };

/** Reads a template into its items. Throws TemplateError. */
export function parseTemplate(text: string): Item[] {
	return parseBlock(pieces(text), []);
}

/** Texts and actions in turn; `{{-` and `-}}` have already eaten the white space beside them. */
function pieces(text: string): Piece[] {
	const found: Piece[] = [];
	let rest = text;
	let isTrimmed = false;
	for (let at = rest.indexOf('{{'); at >= 0; at = rest.indexOf('{{')) {
		const match = /^\{\{(-\s)?((?:"(?:[^"\\]|\\.)*"|`[^`]*`|(?!\}\})[^"`])*?)(\s-)?\}\}/.exec(rest.slice(at));
		if (match === null) {
			throw new TemplateError('template: :1: unclosed action');
		}
		const before = isTrimmed ? rest.slice(0, at).trimStart() : rest.slice(0, at);
		found.push({ text: match[1] === undefined ? before : before.trimEnd() });
		found.push({ action: (match[2] ?? '').trim() });
		isTrimmed = match[3] !== undefined;
		rest = rest.slice(at + match[0].length);
	}
	return [...found, { text: isTrimmed ? rest.trimStart() : rest }];
}

/** Items up to one of the words in `ends`, which is taken; at the top level up to the end of the text. */
function parseBlock(source: Piece[], ends: readonly string[]): Item[] {
	const items: Item[] = [];
	for (let piece = source.shift(); piece !== undefined; piece = source.shift()) {
		if ('text' in piece) {
			items.push({ kind: 'text', text: piece.text });
			continue;
		}
		const [, word = '', rest = ''] = /^([a-z]+)\b\s*([^]*)$/.exec(piece.action) ?? [];
		if (word === 'end' || word === 'else') {
			if (!ends.includes(word)) {
				throw new TemplateError(`template: :1: unexpected {{${word}}}`);
			}
			source.unshift(piece);
			return items;
		}
		if (word === 'if' || word === 'with' || word === 'range') {
			items.push(parseControl(word, rest, source));
		} else if (!piece.action.startsWith('/*')) {
			items.push({ kind: 'action', pipeline: parsePipeline(piece.action) });
		}
	}
	if (ends.length > 0) {
		throw new TemplateError('template: :1: unexpected EOF');
	}
	return items;
}

function parseControl(kind: 'if' | 'with' | 'range', head: string, source: Piece[]): Item {
	const pipeline = parsePipeline(head);
	const body = parseBlock(source, ['else', 'end']);
	const next = takeAction(source);
	if (next === 'end') {
		return { kind, pipeline, body, otherwise: [] };
	}
	const chained = /^else\s+(if|with)\b\s*([^]*)$/.exec(next);
	if (chained !== null) {
		// "else if" is an if inside the else; they share one end.
		return {
			kind,
			pipeline,
			body,
			otherwise: [parseControl(chained[1] as 'if' | 'with', chained[2] ?? '', source)],
		};
	}
	const otherwise = parseBlock(source, ['end']);
	takeAction(source);
	return { kind, pipeline, body, otherwise };
}

function takeAction(source: Piece[]): string {
	const piece = source.shift();
	return piece !== undefined && 'action' in piece ? piece.action : '';
}

const TOKEN =
	/\s*(?:(?<text>"(?:[^"\\]|\\.)*"|`[^`]*`)|(?<number>[-+]?\d+(?:\.\d+)?)|(?<variable>\$\w*)|(?<field>\.\w+)|(?<word>\w+)|(?<sign>:=|[.()|,=]))/y;

interface Token {
	readonly kind: string;
	readonly text: string;
	/** White space stands before it: in `index . "x"` and `.A .B` it separates. */
	readonly isApart: boolean;
}

function tokens(source: string): Token[] {
	const found: Token[] = [];
	TOKEN.lastIndex = 0;
	while (source.slice(TOKEN.lastIndex).trim() !== '') {
		const at = TOKEN.lastIndex;
		const match = TOKEN.exec(source);
		const [kind, text] =
			Object.entries<string | undefined>(match?.groups ?? {}).find(([, value]) => value !== undefined) ?? [];
		if (match === null || kind === undefined || text === undefined) {
			throw new TemplateError(
				`template: :1: unexpected ${JSON.stringify(source.slice(at).trim()[0])} in operand`,
			);
		}
		found.push({ kind, text, isApart: match[0] !== text });
	}
	return found;
}

function parsePipeline(source: string): Pipeline {
	const rest = tokens(source);
	const pipeline = readPipeline(rest);
	if (rest.length > 0) {
		throw new TemplateError(`template: :1: unexpected ${JSON.stringify(rest[0]?.text)} in operand`);
	}
	return pipeline;
}

function readPipeline(rest: Token[]): Pipeline {
	const declares = readDeclarations(rest);
	const commands: Term[][] = [];
	do {
		const terms: Term[] = [];
		for (let term = readTerm(rest); term !== undefined; term = readTerm(rest)) {
			terms.push(term);
		}
		if (terms.length === 0) {
			throw new TemplateError('template: :1: missing value for command');
		}
		commands.push(terms);
	} while (takeSign(rest, '|'));
	return { declares, commands };
}

function readDeclarations(rest: Token[]): string[] {
	const end = rest.findIndex((token) => token.text === ':=' || token.text === '=');
	const head = end < 0 ? [] : rest.slice(0, end);
	if (!head.every((token) => token.kind === 'variable' || token.text === ',')) {
		return [];
	}
	rest.splice(0, end + 1);
	return head.filter((token) => token.kind === 'variable').map((token) => token.text);
}

function takeSign(rest: Token[], sign: string): boolean {
	const isNext = rest[0]?.kind === 'sign' && rest[0].text === sign;
	if (isNext) {
		rest.shift();
	}
	return isNext;
}

/** The next term with the fields that hang on it; undefined where the command ends. */
function readTerm(rest: Token[]): Term | undefined {
	const token = rest[0];
	if (token === undefined || (token.kind === 'sign' && (token.text === '|' || token.text === ')'))) {
		return undefined;
	}
	const base = readBase(rest);
	const names: string[] = [];
	while (rest[0]?.kind === 'field' && !rest[0].isApart) {
		names.push(rest.shift()?.text.slice(1) ?? '');
	}
	if (base?.kind === 'field') {
		const all = [...base.names, ...names];
		return { ...base, names: all, source: `.${all.join('.')}` };
	}
	return names.length === 0 && base !== undefined
		? base
		: { kind: 'field', base, names, source: `.${names.join('.')}` };
}

/** A term without what hangs on it; undefined is the dot. */
function readBase(rest: Token[]): Term | undefined {
	const token = rest.shift();
	switch (token?.kind) {
		case 'text':
			return { kind: 'literal', value: unquote(token.text) };
		case 'number':
			return { kind: 'literal', value: Number(token.text) };
		case 'variable':
			return { kind: 'variable', name: token.text };
		case 'field':
			return { kind: 'field', base: undefined, names: [token.text.slice(1)], source: token.text };
		case 'word':
			return readWord(token.text);
	}
	if (token?.text === '.') {
		return undefined;
	}
	if (token?.text !== '(') {
		throw new TemplateError(`template: :1: unexpected ${JSON.stringify(token?.text)} in operand`);
	}
	const pipeline = readPipeline(rest);
	if (!takeSign(rest, ')')) {
		throw new TemplateError('template: :1: unclosed left paren');
	}
	return { kind: 'pipeline', pipeline };
}

function readWord(word: string): Term {
	const constants: Readonly<Record<string, unknown>> = { true: true, false: false, nil: null };
	if (Object.hasOwn(constants, word)) {
		return { kind: 'literal', value: constants[word] };
	}
	if (!functions.has(word)) {
		throw new TemplateError(`template: :1: function ${JSON.stringify(word)} not defined`);
	}
	return { kind: 'function', name: word };
}

function unquote(text: string): string {
	if (text.startsWith('`')) {
		return text.slice(1, -1);
	}
	const escapes: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r' };
	return text.slice(1, -1).replace(/\\(.)/g, (_, letter: string) => escapes[letter] ?? letter);
}
