import assert from 'node:assert/strict';
import { parseStatus } from '../../../src/ui/status';

describe('status', () => {
	const cases: readonly (readonly [text: string, facts: ReturnType<typeof parseStatus>])[] = [
		['Up Less than a second', { age: 0 }],
		['Up 1 second', { age: 1 }],
		['Up About a minute', { age: 60 }],
		['Up About an hour (Paused)', { age: 3600 }],
		['Up 3 weeks (unhealthy)', { age: 1_814_400 }],
		['Exited (0) 2 minutes ago', { exitCode: 0, age: 120 }],
		['Exited (137) 13 days ago', { exitCode: 137, age: 1_123_200 }],
		['Restarting (1) 5 seconds ago', { exitCode: 1, age: 5 }],
		['Created', {}],
		['Dead', {}],
		['', {}],
	];
	for (const [text, facts] of cases) {
		it(`"${text}": reads exit code and age`, () => {
			assert.deepEqual(parseStatus(text), facts);
		});
	}
});
