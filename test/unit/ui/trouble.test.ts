import assert from 'node:assert/strict';
import { Watch } from '../../../src/ui/trouble';

describe('trouble', () => {
	const event = (Action: string, time: number, exitCode?: string, id = 'a') => ({
		Type: 'container',
		Action,
		Actor: { ID: id, ...(exitCode === undefined ? {} : { Attributes: { exitCode } }) },
		time,
	});
	const told = (...events: ReturnType<typeof event>[]): (string | undefined)[] => {
		const watch = new Watch();
		return events.map((each) => watch.receive(each));
	};

	it('crash loop: three failures within two minutes, told once in ten', () => {
		const die = (time: number) => event('die', time, '1');
		assert.deepEqual(told(die(0), die(10), die(20), die(30)), [undefined, undefined, 'crash-loop', undefined]);
		assert.deepEqual(told(die(0), die(100), die(200)), [undefined, undefined, undefined]);
		assert.deepEqual(told(die(0), die(10), die(20), die(900), die(910), die(920))[5], 'crash-loop');
	});

	it('containers that were asked to end, and different ones: are no loop', () => {
		assert.deepEqual(
			told(...['0', '130', '137', '143', '137'].map((code, index) => event('die', index, code))),
			Array(5).fill(undefined),
		);
		assert.deepEqual(
			told(...['a', 'b', 'c'].map((id, index) => event('die', index, '1', id))),
			Array(3).fill(undefined),
		);
	});

	it('out of memory, unhealthy: are told at once', () => {
		assert.deepEqual(
			told(event('oom', 1), event('health_status: unhealthy', 2), event('health_status: healthy', 3)),
			['oom', 'unhealthy', undefined],
		);
	});
});
