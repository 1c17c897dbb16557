/** A docker event message (Engine API, GET /events), without the deprecated top-level fields. */
export interface EngineEvent {
	readonly type: 'container' | 'image' | 'network' | 'volume' | 'daemon';
	/** Docker's verb: create, start, die, stop, destroy, pull, tag, untag, delete, … */
	readonly action: string;
	/** Container id, or image reference as docker prints it. */
	readonly id: string;
	/** name, image, exitCode, labels, … */
	readonly attributes: Readonly<Record<string, string>>;
	/** Unix time in nanoseconds. */
	readonly time: bigint;
}

const KEPT = 1000;

/**
 * Announces what has changed; nothing but redraws and client notices may hang on it. The last thousand events are kept
 * for clients that ask with `since`.
 */
export class Events {
	private readonly history: EngineEvent[] = [];
	private readonly listeners = new Set<(event: EngineEvent) => void>();

	emit(
		type: EngineEvent['type'],
		action: string,
		id: string,
		attributes: Readonly<Record<string, string>> = {},
	): void {
		const event = { type, action, id, attributes, time: nowNanoseconds() };
		this.history.push(event);
		if (this.history.length > KEPT) {
			this.history.shift();
		}
		for (const listener of [...this.listeners]) {
			listener(event);
		}
	}

	/** Calls `listener` for each event from now on; the returned function ends that. */
	subscribe(listener: (event: EngineEvent) => void): () => void {
		this.listeners.add(listener);
		return () => {
			this.listeners.delete(listener);
		};
	}

	/** Kept events at or after `time` (Unix nanoseconds), oldest first. */
	since(time: bigint): EngineEvent[] {
		return this.history.filter((event) => event.time >= time);
	}
}

const clockOffset = BigInt(Date.now()) * 1_000_000n - process.hrtime.bigint();
let last = 0n;

/** Unix time in nanoseconds, strictly increasing within this process. */
export function nowNanoseconds(): bigint {
	const wall = BigInt(Date.now()) * 1_000_000n;
	const fine = process.hrtime.bigint() + clockOffset;
	const drift = fine - wall;
	// The fine clock follows the wall clock; after a jump of the wall clock (suspend, NTP) the wall clock wins.
	const now = drift > 50_000_000n || drift < -50_000_000n ? wall : fine;
	last = now > last ? now : last + 1n;
	return last;
}

/** RFC 3339 in UTC with nine digits: "2026-11-24T15:39:41.660624100Z". */
export function rfc3339(nanoseconds: bigint): string {
	const iso = new Date(Number(nanoseconds / 1_000_000n)).toISOString();
	return `${iso.slice(0, 19)}.${String(nanoseconds % 1_000_000_000n).padStart(9, '0')}Z`;
}
