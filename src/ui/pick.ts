import { l10n, ThemeIcon, window, type QuickPickItem } from 'vscode';
import { Notice, refusal } from './failure';
import { containerSource } from './container-rows';
import { imageSource } from './image-rows';
import type { Model } from './model';
import type { ContainerRow } from './rows';
import type { RowSource } from './row-tree';

interface Choice extends QuickPickItem {
	readonly key: string;
}

/**
 * The rows that a command is for: those it was called on, else the one that the user picks from all that fit. Empty when
 * the user picked none. `first` and `all` are what VS Code hands to a command of a tree with multi-selection; a test or
 * another extension may hand in one name or id. Throws a Notice that says so when nothing fits.
 */
export async function containersFor(
	model: Model,
	[first, all]: readonly unknown[],
	options: { readonly title: string; readonly none: string; readonly fits?: (row: ContainerRow) => boolean },
): Promise<string[]> {
	await loadOrThrow(model);
	const { fits = () => true } = options;
	const keys = calledOn(first, all).map((key) => model.container(key)?.id ?? key);
	if (keys.length > 0) {
		// A selection may hold rows that the command is not for; a single row is the engine's to judge.
		return keys.length === 1 ? keys : keys.filter((key) => fitsOrUnknown(model.container(key), fits));
	}
	const rows = model.containers.filter(fits).map((row) => row.id);
	return pick(containerSource(model), rows, options);
}

/** Like containersFor, for names of images. */
export async function imagesFor(
	model: Model,
	[first, all]: readonly unknown[],
	options: { readonly title: string },
): Promise<string[]> {
	await loadOrThrow(model);
	const keys = calledOn(first, all);
	if (keys.length > 0) {
		return keys;
	}
	const rows = model.images.map((row) => row.name);
	return pick(imageSource(model), rows, {
		...options,
		none: l10n.t('There are no images yet. Pull one first.'),
	});
}

/** Loads the rows that a command needs; throws what the user has to know when they cannot be had. */
export async function loadOrThrow(model: Model): Promise<void> {
	await model.load();
	const refused = refusal() ?? (model.state === 'failed' ? model.failure : undefined);
	if (refused !== undefined) {
		throw refused;
	}
}

/** The names of rows in a command's arguments. */
function calledOn(first: unknown, all: unknown): string[] {
	const selected = Array.isArray(all) ? all.filter((key): key is string => typeof key === 'string') : [];
	if (typeof first !== 'string') {
		return selected;
	}
	return selected.includes(first) ? selected : [first];
}

function fitsOrUnknown<T>(row: T | undefined, fits: (row: T) => boolean): boolean {
	return row === undefined || fits(row);
}

async function pick(
	source: RowSource,
	keys: readonly string[],
	options: { readonly title: string; readonly none: string },
): Promise<string[]> {
	if (keys.length === 0) {
		throw new Notice(options.none);
	}
	const choices = keys.map((key): Choice => {
		const drawing = source.draw(key);
		return {
			key,
			label: drawing.label,
			description: drawing.description,
			iconPath: new ThemeIcon(drawing.icon),
		};
	});
	const picked = await window.showQuickPick(choices, { title: options.title, matchOnDescription: true });
	return picked === undefined ? [] : [picked.key];
}
