import type { ProgressMessage } from '../api/types';
import { size } from './format';
import { plain } from './output';

/** Where progress is shown. */
export interface Screen {
	readonly isTerminal: boolean;
	/** Characters a line. */
	readonly columns: number;
}

/**
 * Turns a pull's messages into what docker shows: on a terminal one line a layer, redrawn in place; elsewhere plain
 * lines, without the bars.
 */
export class ProgressView {
	/** Lines that can be redrawn, in the order they appeared: those since the last plain line. */
	private readonly lines: string[] = [];

	constructor(private readonly screen: Screen) {}

	/** What to write for one message; "" when it is not shown. */
	render(message: ProgressMessage): string {
		const bar = progressBar(message, this.screen);
		if (!this.screen.isTerminal) {
			return bar === '' ? `${label(message)}\n` : '';
		}
		if (message.id === undefined || message.progressDetail === undefined) {
			this.lines.length = 0;
			return `${label(message)}\n`;
		}
		return this.redraw(message.id, `${label(message)} ${bar}`.trimEnd());
	}

	/** Moves up to the id's line, rewrites it, and comes back below the last line. */
	private redraw(id: string, text: string): string {
		const isNew = !this.lines.includes(id);
		if (isNew) {
			this.lines.push(id);
		}
		const up = this.lines.length - this.lines.indexOf(id);
		// A line that wraps would be two, and the way up wrong.
		const fitting = Array.from(text)
			.slice(0, this.screen.columns - 1)
			.join('');
		return `${isNew ? '\n' : ''}\u001b[${up}A\u001b[2K\r${fitting}\r\u001b[${up}B`;
	}
}

function label(message: ProgressMessage): string {
	const status = plain(message.status ?? '');
	return message.id === undefined || message.id === '' ? status : `${plain(message.id)}: ${status}`;
}

/** "[====>    ]  1.2MB/3.4MB"; only the numbers where the line has no room for the bar. */
function progressBar(message: ProgressMessage, screen: Screen): string {
	const { current = 0, total = 0 } = message.progressDetail ?? {};
	if (current <= 0 && total <= 0) {
		return '';
	}
	const done = size(current, 4).padStart(8);
	if (total <= 0) {
		return done;
	}
	const filled = Math.min(50, Math.floor((current / total) * 50));
	const bar = screen.columns > 110 ? `[${'='.repeat(filled)}>${' '.repeat(50 - filled)}] ` : '';
	return `${bar}${done}${current > total ? '' : `/${size(total, 4)}`}`;
}
