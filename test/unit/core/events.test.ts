import assert from 'node:assert/strict';
import fc from 'fast-check';
import { Events, nowNanoseconds, rfc3339 } from '../../../src/core/events';

describe('Events', () => {
	it('tells each listener until it unsubscribes', () => {
		const events = new Events();
		const seen: string[] = [];
		const unsubscribe = events.subscribe((event) => seen.push(`${event.type} ${event.action} ${event.id}`));
		events.emit('image', 'pull', 'nginx:latest');
		unsubscribe();
		events.emit('image', 'tag', 'nginx:1');
		assert.deepEqual(seen, ['image pull nginx:latest']);
	});

	it('keeps the last thousand for those who ask since when', () => {
		const events = new Events();
		for (let index = 0; index < 1001; index++) {
			events.emit('container', 'start', String(index));
		}
		const kept = events.since(0n);
		assert.equal(kept.length, 1000);
		assert.equal(kept[0]?.id, '1');
		assert.deepEqual(
			events.since(kept[998]?.time ?? 0n).map((event) => event.id),
			['999', '1000'],
		);
	});
});

describe('time', () => {
	it('nowNanoseconds never goes back or stands still', () => {
		let last = nowNanoseconds();
		for (let index = 0; index < 1000; index++) {
			const now = nowNanoseconds();
			assert.ok(now > last);
			last = now;
		}
	});

	it('rfc3339 has nine digits and agrees with Date', () => {
		assert.equal(rfc3339(1_763_999_981_660_624_100n), '2025-11-24T15:59:41.660624100Z');
		fc.assert(
			fc.property(fc.bigInt({ min: 0n, max: 4_102_444_800_000_000_000n }), (nanoseconds) => {
				const text = rfc3339(nanoseconds);
				assert.match(text, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z$/);
				assert.equal(Date.parse(text.slice(0, 23) + 'Z'), Number(nanoseconds / 1_000_000n));
			}),
		);
	});
});
