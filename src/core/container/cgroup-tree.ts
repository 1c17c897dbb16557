import * as fs from 'node:fs';
import * as path from 'node:path';
import { EngineError, messageOf, systemCode } from '../errors';
import { hasUnified } from './cgroup';
import { signalProcess, identify } from './process';
import type { CgroupResources } from './runtime';
import { readText } from './shim';

const MOUNT_POINT = '/sys/fs/cgroup';
const CONTROLLERS = ['memory', 'pids', 'cpu', 'cpuacct', 'cpuset', 'blkio', 'devices', 'freezer'];

/** Control groups that are written by this process, for the runtime that leaves that to it. `at` is the mount point. */
export class CgroupTree {
	constructor(private readonly at = MOUNT_POINT) {}

	/** Makes the groups of a container and gives their folders. Throws EngineError "runtime" when the kernel refuses. */
	make(group: string, resources: CgroupResources): readonly string[] {
		const folders = this.foldersOf(group);
		for (const folder of folders) {
			this.makeFolder(folder);
		}
		this.apply(group, resources);
		return folders;
	}

	/** Sets limits; throws EngineError "runtime" when the kernel refuses one. */
	apply(group: string, resources: CgroupResources): void {
		const [files, tree] = this.isUnified
			? [unifiedFiles(resources), (): string => this.at]
			: [legacyFiles(resources), (controller: string): string => path.join(this.at, controller)];
		for (const [controller, name, value] of files) {
			const file = path.join(tree(controller), group, name);
			try {
				fs.writeFileSync(file, value);
			} catch (error) {
				throw new EngineError('runtime', `Cannot write "${value}" to ${file}: ${messageOf(error)}`, {
					cause: error,
				});
			}
		}
	}

	/** Freezes, or lets go on. False when this machine cannot. */
	setFrozen(group: string, isFrozen: boolean): boolean {
		const file = this.isUnified
			? path.join(this.at, group, 'cgroup.freeze')
			: path.join(this.at, 'freezer', group, 'freezer.state');
		if (!fs.existsSync(file)) {
			return false;
		}
		fs.writeFileSync(file, this.isUnified ? (isFrozen ? '1' : '0') : isFrozen ? 'FROZEN' : 'THAWED');
		return true;
	}

	/** Whether all processes of the group stand still, which comes some time after `setFrozen`; cgroup.events(7), version 2. */
	isFrozen(group: string): boolean {
		return this.isUnified
			? /^frozen 1$/m.test(readText(path.join(this.at, group, 'cgroup.events')) ?? '')
			: readText(path.join(this.at, 'freezer', group, 'freezer.state'))?.trim() === 'FROZEN';
	}

	/** Kills what is in the groups. */
	killAll(group: string, signal: number): void {
		for (const folder of this.foldersOf(group)) {
			for (const pid of (readText(path.join(folder, 'cgroup.procs')) ?? '').split('\n').map(Number)) {
				const identity = pid > 0 ? identify(pid) : undefined;
				if (identity !== undefined) {
					signalProcess(identity, signal);
				}
			}
		}
	}

	/** Removes the groups; false while something is still in one of them. */
	remove(group: string): boolean {
		return this.foldersOf(group)
			.map((folder) => removeFolder(folder))
			.every((isGone) => isGone);
	}

	private foldersOf(group: string): readonly string[] {
		return this.isUnified
			? [path.join(this.at, group)]
			: CONTROLLERS.filter((name) => fs.existsSync(path.join(this.at, name))).map((name) =>
					path.join(this.at, name, group),
				);
	}

	private get isUnified(): boolean {
		return hasUnified(this.at);
	}

	/** A new group inherits nothing of a cpuset, and of version 2 only the controllers that its parent hands down. */
	private makeFolder(folder: string): void {
		if (fs.existsSync(folder)) {
			return;
		}
		const parent = path.dirname(folder);
		if (parent.length > this.at.length) {
			this.makeFolder(parent);
		}
		if (this.isUnified) {
			handDown(parent);
		}
		fs.mkdirSync(folder, { recursive: true });
		for (const name of folder.startsWith(path.join(this.at, 'cpuset/')) ? ['cpuset.cpus', 'cpuset.mems'] : []) {
			fs.writeFileSync(path.join(folder, name), readText(path.join(parent, name))?.trim() ?? '');
		}
	}
}

/** Lets the groups below one of version 2 have the controllers that it has. */
export function handDown(parent: string): void {
	const available = readText(path.join(parent, 'cgroup.controllers'))?.trim().split(' ') ?? [];
	for (const name of available.filter((one) => ['memory', 'pids', 'cpu', 'cpuset', 'io'].includes(one))) {
		fs.writeFileSync(path.join(parent, 'cgroup.subtree_control'), `+${name}`);
	}
}

function removeFolder(folder: string): boolean {
	try {
		fs.rmdirSync(folder);
		return true;
	} catch (error) {
		if (systemCode(error) === 'ENOENT') {
			return true;
		}
		if (systemCode(error) === 'EBUSY') {
			return false;
		}
		throw error;
	}
}

type Write = readonly [controller: string, file: string, value: string];

function legacyFiles({ memory = {}, cpu = {}, pids = {}, blockIO = {}, devices = [] }: CgroupResources): Write[] {
	return [
		...write('memory', 'memory.limit_in_bytes', memory.limit),
		...write('memory', 'memory.memsw.limit_in_bytes', memory.swap),
		...write('memory', 'memory.soft_limit_in_bytes', memory.reservation),
		...write('memory', 'memory.swappiness', memory.swappiness),
		...write('memory', 'memory.oom_control', memory.disableOOMKiller === true ? 1 : undefined),
		...write('cpu', 'cpu.shares', cpu.shares),
		...write('cpu', 'cpu.cfs_period_us', cpu.period),
		...write('cpu', 'cpu.cfs_quota_us', cpu.quota),
		...write('cpuset', 'cpuset.cpus', cpu.cpus),
		...write('cpuset', 'cpuset.mems', cpu.mems),
		...write('pids', 'pids.max', pids.limit === -1 ? 'max' : pids.limit),
		...write('blkio', 'blkio.weight', blockIO.weight),
		...devices.map(deviceRule),
	];
}

function deviceRule({ allow, type, major, minor, access }: NonNullable<CgroupResources['devices']>[number]): Write {
	const number = (value: number | undefined): string => (value === undefined || value < 0 ? '*' : String(value));
	const rule =
		type === undefined || type === 'a' ? 'a' : `${type} ${number(major)}:${number(minor)} ${access ?? 'rwm'}`;
	return ['devices', allow ? 'devices.allow' : 'devices.deny', rule];
}

/** Version 2 has no files for devices: the capability to make them goes instead (minimal-runtime.ts). */
function unifiedFiles({ memory = {}, cpu = {}, pids = {} }: CgroupResources): Write[] {
	const { limit, swap } = memory;
	const swapAlone = swap === undefined || swap < 0 ? swap : swap - (limit ?? 0);
	const max = (value: number | undefined): string | number | undefined => (value === -1 ? 'max' : value);
	return [
		...write('', 'memory.max', max(limit)),
		...write('', 'memory.swap.max', max(swapAlone)),
		...write('', 'memory.low', memory.reservation),
		...write('', 'cpu.max', cpu.quota === undefined ? undefined : `${max(cpu.quota)} ${cpu.period ?? 100_000}`),
		// As runc converts 2 … 262144 to 1 … 10000.
		...write(
			'',
			'cpu.weight',
			cpu.shares === undefined ? undefined : 1 + Math.floor(((cpu.shares - 2) * 9999) / 262142),
		),
		...write('', 'cpuset.cpus', cpu.cpus),
		...write('', 'cpuset.mems', cpu.mems),
		...write('', 'pids.max', max(pids.limit)),
	];
}

function write(controller: string, file: string, value: string | number | undefined): Write[] {
	return value === undefined ? [] : [[controller, file, String(value)]];
}
