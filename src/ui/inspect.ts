import { commands, EventEmitter, l10n, Uri, window, workspace } from 'vscode';
import type { Disposable, TextDocumentContentProvider } from 'vscode';
import type { Client } from '../api/client';
import type { ContainerChange } from '../api/image-archive-calls';
import { engineOfRow, lastingKey, rowKey } from './engine-keys';
import type { Engine, Engines } from './engines';
import type { Model } from './model';
import { shortId } from './names';
import { volumeLabel } from './volume-rows';

type Kind = 'engine' | 'container' | 'image' | 'network' | 'volume' | 'changes';

const SCHEME = 'mydocker-inspect';

/**
 * Read-only documents: what the engine knows of a container, an image, a network or a volume, as JSON that follows the
 * changes, and what a container has changed of its image.
 */
export class Inspections implements TextDocumentContentProvider, Disposable {
	private readonly changed = new EventEmitter<Uri>();
	readonly onDidChange = this.changed.event;
	private readonly subscriptions: readonly Pick<Disposable, 'dispose'>[];

	constructor(
		private readonly client: Client,
		private readonly model: Model,
		private readonly engines: Engines,
	) {
		this.subscriptions = [
			this.changed,
			workspace.registerTextDocumentContentProvider(SCHEME, this),
			model.onDidChangeContainer((id) => {
				if (model.container(id) !== undefined) {
					this.refresh('container', (key) => key === id);
				}
			}),
			model.onDidChangeImages(() => {
				this.refresh('image', (key) => model.image(key) !== undefined);
			}),
			model.networks.onDidChange(() => {
				this.refresh('network', (key) => model.networks.get(key) !== undefined);
			}),
			model.volumes.onDidChange(() => {
				this.refresh('volume', (key) => model.volumes.get(key) !== undefined);
			}),
		];
	}

	async showContainer(id: string): Promise<void> {
		await show('container', id, this.titleOf('container', id));
	}

	async showImage(name: string): Promise<void> {
		await show('image', name, this.titleOf('image', name));
	}

	async showNetwork(id: string): Promise<void> {
		await show('network', id, this.model.networks.get(id)?.name ?? shortId(id));
	}

	async showVolume(name: string): Promise<void> {
		const row = this.model.volumes.get(name);
		await show('volume', name, row === undefined ? shortId(name) : volumeLabel(row));
	}

	async showEngine({ id, name }: Engine): Promise<void> {
		await show('engine', id, name);
	}

	/** Two containers (ids) or two images (names) side by side. */
	async compare(kind: 'container' | 'image', keys: readonly [string, string]): Promise<void> {
		const isOfOne = engineOfRow(keys[0]) === engineOfRow(keys[1]);
		const [left, right] = keys.map((key) => {
			const title = this.titleOf(kind, key);
			return { key, title: isOfOne ? title : `${title} (${this.model.engineName(key)})` };
		});
		if (left !== undefined && right !== undefined) {
			await commands.executeCommand(
				'vscode.diff',
				inspectUri(kind, left.key, left.title),
				inspectUri(kind, right.key, right.title),
				`${left.title} ↔ ${right.title}`,
			);
		}
	}

	titleOf(kind: 'container' | 'image', key: string): string {
		const title = kind === 'container' ? this.model.container(key)?.name : this.model.image(key)?.tag;
		return title ?? shortId(key);
	}

	/** What a container has added, changed and deleted of its image's files. */
	async showChanges(id: string): Promise<void> {
		await show('changes', id, this.model.container(id)?.name ?? shortId(id));
	}

	async provideTextDocumentContent(uri: Uri): Promise<string> {
		const [, kind = ''] = uri.path.split('/');
		if (kind === 'changes') {
			return changeLines(await this.client.containers.changes(uri.query));
		}
		const value = await this.inspect(kind, uri.query);
		return `${JSON.stringify(value, undefined, 2)}\n`;
	}

	dispose(): void {
		for (const subscription of this.subscriptions) {
			subscription.dispose();
		}
	}

	private inspect(kind: string, key: string): Promise<unknown> {
		switch (kind) {
			case 'engine':
				return this.engines.describe(key);
			case 'container':
				return this.client.containers.inspect(key);
			case 'image':
				return this.client.images.inspect(key);
			case 'network':
				return this.client.networks.inspect(key);
			default:
				return this.client.volumes.inspect(key);
		}
	}

	private refresh(kind: Kind, isMeant: (key: string) => boolean): void {
		for (const { uri } of workspace.textDocuments) {
			if (uri.scheme === SCHEME && uri.path.startsWith(`/${kind}/`) && isMeant(rowKey(uri.query))) {
				this.changed.fire(uri);
			}
		}
	}
}

/** Lines as of `docker diff`: A added, C changed, D deleted. */
function changeLines(changes: readonly ContainerChange[]): string {
	const letters = ['C', 'A', 'D'];
	const lines = changes.map(({ Kind: kind, Path: path }) => `${letters[kind] ?? '?'} ${path}\n`);
	return lines.length === 0 ? `— ${l10n.t('It has changed no file of its image')} —\n` : lines.join('');
}

async function show(kind: Kind, key: string, title: string): Promise<void> {
	const document = await workspace.openTextDocument(inspectUri(kind, key, title));
	await window.showTextDocument(document, { preview: true });
}

/** The last part of the path is the tab's title; a name of an image has slashes, which would hide most of it. */
function inspectUri(kind: Kind, key: string, title: string): Uri {
	const file = kind === 'changes' ? l10n.t('Changes of {0}', title) : `${title}.json`;
	const query = kind === 'engine' ? key : lastingKey(key);
	return Uri.from({ scheme: SCHEME, path: `/${kind}/${file.replaceAll('/', '∕')}`, query });
}
