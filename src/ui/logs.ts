import { l10n, window, type Disposable, type LogOutputChannel, type OutputChannel } from 'vscode';
import type { Client } from '../api/client';
import { beside, engineOfRow, OWN_ID } from './engine-keys';
import { Follower, type FollowerOptions } from './log-follower';
import { LogOutput } from './log-output';
import type { Model } from './model';
import { pinned } from './routing-client';
import { settings } from './settings';

/** One output channel a container, following its log for as long as the container exists. */
export class Logs implements Disposable {
	private readonly followers = new Map<string, ChannelFollower>();

	constructor(
		private readonly client: Client,
		private readonly model: Model,
		private readonly log: LogOutputChannel,
	) {}

	/** Shows the log of a container (id or name) and follows it. Throws when there is no such container. */
	async show(container: string): Promise<void> {
		const key = this.model.container(container)?.id ?? container;
		const { Id, Name } = await this.client.containers.inspect(key);
		const id = beside(key, Id);
		const name = Name.replace(/^\//, '');
		const existing = this.followers.get(id);
		if (existing?.isFollowing === true) {
			existing.channel.show(true);
			return;
		}
		existing?.dispose();
		const engine = this.model.engineName(id);
		const channel = window.createOutputChannel(`MyDocker: ${name}${engine && ` (${engine})`}`, 'log');
		const follower = new ChannelFollower(channel, {
			id,
			name,
			client: pinned(this.client, id),
			model: this.model,
			log: this.log,
		});
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

/** Writes what a container logs to an output channel. */
class ChannelFollower implements Disposable {
	private readonly output: LogOutput;
	private readonly follower: Follower;

	constructor(
		readonly channel: OutputChannel,
		options: Pick<FollowerOptions, 'id' | 'name' | 'client' | 'model' | 'log'>,
	) {
		// In terminals mydocker drives our own engine.
		const notice =
			engineOfRow(options.id) === OWN_ID
				? l10n.t('earlier lines are in the terminal: {0}', `mydocker logs ${options.name}`)
				: l10n.t('Open Logs in Editor has earlier lines');
		this.output = new LogOutput(channel, `— ${notice} —`);
		this.follower = new Follower({
			...options,
			from: { tail: settings.logTail },
			write: (lines) => this.output.append(lines.map(({ text }) => `${text}\n`).join('')),
			note: (text) => {
				void this.output.append(`— ${text} —\n`);
			},
		});
	}

	get isFollowing(): boolean {
		return this.follower.isFollowing;
	}

	/** Resolves with true when the container is gone, with false when the engine does not answer any more. */
	follow(): Promise<boolean> {
		return this.follower.follow();
	}

	dispose(): void {
		this.follower.dispose();
		this.output.dispose();
		this.channel.dispose();
	}
}
