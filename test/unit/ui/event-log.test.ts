import assert from 'node:assert/strict';
import type { EventMessage } from '../../../src/api/types';
import { EVENT_KINDS, EventLog, MOST_EVENTS } from '../../../src/ui/event-log';

const event = (time: number, action: string, name = 'web', Type = 'container'): EventMessage => ({
	Type,
	Action: action,
	Actor: { ID: `id-of-${name}`, Attributes: { name } },
	time,
	timeNano: time * 1e9,
});
const all = { kinds: EVENT_KINDS, text: '' };

describe('EventLog', () => {
	it('add: newest first, in whatever order they come, and each once', () => {
		const log = new EventLog();
		assert.equal(log.add([event(2, 'start'), event(1, 'create')]), true);
		assert.equal(log.add([event(3, 'die'), event(2, 'start')]), true);
		assert.equal(log.add([event(1, 'create')]), false);
		assert.deepEqual(
			log.shown(all).map(({ action }) => action),
			['die', 'start', 'create'],
		);
	});

	it('add: keeps the newest thousand', () => {
		const log = new EventLog();
		log.add(Array.from({ length: MOST_EVENTS + 10 }, (_, index) => event(index, 'start')));
		const shown = log.shown(all);
		assert.deepEqual([shown.length, shown.at(-1)?.time], [MOST_EVENTS, 10_000]);
		assert.equal(log.find('event 0 container start id-of-web'), undefined);
	});

	it('shown: by kind, and by part of a name or the beginning of an id', () => {
		const log = new EventLog();
		log.add([
			event(1, 'start', 'my-web'),
			event(2, 'exec_start: sh -c ls: all', 'my-web'),
			event(3, 'pull', 'demo/web:latest', 'image'),
			event(4, 'start', 'other'),
			event(5, 'reload', 'daemon', 'daemon'),
		]);
		const words = (choices: Parameters<EventLog['shown']>[0]): string[] =>
			log.shown(choices).map(({ kind, action, detail, name }) => [kind, action, detail, name].join('|'));
		assert.deepEqual(words({ kinds: ['container', 'image'], text: 'WEB' }), [
			'image|pull||demo/web:latest',
			'container|start||my-web',
		]);
		assert.deepEqual(words({ kinds: ['exec'], text: '' }), ['exec|exec_start|sh -c ls: all|my-web']);
		assert.deepEqual(words({ kinds: EVENT_KINDS, text: 'id-of-oth' }), ['container|start||other']);
	});
});
