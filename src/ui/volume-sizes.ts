import { EventEmitter, type Disposable, type LogOutputChannel } from 'vscode';
import type { Client } from '../api/client';
import { isAbort, sentence } from './failure';
import { Measure } from './measure';
import type { EngineModel } from './engine-model';
import type { Models } from './model';
import { pinned } from './routing-client';

/**
 * Sizes of the volumes. An engine has to walk through all files for them, so they are asked for only while somebody
 * looks, and again when a container that may have written has ended.
 */
export class VolumeSizes implements Disposable {
	private readonly changed = new EventEmitter<void>();
	readonly onDidChange = this.changed.event;
	private sizes: ReadonlyMap<string, number> = new Map();
	private readonly measuring = new Measure((signal) => this.ask(signal));
	private readonly subscriptions: readonly Disposable[];

	constructor(
		private readonly client: Client,
		private readonly models: Models,
		private readonly log: LogOutputChannel,
	) {
		this.subscriptions = [
			models.volumes.onDidChange(() => {
				this.measuring.expire();
			}),
			models.onDidReceive(({ Type, Action }) => {
				if (Type === 'container' && Action === 'die') {
					this.measuring.expire();
				}
			}),
		];
	}

	/** Bytes; undefined as long as nobody has measured. */
	get(name: string): number | undefined {
		return this.sizes.get(name);
	}

	/** Measures now. Never throws. */
	async measure(): Promise<void> {
		await this.measuring.now();
	}

	/** Sizes of another engine's volumes say nothing of volumes with the same names. */
	forget(): void {
		this.sizes = new Map();
		this.measuring.expire();
	}

	/** Tells whether somebody looks. */
	watch(isWatched: boolean): void {
		this.measuring.watch(isWatched);
	}

	dispose(): void {
		for (const subscription of [...this.subscriptions, this.measuring, this.changed]) {
			subscription.dispose();
		}
	}

	private async ask(signal: AbortSignal): Promise<boolean> {
		const measured = await Promise.all(this.models.all.map((model) => this.askOne(model, signal)));
		const known = measured.filter((sizes) => sizes !== undefined);
		if (known.length > 0) {
			this.sizes = new Map(known.flat());
			this.changed.fire();
		}
		return known.length === measured.length;
	}

	/** By the keys of rows; undefined when the engine does not tell. */
	private async askOne(model: EngineModel, signal: AbortSignal): Promise<(readonly [string, number])[] | undefined> {
		try {
			const { Volumes } = await pinned(this.client, model.keyOf('')).diskUsage({ signal });
			return (Volumes ?? []).flatMap(({ Name, UsageData }) =>
				UsageData && UsageData.Size >= 0 ? [[model.keyOf(Name), UsageData.Size] as const] : [],
			);
		} catch (error) {
			// A size is a convenience: without it the rows are as true as before.
			if (!isAbort(error)) {
				this.log.debug(`Cannot measure the volumes: ${sentence(error)}`);
			}
			return undefined;
		}
	}
}
