import { EventEmitter, workspace, type Disposable, type LogOutputChannel } from 'vscode';
import type { Client } from '../api/client';
import { isAbort, sentence } from './failure';
import type { Model } from './model';
import { shortId } from './names';
import { settings } from './settings';
import { UsageMeter, type UsagePoint } from './usage-points';

/** Milliseconds over which changes of all rows are gathered to one redraw. */
const GATHER = 2000;
/** Samples, one a second, of which a row shows the CPU. */
const TRAIL = 10;
/** Containers that are followed at most: each is a stream. */
const MOST_STREAMS = 100;

/**
 * CPU and memory of running containers, when the settings ask for it: one stream a container; for the rows only while
 * somebody looks, for alerts always.
 */
export class RowUsage implements Disposable {
	private readonly changed = new EventEmitter<void>();
	readonly onDidChange = this.changed.event;
	private readonly measured = new EventEmitter<{ readonly id: string; readonly point: UsagePoint | undefined }>();
	/** Each new figure of a container; without one when no more will come. */
	readonly onDidMeasure = this.measured.event;
	private readonly streams = new Map<string, AbortController>();
	private readonly points = new Map<string, readonly UsagePoint[]>();
	private isWatched = false;
	private gathering: NodeJS.Timeout | undefined;
	private readonly subscriptions: readonly Disposable[];

	constructor(
		private readonly client: Client,
		private readonly model: Model,
		private readonly log: LogOutputChannel,
	) {
		this.subscriptions = [
			model.onDidChangeContainer(() => {
				this.follow();
			}),
			workspace.onDidChangeConfiguration((change) => {
				if (
					change.affectsConfiguration('mydocker.containers.showUsage') ||
					change.affectsConfiguration('mydocker.alerts')
				) {
					this.follow();
				}
			}),
		];
	}

	/** The last figures; undefined for a container that does not run or is not followed. */
	get(id: string): UsagePoint | undefined {
		return this.trail(id).at(-1);
	}

	/** The last figures and those before them, the oldest first. */
	trail(id: string): readonly UsagePoint[] {
		return settings.isUsageShown ? (this.points.get(id) ?? []) : [];
	}

	/** Tells whether somebody looks. */
	watch(isWatched: boolean): void {
		this.isWatched = isWatched;
		this.follow();
	}

	dispose(): void {
		clearTimeout(this.gathering);
		this.streams.forEach((stream) => {
			stream.abort();
		});
		for (const subscription of [...this.subscriptions, this.changed, this.measured]) {
			subscription.dispose();
		}
	}

	/** Opens the streams that are wanted and closes the others. */
	private follow(): void {
		const { cpu, memory } = settings.thresholds;
		const isOn = (this.isWatched && settings.isUsageShown) || cpu > 0 || memory > 0;
		const running = isOn
			? this.model.containers.filter((row) => row.state === 'running').slice(0, MOST_STREAMS)
			: [];
		const wanted = new Set(running.map((row) => row.id));
		for (const id of this.streams.keys()) {
			if (!wanted.has(id)) {
				this.close(id);
			}
		}
		for (const id of wanted) {
			if (!this.streams.has(id)) {
				const stream = new AbortController();
				this.streams.set(id, stream);
				void this.read(id, stream.signal).then(() => {
					if (this.streams.get(id) === stream) {
						this.close(id);
					}
				});
			}
		}
	}

	private close(id: string): void {
		this.streams.get(id)?.abort();
		this.streams.delete(id);
		if (this.points.delete(id)) {
			this.measured.fire({ id, point: undefined });
			this.redraw();
		}
	}

	private async read(id: string, signal: AbortSignal): Promise<void> {
		const meter = new UsageMeter();
		try {
			for await (const sample of this.client.containers.stats(id, { signal })) {
				const point = meter.take(sample);
				if (point !== undefined && !signal.aborted) {
					this.points.set(id, [...(this.points.get(id) ?? []), point].slice(-TRAIL));
					this.measured.fire({ id, point });
					this.redraw();
				}
			}
		} catch (error) {
			if (!isAbort(error)) {
				this.log.debug(`Cannot read what ${shortId(id)} uses: ${sentence(error)}`);
			}
		}
	}

	private redraw(): void {
		if (!this.isWatched || !settings.isUsageShown) {
			return;
		}
		this.gathering ??= setTimeout(() => {
			this.gathering = undefined;
			this.changed.fire();
		}, GATHER);
	}
}
