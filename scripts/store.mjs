// A store that a test or the tour made, and everything that lives from it.
import { execFileSync, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';

const CGROUPS = '/sys/fs/cgroup';

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
	await endContainers(path.join(root, 'containers'));
	killProcessesOf(root);
	removeNetworks(path.join(root, 'records'));
	fs.rmSync(root, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
}

/** Ends what still runs in control groups of the containers, and removes those: a runtime that is killed may leave both. */
async function endContainers(folder) {
	const ids = fs.existsSync(folder) ? fs.readdirSync(folder) : [];
	const mounts = ['.', ...fs.readdirSync(CGROUPS)].map((name) => path.join(CGROUPS, name, 'mydocker'));
	const groups = ids.flatMap((id) => mounts.map((mount) => path.join(mount, id))).filter((one) => fs.existsSync(one));
	const deadline = Date.now() + 10_000;
	for (const group of groups) {
		while (!isRemoved(group)) {
			if (Date.now() > deadline) {
				throw new Error(`Cannot remove the control group ${group}`);
			}
			await new Promise((resolve) => setTimeout(resolve, 20));
		}
	}
}

/** Whether a control group is gone; what runs in it is killed, and takes a moment to end. */
function isRemoved(group) {
	try {
		const pids = fs.readFileSync(path.join(group, 'cgroup.procs'), 'utf8').split('\n').filter(Boolean);
		pids.map(Number).forEach(kill);
		fs.rmdirSync(group);
		return true;
	} catch (error) {
		if (error.code !== 'EBUSY' && error.code !== 'ENOENT') {
			throw error;
		}
		return error.code === 'ENOENT';
	}
}

/** What the networks of an engine that was killed have left on the machine: bridges, chains and tables of the firewall. */
function removeNetworks(records) {
	const names = fs.existsSync(records) ? fs.readdirSync(records) : [];
	const ids = names.flatMap((name) => /^network-([0-9a-f]{8})[0-9a-f]*\.json$/.exec(name)?.[1] ?? []);
	if (process.getuid() !== 0 || ids.length === 0) {
		return;
	}
	const bridges = told('ip', ['-o', 'link', 'show', 'type', 'bridge']);
	for (const bridge of ids.map((id) => `md-${id}`).filter((name) => bridges.includes(` ${name}:`))) {
		execFileSync('ip', ['link', 'del', bridge]);
	}
	for (const program of ['iptables', 'ip6tables']) {
		const removal = chainRemoval(told(`${program}-save`), ids);
		if (removal !== '') {
			execFileSync(`${program}-restore`, ['--noflush', '--wait'], { input: removal });
		}
	}
	const tables = told('nft', ['list', 'tables']).split('\n');
	for (const table of tables.filter((line) => ids.some((id) => line.endsWith(` mydocker_${id}`)))) {
		execFileSync('nft', ['delete', ...table.split(' ')]);
	}
}

/** Input of `iptables-restore --noflush` that takes away the chains of these stores, and the rules that lead to them. */
function chainRemoval(saved, ids) {
	const chain = `MYDOCKER-[A-Z0-9]+-(?:${ids.join('|')})`;
	const jump = new RegExp(`^-A (?!MYDOCKER)(.* -j ${chain})$`);
	const own = new RegExp(`^:(${chain}) `);
	return saved
		.split(/^(?=\*)/m)
		.map((table) => {
			const lines = table.split('\n');
			const chains = lines.flatMap((line) => own.exec(line)?.[1] ?? []);
			const removal = [
				...lines.flatMap((line) => jump.exec(line)?.[1] ?? []).map((rule) => `-D ${rule}`),
				...chains.map((name) => `-F ${name}`),
				...chains.map((name) => `-X ${name}`),
			];
			const [head] = lines;
			return removal.length === 0 ? '' : [head, ...removal, 'COMMIT', ''].join('\n');
		})
		.join('');
}

/** What the program tells; "" where it is not installed, or not allowed to look, as the engine was not then. */
function told(program, args = []) {
	const { status, stdout } = spawnSync(program, args, { encoding: 'utf8' });
	return status === 0 ? stdout : '';
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
			kill(pid);
		}
	}
}

function kill(pid) {
	try {
		process.kill(pid, 'SIGKILL');
	} catch (error) {
		if (error.code !== 'ESRCH') {
			throw error;
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
