import {
	EventEmitter,
	ThemeColor,
	ThemeIcon,
	TreeItem,
	TreeItemCollapsibleState,
	type Disposable,
	type MarkdownString,
	type TreeDataProvider,
} from 'vscode';

/** How a row looks: data that two drawings can be compared by. */
export interface Drawing {
	readonly label: string;
	readonly description: string;
	readonly icon: string;
	/** Theme colour of the icon. */
	readonly color?: string;
	/** Tags for `viewItem` in package.json, "container;running". */
	readonly context: string;
	/** What a screen reader says. */
	readonly spoken: string;
}

/** Where rows come from. A row is known by its key: what the engine takes as its name. */
export interface RowSource {
	/** Resolves when `keys` tells the truth. */
	load(): Promise<void>;
	keys(): readonly string[];
	draw(key: string): Drawing;
	tooltip(key: string): MarkdownString | undefined;
}

/**
 * VS Code gathers the changes of a tree until there was none for 200 ms, except for a first one after a quiet time,
 * which it draws at once. Changes are fired no closer than this, so that each is drawn at once and a busy engine
 * cannot hold a tree back for ever.
 */
const REFRESH_WINDOW = 205;

/** A flat tree. It redraws only the rows that look different from when VS Code got them last. */
export class RowTree implements TreeDataProvider<string>, Disposable {
	private readonly changed = new EventEmitter<string[] | undefined>();
	readonly onDidChangeTreeData = this.changed.event;

	/** What VS Code shows; undefined before it asked for the first time. */
	private shown: Map<string, string> | undefined;
	private lastChange = 0;
	private waiting: NodeJS.Timeout | undefined;

	constructor(private readonly source: RowSource) {}

	async getChildren(parent?: string): Promise<string[]> {
		if (parent !== undefined) {
			return [];
		}
		await this.source.load();
		const keys = [...this.source.keys()];
		this.shown = new Map(keys.map((key) => [key, this.shown?.get(key) ?? '']));
		return keys;
	}

	getTreeItem(key: string): TreeItem {
		const drawing = this.source.draw(key);
		this.shown?.set(key, JSON.stringify(drawing));
		const item = new TreeItem(drawing.label, TreeItemCollapsibleState.None);
		item.id = key;
		item.description = drawing.description;
		item.iconPath = new ThemeIcon(
			drawing.icon,
			drawing.color === undefined ? undefined : new ThemeColor(drawing.color),
		);
		item.contextValue = drawing.context;
		item.accessibilityInformation = { label: drawing.spoken, role: 'treeitem' };
		return item;
	}

	resolveTreeItem(item: TreeItem, key: string): TreeItem {
		item.tooltip = this.source.tooltip(key);
		return item;
	}

	/** The list is flat; VS Code needs this to reveal a row. */
	getParent(): undefined {
		return undefined;
	}

	/** Call whenever rows may look different; it costs nothing when they do not. */
	redraw(): void {
		const wait = this.lastChange + REFRESH_WINDOW - Date.now();
		if (wait <= 0) {
			this.fire();
		} else {
			this.waiting ??= setTimeout(() => {
				this.fire();
			}, wait);
		}
	}

	dispose(): void {
		clearTimeout(this.waiting);
		this.changed.dispose();
	}

	private fire(): void {
		clearTimeout(this.waiting);
		this.waiting = undefined;
		if (this.shown === undefined) {
			return;
		}
		const keys = this.source.keys();
		const shown = this.shown;
		const isSameList = keys.length === shown.size && [...shown.keys()].every((key, index) => key === keys[index]);
		const changed = keys.filter((key) => shown.get(key) !== JSON.stringify(this.source.draw(key)));
		if (!isSameList || changed.length > 0) {
			this.lastChange = Date.now();
			this.changed.fire(isSameList ? changed : undefined);
		}
	}
}
