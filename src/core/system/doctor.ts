import * as fs from 'node:fs';
import { CONSOLE_PROBLEM, hasConsoles } from '../container/console';
import { MINIMAL_PROBLEM } from '../container/minimal-runtime';
import type { Runtimes, Trial } from '../container/runtimes';
import { delegatedGroup, LINGER, limitsProblem } from '../container/cgroup';
import { limitFacts } from '../container/limits';
import { machine } from '../container/spec';
import { EngineError } from '../errors';
import { findProgram } from '../exec';
import type { NetworkFacts } from '../network/firewall';
import type { OutboundFacts } from '../network/outbound';
import type { Storage } from '../storage/storage';
import { tryDriver } from '../storage/storage';
import { userNamespace } from '../user-namespace';

/** One thing that was looked at. */
export interface Finding {
	readonly subject: 'runtime' | 'user' | 'limits' | 'storage' | 'network' | 'outbound' | 'disk';
	/** "problem": containers cannot run. "warning": something does not work without it. */
	readonly status: 'ok' | 'warning' | 'problem';
	/** A whole sentence. */
	readonly message: string;
	/** The one command that mends it; "" when there is nothing to mend, or no command that could. */
	readonly remedy: string;
}

/** What is known of a user without root's rights. */
export interface RootlessFacts {
	/** Why there is one user id only; "" when there are more. */
	readonly singleReason: string;
	readonly outbound: OutboundFacts;
}

export interface Patient {
	readonly root: string;
	readonly runtime: Pick<Runtimes, 'info' | 'trials'>;
	readonly network: NetworkFacts;
	/** Undefined for root. */
	readonly rootless: RootlessFacts | undefined;
	readonly storage: Storage;
}

/** Looks at all that containers need on this machine; tries the runtime and the storage driver for real. */
export async function examine(patient: Patient): Promise<readonly Finding[]> {
	return [
		await runtimeFinding(patient),
		userFinding(patient),
		limitsFinding(),
		await storageFinding(patient),
		networkFinding(patient),
		...(patient.rootless === undefined ? [] : [outboundFinding(patient.rootless.outbound)]),
		diskFinding(patient),
	];
}

async function runtimeFinding({ runtime }: Patient): Promise<Finding> {
	const trials = await runtime.trials();
	try {
		const { name, version, path: program } = await runtime.info();
		if (name === 'minimal') {
			const said = trials.filter((trial) => trial.name !== name).map(inWords);
			return {
				subject: 'runtime',
				status: 'warning',
				message: [MINIMAL_PROBLEM, ...said].join(' '),
				remedy: findProgram('runc') === undefined ? install('runc') : '',
			};
		}
		const others = trials.filter((trial) => trial.name !== name).map(inWords);
		const works = [`${name} ${version} (${program}) has run a test container.`, ...others];
		return hasConsoles()
			? ok('runtime', works.join(' '))
			: {
					subject: 'runtime',
					status: 'warning',
					message: [CONSOLE_PROBLEM, ...works].join(' '),
					remedy: findProgram('perl') === undefined ? install('perl') : '',
				};
	} catch (error) {
		if (error instanceof EngineError && error.code === 'unsupported') {
			const remedy = findProgram('runc') === undefined ? install('runc') : '';
			return { subject: 'runtime', status: 'problem', message: `${error.message}.`, remedy };
		}
		throw error;
	}
}

function inWords({ name, path: program, version, problem }: Trial): string {
	if (program === undefined) {
		return `${name} is not installed.`;
	}
	return problem === '' ? `${name} ${version} (${program}) works, too.` : `${name} does not work: ${problem}.`;
}

function userFinding({ rootless }: Patient): Finding {
	if (rootless === undefined) {
		return ok('user', 'The engine runs as root.');
	}
	const { uids } = userNamespace();
	if (rootless.singleReason === '') {
		return ok('user', `The engine runs as an ordinary user with ${uids - 1} subordinate user ids.`);
	}
	const [, quoted] = /"(sudo [^"]+)"/.exec(rootless.singleReason) ?? [];
	return {
		subject: 'user',
		status: 'warning',
		message: `Containers have one user id only, so all their files are root's and programs cannot become another user: ${rootless.singleReason}.`,
		remedy: quoted ?? (rootless.singleReason.includes('not installed') ? install('uidmap') : ''),
	};
}

function limitsFinding(): Finding {
	const { hasCgroups, cgroupVersion } = machine();
	if (!hasCgroups) {
		const message = limitsProblem();
		return { subject: 'limits', status: 'warning', message, remedy: message.includes(LINGER) ? LINGER : '' };
	}
	const { memory, cfs: cpu, pids } = limitFacts().can;
	const missing = Object.entries({ memory, cpu, pids }).flatMap(([name, can]) => (can ? [] : [name]));
	const place = delegatedGroup() === undefined ? '' : ', delegated to this user by systemd';
	return missing.length === 0
		? ok('limits', `Memory, CPU and processes can be limited (control groups, version ${cgroupVersion}${place}).`)
		: {
				subject: 'limits',
				status: 'warning',
				message: `Not everything can be limited (control groups, version ${cgroupVersion}${place}): missing are ${missing.join(', ')}.`,
				remedy: '',
			};
}

async function storageFinding({ root, storage }: Patient): Promise<Finding> {
	const { driver, problem } = await storage.chosen();
	const reason = await tryDriver(root, driver);
	if (reason !== undefined) {
		const message = `No container can be mounted in "${root}" (${driver.name}): ${problem ?? reason}; it needs Linux 5.11 for ordinary users, and a store on ext4, xfs, btrfs or tmpfs.`;
		return { subject: 'storage', status: 'problem', message, remedy: '' };
	}
	return driver.name === 'copy'
		? {
				subject: 'storage',
				status: 'warning',
				message: `Each container in "${root}" is a copy of its image (storage driver copy): it starts later and takes more room than with an overlay.`,
				remedy: findProgram('fuse-overlayfs') === undefined ? install('fuse-overlayfs') : '',
			}
		: ok('storage', `The storage driver ${driver.name} could mount, write and delete in "${root}".`);
}

function networkFinding({ network }: Patient): Finding {
	if (network.hasBridge) {
		return ok('network', `Bridge networks work (ip, ${network.firewall}).`);
	}
	const missing = [
		...(findProgram('ip') === undefined ? ['iproute2'] : []),
		...(network.firewall === 'none' ? ['iptables'] : []),
	];
	return {
		subject: 'network',
		status: 'warning',
		message: `${network.problems.join('. ')}.`,
		remedy: missing.length === 0 ? '' : install(missing.join(' ')),
	};
}

function outboundFinding({ problem, remedy, program }: OutboundFacts): Finding {
	return problem === ''
		? ok('outbound', `Containers on bridge networks reach other machines through ${program}.`)
		: { subject: 'outbound', status: 'warning', message: problem, remedy };
}

/** Bytes; less does not hold many images. */
const LITTLE = 1024 ** 3;

function diskFinding({ root }: Patient): Finding {
	const { bavail, bsize } = fs.statfsSync(root);
	const free = bavail * bsize;
	const message = `${(free / 1024 ** 3).toFixed(1)} GiB are free in "${root}".`;
	return free >= LITTLE
		? ok('disk', message)
		: { subject: 'disk', status: 'warning', message, remedy: 'mydocker system prune' };
}

function ok(subject: Finding['subject'], message: string): Finding {
	return { subject, status: 'ok', message, remedy: '' };
}

const MANAGERS: readonly (readonly [string, string])[] = [
	['apt-get', 'sudo apt-get install -y'],
	['dnf', 'sudo dnf install -y'],
	['zypper', 'sudo zypper install -y'],
	['apk', 'sudo apk add'],
	['pacman', 'sudo pacman -S'],
];

/** The command that installs Debian's package of this name, in the words of this machine's package manager. */
function install(name: string): string {
	const [, command = 'sudo apt-get install -y'] =
		MANAGERS.find(([program]) => findProgram(program) !== undefined) ?? [];
	return `${command} ${name}`;
}
