import { l10n, type Disposable, type LogOutputChannel } from 'vscode';
import { ApiError, type Client, type LogsOptions } from '../api/client';
import type { ContainerState } from '../api/types';
import { sentence } from './failure';
import { LogLines, type LogLine } from '../api/log-lines';
import type { Model } from './model';

const SHORTEST_PAUSE = 100;
const LONGEST_PAUSE = 5_000;
/** Tries in a row after which a follower gives up. */
const MOST_TRIES = 10;

export interface FollowerOptions {
	readonly id: string;
	readonly name: string;
	readonly client: Client;
	readonly model: Model;
	readonly log: LogOutputChannel;
	/** Where and what to read. */
	readonly from: Pick<LogsOptions, 'tail' | 'since' | 'stdout' | 'stderr'>;
	/** Takes lines in order; the next ones are read when it resolves. */
	readonly write: (lines: readonly LogLine[]) => Promise<void>;
	/** Takes what has happened to the container, in words. */
	readonly note: (text: string) => void;
	/** Lines that were read before, to go on after them. */
	readonly lines?: LogLines;
}

/** Reads lines of logs; what is too long is cut, and says so. */
export function newLogLines(): LogLines {
	return new LogLines((missing) => l10n.t(' … ({0} more characters)', missing));
}

/** Reads one container's log, run after run, engine after engine, and loses or repeats no line. */
export class Follower implements Disposable {
	isFollowing = true;
	private readonly abort = new AbortController();
	private readonly lines: LogLines;
	/** StartedAt of the run that is being read, or was read last; undefined before the first. */
	private run: string | undefined;
	/** FinishedAt of the run whose end has been told. */
	private toldEnd: string | undefined;

	constructor(private readonly options: FollowerOptions) {
		this.lines = options.lines ?? newLogLines();
	}

	/** Resolves with true when the container is gone, with false when the engine does not answer any more. */
	async follow(): Promise<boolean> {
		try {
			for (let tries = 0; ;) {
				try {
					if (!(await this.readRun())) {
						return true;
					}
					tries = 0;
				} catch (error) {
					if (this.abort.signal.aborted || (error instanceof ApiError && error.status === 404)) {
						return true;
					}
					tries++;
					this.options.log.warn(`The log of ${this.options.name} broke off: ${sentence(error)}`);
					if (tries > MOST_TRIES) {
						this.options.note(l10n.t('the engine does not answer; show the logs again to go on'));
						return false;
					}
					await pause(Math.min(SHORTEST_PAUSE * 2 ** tries, LONGEST_PAUSE));
				}
			}
		} finally {
			this.isFollowing = false;
		}
	}

	dispose(): void {
		this.abort.abort();
	}

	/**
	 * Reads from where the last call stopped to the end of the container's run, tells that end and waits for the next
	 * start. Gives false when the container is gone.
	 */
	private async readRun(): Promise<boolean> {
		const { client, model, id } = this.options;
		const { signal } = this.abort;
		const turn = new AbortController();
		try {
			// Registered before anything is asked, so that a start in between is not missed.
			const begun = model.whenStarted(id, AbortSignal.any([signal, turn.signal]));
			let { State: state } = await client.containers.inspect(id, { signal });
			if (state.Running || state.StartedAt !== this.run) {
				this.tellStart(state);
				await this.read();
				({ State: state } = await client.containers.inspect(id, { signal }));
			}
			if (state.Running || state.StartedAt !== this.run) {
				await pause(SHORTEST_PAUSE);
				return true;
			}
			this.tellEnd(state);
			return await begun;
		} finally {
			turn.abort();
		}
	}

	/** Reads until the container ends or the connection does. */
	private async read(): Promise<void> {
		const { write, from } = this.options;
		const since = this.lines.position;
		this.lines.resume();
		const chunks = this.options.client.containers.logs(this.options.id, {
			...from,
			follow: true,
			timestamps: true,
			signal: this.abort.signal,
			...(since === undefined ? {} : { since, tail: 'all' }),
		});
		for await (const chunk of chunks) {
			await write(this.lines.take(chunk));
		}
		await write(this.lines.takeRest());
	}

	private tellStart(state: ContainerState): void {
		if (this.run !== undefined && this.run !== state.StartedAt) {
			this.options.note(l10n.t('started again'));
		}
		this.run = state.StartedAt;
	}

	private tellEnd(state: ContainerState): void {
		if (state.Status === 'exited' && state.FinishedAt !== this.toldEnd) {
			this.toldEnd = state.FinishedAt;
			this.options.note(l10n.t('exited with code {0}', state.ExitCode));
		}
	}
}

function pause(milliseconds: number): Promise<void> {
	return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
