// The extension as its users get it.
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';

const root = path.resolve(import.meta.dirname, '..');

/** Builds the .vsix at `file`, offline, as `npm run package` does; throws with what vsce said when it cannot. */
export function packageExtension(file) {
	fs.mkdirSync(path.dirname(file), { recursive: true });
	const result = spawnSync('npm', ['run', '--silent', 'package', '--', '--out', file], {
		cwd: root,
		encoding: 'utf8',
	});
	if (result.status !== 0) {
		throw new Error(`Cannot package the extension:\n${result.stdout}${result.stderr}`);
	}
}
