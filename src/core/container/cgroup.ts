import * as fs from 'node:fs';
import * as path from 'node:path';
import { readText } from './shim';

/** Where version 2 is mounted; version 1 has a folder for each controller there. */
export const UNIFIED_MOUNT = '/sys/fs/cgroup';

/** The group of an ordinary user's engine in the scope that systemd has delegated to it; see system/delegation.ts. */
export const ENGINE_GROUP = 'mydocker-engine';

const NO_LIMITS_HERE = 'Memory, CPU and processes of containers cannot be limited and containers cannot be paused: ';

/** Lets a user's systemd, which delegates control groups, run without a log-in. */
export const LINGER = 'loginctl enable-linger';

/** Why nothing can be limited, where that is so. */
export function limitsProblem(isUnified = hasUnified(), hasSystemd = fs.existsSync('/run/systemd/system')): string {
	return isUnified && hasSystemd
		? `${NO_LIMITS_HERE}no control group is delegated to this engine. Run "${LINGER}", so that your user's systemd delegates them from the engine's next start on, or run the engine as root.`
		: `${NO_LIMITS_HERE}control groups belong to root. Run the engine as root to have limits.`;
}

/** The unified hierarchy (version 2) is what this machine works with. */
export function hasUnified(mountPoint = UNIFIED_MOUNT): boolean {
	return fs.existsSync(path.join(mountPoint, 'cgroup.controllers'));
}

let delegated: { readonly group: string | undefined } | undefined;

/** The group below which an ordinary user's engine may make others; it is the engine's for as long as it lives. */
export function delegatedGroup(): string | undefined {
	delegated ??= { group: hasUnified() ? groupAbove(readText('/proc/self/cgroup') ?? '') : undefined };
	return delegated.group;
}

/** The scope in which a process of this membership (/proc/<pid>/cgroup) has the place of an engine. */
export function groupAbove(membership: string): string | undefined {
	const [, group] = new RegExp(`^0::(/.*\\.scope)/${ENGINE_GROUP}$`, 'm').exec(membership) ?? [];
	return group === undefined || group.split('/').includes('..') ? undefined : group;
}

/**
 * cgroupsPath of a container in its spec, below what is delegated to an ordinary user; docker's --cgroup-parent takes the
 * place of our own parent.
 */
export function cgroupPath(id: string, parent = '', above = delegatedGroup() ?? ''): string {
	return path.posix.join('/', above, parent === '' ? 'mydocker' : parent, id);
}

/**
 * Whether the kernel killed a process of the container because it was over its memory limit; false when the cgroup is
 * gone already. Cgroup version 1 counts since Linux 4.13.
 */
export function wasOomKilled(id: string, mountPoint = UNIFIED_MOUNT, parent = ''): boolean {
	const file = hasUnified(mountPoint)
		? path.join(mountPoint, cgroupPath(id, parent), 'memory.events')
		: path.join(mountPoint, 'memory', cgroupPath(id, parent), 'memory.oom_control');
	return /^oom_kill [1-9]/m.test(readText(file) ?? '');
}
