import { execFileSync, spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { createClient } from '../../src/api/client';
import { answers, enginePid, removeContainers, type EngineProcess } from '../engine/subject';
import { dist, endProcess, hasProgram, processesOf, until, type Workspace } from '../engine/workspace';

/** An ordinary user. */
export interface Owner {
	readonly name: string;
	readonly uid: number;
	readonly gid: number;
}

/** The user that scripts/setup.mjs makes for the tests. */
export const TEST_USER = 'mydocker-test';

/** Why the suite cannot run as an ordinary user; undefined when it can. */
export function rootlessProblem(): string | undefined {
	if (process.getuid?.() !== 0) {
		return 'this is not root, who alone can be somebody else';
	}
	if (!hasProgram('newuidmap')) {
		return 'newuidmap is not installed (package uidmap)';
	}
	return findUser() === undefined ? `there is no user "${TEST_USER}" (scripts/setup.mjs --test makes it)` : undefined;
}

function findUser(): Owner | undefined {
	const line = fs
		.readFileSync('/etc/passwd', 'utf8')
		.split('\n')
		.find((text) => text.startsWith(`${TEST_USER}:`));
	const [name = '', , uid, gid] = line?.split(':') ?? [];
	return line === undefined ? undefined : { name, uid: Number(uid), gid: Number(gid) };
}

/** Program and arguments that run a command as this user, with nothing of the suite's environment. */
export function asUser({ uid, gid, name }: Owner, home: string, command: readonly string[]): string[] {
	const groups = name === '' ? '--clear-groups' : '--init-groups';
	return [
		...['setpriv', '--reuid', String(uid), '--regid', String(gid), groups, '--inh-caps=-all', '--'],
		...['env', '-i', `HOME=${home}`, `USER=${name}`, 'PATH=/usr/local/bin:/usr/bin:/bin', ...command],
	];
}

const BIND = 'mount --bind "$0" /dev/net/tun && exec "$@"';

/**
 * Put before a command of root's: it runs in the network namespace that the process `holder` keeps, where every user may
 * use /dev/net/tun, whatever the machine allows.
 */
export function inside(workspace: Workspace, holder: number): string[] {
	const device = path.join(workspace.root, 'tun');
	if (!fs.existsSync(device)) {
		execFileSync('mknod', ['-m', '666', device, 'c', '10', '200']);
	}
	return ['nsenter', '-t', String(holder), '-n', '--', 'unshare', '--mount', 'sh', '-c', BIND, device];
}

export interface RootlessEngine extends EngineProcess {
	readonly owner: Owner;
	/** A Node.js that the user may run. */
	readonly node: string;
	/** Runs or finds the engine. */
	readonly start: () => Promise<void>;
	/** Ends it, with no container in it, and lets it start behind this command from now on; see `inside`. */
	readonly moveTo: (place: readonly string[]) => Promise<void>;
}

export interface RootlessOptions {
	readonly storageDriver?: string;
	/** Put before the engine's command, of root's. */
	readonly place?: readonly string[];
	/** The user of the tests by default; one without a name has no entry in passwd. */
	readonly owner?: Owner;
}

/** Our engine on a store of an ordinary user, run by that user. */
export async function rootlessEngine(workspace: Workspace, options: RootlessOptions = {}): Promise<RootlessEngine> {
	const owner = options.owner ?? findUser();
	if (owner === undefined) {
		throw new Error(`There is no user "${TEST_USER}"`);
	}
	fs.chmodSync(workspace.root, 0o711);
	const home = workspace.folder('home');
	const { node, engine } = installFor(workspace, owner);
	fs.chownSync(home, owner.uid, owner.gid);
	const root = path.join(home, 'store');
	const socket = path.join(root, 'run', 'api.sock');
	const client = createClient(() => Promise.resolve(socket));
	const { storageDriver } = options;
	const variables = storageDriver === undefined ? [] : [`MYDOCKER_STORAGE_DRIVER=${storageDriver}`];
	let place = options.place ?? [];
	const start = async (): Promise<void> => {
		if (enginePid(root) === undefined) {
			const command = asUser(owner, home, [...variables, node, engine, '--root', root, '--idle', '300']);
			const [program = '', ...args] = [...place, ...command];
			// A file and no pipe: the engine goes on with it after this program has ended.
			const log = fs.openSync(path.join(workspace.root, 'engine.log'), 'a');
			const { status } = spawnSync(program, args, { stdio: ['ignore', 'ignore', log] });
			fs.closeSync(log);
			if (status !== 0) {
				throw new Error(`The engine of "${owner.name}" does not start: ${workspace.log('engine')}`);
			}
		}
		await until('the engine of an ordinary user answers', () => answers(socket));
	};
	const moveTo = async (elsewhere: readonly string[]): Promise<void> => {
		await endProcess(enginePid(root) ?? 0);
		await until('the namespaces of the engine are gone', () => processesOf(root).length === 0);
		place = elsewhere;
		await start();
	};
	await start();
	workspace.defer('end the engine of an ordinary user', async () => {
		await start();
		await removeContainers(client);
		await endProcess(enginePid(root) ?? 0);
	});
	return { client, socket, root, owner, node, start, moveTo };
}

/** Where the user can run them: the bundles, and a Node.js, which may lie in a folder of root's. */
function installFor(workspace: Workspace, owner: Owner): { readonly node: string; readonly engine: string } {
	const bundles = workspace.folder('bundles');
	fs.cpSync(dist, bundles, { recursive: true });
	fs.chmodSync(bundles, 0o755);
	const [program = '', ...args] = asUser(owner, '/', [process.execPath, '--version']);
	let node = process.execPath;
	if (spawnSync(program, args).status !== 0) {
		node = path.join(bundles, 'node');
		fs.copyFileSync(process.execPath, node);
		fs.chmodSync(node, 0o755);
	}
	return { node, engine: path.join(bundles, 'engine.js') };
}
