import { ApiError } from '../api/client';
import { explain } from './explain';
import type { Session } from './session';

/**
 * Does `action` for one name after the other, prints what it gives, and tells at the end what failed. The exit code is 1
 * when one failed that was there, and with `forgivesMissing` 0 when the others only were not there.
 */
export async function eachInTurn(
	session: Session,
	names: readonly string[],
	action: (name: string) => Promise<string>,
	forgivesMissing = false,
): Promise<number> {
	const failures: unknown[] = [];
	for (const name of names) {
		try {
			session.output.line(await action(name));
		} catch (error) {
			session.signal.throwIfAborted();
			failures.push(error);
		}
	}
	failures.forEach((failure) => {
		session.output.error(explain(failure));
	});
	const isForgiven = (error: unknown): boolean =>
		forgivesMissing && error instanceof ApiError && error.status === 404;
	return failures.every(isForgiven) ? 0 : 1;
}
