import { env, l10n, QuickPickItemKind, window, type QuickPickItem } from 'vscode';
import { formatBytes } from './amounts';
import { Notice } from './failure';

/** Something that may go. */
export interface Candidate {
	readonly key: string;
	readonly label: string;
	readonly description: string;
	/** What is freed; undefined when it is not known, or not worth a figure. */
	readonly bytes: number | undefined;
	/** Checked from the start. */
	readonly isPicked: boolean;
	/** The line above it and all others of its group, which stand together; each group is sorted for itself. */
	readonly group?: string;
}

export interface Checklist {
	readonly title: string;
	/** Said when there are no candidates. */
	readonly none: string;
	/** What is lost with what is checked. */
	readonly warning: string;
}

interface Choice extends QuickPickItem {
	/** Undefined for a line between groups. */
	readonly candidate?: Candidate;
}

/**
 * Shows what may be removed as a list in which a person unchecks what stays, the biggest first, with the bytes of what
 * is checked. Gives the keys that are to go, [] when the person left. Throws a Notice when there is nothing.
 */
export async function check(candidates: readonly Candidate[], checklist: Checklist): Promise<readonly string[]> {
	if (candidates.length === 0) {
		throw new Notice(checklist.none);
	}
	const box = window.createQuickPick<Choice>();
	try {
		box.placeholder = checklist.warning;
		box.canSelectMany = true;
		box.matchOnDescription = true;
		box.items = choices(candidates);
		box.selectedItems = box.items.filter(({ candidate }) => candidate?.isPicked);
		const checked = (): Candidate[] => box.selectedItems.flatMap(({ candidate }) => candidate ?? []);
		const tell = (): void => {
			box.title = `${checklist.title} · ${selectionWords(checked())}`;
		};
		tell();
		return await new Promise((resolve) => {
			box.onDidChangeSelection(tell);
			box.onDidAccept(() => {
				resolve(checked().map(({ key }) => key));
			});
			box.onDidHide(() => {
				resolve([]);
			});
			box.show();
		});
	} finally {
		box.dispose();
	}
}

function choices(candidates: readonly Candidate[]): Choice[] {
	const sorted = candidates.toSorted((a, b) => (b.bytes ?? 0) - (a.bytes ?? 0));
	const names = [...new Set(candidates.map(({ group }) => group))];
	return names.flatMap((name): Choice[] => [
		...(name === undefined ? [] : [{ label: name, kind: QuickPickItemKind.Separator }]),
		...sorted
			.filter(({ group }) => group === name)
			.map((candidate) => ({ candidate, label: candidate.label, description: words(candidate) })),
	]);
}

function words({ description, bytes }: Candidate): string {
	return [...(bytes === undefined ? [] : [formatBytes(bytes, env.language)]), description]
		.filter((text) => text !== '')
		.join(' · ');
}

function selectionWords(candidates: readonly Candidate[]): string {
	const bytes = candidates.reduce((sum, candidate) => sum + (candidate.bytes ?? 0), 0);
	const count = candidates.length.toLocaleString(env.language);
	return candidates.some((candidate) => candidate.bytes !== undefined)
		? l10n.t('{0} checked, {1}', count, formatBytes(bytes, env.language))
		: l10n.t('{0} checked', count);
}
