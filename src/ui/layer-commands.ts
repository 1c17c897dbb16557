import { commands, l10n, window, workspace } from 'vscode';
import { engineOfRow, OWN_ID } from './engine-keys';
import { Notice } from './failure';
import { layerUri } from './layer-place';
import { shortId } from './names';
import type { Parts } from './parts';
import { imagesFor } from './pick';
import type { ImageRow } from './rows';

/** Show Layers: what each layer of the image holds. */
export async function showLayers(
	{ model, layerReports }: Pick<Parts, 'model' | 'layerReports'>,
	...called: unknown[]
): Promise<void> {
	const [name] = await imagesFor(model, called.slice(0, 1), { title: l10n.t('Show Layers'), fits: isOurs });
	if (name !== undefined) {
		await inTurn(() => layerReports.show(name, titleOf(model, name)));
	}
}

/** Compare Layers: two selected images side by side; what is missing is asked for. */
export async function compareLayers(
	{ model, layerReports }: Pick<Parts, 'model' | 'layerReports'>,
	...called: unknown[]
): Promise<void> {
	const title = l10n.t('Compare Layers');
	const [, all] = called;
	const selected = Array.isArray(all) && all.length > 1 ? called : called.slice(0, 1);
	const names = await imagesFor(model, selected, { title, fits: isOurs });
	if (names.length > 2) {
		throw new Notice(l10n.t('Two images can be compared, not {0}.', names.length));
	}
	const [left] = names;
	if (left === undefined) {
		return;
	}
	const [right] =
		names.length === 2
			? names.slice(1)
			: await imagesFor(model, [], {
					title: l10n.t('Compare {0} with', titleOf(model, left)),
					fits: isOurs,
				});
	if (right !== undefined) {
		await inTurn(() =>
			layerReports.compare(
				{ name: left, title: titleOf(model, left) },
				{ name: right, title: titleOf(model, right) },
			),
		);
	}
}

/** Browse Layers: the image's layers become a read-only folder of the workspace. */
export async function browseLayers({ model }: Pick<Parts, 'model'>, ...called: unknown[]): Promise<void> {
	const [name] = await imagesFor(model, called.slice(0, 1), { title: l10n.t('Browse Layers'), fits: isOurs });
	const id = name === undefined ? undefined : model.image(name)?.id;
	if (name === undefined || id === undefined) {
		return;
	}
	const uri = layerUri({ id, layer: undefined, path: '/' });
	const folders = workspace.workspaceFolders ?? [];
	if (!folders.some((folder) => folder.uri.toString() === uri.toString())) {
		workspace.updateWorkspaceFolders(folders.length, 0, {
			uri,
			name: l10n.t('Layers of {0}', titleOf(model, name)),
		});
	}
	await commands.executeCommand('revealInExplorer', uri);
}

/** Another engine tells nothing of layers. */
function isOurs({ id }: ImageRow): boolean {
	return engineOfRow(id) === OWN_ID;
}

async function inTurn(work: () => Promise<void>): Promise<void> {
	await window.withProgress({ location: { viewId: 'mydocker.images' } }, work);
}

function titleOf(model: Parts['model'], name: string): string {
	return model.image(name)?.tag ?? shortId(name);
}
