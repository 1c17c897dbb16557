import assert from 'node:assert/strict';
import { defaultSeccomp, type Seccomp } from '../../../src/core/container/seccomp';

function rules(profile: Seccomp, name: string): unknown[] {
	const found = profile.syscalls.filter(({ names }) => names.includes(name));
	return found.map((rule) => Object.fromEntries(Object.entries(rule).filter(([key]) => key !== 'names')));
}

const ALLOWED = [{ action: 'SCMP_ACT_ALLOW' }];

describe('seccomp profile', () => {
	it('by default: refuses with EPERM, for all ABIs of the processor', () => {
		const { syscalls, ...rest } = defaultSeccomp([], 'x64');
		assert.ok(syscalls.length > 0);
		assert.deepEqual(rest, {
			defaultAction: 'SCMP_ACT_ERRNO',
			defaultErrnoRet: 1,
			architectures: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86', 'SCMP_ARCH_X32'],
		});
	});

	const cases: readonly (readonly [string, readonly string[], readonly string[]])[] = [
		[
			'no capability',
			[],
			['read', 'openat2', 'futex_time64', 'faccessat2', 'clone', 'ptrace', 'landlock_restrict_self'],
		],
		[
			'CAP_SYS_ADMIN',
			['CAP_SYS_ADMIN'],
			['mount', 'umount2', 'setns', 'unshare', 'bpf', 'clone3', 'mount_setattr'],
		],
		['CAP_SYS_CHROOT', ['CAP_SYS_CHROOT'], ['chroot']],
		['CAP_SYS_MODULE', ['CAP_SYS_MODULE'], ['init_module', 'finit_module', 'delete_module']],
		['CAP_SYS_TIME', ['CAP_SYS_TIME'], ['settimeofday', 'clock_settime64']],
		['CAP_SYS_NICE', ['CAP_SYS_NICE'], ['mbind', 'set_mempolicy']],
		['CAP_DAC_READ_SEARCH', ['CAP_DAC_READ_SEARCH'], ['open_by_handle_at']],
		['CAP_BPF', ['CAP_BPF'], ['bpf']],
	];
	for (const [title, capabilities, names] of cases) {
		it(`${title}: allows ${names.join(', ')}`, () => {
			const profile = defaultSeccomp(capabilities, 'x64');
			const without = defaultSeccomp([], 'x64');
			for (const name of names) {
				assert.equal(rules(profile, name).length > 0, true, name);
				assert.equal(
					capabilities.length > 0 &&
						rules(without, name).some((rule) => JSON.stringify(rule) === JSON.stringify(ALLOWED[0])),
					false,
					name,
				);
			}
		});
	}

	it('never allows what no capability stands for', () => {
		const profile = defaultSeccomp(['CAP_SYS_ADMIN', 'CAP_SYS_MODULE'], 'x64');
		for (const name of [
			'kexec_load',
			'add_key',
			'keyctl',
			'request_key',
			'swapon',
			'userfaultfd',
			'io_uring_setup',
			'pivot_root',
		]) {
			assert.deepEqual(rules(profile, name), [], name);
		}
	});

	it('clone without CAP_SYS_ADMIN: makes no namespaces; clone3 says that it is not there', () => {
		const profile = defaultSeccomp([], 'x64');
		assert.deepEqual(rules(profile, 'clone'), [
			{ action: 'SCMP_ACT_ALLOW', args: [{ index: 0, value: 0x7e020000, op: 'SCMP_CMP_MASKED_EQ' }] },
		]);
		assert.deepEqual(rules(profile, 'clone3'), [{ action: 'SCMP_ACT_ERRNO', errnoRet: 38 }]);
	});

	it('clone with CAP_SYS_ADMIN: is free', () => {
		const profile = defaultSeccomp(['CAP_SYS_ADMIN'], 'x64');
		assert.deepEqual([rules(profile, 'clone'), rules(profile, 'clone3')], [ALLOWED, ALLOWED]);
	});

	it('socket: anything but AF_VSOCK', () => {
		assert.deepEqual(rules(defaultSeccomp([], 'x64'), 'socket'), [
			{ action: 'SCMP_ACT_ALLOW', args: [{ index: 0, value: 40, op: 'SCMP_CMP_NE' }] },
		]);
	});

	it('architecture: adds its own calls', () => {
		assert.deepEqual(rules(defaultSeccomp([], 'x64'), 'arch_prctl'), ALLOWED);
		assert.deepEqual(rules(defaultSeccomp([], 'arm64'), 'arch_prctl'), []);
		assert.deepEqual(rules(defaultSeccomp([], 'arm64'), 'cacheflush'), ALLOWED);
	});

	it('names: are plain and not repeated', () => {
		const [first] = defaultSeccomp(['CAP_SYS_ADMIN', 'CAP_BPF'], 'x64').syscalls;
		assert.equal(new Set(first?.names).size, first?.names.length);
		assert.ok(first?.names.every((name) => /^[a-z0-9_]+$/.test(name)));
	});
});
