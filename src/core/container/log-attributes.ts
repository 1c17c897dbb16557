import { EngineError } from '../errors';
import type { Container } from '../types';

/** What a log knows of its container. */
export type LogSubject = Pick<Container, 'id' | 'name' | 'image_id' | 'labels' | 'config'>;

type Options = Readonly<Record<string, string>>;

/**
 * What docker writes beside each line (json-file's attrs): labels and variables of the container that the options
 * labels, labels-regex, env and env-regex choose, and the tag.
 */
export function logAttributes(options: Options, subject: LogSubject): Readonly<Record<string, string>> {
	const variables = Object.fromEntries(subject.config.env.map(splitVariable));
	const attributes = {
		...chosen(subject.labels, options['labels'], options['labels-regex']),
		...chosen(variables, options['env'], options['env-regex']),
		...(options['tag'] ? { tag: logTag(options['tag'], subject, options) } : {}),
	};
	return Object.fromEntries(Object.entries(attributes).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function chosen(all: Options, names = '', regex = ''): Options {
	const wanted = names.split(',');
	const pattern = regex === '' ? undefined : new RegExp(regex);
	return Object.fromEntries(
		Object.entries(all).filter(([name]) => wanted.includes(name) || pattern?.test(name) === true),
	);
}

function splitVariable(variable: string): [string, string] {
	const equals = variable.indexOf('=');
	return equals < 0 ? [variable, ''] : [variable.slice(0, equals), variable.slice(equals + 1)];
}

const FIELDS: Readonly<Record<string, (subject: LogSubject) => string>> = {
	ID: ({ id }) => id.slice(0, 12),
	FullID: ({ id }) => id,
	Name: ({ name }) => name,
	ImageID: ({ image_id }) => image_id.replace(/^sha256:/, '').slice(0, 12),
	ImageFullID: ({ image_id }) => image_id,
	ImageName: ({ config }) => config.image,
	Command: ({ config }) => [...config.entrypoint, ...config.command].join(' '),
	DaemonName: () => 'mydocker',
};

/**
 * Fills the fields of docker's log tag, "{{.Name}}/{{.ID}}"; "{{(.ExtraAttributes nil).NAME}}" is a label or variable
 * that the options choose.
 */
export function logTag(template: string, subject: LogSubject, options: Options = {}): string {
	const extra = logAttributes({ ...options, tag: '' }, subject);
	return template
		.replaceAll(EXTRA, (_, name: string) => extra[name] ?? '')
		.replaceAll(FIELD, (_, name: string) => FIELDS[name]?.(subject) ?? '');
}

const FIELD = /\{\{-? *\.(\w+) *-?\}\}/g;
const EXTRA = /\{\{-? *\(\.ExtraAttributes nil\)\.(\w+) *-?\}\}/g;

/** Throws EngineError "invalid" for options that could not be followed at each start. */
export function checkLogAttributes(options: Options): void {
	const tag = (options['tag'] ?? '').replaceAll(EXTRA, '');
	const unknown = [...tag.matchAll(FIELD)].find(([, name = '']) => FIELDS[name] === undefined);
	const rest = tag.replaceAll(FIELD, '');
	if (unknown !== undefined || rest.includes('{{')) {
		const what = unknown?.[0] ?? rest;
		throw new EngineError(
			'invalid',
			`invalid log tag: "${what}" is no field; there are ${Object.keys(FIELDS).join(', ')}`,
		);
	}
	for (const name of ['labels-regex', 'env-regex']) {
		try {
			new RegExp(options[name] ?? '');
		} catch (error) {
			const reason = error instanceof Error ? error.message : String(error);
			throw new EngineError('invalid', `invalid value for ${name}: ${reason}`);
		}
	}
}

/** As Go writes JSON: < > & and the line separators escaped. */
export function attributesJson(attributes: Readonly<Record<string, string>>): string {
	if (Object.keys(attributes).length === 0) {
		return '';
	}
	return JSON.stringify(attributes).replaceAll(
		/[<>&\u2028\u2029]/g,
		(character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
	);
}
