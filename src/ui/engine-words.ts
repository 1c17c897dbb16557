/**
 * What the engine says, in the window's language. The engine composes English sentences, which scripts and logs rely on;
 * l10n/engine.<language>.json has their translations, as templates.
 */
import * as fs from 'node:fs';
import * as path from 'node:path';

/** English templates and their translations. "{0}" stands for any text, which may be a sentence itself. */
export type EngineWords = Readonly<Record<string, string>>;
/** What a language's file holds. */
export interface EngineLanguage {
	/** As they stand in our sources. */
	readonly sentences: EngineWords;
	/** As they come out where the sources put words together, and what runtimes, registries and Node say. */
	readonly composed: EngineWords;
}
/** Gives what it does not know as it is. */
export type Translate = (message: string) => string;

/** Sentences inside of each other. */
const DEEPEST = 4;
/** Reasons beside each other. */
const MOST_REASONS = 8;

/** The translation that the extension in `folder` has for this language, as VS Code names it; undefined where it has none. */
export async function loadEngineWords(folder: string, language: string): Promise<Translate | undefined> {
	const file = path.join(folder, 'l10n', `engine.${path.basename(language)}.json`);
	if (!fs.existsSync(file)) {
		return undefined;
	}
	const { sentences, composed } = JSON.parse(await fs.promises.readFile(file, 'utf8')) as EngineLanguage;
	return translator({ ...sentences, ...composed });
}

export function translator(words: EngineWords): Translate {
	const templates = Object.entries(words)
		.map(([key, text]) => newTemplate(key, text))
		// Of several that match, the one that says most.
		.sort((one, other) => other.literals.join('').length - one.literals.join('').length);
	const translate = (message: string, depth: number): string => {
		for (const { literals, places, text } of depth < DEEPEST ? templates : []) {
			const values = match(message, literals);
			if (values !== undefined) {
				const byPlace = new Map(
					places.map((place, index) => [place, translate(values[index] ?? '', depth + 1)]),
				);
				return text.replace(/\{\d+\}/g, (place) => byPlace.get(place) ?? place);
			}
		}
		const reasons = message.split('; ');
		if (depth === DEEPEST || reasons.length === 1 || reasons.length > MOST_REASONS) {
			return message;
		}
		const translated = reasons.map((reason) => translate(reason, depth + 1));
		return translated.some((reason, index) => reason !== reasons[index]) ? translated.join('；') : message;
	};
	return (message) => translate(message, 0);
}

interface Template {
	/** What stands before, between and behind the places. */
	readonly literals: readonly string[];
	/** "{0}", … in their order. */
	readonly places: readonly string[];
	readonly text: string;
}

function newTemplate(key: string, text: string): Template {
	return { literals: key.split(/\{\d+\}/), places: key.match(/\{\d+\}/g) ?? [], text };
}

/** What stands in the places, each as short as it can be: a message is as long as a registry likes, so nothing is tried twice. */
function match(message: string, literals: readonly string[]): string[] | undefined {
	const [first = '', ...others] = literals;
	const last = others.pop();
	if (last === undefined) {
		return message === first ? [] : undefined;
	}
	const end = message.length - last.length;
	if (!message.startsWith(first) || !message.endsWith(last)) {
		return undefined;
	}
	const values: string[] = [];
	let position = first.length;
	for (const literal of others) {
		const next = message.indexOf(literal, position + 1);
		if (next < 0) {
			return undefined;
		}
		values.push(message.slice(position, next));
		position = next + literal.length;
	}
	return position < end ? [...values, message.slice(position, end)] : undefined;
}
