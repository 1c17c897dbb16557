import type { EngineName } from './subject';

interface Difference<T> {
	readonly embedded: T;
	readonly docker: T;
	/** Of ours run by an ordinary user, where that is another. */
	readonly rootless?: T;
	/** Why ours is not docker's (the Docker here is Debian's 20.10). */
	readonly reason: string;
}

function difference<T>(difference: Difference<T>): Difference<T> {
	return difference;
}

/**
 * Every place where the two engines are expected to answer differently. What is not in this table must be the same in
 * both.
 */
// Networks have no rows here: Docker runs in the suite with --bridge=none --iptables=false, so that it does not touch the
// machine's network, and so networks.ts runs on our engine alone, in a network namespace of its own.
export const differences = {
	statusWhileStopping: difference({
		embedded: 'stopping',
		docker: 'running',
		reason: 'Docker has no such state; a person who pressed Stop should see that it is under way',
	}),
	tailOfLongLine: difference({
		embedded: 'one line',
		docker: 'one fragment',
		reason: 'Docker counts records of 16 KiB; ours counts the lines that a person sees',
	}),
	privilegedOnSmallMachine: difference({
		embedded: 'runs',
		docker: 'refused',
		reason: 'Docker asks for every capability that it knows, ours for those that this machine has',
	}),
	linesOfOwnNameWithoutNetwork: difference({
		embedded: 1,
		docker: 0,
		reason: 'A program that looks up its own name finds it in /etc/hosts of ours also without a network',
	}),
	execOfMissingCommand: difference({
		embedded: 127,
		docker: 126,
		reason: 'Docker 20.10 says 126 for a command that is not there; later versions say 127, as a shell does',
	}),
	execRunsAfterDetach: difference({
		embedded: true,
		docker: false,
		reason: 'Docker 20.10 ends an exec whose client left by the detach keys; ours lets it go on, like a container',
	}),
	logFileMode: difference({
		embedded: '600',
		docker: '640',
		reason: 'All files of our store are for its owner alone',
	}),
	statusOfUnknownUser: difference({
		embedded: 400,
		docker: 500,
		reason: 'Docker 20.10 blames itself for a user or group that the image lacks; ours blames the caller',
	}),
	statusOfImpossibleTag: difference({
		embedded: 400,
		docker: 500,
		reason: 'Docker 20.10 blames itself; later versions blame the caller, as ours does',
	}),
	whiteoutBesideFolder: difference({
		embedded: 'hides',
		docker: 'is lost',
		reason: 'image-spec: a whiteout hides what lower layers have, whatever else its own layer holds',
	}),
	rotationToOneFile: difference({
		embedded: 'one file',
		docker: 'two files',
		reason: 'Docker 20.10 keeps a second file although max-file is 1',
	}),
	followOverRotation: difference({
		embedded: 'each line once',
		docker: 'repeats a line',
		reason: 'Docker 20.10 gives the last line before a rotation twice',
	}),
	statusOfWrongPath: difference({
		embedded: 400,
		docker: 500,
		reason: 'Docker 20.10 blames itself for a path that goes through a file; ours blames the caller',
	}),
	statusOfKeptKind: difference({
		embedded: 409,
		docker: 500,
		reason: 'Docker passes on what its unpacker said; that a file stands in the way of a folder is a conflict',
	}),
	statusOfReadOnly: difference({
		embedded: 403,
		docker: 500,
		reason: 'Docker 20.10 blames itself for a read-only target',
	}),
	capabilityOfCopy: difference({
		embedded: /cap_net_bind_service[=+]ep/,
		docker: /^$/,
		reason: 'Docker 20.10 sets the attribute before the owner, which removes it again',
	}),
	ownerOfCopy: difference({
		embedded: 'looked up in the container',
		docker: 'looked up on the host',
		reason: 'Docker 20.10 asks the passwd file of the host for a user of the container',
	}),
	emptiedVolume: difference({
		embedded: '',
		docker: 'demo\n',
		reason: 'Docker fills a volume whenever it is empty; ours once, so that what a person has emptied stays empty',
	}),
	deviceInLayer: difference<'made' | 'left out'>({
		embedded: 'made',
		docker: 'made',
		rootless: 'left out',
		reason: 'The kernel lets only root of the machine make a device; docker leaves it out as well in a user namespace',
	}),
	pruneOfVolumes: difference<readonly [readonly string[], readonly string[]]>({
		embedded: [[], ['named']],
		docker: [['named'], []],
		reason: 'Since Docker 23 a prune spares volumes with a name, unless it is told "all"; 20.10 knows no such filter',
	}),
	unknownLogDriver: difference({
		embedded: 'refused at once',
		docker: 'not asked',
		reason: 'Docker looks for a plugin of that name for fifteen seconds, then refuses with the same words',
	}),
} as const;

/** What this engine is expected to answer. */
export function expected<Name extends keyof typeof differences>(
	name: Name,
	engine: EngineName,
): (typeof differences)[Name]['embedded'] {
	const row: Difference<(typeof differences)[Name]['embedded']> = differences[name];
	return (engine === 'rootless' ? row.rootless : undefined) ?? row[engine === 'docker' ? 'docker' : 'embedded'];
}
