/**
 * Docker's default seccomp profile as compact data of our own: what is not named here fails with EPERM. `x{,32}` stands
 * for "x" and "x32". Compared with a profile captured from dockerd 20.10.24, io_uring is left out as docker does since
 * 25.0, and the AF_VSOCK rule of newer versions is in.
 */
const ALWAYS = `
	accept{,4} access adjtimex alarm bind brk capget capset chdir chmod chown{,32} clock_adjtime{,64}
	clock_getres{,_time64} clock_gettime{,64} clock_nanosleep{,_time64} close{,_range} connect copy_file_range creat
	dup{,2,3} epoll_create{,1} epoll_ctl{,_old} epoll_pwait{,2} epoll_wait{,_old} eventfd{,2} execve{,at} exit{,_group}
	faccessat{,2} fadvise64{,_64} fallocate fanotify_mark fchdir fchmod fchmodat{,2} fchown{,32} fchownat fcntl{,64}
	fdatasync fgetxattr flistxattr flock fork fremovexattr fsetxattr fstat{,64} fstatat64 fstatfs{,64} fsync
	ftruncate{,64} futex{,_time64,_waitv,_requeue,_wait,_wake} futimesat
	get{cpu,cwd,dents,dents64,egid,egid32,euid,euid32,gid,gid32,groups,groups32,itimer,peername,pgid,pgrp,pid,ppid}
	get{priority,random,resgid,resgid32,resuid,resuid32,rlimit,rusage,sid,sockname,sockopt,tid,timeofday,uid,uid32,xattr}
	get_robust_list get_thread_area inotify_add_watch inotify_init{,1} inotify_rm_watch io_cancel ioctl io_destroy
	io_getevents io_pgetevents{,_time64} ioprio_get ioprio_set io_setup io_submit ipc kill
	landlock_{add_rule,create_ruleset,restrict_self} lchown{,32} lgetxattr link{,at} listen listxattr llistxattr _llseek
	lremovexattr lseek lsetxattr lstat{,64} madvise map_shadow_stack membarrier memfd_{create,secret} mincore mkdir{,at}
	mknod{,at} mlock{,2,all} mmap{,2} mprotect mq_{getsetattr,notify,open,unlink} mq_timedreceive{,_time64}
	mq_timedsend{,_time64} mremap mseal msg{ctl,get,rcv,snd} msync munlock{,all} munmap name_to_handle_at nanosleep
	newfstatat _newselect open{,at,at2} pause pidfd_{open,send_signal} pipe{,2} pkey_{alloc,free,mprotect} poll
	ppoll{,_time64} prctl pread64 preadv{,2} prlimit64 process_mrelease pselect6{,_time64} pwrite64 pwritev{,2} read
	readahead readlink{,at} readv recv recvfrom recvmmsg{,_time64} recvmsg remap_file_pages removexattr
	rename{,at,at2} restart_syscall rmdir rseq rt_sig{action,pending,procmask,queueinfo,return,suspend}
	rt_sigtimedwait{,_time64} rt_tgsigqueueinfo sched_get{affinity,attr,param,_priority_max,_priority_min,scheduler}
	sched_rr_get_interval{,_time64} sched_set{affinity,attr,param,scheduler} sched_yield seccomp select
	sem{ctl,get,op} semtimedop{,_time64} send sendfile{,64} sendmmsg sendmsg sendto
	set{fsgid,fsgid32,fsuid,fsuid32,gid,gid32,groups,groups32,itimer,pgid,priority,regid,regid32,resgid,resgid32}
	set{resuid,resuid32,reuid,reuid32,rlimit,sid,sockopt,uid,uid32,xattr} set_robust_list set_thread_area
	set_tid_address shm{at,ctl,dt,get} shutdown sigaltstack signalfd{,4} sigprocmask sigreturn socketcall
	socketpair splice stat{,64} statfs{,64} statx symlink{,at} sync sync_file_range syncfs sysinfo tee tgkill time
	timer_{create,delete,getoverrun} timer_gettime{,64} timer_settime{,64} timerfd_create timerfd_gettime{,64}
	timerfd_settime{,64} times tkill truncate{,64} ugetrlimit umask uname unlink{,at} utime utimensat{,_time64} utimes
	vfork vmsplice wait4 waitid waitpid write writev process_vm_{readv,writev} ptrace`;

const BY_CAPABILITY: Readonly<Record<string, string>> = {
	CAP_DAC_READ_SEARCH: 'open_by_handle_at',
	CAP_SYS_ADMIN: `bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie mount{,_setattr}
		move_mount open_tree perf_event_open quotactl{,_fd} setdomainname sethostname setns syslog umount{,2} unshare`,
	CAP_SYS_BOOT: 'reboot',
	CAP_SYS_CHROOT: 'chroot',
	CAP_SYS_MODULE: 'delete_module init_module finit_module',
	CAP_SYS_PACCT: 'acct',
	CAP_SYS_PTRACE: 'kcmp pidfd_getfd process_madvise',
	CAP_SYS_RAWIO: 'iopl ioperm',
	CAP_SYS_TIME: 'settimeofday stime clock_settime{,64}',
	CAP_SYS_TTY_CONFIG: 'vhangup',
	CAP_SYS_NICE: 'get_mempolicy mbind set_mempolicy set_mempolicy_home_node',
	CAP_SYSLOG: 'syslog',
	CAP_BPF: 'bpf',
	CAP_PERFMON: 'perf_event_open',
};

const BY_ARCHITECTURE: Readonly<Record<string, { readonly scmp: readonly string[]; readonly names: string }>> = {
	x64: { scmp: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86', 'SCMP_ARCH_X32'], names: 'arch_prctl modify_ldt' },
	arm64: {
		scmp: ['SCMP_ARCH_AARCH64', 'SCMP_ARCH_ARM'],
		names: 'arm_fadvise64_64 arm_sync_file_range sync_file_range2 breakpoint cacheflush set_tls',
	},
	riscv64: { scmp: ['SCMP_ARCH_RISCV64'], names: 'riscv_flush_icache' },
	ppc64: { scmp: ['SCMP_ARCH_PPC64LE'], names: 'sync_file_range2 swapcontext' },
	s390x: {
		scmp: ['SCMP_ARCH_S390X', 'SCMP_ARCH_S390'],
		names: 's390_pci_mmio_read s390_pci_mmio_write s390_runtime_instr',
	},
};

/** personality(2) values that only choose PER_LINUX, PER_LINUX32, UNAME26 or ask for the present one. */
const PERSONALITIES = [0, 8, 0x20000, 0x20008, 0xffffffff];

/** CLONE_NEW* for mount, cgroup, uts, ipc, user, pid and network namespaces. */
const CLONE_NAMESPACES = 0x7e020000;

const AF_VSOCK = 40;
const EPERM = 1;
const ENOSYS = 38;

/** runtime-spec, config-linux: seccomp. */
export interface Seccomp {
	readonly defaultAction: string;
	readonly defaultErrnoRet: number;
	readonly architectures: readonly string[];
	readonly syscalls: readonly SeccompRule[];
}

export interface SeccompRule {
	readonly names: readonly string[];
	readonly action: 'SCMP_ACT_ALLOW' | 'SCMP_ACT_ERRNO';
	readonly errnoRet?: number;
	readonly args?: readonly { readonly index: number; readonly value: number; readonly op: string }[];
}

/** The default profile for a container with these capabilities ("CAP_…") on this processor (process.arch). */
export function defaultSeccomp(capabilities: readonly string[], architecture: string = process.arch): Seccomp {
	const native = BY_ARCHITECTURE[architecture];
	const granted = capabilities.flatMap((capability) => expand(BY_CAPABILITY[capability] ?? ''));
	return {
		defaultAction: 'SCMP_ACT_ERRNO',
		defaultErrnoRet: EPERM,
		architectures: native?.scmp ?? [],
		syscalls: [
			{
				names: [...new Set([...expand(ALWAYS), ...expand(native?.names ?? ''), ...granted])],
				action: 'SCMP_ACT_ALLOW',
			},
			allowWhen('socket', 0, AF_VSOCK, 'SCMP_CMP_NE'),
			...PERSONALITIES.map((value) => allowWhen('personality', 0, value, 'SCMP_CMP_EQ')),
			...(capabilities.includes('CAP_SYS_ADMIN') ? [] : cloneWithoutNamespaces(architecture)),
		],
	};
}

/** clone may not make namespaces. clone3 hides its flags in memory: "not there" makes the C library fall back to clone. */
function cloneWithoutNamespaces(architecture: string): SeccompRule[] {
	// s390 passes the flags as the second argument.
	const flags = architecture === 's390x' ? 1 : 0;
	return [
		allowWhen('clone', flags, CLONE_NAMESPACES, 'SCMP_CMP_MASKED_EQ'),
		{ names: ['clone3'], action: 'SCMP_ACT_ERRNO', errnoRet: ENOSYS },
	];
}

function allowWhen(name: string, index: number, value: number, op: string): SeccompRule {
	return { names: [name], action: 'SCMP_ACT_ALLOW', args: [{ index, value, op }] };
}

function expand(text: string): string[] {
	return text
		.split(/\s+/)
		.filter((word) => word !== '')
		.flatMap((word) => {
			const braces = /^(.*)\{(.*)\}$/.exec(word);
			return braces === null ? [word] : (braces[2] ?? '').split(',').map((end) => `${braces[1] ?? ''}${end}`);
		});
}
