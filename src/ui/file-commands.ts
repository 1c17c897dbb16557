import { open } from 'node:fs/promises';
import * as path from 'node:path';
import { commands, FileChangeType, l10n, Uri, window, workspace } from 'vscode';
import { isFolder, isLink } from '../api/archive';
import { ApiError, type Archive, type PathStat } from '../api/client';
import { encodeEnd, encodeHead, openFirst } from '../api/file-tar';
import { ask } from './ask';
import { bare, engineOfRow, OWN_ID } from './engine-keys';
import { Notice } from './failure';
import { isFile, newHead } from './files';
import { shortId } from './names';
import type { Parts } from './parts';
import { containersFor, volumesFor } from './pick';
import { archiveOf, filesUri, folderOf, nameOf, ownerOf, type Owner } from './place';
import type { ContainerRow } from './rows';
import { askTarget, localFolder, writeWhole } from './saved-files';
import { withProgress } from './transfer';
import { isOurs, volumeLabel } from './volume-rows';

type Needs = Pick<Parts, 'client' | 'model' | 'files'>;
type Handler = (needs: Needs, ...called: unknown[]) => Promise<void>;

/** Browse Files: the files become a folder of the workspace, shown in the explorer. */
export function browseFiles(kind: Owner['kind']): Handler {
	return async (needs, ...called) => {
		// Another engine lists the files of containers that run.
		const fits = ({ id, state }: ContainerRow): boolean => engineOfRow(id) === OWN_ID || state === 'running';
		const owner = await ownerFor(needs, kind, { called, title: l10n.t('Browse Files'), fits });
		if (owner === undefined) {
			return;
		}
		const uri = filesUri(owner);
		const folders = workspace.workspaceFolders ?? [];
		if (!folders.some((folder) => folder.uri.toString() === uri.toString())) {
			const name = labelOf(needs, owner);
			if (!workspace.updateWorkspaceFolders(folders.length, 0, { uri, name })) {
				throw new Error(l10n.t('VS Code did not open the files of {0} in the workspace', name));
			}
		}
		await commands.executeCommand('revealInExplorer', uri);
	};
}

/** Upload Files…: on a row it asks for the folder there; from the explorer it is the one that was clicked. */
export function uploadFiles(kind?: Owner['kind']): Handler {
	return async (needs, ...called) => {
		const title = l10n.t('Upload Files');
		const place = await placeFor(needs, kind, { called, title, prompt: l10n.t('Folder to upload to') });
		if (place === undefined) {
			return;
		}
		const archive = archiveOf(needs.client, place.owner);
		const folder = await folderAt(archive, place.path);
		const [, , given] = called;
		const sources = isUris(given) ? given : await window.showOpenDialog(uploadDialog());
		if (sources === undefined || !(await mayReplace(archive, folder, sources))) {
			return;
		}
		for (const source of sources) {
			await upload(needs, { owner: place.owner, folder, file: source.fsPath });
		}
	};
}

/** Download…: a file as it is, a folder as a tar. */
export function downloadFiles(kind?: Owner['kind']): Handler {
	return async (needs, ...called) => {
		const title = l10n.t('Download');
		const place = await placeFor(needs, kind, { called, title, prompt: l10n.t('File or folder to download') });
		if (place === undefined) {
			return;
		}
		const archive = archiveOf(needs.client, place.owner);
		const { stat, source } = await sourceAt(archive, place.path);
		if (!isFolder(stat) && !isFile(stat)) {
			throw new Notice(l10n.t('{0} is no regular file: it cannot be downloaded', place.path));
		}
		const name = nameOf(place.path) || labelOf(needs, place.owner);
		const [, , given] = called;
		const target = given instanceof Uri ? given : await askTarget(title, isFolder(stat) ? `${name}.tar` : name);
		if (target !== undefined) {
			await download(archive, { source, isWhole: isFolder(stat), file: target.fsPath });
		}
	};
}

interface Question {
	readonly called: readonly unknown[];
	readonly title: string;
	readonly fits?: (row: ContainerRow) => boolean;
}

async function ownerFor(
	{ model }: Needs,
	kind: Owner['kind'],
	{ called: [first], title, fits = () => true }: Question,
): Promise<Owner | undefined> {
	const [key] =
		kind === 'container'
			? await containersFor(model, [first], { title, none: l10n.t('There are no containers yet.'), fits })
			: await volumesFor(model, [first], { title, none: l10n.t('There are no volumes yet.'), fits: isOurs });
	return key === undefined ? undefined : { kind, key };
}

/** A place that was clicked in the explorer, or what is asked for. A test may hand in the path behind the row. */
async function placeFor(
	needs: Needs,
	kind: Owner['kind'] | undefined,
	{ called, title, prompt }: Question & { readonly prompt: string },
): Promise<{ readonly owner: Owner; readonly path: string } | undefined> {
	const [first, second] = called;
	const clicked = first instanceof Uri ? first : window.activeTextEditor?.document.uri;
	if (kind === undefined) {
		const owner = clicked && ownerOf(clicked);
		if (owner === undefined) {
			throw new Notice(l10n.t('This is for files of containers and volumes: browse them first.'));
		}
		return { owner, path: clicked?.path ?? '/' };
	}
	const owner = await ownerFor(needs, kind, { called, title });
	if (owner === undefined) {
		return undefined;
	}
	const answer = typeof second === 'string' ? second : await askPath(labelOf(needs, owner), title, prompt);
	return typeof answer === 'string' ? { owner, path: answer } : undefined;
}

function askPath(name: string, title: string, prompt: string): ReturnType<typeof ask> {
	return ask({
		title: `${title}: ${name}`,
		prompt,
		value: '/',
		check: (typed) => (typed.startsWith('/') ? undefined : l10n.t('A path begins with "/"')),
	});
}

function labelOf({ model }: Needs, { kind, key }: Owner): string {
	if (kind === 'container') {
		return model.container(key)?.name ?? shortId(key);
	}
	const row = model.volumes.get(key);
	return row === undefined ? bare(key) : volumeLabel(row);
}

/** The folder that a path leads to; of a file, the one it is in. */
async function folderAt(archive: Archive, place: string): Promise<string> {
	const { stat, source } = await sourceAt(archive, place);
	return isFolder(stat) ? source : folderOf(source);
}

/** What a path leads to, links followed. */
async function sourceAt(
	archive: Archive,
	place: string,
): Promise<{ readonly stat: PathStat; readonly source: string }> {
	const stat = await archive.stat(place);
	return isLink(stat)
		? { stat: await archive.stat(stat.linkTarget), source: stat.linkTarget }
		: { stat, source: place };
}

function isUris(value: unknown): value is readonly Uri[] {
	return Array.isArray(value) && value.length > 0 && value.every((one) => one instanceof Uri);
}

function uploadDialog(): Parameters<typeof window.showOpenDialog>[0] {
	const folder = localFolder();
	return {
		title: l10n.t('Upload Files'),
		openLabel: l10n.t('Upload'),
		canSelectMany: true,
		...(folder === undefined ? {} : { defaultUri: folder }),
	};
}

async function mayReplace(archive: Archive, folder: string, sources: readonly Uri[]): Promise<boolean> {
	const names = sources.map(({ fsPath }) => path.basename(fsPath));
	const there = await Promise.all(names.map((name) => isThere(archive, path.posix.join(folder, name))));
	const taken = names.filter((_, index) => there[index]);
	if (taken.length === 0) {
		return true;
	}
	const replace = l10n.t('Replace');
	const answer = await window.showWarningMessage(
		l10n.t('Replace {0} in {1}?', taken.join(', '), folder),
		{ modal: true, detail: l10n.t('What is there now goes for good.') },
		replace,
	);
	return answer === replace;
}

async function isThere(archive: Archive, place: string): Promise<boolean> {
	try {
		await archive.stat(place);
		return true;
	} catch (error) {
		if (error instanceof ApiError && error.status === 404) {
			return false;
		}
		throw error;
	}
}

async function upload(
	{ client, files }: Needs,
	{ owner, folder, file }: { readonly owner: Owner; readonly folder: string; readonly file: string },
): Promise<void> {
	const archive = archiveOf(client, owner);
	const name = path.basename(file);
	const uri = filesUri(owner, path.posix.join(folder, name));
	const handle = await open(file, 'r');
	try {
		const stat = await handle.stat();
		if (!stat.isFile()) {
			throw new Notice(l10n.t('{0} is no regular file: drag a folder into the explorer instead', name));
		}
		const { uid, gid } = await newHead(archive, uri, uri.path);
		const { size, mode, mtimeMs: mtime } = stat;
		const head = encodeHead({ name, isFolder: false, size, mode: mode & 0o777, uid, gid, mtime });
		await withProgress(l10n.t('Uploading {0}', name), async (signal, count) => {
			const content = count(exactly(size, handle.createReadStream({ autoClose: false })));
			await archive.put(folder, framed(head, content, encodeEnd(size)), { signal, keepsKind: true });
		});
	} finally {
		await handle.close();
	}
	files.tell([[uri, FileChangeType.Changed]]);
}

async function* framed(head: Buffer, content: AsyncIterable<Buffer>, end: Buffer): AsyncGenerator<Buffer> {
	yield head;
	yield* content;
	yield end;
}

/** A file that is written to meanwhile is taken as long as it was; one that has become shorter cannot be. */
async function* exactly(size: number, content: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
	let left = size;
	for await (const chunk of content) {
		const part = chunk.subarray(0, left);
		left -= part.length;
		yield part;
		if (left === 0) {
			return;
		}
	}
	if (left > 0) {
		throw new Error(l10n.t('The file has become shorter while it was read'));
	}
}

async function download(
	archive: Archive,
	{ source, isWhole, file }: { readonly source: string; readonly isWhole: boolean; readonly file: string },
): Promise<void> {
	await withProgress(l10n.t('Downloading {0}', nameOf(source) || '/'), async (signal, count) => {
		const { tar } = await archive.get(source, { signal });
		const content = isWhole ? tar : (await openFirst(tar)).content;
		await writeWhole(file, count(content), { signal });
	});
}
