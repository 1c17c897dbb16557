import * as assert from 'node:assert/strict';
import { checkUlimit } from '../../../src/core/container/isolation';
import { checkResources, parseSet, runtimeResources, type LimitFacts } from '../../../src/core/container/limits';
import { parseSeccompProfile } from '../../../src/core/container/seccomp-profile';

const NONE = { cpu: 0, memory: 0, pids: 0 };
const MEBIBYTE = 1024 * 1024;

function facts(can: boolean): LimitFacts {
	return {
		...{ cgroupVersion: 1, cpus: 4, cpuset: '0-3', memoryNodes: '0' },
		can: {
			...{ memory: can, swap: can, swappiness: can, reservation: can, oomKillDisable: can, shares: can },
			...{ cfs: can, cpuset: can, pids: can, blkioWeight: can },
		},
	};
}

describe('limits', () => {
	it('a set of processors: is read with limits of its own', () => {
		assert.deepEqual([...(parseSet('0-2,4') ?? [])], [0, 1, 2, 4]);
		assert.deepEqual([...(parseSet('') ?? [1])], []);
		for (const bad of ['x', '2-1', '0-1000000000', '-1', '1-', '0-99999']) {
			assert.equal(parseSet(bad), undefined, bad);
		}
	});

	it('what the kernel cannot do: is left out, each with a sentence', () => {
		const warnings: string[] = [];
		const asked = {
			...{ cpu: 0, memory: 64 * MEBIBYTE, pids: 5, cpu_shares: 5, cpu_quota: 5000, cpuset_cpus: '0' },
			...{ memory_reservation: 32 * MEBIBYTE, memory_swappiness: 5, oom_kill_disable: true, blkio_weight: 100 },
		};
		assert.deepEqual(checkResources(asked, facts(false), warnings), NONE);
		assert.deepEqual(warnings.length, 9);
		assert.ok(warnings.every((warning) => /^Your kernel does not support .*discarded\.$/.test(warning)));
		assert.deepEqual(checkResources(asked, facts(true), warnings), asked);
		assert.equal(warnings.length, 9);
	});

	it("for the runtime: only what was said, in the runtime-spec's words", () => {
		assert.deepEqual(runtimeResources(NONE, { canLimitSwap: true }), {});
		assert.deepEqual(runtimeResources({ ...NONE, cpu: 1.5, memory: 10, pids: 7 }, { canLimitSwap: true }), {
			memory: { limit: 10, swap: 20 },
			cpu: { quota: 150_000, period: 100_000 },
			pids: { limit: 7 },
		});
		const swapless = runtimeResources({ ...NONE, memory: 10, memory_swap: -1 }, { canLimitSwap: false });
		assert.deepEqual(swapless, { memory: { limit: 10 } });
	});

	it('a ulimit: is never above what the machine allows, and the error names it', () => {
		const machine = { hardLimit: () => 1000, mostFiles: 500 };
		const nofile = (soft: number, hard: number) => () => {
			checkUlimit({ name: 'nofile', soft, hard }, machine);
		};
		nofile(100, 500)();
		assert.throws(nofile(100, 501), /Cannot set ulimit "nofile" to 501: the hard limit of this machine is 500/);
		assert.throws(nofile(100, -1), /Cannot set ulimit "nofile" to -1/);
		assert.throws(nofile(200, 100), /soft limit must be less than or equal to hard limit: 200 > 100/);
		assert.throws(() => {
			checkUlimit({ name: 'nosuch', soft: 1, hard: 1 }, machine);
		}, /invalid ulimit type: nosuch/);
		checkUlimit({ name: 'core', soft: -1, hard: -1 }, { hardLimit: () => Infinity, mostFiles: 500 });
	});

	it("a seccomp profile: becomes the runtime-spec's, with the rules that hold here", () => {
		const profile = {
			defaultAction: 'SCMP_ACT_ERRNO',
			archMap: [{ architecture: 'SCMP_ARCH_NOSUCH', subArchitectures: ['SCMP_ARCH_X86'] }],
			syscalls: [
				{ names: ['read'], action: 'SCMP_ACT_ALLOW', args: null },
				{ name: 'write', action: 'SCMP_ACT_ALLOW' },
				{ names: ['mount'], action: 'SCMP_ACT_ALLOW', includes: { caps: ['CAP_SYS_ADMIN'] } },
				{ names: ['ptrace'], action: 'SCMP_ACT_ALLOW', includes: { minKernel: '4.8' } },
				{ names: ['new'], action: 'SCMP_ACT_ALLOW', includes: { minKernel: '999.0' } },
				{ names: ['clone'], action: 'SCMP_ACT_ALLOW', excludes: { caps: ['CAP_CHOWN'] } },
				{ names: ['other'], action: 'SCMP_ACT_ALLOW', includes: { arches: ['nosuch'] } },
			],
		};
		assert.deepEqual(parseSeccompProfile(JSON.stringify(profile), ['CAP_CHOWN']), {
			defaultAction: 'SCMP_ACT_ERRNO',
			architectures: [],
			syscalls: ['read', 'write', 'ptrace'].map((name) => ({ names: [name], action: 'SCMP_ACT_ALLOW' })),
		});
		assert.throws(() => parseSeccompProfile('{', []), /Decoding seccomp profile failed/);
		assert.throws(() => parseSeccompProfile('{"syscalls":5}', []), /Decoding seccomp profile failed/);
	});
});
