import * as assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import * as path from 'node:path';
import type { ImageFixture } from './fixture';

/** Every blob is what its name says; every manifest in index.json is there with all that it names. */
export function checkStore(root: string): void {
	const folder = path.join(root, 'blobs', 'sha256');
	for (const name of fs.readdirSync(folder)) {
		const sum = createHash('sha256')
			.update(fs.readFileSync(path.join(folder, name)))
			.digest('hex');
		assert.equal(sum, name, 'a blob has the digest that is its name');
	}
	const index = JSON.parse(fs.readFileSync(path.join(root, 'index.json'), 'utf8')) as {
		manifests: { digest: string }[];
	};
	for (const { digest } of index.manifests) {
		assert.ok(fs.existsSync(blobFile(root, digest)), `index.json names ${digest}, which is not there`);
	}
	assert.deepEqual(JSON.parse(fs.readFileSync(path.join(root, 'oci-layout'), 'utf8')), {
		imageLayoutVersion: '1.0.0',
	});
}

/** All of an image is there, unpacked too. */
export function checkHolds(root: string, image: ImageFixture): void {
	assert.ok(fs.readFileSync(blobFile(root, image.digest)).equals(image.manifest), 'the manifest');
	assert.ok(fs.readFileSync(blobFile(root, image.id)).equals(image.config), 'the configuration');
	for (const layer of image.layers) {
		assert.ok(isUnpacked(root, layer.diffId), 'the unpacked layer');
	}
}

/** Whether a layer is unpacked, as files or as an image. */
export function isUnpacked(root: string, diffId: string): boolean {
	return layersIn(root).includes(diffId);
}

/** DiffIDs of the unpacked layers, whatever they are kept as. */
export function layersIn(root: string): string[] {
	const found = fs.readdirSync(path.join(root, 'layers')).map((name) => LAYER.exec(name)?.[1] ?? '');
	return [...new Set(found.filter((hex) => hex !== ''))].map((hex) => `sha256:${hex}`);
}

/** Its folder; see docs/dir.md. */
const LAYER = /^([0-9a-f]{64})(?:\.erofs)?$/;

export function blobFile(root: string, digest: string): string {
	return path.join(root, 'blobs', ...digest.split(':'));
}

/** What a finished pull must not leave: downloads and layers under way, temporary files. */
export function leftovers(root: string): string[] {
	return [
		...fs.readdirSync(path.join(root, 'ingest')).map((name) => `ingest/${name}`),
		...fs
			.readdirSync(path.join(root, 'layers'))
			.filter((name) => !LAYER.test(name.replace(/\.json$/, '')))
			.map((name) => `layers/${name}`),
		...['', 'records', 'blobs/sha256'].flatMap((folder) =>
			fs
				.readdirSync(path.join(root, folder))
				.filter((name) => name.endsWith('.tmp'))
				.map((name) => `${folder}/${name}`),
		),
	];
}
