import type { ProgressMessage } from '../api/types';

/** How far a pull is. Bytes are those of the compressed layers; `total` grows as layers tell their size. */
export interface PullReading {
	readonly layers: number;
	/** Layers that are unpacked and in place. */
	readonly finishedLayers: number;
	readonly bytes: number;
	readonly total: number;
	/** Bytes a second over the last few seconds. */
	readonly rate: number;
	readonly isUnpacking: boolean;
	/** 0 to 1, never less than before. */
	readonly fraction: number;
}

interface Layer {
	readonly bytes: number;
	readonly total: number;
	/** 0 to 1 */
	readonly unpacked: number;
	readonly phase: 'waiting' | 'downloading' | 'downloaded' | 'unpacking' | 'finished';
}

const FRESH: Layer = { bytes: 0, total: 0, unpacked: 0, phase: 'waiting' };
const RATE_WINDOW = 3000;
/** Share of a layer's work that is its download. */
const DOWNLOAD = 0.7;

/** Adds up the progress lines of one pull (POST /images/create) into what a person wants to know. */
export class PullMeter {
	private readonly layers = new Map<string, Layer>();
	private readonly samples: { time: number; bytes: number }[] = [];
	private fraction = 0;

	/** Takes one line; `now` is in milliseconds. */
	add(message: ProgressMessage, now: number): void {
		if (message.id === undefined || message.status === undefined) {
			return;
		}
		const layer = next(this.layers.get(message.id) ?? FRESH, message);
		if (layer !== undefined) {
			this.layers.set(message.id, layer);
			this.samples.push({ time: now, bytes: this.sum('bytes') });
		}
	}

	read(now: number): PullReading {
		const layers = [...this.layers.values()];
		const shares = layers.map(progress);
		const fraction = shares.length === 0 ? 0 : shares.reduce((sum, share) => sum + share, 0) / shares.length;
		this.fraction = Math.max(this.fraction, fraction);
		return {
			layers: layers.length,
			finishedLayers: layers.filter((layer) => layer.phase === 'finished').length,
			bytes: this.sum('bytes'),
			total: this.sum('total'),
			rate: this.rate(now),
			isUnpacking:
				layers.some((layer) => layer.phase === 'unpacking') &&
				!layers.some((layer) => layer.phase === 'waiting' || layer.phase === 'downloading'),
			fraction: this.fraction,
		};
	}

	private rate(now: number): number {
		while (this.samples.length > 1 && now - (this.samples[0]?.time ?? now) > RATE_WINDOW) {
			this.samples.shift();
		}
		const [oldest] = this.samples;
		const newest = this.samples.at(-1);
		const elapsed = now - (oldest?.time ?? now);
		return oldest === undefined || newest === undefined || elapsed <= 0
			? 0
			: ((newest.bytes - oldest.bytes) * 1000) / elapsed;
	}

	private sum(member: 'bytes' | 'total'): number {
		return [...this.layers.values()].reduce((sum, layer) => sum + layer[member], 0);
	}
}

/** The layer after a line in docker's words; undefined when the line is not about a layer. */
function next(layer: Layer, message: ProgressMessage): Layer | undefined {
	const { current = 0, total = 0 } = message.progressDetail ?? {};
	switch (message.status) {
		case 'Pulling fs layer':
		case 'Waiting':
			return { ...layer, total: total || layer.total };
		case 'Downloading':
			return { ...layer, phase: 'downloading', bytes: current, total: total || layer.total };
		case 'Verifying Checksum':
		case 'Download complete':
			return { ...layer, phase: 'downloaded', bytes: layer.total };
		case 'Extracting':
			return { ...layer, phase: 'unpacking', bytes: layer.total, unpacked: total > 0 ? current / total : 0 };
		case 'Pull complete':
		case 'Already exists':
			return { ...layer, phase: 'finished', bytes: layer.total, unpacked: 1 };
		default:
			return undefined;
	}
}

function progress(layer: Layer): number {
	if (layer.phase === 'finished') {
		return 1;
	}
	const downloaded = layer.total > 0 ? Math.min(layer.bytes / layer.total, 1) : 0;
	return DOWNLOAD * downloaded + (1 - DOWNLOAD) * layer.unpacked;
}
