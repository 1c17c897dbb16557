import { l10n, window, type Disposable, type LogOutputChannel, type OutputChannel } from 'vscode';
import { ApiError, type Client } from '../api/client';
import type { ContainerState } from '../api/types';
import { sentence } from './failure';
import { LogLines } from './log-lines';
import { LogOutput } from './log-output';
import type { Model } from './model';
import { settings } from './settings';

const SHORTEST_PAUSE = 100;
const LONGEST_PAUSE = 5_000;
/** Tries in a row after which a follower gives up; Show Logs begins anew. */
const MOST_TRIES = 10;

/** One output channel a container, following its log for as long as the container exists. */
export class Logs implements Disposable {
	private readonly followers = new Map<string, Follower>();

	constructor(
		private readonly client: Client,
		private readonly model: Model,
		private readonly log: LogOutputChannel,
	) {}

	/** Shows the log of a container (id or name) and follows it. Throws when there is no such container. */
	async show(container: string): Promise<void> {
		const { Id: id, Name } = await this.client.containers.inspect(container);
		const name = Name.replace(/^\//, '');
		const existing = this.followers.get(id);
		if (existing?.isFollowing === true) {
			existing.channel.show(true);
			return;
		}
		existing?.dispose();
		const channel = window.createOutputChannel(`MyDocker: ${name}`, 'log');
		const follower = new Follower({ id, name, channel, client: this.client, model: this.model, log: this.log });
		this.followers.set(id, follower);
		channel.show(true);
		void follower.follow().then((isGone) => {
			if (isGone && this.followers.get(id) === follower) {
				this.followers.delete(id);
				follower.dispose();
			}
		});
	}

	dispose(): void {
		for (const follower of this.followers.values()) {
			follower.dispose();
		}
		this.followers.clear();
	}
}

interface FollowerOptions {
	readonly id: string;
	readonly name: string;
	readonly channel: OutputChannel;
	readonly client: Client;
	readonly model: Model;
	readonly log: LogOutputChannel;
}

/** Reads one container's log, run after run, engine after engine, and loses or repeats no line. */
class Follower implements Disposable {
	isFollowing = true;
	readonly channel: OutputChannel;
	private readonly abort = new AbortController();
	private readonly lines = new LogLines((missing) => l10n.t(' … ({0} more characters)', missing));
	private readonly output: LogOutput;
	/** StartedAt of the run that is being read, or was read last; undefined before the first. */
	private run: string | undefined;
	/** FinishedAt of the run whose end has been told. */
	private toldEnd: string | undefined;

	constructor(private readonly options: FollowerOptions) {
		this.channel = options.channel;
		this.output = new LogOutput(
			options.channel,
			`— ${l10n.t('earlier lines are in the terminal: {0}', `mydocker logs ${options.name}`)} —`,
		);
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
						void this.output.append(
							`— ${l10n.t('the engine does not answer; show the logs again to go on')} —\n`,
						);
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
		this.output.dispose();
		this.channel.dispose();
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
		const since = this.lines.position;
		this.lines.resume();
		const chunks = this.options.client.containers.logs(this.options.id, {
			follow: true,
			timestamps: true,
			signal: this.abort.signal,
			...(since === undefined ? { tail: settings.logTail } : { since }),
		});
		for await (const chunk of chunks) {
			await this.output.append(this.lines.push(chunk));
		}
		await this.output.append(this.lines.end());
	}

	private tellStart(state: ContainerState): void {
		if (this.run !== undefined && this.run !== state.StartedAt) {
			void this.output.append(`— ${l10n.t('started again')} —\n`);
		}
		this.run = state.StartedAt;
	}

	private tellEnd(state: ContainerState): void {
		if (state.Status === 'exited' && state.FinishedAt !== this.toldEnd) {
			this.toldEnd = state.FinishedAt;
			void this.output.append(`— ${l10n.t('exited with code {0}', state.ExitCode)} —\n`);
		}
	}
}

function pause(milliseconds: number): Promise<void> {
	return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
