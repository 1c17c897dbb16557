import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { EngineError } from '../errors';
import type { ResourceConfig } from '../types';
import { delegatedGroup, UNIFIED_MOUNT } from './cgroup';
import { readText } from './shim';

/** What the kernel's control groups can limit here. */
export interface LimitFacts {
	readonly cgroupVersion: 1 | 2;
	readonly cpus: number;
	/** "0-3": processors and memory nodes that there are. */
	readonly cpuset: string;
	readonly memoryNodes: string;
	readonly can: Readonly<Record<Controllable, boolean>>;
}

type Controllable =
	| 'memory'
	| 'swap'
	| 'swappiness'
	| 'reservation'
	| 'oomKillDisable'
	| 'shares'
	| 'cfs'
	| 'cpuset'
	| 'pids'
	| 'blkioWeight';

const MEBIBYTE = 1024 * 1024;
const MIN_MEMORY = 6 * MEBIBYTE;

/** Microseconds, docker's default CFS period. */
const CPU_PERIOD = 100_000;

/** A list longer than this is no machine's (CVE-2018-20699: "0-1000000000"). */
const MOST_IN_SET = 8192;

const VERSION_1: Readonly<Record<Controllable, string>> = {
	memory: 'memory/memory.limit_in_bytes',
	swap: 'memory/memory.memsw.limit_in_bytes',
	swappiness: 'memory/memory.swappiness',
	reservation: 'memory/memory.soft_limit_in_bytes',
	oomKillDisable: 'memory/memory.oom_control',
	shares: 'cpu/cpu.shares',
	cfs: 'cpu/cpu.cfs_quota_us',
	cpuset: 'cpuset/cpuset.cpus',
	pids: 'pids/cgroup.procs',
	blkioWeight: 'blkio/blkio.weight blkio/blkio.bfq.weight',
};

/** Looks at the control groups of this machine, or at what of them is delegated to an ordinary user. */
export function limitFacts(mountPoint = path.join(UNIFIED_MOUNT, delegatedGroup() ?? '')): LimitFacts {
	const read = (name: string): string => (readText(path.join(mountPoint, name)) ?? '').trim();
	const online = (kind: string): string => (readText(`/sys/devices/system/${kind}/online`) ?? '0').trim();
	const common = { cpus: os.availableParallelism(), cpuset: online('cpu'), memoryNodes: online('node') };
	const controllers = read('cgroup.controllers').split(' ');
	if (controllers.join('') === '') {
		const has = (name: Controllable): boolean =>
			VERSION_1[name].split(' ').some((file) => fs.existsSync(path.join(mountPoint, file)));
		const can = Object.fromEntries(CONTROLLABLE.map((name) => [name, has(name)]));
		return { ...common, cgroupVersion: 1, can: can as Record<Controllable, boolean> };
	}
	const [cpu, memory] = [controllers.includes('cpu'), controllers.includes('memory')];
	return {
		...common,
		cgroupVersion: 2,
		can: {
			...{ memory, swap: memory, reservation: memory, swappiness: false, oomKillDisable: false },
			...{ shares: cpu, cfs: cpu, cpuset: controllers.includes('cpuset'), pids: controllers.includes('pids') },
			blkioWeight: controllers.includes('io'),
		},
	};
}

const CONTROLLABLE = Object.keys(VERSION_1) as Controllable[];

/**
 * Checks limits, for a new container or for a change of one, with docker's texts: EngineError "invalid" for what makes
 * no sense; what the kernel cannot do is left out with a sentence in `warnings` (moby, verifyPlatformContainerResources).
 */
export function checkResources(
	asked: ResourceConfig,
	facts: LimitFacts,
	warnings: string[],
	isUpdate = false,
): ResourceConfig {
	const resources = discardImpossible(asked, facts.can, warnings);
	checkMemory(resources, isUpdate);
	checkProcessors(resources, facts);
	if (resources.oom_kill_disable === true && resources.memory === 0) {
		warnings.push(
			'OOM killer is disabled for the container, but no memory limit is set, this can result in the system running out of resources.',
		);
	}
	const weight = resources.blkio_weight ?? 0;
	if (weight !== 0 && (weight < 10 || weight > 1000)) {
		throw invalid('Range of blkio weight is from 10 to 1000');
	}
	return { ...resources, pids: Math.max(0, resources.pids) };
}

function discardImpossible(asked: ResourceConfig, can: LimitFacts['can'], warnings: string[]): ResourceConfig {
	const left: Record<string, unknown> = { ...asked };
	const discard = (is: boolean, names: readonly (keyof ResourceConfig)[], words: string): void => {
		if (is) {
			names.forEach((name) => {
				if (name === 'memory' || name === 'pids' || name === 'cpu') {
					left[name] = 0;
				} else {
					Reflect.deleteProperty(left, name);
				}
			});
			warnings.push(`Your kernel does not support ${words}`);
		}
	};
	const mounted = 'or the cgroup is not mounted.';
	discard(
		asked.memory > 0 && !can.memory,
		['memory', 'memory_swap'],
		`memory limit capabilities ${mounted} Limitation discarded.`,
	);
	if (asked.memory > 0 && can.memory && !can.swap && asked.memory_swap !== -1) {
		left['memory_swap'] = -1;
		warnings.push(`Your kernel does not support swap limit capabilities ${mounted} Memory limited without swap.`);
	}
	discard(
		asked.memory_swappiness !== undefined && !can.swappiness,
		['memory_swappiness'],
		`memory swappiness capabilities ${mounted} Memory swappiness discarded.`,
	);
	discard(
		(asked.memory_reservation ?? 0) > 0 && !can.reservation,
		['memory_reservation'],
		`memory soft limit capabilities ${mounted} Limitation discarded.`,
	);
	discard(
		asked.oom_kill_disable === true && !can.oomKillDisable,
		['oom_kill_disable'],
		'OomKillDisable. OomKillDisable discarded.',
	);
	discard(asked.pids > 0 && !can.pids, ['pids'], `PIDs limit capabilities ${mounted} PIDs limit discarded.`);
	discard((asked.cpu_shares ?? 0) > 0 && !can.shares, ['cpu_shares'], `CPU shares ${mounted} Shares discarded.`);
	discard(
		((asked.cpu_period ?? 0) !== 0 || (asked.cpu_quota ?? 0) !== 0) && !can.cfs,
		['cpu_period', 'cpu_quota'],
		`CPU CFS scheduler ${mounted} Limitation discarded.`,
	);
	discard(
		`${asked.cpuset_cpus ?? ''}${asked.cpuset_mems ?? ''}` !== '' && !can.cpuset,
		['cpuset_cpus', 'cpuset_mems'],
		`cpuset ${mounted} Cpuset discarded.`,
	);
	discard(
		(asked.blkio_weight ?? 0) > 0 && !can.blkioWeight,
		['blkio_weight'],
		`Block I/O weight ${mounted} Weight discarded.`,
	);
	return left as unknown as ResourceConfig;
}

function checkMemory(resources: ResourceConfig, isUpdate: boolean): void {
	const {
		memory,
		memory_swap: swap = 0,
		memory_reservation: reservation = 0,
		memory_swappiness: swappiness,
	} = resources;
	if (memory !== 0 && memory < MIN_MEMORY) {
		throw invalid('Minimum memory limit allowed is 6MB');
	}
	if (memory > 0 && swap > 0 && swap < memory) {
		throw invalid('Minimum memoryswap limit should be larger than memory limit, see usage');
	}
	if (memory === 0 && swap > 0 && !isUpdate) {
		throw invalid('You should always set the Memory limit when using Memoryswap limit, see usage');
	}
	if (swappiness !== undefined && (swappiness < 0 || swappiness > 100)) {
		throw invalid(`Invalid value: ${swappiness}, valid memory swappiness range is 0-100`);
	}
	if (reservation > 0 && reservation < MIN_MEMORY) {
		throw invalid('Minimum memory reservation allowed is 6MB');
	}
	if (memory > 0 && reservation > 0 && memory < reservation) {
		throw invalid('Minimum memory limit can not be less than memory reservation limit, see usage');
	}
}

function checkProcessors(resources: ResourceConfig, { cpus, cpuset, memoryNodes, can }: LimitFacts): void {
	const { cpu, cpu_period: period = 0, cpu_quota: quota = 0, cpu_shares: shares = 0 } = resources;
	if (cpu > 0 && period > 0) {
		throw invalid('Conflicting options: Nano CPUs and CPU Period cannot both be set');
	}
	if (cpu > 0 && quota > 0) {
		throw invalid('Conflicting options: Nano CPUs and CPU Quota cannot both be set');
	}
	if (cpu > 0 && !can.cfs) {
		throw invalid(
			'NanoCPUs can not be set, as your kernel does not support CPU CFS scheduler or the cgroup is not mounted',
		);
	}
	if (cpu < 0 || cpu > cpus || (cpu !== 0 && cpu < 0.01)) {
		throw invalid(`Range of CPUs is from 0.01 to ${cpus}.00, as there are only ${cpus} CPUs available`);
	}
	if (period !== 0 && (period < 1000 || period > 1_000_000)) {
		throw invalid('CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)');
	}
	if (quota > 0 && quota < 1000) {
		throw invalid('CPU cfs quota can not be less than 1ms (i.e. 1000)');
	}
	if (shares < 0) {
		throw invalid('shares: invalid argument');
	}
	checkSet(resources.cpuset_cpus, cpuset, { kind: 'cpus', what: 'CPUs' });
	checkSet(resources.cpuset_mems, memoryNodes, { kind: 'mems', what: 'memory nodes' });
}

function checkSet(
	text = '',
	available: string,
	{ kind, what }: { readonly kind: string; readonly what: string },
): void {
	const wanted = parseSet(text);
	if (wanted === undefined) {
		throw invalid(`Invalid value ${text} for cpuset ${kind}: failed to parse`);
	}
	const there = parseSet(available) ?? new Set();
	if ([...wanted].some((number) => !there.has(number))) {
		throw invalid(`Requested ${what} are not available - requested ${text}, available: ${available}`);
	}
}

/** "0-2,4"; undefined when it cannot be read. */
export function parseSet(text: string): Set<number> | undefined {
	const numbers = new Set<number>();
	for (const part of text.split(',').filter((piece) => piece !== '')) {
		const [, first, last = first] = /^(\d{1,6})(?:-(\d{1,6}))?$/.exec(part) ?? [];
		const [from, to] = [Number(first), Number(last)];
		if (first === undefined || to < from || to >= MOST_IN_SET) {
			return undefined;
		}
		for (let number = from; number <= to; number++) {
			numbers.add(number);
		}
	}
	return numbers;
}

/** The runtime-spec's linux.resources, without its devices. */
export function runtimeResources(
	resources: ResourceConfig,
	{ canLimitSwap }: { readonly canLimitSwap: boolean },
): Readonly<Record<string, object>> {
	const { cpu, memory, pids } = resources;
	const swap = swapLimit(resources);
	const memoryMembers = {
		...(memory > 0 ? { limit: memory } : {}),
		...(swap !== 0 && canLimitSwap ? { swap } : {}),
		...given('reservation', resources.memory_reservation),
		...(resources.memory_swappiness === undefined ? {} : { swappiness: resources.memory_swappiness }),
		...(resources.oom_kill_disable === undefined ? {} : { disableOOMKiller: resources.oom_kill_disable }),
	};
	const cpuMembers = {
		...given('shares', resources.cpu_shares),
		...given('cpus', resources.cpuset_cpus),
		...given('mems', resources.cpuset_mems),
		...(cpu > 0 ? { quota: Math.round(cpu * CPU_PERIOD), period: CPU_PERIOD } : {}),
		...given('quota', resources.cpu_quota),
		...given('period', resources.cpu_period),
	};
	return Object.fromEntries(
		Object.entries({
			memory: memoryMembers,
			cpu: cpuMembers,
			pids: pids > 0 ? { limit: pids } : {},
			blockIO: given('weight', resources.blkio_weight),
		}).filter(([, members]) => Object.keys(members).length > 0),
	);
}

/** Bytes of memory and swap together; 0 is nothing said, -1 no limit. */
export function swapLimit({ memory, memory_swap }: Pick<ResourceConfig, 'memory' | 'memory_swap'>): number {
	return memory_swap ?? memory * 2;
}

function given<T extends string | number>(name: string, value: T | undefined): Record<string, T> {
	return value === undefined || value === 0 || value === '' ? {} : { [name]: value };
}

function invalid(message: string): EngineError {
	return new EngineError('invalid', message);
}
