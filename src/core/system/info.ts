import * as fs from 'node:fs';
import * as os from 'node:os';
import { EngineError } from '../errors';
import type { NetworkFacts } from '../network/firewall';
import { hasUnified, limitsProblem } from '../container/cgroup';
import { CONSOLE_PROBLEM, hasConsoles } from '../container/console';
import { MINIMAL_PROBLEM } from '../container/minimal-runtime';
import type { RuntimeInfo } from '../container/runtime';
import type { Runtimes } from '../container/runtimes';
import { machine } from '../container/spec';
import type { Storage } from '../storage/storage';
import type { RootlessFacts } from './doctor';

/** What GET /info and /version tell of machine and engine; does not change while the engine runs. */
export interface EngineFacts {
	readonly hostname: string;
	readonly kernelVersion: string;
	/** "Debian GNU/Linux 12 (bookworm)" */
	readonly operatingSystem: string;
	/** As in `uname -m`: "x86_64". */
	readonly machine: string;
	/** As Go and image-spec say it: "amd64". */
	readonly architecture: string;
	readonly cpus: number;
	/** Bytes. */
	readonly memory: number;
	readonly cgroupVersion: '1' | '2';
	readonly cgroupDriver: string;
	readonly storageDriver: string;
	/** Docker's DriverStatus. */
	readonly storageStatus: readonly (readonly [string, string])[];
	/** Memory, CPU and processes of containers can be limited. */
	readonly hasLimits: boolean;
	/** Empty strings when there is none that works; a warning says why. */
	readonly runtime: { readonly name: string; readonly path: string; readonly version: string };
	/** All that are installed, tried or not. */
	readonly runtimes: readonly { readonly name: string; readonly path: string }[];
	/** Docker's form: "name=seccomp,profile=builtin". */
	readonly securityOptions: readonly string[];
	/** Drivers that work here. */
	readonly networkDrivers: readonly string[];
	readonly warnings: readonly string[];
}

const GO_ARCHITECTURES: Readonly<Record<string, string>> = {
	x64: 'amd64',
	ia32: '386',
	arm64: 'arm64',
	arm: 'arm',
	ppc64: 'ppc64le',
	riscv64: 'riscv64',
	s390x: 's390x',
	loong64: 'loong64',
};

export interface FactSources {
	readonly runtime: Pick<Runtimes, 'info' | 'installed'>;
	readonly network: Pick<NetworkFacts, 'hasBridge' | 'firewall' | 'problems'>;
	/** Undefined for root. */
	readonly rootless: RootlessFacts | undefined;
	readonly storage: Storage;
}

/** Gathers the facts from the system's files; the runtime is probed at its first use on a machine. */
export async function engineFacts({ runtime, network, rootless, storage }: FactSources): Promise<EngineFacts> {
	const { driver, status, problem } = await storage.chosen();
	const warnings: string[] = [
		...network.problems,
		...(rootless === undefined ? [] : [rootless.singleReason, rootless.outbound.problem]).filter(
			(text) => text !== '',
		),
		...(machine().hasCgroups ? [] : [limitsProblem()]),
		...(problem === undefined ? [] : [`containers cannot run: no storage driver works (${problem})`]),
	];
	const used = await runtimeFacts(runtime, warnings);
	return {
		hostname: os.hostname(),
		kernelVersion: os.release(),
		operatingSystem: operatingSystem(),
		machine: os.machine(),
		architecture: GO_ARCHITECTURES[process.arch] ?? process.arch,
		cpus: os.availableParallelism(),
		memory: os.totalmem(),
		cgroupVersion: hasUnified() ? '2' : '1',
		cgroupDriver: machine().hasCgroups ? 'cgroupfs' : 'none',
		storageDriver: driver.name,
		storageStatus: status,
		runtime: used,
		runtimes: runtime.installed(),
		securityOptions: [
			...(fs.existsSync('/proc/sys/kernel/seccomp') && used.name !== 'minimal'
				? ['name=seccomp,profile=builtin']
				: []),
			...(rootless === undefined ? [] : ['name=rootless']),
		],
		hasLimits: machine().hasCgroups,
		networkDrivers: [...(network.hasBridge ? ['bridge'] : []), 'host', 'null'],
		warnings,
	};
}

async function runtimeFacts(runtime: Pick<Runtimes, 'info'>, warnings: string[]): Promise<EngineFacts['runtime']> {
	try {
		const { name, path, version }: RuntimeInfo = await runtime.info();
		if (name === 'minimal') {
			warnings.push(MINIMAL_PROBLEM);
		} else if (!hasConsoles()) {
			warnings.push(CONSOLE_PROBLEM);
		}
		return { name, path, version };
	} catch (error) {
		// An engine without a runtime still pulls and lists.
		if (error instanceof EngineError && error.code === 'unsupported') {
			warnings.push(error.message);
			return { name: '', path: '', version: '' };
		}
		throw error;
	}
}

/** os-release(5): PRETTY_NAME. */
function operatingSystem(): string {
	for (const file of ['/etc/os-release', '/usr/lib/os-release']) {
		if (fs.existsSync(file)) {
			const name = /^PRETTY_NAME=(?:"([^"]*)"|(.*))$/m.exec(fs.readFileSync(file, 'utf8'));
			if (name !== null) {
				return name[1] ?? name[2] ?? 'Linux';
			}
		}
	}
	return 'Linux';
}
