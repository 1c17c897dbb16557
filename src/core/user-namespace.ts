import * as fs from 'node:fs';
import { EngineError } from './errors';

/** What the user namespace of this process lets it do (user_namespaces(7)). */
export interface UserNamespace {
	/** The machine's own: every right that root has. */
	readonly isInitial: boolean;
	/** User ids 0 … uids - 1 exist here, and group ids 0 … gids - 1. */
	readonly uids: number;
	readonly gids: number;
	/** Supplementary groups can be set. */
	readonly canSetGroups: boolean;
}

/** Any files, devices, limits: root of the machine, or none of it. */
export const INITIAL: UserNamespace = { isInitial: true, uids: 2 ** 32 - 1, gids: 2 ** 32 - 1, canSetGroups: true };

let current: UserNamespace | undefined;

/** That of this process; it cannot change while the process lives. */
export function userNamespace(): UserNamespace {
	current ??= readUserNamespace((file) => fs.readFileSync(`/proc/self/${file}`, 'utf8'));
	return current;
}

/** From proc(5): uid_map, gid_map and setgroups. */
export function readUserNamespace(read: (file: 'uid_map' | 'gid_map' | 'setgroups') => string): UserNamespace {
	const uids = countIds(read('uid_map'));
	return {
		isInitial: uids === 2 ** 32 - 1,
		uids,
		gids: countIds(read('gid_map')),
		canSetGroups: read('setgroups').trim() === 'allow',
	};
}

/** How many ids exist without a gap from 0 on. */
function countIds(map: string): number {
	const ranges = map
		.trim()
		.split('\n')
		.map((line) => line.trim().split(/\s+/).map(Number))
		.sort(([a = 0], [b = 0]) => a - b);
	return ranges.reduce((count, [first = 0, , length = 0]) => (first === count ? count + length : count), 0);
}

/**
 * The owner that a file of an image gets here. With one id only, all files are the user's own; with more, an id that
 * does not exist here is EngineError "unsupported" that says how to get it.
 */
export function ownerHere<T extends { readonly uid: number; readonly gid: number }>(
	owner: T,
	name: string,
	{ uids, gids }: UserNamespace = userNamespace(),
): T {
	if (owner.uid < uids && owner.gid < gids) {
		return owner;
	}
	if (uids > 1 && gids > 1) {
		throw new EngineError(
			'unsupported',
			`"${name}" belongs to ${owner.uid}:${owner.gid}, and this user has ${uids - 1} subordinate ids: add more to /etc/subuid and /etc/subgid (usermod --add-subuids FIRST-LAST --add-subgids FIRST-LAST USER)`,
		);
	}
	return { ...owner, uid: 0, gid: 0 };
}
