import { MarkdownString } from 'vscode';

/** A text that runs one of our commands when it is clicked. */
export interface Link {
	readonly text: string;
	readonly command: { readonly id: string; readonly argument: string } | undefined;
}

/**
 * A heading and lines of facts; empty ones are left out. Values come from images and containers, so they are text, never
 * Markdown; only our own commands become links.
 */
export function facts(
	heading: string,
	pairs: readonly (readonly [name: string, value: string | readonly Link[]])[],
): MarkdownString {
	const lines = pairs
		.filter(([, value]) => value.length > 0)
		.map(([name, value]) => `${name}: ${typeof value === 'string' ? escape(value) : value.map(link).join(', ')}`);
	// Two blanks before a newline break the line.
	const text = new MarkdownString(`**${escape(heading)}**\n\n${lines.join('  \n')}`);
	const commands = pairs.flatMap(([, value]) =>
		typeof value === 'string' ? [] : value.flatMap(({ command }) => (command === undefined ? [] : [command.id])),
	);
	text.isTrusted = commands.length === 0 ? false : { enabledCommands: commands };
	return text;
}

function link({ text, command }: Link): string {
	return command === undefined
		? escape(text)
		: `[${escape(text)}](command:${command.id}?${uriComponent(JSON.stringify([command.argument]))})`;
}

/** Parentheses would end the link. */
function uriComponent(text: string): string {
	return encodeURIComponent(text).replace(/[()]/g, (sign) => (sign === '(' ? '%28' : '%29'));
}

/** Takes the meaning from all punctuation (CommonMark, backslash escapes), links and HTML included. */
function escape(text: string): string {
	return text.replace(/\s+/g, ' ').replace(/[!-/:-@[-`{-~]/g, '\\$&');
}
