import * as assert from 'node:assert/strict';
import { formatUnixTime, parseDuration, parseTime, parseUnixTime } from '../../../src/api/time';

const NOW = 1_700_000_000_000_000_000n;

describe('times', () => {
	const cases: [string, string][] = [
		['1700000000', '1700000000.000000000'],
		['1700000000.5', '1700000000.500000000'],
		['1700000000.123456789', '1700000000.123456789'],
		['10m', '1699999400.000000000'],
		['1h30m', '1699994600.000000000'],
		['1.5s', '1699999998.500000000'],
		['0s', '1700000000.000000000'],
		['-10s', '1700000010.000000000'],
		['2026-11-24T15:39:41.660624100Z', '1795534781.660624100'],
		['2026-11-24T15:39:41+01:00', '1795531181.000000000'],
		['2026-11-24T15:39Z', '1795534740.000000000'],
	];
	for (const [text, seconds] of cases) {
		it(`${text}: ${seconds}`, () => {
			assert.equal(parseTime(text, NOW), seconds);
		});
	}

	it('without zone: local, as in docker', () => {
		const local = BigInt(new Date(2026, 10, 24, 15, 39, 41).getTime()) * 1_000_000n;
		assert.equal(parseTime('2026-11-24T15:39:41', NOW), formatUnixTime(local));
		const midnight = BigInt(new Date(2026, 10, 24).getTime()) * 1_000_000n;
		assert.equal(parseTime('2026-11-24', NOW), formatUnixTime(midnight));
	});

	for (const text of [
		'',
		'yesterday',
		'10',
		'10x',
		'2026-13-45',
		'1e9',
		'1700000000.',
		' 10m',
		'10m ',
		'1'.repeat(500),
	]) {
		const isUnix = text === '10';
		it(`"${text.slice(0, 12)}": ${isUnix ? 'is Unix time' : 'is refused'}`, () => {
			if (isUnix) {
				assert.equal(parseTime(text, NOW), '10.000000000');
			} else {
				assert.throws(() => parseTime(text, NOW), RangeError);
			}
		});
	}

	it('Unix time: exact in nanoseconds, also before 1970', () => {
		assert.equal(parseUnixTime('1.000000001'), 1_000_000_001n);
		assert.equal(parseUnixTime('-1.5'), -1_500_000_000n);
		assert.equal(formatUnixTime(-1_500_000_000n), '-1.500000000');
		assert.equal(parseUnixTime('0x10'), undefined);
	});

	it("Go's durations: all units", () => {
		assert.equal(parseDuration('1h2m3s4ms5us6ns'), 3_723_004_005_006n);
		assert.equal(parseDuration('.5m'), 30_000_000_000n);
		assert.equal(parseDuration('5'), undefined);
		assert.equal(parseDuration('s'), undefined);
	});
});
