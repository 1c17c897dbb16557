import * as fs from 'node:fs';
import * as os from 'node:os';
import { systemCode } from '../errors';
import { nowNanoseconds, rfc3339 } from '../events';
import type { Container } from '../types';
import { readCgroupStats, type CgroupStats } from './cgroup-stats';

/** The seed's ContainerStats: what a container uses at one moment. */
export interface ContainerStats {
	/** Per cent of one processor: 150 is one and a half. */
	readonly cpu_usage: number;
	/** Bytes, without file cache that the kernel would give up first: docker's number. */
	readonly memory_usage: number;
	readonly network_io: { readonly bytes_received: number; readonly bytes_sent: number };
	readonly block_io: { readonly bytes_read: number; readonly bytes_written: number };
	/** RFC 3339 */
	readonly timestamp: string;
}

/** All counters of a running container, read at one moment from the kernel's files; no program is run for it. */
export interface StatsSample extends CgroupStats {
	/** Unix nanoseconds. */
	readonly time: bigint;
	/** Processor time of the whole machine, nanoseconds. */
	readonly systemTime: number;
	readonly onlineCpus: number;
	/** Bytes. */
	readonly machineMemory: number;
	/** By interface; none when the container shares the host's network. */
	readonly networks: Readonly<Record<string, NetworkCounters>>;
}

/** Docker's names. */
export interface NetworkCounters {
	readonly rx_bytes: number;
	readonly rx_packets: number;
	readonly rx_errors: number;
	readonly rx_dropped: number;
	readonly tx_bytes: number;
	readonly tx_packets: number;
	readonly tx_errors: number;
	readonly tx_dropped: number;
}

const NANOSECONDS_PER_TICK = 10_000_000;

/** Reads all counters; undefined when the container does not run. */
export function sampleStats({ id, process, config }: Container): StatsSample | undefined {
	if (process === null) {
		return undefined;
	}
	const { pid } = process;
	const time = nowNanoseconds();
	const counted = readCgroupStats(id, pid) ?? readProcessStats(pid);
	const devices = config.network.mode === 'host' ? '' : readProc(`${pid}/net/dev`);
	if (counted === undefined || devices === undefined) {
		return undefined;
	}
	return {
		...counted,
		time,
		...parseSystemTimes(readProc('stat') ?? ''),
		machineMemory: os.totalmem(),
		networks: parseNetworkDevices(devices),
	};
}

/** What the container used between two samples. */
export function containerStats(previous: StatsSample, current: StatsSample): ContainerStats {
	const own = current.cpu.total - previous.cpu.total;
	const system = current.systemTime - previous.systemTime;
	const devices = Object.values(current.networks);
	return {
		cpu_usage: own > 0 && system > 0 ? (own / system) * current.onlineCpus * 100 : 0,
		memory_usage: memoryInUse(current),
		network_io: {
			bytes_received: sum(devices.map((device) => device.rx_bytes)),
			bytes_sent: sum(devices.map((device) => device.tx_bytes)),
		},
		block_io: { bytes_read: bytesOf(current, 'read'), bytes_written: bytesOf(current, 'write') },
		timestamp: rfc3339(current.time),
	};
}

function memoryInUse({ version, memory }: StatsSample): number {
	const cache = memory.stat[version === 1 ? 'total_inactive_file' : 'inactive_file'] ?? 0;
	return cache < memory.usage ? memory.usage - cache : memory.usage;
}

function bytesOf({ blockIo }: StatsSample, operation: string): number {
	return sum(blockIo.serviceBytes.filter(({ op }) => op.toLowerCase() === operation).map(({ value }) => value));
}

function sum(numbers: readonly number[]): number {
	return numbers.reduce((total, number) => total + number, 0);
}

/** proc(5), /proc/stat: the machine's times as docker adds them up, user to softirq, and the processors that are there. */
export function parseSystemTimes(text: string): { readonly systemTime: number; readonly onlineCpus: number } {
	const ticks = /^cpu +(.*)$/m.exec(text)?.[1]?.split(' ').slice(0, 7).map(Number) ?? [];
	return {
		systemTime: sum(ticks) * NANOSECONDS_PER_TICK,
		onlineCpus: text.match(/^cpu\d+ /gm)?.length ?? 0,
	};
}

/** proc(5), /proc/net/dev: eight counters received, eight sent. The loopback device is left out, as docker does. */
export function parseNetworkDevices(text: string): Record<string, NetworkCounters> {
	const devices: Record<string, NetworkCounters> = {};
	for (const [, name = '', rest = ''] of text.matchAll(/^ *([^\s:]+): *(\d.*)$/gm)) {
		const [rxBytes, rxPackets, rxErrors, rxDropped, , , , , txBytes, txPackets, txErrors, txDropped] = rest
			.split(/ +/)
			.map(Number);
		if (name !== 'lo') {
			devices[name] = {
				rx_bytes: rxBytes ?? 0,
				rx_packets: rxPackets ?? 0,
				rx_errors: rxErrors ?? 0,
				rx_dropped: rxDropped ?? 0,
				tx_bytes: txBytes ?? 0,
				tx_packets: txPackets ?? 0,
				tx_errors: txErrors ?? 0,
				tx_dropped: txDropped ?? 0,
			};
		}
	}
	return devices;
}

/**
 * Where a container has no control group of its own: the sum over the processes of its pid namespace. What ended
 * processes used is known only as far as the first process waited for them.
 */
function readProcessStats(pid: number): CgroupStats | undefined {
	const namespace = readNamespace(pid);
	if (namespace === undefined) {
		return undefined;
	}
	const members = fs.readdirSync('/proc').filter((name) => /^\d+$/.test(name) && readNamespace(name) === namespace);
	const stats = members.map((member) => parseProcess(readProc(`${member}/stat`) ?? '', member === String(pid)));
	const of = (name: keyof ReturnType<typeof parseProcess>): number => sum(stats.map((process) => process[name]));
	const [user, kernel] = [of('user') * NANOSECONDS_PER_TICK, of('kernel') * NANOSECONDS_PER_TICK];
	return {
		version: 2,
		cpu: { total: user + kernel, kernel, user, periods: 0, throttledPeriods: 0, throttledTime: 0 },
		memory: { usage: of('pages') * PAGE_SIZE, maxUsage: 0, limit: Infinity, failures: 0, stat: {} },
		pids: { current: of('threads'), limit: Infinity },
		blockIo: { serviceBytes: [], serviced: [] },
	};
}

/** Of every architecture that VS Code runs on, but for some arm64 kernels with larger ones. */
const PAGE_SIZE = 4096;

/** proc(5), /proc/<pid>/stat, with the times of children that the first process has waited for. */
function parseProcess(stat: string, isFirst: boolean) {
	const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
	const number = (field: number): number => Number(fields[field - 3] ?? 0) || 0;
	return {
		user: number(14) + (isFirst ? number(16) : 0),
		kernel: number(15) + (isFirst ? number(17) : 0),
		threads: number(20),
		pages: number(24),
	};
}

function readNamespace(pid: string | number): string | undefined {
	return ignoreGone(() => fs.readlinkSync(`/proc/${pid}/ns/pid`));
}

function readProc(file: string): string | undefined {
	return ignoreGone(() => fs.readFileSync(`/proc/${file}`, 'utf8'));
}

function ignoreGone<T>(read: () => T): T | undefined {
	try {
		return read();
	} catch (error) {
		const code = systemCode(error);
		if (code === 'ENOENT' || code === 'ESRCH' || code === 'EACCES' || code === 'EINVAL') {
			return undefined;
		}
		throw error;
	}
}
