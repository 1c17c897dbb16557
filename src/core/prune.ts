import { EngineError, messageOf } from './errors';

/** Something that a prune was to remove and could not; the prune goes on with the rest. */
export interface PruneFailure {
	readonly kind: 'container' | 'image' | 'network' | 'volume';
	readonly name: string;
	/** Why, in words. */
	readonly reason: string;
}

export interface PruneOptions {
	/** Removes nothing, and tells what would go. */
	readonly isDryRun: boolean;
	readonly onFailure: (failure: PruneFailure) => void;
	readonly signal?: AbortSignal;
}

/** Tells of an error of one removal, except that the thing has gone or come into use since it was chosen. */
export function tellFailure(error: unknown, what: Omit<PruneFailure, 'reason'>, options: PruneOptions): void {
	options.signal?.throwIfAborted();
	const isOfOthers = error instanceof EngineError && ['conflict', 'not-found'].includes(error.code);
	if (!isOfOthers) {
		options.onFailure({ ...what, reason: messageOf(error) });
	}
}
