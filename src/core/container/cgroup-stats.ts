import * as fs from 'node:fs';
import * as path from 'node:path';
import { systemCode } from '../errors';
import { hasUnified } from './cgroup';

/** What the control groups of a container count. Bytes, nanoseconds, numbers of things; absent is not counted here. */
export interface CgroupStats {
	readonly version: 1 | 2;
	readonly cpu: {
		readonly total: number;
		readonly kernel: number;
		readonly user: number;
		readonly perCpu?: readonly number[];
		readonly periods: number;
		readonly throttledPeriods: number;
		readonly throttledTime: number;
	};
	readonly memory: {
		readonly usage: number;
		readonly maxUsage: number;
		/** Infinity is no limit. */
		readonly limit: number;
		readonly failures: number;
		/** memory.stat, by its own names. */
		readonly stat: Readonly<Record<string, number>>;
	};
	readonly pids: { readonly current: number; readonly limit: number };
	readonly blockIo: { readonly serviceBytes: readonly IoEntry[]; readonly serviced: readonly IoEntry[] };
}

/** What one block device did for a container: docker's BlkioStatEntry. */
export interface IoEntry {
	readonly major: number;
	readonly minor: number;
	/** "Read", "Write", …: as the kernel spells it. */
	readonly op: string;
	readonly value: number;
}

/** Text of a control group's file; undefined when the kernel does not offer it. */
export type ReadGroupFile = (controller: string, file: string) => string | undefined;

const CGROUP_MOUNT = '/sys/fs/cgroup';

/** USER_HZ, which proc(5) and cpuacct.stat count in, is 100 on every architecture that Linux has now. */
const NANOSECONDS_PER_TICK = 10_000_000;

/**
 * Reads the files of the group in which the process runs; undefined when that is no group of the container's own (an
 * ordinary user without delegated groups) or has just gone.
 */
export function readCgroupStats(id: string, pid: number, mountPoint = CGROUP_MOUNT): CgroupStats | undefined {
	const membership = readFile(`/proc/${pid}/cgroup`);
	const folders = membership === undefined ? undefined : groupFolders(membership, id);
	if (folders === undefined || folders.size === 0) {
		return undefined;
	}
	const unified = folders.get('');
	if (unified !== undefined && hasUnified(mountPoint)) {
		return parseVersion2((_, file) => readFile(path.join(mountPoint, unified, file)));
	}
	return parseVersion1((controller, file) => {
		const folder = folders.get(controller);
		return folder === undefined ? undefined : readFile(path.join(mountPoint, controller, folder, file));
	});
}

/**
 * The container's group of each controller ("" is version 2) from /proc/<pid>/cgroup: "4:memory:/mydocker/<id>". A
 * program may have made groups below its own, so the path ends with the component that holds the id.
 */
export function groupFolders(membership: string, id: string): Map<string, string> {
	const folders = new Map<string, string>();
	for (const line of membership.split('\n')) {
		const [, controllers, group = ''] = /^\d+:([^:]*):(\/.*)$/.exec(line) ?? [];
		const components = group.split('/');
		const own = components.findIndex((component) => component.includes(id));
		if (controllers !== undefined && own >= 0 && !components.includes('..')) {
			for (const controller of controllers.split(',')) {
				folders.set(controller, components.slice(0, own + 1).join('/'));
			}
		}
	}
	return folders;
}

/** Files of cgroup version 1 (kernel's admin-guide/cgroup-v1). */
export function parseVersion1(read: ReadGroupFile): CgroupStats {
	const number = (controller: string, file: string): number => parseNumber(read(controller, file));
	const cpuTimes = parseTable(read('cpuacct', 'cpuacct.stat'));
	const throttling = parseTable(read('cpu', 'cpu.stat'));
	const perCpu = (read('cpuacct', 'cpuacct.usage_percpu') ?? '').split(/\s+/).filter((text) => text !== '');
	const io = (name: string): readonly IoEntry[] => {
		const exact = parseBlkio(read('blkio', `blkio.bfq.${name}_recursive`));
		return exact.length > 0 ? exact : parseBlkio(read('blkio', `blkio.throttle.${name}_recursive`));
	};
	return {
		version: 1,
		cpu: {
			total: number('cpuacct', 'cpuacct.usage'),
			kernel: (cpuTimes['system'] ?? 0) * NANOSECONDS_PER_TICK,
			user: (cpuTimes['user'] ?? 0) * NANOSECONDS_PER_TICK,
			...(perCpu.length === 0 ? {} : { perCpu: perCpu.map(Number) }),
			periods: throttling['nr_periods'] ?? 0,
			throttledPeriods: throttling['nr_throttled'] ?? 0,
			throttledTime: throttling['throttled_time'] ?? 0,
		},
		memory: {
			usage: number('memory', 'memory.usage_in_bytes'),
			maxUsage: number('memory', 'memory.max_usage_in_bytes'),
			limit: parseLimit(read('memory', 'memory.limit_in_bytes')),
			failures: number('memory', 'memory.failcnt'),
			stat: parseTable(read('memory', 'memory.stat')),
		},
		pids: { current: number('pids', 'pids.current'), limit: parseLimit(read('pids', 'pids.max')) },
		blockIo: { serviceBytes: io('io_service_bytes'), serviced: io('io_serviced') },
	};
}

/** Files of cgroup version 2 (kernel's admin-guide/cgroup-v2). */
export function parseVersion2(read: ReadGroupFile): CgroupStats {
	const cpu = parseTable(read('', 'cpu.stat'));
	const nanoseconds = (name: string): number => (cpu[name] ?? 0) * 1000;
	const io = parseIoStat(read('', 'io.stat'));
	return {
		version: 2,
		cpu: {
			total: nanoseconds('usage_usec'),
			kernel: nanoseconds('system_usec'),
			user: nanoseconds('user_usec'),
			periods: cpu['nr_periods'] ?? 0,
			throttledPeriods: cpu['nr_throttled'] ?? 0,
			throttledTime: nanoseconds('throttled_usec'),
		},
		memory: {
			usage: parseNumber(read('', 'memory.current')),
			// memory.peak is there since Linux 5.19; docker does not show it.
			maxUsage: 0,
			limit: parseLimit(read('', 'memory.max')),
			failures: parseTable(read('', 'memory.events'))['oom'] ?? 0,
			stat: parseTable(read('', 'memory.stat')),
		},
		pids: { current: parseNumber(read('', 'pids.current')), limit: parseLimit(read('', 'pids.max')) },
		blockIo: {
			serviceBytes: io.filter(({ op }) => op === 'rbytes' || op === 'wbytes').map(spellOperation),
			serviced: io.filter(({ op }) => op === 'rios' || op === 'wios').map(spellOperation),
		},
	};
}

function spellOperation(entry: IoEntry): IoEntry {
	return { ...entry, op: entry.op.startsWith('r') ? 'read' : 'write' };
}

/** "8:0 Read 4096", without the line "Total". */
function parseBlkio(text = ''): IoEntry[] {
	return [...text.matchAll(/^(\d+):(\d+) ([A-Za-z]+) (\d+)$/gm)].map(([, major, minor, op = '', value]) => ({
		...{ major: Number(major), minor: Number(minor), op, value: Number(value) },
	}));
}

/** "8:0 rbytes=4096 wbytes=0 rios=1 wios=0 dbytes=0 dios=0" */
function parseIoStat(text = ''): IoEntry[] {
	return text.split('\n').flatMap((line) => {
		const [, major, minor, rest = ''] = /^(\d+):(\d+) (.*)$/.exec(line) ?? [];
		return [...rest.matchAll(/(\w+)=(\d+)/g)].map(([, op = '', value]) => ({
			...{ major: Number(major), minor: Number(minor), op, value: Number(value) },
		}));
	});
}

/** Lines "name number". */
function parseTable(text = ''): Record<string, number> {
	return Object.fromEntries(
		[...text.matchAll(/^(\w+) (\d+)$/gm)].map(([, name = '', value]) => [name, Number(value)]),
	);
}

function parseNumber(text = ''): number {
	return Number(/^\d+/.exec(text)?.[0] ?? 0);
}

/** "max", and for version 1 a number beyond all memory, is no limit. */
function parseLimit(text = ''): number {
	const limit = parseNumber(text);
	return /^\d/.test(text) && limit < Number.MAX_SAFE_INTEGER ? limit : Infinity;
}

/** Undefined for what is not there, or is going away while it is read. */
function readFile(file: string): string | undefined {
	try {
		return fs.readFileSync(file, 'utf8');
	} catch (error) {
		const code = systemCode(error);
		if (code === 'ENOENT' || code === 'ENODEV' || code === 'ESRCH' || code === 'EACCES' || code === 'EOPNOTSUPP') {
			return undefined;
		}
		throw error;
	}
}
