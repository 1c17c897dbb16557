import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { cgroupPath, groupAbove, wasOomKilled } from '../../../src/core/container/cgroup';
import { isFrozen } from '../../../src/core/container/pause';

describe('what control groups tell', () => {
	let mountPoint: string;

	beforeEach(() => {
		mountPoint = fs.mkdtempSync(path.join(os.tmpdir(), 'mydocker-cgroup-'));
	});

	afterEach(() => {
		fs.rmSync(mountPoint, { recursive: true });
	});

	function write(name: string, text: string): void {
		fs.mkdirSync(path.dirname(path.join(mountPoint, name)), { recursive: true });
		fs.writeFileSync(path.join(mountPoint, name), text);
	}

	it('a kill for lack of memory, version 1: is counted in memory.oom_control', () => {
		write('memory/mydocker/a/memory.oom_control', 'oom_kill_disable 0\nunder_oom 0\noom_kill 2\n');
		write('memory/mydocker/b/memory.oom_control', 'oom_kill_disable 0\nunder_oom 0\noom_kill 0\n');
		assert.deepEqual(
			['a', 'b', 'gone'].map((id) => wasOomKilled(id, mountPoint)),
			[true, false, false],
		);
	});

	it('a kill for lack of memory, version 2: is counted in memory.events', () => {
		write('cgroup.controllers', 'cpu memory pids\n');
		write('mydocker/a/memory.events', 'low 0\nhigh 0\nmax 8\noom 1\noom_kill 1\noom_group_kill 0\n');
		write('mydocker/b/memory.events', 'low 0\nhigh 0\nmax 8\noom 0\noom_kill 0\noom_group_kill 0\n');
		assert.deepEqual(
			['a', 'b', 'gone'].map((id) => wasOomKilled(id, mountPoint)),
			[true, false, false],
		);
	});

	it('frozen, version 1: is told by the freezer, also below another parent', () => {
		write('freezer/mydocker/a/freezer.state', 'FROZEN\n');
		write('freezer/other/a/freezer.state', 'THAWED\n');
		write('freezer/other/b/freezer.state', 'FREEZING\n');
		const told = [isFrozen('a', undefined, mountPoint), isFrozen('a', '/other', mountPoint)];
		assert.deepEqual([...told, isFrozen('b', 'other', mountPoint)], [true, false, true]);
	});

	it('frozen, version 2: is told by cgroup.freeze, also below another parent', () => {
		write('cgroup.controllers', 'cpu memory pids\n');
		write('mydocker/a/cgroup.freeze', '0\n');
		write('other/a/cgroup.freeze', '1\n');
		const told = [isFrozen('a', undefined, mountPoint), isFrozen('a', '/other', mountPoint)];
		assert.deepEqual([...told, isFrozen('gone', '/other', mountPoint)], [false, true, false]);
	});
});

describe('groups that systemd has delegated to an ordinary user', () => {
	const scope = '/user.slice/user-1000.slice/user@1000.service/app.slice/mydocker-0123456789ab.scope';

	it('an engine in its place: makes the groups of containers beside it', () => {
		assert.equal(groupAbove(`0::${scope}/mydocker-engine\n`), scope);
		assert.equal(cgroupPath('a', '', scope), `${scope}/mydocker/a`);
		assert.equal(cgroupPath('a', '/other', scope), `${scope}/other/a`);
	});

	it('an engine anywhere else: has none', () => {
		const others = [
			`0::${scope}\n`,
			'0::/user.slice/user-1000.slice/session-3.scope\n',
			'12:pids:/a.scope/mydocker-engine\n0::/\n',
			'0::/../a.scope/mydocker-engine\n',
		];
		assert.deepEqual(
			others.map((membership) => groupAbove(membership)),
			[undefined, undefined, undefined, undefined],
		);
	});
});
