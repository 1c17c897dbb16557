import { env, l10n, type Disposable, type LogOutputChannel } from 'vscode';
import { ApiError, type Client, type LogsOptions } from '../api/client';
import { beside, engineOfRow } from './engine-keys';
import { isAbort, localSentence } from './failure';
import { Follower, newLogLines } from './log-follower';
import type { LogLines } from '../api/log-lines';
import { mergeByTime, type NamedLine } from './log-merge';
import { LogText } from './log-text';
import { lineFilter } from './log-filter';
import { ALL_OF_LOG, lineText, type LogChoices, type LogPart } from './log-view';
import type { Model } from './model';

/**
 * How much of a log is in an editor at once. VS Code hands the text of a document from one process to another as one
 * message, and after each change its extension host looks for links in all of it (registerFileSystemProvider in VS Code's
 * src/vs/workbench/api/common/extHostFileSystem.ts): both hold up the extension host, 3 MB for more than 100 ms. A longer
 * log is shown in parts of this size; filters and Save to File reach all of it.
 */
export const MOST = { bytes: 1024 * 1024, lines: 20_000 };
/** Milliseconds of work on lines after which the extension host has its turn. */
const SLICE = 8;

interface Source {
	readonly id: string;
	readonly name: string;
	readonly lines: LogLines;
}

export interface LogDocumentOptions {
	/** Keys of containers, or what else the client and the model know them by. */
	readonly containers: readonly string[];
	readonly client: Client;
	readonly model: Model;
	readonly log: LogOutputChannel;
	readonly onChange: () => void;
	/** How much of the log is shown at once. */
	readonly most?: { readonly bytes: number; readonly lines: number };
}

/** The log of one container or, merged by time, of several, as the text of an editor that follows. */
export class LogDocument implements Disposable {
	private readonly text: LogText;
	private abort = new AbortController();
	private followers: Follower[] = [];
	private current: LogChoices = ALL_OF_LOG;
	private isWanted = lineFilter(ALL_OF_LOG);
	private reading: Promise<void> = Promise.resolve();
	/** True while what was there before is being read. */
	isLoading = false;
	/** True when there are lines after the part that is shown. */
	hasLater = false;
	/** Changes with every change of the text. */
	version = Date.now();

	constructor(private readonly options: LogDocumentOptions) {
		this.text = new LogText(options.most ?? MOST);
	}

	get choices(): LogChoices {
		return this.current;
	}

	/** Resolves when what is there already has been read, or the time is over that an editor may wait. Never throws. */
	get ready(): Promise<void> {
		return this.reading;
	}

	/** Bytes of `read()`. */
	get size(): number {
		return Buffer.byteLength(this.head) + this.text.bytes;
	}

	/** About as many, without asking for words. */
	get bytes(): number {
		return this.text.bytes;
	}

	/** Lines before the first one that is shown. */
	get linesBefore(): number {
		return this.text.linesBefore;
	}

	/** The number of the first line after the shown ones. */
	get nextLine(): number {
		return this.text.linesBefore + this.text.lines;
	}

	/** Begins anew with other choices. */
	show(choices: LogChoices): void {
		this.stop();
		this.abort = new AbortController();
		this.current = choices;
		this.isWanted = lineFilter(choices);
		const { part } = choices;
		this.text.clear(part !== undefined && 'from' in part ? part.from : 0);
		this.hasLater = false;
		this.changed();
		this.reading = this.run(this.abort.signal).catch((error: unknown) => {
			if (!isAbort(error)) {
				this.note(localSentence(error));
			}
		});
	}

	read(): Buffer {
		return this.text.read(this.head);
	}

	/** The first line, when there are others before it that are left out. */
	private get head(): string {
		const { linesBefore } = this.text;
		return linesBefore === 0
			? ''
			: `— ${l10n.t('{0} earlier lines are left out: Show Earlier Lines goes there, filters and Save Log to File reach all', linesBefore.toLocaleString(env.language))} —\n`;
	}

	/** All lines of the log as they are shown, from the engine; nothing is left out. */
	async *whole(signal: AbortSignal): AsyncGenerator<string, void> {
		const sources = await this.sources(signal);
		const isWanted = lineFilter(this.current);
		const column = columnOf(sources);
		let batch = '';
		for await (const lines of this.history(sources, signal)) {
			batch += lines
				.filter((line) => isWanted(line, line.name))
				.map((line) => lineText(line, this.current, column(line.name)))
				.join('');
			if (batch.length > 256 * 1024) {
				yield batch;
				batch = '';
				await turn();
			}
		}
		yield batch;
	}

	dispose(): void {
		this.stop();
	}

	private stop(): void {
		this.abort.abort();
		for (const follower of this.followers) {
			follower.dispose();
		}
		this.followers = [];
	}

	private async run(signal: AbortSignal): Promise<void> {
		const sources = await this.sources(signal);
		const column = columnOf(sources);
		this.isLoading = true;
		try {
			await this.readHistory(sources, signal);
		} finally {
			this.isLoading = false;
		}
		this.changed();
		if (this.current.until !== '' || this.hasLater || signal.aborted) {
			return;
		}
		for (const { id, name, lines } of sources) {
			const follower = new Follower({
				...this.options,
				...{ id, name, lines },
				from: this.request(),
				write: (more) => {
					const wanted = more.filter((line) => this.isWanted(line, name));
					this.add(
						wanted.map((line) => ({ ...line, name })),
						column,
					);
					return turn();
				},
				note: (text) => {
					this.note(column(name) === undefined ? text : `${name}: ${text}`);
				},
			});
			this.followers.push(follower);
			void follower.follow();
		}
	}

	private async sources(signal: AbortSignal): Promise<Source[]> {
		const { containers, client, model } = this.options;
		const isOfOne = new Set(containers.map(engineOfRow)).size === 1;
		return Promise.all(
			containers.map(async (container): Promise<Source> => {
				const { Id, Name } = await client.containers.inspect(container, { signal });
				const name = Name.replace(/^\//, '');
				return {
					id: beside(container, Id),
					name: isOfOne ? name : `${name} (${model.engineName(container)})`,
					lines: newLogLines(),
				};
			}),
		);
	}

	private async readHistory(sources: readonly Source[], signal: AbortSignal): Promise<void> {
		const column = columnOf(sources);
		const { part } = this.current;
		let [position, began] = [0, performance.now()];
		for await (const lines of this.history(sources, signal)) {
			const first = position;
			const all = lines.filter((line) => this.isWanted(line, line.name));
			position += all.length;
			this.add(
				all.filter((_, index) => isInPart(first + index, part)),
				column,
			);
			this.hasLater ||= part !== undefined && 'before' in part && position > part.before;
			this.hasLater ||= part !== undefined && 'from' in part && this.text.isFull;
			if (this.hasLater) {
				return;
			}
			if (performance.now() - began > SLICE) {
				await turn();
				began = performance.now();
			}
		}
	}

	/** What is there now, in the order of time. */
	private history(sources: readonly Source[], signal: AbortSignal): AsyncIterable<readonly NamedLine[]> {
		const { until } = this.current;
		const { client } = this.options;
		const request = { ...this.request(), ...(until === '' ? {} : { until }), timestamps: true, signal };
		const streams = sources.map(async function* ({ id, name, lines }): AsyncGenerator<readonly NamedLine[], void> {
			try {
				for await (const chunk of client.containers.logs(id, request)) {
					yield lines.take(chunk).map(({ time, text }) => ({ time, text, name }));
				}
			} catch (error) {
				// A container that went meanwhile has no log; the others have.
				if (!(error instanceof ApiError && error.status === 404)) {
					throw error;
				}
			}
			// A line without its end goes on when the log is followed.
			const rest = until === '' ? [] : lines.takeRest();
			yield rest.map((line) => ({ ...line, name }));
		});
		return mergeByTime(streams);
	}

	private request(): Pick<LogsOptions, 'tail' | 'since' | 'stdout' | 'stderr'> {
		const { since, tail, stream } = this.current;
		return {
			...(since === '' ? {} : { since }),
			...(tail === undefined ? {} : { tail }),
			stdout: stream !== 'stderr',
			stderr: stream !== 'stdout',
		};
	}

	private add(lines: readonly NamedLine[], column: (name: string) => Column | undefined): void {
		if (lines.length > 0) {
			const texts = lines.map((line) => lineText(line, this.current, column(line.name)));
			this.text.append(texts.join(''), lines.length);
			this.changed();
		}
	}

	private note(text: string): void {
		this.text.append(`— ${text} —\n`, 1);
		this.changed();
	}

	private changed(): void {
		this.version++;
		this.options.onChange();
	}
}

function isInPart(line: number, part: LogPart | undefined): boolean {
	return part === undefined || ('before' in part ? line < part.before : line >= part.from);
}

interface Column {
	readonly name: string;
	readonly width: number;
}

/** The names of several containers stand in a column; one needs none. */
function columnOf(sources: readonly Source[]): (name: string) => Column | undefined {
	const width = Math.max(0, ...sources.map(({ name }) => name.length));
	return (name) => (sources.length > 1 ? { name, width } : undefined);
}

/** Lets the extension host do what waits. */
function turn(): Promise<void> {
	return new Promise((resolve) => setImmediate(resolve));
}
