import * as fs from 'node:fs';
import * as path from 'node:path';
import { readText } from './shim';

/** cgroupsPath of a container in its spec. */
export function cgroupPath(id: string): string {
	return `/mydocker/${id}`;
}

/**
 * True when the kernel killed a process of the container because its memory limit was reached. The cgroup must still be
 * there: the runtime keeps it when asked to (Runtime.command, `keepsCgroup`).
 */
export function wasOutOfMemory(id: string, mountPoint = '/sys/fs/cgroup'): boolean {
	const file = fs.existsSync(path.join(mountPoint, 'cgroup.controllers'))
		? path.join(mountPoint, cgroupPath(id), 'memory.events')
		: path.join(mountPoint, 'memory', cgroupPath(id), 'memory.oom_control');
	return Number(/^oom_kill (\d+)$/m.exec(readText(file) ?? '')?.[1] ?? 0) > 0;
}
