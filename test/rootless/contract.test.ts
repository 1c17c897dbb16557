import * as assert from 'node:assert/strict';
import type { Suite } from 'mocha';
import { contractOf } from '../engine/contract';
import '../engine/setup';
import { pushImages, startRegistries, type Images, type Registries } from '../engine/subject';
import { Workspace } from '../engine/workspace';
import { IMPOSSIBLE } from './impossible';
import { rootlessEngine, rootlessProblem } from './user';

describe('engine contract', function () {
	const problem = rootlessProblem();
	if (problem !== undefined) {
		it(`rootless: not tried, since ${problem}`);
		return;
	}
	let registries: Registries;
	let images: Images;
	const shared = new Workspace('registries');

	before(async () => {
		registries = await startRegistries(shared);
		images = await pushImages(registries);
	});

	after(() => shared.dispose());

	contractOf({ name: 'rootless', start: rootlessEngine }, () => ({ images, registries }));
	setAside(this, IMPOSSIBLE);
});

/** Cases that cannot hold for an ordinary user stay visible, each with its reason; a row that fits none is a mistake. */
function setAside(suite: Suite, reasons: Readonly<Record<string, string>>): void {
	const found = new Set<string>();
	const visit = (each: Suite): void => {
		each.tests = each.tests.map((test) => {
			const reason = reasons[test.title];
			if (reason === undefined) {
				return test;
			}
			found.add(test.title);
			const pending = test.clone();
			pending.title = `${test.title}: not as an ordinary user, since ${reason}`;
			pending.pending = true;
			pending.parent = each;
			return pending;
		});
		each.suites.forEach(visit);
	};
	visit(suite);
	assert.deepEqual(
		Object.keys(reasons).filter((title) => !found.has(title)),
		[],
		'rows of impossible.ts without a case',
	);
}
