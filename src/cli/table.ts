import { CommandError, TemplateError } from './errors';
import { plain } from './output';
import { compileTemplate } from './template';
import type { Template } from './template';

/** One line of a list, by docker's field names; a function is a field with an argument, `{{.Label "x"}}`. */
export type Fields = Readonly<Record<string, string | boolean | ((argument: string) => string)>>;

/** How a kind of thing is listed. */
export interface Listing {
	/** Field → its column's header, "Names" → "NAMES". */
	readonly headers: Readonly<Record<string, string>>;
	/** Fields of the table when no format is asked for. */
	readonly columns: readonly string[];
}

/**
 * The text of a list, each line with its newline, for `--format`: undefined or "table" for the usual columns,
 * "table TEMPLATE", "json", or a template. Throws CommandError for a template that cannot be read or does not fit.
 */
export function renderList(format: string | undefined, items: readonly Fields[], listing: Listing): string {
	if (format === undefined || format === '' || format === 'table') {
		const header = listing.columns.map((column) => listing.headers[column] ?? '');
		return renderTable([header, ...items.map((item) => listing.columns.map((column) => cell(item, column)))]);
	}
	const isTable = format.startsWith('table ');
	const template = compile(format === 'json' ? '{{json .}}' : isTable ? format.slice('table '.length) : format);
	const lines = items.map((item) => execute(template, item));
	if (!isTable) {
		return lines.map((line) => `${line}\n`).join('');
	}
	const header = execute(template, { ...listing.headers, Label: (name: string) => name });
	return renderTable([header, ...lines].map((line) => line.split('\t')));
}

/**
 * Aligns columns as docker does: as wide as the widest cell and three spaces, at least ten; nothing after the last
 * cell of a line. Control characters in cells are made harmless.
 */
export function renderTable(lines: readonly (readonly string[])[]): string {
	const cells = lines.map((line) => line.map(plain));
	const widths: number[] = [];
	for (const line of cells) {
		line.slice(0, -1).forEach((text, column) => {
			widths[column] = Math.max(widths[column] ?? 10, Array.from(text).length + 3);
		});
	}
	return cells
		.map((line) => {
			const padded = line.map((text, column) =>
				column === line.length - 1 ? text : text + ' '.repeat((widths[column] ?? 0) - Array.from(text).length),
			);
			return `${padded.join('')}\n`;
		})
		.join('');
}

function cell(item: Fields, column: string): string {
	const value = item[column];
	return typeof value === 'string' ? value : '';
}

function compile(text: string): Template {
	try {
		// docker reads these two escapes itself, because a shell's '…' keeps them.
		return compileTemplate(text.replaceAll('\\t', '\t').replaceAll('\\n', '\n'));
	} catch (error) {
		throw explained(error, 'failed to parse template');
	}
}

function execute(template: Template, data: unknown): string {
	try {
		return template(data);
	} catch (error) {
		throw explained(error, 'failed to execute template');
	}
}

function explained(error: unknown, what: string): unknown {
	return error instanceof TemplateError ? new CommandError(`${what}: ${error.message}`) : error;
}
