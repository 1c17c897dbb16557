// One of mocha's reporters (MYDOCKER_TEST_REPORTER, Spec by default), which also leaves the counts and what failed
// where scripts/test.mjs finds them.
'use strict';
const fs = require('node:fs');
const Mocha = require('mocha');

module.exports = class extends Mocha.reporters[process.env.MYDOCKER_TEST_REPORTER ?? 'Spec'] {
	constructor(runner, options) {
		super(runner, options);
		runner.once('end', () => {
			const file = process.env.MYDOCKER_TEST_COUNTS;
			if (file) {
				const { passes, failures, pending } = this.stats;
				const counts = { passed: passes, failed: failures, skipped: pending };
				fs.writeFileSync(file, JSON.stringify({ counts, failures: this.failures.map(described) }));
			}
		});
	}
};

function described(test) {
	return `${test.fullTitle()}\n${test.err.stack ?? test.err.message}`;
}
