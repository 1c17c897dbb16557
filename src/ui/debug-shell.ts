import { l10n } from 'vscode';
import type { Client, TerminalSize } from '../api/client';
import { DEBUG_ROOT, startDebugShell } from '../api/debug-shell';
import { bare } from './engine-keys';
import { pinned } from './routing-client';
import type { Line } from './terminal-line';

/** A shell of `image` beside the running container `key`, for one that has none; it goes when its shell ends. */
export async function debugLine(
	client: Client,
	key: string,
	{ image, size }: { readonly image: string; readonly size: TerminalSize | undefined },
): Promise<Line> {
	const { containers } = pinned(client, key);
	const { id, name, attachment, exit } = await startDebugShell({ containers }, bare(key), {
		image: bare(image),
		size,
	});
	return {
		greeting: l10n.t('The files of {0} are in {1}.', name, DEBUG_ROOT),
		attachment,
		resize: (next) => containers.resize(id, next),
		exitCode: () => exit,
		hangUp: () => {
			// A shell that has ended by itself is gone already.
			containers.remove(id, { force: true }).catch(() => undefined);
		},
	};
}
