/**
 * Splits a command line into arguments as a shell would: blanks separate, '…' is literal, "…" knows \" \\ \$ \`, and a
 * backslash elsewhere takes the next character as it is. Nothing is expanded or run. Undefined when a quote is open.
 */
export function splitArguments(text: string): string[] | undefined {
	const result: string[] = [];
	let current: string | undefined;
	let quote = '';
	for (let at = 0; at < text.length; at++) {
		const character = text.charAt(at);
		const next = text.charAt(at + 1);
		if (quote === "'") {
			if (character === "'") {
				quote = '';
			} else {
				current = (current ?? '') + character;
			}
		} else if (quote === '"' && character === '"') {
			quote = '';
		} else if (character === '\\' && next !== '' && (quote === '' || /["\\$`]/.test(next))) {
			current = (current ?? '') + next;
			at++;
		} else if (quote === '' && (character === "'" || character === '"')) {
			quote = character;
			current ??= '';
		} else if (quote === '' && /\s/.test(character)) {
			if (current !== undefined) {
				result.push(current);
			}
			current = undefined;
		} else {
			current = (current ?? '') + character;
		}
	}
	if (quote !== '') {
		return undefined;
	}
	return current === undefined ? result : [...result, current];
}
