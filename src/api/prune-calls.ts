/** The client's side of the four prunes (routes/prune.ts). */
import type { Cancel, Transport } from './transport';

export interface PruneOptions extends Cancel {
	readonly filters?: Readonly<Record<string, readonly string[]>>;
	/** Our engine only: removes nothing, and tells what would go. */
	readonly isDryRun?: boolean;
	/** With isDryRun: what would go if containers had been pruned before, by the same filters. */
	readonly isAfterContainers?: boolean;
}

/** What could not be removed; the rest is gone. Our engine only. */
export interface PruneFailureJson {
	readonly Kind: 'container' | 'image' | 'network' | 'volume';
	readonly Name: string;
	readonly Reason: string;
}

export interface Pruned {
	readonly Failures?: readonly PruneFailureJson[];
}

export function prune<T extends Pruned>(transport: Transport, path: string, options?: PruneOptions): Promise<T> {
	return transport.json<T>({
		method: 'POST',
		path,
		query: {
			filters: options?.filters === undefined ? undefined : JSON.stringify(options.filters),
			'dry-run': options?.isDryRun,
			'without-containers': options?.isAfterContainers,
		},
		signal: options?.signal,
	});
}
