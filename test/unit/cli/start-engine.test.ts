import * as assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { ENVIRONMENT } from '../../../src/api/connect';

describe('start-engine.pl', () => {
	it('lets an engine inherit what api/connect does', () => {
		const [, pattern] =
			/my \$inherited = qr\/(.*)\/i;/.exec(fs.readFileSync('src/cli/start-engine.pl', 'utf8')) ?? [];
		assert.equal(pattern, ENVIRONMENT.source);
	});
});
