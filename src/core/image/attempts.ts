/** When a request to a server is sent again, and after how long. */
import { setTimeout as delay } from 'node:timers/promises';
import type { EngineError } from '../errors';

/** Times that a request is sent; a mirror, behind which there is the registry itself, gets fewer. */
export const ATTEMPTS = 5;
export const MIRROR_ATTEMPTS = 2;
const FIRST_DELAY = 500;
/** Milliseconds; a server that wants more patience than this is told to the person instead. */
const MAX_RETRY_AFTER = 60_000;

/** A failure that another attempt may mend. */
export class TemporaryError extends Error {
	constructor(
		readonly failure: EngineError,
		/** Milliseconds that the server asks for. */
		readonly wait?: number,
	) {
		super(failure.message, { cause: failure });
	}
}

/** Whether a status says "later". */
export function isTemporary(status: number): boolean {
	return status === 429 || status >= 500;
}

/** Whether the server asks for more patience than it gets. */
export function isTooLong(wait: number | undefined): boolean {
	return wait !== undefined && wait > MAX_RETRY_AFTER;
}

/** What a message says of a wait that is too long; "" of others. */
export function longWait(wait: number | undefined): string {
	return wait !== undefined && isTooLong(wait)
		? ` (it asks to be left alone for ${Math.ceil(wait / 1000)} seconds)`
		: '';
}

/** "Retry-After" in seconds or as a date, as milliseconds. */
export function retryAfter(header: string | undefined): number | undefined {
	if (header === undefined) {
		return undefined;
	}
	const milliseconds = /^[0-9]{1,9}$/.test(header) ? Number(header) * 1000 : Date.parse(header) - Date.now();
	return Number.isFinite(milliseconds) ? Math.max(milliseconds, 0) : undefined;
}

/** Waits before another attempt: twice as long each time, unless the server says how long. */
export async function backOff(attempt: number, signal: AbortSignal | undefined, wait?: number): Promise<void> {
	await delay(wait ?? FIRST_DELAY * 2 ** (attempt - 1), undefined, { signal });
}
