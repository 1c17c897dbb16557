import assert from 'node:assert/strict';
import { parseStatus } from '../../../src/ui/status';

describe('status', () => {
	const cases: readonly (readonly [text: string, facts: ReturnType<typeof parseStatus>])[] = [
		['Up Less than a second', { age: 0, isUnhealthy: false }],
		['Up 1 second', { age: 1, isUnhealthy: false }],
		['Up About a minute', { age: 60, isUnhealthy: false }],
		['Up About an hour (Paused)', { age: 3600, isUnhealthy: false }],
		['Up 3 weeks (unhealthy)', { age: 1_814_400, isUnhealthy: true }],
		['Exited (0) 2 minutes ago', { exitCode: 0, age: 120, isUnhealthy: false }],
		['Exited (137) 13 days ago', { exitCode: 137, age: 1_123_200, isUnhealthy: false }],
		['Restarting (1) 5 seconds ago', { exitCode: 1, age: 5, isUnhealthy: false }],
		['Created', { isUnhealthy: false }],
		['Dead', { isUnhealthy: false }],
		['', { isUnhealthy: false }],
	];
	for (const [text, facts] of cases) {
		it(`"${text}": reads exit code and age`, () => {
			assert.deepEqual(parseStatus(text), facts);
		});
	}
});
