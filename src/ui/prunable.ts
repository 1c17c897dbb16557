import type { ContainerSummary, DiskUsage } from '../api/types';

export type PrunableKind = 'container' | 'image' | 'network' | 'volume';

/** Something that nothing uses. */
export interface Prunable {
	readonly kind: PrunableKind;
	/** The id of a container, an image or a network, the name of a volume. */
	readonly key: string;
	/** What a person calls it: all tags of an image; none for one without a name. */
	readonly names: readonly string[];
	/** What is freed when it alone goes; undefined for a network. */
	readonly bytes: number | undefined;
	/** Containers that use it and would have to go first. */
	readonly users: readonly string[];
	/** Made by the engine and not by a person: a dangling image, an anonymous volume. */
	readonly isNameless: boolean;
}

const STOPPED = new Set(['created', 'exited', 'dead']);
const ANONYMOUS = /^[0-9a-f]{64}$/;

/** Containers that do not run, the biggest first. */
export function prunableContainers({ Containers }: DiskUsage): Prunable[] {
	return bySize(
		(Containers ?? [])
			.filter(({ State }) => STOPPED.has(State))
			.map((container) => ({
				kind: 'container',
				key: container.Id,
				names: [nameOf(container)],
				bytes: container.SizeRw ?? 0,
				users: [],
				isNameless: false,
			})),
	);
}

/**
 * Images that no container uses, the biggest first; `withStopped` adds those that only containers use which do not run.
 * What an image shares with another one stays, so that the sum of several may be less than what goes with all of them.
 */
export function prunableImages({ Images, Containers }: DiskUsage, withStopped = false): Prunable[] {
	const usersOf = (id: string): ContainerSummary[] => (Containers ?? []).filter(({ ImageID }) => ImageID === id);
	const keeps = ({ State }: ContainerSummary): boolean => !withStopped || !STOPPED.has(State);
	return bySize(
		(Images ?? [])
			.filter(({ Id }) => !usersOf(Id).some(keeps))
			.map(({ Id, RepoTags, Size, SharedSize, OwnSize }) => {
				const names = (RepoTags ?? []).filter((tag) => !tag.includes('<none>'));
				return {
					kind: 'image',
					key: Id,
					names,
					bytes: OwnSize ?? Math.max(Size - Math.max(SharedSize ?? 0, 0), 0),
					users: usersOf(Id).map(nameOf),
					isNameless: names.length === 0,
				};
			}),
	);
}

/** Volumes that no container mounts, running or not, the biggest first. */
export function prunableVolumes({ Volumes }: DiskUsage): Prunable[] {
	return bySize(
		(Volumes ?? [])
			.filter(({ UsageData }) => UsageData?.RefCount === 0)
			.map(({ Name, UsageData }) => ({
				kind: 'volume',
				key: Name,
				names: [Name],
				bytes: Math.max(UsageData?.Size ?? 0, 0),
				users: [],
				isNameless: ANONYMOUS.test(Name),
			})),
	);
}

function nameOf({ Id, Names }: ContainerSummary): string {
	return Names[0]?.replace(/^\//, '') ?? Id.slice(0, 12);
}

function bySize(prunables: Prunable[]): Prunable[] {
	return prunables.sort((a, b) => (b.bytes ?? 0) - (a.bytes ?? 0) || (a.key < b.key ? -1 : 1));
}
