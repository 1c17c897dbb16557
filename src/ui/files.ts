import {
	Disposable,
	EventEmitter,
	FileChangeType,
	FileSystemError,
	FileType,
	l10n,
	workspace,
	type FileChangeEvent,
	type FileStat,
	type FileSystemProvider,
	type Uri,
} from 'vscode';
import { isFolder, isLink } from '../api/archive';
import { ApiError, type Archive, type Client, type PathStat } from '../api/client';
import { encodeFile, openFirst, type FileHead } from '../api/file-tar';
import type { EventMessage } from '../api/types';
import { localSentence } from './failure';
import type { Model } from './model';
import { archiveOf, filesUri, FILES_SCHEME, folderOf, nameOf, ownerOf } from './place';

/** Bytes of the largest file that is read into an editor: VS Code holds it whole, twice. */
export const LARGEST_READ = 64 * 1024 * 1024;
/** Links of one folder that are looked at together. */
const LINKS_AT_ONCE = 8;
const NEW_FILE = 0o644;
const NEW_FOLDER = 0o755;
/** Events after which open files of a container or volume may be different. */
const NEWS: ReadonlySet<string> = new Set(['extract-to-dir', 'start', 'die', 'mount', 'unmount', 'restore']);

/** Files of containers, running or not, and of volumes, as VS Code's explorer and editors want them. */
export class Files implements FileSystemProvider, Disposable {
	private readonly changed = new EventEmitter<FileChangeEvent[]>();
	readonly onDidChangeFile = this.changed.event;
	private readonly watched = new Set<Uri>();
	private readonly subscriptions: readonly Pick<Disposable, 'dispose'>[];

	constructor(
		private readonly client: Client,
		model: Model,
	) {
		this.subscriptions = [
			this.changed,
			workspace.registerFileSystemProvider(FILES_SCHEME, this, { isCaseSensitive: true }),
			model.onDidReceive((event) => {
				this.follow(event);
			}),
		];
	}

	dispose(): void {
		for (const subscription of this.subscriptions) {
			subscription.dispose();
		}
	}

	/** The engine does not tell which file changed: an event of the owner has all that is looked at read again. */
	watch(uri: Uri): Disposable {
		this.watched.add(uri);
		return new Disposable(() => this.watched.delete(uri));
	}

	async stat(uri: Uri): Promise<FileStat> {
		const archive = this.archive(uri);
		const found = await existing(archive, uri);
		if (!isLink(found)) {
			return statOf(found);
		}
		const target = await lookUp(archive, uri, found.linkTarget);
		return target === undefined || isLink(target)
			? statOf(found)
			: { ...statOf(target), type: linkTo(statOf(target).type) };
	}

	async readDirectory(uri: Uri): Promise<[string, FileType][]> {
		const archive = this.archive(uri);
		const entries = await told(
			uri,
			archive.list(uri.path).catch((error: unknown) => {
				throw error instanceof ApiError && error.code === 'invalid'
					? FileSystemError.FileNotADirectory(uri)
					: error;
			}),
		);
		const types = new Map(entries.map((entry) => [entry.name, statOf(entry).type]));
		const links = entries.filter(isLink);
		const next = async (): Promise<void> => {
			for (let link = links.pop(); link !== undefined; link = links.pop()) {
				const isToFolder = (await lookUp(archive, uri, `${uri.path}/${link.name}/.`)) !== undefined;
				types.set(link.name, linkTo(isToFolder ? FileType.Directory : FileType.File));
			}
		};
		await Promise.all(Array.from({ length: LINKS_AT_ONCE }, next));
		return [...types];
	}

	async readFile(uri: Uri): Promise<Uint8Array> {
		const archive = this.archive(uri);
		const { path, stat } = await followed(archive, uri);
		if (stat === undefined) {
			throw FileSystemError.FileNotFound(uri);
		}
		mustBeFile(uri, stat);
		if (stat.size > LARGEST_READ) {
			throw tooLarge(uri);
		}
		return told(uri, readWhole(archive, uri, path));
	}

	async writeFile(
		uri: Uri,
		content: Uint8Array,
		options: { readonly create: boolean; readonly overwrite: boolean },
	): Promise<void> {
		const archive = this.archive(uri);
		const { path, stat } = await followed(archive, uri);
		if (stat === undefined && !options.create) {
			throw FileSystemError.FileNotFound(uri);
		}
		if (stat !== undefined && options.create && !options.overwrite) {
			throw FileSystemError.FileExists(uri);
		}
		if (stat !== undefined) {
			mustBeFile(uri, stat);
		}
		const like = stat === undefined ? await newHead(archive, uri, path) : await told(uri, headOf(archive, path));
		const head = { ...like, name: nameOf(path), isFolder: false, mtime: Date.now() };
		await told(uri, archive.put(folderOf(path), encodeFile(head, content), { keepsKind: true }));
		this.tell([[uri, stat === undefined ? FileChangeType.Created : FileChangeType.Changed]]);
	}

	async createDirectory(uri: Uri): Promise<void> {
		const archive = this.archive(uri);
		if ((await lookUp(archive, uri, uri.path)) !== undefined) {
			throw FileSystemError.FileExists(uri);
		}
		const head = { ...(await newHead(archive, uri, uri.path)), isFolder: true, mode: NEW_FOLDER };
		await told(uri, archive.put(folderOf(uri.path), encodeFile(head, Buffer.alloc(0)), { keepsKind: true }));
		this.tell([[uri, FileChangeType.Created]]);
	}

	async delete(uri: Uri, { recursive }: { readonly recursive: boolean }): Promise<void> {
		const archive = this.archive(uri);
		const found = await existing(archive, uri);
		if (!recursive && isFolder(found) && (await told(uri, archive.list(uri.path))).length > 0) {
			throw FileSystemError.NoPermissions(l10n.t('The folder {0} is not empty', uri.path));
		}
		await told(uri, archive.remove(uri.path));
		this.tell([[uri, FileChangeType.Deleted]]);
	}

	async rename(from: Uri, to: Uri, { overwrite }: { readonly overwrite: boolean }): Promise<void> {
		const [source, target] = [this.archive(from), this.archive(to)];
		const isSameOwner = from.authority === to.authority;
		const found = await existing(source, from);
		const inTheWay = await lookUp(target, to, to.path);
		if (inTheWay !== undefined && !overwrite) {
			throw FileSystemError.FileExists(to);
		}
		if (isSameOwner && (isWithin(to.path, from.path) || isWithin(from.path, to.path))) {
			throw FileSystemError.NoPermissions(l10n.t('A folder cannot go into itself'));
		}
		// rename(2) and tar replace files, but no folder that has something in it.
		if (inTheWay !== undefined && (isFolder(inTheWay) || isFolder(found))) {
			await told(to, target.remove(to.path));
		}
		await told(from, isSameOwner ? source.rename(from.path, to.path) : move(from, source, to, target));
		this.tell([
			[from, FileChangeType.Deleted],
			[to, FileChangeType.Created],
		]);
	}

	private archive(uri: Uri): Archive {
		const owner = ownerOf(uri);
		if (owner === undefined) {
			throw FileSystemError.FileNotFound(uri);
		}
		return archiveOf(this.client, owner);
	}

	/** Tells of changes that went through us. */
	tell(changes: readonly (readonly [Uri, FileChangeType])[]): void {
		this.changed.fire(changes.map(([uri, type]) => ({ uri, type })));
	}

	private follow({ Type: kind, Action: action, Actor: { ID: key } }: EventMessage): void {
		if ((kind !== 'container' && kind !== 'volume') || !(NEWS.has(action) || action === 'destroy')) {
			return;
		}
		const { authority } = filesUri({ kind, key });
		const type = action === 'destroy' ? FileChangeType.Deleted : FileChangeType.Changed;
		const concerned = [...this.watched].filter((uri) => uri.authority === authority);
		if (concerned.length > 0) {
			this.tell(concerned.map((uri) => [uri, type]));
		}
	}
}

/** All bits of Go's os.FileMode that say that something is no regular file. */
const NO_FILE = 2 ** 31 + 2 ** 27 + 2 ** 26 + 2 ** 25 + 2 ** 24 + 2 ** 21 + 2 ** 19;

export function isFile({ mode }: Pick<PathStat, 'mode'>): boolean {
	return (mode & NO_FILE) === 0;
}

function statOf(found: PathStat): FileStat {
	const type = isFolder(found)
		? FileType.Directory
		: isLink(found)
			? FileType.SymbolicLink
			: isFile(found)
				? FileType.File
				: FileType.Unknown;
	const mtime = Date.parse(found.mtime);
	return { type, size: isFolder(found) ? 0 : found.size, mtime, ctime: mtime };
}

function linkTo(type: FileType): FileType {
	return type | FileType.SymbolicLink;
}

function isWithin(path: string, folder: string): boolean {
	return path.startsWith(`${folder}/`);
}

async function existing(archive: Archive, uri: Uri): Promise<PathStat> {
	const found = await lookUp(archive, uri, uri.path);
	if (found === undefined) {
		throw FileSystemError.FileNotFound(uri);
	}
	return found;
}

/** Undefined when there is nothing there, or a file where a folder should be. */
async function lookUp(archive: Archive, uri: Uri, path: string): Promise<PathStat | undefined> {
	try {
		return await archive.stat(path);
	} catch (error) {
		// An answer to HEAD has no sentence: the status is all there is.
		if (error instanceof ApiError && (error.status === 404 || error.status === 400)) {
			return undefined;
		}
		throw fileSystemError(uri, error);
	}
}

/** Where a link leads, and what is there: it is the file behind it that is read and written. */
async function followed(
	archive: Archive,
	uri: Uri,
): Promise<{ readonly path: string; readonly stat: PathStat | undefined }> {
	const stat = await lookUp(archive, uri, uri.path);
	return stat === undefined || !isLink(stat)
		? { path: uri.path, stat }
		: { path: stat.linkTarget, stat: await lookUp(archive, uri, stat.linkTarget) };
}

function mustBeFile(uri: Uri, stat: PathStat): void {
	if (isFolder(stat)) {
		throw FileSystemError.FileIsADirectory(uri);
	}
	if (!isFile(stat)) {
		throw FileSystemError.NoPermissions(l10n.t('{0} is no regular file: it cannot be opened here', uri.path));
	}
}

function tooLarge(uri: Uri): FileSystemError {
	const limit = LARGEST_READ / 1024 / 1024;
	return FileSystemError.Unavailable(
		l10n.t('{0} is larger than the {1} MB that can be opened here: use Download…', uri.path, limit),
	);
}

async function readWhole(archive: Archive, uri: Uri, path: string): Promise<Uint8Array> {
	const { head, content, close } = await openFirst((await archive.get(path)).tar);
	// It may have grown since it was looked at.
	if (head.size > LARGEST_READ) {
		await close();
		throw tooLarge(uri);
	}
	const chunks: Buffer[] = [];
	for await (const chunk of content) {
		chunks.push(chunk);
	}
	return Buffer.concat(chunks);
}

/** Owner and mode of what is there, from the beginning of its archive: its stat does not have the owner. */
async function headOf(archive: Archive, path: string): Promise<FileHead> {
	const { head, close } = await openFirst((await archive.get(path)).tar);
	await close();
	return head;
}

/** A new file belongs to whom its folder belongs: a service can use what was made for it. */
export async function newHead(archive: Archive, uri: Uri, path: string): Promise<FileHead> {
	const folder = folderOf(path);
	if ((await lookUp(archive, uri, `${folder}/.`)) === undefined) {
		throw FileSystemError.FileNotFound(uri.with({ path: folder }));
	}
	const { uid, gid } = await told(uri, headOf(archive, `${folder}/.`));
	return { name: nameOf(path), isFolder: false, size: 0, mode: NEW_FILE, uid, gid, mtime: Date.now() };
}

/** Between two owners, where rename(2) does not reach. The source goes when its copy is whole. */
async function move(from: Uri, source: Archive, to: Uri, target: Archive): Promise<void> {
	if (nameOf(from.path) !== nameOf(to.path)) {
		throw FileSystemError.NoPermissions(l10n.t('Move it under its own name first, and rename it then'));
	}
	await target.put(folderOf(to.path), (await source.get(from.path)).tar);
	await source.remove(from.path);
}

async function told<T>(uri: Uri, work: Promise<T>): Promise<T> {
	try {
		return await work;
	} catch (error) {
		throw fileSystemError(uri, error);
	}
}

/** What VS Code understands, with the engine's sentence. */
export function fileSystemError(uri: Uri, error: unknown): unknown {
	if (error instanceof FileSystemError) {
		return error;
	}
	const message = localSentence(error);
	if (!(error instanceof ApiError)) {
		return FileSystemError.Unavailable(message);
	}
	if (error.code === undefined && (error.status === 404 || error.status === 405)) {
		return FileSystemError.Unavailable(
			l10n.t('This engine cannot list, rename or delete files ({0}): only the engine of MyDocker can', uri.path),
		);
	}
	switch (error.code) {
		case 'unable':
			return FileSystemError.Unavailable(
				l10n.t(
					'{0}: on this engine only a container that runs and has the programs sh, stat, rm and mv lists, renames and deletes files',
					uri.path,
				),
			);
		case 'not-found':
			return FileSystemError.FileNotFound(message);
		case 'invalid':
		case 'denied':
		case 'conflict':
			return FileSystemError.NoPermissions(message);
		default:
			return FileSystemError.Unavailable(message);
	}
}
