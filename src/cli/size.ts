const UNITS = ['b', 'k', 'm', 'g', 't', 'p'];

/**
 * Bytes of "512", "10m", "1.5GiB": docker's notation for memory, in powers of 1024. Gives docker's reason as text when
 * it cannot be read, for the caller to say of which flag.
 */
export function parseSize(value: string): number | string {
	const match = /^(.*[\d.]) ?([^\d. ]*)$/.exec(value);
	if (match === null) {
		return `invalid size: '${value}'`;
	}
	const [, digits = '', suffix = ''] = match;
	if (!/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(digits)) {
		return `strconv.ParseFloat: parsing ${JSON.stringify(digits)}: invalid syntax`;
	}
	if (digits.startsWith('-')) {
		return `invalid size: '${value}'`;
	}
	const unit = /^(?:b|([kmgtp])(?:i?b)?)?$/.exec(suffix.toLowerCase());
	if (unit === null) {
		return `invalid suffix: '${suffix.toLowerCase()}'`;
	}
	return Math.trunc(Number(digits) * 1024 ** UNITS.indexOf(unit[1] ?? 'b'));
}
