import * as fs from 'node:fs';
import * as path from 'node:path';
import { readText } from './shim';

/** Why nothing can be limited, where that is so. */
export const LIMITS_PROBLEM =
	'Memory, CPU and processes of containers cannot be limited and containers cannot be paused: control groups belong to root. Run the engine as root to have limits.';

/** cgroupsPath of a container in its spec; docker's --cgroup-parent takes the place of our own parent. */
export function cgroupPath(id: string, parent = ''): string {
	return path.posix.join('/', parent === '' ? 'mydocker' : parent, id);
}

/**
 * Whether the kernel killed a process of the container because it was over its memory limit; false when the cgroup is
 * gone already. Cgroup version 1 counts since Linux 4.13.
 */
export function wasOomKilled(id: string, mountPoint = '/sys/fs/cgroup', parent = ''): boolean {
	const file = fs.existsSync(path.join(mountPoint, 'cgroup.controllers'))
		? path.join(mountPoint, cgroupPath(id, parent), 'memory.events')
		: path.join(mountPoint, 'memory', cgroupPath(id, parent), 'memory.oom_control');
	return /^oom_kill [1-9]/m.test(readText(file) ?? '');
}
