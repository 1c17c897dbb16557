import type { EventMessage } from './types';

/** Podman's own words for what Docker calls otherwise, and its events about volumes without an ID, in Docker's words. */
export function dockersEvent(message: EventMessage): EventMessage {
	const { Type, Action, Actor } = message;
	if (Action !== 'remove' || (Type !== 'container' && Type !== 'volume')) {
		return message;
	}
	return {
		...message,
		Action: 'destroy',
		Actor: { ...Actor, ID: Actor.ID || (Actor.Attributes?.['name'] ?? '') },
	};
}
