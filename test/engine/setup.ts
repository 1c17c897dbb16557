import { existsSync } from 'node:fs';
import { dist, hasProgram, lastOfEngines } from './workspace';

/** Programs that the engine tier cannot do without. */
const NEEDED = ['docker-registry', 'runc', 'busybox'];

/** A real dockerd can run here: it wants root. */
export const hasDocker = process.getuid?.() === 0 && hasProgram('dockerd');

// Registered once a bundle, at mocha's root: says in one sentence what is missing instead of failing case by case.
before('the machine has what the engine tier needs', () => {
	const missing = NEEDED.filter((program) => !hasProgram(program));
	if (missing.length > 0) {
		throw new Error(
			`The engine tests need ${missing.join(', ')}: apt-get install docker-registry runc busybox-static`,
		);
	}
	if (!existsSync(`${dist}/engine.js`)) {
		throw new Error(`There is no ${dist}/engine.js: node scripts/build.mjs`);
	}
});

const shared = globalThis as { mydockerTellsEngines?: true };
if (shared.mydockerTellsEngines === undefined) {
	shared.mydockerTellsEngines = true;
	afterEach('the engines of a test that failed tell what they did last', function () {
		if (this.currentTest?.state === 'failed') {
			process.stdout.write(`${lastOfEngines()}\n`);
		}
	});
}
