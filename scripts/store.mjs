// A store that a test or the tour made, and everything that lives from it.
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';

/**
 * Ends the engine, the containers and their shims of a store, whatever state they are in, and deletes the folder. Not
 * the engine's own way to stop: it is for the end of a test, when the engine may be dead or hang.
 */
export async function removeStore(root) {
	if (!fs.existsSync(root)) {
		return;
	}
	// The engine first, so that nothing comes back.
	killProcessesOf(root);
	const runtimeRoot = path.join(root, 'run/runc');
	if (fs.existsSync(runtimeRoot)) {
		for (const id of fs.readdirSync(runtimeRoot)) {
			spawnSync('runc', ['--root', runtimeRoot, 'delete', '--force', id]);
		}
	}
	killProcessesOf(root);
	fs.rmSync(root, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
}

/** SIGKILL for every process that was given a path inside the store as an argument: engine, shims, runtime. */
function killProcessesOf(root) {
	for (const entry of fs.readdirSync('/proc')) {
		const pid = Number(entry);
		if (
			Number.isInteger(pid) &&
			pid !== process.pid &&
			commandLine(pid).some((word) => word === root || word.startsWith(`${root}/`))
		) {
			try {
				process.kill(pid, 'SIGKILL');
			} catch (error) {
				if (error.code !== 'ESRCH') {
					throw error;
				}
			}
		}
	}
}

function commandLine(pid) {
	try {
		return fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
	} catch (error) {
		// The process ended while we looked.
		if (error.code === 'ENOENT' || error.code === 'ESRCH') {
			return [];
		}
		throw error;
	}
}
