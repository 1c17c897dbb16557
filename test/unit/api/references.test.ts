import * as assert from 'node:assert/strict';
import { splitReference } from '../../../src/api/references';

describe('references in requests', () => {
	const digest = `sha256:${'a'.repeat(64)}`;
	const cases: [string, string, string | undefined][] = [
		['nginx', 'nginx', undefined],
		['nginx:1', 'nginx', '1'],
		['localhost:5000/a', 'localhost:5000/a', undefined],
		['localhost:5000/a/b:1', 'localhost:5000/a/b', '1'],
		[`nginx@${digest}`, 'nginx', digest],
		[`localhost:5000/a:1@${digest}`, 'localhost:5000/a', digest],
		['nginx:', 'nginx:', undefined],
		['nginx@', 'nginx@', undefined],
		['nginx:1@', 'nginx:1@', undefined],
	];
	for (const [reference, name, tag] of cases) {
		it(`${reference}: ${name} and ${tag ?? 'no tag'}`, () => {
			assert.deepEqual(splitReference(reference), { name, tag });
		});
	}
});
