import type { ImageLayerJson, ImageLayersJson, LayerFileJson } from '../api/image-layer-calls';

/** An image with the changes of those of its layers whose files are told. */
export interface LayeredImage {
	readonly name: string;
	readonly layers: ImageLayersJson;
	/** By the layer's index; what is missing is not told. */
	readonly files: ReadonlyMap<number, LayerList>;
}

/** Changes of a layer, by path; `total` may be more than are listed. */
export interface LayerList {
	readonly total: number;
	readonly files: readonly LayerFileJson[];
}

/** Words and numbers in the user's language. */
export interface Wording {
	bytes(bytes: number): string;
	number(value: number): string;
	/** "3 layers, 12 MB. A container sees 11 MB in 300 files. 1 MB is wasted." */
	summary(layers: ImageLayersJson): string;
	layer(index: number): string;
	readonly setting: string;
	readonly wasted: string;
	more(count: number): string;
	/** "/etc/passwd of layer 2 is hidden by layer 3" */
	hidden(by: number): string;
	readonly wastedFiles: string;
	readonly shared: string;
	readonly contents: string;
}

/** A layer's lines in the report, from 0; `end` is its last one. */
export interface LayerRange {
	readonly index: number;
	readonly start: number;
	readonly end: number;
	readonly title: string;
	readonly detail: string;
	/** Its files that can be opened, by line. */
	readonly files: readonly { readonly line: number; readonly path: string }[];
}

export interface Report {
	readonly text: string;
	readonly layers: readonly LayerRange[];
}

/** Docker's letters of `docker diff`. */
const MARKS: Readonly<Record<string, string>> = { 0: 'C', 1: 'A', 2: 'D' };

/** What each layer of an image is and holds, the base first: all in a few lines, then a heading each with its files below. */
export function layerReport({ name, layers, files }: LayeredImage, words: Wording): Report {
	const lines = [name, layers.Id, words.summary(layers), '', ...overview(layers, words), ''];
	const ranges: LayerRange[] = [];
	for (const layer of layers.Layers) {
		const start = lines.length;
		const title = heading(layer, words);
		const opened: { line: number; path: string }[] = [];
		lines.push(title, `\t${command(layer) || '-'}`);
		const list = files.get(layer.Index);
		for (const file of list?.files ?? []) {
			if (file.Kind !== null && file.Kind !== 2 && file.Type === 'file') {
				opened.push({ line: lines.length, path: file.Path });
			}
			lines.push(fileLine(file, words));
		}
		if (list !== undefined && list.total > list.files.length) {
			lines.push(`\t${words.more(list.total - list.files.length)}`);
		}
		ranges.push({ index: layer.Index, start, end: lines.length - 1, title, detail: command(layer), files: opened });
		lines.push('');
	}
	if (layers.Wasted.length > 0) {
		lines.push(words.wastedFiles);
		for (const { Path, Size, Layer, By } of layers.Wasted) {
			lines.push(`\t${words.bytes(Size).padStart(9)}  ${Path}  (${words.layer(Layer)}, ${words.hidden(By)})`);
		}
		lines.push('');
	}
	return { text: lines.join('\n'), layers: ranges };
}

/**
 * One side of a comparison: what a container sees of the image beyond the layers that both have, by path, so that equal
 * files are equal lines wherever they came from.
 */
export function comparedSide({ name, layers, files }: LayeredImage, shared: number, words: Wording): string {
	const own = layers.Layers.slice(shared);
	const lines = [
		name,
		words.summary(layers),
		'',
		...overview(layers, words),
		'',
		`${words.shared} ${words.number(shared)}`,
		'',
		words.contents,
	];
	const seen = new Map<string, LayerFileJson>();
	for (const { Index } of own) {
		for (const file of files.get(Index)?.files ?? []) {
			if (file.Kind !== null) {
				seen.set(file.Path, file);
			}
			if (file.Kind === 2) {
				hideBelow(seen, file.Path);
			}
		}
	}
	for (const path of [...seen.keys()].sort()) {
		const file = seen.get(path);
		if (file !== undefined) {
			lines.push(fileLine(file.Kind === 2 ? file : { ...file, Kind: 1 }, words));
		}
	}
	return `${lines.join('\n')}\n`;
}

/** How many layers from the base on two images have in common; steps without files count as far as files follow. */
export function sharedLayers(one: ImageLayersJson, other: ImageLayersJson): number {
	let shared = 0;
	for (const [index, layer] of one.Layers.entries()) {
		const twin = other.Layers[index];
		if (twin === undefined || twin.DiffId !== layer.DiffId || twin.CreatedBy !== layer.CreatedBy) {
			break;
		}
		shared = index + 1;
	}
	return shared;
}

/** What a folder had in lower layers goes with it. */
function hideBelow(seen: Map<string, LayerFileJson>, folder: string): void {
	for (const path of seen.keys()) {
		if (path.startsWith(`${folder}/`)) {
			seen.delete(path);
		}
	}
}

function overview({ Layers }: ImageLayersJson, words: Wording): string[] {
	return Layers.map((layer) => `${heading(layer, words)}  ${command(layer)}`.trimEnd());
}

function heading(layer: ImageLayerJson, words: Wording): string {
	const { Added, Changed, Deleted } = layer.Changes;
	const title = words.layer(layer.Index);
	if (layer.Empty) {
		return `${title}  ${words.setting}`;
	}
	const counts = `+${words.number(Added)} ~${words.number(Changed)} -${words.number(Deleted)}`;
	const waste = layer.WastedSize > 0 ? `  ${words.wasted} ${words.bytes(layer.WastedSize)}` : '';
	return `${title}  ${words.bytes(layer.Size)}  ${counts}${waste}`;
}

/** The command as a person wrote it, in one line. */
export function command({ CreatedBy, Comment }: Pick<ImageLayerJson, 'CreatedBy' | 'Comment'>): string {
	return (CreatedBy || Comment)
		.replace(/^\/bin\/sh -c #\(nop\)\s*/, '')
		.replace(/^\/bin\/sh -c /, 'RUN ')
		.replace(/\s+/g, ' ')
		.trim();
}

function fileLine({ Kind, Size, Path, Target, Type }: LayerFileJson, words: Wording): string {
	const mark = Kind === null ? ' ' : (MARKS[Kind] ?? ' ');
	const size = Type === 'file' ? words.bytes(Size) : '';
	const end = Type === 'directory' ? '/' : Target === '' ? '' : ` → ${Target}`;
	return `\t${mark} ${size.padStart(9)}  ${oneLine(Path)}${oneLine(end)}`;
}

/** A name may hold anything but "/" and NUL. */
function oneLine(text: string): string {
	return text.replace(/[\0-\x1f\x7f]/g, '\u{fffd}');
}
