// The extension as its users get it.
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { serverNode } from './vscode-server.mjs';

const root = path.resolve(import.meta.dirname, '..');

/** Builds the .vsix at `file`, offline; throws with what vsce said when it cannot. */
export function packageExtension(file) {
	fs.mkdirSync(path.dirname(file), { recursive: true });
	const vsce = path.join(root, 'node_modules/@vscode/vsce/vsce');
	const result = spawnSync(serverNode(), [vsce, 'package', '--no-dependencies', '--out', file], {
		cwd: root,
		encoding: 'utf8',
		// vsce runs the script vscode:prepublish, which builds; with this Node first in the search path.
		env: { ...process.env, PATH: `${path.join(root, 'node_modules/.bin')}:${process.env.PATH}` },
	});
	if (result.status !== 0) {
		throw new Error(`Cannot package the extension:\n${result.stdout}${result.stderr}`);
	}
}
