/** Lists what a registry has (distribution-spec, "Content Discovery"; docker's registry API for the catalog). */
import * as v from 'valibot';
import { EngineError } from '../errors';
import { jsonIn } from '../json';
import type { Connection } from './connection';

/** A part of a list. */
export interface Page {
	readonly items: readonly string[];
	/** Give this back for what follows; none at the end. */
	readonly next?: string;
}

export interface PageOptions {
	/** How many at most; the registry may give fewer. */
	readonly limit?: number | undefined;
	/** `next` of the page before. */
	readonly next?: string | undefined;
	readonly signal?: AbortSignal | undefined;
}

const MAX_PAGE = 4 * 1024 * 1024;
/** Pages of a list that is read to its end. */
const MAX_PAGES = 1000;
const DEFAULT_LIMIT = 100;
const names = v.nullish(v.array(v.pipe(v.string(), v.maxLength(512))), []);

/** The tags of a repository. */
export async function tagPage(connection: Connection, repository: string, options: PageOptions): Promise<Page> {
	const { host } = connection.access;
	return readPage(connection, `/v2/${repository}/tags/list`, {
		...options,
		action: `list the tags of "${host}/${repository}"`,
		scope: `repository:${repository}:pull`,
		schema: v.pipe(
			v.object({ tags: names }),
			v.transform(({ tags }) => tags),
		),
	});
}

/** The repositories of a registry; many registries do not tell. */
export async function catalogPage(connection: Connection, options: PageOptions): Promise<Page> {
	return readPage(connection, '/v2/_catalog', {
		...options,
		action: `list the repositories of "${connection.access.host}"`,
		scope: 'registry:catalog:*',
		schema: v.pipe(
			v.object({ repositories: names }),
			v.transform(({ repositories }) => repositories),
		),
	});
}

/** A list to its end. */
export async function allPages(read: (options: PageOptions) => Promise<Page>, signal?: AbortSignal): Promise<string[]> {
	const items: string[] = [];
	let next: string | undefined;
	for (let pages = 0; pages < MAX_PAGES; pages++) {
		const page = await read({ limit: 1000, next, signal });
		items.push(...page.items);
		if (page.next === undefined || page.next === next) {
			break;
		}
		next = page.next;
	}
	return items;
}

interface PageRequest extends PageOptions {
	readonly action: string;
	readonly scope: string;
	readonly schema: v.GenericSchema<unknown, readonly string[]>;
}

async function readPage(connection: Connection, path: string, request: PageRequest): Promise<Page> {
	const { action, scope, schema, next, signal } = request;
	const first = `?n=${request.limit ?? DEFAULT_LIMIT}`;
	const query = next === undefined ? first : checkedQuery(next, action);
	const { response, body } = await connection.read({ action, target: path + query, scope, signal }, MAX_PAGE);
	const parsed = v.safeParse(schema, jsonIn(body));
	if (!parsed.success) {
		throw new EngineError('corrupt', `Cannot ${action}: the registry's answer is not a list`);
	}
	const following = nextQuery(response.headers.link);
	return { items: parsed.output, ...(following === undefined ? {} : { next: following }) };
}

/** The query of `<…?n=100&last=x>; rel="next"` (RFC 8288); the path stays ours, so that it leads nowhere else. */
function nextQuery(link: string | string[] | undefined): string | undefined {
	const text = Array.isArray(link) ? link.join(', ') : (link ?? '');
	return /<[^>?]*(\?[^>#\s]{1,2000})>\s*;[^,]*\brel="?next"?/i.exec(text)?.[1];
}

function checkedQuery(next: string, action: string): string {
	if (!/^\?[\x21-\x7e]{1,2000}$/.test(next)) {
		throw new EngineError('invalid', `Cannot ${action}: "next" is not what the page before said`);
	}
	return next;
}
