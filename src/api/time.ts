/**
 * Times as people and the API write them. Everything is text or nanoseconds in a bigint, because Unix nanoseconds do
 * not fit in a number.
 */

const UNITS: Readonly<Record<string, bigint>> = {
	ns: 1n,
	us: 1_000n,
	µs: 1_000n,
	ms: 1_000_000n,
	s: 1_000_000_000n,
	m: 60_000_000_000n,
	h: 3_600_000_000_000n,
};

/**
 * Gives Unix seconds with nine digits of fraction, as the API's since and until take them, for RFC 3339 (also without
 * zone, time or seconds: then local, as in docker's CLI), Unix seconds with fraction, or a duration before `now` such
 * as "10m" or "1h30m". Throws RangeError for anything else.
 */
export function parseTime(text: string, now: bigint = BigInt(Date.now()) * 1_000_000n): string {
	const unix = parseUnixTime(text);
	if (unix !== undefined) {
		return formatUnixTime(unix);
	}
	const duration = parseDuration(text);
	if (duration !== undefined) {
		return formatUnixTime(now - duration);
	}
	const calendar = parseCalendarTime(text);
	if (calendar !== undefined) {
		return formatUnixTime(calendar);
	}
	throw new RangeError(`invalid value for time "${text}": give RFC 3339, Unix seconds or a duration such as 10m`);
}

/** "1700000000" or "1700000000.123456789" in nanoseconds; undefined for anything else. */
export function parseUnixTime(text: string): bigint | undefined {
	const match = /^(-?\d{1,11})(?:\.(\d{1,9})\d*)?$/.exec(text);
	if (match === null) {
		return undefined;
	}
	const [, seconds = '0', fraction = ''] = match;
	const nanoseconds = BigInt(fraction.padEnd(9, '0'));
	return BigInt(seconds) * 1_000_000_000n + (seconds.startsWith('-') ? -nanoseconds : nanoseconds);
}

export function formatUnixTime(nanoseconds: bigint): string {
	const sign = nanoseconds < 0n ? '-' : '';
	const absolute = nanoseconds < 0n ? -nanoseconds : nanoseconds;
	return `${sign}${absolute / 1_000_000_000n}.${String(absolute % 1_000_000_000n).padStart(9, '0')}`;
}

/** Go's duration ("1h30m", "1.5s", "-3s") in nanoseconds; undefined for anything else. */
export function parseDuration(text: string): bigint | undefined {
	const match = /^([+-]?)((?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|µs|ms|s|m|h))+$/.exec(text);
	if (match === null || text.length > 64) {
		return undefined;
	}
	let total = 0n;
	for (const [, whole = '', fraction = '', unit = ''] of text.matchAll(/(\d*)(?:\.(\d*))?(ns|us|µs|ms|s|m|h)/g)) {
		const size = UNITS[unit] ?? 0n;
		total += BigInt(whole || '0') * size + (BigInt(fraction || '0') * size) / 10n ** BigInt(fraction.length);
	}
	return match[1] === '-' ? -total : total;
}

function parseCalendarTime(text: string): bigint | undefined {
	const match = /^(\d{4}-\d\d-\d\d)(?:T(\d\d:\d\d(?::\d\d)?)(?:\.(\d{1,9})\d*)?)?(Z|[+-]\d\d:\d\d)?$/.exec(text);
	if (match === null) {
		return undefined;
	}
	const [, date = '', time = '00:00:00', fraction = '', zone = ''] = match;
	const milliseconds = Date.parse(`${date}T${time.length === 5 ? `${time}:00` : time}${zone}`);
	return Number.isNaN(milliseconds) ? undefined : BigInt(milliseconds) * 1_000_000n + BigInt(fraction.padEnd(9, '0'));
}
