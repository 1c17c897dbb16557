import { MarkdownString } from 'vscode';

/** A heading and lines of facts; empty ones are left out. Values come from images, so they are text, never Markdown. */
export function facts(heading: string, pairs: readonly (readonly [name: string, value: string])[]): MarkdownString {
	const lines = pairs.filter(([, value]) => value !== '').map(([name, value]) => `${name}: ${escape(value)}`);
	// Two blanks before a newline break the line.
	return new MarkdownString(`**${escape(heading)}**\n\n${lines.join('  \n')}`);
}

/** Takes the meaning from all punctuation (CommonMark, backslash escapes), links and HTML included. */
function escape(text: string): string {
	return text.replace(/\s+/g, ' ').replace(/[!-/:-@[-`{-~]/g, '\\$&');
}
