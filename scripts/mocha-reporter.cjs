// One of mocha's reporters (MYDOCKER_TEST_REPORTER, Spec by default), which also leaves the counts, what failed and what
// passed only when it was tried again where scripts/test.mjs finds them.
'use strict';
const fs = require('node:fs');
const Mocha = require('mocha');

module.exports = class extends Mocha.reporters[process.env.MYDOCKER_TEST_REPORTER ?? 'Spec'] {
	constructor(runner, options) {
		super(runner, options);
		const repeated = [];
		runner.on('retry', (test, error) => {
			repeated.push(described(test, error));
		});
		runner.once('end', () => {
			const file = process.env.MYDOCKER_TEST_COUNTS;
			if (file) {
				const { passes, failures, pending } = this.stats;
				const counts = { passed: passes, failed: failures, skipped: pending };
				fs.writeFileSync(
					file,
					JSON.stringify({
						counts,
						failures: this.failures.map((test) => described(test, test.err)),
						repeated,
					}),
				);
			}
		});
	}
};

function described(test, error) {
	return `${test.fullTitle()}\n${error.stack ?? error.message}`;
}
