/** subuid(5): ids that a user may use besides the own. */
export interface IdRange {
	readonly first: number;
	readonly count: number;
}

export interface SubordinateIds {
	readonly uids: readonly IdRange[];
	readonly gids: readonly IdRange[];
	/** Why there are none; "" when there are both kinds. */
	readonly problem: string;
}

/** The user's ranges; `read` gives a file's content, "" for one that is not there. */
export function ownRanges(
	user: { readonly username: string; readonly uid: number },
	read: (file: string) => string,
): SubordinateIds {
	const [uids, gids] = ['/etc/subuid', '/etc/subgid'].map((file) => parseRanges(read(file), user));
	const missing = [...(uids?.length === 0 ? ['/etc/subuid'] : []), ...(gids?.length === 0 ? ['/etc/subgid'] : [])];
	return {
		uids: uids ?? [],
		gids: gids ?? [],
		problem:
			missing.length === 0
				? ''
				: `the user "${user.username}" has no subordinate ids in ${missing.join(' and ')}: add them with "sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 ${user.username}"`,
	};
}

/** "name:first:count" lines of the user, by name or number; others and broken ones are passed over. */
export function parseRanges(text: string, user: { readonly username: string; readonly uid: number }): IdRange[] {
	return text.split('\n').flatMap((line) => {
		const [name, first, count, ...rest] = line.trim().split(':');
		const isOwn = name === user.username || name === String(user.uid);
		const range = { first: Number(first), count: Number(count) };
		const isSound = /^\d+$/.test(first ?? '') && /^[1-9]\d*$/.test(count ?? '') && rest.length === 0;
		return isOwn && isSound ? [range] : [];
	});
}

/** Arguments of newuidmap(1): 0 is the user, 1 and up are the ranges in their order. */
export function mappingLines(own: number, ranges: readonly IdRange[]): string[] {
	let next = 1;
	const words = ['0', String(own), '1'];
	for (const { first, count } of ranges) {
		words.push(String(next), String(first), String(count));
		next += count;
	}
	return words;
}
