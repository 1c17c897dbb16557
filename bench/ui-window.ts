/** One window of bench/ui.ts, in a process of its own: our model, rows and log documents on a real engine. */
import './vscode-stand-in';
import child from 'node:child_process';
import type { LogOutputChannel, Memento } from 'vscode';
import { createClient } from '../src/api/client';
import { containerSource } from '../src/ui/container-rows';
import { EngineModel } from '../src/ui/engine-model';
import { LogDocument } from '../src/ui/log-document';
import { ALL_OF_LOG } from '../src/ui/log-view';

import { RowTree } from '../src/ui/row-tree';
import { RowUsage } from '../src/ui/row-usage';
import { Scope } from '../src/ui/scope';
import { watchHoldUps, type HoldUps } from './hold-ups';

/** What the bench asks for, and what it gets. */
export interface Window {
	/** Milliseconds from the opening of the view until all its rows are made. */
	open(): Promise<number>;
	/** Milliseconds from the call that renames a container until its row is drawn anew. */
	rename(id: string, name: string): Promise<number>;
	/** Begins to measure how long the event loop is held up. */
	watch(): Promise<void>;
	/** Resolves when so many rows are there: the longest hold-ups, and the milliseconds of CPU. */
	rows(count: number): Promise<HoldUps & { readonly cpu: number }>;
	/** Opens a log as a document: the longest hold-ups, and the time until its last line is there. */
	log(id: string): Promise<HoldUps & { readonly milliseconds: number; readonly lines: number }>;
	/** Processes that were started since the beginning. */
	spawned(): Promise<number>;
}

let started = 0;
for (const name of ['spawn', 'fork', 'exec', 'execFile', 'spawnSync', 'execSync', 'execFileSync'] as const) {
	const real = child[name] as (...args: unknown[]) => unknown;
	Object.assign(child, {
		[name]: (...args: unknown[]) => {
			started++;
			return real(...args);
		},
	});
}

const [, , socket = ''] = process.argv;
const client = createClient(() => Promise.resolve(socket));
const quiet = () => undefined;
const channel = { error: quiet, warn: quiet, info: quiet, debug: quiet } as unknown as LogOutputChannel;
const memento = { get: (_: string, fallback?: unknown) => fallback, update: quiet } as unknown as Memento;

let model: EngineModel | undefined;
let tree: RowTree | undefined;
let drawn = new Map<string, string>();
let waiting: (() => void) | undefined;
let holdUps: (() => HoldUps) | undefined;
let cpu = process.cpuUsage();

/** What VS Code does when it shows a tree. */
async function draw(keys?: readonly string[]): Promise<void> {
	const shown = keys ?? (await tree?.getChildren()) ?? [];
	if (keys === undefined) {
		drawn = new Map();
	}
	for (const key of shown) {
		const label = tree?.getTreeItem(key).label;
		drawn.set(key, typeof label === 'string' ? label : '');
	}
	waiting?.();
}

async function until(isTrue: () => boolean): Promise<void> {
	while (!isTrue()) {
		await new Promise<void>((resolve) => (waiting = resolve));
	}
}

function watch(): void {
	holdUps = watchHoldUps();
	cpu = process.cpuUsage();
}

function watched(): HoldUps & { readonly cpu: number } {
	const { user, system } = process.cpuUsage(cpu);
	const { own = NaN, withWaits = NaN } = holdUps?.() ?? {};
	return { own, withWaits, cpu: (user + system) / 1000 };
}

const window: Window = {
	async open() {
		model?.dispose();
		tree?.dispose();
		model = new EngineModel(client, channel, 'mydocker', '');
		const scope = new Scope(model, memento);
		tree = new RowTree(containerSource(model, scope, new RowUsage(client, model, channel)));
		const own = tree;
		model.onDidChangeContainer(() => {
			own.redraw();
		});
		own.onDidChangeTreeData((keys) => void draw(keys));
		const start = performance.now();
		model.setVisible('containers', true);
		await draw();
		return performance.now() - start;
	},
	async rename(id, name) {
		const start = performance.now();
		await client.containers.rename(id, name);
		await until(() => drawn.get(id) === name);
		return performance.now() - start;
	},
	watch() {
		watch();
		return Promise.resolve();
	},
	async rows(count) {
		await until(() => drawn.size === count);
		return watched();
	},
	async log(id) {
		if (model === undefined) {
			throw new Error('The view comes first');
		}
		const document = new LogDocument({ containers: [id], client, model, log: channel, onChange: quiet });
		const start = performance.now();
		watch();
		document.show(ALL_OF_LOG);
		await document.ready;
		const milliseconds = performance.now() - start;
		// As an editor reads it; what is done with the text here is the bench's own.
		const text = document.read();
		const { own, withWaits } = watched();
		document.dispose();
		return { own, withWaits, milliseconds, lines: text.toString().split('\n').length };
	},
	spawned: () => Promise.resolve(started),
};

process.on('message', ({ call, args }: { call: keyof Window; args: readonly unknown[] }) => {
	const calls = window as unknown as Readonly<Record<string, (...values: readonly unknown[]) => Promise<unknown>>>;
	calls[call]?.(...args).then(
		(result) => process.send?.({ result }),
		(error: unknown) => process.send?.({ error: String(error) }),
	);
});
