import { EventEmitter, type Disposable } from 'vscode';

/** One kind of thing that the engine holds, in order and by key; listed anew as a whole when one of them changes. */
export class Listing<Row> implements Disposable {
	private readonly changed = new EventEmitter<void>();
	readonly onDidChange = this.changed.event;
	private byKey: ReadonlyMap<string, Row> = new Map();
	private inOrder: readonly Row[] = [];

	/** The same array until there is a new list. */
	get rows(): readonly Row[] {
		return this.inOrder;
	}

	get keys(): readonly string[] {
		return [...this.byKey.keys()];
	}

	get(key: string): Row | undefined {
		return this.byKey.get(key);
	}

	/** Takes a new list; without one it is empty. */
	replace(rows: ReadonlyMap<string, Row> = new Map()): void {
		this.byKey = rows;
		this.inOrder = [...rows.values()];
		this.changed.fire();
	}

	dispose(): void {
		this.changed.dispose();
	}
}
