import * as fs from 'node:fs';
import * as path from 'node:path';
import type { Figure } from './figure';
import type { Product } from './product';

/** Bytes of what users download and load. */
export function measureSize({ bundles, vsix }: Product): Figure[] {
	const files = fs.readdirSync(bundles).filter((name) => name.endsWith('.js'));
	return [
		...files.map((name): Figure => {
			const figure = { name: `dist/${name}`, unit: 'KB', ours: kilobytesOf(path.join(bundles, name)) };
			return name === 'extension.js' ? { ...figure, target: { value: 300, of: 'ours' } } : figure;
		}),
		...(vsix === undefined
			? []
			: [{ name: '.vsix', unit: 'KB', ours: kilobytesOf(vsix), target: { value: 1000, of: 'ours' } } as const]),
	];
}

function kilobytesOf(file: string): number {
	return fs.statSync(file).size / 1000;
}
