import { EventEmitter, type Disposable, type LogOutputChannel } from 'vscode';
import type { Client } from '../api/client';
import { isAbort, sentence } from './failure';
import type { Model } from './model';

/** Milliseconds after the last event before the volumes are measured again. */
const QUIET_TIME = 2000;

/**
 * Sizes of the volumes. An engine has to walk through all files for them, so they are asked for only while somebody
 * looks, and again when a container that may have written has ended.
 */
export class VolumeSizes implements Disposable {
	private readonly changed = new EventEmitter<void>();
	readonly onDidChange = this.changed.event;
	private sizes: ReadonlyMap<string, number> = new Map();
	private isWatched = false;
	private isStale = true;
	private measuring: Promise<void> | undefined;
	private timer: NodeJS.Timeout | undefined;
	private readonly abort = new AbortController();
	private readonly subscriptions: readonly Disposable[];

	constructor(
		private readonly client: Client,
		model: Model,
		private readonly log: LogOutputChannel,
	) {
		this.subscriptions = [
			model.volumes.onDidChange(() => {
				this.expire();
			}),
			model.onDidReceive(({ Type, Action }) => {
				if (Type === 'container' && Action === 'die') {
					this.expire();
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
		await (this.measuring ??= this.ask().finally(() => {
			this.measuring = undefined;
		}));
	}

	/** Sizes of another engine's volumes say nothing of volumes with the same names. */
	forget(): void {
		this.sizes = new Map();
		this.expire();
	}

	/** Tells whether somebody looks. */
	watch(isWatched: boolean): void {
		this.isWatched = isWatched;
		if (isWatched && this.isStale) {
			this.measureSoon(0);
		}
	}

	dispose(): void {
		clearTimeout(this.timer);
		this.abort.abort();
		for (const subscription of [...this.subscriptions, this.changed]) {
			subscription.dispose();
		}
	}

	private expire(): void {
		this.isStale = true;
		if (this.isWatched) {
			this.measureSoon(QUIET_TIME);
		}
	}

	private measureSoon(delay: number): void {
		clearTimeout(this.timer);
		this.timer = setTimeout(() => void this.measure(), delay);
	}

	private async ask(): Promise<void> {
		this.isStale = false;
		try {
			const { Volumes } = await this.client.diskUsage({ signal: this.abort.signal });
			this.sizes = new Map(
				(Volumes ?? []).flatMap(({ Name, UsageData }) =>
					UsageData && UsageData.Size >= 0 ? [[Name, UsageData.Size] as const] : [],
				),
			);
			this.changed.fire();
		} catch (error) {
			// A size is a convenience: without it the rows are as true as before.
			if (!isAbort(error)) {
				this.log.debug(`Cannot measure the volumes: ${sentence(error)}`);
			}
		}
	}
}
