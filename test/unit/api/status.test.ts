import * as assert from 'node:assert/strict';
import { humanDuration, statusText } from '../../../src/api/status';
import type { Container } from '../../../src/core/types';
import { container } from './records';

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

describe('status', () => {
	// As go-units' own test has them.
	const durations: [number, string][] = [
		[0.45, 'Less than a second'],
		[1, '1 second'],
		[45, '45 seconds'],
		[60, 'About a minute'],
		[119, 'About a minute'],
		[3 * MINUTE, '3 minutes'],
		[35 * MINUTE + 40, '35 minutes'],
		[59 * MINUTE + 59, '59 minutes'],
		[HOUR, 'About an hour'],
		[HOUR + 29 * MINUTE, 'About an hour'],
		[HOUR + 31 * MINUTE, '2 hours'],
		[3 * HOUR, '3 hours'],
		[3 * HOUR + 59 * MINUTE, '4 hours'],
		[47 * HOUR, '47 hours'],
		[48 * HOUR, '2 days'],
		[10 * DAY, '10 days'],
		[14 * DAY, '2 weeks'],
		[8 * 7 * DAY, '8 weeks'],
		[3 * 30 * DAY, '3 months'],
		[24 * 30 * DAY + DAY, '24 months'],
		[2 * 365 * DAY, '2 years'],
		[3 * 365 * DAY + 5 * DAY, '3 years'],
	];
	for (const [seconds, words] of durations) {
		it(`${seconds} s: ${words}`, () => {
			assert.equal(humanDuration(seconds), words);
		});
	}

	const started_at = '2026-01-01T00:00:00.000000000Z';
	const finished_at = '2026-01-01T00:00:05.000000000Z';
	const now = Date.parse('2026-01-01T00:02:05Z');
	const states: [Partial<Container>, string][] = [
		[{ status: 'created' }, 'Created'],
		[{ status: 'starting' }, 'Created'],
		[{ status: 'running', started_at }, 'Up 2 minutes'],
		[{ status: 'stopping', started_at }, 'Up 2 minutes'],
		[{ status: 'paused', started_at }, 'Up 2 minutes (Paused)'],
		[{ status: 'restarting', started_at, finished_at, exit_code: 3 }, 'Restarting (3) 2 minutes ago'],
		[{ status: 'exited', started_at, finished_at, exit_code: 137 }, 'Exited (137) 2 minutes ago'],
		[{ status: 'removing' }, 'Removal In Progress'],
		[{ status: 'dead' }, 'Dead'],
	];
	for (const [changes, words] of states) {
		it(`${changes.status ?? ''}: ${words}`, () => {
			assert.equal(statusText(container(changes), now), words);
		});
	}
});
