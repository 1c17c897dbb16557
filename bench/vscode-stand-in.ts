/**
 * Stands in for the module `vscode` in a plain Node process, as far as the model, the trees and the log documents need it:
 * events work, rows are what they were made with, texts stay English. Import it before anything that imports `vscode`.
 */
import Module from 'node:module';

class EventEmitter<T> {
	private readonly listeners = new Set<(value: T) => void>();
	readonly event = (listener: (value: T) => void): { dispose: () => void } => {
		this.listeners.add(listener);
		return { dispose: () => this.listeners.delete(listener) };
	};
	fire(value: T): void {
		for (const listener of [...this.listeners]) {
			listener(value);
		}
	}
	dispose(): void {
		this.listeners.clear();
	}
}

class TreeItem {
	constructor(
		readonly label: string,
		readonly collapsibleState: number,
	) {}
}

class Named {
	constructor(readonly id: string) {}
}

const nothing = { dispose: () => undefined };
const standIn = {
	EventEmitter,
	TreeItem,
	ThemeIcon: Named,
	ThemeColor: Named,
	TreeItemCollapsibleState: { None: 0, Collapsed: 1, Expanded: 2 },
	env: { language: 'en' },
	l10n: {
		t: (text: string, ...values: readonly unknown[]) =>
			text.replace(/\{(\d+)\}/g, (_, index: string) => String(values[Number(index)])),
	},
	workspace: {
		isTrusted: true,
		workspaceFolders: [],
		onDidChangeWorkspaceFolders: () => nothing,
		onDidChangeConfiguration: () => nothing,
		getConfiguration: () => ({ get: (_: string, fallback: unknown) => fallback }),
	},
};

interface Loader {
	_load: (request: string, ...rest: readonly unknown[]) => unknown;
}

const loader = Module as unknown as Loader;
const load = loader._load;
loader._load = function (this: unknown, request: string, ...rest: readonly unknown[]): unknown {
	return request === 'vscode' ? standIn : load.call(this, request, ...rest);
};
