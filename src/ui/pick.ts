import { l10n, ThemeIcon, window, type QuickPickItem } from 'vscode';
import { drawContainer } from './container-rows';
import { Notice } from './failure';
import { drawImage } from './image-rows';
import type { Model } from './model';
import { drawNetwork } from './network-rows';
import type { Drawing } from './row-tree';
import type { ContainerRow, ImageRow, NetworkRow, VolumeRow } from './rows';
import { drawVolume } from './volume-rows';

interface Choice extends QuickPickItem {
	readonly key: string;
}

/** How a picker asks. Throws a Notice with the text of `none` when nothing fits. */
export interface Ask<Row> {
	readonly title: string;
	readonly none: string;
	readonly fits?: (row: Row) => boolean;
}

/**
 * The rows that a command is for: those it was called on, else the one that the user picks from all that fit. Empty when
 * the user picked none. `first` and `all` are what VS Code hands to a command of a tree with multi-selection; a test or
 * another extension may hand in one name or id. Throws a Notice that says so when nothing fits.
 */
export async function containersFor(
	model: Model,
	called: readonly unknown[],
	options: Ask<ContainerRow>,
): Promise<string[]> {
	return rowsFor(model, called, {
		...options,
		rows: () => model.containers,
		key: (row) => row.id,
		find: (key) => model.container(key),
		draw: (row) => drawContainer(row, model, Date.now()),
	});
}

/** Like containersFor, for names of images. */
export async function imagesFor(
	model: Model,
	called: readonly unknown[],
	options: Pick<Ask<ImageRow>, 'title' | 'fits'>,
): Promise<string[]> {
	const used = new Set(model.containers.map((container) => container.imageId));
	return rowsFor(model, called, {
		...options,
		none: l10n.t('There are no images yet. Pull one first.'),
		rows: () => model.images,
		key: (row) => row.name,
		find: (key) => model.image(key),
		draw: (row) => drawImage(row, { model, isUsed: used.has(row.id) }),
	});
}

/** Like containersFor, for ids of networks. */
export async function networksFor(
	model: Model,
	called: readonly unknown[],
	options: Ask<NetworkRow>,
): Promise<string[]> {
	return rowsFor(model, called, {
		...options,
		rows: () => model.networks.rows,
		key: (row) => row.id,
		find: (key) => model.networks.get(key) ?? model.networks.rows.find((row) => row.name === key),
		draw: (row) => drawNetwork(row, model),
	});
}

/** Like containersFor, for names of volumes. */
export async function volumesFor(model: Model, called: readonly unknown[], options: Ask<VolumeRow>): Promise<string[]> {
	return rowsFor(model, called, {
		...options,
		rows: () => model.volumes.rows,
		key: (row) => row.name,
		find: (key) => model.volumes.get(key),
		draw: (row) => drawVolume(row, model, undefined),
	});
}

/** Loads the rows that a command needs; throws what the user has to know when they cannot be had. */
export async function loadOrThrow(model: Model): Promise<void> {
	await model.load();
	const refused = model.refusal ?? (model.state === 'failed' ? model.failure : undefined);
	if (refused !== undefined) {
		throw refused;
	}
}

interface Kind<Row> extends Ask<Row> {
	readonly rows: () => readonly Row[];
	readonly key: (row: Row) => string;
	/** By key, or by another name that people use. */
	readonly find: (key: string) => Row | undefined;
	readonly draw: (row: Row) => Drawing;
}

async function rowsFor<Row>(model: Model, called: readonly unknown[], kind: Kind<Row>): Promise<string[]> {
	await loadOrThrow(model);
	const { fits = () => true, find, key } = kind;
	const keys = calledOn(called).map((one) => {
		const row = find(one);
		return row === undefined ? one : key(row);
	});
	if (keys.length > 0) {
		// A selection may hold rows that the command is not for; a single row is the engine's to judge.
		return keys.length === 1 ? keys : keys.filter((one) => fitsOrUnknown(find(one), fits));
	}
	return pick(model, kind.rows().filter(fits), kind);
}

/** The names of rows in a command's arguments. */
function calledOn([first, all]: readonly unknown[]): string[] {
	const selected = Array.isArray(all) ? all.filter((key): key is string => typeof key === 'string') : [];
	if (typeof first !== 'string') {
		return selected;
	}
	return selected.includes(first) ? selected : [first];
}

function fitsOrUnknown<T>(row: T | undefined, fits: (row: T) => boolean): boolean {
	return row === undefined || fits(row);
}

async function pick<Row>(model: Model, rows: readonly Row[], { title, none, key, draw }: Kind<Row>): Promise<string[]> {
	if (rows.length === 0) {
		throw new Notice(none);
	}
	const choices = rows.map((row): Choice => {
		const drawing = draw(row);
		return {
			key: key(row),
			label: drawing.label,
			description: [model.engineName(key(row)), drawing.description].filter((word) => word !== '').join(' · '),
			iconPath: new ThemeIcon(drawing.icon),
		};
	});
	const picked = await window.showQuickPick(choices, { title, matchOnDescription: true });
	return picked === undefined ? [] : [picked.key];
}
