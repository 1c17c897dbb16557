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
	/** Of a row with rows below it: how it is when it is seen for the first time. */
	readonly children?: 'collapsed' | 'expanded';
}

/** A row that left between a list and its drawing. */
export const GONE: Drawing = { label: '', description: '', icon: 'blank', context: 'gone', spoken: '' };

/** Where rows come from. A row is known by its key, which is unique in the tree and never changes. */
export interface RowSource {
	/** Resolves when `keys` tells the truth. */
	load(): Promise<void>;
	/** The rows below `parent`; the top of the tree without it. */
	keys(parent?: string): readonly string[];
	draw(key: string): Drawing;
	tooltip(key: string): MarkdownString | undefined;
	/** The row above; undefined at the top. A flat source needs none. */
	parent?(key: string): string | undefined;
}

/**
 * VS Code gathers the changes of a tree until there was none for 200 ms, except for a first one after a quiet time,
 * which it draws at once (ExtHostTreeView's constructor in src/vs/workbench/api/common/extHostTreeViews.ts, the debounce
 * with 200 and true): whichever elements are fired, and how many at a time, a second change waits so long. Changes are fired no closer than this, so that each is drawn at once and a busy engine
 * cannot hold a tree back for ever.
 */
const REFRESH_WINDOW = 205;
const TOP = '';

/** A tree that redraws only the rows that look different from when VS Code got them last. */
export class RowTree implements TreeDataProvider<string>, Disposable {
	private readonly changed = new EventEmitter<string[] | undefined>();
	readonly onDidChangeTreeData = this.changed.event;

	/** What VS Code shows: the rows below each row that it opened, and how it drew them. */
	private readonly lists = new Map<string, readonly string[]>();
	private readonly drawn = new Map<string, string>();
	/** What a person opened or closed: a row that a filter took away, or its rows, comes back as they left it. */
	private readonly isOpen = new Map<string, boolean>();
	private lastChange = 0;
	private waiting: NodeJS.Timeout | undefined;

	/** `onRedraw` is called with each redraw: for what stands beside the rows and must not be ahead of them. */
	constructor(
		private readonly source: RowSource,
		private readonly onRedraw: () => void = () => undefined,
	) {}

	async getChildren(parent?: string): Promise<string[]> {
		if (parent === undefined) {
			await this.source.load();
		}
		const keys = [...this.source.keys(parent)];
		this.lists.set(parent ?? TOP, keys);
		return keys;
	}

	getTreeItem(key: string): TreeItem {
		const drawing = this.source.draw(key);
		this.drawn.set(key, JSON.stringify(drawing));
		const item = new TreeItem(drawing.label, collapsibleState(drawing, this.isOpen.get(key)));
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

	/** Call when a person opens or closes a row. */
	setOpen(key: string, isOpen: boolean): void {
		this.isOpen.set(key, isOpen);
	}

	/** True for a row that can be opened. */
	hasChildren(key: string): boolean {
		return this.source.draw(key).children !== undefined;
	}

	/** VS Code needs this to reveal a row. */
	getParent(key: string): string | undefined {
		return this.source.parent?.(key);
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
		this.onRedraw();
		if (!this.lists.has(TOP)) {
			return;
		}
		const changed = this.compare();
		if (changed === undefined || changed.length > 0) {
			this.lastChange = Date.now();
			this.changed.fire(changed);
		}
	}

	/** The rows that are not as VS Code has them; undefined when the top of the tree has other rows. */
	private compare(): string[] | undefined {
		const changed = new Set<string>();
		const present = new Set<string>();
		let isSameTop = true;
		for (const [parent, shown] of this.lists) {
			// A parent is listed before its children are, so it has been seen here when it is still there.
			if (parent !== TOP && !present.has(parent)) {
				this.lists.delete(parent);
				continue;
			}
			const keys = this.source.keys(parent === TOP ? undefined : parent);
			keys.forEach((key) => present.add(key));
			if (keys.length !== shown.length || keys.some((key, index) => key !== shown[index])) {
				isSameTop &&= parent !== TOP;
				changed.add(parent);
			}
		}
		for (const [key, drawing] of this.drawn) {
			if (!present.has(key)) {
				this.drawn.delete(key);
			} else if (drawing !== JSON.stringify(this.source.draw(key))) {
				changed.add(key);
			}
		}
		return isSameTop ? [...changed] : undefined;
	}
}

function collapsibleState({ children }: Drawing, isOpen: boolean | undefined): TreeItemCollapsibleState {
	if (children === undefined) {
		return TreeItemCollapsibleState.None;
	}
	return (isOpen ?? children === 'expanded') ? TreeItemCollapsibleState.Expanded : TreeItemCollapsibleState.Collapsed;
}
