import * as assert from 'node:assert/strict';
import * as fc from 'fast-check';
import {
	age,
	duration,
	ellipsis,
	localTime,
	memorySize,
	portList,
	rfc3339,
	shortId,
	size,
} from '../../../src/cli/format';

describe('format', () => {
	const zone = process.env['TZ'];
	afterEach(() => {
		process.env['TZ'] = zone ?? '';
		if (zone === undefined) {
			delete process.env['TZ'];
		}
	});

	it('sizes: decimal, three digits', () => {
		assert.deepEqual(
			[0, 1, 999, 1000, 1234, 4261550, 77_826_123, 1_982_375, 999_600, 123_456_789_012].map((bytes) =>
				size(bytes),
			),
			['0B', '1B', '999B', '1kB', '1.23kB', '4.26MB', '77.8MB', '1.98MB', '1MB', '123GB'],
		);
		assert.equal(size(2_220_094, 4), '2.22MB');
		assert.equal(size(1_982_375, 4), '1.982MB');
	});

	it('memory: binary, four digits', () => {
		assert.deepEqual([0, 1024, 25_276_190_720, 8 * 2 ** 30].map(memorySize), ['0B', '1KiB', '23.54GiB', '8GiB']);
	});

	it('a size never has more than four digits before its unit', () => {
		fc.assert(
			fc.property(fc.nat({ max: Number.MAX_SAFE_INTEGER }), (bytes) =>
				/^\d{1,3}(\.\d+)?[kMGTPE]?B$/.test(size(bytes)),
			),
		);
	});

	it('durations in docker’s words', () => {
		const second = 1000;
		const hour = 3600 * second;
		const day = 24 * hour;
		const cases: readonly (readonly [number, string])[] = [
			[-5, 'Less than a second'],
			[999, 'Less than a second'],
			[second, '1 second'],
			[59 * second, '59 seconds'],
			[60 * second, 'About a minute'],
			[120 * second, '2 minutes'],
			[59 * 60 * second, '59 minutes'],
			[hour, 'About an hour'],
			[1.4 * hour, 'About an hour'],
			[1.5 * hour, '2 hours'],
			[47 * hour, '47 hours'],
			[2 * day, '2 days'],
			[13 * day, '13 days'],
			[14 * day, '2 weeks'],
			[59 * day, '8 weeks'],
			[60 * day, '2 months'],
			[729 * day, '24 months'],
			[730 * day, '2 years'],
		];
		assert.deepEqual(
			cases.map(([milliseconds]) => duration(milliseconds)),
			cases.map(([, words]) => words),
		);
		assert.equal(age(1_700_000_000, 1_700_000_000_000 + 21 * day), '3 weeks ago');
	});

	it('times are local', () => {
		process.env['TZ'] = 'UTC';
		assert.equal(localTime(1_700_000_000), '2023-11-14 22:13:20 +0000 UTC');
		assert.equal(rfc3339(1_700_000_000_012_345_678n), '2023-11-14T22:13:20.012345678Z');
		process.env['TZ'] = 'Asia/Shanghai';
		assert.match(localTime(1_700_000_000), /^2023-11-15 06:13:20 \+0800 /);
		assert.equal(rfc3339(1_700_000_000_000_000_001n), '2023-11-15T06:13:20.000000001+08:00');
		process.env['TZ'] = 'America/St_Johns';
		assert.equal(rfc3339(1_700_000_000_000_000_000n), '2023-11-14T18:43:20.000000000-03:30');
	});

	it('ids and long words are cut', () => {
		assert.equal(shortId(`sha256:${'0123456789ab'.repeat(6)}`.slice(0, 71)), '0123456789ab');
		assert.deepEqual([ellipsis('abc', 3), ellipsis('abcd', 3), ellipsis('a😀😀b', 3)], ['abc', 'ab…', 'a😀…']);
	});

	it('ports: neighbours become a range, mapped ones follow', () => {
		const tcp = (IP: string, PrivatePort: number, PublicPort: number): object => ({
			IP,
			PrivatePort,
			PublicPort,
			Type: 'tcp',
		});
		assert.equal(portList([]), '');
		assert.equal(
			portList([
				{ PrivatePort: 443, Type: 'tcp' },
				tcp('0.0.0.0', 80, 8080) as never,
				tcp('::', 80, 8080) as never,
				tcp('0.0.0.0', 91, 91) as never,
				tcp('0.0.0.0', 90, 90) as never,
				{ PrivatePort: 53, Type: 'udp' },
			]),
			'53/udp, 0.0.0.0:90-91->90-91/tcp, 443/tcp, 0.0.0.0:8080->80/tcp, [::]:8080->80/tcp',
		);
	});
});
