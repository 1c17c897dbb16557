import assert from 'node:assert/strict';
import type { NetworkRow } from '../../../src/ui/rows';
import { subnetProblem } from '../../../src/ui/subnet';

describe('subnets', () => {
	const networks = [{ name: 'app', subnets: ['10.90.0.0/16'] }] as unknown as NetworkRow[];

	it('nothing and IPv6: are for the engine to judge', () => {
		assert.deepEqual(
			['', 'fd00::/64'].map((text) => subnetProblem(text, networks)),
			[undefined, undefined],
		);
	});

	it('what is no subnet: is told', () => {
		assert.deepEqual(
			['10.1.0.0', '10.1.0.256/24', '10.1.0.0/33', 'x'].map((text) => subnetProblem(text, networks)?.kind),
			['malformed', 'malformed', 'malformed', 'malformed'],
		);
	});

	it('addresses of another network: are told with its name, however the subnets overlap', () => {
		assert.deepEqual(
			['10.90.5.0/24', '10.0.0.0/8', '10.91.0.0/16'].map((text) => subnetProblem(text, networks)),
			[{ kind: 'taken', network: 'app' }, { kind: 'taken', network: 'app' }, undefined],
		);
	});
});
