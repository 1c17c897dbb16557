import { l10n } from 'vscode';
import { Notice } from './failure';
import type { Parts } from './parts';
import { containersFor, imagesFor } from './pick';

type Find = (called: readonly unknown[], title: string) => Promise<string[]>;

/** Compare Details: what the engine knows of two selected containers, side by side; what is missing is asked for. */
export async function compareContainers(parts: Parts, ...called: unknown[]): Promise<void> {
	const none = l10n.t('There are no containers yet.');
	await compare('container', parts, called, (given, title) => containersFor(parts.model, given, { title, none }));
}

/** The same of two images. */
export async function compareImages(parts: Parts, ...called: unknown[]): Promise<void> {
	await compare('image', parts, called, (given, title) => imagesFor(parts.model, given, { title }));
}

async function compare(
	kind: 'container' | 'image',
	{ inspections }: Parts,
	called: readonly unknown[],
	find: Find,
): Promise<void> {
	const [left, right, ...others] = await find(called, l10n.t('Compare Details'));
	if (others.length > 0) {
		throw new Notice(l10n.t('Two can be compared, not {0}.', others.length + 2));
	}
	if (left === undefined) {
		return;
	}
	const other = right ?? (await find([], l10n.t('Compare Details of {0} with', inspections.titleOf(kind, left))))[0];
	if (other !== undefined) {
		await inspections.compare(kind, [left, other]);
	}
}
