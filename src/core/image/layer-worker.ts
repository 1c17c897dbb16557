/** A thread that unpacks layers, one at a time; bundled as dist/layer-worker.js and driven by layer-threads.ts. */
import { parentPort, workerData } from 'node:worker_threads';
import { EngineError, messageOf } from '../errors';
import type { ErrorCode } from '../errors';
import type { AppliedLayer } from './layer';
import { hasIdleCore, unpackLayer } from './unpack';
import type { JobProgress, LayerJob } from './unpack';

/** From the engine to the thread. */
export type WorkerRequest = { readonly kind: 'unpack'; readonly job: LayerJob } | { readonly kind: 'abort' };

/** From the thread to the engine. */
export type WorkerAnswer =
	| { readonly kind: 'progress'; readonly progress: JobProgress }
	| { readonly kind: 'stall'; readonly isStalled: boolean }
	| { readonly kind: 'done'; readonly layer: AppliedLayer }
	| { readonly kind: 'failed'; readonly code: ErrorCode; readonly message: string };

if (parentPort) {
	serve(parentPort, workerData as Int32Array);
}

function serve(port: NonNullable<typeof parentPort>, running: Int32Array): void {
	let controller = new AbortController();
	const answer = (message: WorkerAnswer): void => {
		port.postMessage(message);
	};
	port.on('message', (request: WorkerRequest) => {
		if (request.kind === 'abort') {
			controller.abort();
			return;
		}
		controller = new AbortController();
		const onProgress = (progress: JobProgress): void => {
			answer({ kind: 'progress', progress });
		};
		const onStall = (isStalled: boolean): void => {
			answer({ kind: 'stall', isStalled });
		};
		const options = { isSharedThread: false, hasIdleCore: () => hasIdleCore(running), onProgress, onStall };
		unpackLayer(request.job, { ...options, signal: controller.signal }).then(
			(layer) => {
				answer({ kind: 'done', layer });
			},
			(error: unknown) => {
				const code = error instanceof EngineError ? error.code : 'internal';
				answer({ kind: 'failed', code, message: messageOf(error) });
			},
		);
	});
}
