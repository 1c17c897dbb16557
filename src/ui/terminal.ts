import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs/promises';
import * as path from 'node:path';
import { l10n, type ExtensionContext, type LogOutputChannel } from 'vscode';
import type { Engines } from './engines';

/** Puts `mydocker`, on this window's engine, on the PATH of the terminals that open from now on. */
export function contributeToTerminals(context: ExtensionContext, engines: Engines, log: LogOutputChannel): void {
	const root = context.globalStorageUri.fsPath;
	const bin = path.join(root, 'bin');
	const environment = context.environmentVariableCollection;
	environment.description = l10n.t('Puts `mydocker` on the PATH, for the images and containers of this window');
	// Login shells set PATH anew, so it is said again when the shell is ready.
	environment.prepend('PATH', `${bin}${path.delimiter}`, {
		applyAtProcessCreation: true,
		applyAtShellIntegration: true,
	});
	environment.replace('MYDOCKER_ROOT', root);
	const nameEngine = (): void => {
		const { context: named, host } = engines.chosen;
		environment.delete('MYDOCKER_CONTEXT');
		environment.delete('MYDOCKER_HOST');
		if (!engines.isOwn) {
			environment.replace(named === undefined ? 'MYDOCKER_HOST' : 'MYDOCKER_CONTEXT', named ?? host);
		}
	};
	nameEngine();
	context.subscriptions.push(engines.onDidSwitch(nameEngine));
	writeLauncher(path.join(bin, 'mydocker'), context.asAbsolutePath('dist/mydocker')).catch((error: unknown) => {
		log.warn(`Cannot put "mydocker" on the PATH of terminals: ${String(error)}`);
	});
}

/** Writes the script anew when it is not as this version and this VS Code want it. */
async function writeLauncher(file: string, program: string): Promise<void> {
	const content = launcher(process.execPath, program);
	await fs.mkdir(path.dirname(path.dirname(file)), { recursive: true, mode: 0o700 });
	await fs.mkdir(path.dirname(file), { recursive: true });
	if ((await readOrEmpty(file)) === content) {
		return;
	}
	const temporary = `${file}.${randomBytes(4).toString('hex')}`;
	await fs.writeFile(temporary, content, { mode: 0o755, flag: 'wx' });
	await fs.rename(temporary, file);
}

/** VS Code's own Node runs the program, so that no other has to be installed. An update may have moved it. */
function launcher(node: string, program: string): string {
	return `#!/bin/sh
# Written by the MyDocker extension for VS Code.
if [ -x ${quote(node)} ]; then
	export ELECTRON_RUN_AS_NODE=1 MYDOCKER_NODE=${quote(node)}
fi
exec sh -- ${quote(program)} "$@"
`;
}

function quote(text: string): string {
	return `'${text.replaceAll("'", "'\\''")}'`;
}

async function readOrEmpty(file: string): Promise<string> {
	try {
		return await fs.readFile(file, 'utf8');
	} catch (error) {
		if (error instanceof Error && 'code' in error && error.code === 'ENOENT') {
			return '';
		}
		throw error;
	}
}
