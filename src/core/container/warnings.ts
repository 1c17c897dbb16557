import { parseNetworkMode } from '../network/network';
import type { ContainerConfig } from '../types';
import { limitsProblem } from './cgroup';
import { MINIMAL_WARNING } from './minimal-runtime';
import type { RuntimeName } from './runtime';

/** What is said to a wish for limits where there are none. */
export const noLimits = (): string => `Limitation discarded. ${limitsProblem()}`;

/** Without perl crun 1.8 copies a terminal's output itself, and does not wait for the rest when the program has ended. */
const CRUN_TERMINAL =
	"crun may lose the last output of this container's terminal when its program ends, since perl is not installed; runc does not (mydocker.runtime)";

/** What this machine or user cannot give a container that asks for it; sentences for the person who makes it. */
export function machineWarnings(
	{
		resources: { cpu, memory, pids },
		network,
		privileged,
		isolation,
		tty,
	}: Pick<ContainerConfig, 'resources' | 'network' | 'privileged' | 'isolation' | 'tty'>,
	machine: {
		readonly hasCgroups: boolean;
		readonly bridgeWarning: string;
		/** Whether terminals are received from the runtime (console.ts). */
		readonly hasConsoles: boolean;
		/** That will run it; undefined when none works. */
		readonly runtime: RuntimeName | undefined;
	},
): string[] {
	const isLimited = cpu > 0 || memory > 0 || pids > 0;
	const isUnconfined = privileged || isolation?.security_options?.includes('seccomp=unconfined') === true;
	const isOnBridge = parseNetworkMode(network.mode).kind === 'network';
	return [
		...(isLimited && !machine.hasCgroups ? [noLimits()] : []),
		...(machine.runtime === 'minimal' && !isUnconfined ? [MINIMAL_WARNING] : []),
		...(machine.runtime === 'crun' && tty && !machine.hasConsoles ? [CRUN_TERMINAL] : []),
		...(isOnBridge && machine.bridgeWarning !== '' ? [machine.bridgeWarning] : []),
	];
}
