// What of a text is English of ours, in a window that speaks another language.
import fs from 'node:fs';

const read = (file) => JSON.parse(fs.readFileSync(file, 'utf8'));
const chinese = read('package.nls.zh-cn.json');

/** Our texts in English with the Chinese ones: those of the code, and those of package.json. */
const texts = [
	...Object.entries(read('l10n/bundle.l10n.zh-cn.json')),
	...Object.entries(read('package.nls.json')).map(([key, english]) => [english, chinese[key]]),
];

/** Of a text with places such as {0} the rest must say something, or it would be found in everything. */
const hasWords = (english) => /[A-Za-z]{4}/.test(english.replaceAll(/\{\d+\}/g, ''));

const patterns = texts
	.filter(([english, translated]) => english !== translated && hasWords(english))
	.map(([english]) => new RegExp(`^${RegExp.escape(english).replaceAll(/\\\{\d+\\\}/g, '.+')}$`));

/** A sentence that nobody has thought of translating: three words of Latin letters in a row. */
const sentence = /[A-Za-z]{2,} [a-z]{2,} [a-z]{2,}/;

/** VS Code's own question, which is English where its language pack is not installed. */
const notOurs = /\(?Press 'Enter' to confirm.*'Escape' to cancel\)?/g;

/** Names that are words as well: a network of docker's. */
const names = new Set(['none']);

/** The parts of a text that are, as a whole, an English text of ours, or a sentence in English. */
export function englishIn(text) {
	return text
		.replaceAll(notOurs, '')
		.split(/\n| · |，|：|, /)
		.map((part) => part.trim())
		.filter((part) => !names.has(part))
		.filter((part) => sentence.test(part) || patterns.some((pattern) => pattern.test(part)));
}
