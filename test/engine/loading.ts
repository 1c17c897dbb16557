import type { Client } from '../../src/api/client';
import { archiveOf } from './archive';
import type { ImageFixture } from './fixture';

/** An archive as `docker save` writes it, layers plain or compressed as the fixture's blobs are. */
export function dockerArchive(image: ImageFixture, name: string): Buffer {
	const config = `${image.id.slice('sha256:'.length)}.json`;
	const layers = image.layers.map(({ digest, blob }) => ({
		name: `${digest.slice('sha256:'.length)}.tar`,
		content: blob,
	}));
	const manifest = [{ Config: config, RepoTags: [name], Layers: layers.map((layer) => layer.name) }];
	return archiveOf([
		{ name: config, content: image.config },
		// A layer that comes twice is one file.
		...[...new Map(layers.map((layer) => [layer.name, layer])).values()],
		{ name: 'manifest.json', content: JSON.stringify(manifest) },
	]);
}

/** Loads the image under the name. */
export async function load(client: Client, image: ImageFixture, name: string): Promise<void> {
	await loadBytes(client, dockerArchive(image, name));
}

/** Loads an archive; gives the engine's sentences. */
export async function loadBytes(client: Client, archive: Buffer): Promise<string> {
	let said = '';
	for await (const { stream } of client.images.load(archive)) {
		said += stream ?? '';
	}
	return said;
}
