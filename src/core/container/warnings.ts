import { parseNetworkMode } from '../network/network';
import type { ContainerConfig } from '../types';
import { LIMITS_PROBLEM } from './cgroup';

/** What this machine or user cannot give a container that asks for it; sentences for the person who makes it. */
export function machineWarnings(
	{ resources: { cpu, memory, pids }, network }: Pick<ContainerConfig, 'resources' | 'network'>,
	machine: { readonly hasCgroups: boolean; readonly bridgeWarning: string },
): string[] {
	const isLimited = cpu > 0 || memory > 0 || pids > 0;
	const isOnBridge = parseNetworkMode(network.mode).kind === 'network';
	return [
		...(isLimited && !machine.hasCgroups ? [`Limitation discarded. ${LIMITS_PROBLEM}`] : []),
		...(isOnBridge && machine.bridgeWarning !== '' ? [machine.bridgeWarning] : []),
	];
}
