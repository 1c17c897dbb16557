// Runs test/vscode inside VS Code through @vscode/test-electron.
//   MYDOCKER_DESKTOP=1   in the desktop VS Code, downloaded when it is not there; otherwise in the VS Code server from npm
import path from 'node:path';
import { runTests } from '@vscode/test-electron';

const root = path.resolve(import.meta.dirname, '..');
const executable = process.env.MYDOCKER_DESKTOP ? {} : { vscodeExecutablePath: path.join(root, 'test/host/run.mjs') };
try {
	process.exitCode = await runTests({
		...executable,
		extensionDevelopmentPath: process.env.MYDOCKER_TEST_EXTENSION ?? root,
		extensionTestsPath: path.join(root, 'out/test/host/index.js'),
	});
} catch (error) {
	console.error(String(error));
	process.exitCode = 1;
}
