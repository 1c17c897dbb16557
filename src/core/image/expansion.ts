/** Variables and quotes in the words of a Dockerfile's instruction. */
import { EngineError } from '../errors';

const NAME = '[A-Za-z_]\\w*';
const BRACES = `\\{(?<braced>${NAME})(?::?(?<operator>[-+?])(?<word>(?:\\$\\{[^}]*\\}|\\\\.|[^\\\\{}])*))?\\}`;
const VARIABLE = `\\$(?:${BRACES}|(?<open>\\{)|(?<bare>${NAME}|[0-9@*#!?$-]))`;
const PIECE = new RegExp(`\\\\(?<escaped>.)|"(?<double>(?:\\\\.|[^"\\\\])*)"|'(?<single>[^']*)'|${VARIABLE}`, 'gs');
const PIECE_OF_QUOTED = new RegExp(`\\\\(?<escaped>["\\\\$])|${VARIABLE}`, 'gs');

type Groups = Readonly<Record<string, string | undefined>>;

/**
 * The text without quotes and with the values of `env` ("NAME=value") for `$A`, `${A}`, `${A:-x}`, `${A:+x}` and
 * `${A:?x}`; not so within single quotes. Throws EngineError "invalid" with docker's words.
 */
export function expanded(text: string, env: readonly string[], piece: RegExp = PIECE): string {
	return text.replace(piece, (...found) => {
		const groups = found.at(-1) as Groups;
		if (groups['double'] !== undefined) {
			return expanded(groups['double'], env, PIECE_OF_QUOTED);
		}
		return groups['escaped'] ?? groups['single'] ?? variable(groups, text, env);
	});
}

function variable({ braced, bare, operator, word = '', open }: Groups, text: string, env: readonly string[]): string {
	if (open !== undefined) {
		throw new EngineError('invalid', `failed to process ${JSON.stringify(text)}: syntax error: bad substitution`);
	}
	const name = `${braced ?? bare ?? ''}=`;
	const value = env.find((line) => line.startsWith(name))?.slice(name.length) ?? '';
	const isSet = value !== '';
	if (operator === '+') {
		return isSet ? expanded(word, env) : '';
	}
	if (isSet || operator === undefined) {
		return value;
	}
	const other = expanded(word, env);
	if (operator === '?') {
		throw new EngineError('invalid', `failed to process ${JSON.stringify(text)}: ${braced ?? ''}: ${other}`);
	}
	return other;
}
