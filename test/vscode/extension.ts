import assert from 'node:assert/strict';
import * as vscode from 'vscode';
import type { Api } from '../../src/extension';

/** The extension under test, in the real extension host. */
export function extension(): vscode.Extension<Api> {
	const found = vscode.extensions.getExtension<Api>('mydocker.mydocker');
	assert.ok(found, 'the extension is installed');
	return found;
}

/** A value that the tests cannot do without; they fail, not skip, when it is missing. */
export function environment(name: string): string {
	const value = process.env[name];
	assert.ok(value, `${name} is set`);
	return value;
}

/** Resolves when `check` gives a true value, and gives it; fails after `timeout` ms, telling `state`. */
export async function until<T>(
	what: string,
	check: () => T | undefined | false | Promise<T | undefined | false>,
	state: () => string = () => '',
	timeout = 20_000,
): Promise<T> {
	const deadline = Date.now() + timeout;
	for (;;) {
		const value = await check();
		if (value !== undefined && value !== false) {
			return value;
		}
		assert.ok(Date.now() < deadline, `${what}: not within ${timeout} ms. ${state()}`);
		await new Promise((resolve) => setTimeout(resolve, 20));
	}
}

/** Runs `act` while a person would press `button` in every dialog. The clicks themselves are tested in test/ui. */
export async function pressing<T>(
	button: string,
	act: () => PromiseLike<T>,
): Promise<{ result: T; dialogs: string[] }> {
	const dialogs: string[] = [];
	const real = vscode.window.showWarningMessage;
	const answer = (
		message: string,
		options: vscode.MessageOptions,
		...buttons: string[]
	): Promise<string | undefined> => {
		dialogs.push([message, options.detail ?? '', ...buttons].join('\n'));
		return Promise.resolve(buttons.includes(button) ? button : undefined);
	};
	Object.assign(vscode.window, { showWarningMessage: answer });
	try {
		return { result: await act(), dialogs };
	} finally {
		Object.assign(vscode.window, { showWarningMessage: real });
	}
}

/**
 * Runs `act` while a person would check what `choose` gives in every list with check marks, and press Enter. `choose` is
 * told all items and those that are checked from the start. Gives the labels of each list.
 */
export async function picking<T>(
	choose: (items: readonly vscode.QuickPickItem[], picked: readonly vscode.QuickPickItem[]) => vscode.QuickPickItem[],
	act: () => PromiseLike<T>,
): Promise<{ result: T; lists: string[][] }> {
	const lists: string[][] = [];
	const real = vscode.window.createQuickPick;
	const create = (): vscode.QuickPick<vscode.QuickPickItem> => {
		const box = real<vscode.QuickPickItem>();
		let accept = (): void => undefined;
		return new Proxy(box, {
			get(target, member) {
				if (member === 'onDidAccept') {
					return (listener: () => void) => {
						accept = listener;
						return new vscode.Disposable(() => undefined);
					};
				}
				if (member === 'show') {
					return () => {
						lists.push(target.items.map(({ label }) => label));
						target.selectedItems = choose(target.items, target.selectedItems);
						accept();
					};
				}
				const value: unknown = Reflect.get(target, member, target);
				return typeof value === 'function' ? (value.bind(target) as unknown) : value;
			},
			set: (target, member, value) => Reflect.set(target, member, value, target),
		});
	};
	Object.assign(vscode.window, { createQuickPick: create });
	try {
		return { result: await act(), lists };
	} finally {
		Object.assign(vscode.window, { createQuickPick: real });
	}
}

/** Runs `act` while a person would type one of the answers, and Enter, in each input box. */
export async function answering<T>(answers: readonly string[], act: () => PromiseLike<T>): Promise<T> {
	const real = vscode.window.createInputBox;
	const waiting = [...answers];
	const create = (): vscode.InputBox => {
		const box = real();
		return new Proxy(box, {
			get(target, member) {
				const value: unknown = Reflect.get(target, member, target);
				if (member === 'onDidAccept') {
					return (listener: () => void) => {
						target.value = waiting.shift() ?? '';
						setImmediate(listener);
						return new vscode.Disposable(() => undefined);
					};
				}
				return typeof value === 'function' ? (value.bind(target) as unknown) : value;
			},
			set: (target, member, value) => Reflect.set(target, member, value, target),
		});
	};
	Object.assign(vscode.window, { createInputBox: create });
	try {
		return await act();
	} finally {
		Object.assign(vscode.window, { createInputBox: real });
	}
}

/** What an output channel shows; undefined while it is not open. */
export function shownLog(includes: string): string | undefined {
	return vscode.workspace.textDocuments
		.filter((document) => document.uri.scheme === 'output')
		.map((document) => document.getText())
		.find((text) => text.includes(includes));
}

/** Adds a figure to the test's name, where the reader of the results sees it. */
export function tell(context: Mocha.Context, figure: string): void {
	if (context.test) {
		context.test.title += ` (${figure})`;
	}
}
