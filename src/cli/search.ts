import type { SearchResult } from '../api/registry-client';
import { plain } from './output';
import type { Action } from './row';
import { renderList } from './table';

export interface SearchFlags {
	readonly filter: Readonly<Record<string, readonly string[]>>;
	readonly format: string | undefined;
	readonly limit: number | undefined;
	readonly noTrunc: boolean;
}

const HEADERS = {
	Name: 'NAME',
	Description: 'DESCRIPTION',
	StarCount: 'STARS',
	IsOfficial: 'OFFICIAL',
	IsAutomated: 'AUTOMATED',
};
/** Characters of a description. */
const LONGEST = 45;

/** `mydocker search` */
export const search: Action<SearchFlags> = async (session, [term = ''], flags) => {
	const found = await session.client.registries.search(term, {
		signal: session.signal,
		filters: flags.filter,
		...(flags.limit === undefined ? {} : { limit: flags.limit }),
	});
	session.output.stdout.write(renderFound(found, flags));
	return 0;
};

/** The text of a search; docker's columns. */
export function renderFound(
	found: readonly SearchResult[],
	{ format, noTrunc }: Pick<SearchFlags, 'format' | 'noTrunc'>,
): string {
	const rows = found.map((each) => ({
		Name: plain(each.name),
		Description: shortened(plain(each.description.replace(/[\r\n]+/g, ' ')), noTrunc),
		StarCount: String(each.star_count),
		IsOfficial: each.is_official ? '[OK]' : '',
		IsAutomated: each.is_automated ? '[OK]' : '',
	}));
	const columns = ['Name', 'Description', 'StarCount', 'IsOfficial', 'IsAutomated'];
	return renderList(format, rows, { headers: HEADERS, columns });
}

function shortened(text: string, noTrunc: boolean): string {
	const letters = Array.from(text);
	return noTrunc || letters.length <= LONGEST ? text : `${letters.slice(0, LONGEST - 1).join('')}…`;
}
