import { EngineError } from '../errors';
import type { Container, ContainerConfig, ResourceConfig, RestartPolicy } from '../types';
import { checkResources, limitFacts, swapLimit } from './limits';

/** What `docker update` may change; what is absent stays. */
export interface ContainerChanges {
	readonly resources: Partial<ResourceConfig>;
	/** "no" takes the policy away. */
	readonly restart_policy?: RestartPolicy | 'no';
}

/**
 * The container's configuration after the changes. Throws EngineError "invalid" and "conflict" with docker's texts; adds
 * sentences about what the kernel cannot do to `warnings`.
 */
export function changedConfig(
	{ id, config }: Container,
	changes: ContainerChanges,
	warnings: string[],
): ContainerConfig {
	const none = { cpu: 0, memory: 0, pids: 0 };
	const asked = checkResources({ ...none, ...changes.resources }, limitFacts(), warnings, true);
	const given = Object.fromEntries(Object.entries(asked).filter(([name]) => name in changes.resources));
	const reason = conflictOf(config, changes);
	if (reason !== undefined) {
		throw new EngineError('conflict', `Cannot update container ${id}: ${reason}`);
	}
	const { restart_policy: oldPolicy, ...rest } = config;
	const policy = changes.restart_policy ?? oldPolicy;
	return {
		...rest,
		resources: { ...config.resources, ...fixedSwap(config.resources), ...given },
		...(policy === undefined || policy === 'no' ? {} : { restart_policy: policy }),
	};
}

/** "Twice the memory" counts from the memory at the creation. */
function fixedSwap(resources: ResourceConfig): Pick<ResourceConfig, 'memory_swap'> {
	return resources.memory === 0 ? {} : { memory_swap: swapLimit(resources) };
}

function conflictOf({ resources, auto_remove }: ContainerConfig, changes: ContainerChanges): string | undefined {
	const { cpu = 0, cpu_period = 0, cpu_quota = 0, memory = 0, memory_swap = 0 } = changes.resources;
	const swap = swapLimit(resources);
	const has = { cpu: resources.cpu, period: resources.cpu_period ?? 0, quota: resources.cpu_quota ?? 0 };
	const conflicts: readonly (readonly [boolean, string])[] = [
		[
			cpu > 0 && has.period > 0,
			'Conflicting options: Nano CPUs cannot be updated as CPU Period has already been set',
		],
		[
			cpu > 0 && has.quota > 0,
			'Conflicting options: Nano CPUs cannot be updated as CPU Quota has already been set',
		],
		[
			cpu_period > 0 && has.cpu > 0,
			'Conflicting options: CPU Period cannot be updated as NanoCPUs has already been set',
		],
		[
			cpu_quota > 0 && has.cpu > 0,
			'Conflicting options: CPU Quota cannot be updated as NanoCPUs has already been set',
		],
		[
			memory > 0 && swap !== -1 && memory > swap && memory_swap === 0,
			'Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time',
		],
		[
			auto_remove && changes.restart_policy !== undefined && changes.restart_policy !== 'no',
			'Restart policy cannot be updated because AutoRemove is enabled for the container',
		],
	];
	return conflicts.find(([is]) => is)?.[1];
}
