import type { ImageLayersJson, LayerFileJson } from '../api/image-layer-calls';
import { ellipsis, size } from './format';
import { plain } from './output';
import type { Action } from './row';
import type { Session } from './session';
import { renderList } from './table';

interface LayersFlags {
	readonly format: string | undefined;
	readonly layer: number | undefined;
	readonly noTrunc: boolean;
	readonly path: string | undefined;
}

const LAYERS = {
	headers: {
		...{ Index: 'LAYER', Size: 'SIZE', Added: 'ADDED', Changed: 'CHANGED', Deleted: 'DELETED' },
		...{ Wasted: 'WASTED', CreatedBy: 'CREATED BY', DiffID: 'DIFF ID' },
	},
	columns: ['Index', 'Size', 'Added', 'Changed', 'Deleted', 'Wasted', 'CreatedBy'],
};

const FILES = {
	headers: { Kind: 'KIND', Mode: 'MODE', Owner: 'OWNER', Size: 'SIZE', Path: 'PATH', Type: 'TYPE' },
	columns: ['Kind', 'Mode', 'Owner', 'Size', 'Path'],
};
const PAGE = 10_000;

/** `mydocker image layers`: the layers of an image, or with --layer the files of one. */
export const layers: Action<LayersFlags> = async (session, [name = ''], flags) => {
	if (flags.layer !== undefined) {
		await listFiles(session, name, { ...flags, layer: flags.layer });
		return 0;
	}
	const found = await session.client.images.layers(name, { signal: session.signal });
	const text = flags.format === 'json' ? `${JSON.stringify(found)}\n` : renderLayers(found, flags);
	session.output.stdout.write(text);
	return 0;
};

/** A table with the totals below, or what a format makes of each layer. */
export function renderLayers(
	found: ImageLayersJson,
	{ format, noTrunc }: Pick<LayersFlags, 'format' | 'noTrunc'>,
): string {
	const items = found.Layers.map((layer) => {
		const command = layer.CreatedBy.replace(/\s+/g, ' ');
		return {
			...{ Index: String(layer.Index), DiffID: layer.DiffId, Size: size(layer.Size) },
			...{ Added: String(layer.Changes.Added), Changed: String(layer.Changes.Changed) },
			...{ Deleted: String(layer.Changes.Deleted), Wasted: size(layer.WastedSize) },
			CreatedBy: noTrunc ? command : ellipsis(command, 45),
		};
	});
	const table = renderList(format, items, LAYERS);
	if (format !== undefined && format !== '' && format !== 'table') {
		return table;
	}
	const wasted = found.Wasted.map(({ Path, Size, Layer, By }) => [
		`${size(Size)}  ${Path}  (layer ${Layer}, hidden by ${By})`,
	]);
	return [
		table.trimEnd(),
		'',
		`Seen by a container: ${size(found.VisibleSize)} of ${size(found.Size)} in ${found.VisibleEntries} entries; wasted: ${size(found.WastedSize)}`,
		...wasted.map(([line = '']) => `  ${plain(line)}`),
		'',
	].join('\n');
}

async function listFiles(
	session: Session,
	name: string,
	{ layer, path, format }: LayersFlags & { readonly layer: number },
): Promise<void> {
	const items: LayerFileJson[] = [];
	for (;;) {
		const page = await session.client.images.layerFiles(name, {
			...{ layer, isRecursive: true, offset: items.length, limit: PAGE, signal: session.signal },
			...(path === undefined ? {} : { path }),
		});
		items.push(...page.Files);
		if (page.Files.length === 0 || items.length >= page.Total) {
			break;
		}
	}
	const text =
		format === 'json'
			? items.map((item) => `${JSON.stringify(item)}\n`).join('')
			: renderList(format, items.map(fieldsOf), FILES);
	session.output.stdout.write(text);
}

const KINDS = { 0: 'C', 1: 'A', 2: 'D' } as const;

function fieldsOf({ Kind, Mode, Uid, Gid, Size, Path, Target, Type }: LayerFileJson): Record<string, string> {
	return {
		...{ Kind: Kind === null ? '' : KINDS[Kind], Mode: `0${Mode.toString(8)}`, Owner: `${Uid}:${Gid}`, Type },
		...{ Size: size(Size), Path: Target === '' ? Path : `${Path} -> ${Target}` },
	};
}
