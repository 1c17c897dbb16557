import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { processesOf, until, Workspace } from '../test/engine/workspace';

const SIZE = 12 * 1024 ** 3;

/**
 * A workspace on an ext4 of its own, made for one measurement: on a file system in use ext4 passes over the inodes that
 * were removed lately, block after block, so whoever comes after a removal pays for it. The disk is a sparse file in
 * `folder`; it goes with the workspace.
 */
export function freshDisk(folder: string): Workspace {
	const image = path.join(folder, `disk-${process.hrtime.bigint()}`);
	const workspace = new Workspace('disk');
	workspace.defer('remove the disk', () => {
		fs.rmSync(image, { force: true });
	});
	fs.writeFileSync(image, '');
	fs.truncateSync(image, SIZE);
	// Without the inode tables that the kernel would go on writing in the background.
	command('mkfs.ext4', '-q', '-F', '-E', 'lazy_itable_init=1,nodiscard', image);
	const device = command('losetup', '--find', '--show', '--direct-io=on', image).trim();
	workspace.defer('free the loop device', () => {
		command('losetup', '--detach', device);
	});
	command('mount', '-o', 'noinit_itable', device, workspace.root);
	workspace.defer('unmount the disk', () => unmount(workspace.root));
	return workspace;
}

/** A program that an engine has started last, such as sync(1), may be at it still. */
async function unmount(folder: string): Promise<void> {
	try {
		await until('nobody uses the disk', () => spawnSync('umount', ['--recursive', folder]).status === 0, 60_000);
	} catch (error) {
		const users = processesOf(folder).map(({ pid, command }) => `${pid} ${command}`);
		// Left mounted, its folder could not be removed, and the next measurement would pay for both disks.
		command('umount', '--recursive', '--lazy', folder);
		throw new Error(`The disk is in use by: ${users.join('; ')}`, { cause: error });
	}
}

/** Writes to the disks what others have left in memory, so that it is not written in the time of the next. */
export function settle(): void {
	command('sync');
}

function command(program: string, ...args: readonly string[]): string {
	const { error, status, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8' });
	if (error !== undefined || status !== 0) {
		throw new Error(`${program} ${args.join(' ')}: ${error?.message ?? stderr.trim()}`);
	}
	return stdout;
}
