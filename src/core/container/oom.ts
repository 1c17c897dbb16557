import * as fs from 'node:fs';
import { systemCode } from '../errors';

/** Files that count a group's kills for lack of memory: cgroup version 1 (kernel 4.13 and later) and version 2. */
const COUNTERS = [
	['/sys/fs/cgroup/memory/mydocker', 'memory.oom_control'],
	['/sys/fs/cgroup/mydocker', 'memory.events'],
] as const;

/** Whether the kernel killed a process of the container because it was over its memory limit; false without cgroup. */
export function wasOomKilled(id: string): boolean {
	return COUNTERS.some(([folder, name]) => /^oom_kill [1-9]/m.test(readIfThere(`${folder}/${id}/${name}`)));
}

function readIfThere(file: string): string {
	try {
		return fs.readFileSync(file, 'utf8');
	} catch (error) {
		if (systemCode(error) === 'ENOENT') {
			return '';
		}
		throw error;
	}
}
