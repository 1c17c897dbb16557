import { parseNetworkMode } from '../network/network';
import type { ContainerConfig } from '../types';
import { LIMITS_PROBLEM } from './cgroup';
import { MINIMAL_WARNING } from './minimal-runtime';
import type { RuntimeName } from './runtime';

/** What this machine or user cannot give a container that asks for it; sentences for the person who makes it. */
export function machineWarnings(
	{
		resources: { cpu, memory, pids },
		network,
		privileged,
		isolation,
	}: Pick<ContainerConfig, 'resources' | 'network' | 'privileged' | 'isolation'>,
	machine: {
		readonly hasCgroups: boolean;
		readonly bridgeWarning: string;
		/** That will run it; undefined when none works. */
		readonly runtime: RuntimeName | undefined;
	},
): string[] {
	const isLimited = cpu > 0 || memory > 0 || pids > 0;
	const isUnconfined = privileged || isolation?.security_options?.includes('seccomp=unconfined') === true;
	const isOnBridge = parseNetworkMode(network.mode).kind === 'network';
	return [
		...(isLimited && !machine.hasCgroups ? [`Limitation discarded. ${LIMITS_PROBLEM}`] : []),
		...(machine.runtime === 'minimal' && !isUnconfined ? [MINIMAL_WARNING] : []),
		...(isOnBridge && machine.bridgeWarning !== '' ? [machine.bridgeWarning] : []),
	];
}
