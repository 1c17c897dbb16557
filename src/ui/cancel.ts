import type { CancellationToken } from 'vscode';

/** The token as calls of the engine take it. */
export function signalOf(token: CancellationToken): AbortSignal {
	const abort = new AbortController();
	token.onCancellationRequested(() => {
		abort.abort();
	});
	return abort.signal;
}
