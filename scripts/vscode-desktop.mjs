// The desktop VS Code of this machine, when it has one and a display to show it on.
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { startBackground } from './background.mjs';

/** True when `code` is installed and there is a display. */
export function hasDesktop() {
	const isVisible = Boolean(process.env.DISPLAY ?? process.env.WAYLAND_DISPLAY);
	return isVisible && spawnSync('code', ['--version'], { stdio: 'ignore' }).status === 0;
}

/**
 * Opens a window on `folder` with the packaged extension and nothing of the user's own VS Code: its data is in `dataDir`.
 * Gives { store, stop() }.
 */
export function openDesktop({ folder, dataDir, vsix }) {
	const userData = path.join(dataDir, 'user');
	const common = ['--user-data-dir', userData, '--extensions-dir', path.join(dataDir, 'extensions')];
	// Electron's sandbox refuses to run as root, which the engine needs for now.
	const args = process.getuid() === 0 ? ['--no-sandbox', ...common] : common;
	const installed = spawnSync('code', [...args, '--install-extension', vsix, '--force'], { encoding: 'utf8' });
	if (installed.status !== 0) {
		throw new Error(`Cannot install the extension into VS Code:\n${installed.stdout}${installed.stderr}`);
	}
	const window = startBackground('VS Code', 'code', [...args, '--new-window', '--wait', folder]);
	return {
		store: path.join(userData, 'User/globalStorage/mydocker.mydocker'),
		stop: () => window.stop(),
	};
}
