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
	/** In English. */
	readonly message: string;
	/** What `message` is made of, for fronts that speak other languages. */
	readonly sentences: readonly Sentence[];
	/** The one command that mends it; "" when there is nothing to mend, or no command that could. */
	readonly remedy: string;
}

/** An English sentence with places to fill, {0} and so on (the form of vscode.l10n.t). */
export interface Sentence {
	readonly text: string;
	readonly values: readonly string[];
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
		const others = trials.filter((trial) => trial.name !== name).map(inWords);
		if (name === 'minimal') {
			return finding('runtime', 'warning', installMissing('runc'), say(MINIMAL_PROBLEM), ...others);
		}
		const works = [say('{0} {1} ({2}) has run a test container.', name, version, program), ...others];
		return hasConsoles()
			? ok('runtime', ...works)
			: finding('runtime', 'warning', installMissing('perl'), say(CONSOLE_PROBLEM), ...works);
	} catch (error) {
		if (error instanceof EngineError && error.code === 'unsupported') {
			return finding('runtime', 'problem', installMissing('runc'), say('{0}.', error.message));
		}
		throw error;
	}
}

function inWords({ name, path: program, version, problem }: Trial): Sentence {
	if (program === undefined) {
		return say('{0} is not installed.', name);
	}
	return problem === ''
		? say('{0} {1} ({2}) works, too.', name, version, program)
		: say('{0} does not work: {1}.', name, problem);
}

function userFinding({ rootless }: Patient): Finding {
	if (rootless === undefined) {
		return ok('user', say('The engine runs as root.'));
	}
	const { uids } = userNamespace();
	if (rootless.singleReason === '') {
		const text = say('The engine runs as an ordinary user with {0} subordinate user ids.', String(uids - 1));
		return ok('user', text);
	}
	const [, quoted] = /"(sudo [^"]+)"/.exec(rootless.singleReason) ?? [];
	return finding(
		'user',
		'warning',
		quoted ?? (rootless.singleReason.includes('not installed') ? install('uidmap') : ''),
		say(
			'Containers have one user id only, so all their files belong to root and programs cannot become another user: {0}.',
			rootless.singleReason,
		),
	);
}

function limitsFinding(): Finding {
	const { hasCgroups, cgroupVersion } = machine();
	if (!hasCgroups) {
		const message = limitsProblem();
		return finding('limits', 'warning', message.includes(LINGER) ? LINGER : '', say(message));
	}
	const { memory, cfs: cpu, pids } = limitFacts().can;
	const missing = Object.entries({ memory, cpu, pids }).flatMap(([name, can]) => (can ? [] : [name]));
	const where = say('Control groups have version {0}.', String(cgroupVersion));
	const place = delegatedGroup() === undefined ? [where] : [where, say('systemd delegates them to this user.')];
	return missing.length === 0
		? ok('limits', say('Memory, CPU and processes can be limited.'), ...place)
		: finding('limits', 'warning', '', say('Cannot be limited: {0}.', missing.join(', ')), ...place);
}

async function storageFinding({ root, storage }: Patient): Promise<Finding> {
	const { driver, problem } = await storage.chosen();
	const reason = await tryDriver(root, driver);
	if (reason !== undefined) {
		return finding(
			'storage',
			'problem',
			'',
			say('No container can be mounted in "{0}" ({1}): {2}.', root, driver.name, problem ?? reason),
			say('It needs Linux 5.11 for ordinary users, and a store on ext4, xfs, btrfs or tmpfs.'),
		);
	}
	return driver.name === 'copy'
		? finding(
				'storage',
				'warning',
				installMissing('fuse-overlayfs'),
				say(
					'Each container in "{0}" is a copy of its image (storage driver copy): it starts later and takes more room than with an overlay.',
					root,
				),
			)
		: ok('storage', say('The storage driver {0} could mount, write and delete in "{1}".', driver.name, root));
}

function networkFinding({ network }: Patient): Finding {
	if (network.hasBridge) {
		return ok('network', say('Bridge networks work (ip, {0}).', network.firewall));
	}
	const missing = [
		...(findProgram('ip') === undefined ? ['iproute2'] : []),
		...(network.firewall === 'none' ? ['iptables'] : []),
	];
	const remedy = missing.length === 0 ? '' : install(missing.join(' '));
	return finding('network', 'warning', remedy, ...network.problems.map((problem) => say(`${problem}.`)));
}

function outboundFinding({ problem, remedy, program }: OutboundFacts): Finding {
	return problem === ''
		? ok('outbound', say('Containers on bridge networks reach other machines through {0}.', program))
		: finding('outbound', 'warning', remedy, say(problem));
}

/** Bytes; less does not hold many images. */
const LITTLE = 1024 ** 3;

function diskFinding({ root }: Patient): Finding {
	const { bavail, bsize } = fs.statfsSync(root);
	const free = bavail * bsize;
	const room = say('{0} GiB are free in "{1}".', (free / 1024 ** 3).toFixed(1), root);
	return free >= LITTLE ? ok('disk', room) : finding('disk', 'warning', 'mydocker system prune', room);
}

function ok(subject: Finding['subject'], ...sentences: readonly Sentence[]): Finding {
	return finding(subject, 'ok', '', ...sentences);
}

function finding(
	subject: Finding['subject'],
	status: Finding['status'],
	remedy: string,
	...sentences: readonly Sentence[]
): Finding {
	return { subject, status, message: sentences.map(filled).join(' '), sentences, remedy };
}

function say(text: string, ...values: readonly string[]): Sentence {
	return { text, values };
}

function filled({ text, values }: Sentence): string {
	return text.replace(/\{(\d)\}/g, (place, index: string) => values[Number(index)] ?? place);
}

const MANAGERS: readonly (readonly [string, string])[] = [
	['apt-get', 'sudo apt-get install -y'],
	['dnf', 'sudo dnf install -y'],
	['zypper', 'sudo zypper install -y'],
	['apk', 'sudo apk add'],
	['pacman', 'sudo pacman -S'],
];

/** The command that installs a program whose package has its name; "" when it is there. */
function installMissing(program: string): string {
	return findProgram(program) === undefined ? install(program) : '';
}

/** The command that installs Debian's package of this name, in the words of this machine's package manager. */
function install(name: string): string {
	const [, command = 'sudo apt-get install -y'] =
		MANAGERS.find(([program]) => findProgram(program) !== undefined) ?? [];
	return `${command} ${name}`;
}
