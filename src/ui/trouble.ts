import type { EventMessage } from '../api/types';

/** So many failures of one container within WINDOW seconds are a crash loop. */
export const LOOP = 3;
export const WINDOW = 120;
/** Seconds in which nothing more is said of the same container. */
const QUIET = 600;
/** Exit codes of a container that was asked to end: SIGINT, SIGKILL, SIGTERM. */
const ASKED = new Set(['0', '130', '137', '143']);

export type NoticeKind = 'crash-loop' | 'oom' | 'unhealthy';

/** Finds what a person should hear of in the engine's events. Times are Unix seconds. */
export class Watch {
	private readonly failures = new Map<string, number[]>();
	private readonly told = new Map<string, number>();

	/** What is to be told of the event; undefined for nothing, and for what was told a short time ago. */
	receive({ Type, Action, Actor, time }: EventMessage): NoticeKind | undefined {
		if (Type !== 'container') {
			return undefined;
		}
		const kind = this.kindOf(Action, Actor.ID, Actor.Attributes?.['exitCode'] ?? '0', time);
		const key = `${Actor.ID} ${kind ?? ''}`;
		if (kind === undefined || time - (this.told.get(key) ?? -QUIET) < QUIET) {
			return undefined;
		}
		this.told.set(key, time);
		return kind;
	}

	private kindOf(action: string, id: string, exitCode: string, time: number): NoticeKind | undefined {
		switch (action) {
			case 'oom':
				return 'oom';
			case 'health_status: unhealthy':
				return 'unhealthy';
			case 'destroy':
				this.failures.delete(id);
				return undefined;
			case 'die': {
				if (ASKED.has(exitCode)) {
					return undefined;
				}
				const recent = [...(this.failures.get(id) ?? []), time].filter((each) => time - each < WINDOW);
				this.failures.set(id, recent);
				return recent.length >= LOOP ? 'crash-loop' : undefined;
			}
			default:
				return undefined;
		}
	}
}
