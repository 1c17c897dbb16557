import type { RegistryCalls } from '../api/registry-client';

/** Milliseconds without a key before a registry is asked. */
const QUIET_TIME = 300;
/** Of one answer; the registries that people use give at most so many. */
const PAGE = 1000;
const MOST_PAGES = 5;

export type TagAnswer =
	| { readonly state: 'none' }
	| { readonly state: 'asking' }
	| { readonly state: 'failed'; readonly reason: string }
	| { readonly state: 'found'; readonly tags: readonly string[] };

/** "nginx" of "nginx:1.2", undefined while there is no colon that a tag follows ("localhost:5000", "ghcr.io/owner"). */
export function repositoryWithTag(typed: string): { readonly repository: string; readonly tag: string } | undefined {
	const [, repository, tag] = /^([^@\s]*[a-z0-9]):([A-Za-z0-9_][A-Za-z0-9_.-]*|)$/.exec(typed) ?? [];
	// "localhost:5000" is going to be a registry with its port.
	const isHost = repository !== undefined && !repository.includes('/') && /\.|^localhost$/.test(repository);
	return repository === undefined || tag === undefined || isHost ? undefined : { repository, tag };
}

/**
 * Asks registries for tags while somebody types: when there was no key for a moment, once for each repository, one
 * question at a time. The last one that matters wins; the others are cancelled.
 */
export class TagSearch {
	private readonly answers = new Map<string, TagAnswer>();
	private abort = new AbortController();
	private timer: NodeJS.Timeout | undefined;
	private current = '';

	constructor(
		private readonly registries: Pick<RegistryCalls, 'tags'>,
		private readonly onDidAnswer: () => void,
		private readonly quietTime = QUIET_TIME,
	) {}

	/** The tags of the repository as far as they are known; asks for them when nobody has. */
	look(repository: string): TagAnswer {
		if (repository !== this.current) {
			this.stop();
			this.current = repository;
			if (!this.answers.has(repository)) {
				this.timer = setTimeout(() => void this.ask(repository), this.quietTime);
			}
		}
		return this.answers.get(repository) ?? { state: 'asking' };
	}

	/** Nobody waits for tags any more. */
	stop(): void {
		clearTimeout(this.timer);
		this.abort.abort();
		this.current = '';
	}

	private async ask(repository: string): Promise<void> {
		this.abort = new AbortController();
		const { signal } = this.abort;
		try {
			const tags = await this.list(repository, signal);
			this.answers.set(repository, { state: 'found', tags });
		} catch (error) {
			if (signal.aborted) {
				return;
			}
			this.answers.set(repository, {
				state: 'failed',
				reason: error instanceof Error ? error.message : String(error),
			});
		}
		if (!signal.aborted) {
			this.onDidAnswer();
		}
	}

	private async list(repository: string, signal: AbortSignal): Promise<readonly string[]> {
		const tags: string[] = [];
		let next: string | undefined;
		for (let page = 0; page < MOST_PAGES && next !== ''; page++) {
			const options = next === undefined ? { limit: PAGE, signal } : { limit: PAGE, next, signal };
			const { Items, Next } = await this.registries.tags(repository, options);
			tags.push(...Items);
			next = Next;
		}
		return tags.sort(newestFirst);
	}
}

/** "latest", then as versions are counted, the highest first. */
function newestFirst(a: string, b: string): number {
	const isLatest = Number(b === 'latest') - Number(a === 'latest');
	return isLatest || b.localeCompare(a, 'en', { numeric: true });
}
