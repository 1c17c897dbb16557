import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { busyboxLayer } from '../engine/fixture';
import type { Workspace } from '../engine/workspace';
import { asUser, inside, type Owner } from './user';

export interface PodmanOptions {
	readonly owner: Owner;
	/** Keeps the network namespace that it runs in. */
	readonly holder: number;
	/** "source:target:ro", readable by the user. */
	readonly mounts: readonly string[];
	readonly command: readonly string[];
	/** "8080:80" */
	readonly publish: string;
}

/** Runs a container by podman as an ordinary user, from a root folder of busybox; it ends with the workspace. */
export function runPodman(workspace: Workspace, options: PodmanOptions): void {
	const { owner, holder, mounts, command, publish } = options;
	const home = workspace.folder('podman');
	const rootfs = path.join(home, 'rootfs');
	fs.mkdirSync(path.join(home, 'run'), { mode: 0o700 });
	fs.mkdirSync(rootfs);
	spawnSync('tar', ['-xzf', '-', '-C', rootfs], { input: busyboxLayer().blob });
	spawnSync('chown', ['-R', `${owner.uid}:${owner.gid}`, home]);
	const podman = (...args: string[]): void => {
		// runc, since crun refuses a machine with control groups of both versions.
		const general = ['--cgroup-manager', 'cgroupfs', '--events-backend', 'file', '--runtime', 'runc'];
		const run = ['env', `XDG_RUNTIME_DIR=${path.join(home, 'run')}`, 'podman', ...general, ...args];
		const [program = '', ...rest] = [...inside(workspace, holder), ...asUser(owner, home, run)];
		const { status, stderr } = spawnSync(program, rest, { cwd: '/', encoding: 'utf8' });
		if (status !== 0) {
			throw new Error(`podman ${args.join(' ')}: ${stderr}`);
		}
	};
	workspace.defer('end podman', () => {
		podman('rm', '--force', '--all', '--time', '0');
		// Ends the process that keeps the namespaces, which podman leaves else.
		podman('system', 'migrate');
	});
	const volumes = mounts.flatMap((mount) => ['--volume', mount]);
	podman('run', '--detach', '--publish', publish, ...volumes, '--rootfs', rootfs, ...command);
}
