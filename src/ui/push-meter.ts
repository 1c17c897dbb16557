import type { ProgressMessage } from '../api/types';

/** How far a push is. Bytes are those of the compressed layers that have to be sent, as far as they are known. */
export interface PushReading {
	readonly layers: number;
	/** Layers that the registry has. */
	readonly finishedLayers: number;
	readonly bytes: number;
	readonly total: number;
}

interface Layer {
	readonly bytes: number;
	readonly total: number;
	readonly isFinished: boolean;
}

const FRESH: Layer = { bytes: 0, total: 0, isFinished: false };

/** Adds up the progress lines of one push (POST /images/{name}/push), which are in docker's words. */
export class PushMeter {
	private readonly layers = new Map<string, Layer>();

	add({ id, status, progressDetail }: ProgressMessage): void {
		const layer = this.layers.get(id ?? '') ?? FRESH;
		if (id === undefined || status === undefined) {
			return;
		}
		if (status === 'Preparing' || status === 'Waiting') {
			this.layers.set(id, layer);
		} else if (status === 'Pushing') {
			const { current = 0, total = 0 } = progressDetail ?? {};
			this.layers.set(id, { bytes: current, total: Math.max(total, current, layer.total), isFinished: false });
		} else if (status === 'Pushed' || status === 'Layer already exists' || status.startsWith('Mounted from ')) {
			this.layers.set(id, { bytes: layer.total, total: layer.total, isFinished: true });
		}
	}

	read(): PushReading {
		const layers = [...this.layers.values()];
		return {
			layers: layers.length,
			finishedLayers: layers.filter(({ isFinished }) => isFinished).length,
			bytes: layers.reduce((sum, { bytes }) => sum + bytes, 0),
			total: layers.reduce((sum, { total }) => sum + total, 0),
		};
	}
}
