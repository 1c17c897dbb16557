import { Disposable, EventEmitter, FileSystemError, FileType, l10n, workspace } from 'vscode';
import type { FileChangeEvent, FileStat, FileSystemProvider, Uri } from 'vscode';
import type { LayerFileJson } from '../api/image-layer-calls';
import type { Client } from '../api/client';
import { fileSystemError, LARGEST_READ } from './files';
import { LAYERS_SCHEME, placeOf } from './layer-place';

const PAGE = 10_000;

const TYPES: Readonly<Partial<Record<LayerFileJson['Type'], FileType>>> = {
	file: FileType.File,
	directory: FileType.Directory,
	symlink: FileType.SymbolicLink,
};

/** The layers of images as folders, read-only: "/0", "/1", … with what each adds or changes. They never change. */
export class LayerFiles implements FileSystemProvider, Disposable {
	private readonly changed = new EventEmitter<FileChangeEvent[]>();
	readonly onDidChangeFile = this.changed.event;
	private readonly registration: Disposable;

	constructor(private readonly client: Client) {
		this.registration = workspace.registerFileSystemProvider(LAYERS_SCHEME, this, {
			isCaseSensitive: true,
			isReadonly: true,
		});
	}

	watch(): Disposable {
		return new Disposable(() => undefined);
	}

	async stat(uri: Uri): Promise<FileStat> {
		const { path, layer } = known(uri);
		if (layer === undefined || path === '/') {
			return { type: FileType.Directory, size: 0, ctime: 0, mtime: 0 };
		}
		const folder = path.slice(0, path.lastIndexOf('/')) || '/';
		const file = (await this.list(uri, folder)).find(({ Path }) => Path === path);
		if (file === undefined || file.Kind === 2) {
			throw FileSystemError.FileNotFound(uri);
		}
		return { type: TYPES[file.Type] ?? FileType.Unknown, size: file.Size, ctime: 0, mtime: 0 };
	}

	async readDirectory(uri: Uri): Promise<[string, FileType][]> {
		const { id, layer, path } = known(uri);
		if (layer === undefined) {
			const { Layers } = await told(uri, this.client.images.layers(id, { largest: 0 }));
			return Layers.filter(({ Empty }) => !Empty).map(({ Index }) => [String(Index), FileType.Directory]);
		}
		return (await this.list(uri, path))
			.filter(({ Kind }) => Kind !== 2)
			.map(({ Path, Type }) => [Path.slice(Path.lastIndexOf('/') + 1), TYPES[Type] ?? FileType.Unknown]);
	}

	async readFile(uri: Uri): Promise<Uint8Array> {
		const { id, layer, path } = known(uri);
		if (layer === undefined) {
			throw FileSystemError.FileIsADirectory(uri);
		}
		const { size } = await this.stat(uri);
		if (size > LARGEST_READ) {
			throw FileSystemError.Unavailable(
				l10n.t('{0} is larger than the {1} MB that can be opened here', path, LARGEST_READ / 1024 / 1024),
			);
		}
		const chunks: Buffer[] = [];
		for await (const chunk of await told(uri, this.client.images.layerFile(id, { layer, path }))) {
			chunks.push(chunk);
		}
		return Buffer.concat(chunks);
	}

	createDirectory(uri: Uri): never {
		throw FileSystemError.NoPermissions(uri);
	}

	writeFile(uri: Uri): never {
		throw FileSystemError.NoPermissions(uri);
	}

	delete(uri: Uri): never {
		throw FileSystemError.NoPermissions(uri);
	}

	rename(uri: Uri): never {
		throw FileSystemError.NoPermissions(uri);
	}

	dispose(): void {
		this.registration.dispose();
		this.changed.dispose();
	}

	private async list(uri: Uri, folder: string): Promise<readonly LayerFileJson[]> {
		const { id, layer } = known(uri);
		const files: LayerFileJson[] = [];
		for (let total = Infinity; layer !== undefined && files.length < total;) {
			const options = { layer, path: folder, offset: files.length, limit: PAGE };
			const page = await told(uri, this.client.images.layerFiles(id, options));
			files.push(...page.Files);
			total = page.Files.length === 0 ? 0 : page.Total;
		}
		return files;
	}
}

function known(uri: Uri): NonNullable<ReturnType<typeof placeOf>> {
	const place = placeOf(uri);
	if (place === undefined) {
		throw FileSystemError.FileNotFound(uri);
	}
	return place;
}

async function told<T>(uri: Uri, work: Promise<T>): Promise<T> {
	try {
		return await work;
	} catch (error) {
		throw fileSystemError(uri, error);
	}
}
