import type { Processes } from '../ui/stats-messages';

/** Columns of ps(1) whose text goes to the left, and the one that takes what room there is. */
const TEXTS = new Set(['USER', 'UID', 'TTY', 'COMMAND', 'CMD']);
const LONG = new Set(['COMMAND', 'CMD']);

/** Writes rows of cells; the first of each heads its row. */
export function fillRows(body: HTMLElement, rows: readonly (readonly string[])[]): void {
	body.replaceChildren(
		...rows.map(([head = '', ...cells]) => {
			const row = document.createElement('tr');
			row.append(cell('th', head, 'row'), ...cells.map((text) => cell('td', text)));
			return row;
		}),
	);
}

/** Writes the table of processes; its columns are those that ps(1) gave. */
export function fillProcesses(
	table: HTMLElement,
	{ titles, rows }: Processes,
	{ none, bytes }: { readonly none: string; readonly bytes: (value: number) => string },
): void {
	const text = (title: string, value: string): string => (title === 'RSS' ? bytes(Number(value) * 1024) : value);
	const head = document.createElement('tr');
	head.append(...titles.map((title) => classed(cell('th', title, 'col'), title)));
	const lines = rows.map((row) => {
		const line = document.createElement('tr');
		line.append(
			...titles.map((title, index) => {
				const element = classed(cell('td', text(title, row[index] ?? '')), title);
				element.title = LONG.has(title) ? (row[index] ?? '') : '';
				return element;
			}),
		);
		return line;
	});
	table.querySelector('thead')?.replaceChildren(head);
	table.querySelector('tbody')?.replaceChildren(...(lines.length > 0 ? lines : [nothing(none)]));
}

function nothing(words: string): HTMLElement {
	const row = document.createElement('tr');
	row.append(classed(cell('td', words), 'USER'));
	return row;
}

function cell(name: 'th' | 'td', text: string, scope?: 'row' | 'col'): HTMLTableCellElement {
	const element = document.createElement(name);
	element.textContent = text;
	if (scope !== undefined) {
		element.scope = scope;
	}
	return element;
}

function classed(element: HTMLTableCellElement, title: string): HTMLTableCellElement {
	element.classList.toggle('text', TEXTS.has(title));
	element.classList.toggle('long', LONG.has(title));
	return element;
}
