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
		assert.ok(fs.existsSync(path.join(root, 'layers', layer.diffId.slice('sha256:'.length))), 'the unpacked layer');
	}
}

export function blobFile(root: string, digest: string): string {
	return path.join(root, 'blobs', ...digest.split(':'));
}

/** What a finished pull must not leave: downloads and layers under way, temporary files. */
export function leftovers(root: string): string[] {
	return [
		...fs.readdirSync(path.join(root, 'ingest')).map((name) => `ingest/${name}`),
		...fs
			.readdirSync(path.join(root, 'layers'))
			.filter((name) => !/^[0-9a-f]{64}(\.json)?$/.test(name))
			.map((name) => `layers/${name}`),
		...['', 'records', 'blobs/sha256'].flatMap((folder) =>
			fs
				.readdirSync(path.join(root, folder))
				.filter((name) => name.endsWith('.tmp'))
				.map((name) => `${folder}/${name}`),
		),
	];
}
