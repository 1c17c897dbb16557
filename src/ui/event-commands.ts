import { l10n, window, type QuickPickItem } from 'vscode';
import { ask } from './ask';
import { EVENT_KINDS, type EventKind } from './event-log';
import { kindWords } from './events';
import type { Parts } from './parts';
import { containersFor } from './pick';

/** Follow Events: those of one container. */
export async function showContainerEvents(
	{ model, events }: Pick<Parts, 'model' | 'events'>,
	...called: unknown[]
): Promise<void> {
	const [id] = await containersFor(model, called.slice(0, 1), {
		title: l10n.t('Follow Events'),
		none: l10n.t('There are no containers yet.'),
	});
	if (id !== undefined) {
		await events.show(model.container(id)?.name ?? id);
	}
}

/** Filter Events…: which kinds, then of what. */
export async function filterEvents({ events }: Pick<Parts, 'events'>): Promise<void> {
	const items = EVENT_KINDS.map((kind): QuickPickItem & { value: EventKind } => ({
		value: kind,
		label: kindWords(kind),
		picked: events.choices.kinds.includes(kind),
	}));
	const picked = await window.showQuickPick(items, {
		title: l10n.t('Filter Events (1 of 2)'),
		placeHolder: l10n.t('Kinds of events to show'),
		canPickMany: true,
	});
	if (picked === undefined) {
		return;
	}
	events.choose({ kinds: picked.map(({ value }) => value) });
	const text = await ask({
		title: l10n.t('Filter Events (2 of 2)'),
		prompt: l10n.t('Part of a name or the beginning of an ID, or nothing for all'),
		value: events.choices.text,
	});
	if (typeof text === 'string') {
		events.choose({ text: text.trim() });
	}
}
