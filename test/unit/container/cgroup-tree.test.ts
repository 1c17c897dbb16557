import * as assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { CgroupTree } from '../../../src/core/container/cgroup-tree';

describe('control groups', () => {
	let at: string;

	beforeEach(() => {
		at = fs.mkdtempSync(path.join(os.tmpdir(), 'mydocker-cgroup-'));
	});

	afterEach(() => {
		fs.rmSync(at, { recursive: true, force: true });
	});

	const text = (file: string): string => fs.readFileSync(path.join(at, file), 'utf8');
	const limits = {
		memory: { limit: 1000, swap: 3000 },
		cpu: { quota: 150_000, period: 100_000, shares: 1024 },
		pids: { limit: 7 },
	};

	it('version 2: swap is counted alone, and shares become weights', () => {
		fs.writeFileSync(path.join(at, 'cgroup.controllers'), 'cpu memory pids\n');
		const tree = new CgroupTree(at);
		assert.deepEqual(tree.make('/mydocker/a', limits), [path.join(at, 'mydocker/a')]);
		const files = ['memory.max', 'memory.swap.max', 'cpu.max', 'cpu.weight', 'pids.max'];
		assert.deepEqual(
			files.map((name) => text(`mydocker/a/${name}`)),
			['1000', '2000', '150000 100000', '39', '7'],
		);
		assert.equal(tree.setFrozen('/mydocker/a', true), false);
	});

	it('version 1: each controller has its tree, and a new cpuset its parent’s processors', () => {
		for (const name of ['memory', 'cpu', 'cpuset', 'pids', 'freezer']) {
			fs.mkdirSync(path.join(at, name));
		}
		for (const name of ['cpuset.cpus', 'cpuset.mems']) {
			fs.writeFileSync(path.join(at, 'cpuset', name), '0\n');
		}
		const tree = new CgroupTree(at);
		assert.equal(tree.make('/mydocker/a', limits).length, 5);
		assert.equal(text('memory/mydocker/a/memory.memsw.limit_in_bytes'), '3000');
		assert.equal(text('cpu/mydocker/a/cpu.cfs_quota_us'), '150000');
		assert.equal(text('cpuset/mydocker/a/cpuset.cpus'), '0');
	});

	it('frozen is what says so, not what was asked to be', () => {
		const group = path.join(at, 'mydocker/a');
		fs.mkdirSync(group, { recursive: true });
		fs.writeFileSync(path.join(at, 'cgroup.controllers'), '');
		fs.writeFileSync(path.join(group, 'cgroup.freeze'), '0');
		fs.writeFileSync(path.join(group, 'cgroup.events'), 'populated 1\nfrozen 0\n');
		const tree = new CgroupTree(at);
		assert.equal(tree.setFrozen('/mydocker/a', true), true);
		assert.equal(tree.isFrozen('/mydocker/a'), false);
		fs.writeFileSync(path.join(group, 'cgroup.events'), 'populated 1\nfrozen 1\n');
		assert.equal(tree.isFrozen('/mydocker/a'), true);
	});

	it('a limit that the kernel refuses: is told with its file', () => {
		assert.throws(() => {
			new CgroupTree(at).apply('/none', { pids: { limit: 1 } });
		}, /^EngineError: Cannot write "1" to .*pids\.max/);
	});
});
