import * as assert from 'node:assert/strict';
import {
	groupFolders,
	parseVersion1,
	parseVersion2,
	type ReadGroupFile,
} from '../../../src/core/container/cgroup-stats';
import {
	containerStats,
	parseNetworkDevices,
	parseSystemTimes,
	sampleStats,
	type StatsSample,
} from '../../../src/core/container/stats';
import { container } from '../api/records';

const ID = 'c'.repeat(64);

function reader(files: Readonly<Record<string, string>>): ReadGroupFile {
	return (controller, file) => files[controller === '' ? file : `${controller}/${file}`];
}

/** Read on Linux 6.18 with cgroup version 1 and a busy container of --memory 50m --pids-limit 20. */
const VERSION_1 = {
	'cpuacct/cpuacct.usage': '2102024171\n',
	'cpuacct/cpuacct.stat': 'user 38\nsystem 171\n',
	'cpuacct/cpuacct.usage_percpu': '1047232699 1055562207 \n',
	'cpu/cpu.stat': 'nr_periods 7\nnr_throttled 3\nthrottled_time 1234\nnr_bursts 0\nburst_time 0\n',
	'memory/memory.usage_in_bytes': '917504\n',
	'memory/memory.max_usage_in_bytes': '3821568\n',
	'memory/memory.limit_in_bytes': '52428800\n',
	'memory/memory.failcnt': '2\n',
	'memory/memory.stat': 'cache 4096\nrss 114688\ntotal_inactive_file 17504\n',
	'pids/pids.current': '2\n',
	'pids/pids.max': '20\n',
	'blkio/blkio.throttle.io_service_bytes_recursive':
		'8:0 Read 4096\n8:0 Write 8192\n8:0 Sync 0\n8:0 Async 12288\n8:0 Discard 0\n8:0 Total 12288\nTotal 12288\n',
	'blkio/blkio.throttle.io_serviced_recursive': 'Total 0\n',
};

/** In the form of the kernel's admin-guide/cgroup-v2: this project's machine has version 1 only. */
const VERSION_2 = {
	'cpu.stat':
		'usage_usec 154732\nuser_usec 54301\nsystem_usec 100431\nnr_periods 12\nnr_throttled 4\nthrottled_usec 98765\n',
	'memory.current': '3706880\n',
	'memory.max': '104857600\n',
	'memory.events': 'low 0\nhigh 0\nmax 5\noom 1\noom_kill 1\noom_group_kill 0\n',
	'memory.stat': 'anon 278528\nfile 2981888\ninactive_file 2703360\nactive_file 274432\npgfault 1583\n',
	'pids.current': '3\n',
	'pids.max': 'max\n',
	'io.stat':
		'254:0 rbytes=2973696 wbytes=4096 rios=86 wios=1 dbytes=0 dios=0\n8:16 rbytes=100 wbytes=200 rios=1 wios=2\n',
};

describe('container stats', () => {
	it('groups: the path ends at the container, whatever a program made below it', () => {
		const version1 = `4:memory:/mydocker/${ID}\n2:cpu,cpuacct:/mydocker/${ID}\n1:name=systemd:/\n0::/\n`;
		assert.deepEqual(
			[...groupFolders(version1, ID)],
			[
				['memory', `/mydocker/${ID}`],
				['cpu', `/mydocker/${ID}`],
				['cpuacct', `/mydocker/${ID}`],
			],
		);
		const version2 = `0::/user.slice/mydocker/${ID}/init.scope\n`;
		assert.deepEqual([...groupFolders(version2, ID)], [['', `/user.slice/mydocker/${ID}`]]);
		assert.deepEqual([...groupFolders(`0::/../../${ID}\n9:cpu:/somebody/else\n`, ID)], []);
	});

	it('version 1: is read from the controllers', () => {
		assert.deepEqual(parseVersion1(reader(VERSION_1)), {
			version: 1,
			cpu: {
				total: 2_102_024_171,
				kernel: 1_710_000_000,
				user: 380_000_000,
				perCpu: [1_047_232_699, 1_055_562_207],
				periods: 7,
				throttledPeriods: 3,
				throttledTime: 1234,
			},
			memory: {
				usage: 917_504,
				maxUsage: 3_821_568,
				limit: 52_428_800,
				failures: 2,
				stat: { cache: 4096, rss: 114_688, total_inactive_file: 17_504 },
			},
			pids: { current: 2, limit: 20 },
			blockIo: {
				serviceBytes: [
					{ major: 8, minor: 0, op: 'Read', value: 4096 },
					{ major: 8, minor: 0, op: 'Write', value: 8192 },
					{ major: 8, minor: 0, op: 'Sync', value: 0 },
					{ major: 8, minor: 0, op: 'Async', value: 12_288 },
					{ major: 8, minor: 0, op: 'Discard', value: 0 },
					{ major: 8, minor: 0, op: 'Total', value: 12_288 },
				],
				serviced: [],
			},
		});
	});

	it('version 2: is read from the one folder', () => {
		assert.deepEqual(parseVersion2(reader(VERSION_2)), {
			version: 2,
			cpu: {
				total: 154_732_000,
				kernel: 100_431_000,
				user: 54_301_000,
				periods: 12,
				throttledPeriods: 4,
				throttledTime: 98_765_000,
			},
			memory: {
				usage: 3_706_880,
				maxUsage: 0,
				limit: 104_857_600,
				failures: 1,
				stat: {
					anon: 278_528,
					file: 2_981_888,
					inactive_file: 2_703_360,
					active_file: 274_432,
					pgfault: 1583,
				},
			},
			pids: { current: 3, limit: Infinity },
			blockIo: {
				serviceBytes: [
					{ major: 254, minor: 0, op: 'read', value: 2_973_696 },
					{ major: 254, minor: 0, op: 'write', value: 4096 },
					{ major: 8, minor: 16, op: 'read', value: 100 },
					{ major: 8, minor: 16, op: 'write', value: 200 },
				],
				serviced: [
					{ major: 254, minor: 0, op: 'read', value: 86 },
					{ major: 254, minor: 0, op: 'write', value: 1 },
					{ major: 8, minor: 16, op: 'read', value: 1 },
					{ major: 8, minor: 16, op: 'write', value: 2 },
				],
			},
		});
	});

	it('a kernel without controllers: counts nothing, and has no limits', () => {
		const { memory, pids } = parseVersion2(() => undefined);
		assert.deepEqual([memory.usage, memory.limit, pids.limit], [0, Infinity, Infinity]);
		assert.equal(
			parseVersion1(reader({ 'memory/memory.limit_in_bytes': '9223372036854771712\n' })).memory.limit,
			Infinity,
		);
	});

	it('network devices: all but the loopback', () => {
		const text = [
			'Inter-|   Receive                                                |  Transmit',
			' face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed',
			'    lo:     100       2    0    0    0     0          0         0      100       2    0    0    0     0       0          0',
			'  eth0: 1000 11 1 2 0 0 0 3 2000 22 4 5 0 0 0 0',
			'',
		].join('\n');
		assert.deepEqual(parseNetworkDevices(text), {
			eth0: {
				...{ rx_bytes: 1000, rx_packets: 11, rx_errors: 1, rx_dropped: 2 },
				...{ tx_bytes: 2000, tx_packets: 22, tx_errors: 4, tx_dropped: 5 },
			},
		});
	});

	it('system times: user to softirq, and the processors that are there', () => {
		const text = 'cpu  1 2 3 4 5 6 7 100 100 100\ncpu0 1 2 3 4\ncpu3 0 0 0 0\nintr 5\n';
		assert.deepEqual(parseSystemTimes(text), { systemTime: 280_000_000, onlineCpus: 2 });
	});

	it("the seed's statistics: come from two samples", () => {
		const sample = (changes: Partial<StatsSample>): StatsSample => ({
			...parseVersion1(reader(VERSION_1)),
			time: 1_700_000_000_000_000_000n,
			systemTime: 10_000_000_000,
			onlineCpus: 2,
			machineMemory: 1,
			networks: parseNetworkDevices('eth0: 1000 1 0 0 0 0 0 0 2000 1 0 0 0 0 0 0\n'),
			...changes,
		});
		const before = sample({});
		const after = sample({
			systemTime: 12_000_000_000,
			cpu: { ...before.cpu, total: before.cpu.total + 500_000_000 },
		});
		assert.deepEqual(containerStats(before, after), {
			cpu_usage: 50,
			memory_usage: 900_000,
			network_io: { bytes_received: 1000, bytes_sent: 2000 },
			block_io: { bytes_read: 4096, bytes_written: 8192 },
			timestamp: '2023-11-14T22:13:20.000000000Z',
		});
		assert.equal(containerStats(after, after).cpu_usage, 0);
	});

	it('a container that does not run: has none', () => {
		assert.equal(sampleStats(container({})), undefined);
	});

	it('a process without a group of its own: is counted by its pid namespace', () => {
		const stats = sampleStats(
			container({ process: { pid: process.pid, start_time: '1', boot_id: 'x' }, status: 'running' }),
		);
		assert.ok(stats !== undefined);
		assert.ok(stats.cpu.total > 0 && stats.memory.usage > 1_000_000 && stats.pids.current >= 1);
	});
});
