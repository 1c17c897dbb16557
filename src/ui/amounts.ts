/** Sizes, durations and ages in the words of the user's language (`locale` is a BCP 47 tag such as "zh-cn"). */

const STEPS: readonly (readonly [unit: Intl.RelativeTimeFormatUnit, seconds: number])[] = [
	['year', 31_536_000],
	['month', 2_592_000],
	['week', 604_800],
	['day', 86_400],
	['hour', 3600],
	['minute', 60],
	['second', 1],
];

/** Powers of a thousand. */
const BYTES = ['kilobyte', 'megabyte', 'gigabyte', 'terabyte'];

/** "716 B", "34.1 MB": decimal units, as docker counts. */
export function formatBytes(bytes: number, locale: string): string {
	if (bytes < 1000) {
		// What Intl has for a byte is a word in most languages.
		return `${Math.round(bytes)} B`;
	}
	const power = Math.min(Math.floor(Math.log10(bytes) / 3), BYTES.length);
	return numberFormat(locale, BYTES[power - 1] ?? 'kilobyte', 'short').format(bytes / 1000 ** power);
}

/** "2 minutes", "3 hours": the largest whole unit. */
export function formatDuration(seconds: number, locale: string): string {
	const [unit, count] = largestUnit(seconds);
	return numberFormat(locale, unit, 'long').format(count);
}

/** "2 minutes ago", "3 weeks ago". */
export function formatAgo(seconds: number, locale: string): string {
	const [unit, count] = largestUnit(seconds);
	return relativeFormat(locale).format(-count, unit);
}

function largestUnit(seconds: number): readonly [unit: Intl.RelativeTimeFormatUnit, count: number] {
	const [unit, length] = STEPS.find(([, length]) => seconds >= length) ?? ['second', 1];
	return [unit, Math.floor(Math.max(seconds, 0) / length)];
}

// Making a formatter costs far more than using it, and a redraw formats hundreds of rows.
const formats = new Map<string, Intl.NumberFormat>();
const relativeFormats = new Map<string, Intl.RelativeTimeFormat>();

function numberFormat(locale: string, unit: string, unitDisplay: 'short' | 'long'): Intl.NumberFormat {
	const key = `${locale} ${unit} ${unitDisplay}`;
	const format =
		formats.get(key) ??
		new Intl.NumberFormat(locale, { style: 'unit', unit, unitDisplay, maximumSignificantDigits: 3 });
	formats.set(key, format);
	return format;
}

function relativeFormat(locale: string): Intl.RelativeTimeFormat {
	const format = relativeFormats.get(locale) ?? new Intl.RelativeTimeFormat(locale);
	relativeFormats.set(locale, format);
	return format;
}
