import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { repository, type Workspace } from '../test/engine/workspace';

/** What users get: the minified bundles, and the package when it can be made. */
export interface Product {
	/** The folder of the bundles. */
	readonly bundles: string;
	/** The extension's folder, with package.json. */
	readonly folder: string;
	readonly vsix: string | undefined;
}

const LEFT_OUT = new Set(['node_modules', '.git', 'dist', 'out', 'coverage']);

/** Packages a copy of the work tree, so that the tree's own dist/ stays as it is. */
export function makeProduct(workspace: Workspace): Product {
	const folder = workspace.folder('product');
	for (const name of fs.readdirSync(repository)) {
		if (!LEFT_OUT.has(name)) {
			fs.cpSync(path.join(repository, name), path.join(folder, name), {
				recursive: true,
				// The test server's are hundreds of megabytes and no part of the product.
				filter: (source) => path.basename(source) !== 'node_modules',
			});
		}
	}
	fs.symlinkSync(path.join(repository, 'node_modules'), path.join(folder, 'node_modules'));
	const vsix = path.join(workspace.root, 'product.vsix');
	const isPackaged = runIn(folder, 'npm', ['run', '--silent', 'package', '--', '--out', vsix]);
	if (!isPackaged && !runIn(folder, process.execPath, ['scripts/build.mjs', '--production'])) {
		throw new Error('Cannot build the product: node scripts/build.mjs --production fails');
	}
	return { folder, bundles: path.join(folder, 'dist'), vsix: isPackaged ? vsix : undefined };
}

function runIn(folder: string, program: string, args: readonly string[]): boolean {
	return spawnSync(program, args, { cwd: folder, stdio: 'ignore' }).status === 0;
}
