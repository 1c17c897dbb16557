import { env, EventEmitter, l10n, type Disposable } from 'vscode';
import type { Client } from '../api/client';
import { formatBytes } from './amounts';
import { bare } from './engine-keys';
import { Notice } from './failure';
import { pullKey, pullOf } from './keys';
import { splitRegistry } from './names';
import { PullMeter, type PullReading } from './pull-meter';
import type { Drawing } from './row-tree';

/** Milliseconds between two readings that are shown. */
const REPORT_EVERY = 200;

interface Pull {
	readonly abort: AbortController;
	readonly meter: PullMeter;
	lastReport: number;
}

/** The pulls under way, each a row of the Images view for as long as it lasts. */
export class Pulls implements Disposable {
	private readonly changed = new EventEmitter<void>();
	readonly onDidChange = this.changed.event;
	private readonly running = new Map<string, Pull>();

	constructor(private readonly client: Client) {}

	/** Keys of names (engine-keys.ts). */
	get references(): readonly string[] {
		return [...this.running.keys()];
	}

	get keys(): readonly string[] {
		return this.references.map(pullKey);
	}

	/** How far it is; undefined when nobody pulls it. */
	reading(reference: string): PullReading | undefined {
		return this.running.get(reference)?.meter.read(Date.now());
	}

	/** Pulls, until all of it is there. Throws AbortError when somebody cancelled, ApiError when it failed. */
	async pull(reference: string): Promise<void> {
		if (this.running.has(reference)) {
			throw new Notice(l10n.t('{0} is being pulled already.', bare(reference)));
		}
		const pull: Pull = { abort: new AbortController(), meter: new PullMeter(), lastReport: 0 };
		this.running.set(reference, pull);
		this.changed.fire();
		try {
			for await (const message of this.client.images.pull(reference, { signal: pull.abort.signal })) {
				const now = Date.now();
				pull.meter.add(message, now);
				if (now - pull.lastReport >= REPORT_EVERY) {
					pull.lastReport = now;
					this.changed.fire();
				}
			}
		} finally {
			this.running.delete(reference);
			this.changed.fire();
		}
	}

	/** Ends a pull; what is there of its layers is gone on with next time. */
	cancel(reference: string): void {
		this.running.get(reference)?.abort.abort();
	}

	/** The row of a pull; undefined for a key of something else. */
	draw(key: string): Drawing | undefined {
		const reference = pullOf(key);
		const reading = reference === undefined ? undefined : this.reading(reference);
		if (reference === undefined || reading === undefined) {
			return undefined;
		}
		const { registry, rest } = splitRegistry(bare(reference));
		const words = readingWords(reading);
		return {
			label: rest,
			description: [words, ...(registry === '' ? [] : [registry])].join(' · '),
			icon: 'loading~spin',
			context: 'pull',
			spoken: l10n.t('Pulling {0}, {1}', bare(reference), words),
		};
	}

	dispose(): void {
		this.references.forEach((reference) => {
			this.cancel(reference);
		});
		this.changed.dispose();
	}
}

/** "3 of 7 layers, 12 MB of 30 MB, 4 MB/s" */
export function readingWords(reading: PullReading): string {
	if (reading.layers === 0) {
		return l10n.t('asking the registry…');
	}
	const layers = l10n.t('{0} of {1} layers', reading.finishedLayers, reading.layers);
	if (reading.isUnpacking) {
		return l10n.t('{0}, unpacking', layers);
	}
	if (reading.total === 0) {
		return layers;
	}
	const bytes = l10n.t(
		'{0} of {1}',
		formatBytes(reading.bytes, env.language),
		formatBytes(reading.total, env.language),
	);
	const rate = reading.rate > 0 ? `, ${l10n.t('{0}/s', formatBytes(reading.rate, env.language))}` : '';
	return `${bytes}${rate}, ${layers}`;
}
