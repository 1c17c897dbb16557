import * as fs from 'node:fs';
import { EngineError } from '../errors';

/** capabilities(7) in the order of their numbers. */
const ALL = (
	'CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE ' +
	'NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN ' +
	'SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE ' +
	'MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE'
).split(' ');

/** The fourteen that docker gives by default (bounding set a80425fb). */
const DEFAULT = (
	'CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP SETPCAP NET_BIND_SERVICE SYS_CHROOT KILL ' +
	'AUDIT_WRITE'
).split(' ');

export interface CapabilityOptions {
	readonly cap_add: readonly string[];
	readonly cap_drop: readonly string[];
	readonly privileged: boolean;
}

/**
 * The container's capabilities, "CAP_…", as docker computes them: privileged has all that this engine may give; ALL can
 * stand on either side; otherwise the defaults without the dropped and with the added.
 */
export function containerCapabilities(options: CapabilityOptions, available = availableCapabilities()): string[] {
	const add = options.cap_add.map((name) => normalize(name, 'CapAdd'));
	const drop = options.cap_drop.map((name) => normalize(name, 'CapDrop'));
	if (options.privileged) {
		return prefixed(available);
	}
	if (add.includes('ALL')) {
		return prefixed(available.filter((name) => !drop.includes(name)));
	}
	const kept = drop.includes('ALL') ? [] : DEFAULT.filter((name) => !drop.includes(name));
	return prefixed([...kept, ...add.filter((name) => !kept.includes(name))]);
}

function prefixed(names: readonly string[]): string[] {
	return names.map((name) => `CAP_${name}`);
}

function normalize(text: string, option: string): string {
	const name = text.toUpperCase().replace(/^CAP_/, '');
	if (name !== 'ALL' && !ALL.includes(name)) {
		throw new EngineError('invalid', `invalid ${option}: unknown capability: "CAP_${name}"`);
	}
	return name;
}

/** The engine's own bounding set: inside another container it is smaller than the kernel's whole list. */
function availableCapabilities(): string[] {
	const mask = BigInt(
		`0x${/^CapBnd:\s*([0-9a-f]+)$/m.exec(fs.readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0'}`,
	);
	return ALL.filter((_, number) => (mask >> BigInt(number)) & 1n);
}
