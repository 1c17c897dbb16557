import { l10n, Uri, ViewColumn, window, type Disposable, type LogOutputChannel, type WebviewPanel } from 'vscode';
import type { Client } from '../api/client';
import { stateWords } from './container-rows';
import { bare } from './engine-keys';
import { isAbort, sentence, localSentence } from './failure';
import type { Models } from './model';
import { shortId, shortName } from './names';
import type { FromPanel, PanelState, Processes, ToPanel } from './stats-messages';
import { appendPoint, UsageMeter, type UsageLimits, type UsagePoint } from './usage-points';

const VIEW_TYPE = 'mydocker.stats';
/** Milliseconds between two looks at the processes, and before a stream that broke is opened again. */
const PROCESSES_EVERY = 3000;
const TRY_AGAIN = 1000;
/** What ps(1) is to say of a process, the busiest first, and how many are shown. */
const PS_ARGUMENTS = '-eo pid,user,pcpu,pmem,rss,args --sort=-pcpu';
const MOST_PROCESSES = 20;

interface Needs {
	readonly client: Client;
	readonly model: Models;
	readonly log: LogOutputChannel;
	readonly extension: Uri;
}

/** The stats panels, one a container. A panel comes back when the window is loaded anew. */
export class StatsPanels implements Disposable {
	private readonly panels = new Map<string, StatsPanel>();
	private readonly serializer: Disposable;

	constructor(private readonly needs: Needs) {
		this.serializer = window.registerWebviewPanelSerializer(VIEW_TYPE, {
			deserializeWebviewPanel: async (panel, state: Partial<PanelState> | undefined) => {
				if (typeof state?.container !== 'string' || !/^[0-9a-f]{12,64}$/.test(bare(state.container))) {
					panel.dispose();
					return;
				}
				await needs.model.ready();
				this.adopt(state.container, panel);
			},
		});
	}

	/** Shows the panel of a container by its id. */
	open(id: string): void {
		const existing = this.panels.get(id);
		if (existing !== undefined) {
			existing.reveal();
			return;
		}
		const name = this.needs.model.container(id)?.name ?? shortId(id);
		this.adopt(id, window.createWebviewPanel(VIEW_TYPE, title(name), ViewColumn.Active));
	}

	/** The panels themselves stay: they come back with the window. */
	dispose(): void {
		this.serializer.dispose();
		for (const panel of this.panels.values()) {
			panel.dispose();
		}
	}

	private adopt(id: string, panel: WebviewPanel): void {
		const stats = new StatsPanel(id, panel, this.needs);
		this.panels.set(id, stats);
		panel.onDidDispose(() => {
			this.panels.delete(id);
			stats.dispose();
		});
	}
}

/**
 * One panel. The extension keeps the points, so that a panel that was hidden (whose page is gone) has them all again;
 * the page is told only while it can be seen.
 */
class StatsPanel implements Disposable {
	private readonly points: UsagePoint[] = [];
	private limits: UsageLimits = { cpu: undefined, memory: undefined };
	private processes: Processes = { titles: [], rows: [] };
	private isPageReady = false;
	private isDisposed = false;
	/** The stream of samples; undefined while the container does not run. */
	private stream: AbortController | undefined;
	private retrying: NodeJS.Timeout | undefined;
	private looking: NodeJS.Timeout | undefined;
	private readonly subscriptions: readonly Disposable[];
	private readonly holdKey: string;

	constructor(
		private readonly id: string,
		private readonly panel: WebviewPanel,
		private readonly needs: Needs,
	) {
		const { model, extension } = needs;
		this.holdKey = `stats ${id}`;
		this.subscriptions = [
			panel.webview.onDidReceiveMessage((message: Partial<FromPanel> | undefined) => {
				if (message?.type === 'ready') {
					this.isPageReady = true;
					this.showAll();
				} else if (message?.type === 'retry') {
					void model.reload();
				}
			}),
			panel.onDidChangeViewState(() => {
				this.isPageReady &&= panel.visible;
				model.setVisible(this.holdKey, panel.visible);
			}),
			model.onDidChangeContainer((changed) => {
				if (changed === id) {
					this.followState();
				}
			}),
			model.onDidChangeState(() => {
				this.followState();
			}),
		];
		panel.webview.options = { enableScripts: true, localResourceRoots: [Uri.joinPath(extension, 'dist')] };
		const name = model.container(id)?.name ?? shortId(id);
		void this.draw(name);
		model.setVisible(this.holdKey, panel.visible);
		this.followState();
	}

	reveal(): void {
		this.panel.reveal();
	}

	dispose(): void {
		this.isDisposed = true;
		this.stopStream();
		this.needs.model.setVisible(this.holdKey, false);
		for (const subscription of this.subscriptions) {
			subscription.dispose();
		}
	}

	/** The page is in a file of its own, as few people ever see one (scripts/build.mjs). */
	private async draw(name: string): Promise<void> {
		const { statsPage } = await import('./stats-page');
		if (!this.isDisposed) {
			const { webview } = this.panel;
			webview.html = statsPage(webview, this.needs.extension, { id: this.id, name, title: title(name) });
		}
	}

	private showAll(): void {
		this.post({ type: 'limits', limits: this.limits });
		this.post({ type: 'history', points: this.points });
		this.post({ type: 'processes', processes: this.processes });
		this.showState();
		void this.lookAtProcesses();
	}

	private post(message: ToPanel): void {
		if (this.isPageReady) {
			void this.panel.webview.postMessage(message);
		}
	}

	private get isRunning(): boolean {
		const { model } = this.needs;
		const state = model.container(this.id)?.state;
		return (state === 'running' || state === 'paused') && model.at(this.id).state !== 'failed';
	}

	/** Begins and ends the stream with the container's life. */
	private followState(): void {
		this.showState();
		if (!this.isRunning) {
			this.stopStream();
			this.showProcesses({ titles: [], rows: [] });
		} else if (this.stream === undefined) {
			this.startStream();
		} else {
			void this.readLimits(this.stream.signal);
		}
	}

	private showState(): void {
		const canRetry = this.needs.model.at(this.id).state === 'failed';
		this.post({ type: 'state', words: this.stateWords(), isRunning: this.isRunning, canRetry });
	}

	private stateWords(): string {
		const { model } = this.needs;
		const row = model.container(this.id);
		// Another engine of the window may answer.
		const { state, failure } = model.at(this.id);
		if (state === 'failed') {
			return l10n.t('The engine does not answer: {0}', localSentence(failure ?? ''));
		}
		if (row === undefined) {
			return state === 'ready' ? l10n.t('This container has been removed.') : l10n.t('Connecting…');
		}
		return [stateWords(row), shortName(row.image)].join(' · ');
	}

	private startStream(): void {
		const stream = new AbortController();
		this.stream = stream;
		void this.readLimits(stream.signal);
		void this.readSamples(stream.signal).then(() => {
			if (this.stream === stream && !stream.signal.aborted) {
				// It broke: the engine left, or the container ended and the event is on its way.
				this.stopStream();
				this.retrying = setTimeout(() => {
					this.followState();
				}, TRY_AGAIN);
			}
		});
		void this.lookAtProcesses();
	}

	private stopStream(): void {
		this.stream?.abort();
		this.stream = undefined;
		clearTimeout(this.retrying);
		clearTimeout(this.looking);
	}

	private async readSamples(signal: AbortSignal): Promise<void> {
		const meter = new UsageMeter();
		try {
			for await (const sample of this.needs.client.containers.stats(this.id, { signal })) {
				const point = meter.take(sample);
				if (point !== undefined) {
					appendPoint(this.points, point);
					this.post({ type: 'point', point });
				}
			}
		} catch (error) {
			this.report('samples', error);
		}
	}

	private async readLimits(signal: AbortSignal): Promise<void> {
		try {
			const { HostConfig } = await this.needs.client.containers.inspect(this.id, { signal });
			this.limits = {
				cpu: (HostConfig.NanoCpus ?? 0) / 1e7 || undefined,
				memory: HostConfig.Memory || undefined,
			};
			this.post({ type: 'limits', limits: this.limits });
		} catch (error) {
			this.report('limits', error);
		}
	}

	/** Looks again and again, but only while somebody sees it: no engine tells of processes by itself. */
	private async lookAtProcesses(): Promise<void> {
		const { stream } = this;
		if (stream === undefined || !this.isPageReady) {
			return;
		}
		try {
			const { Titles, Processes } = await this.top(stream.signal);
			this.showProcesses({ titles: Titles, rows: (Processes ?? []).slice(0, MOST_PROCESSES) });
		} catch (error) {
			this.report('processes', error);
		}
		clearTimeout(this.looking);
		if (!stream.signal.aborted) {
			this.looking = setTimeout(() => void this.lookAtProcesses(), PROCESSES_EVERY);
		}
	}

	private showProcesses(processes: Processes): void {
		this.processes = processes;
		this.post({ type: 'processes', processes });
	}

	private top(signal: AbortSignal): ReturnType<Client['containers']['top']> {
		return this.needs.client.containers.top(this.id, { psArguments: PS_ARGUMENTS, signal });
	}

	/** A figure that is missing shows itself; why is for the log. */
	private report(what: string, error: unknown): void {
		if (!isAbort(error)) {
			this.needs.log.debug(`Cannot read the ${what} of ${shortId(this.id)}: ${sentence(error)}`);
		}
	}
}

/** The panel's title. */
function title(name: string): string {
	return l10n.t('Stats: {0}', name);
}
