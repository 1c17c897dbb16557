import {
	commands,
	Disposable,
	DocumentLink,
	DocumentSymbol,
	env,
	l10n,
	languages,
	Range,
	SymbolKind,
	Uri,
	window,
	workspace,
	type TextDocumentContentProvider,
} from 'vscode';
import type { LayerFileJson } from '../api/image-layer-calls';
import type { Client } from '../api/client';
import { formatBytes } from './amounts';
import { bare, beside, lastingKey } from './engine-keys';
import { layerUri } from './layer-place';
import type { LayerList, LayeredImage, Report, Wording } from './layer-report';

const SCHEME = 'mydocker-layer-report';
const PAGE = 10_000;
/** Lines of one layer in a report; a comparison has more, since what is left out cannot be compared. */
const MOST_FILES = 2000;
const MOST_COMPARED = 100_000;

/**
 * What the layers of an image are and hold, as a read-only document: its outline is the tree of layers, its files are
 * links. And two images side by side, in VS Code's diff editor.
 */
export class LayerReports implements TextDocumentContentProvider, Disposable {
	private readonly reports = new Map<string, Report>();
	private readonly subscriptions: readonly Pick<Disposable, 'dispose'>[];

	constructor(private readonly client: Client) {
		this.subscriptions = [
			workspace.registerTextDocumentContentProvider(SCHEME, this),
			languages.registerDocumentSymbolProvider(
				{ scheme: SCHEME },
				{ provideDocumentSymbols: ({ uri }) => this.symbols(uri) },
			),
			languages.registerDocumentLinkProvider(
				{ scheme: SCHEME },
				{ provideDocumentLinks: (document) => this.links(document.uri, (line) => document.lineAt(line).text) },
			),
			workspace.onDidCloseTextDocument(({ uri }) => this.reports.delete(uri.toString())),
		];
	}

	/** Opens the report of an image. */
	async show(name: string, title: string): Promise<void> {
		const uri = reportUri(l10n.t('Layers of {0}', title), [name]);
		await window.showTextDocument(await workspace.openTextDocument(uri), { preview: true });
	}

	/** Opens two images side by side. */
	async compare(left: { name: string; title: string }, right: { name: string; title: string }): Promise<void> {
		await commands.executeCommand(
			'vscode.diff',
			reportUri(left.title, [left.name, right.name]),
			reportUri(right.title, [right.name, left.name]),
			`${left.title} ↔ ${right.title}`,
			{ preview: true },
		);
	}

	async provideTextDocumentContent(uri: Uri): Promise<string> {
		const [name = '', other] = JSON.parse(uri.query) as string[];
		const { comparedSide, layerReport, sharedLayers } = await import('./layer-report');
		if (other === undefined) {
			const report = layerReport(await this.examine(name, 0, MOST_FILES), wording());
			this.reports.set(uri.toString(), report);
			return report.text;
		}
		const [layers, others] = await Promise.all([
			this.client.images.layers(name, { largest: 0 }),
			this.client.images.layers(other, { largest: 0 }),
		]);
		const shared = sharedLayers(layers, others);
		return comparedSide(await this.examine(name, shared, MOST_COMPARED), shared, wording());
	}

	dispose(): void {
		for (const subscription of this.subscriptions) {
			subscription.dispose();
		}
	}

	private async examine(name: string, from: number, most: number): Promise<LayeredImage> {
		const layers = await this.client.images.layers(name);
		const files = new Map<number, LayerList>();
		for (const { Index, Empty } of layers.Layers.slice(from)) {
			if (!Empty) {
				files.set(Index, await this.list(beside(name, layers.Id), Index, most));
			}
		}
		return { name: bare(name), layers, files };
	}

	private async list(id: string, layer: number, most: number): Promise<LayerList> {
		const files: LayerFileJson[] = [];
		for (;;) {
			const limit = Math.min(PAGE, most - files.length);
			const options = { layer, isRecursive: true, offset: files.length, limit };
			const page = await this.client.images.layerFiles(id, options);
			files.push(...page.Files);
			if (page.Files.length === 0 || files.length >= Math.min(page.Total, most)) {
				return { total: page.Total, files };
			}
		}
	}

	private symbols(uri: Uri): DocumentSymbol[] {
		return (this.reports.get(uri.toString())?.layers ?? []).map(({ title, detail, start, end, files }) => {
			const layer = new DocumentSymbol(
				title,
				detail,
				SymbolKind.Package,
				new Range(start, 0, end, Number.MAX_SAFE_INTEGER),
				new Range(start, 0, start, title.length),
			);
			layer.children = files.map(({ line, path }) => {
				const range = new Range(line, 0, line, Number.MAX_SAFE_INTEGER);
				return new DocumentSymbol(path, '', SymbolKind.File, range, range);
			});
			return layer;
		});
	}

	private links(uri: Uri, textOf: (line: number) => string): DocumentLink[] {
		const id = /sha256:[0-9a-f]{64}/.exec(textOf(1))?.[0];
		return (this.reports.get(uri.toString())?.layers ?? []).flatMap(({ index, files }) =>
			files.flatMap(({ line, path }) => {
				const start = textOf(line).indexOf(path);
				return id === undefined || start === -1
					? []
					: [
							new DocumentLink(
								new Range(line, start, line, start + path.length),
								layerUri({ id, layer: index, path }),
							),
						];
			}),
		);
	}
}

/** The folder gives it its language (package.json). The last part of the path is the tab's title; slashes would hide most of a name. */
function reportUri(title: string, names: readonly string[]): Uri {
	return Uri.from({
		scheme: SCHEME,
		path: `/${SCHEME}/${title.replaceAll('/', '∕')}`,
		query: JSON.stringify(names.map(lastingKey)),
	});
}

function wording(): Wording {
	const bytes = (amount: number): string => formatBytes(amount, env.language);
	const number = (value: number): string => value.toLocaleString(env.language);
	return {
		bytes,
		number,
		summary: ({ Layers, Size, VisibleSize, VisibleEntries, WastedSize }) =>
			l10n.t(
				'{0} layers with files, {1}. A container sees {2} in {3} files and folders; {4} wasted.',
				number(Layers.filter(({ Empty }) => !Empty).length),
				bytes(Size),
				bytes(VisibleSize),
				number(VisibleEntries),
				bytes(WastedSize),
			),
		layer: (index) => l10n.t('Layer {0}', index),
		setting: l10n.t('settings only'),
		wasted: l10n.t('wasted:'),
		more: (count) => l10n.t('… and {0} more: Browse Layers has all', number(count)),
		hidden: (by) => l10n.t('hidden by layer {0}', by),
		wastedFiles: l10n.t('Wasted: a later layer overwrites or deletes them'),
		shared: l10n.t('Layers that both images share:'),
		contents: l10n.t('Files beyond them (A there, D deleted)'),
	};
}
