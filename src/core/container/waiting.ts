import { setTimeout as delay } from 'node:timers/promises';
import { EngineError } from '../errors';

/** Waits for `work`; that there was nothing to do is a success. */
export async function ignoreNotModified(work: Promise<void>): Promise<void> {
	try {
		await work;
	} catch (error) {
		if (!(error instanceof EngineError && error.code === 'not-modified')) {
			throw error;
		}
	}
}

/** False when the time is over first; without a time it waits for ever. */
export async function isSettledWithin(work: Promise<unknown>, milliseconds: number | undefined): Promise<boolean> {
	if (milliseconds === undefined) {
		await work;
		return true;
	}
	const timer = new AbortController();
	const late = delay(milliseconds, false, { signal: timer.signal });
	try {
		return await Promise.race([work.then(() => true), late]);
	} finally {
		timer.abort();
		late.catch(() => {
			// Aborted, as asked.
		});
	}
}

/** Rejects with the signal's reason when it aborts first; the work goes on. */
export async function abortable<T>(work: Promise<T>, signal: AbortSignal, onAbort?: () => void): Promise<T> {
	let stopListening = (): void => undefined;
	const aborted = new Promise<never>((_, reject) => {
		const abort = (): void => {
			onAbort?.();
			reject(signal.reason instanceof Error ? signal.reason : new Error(String(signal.reason)));
		};
		stopListening = () => {
			signal.removeEventListener('abort', abort);
		};
		signal.addEventListener('abort', abort, { once: true });
		if (signal.aborted) {
			abort();
		}
	});
	try {
		return await Promise.race([work, aborted]);
	} finally {
		stopListening();
	}
}
