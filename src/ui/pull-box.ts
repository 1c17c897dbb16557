import {
	env,
	l10n,
	QuickPickItemKind,
	ThemeIcon,
	window,
	type Memento,
	type QuickPick,
	type QuickPickItem,
} from 'vscode';
import type { RegistryCalls } from '../api/registry-client';
import { formatAgo, formatBytes } from './amounts';
import { localSentence } from './failure';
import type { Model } from './model';
import { referenceProblem, splitRegistry } from './names';
import { referenceMessage } from './reference-message';
import { repositoryWithTag, TagSearch, type TagAnswer } from './tag-search';

const RECENT_KEY = 'pull.recent';
const MOST_RECENT = 20;
/** Rows of tags that are shown; typing more of a tag narrows them. */
const MOST_TAGS = 200;

export interface PullBox {
	readonly model: Model;
	readonly registries: RegistryCalls;
	/** References that were pulled before, the last first. */
	readonly recent: readonly string[];
}

/** A line of the box: what it pulls, or what choosing it does instead. */
interface Choice extends QuickPickItem {
	readonly reference?: string;
	readonly searchFor?: string;
}

/** References that were pulled in any window, the last first. */
export function recentPulls(memento: Memento): readonly string[] {
	return memento.get<string[]>(RECENT_KEY, []);
}

/** Puts the reference before the others. */
export async function rememberPull(memento: Memento, reference: string): Promise<void> {
	const others = recentPulls(memento).filter((one) => one !== reference);
	await memento.update(RECENT_KEY, [reference, ...others].slice(0, MOST_RECENT));
}

/**
 * Asks for an image. What was pulled lately and what is here is offered; after the colon of a tag the tags that the
 * registry has, and on request what it finds for a name: no registry is asked before. Whatever is typed may be pulled:
 * nothing makes Enter wait. Gives the reference, undefined when the person left.
 */
export async function askImage(parts: PullBox): Promise<string | undefined> {
	const box = window.createQuickPick<Choice>();
	const asker = new Asker(box, parts);
	try {
		return await asker.ask();
	} finally {
		asker.dispose();
		box.dispose();
	}
}

class Asker {
	private readonly tags: TagSearch;
	private readonly abort = new AbortController();
	/** What a registry found on request, until something else is typed. */
	private found: readonly Choice[] | undefined;
	/** Somebody has gone down the list since the last key. */
	private hasMoved = false;

	constructor(
		private readonly box: QuickPick<Choice>,
		private readonly parts: PullBox,
	) {
		this.tags = new TagSearch(parts.registries, () => {
			this.draw();
		});
	}

	ask(): Promise<string | undefined> {
		const { box } = this;
		box.title = l10n.t('Pull Image');
		box.placeholder = l10n.t('Name of the image, for example nginx:latest; a colon lists the tags of the registry');
		this.draw();
		return new Promise((resolve) => {
			box.onDidChangeValue(() => {
				this.found = undefined;
				this.hasMoved = false;
				this.draw();
			});
			box.onDidChangeActive(([active]) => {
				this.hasMoved = active !== undefined && active !== box.items[0];
			});
			box.onDidHide(() => {
				resolve(undefined);
			});
			box.onDidAccept(() => {
				const reference = this.accept();
				if (reference !== undefined) {
					resolve(reference);
				}
			});
			box.show();
		});
	}

	dispose(): void {
		this.abort.abort();
		this.tags.stop();
	}

	private get typed(): string {
		return this.box.value.trim();
	}

	/** The reference to pull; undefined when there is more to ask or something to correct. */
	private accept(): string | undefined {
		// The window may not have drawn the last key yet: Enter is for what was typed unless a person chose a line.
		const active = this.typed === '' || this.hasMoved ? this.box.activeItems[0] : undefined;
		if (active?.searchFor !== undefined && active.searchFor === this.typed) {
			void this.search(active.searchFor);
			return undefined;
		}
		if (active?.reference?.endsWith(':') === true) {
			// A repository that was found: its tags come next.
			this.box.value = active.reference;
			this.found = undefined;
			this.draw();
			return undefined;
		}
		const reference = (active?.reference ?? this.typed).replace(/:$/, '');
		const problem = referenceMessage(referenceProblem(reference), true);
		if (problem !== undefined) {
			this.draw(problem);
			return undefined;
		}
		return reference;
	}

	private draw(refusal?: string): void {
		const { typed } = this;
		const target = repositoryWithTag(typed);
		const isTagged = target !== undefined && referenceProblem(target.repository) === undefined;
		if (!isTagged) {
			this.tags.stop();
		}
		const answer: TagAnswer = isTagged ? this.tags.look(target.repository) : { state: 'none' };
		this.box.busy = answer.state === 'asking';
		const problem = refusal ?? referenceMessage(referenceProblem(typed.replace(/:$/, '')), false);
		this.box.items =
			problem !== undefined
				? [{ label: problem, iconPath: new ThemeIcon('error'), alwaysShow: true }]
				: [
						...typedChoice(typed, answer),
						...(this.found ?? []),
						...tagChoices(target, answer),
						...this.recentChoices(),
						...this.localChoices(),
						...(this.found === undefined && target === undefined ? searchChoice(typed) : []),
					];
	}

	private recentChoices(): Choice[] {
		const recent = this.parts.recent.filter((reference) => reference !== this.typed);
		return recent.length === 0
			? []
			: [
					{ label: l10n.t('Pulled lately'), kind: QuickPickItemKind.Separator },
					...recent.map((reference) => choice(reference, 'history', l10n.t('pulled lately'))),
				];
	}

	private localChoices(): Choice[] {
		const recent = new Set(this.parts.recent);
		const local = this.parts.model.images.filter(
			({ tag }) => tag !== undefined && tag !== this.typed && !recent.has(tag),
		);
		return local.length === 0
			? []
			: [
					{ label: l10n.t('On this machine'), kind: QuickPickItemKind.Separator },
					...local.map(({ name, size, created }) => choice(name, 'layers', localWords(size, created))),
				];
	}

	private async search(term: string): Promise<void> {
		const { registry, rest } = splitRegistry(term);
		this.box.busy = true;
		try {
			const found = await this.parts.registries.search(term, { limit: 50, signal: this.abort.signal });
			if (this.typed !== term) {
				return;
			}
			this.found =
				found.length === 0
					? [note(l10n.t('Nothing is called like “{0}” in {1}', rest, registry || 'Docker Hub'))]
					: found.map(({ name, description, star_count, is_official }) => ({
							...choice(
								`${registry === '' || name.startsWith(`${registry}/`) ? name : `${registry}/${name}`}:`,
								is_official ? 'verified' : 'repo',
								[
									...(is_official ? [l10n.t('official')] : []),
									...(star_count > 0 ? [`★ ${star_count.toLocaleString(env.language)}`] : []),
									description,
								].join(' · '),
							),
							label: name,
							alwaysShow: true,
						}));
		} catch (error) {
			if (this.abort.signal.aborted || this.typed !== term) {
				return;
			}
			this.found = [note(localSentence(error))];
		}
		this.draw();
	}
}

/** First, and with the label that was typed: VS Code sorts by how well a label matches, and Enter takes the first. */
function typedChoice(typed: string, answer: TagAnswer): Choice[] {
	if (typed === '') {
		return [];
	}
	const description = [l10n.t('pull'), ...answerWords(answer)].join(' · ');
	return [{ ...choice(typed.replace(/:$/, ''), 'cloud-download', description), label: typed, alwaysShow: true }];
}

function answerWords(answer: TagAnswer): string[] {
	switch (answer.state) {
		case 'none':
			return [];
		case 'asking':
			return [l10n.t('asking the registry for tags…')];
		case 'failed':
			return [l10n.t('no list of tags: {0}', localSentence(answer.reason))];
		case 'found':
			return answer.tags.length === 0 ? [l10n.t('the registry has no tags')] : [];
	}
}

function tagChoices(target: ReturnType<typeof repositoryWithTag>, answer: TagAnswer): Choice[] {
	if (target === undefined || answer.state !== 'found' || answer.tags.length === 0) {
		return [];
	}
	const { repository, tag } = target;
	const offered = answer.tags.filter((one) => one.includes(tag) && one !== tag).slice(0, MOST_TAGS);
	return [
		{ label: l10n.t('Tags in the registry'), kind: QuickPickItemKind.Separator },
		...offered.map((one) => choice(`${repository}:${one}`, 'tag', l10n.t('in the registry'))),
	];
}

function searchChoice(typed: string): Choice[] {
	const { registry, rest } = splitRegistry(typed);
	if (typed.length < 2 || typed.includes('@')) {
		return [];
	}
	const label =
		registry === '' ? l10n.t('Search Docker Hub for “{0}”', rest) : l10n.t('Search {0} for “{1}”', registry, rest);
	return [{ label, searchFor: typed, iconPath: new ThemeIcon('search'), alwaysShow: true }];
}

function choice(reference: string, icon: string, description: string): Choice {
	return { reference, label: reference, description, iconPath: new ThemeIcon(icon) };
}

/** A line that only says something. */
function note(label: string): Choice {
	return { label, iconPath: new ThemeIcon('info'), alwaysShow: true };
}

function localWords(size: number, created: number): string {
	const age = formatAgo(Math.max(Date.now() - created, 0) / 1000, env.language);
	return [formatBytes(size, env.language), ...(created > 0 ? [age] : []), l10n.t('on this machine')].join(' · ');
}
