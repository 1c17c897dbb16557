// One of mocha's reporters (MYDOCKER_TEST_REPORTER, Spec by default), which also leaves the counts where
// scripts/test.mjs finds them.
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
				fs.writeFileSync(file, JSON.stringify({ passed: passes, failed: failures, skipped: pending }));
			}
		});
	}
};
