import type { UsageLimits, UsagePoint } from './usage-points';

/** What the extension tells the stats panel. */
export type ToPanel =
	| { readonly type: 'history'; readonly points: readonly UsagePoint[] }
	| { readonly type: 'point'; readonly point: UsagePoint }
	| { readonly type: 'limits'; readonly limits: UsageLimits }
	| {
			readonly type: 'state';
			readonly words: string;
			readonly isRunning: boolean;
			/** True when the engine cannot be had: the page offers to try again. */
			readonly canRetry: boolean;
	  }
	| { readonly type: 'processes'; readonly processes: Processes };

/** What the panel tells the extension. */
export interface FromPanel {
	readonly type: 'ready' | 'retry';
}

/** A container's processes, by title of ps(1). */
export interface Processes {
	readonly titles: readonly string[];
	readonly rows: readonly (readonly string[])[];
}

/** The panel's sentences in the user's language; "{0}" and "{1}" are filled in there. */
export interface PanelWords {
	readonly cpuLimit: string;
	readonly memoryOf: string;
	readonly noLimit: string;
	readonly received: string;
	readonly sent: string;
	readonly read: string;
	readonly written: string;
	readonly total: string;
	readonly perSecond: string;
	readonly noProcesses: string;
}

/** What a panel is known by after the window was loaded anew. */
export interface PanelState {
	readonly container: string;
	/** Minutes that the charts show. */
	readonly minutes?: number;
}
