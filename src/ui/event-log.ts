import type { EventMessage } from '../api/types';
import { bare } from './engine-keys';

export const EVENT_KINDS = ['container', 'image', 'network', 'volume', 'exec'] as const;
/** As the engine's types, but the processes that are started in containers (health checks too) are a kind of their own. */
export type EventKind = (typeof EVENT_KINDS)[number];

/** Which events are shown. */
export interface EventChoices {
	readonly kinds: readonly EventKind[];
	/** Part of a name or an id; "" for all. */
	readonly text: string;
}

/** One event as a row needs it. */
export interface EventEntry {
	readonly key: string;
	readonly kind: EventKind;
	/** The engine's verb without its detail: "exec_start", "health_status". */
	readonly action: string;
	/** What follows the verb: the command, the health. */
	readonly detail: string;
	readonly id: string;
	/** What it is about, as people call it. */
	readonly name: string;
	readonly attributes: Readonly<Record<string, string>>;
	/** Unix milliseconds. */
	readonly time: number;
}

/** Newest events that are kept. */
export const MOST_EVENTS = 1000;

/** The event with the key of its actor's row. */
export function keyedEvent(event: EventMessage, keyOf: (id: string) => string): EventMessage {
	return { ...event, Actor: { ...event.Actor, ID: keyOf(event.Actor.ID) } };
}

/** The engine's events, newest first, each once, however often and in whatever order they are told. */
export class EventLog {
	private readonly entries: EventEntry[] = [];
	private readonly byKey = new Map<string, EventEntry>();

	/** Gives whether there is something new. */
	add(messages: readonly EventMessage[]): boolean {
		let isNew = false;
		for (const entry of messages.map(entryOf)) {
			if (entry !== undefined && !this.byKey.has(entry.key)) {
				this.byKey.set(entry.key, entry);
				this.insert(entry);
				isNew = true;
			}
		}
		for (const old of this.entries.splice(MOST_EVENTS)) {
			this.byKey.delete(old.key);
		}
		return isNew;
	}

	find(key: string): EventEntry | undefined {
		return this.byKey.get(key);
	}

	/** Those that are wanted, newest first. */
	shown({ kinds, text }: EventChoices): EventEntry[] {
		const wanted = text.toLowerCase();
		return this.entries.filter(
			({ kind, name, id }) =>
				kinds.includes(kind) &&
				(name.toLowerCase().includes(wanted) || bare(id).toLowerCase().startsWith(wanted)),
		);
	}

	private insert(entry: EventEntry): void {
		const index = this.entries.findIndex((other) => other.time <= entry.time);
		this.entries.splice(index < 0 ? this.entries.length : index, 0, entry);
	}
}

function entryOf({ Type, Action, Actor, time, timeNano }: EventMessage): EventEntry | undefined {
	const [action = '', ...detail] = Action.split(': ');
	const kind = EVENT_KINDS.find((each) => each === (action.startsWith('exec_') ? 'exec' : Type));
	if (kind === undefined) {
		return undefined;
	}
	const attributes = Actor.Attributes ?? {};
	return {
		key: `event ${timeNano ?? time} ${Type} ${action} ${Actor.ID}`,
		kind,
		action,
		detail: detail.join(': '),
		id: Actor.ID,
		name: attributes['name'] ?? bare(Actor.ID),
		attributes,
		time: timeNano === undefined ? time * 1000 : timeNano / 1e6,
	};
}
