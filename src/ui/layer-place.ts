import { Uri } from 'vscode';
import { bare, lastingKey } from './engine-keys';

export const LAYERS_SCHEME = 'mydocker-layers';

/** A file or folder in a layer of an image; without `layer`, the image's folder of layers. */
export interface LayerPlace {
	/** The image's on our engine, "sha256:<hex>": another engine tells nothing of layers. */
	readonly id: string;
	readonly layer: number | undefined;
	/** In the layer, from "/". */
	readonly path: string;
}

/** `mydocker-layers://<hex of the image's id>/<index>/etc/hosts` */
export function layerUri({ id, layer, path }: LayerPlace): Uri {
	return Uri.from({
		scheme: LAYERS_SCHEME,
		authority: bare(id).replace(/^sha256:/, ''),
		path: layer === undefined ? '/' : `/${layer}${path}`,
	});
}

/** The inverse; undefined for a URI that is not ours. */
export function placeOf({ scheme, authority, path }: Uri): LayerPlace | undefined {
	if (scheme !== LAYERS_SCHEME || !/^[0-9a-f]{64}$/.test(authority)) {
		return undefined;
	}
	const id = lastingKey(`sha256:${authority}`);
	const [, index, rest] = /^\/(\d{1,4})(\/.*)?$/.exec(path) ?? [];
	if (index === undefined) {
		return path === '/' ? { id, layer: undefined, path: '/' } : undefined;
	}
	return { id, layer: Number(index), path: rest ?? '/' };
}
