import { createWriteStream } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { l10n, Uri, window, workspace } from 'vscode';

/** Writes a file of this machine, under another name until it is whole; `mode` are its permissions. */
export async function writeWhole(
	file: string,
	bytes: AsyncIterable<Buffer>,
	{ signal, mode }: { readonly signal: AbortSignal; readonly mode?: number },
): Promise<void> {
	const temporary = `${file}.${process.pid}.tmp`;
	try {
		await pipeline(bytes, createWriteStream(temporary, mode === undefined ? {} : { mode }), { signal });
		await rename(temporary, file);
	} catch (error) {
		await rm(temporary, { force: true });
		throw error;
	}
}

/** The folder that dialogs begin in: the workspace's first one on this machine. */
export function localFolder(): Uri | undefined {
	return localFolders()[0];
}

/** The workspace's folders on this machine. */
export function localFolders(): Uri[] {
	return (workspace.workspaceFolders ?? []).map(({ uri }) => uri).filter(({ scheme }) => scheme === 'file');
}

/** Asks where to save; undefined when the person left. */
export function askTarget(title: string, name: string): Thenable<Uri | undefined> {
	const folder = localFolder();
	return window.showSaveDialog({
		title,
		...(folder === undefined ? {} : { defaultUri: Uri.joinPath(folder, name) }),
	});
}

/** Asks for a tar archive; undefined when the person left. */
export async function askArchive(title: string, openLabel: string): Promise<Uri | undefined> {
	const folder = localFolder();
	const [file] =
		(await window.showOpenDialog({
			title,
			openLabel,
			filters: { [l10n.t('Tar archives')]: ARCHIVES, [l10n.t('All files')]: ['*'] },
			...(folder === undefined ? {} : { defaultUri: folder }),
		})) ?? [];
	return file;
}

const ARCHIVES = ['tar', 'tar.gz', 'tgz', 'gz', 'zst', 'xz', 'bz2'];
