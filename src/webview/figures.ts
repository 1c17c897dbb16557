import { formatBytes } from '../ui/amounts';
import type { PanelWords } from '../ui/stats-messages';
import type { UsageLimits, UsagePoint } from '../ui/usage-points';

/** A point in the user's words and numbers. */
export class Figures {
	private readonly percents: Intl.NumberFormat;

	constructor(
		private readonly words: PanelWords,
		private readonly locale: string,
	) {
		this.percents = new Intl.NumberFormat(locale, { style: 'percent', maximumFractionDigits: 1 });
	}

	percent(value: number): string {
		return this.percents.format(value / 100);
	}

	/** As everywhere, but a trickle is told in bytes. */
	bytes(value: number): string {
		return value < 1000 ? `${Math.round(value).toLocaleString(this.locale)} B` : formatBytes(value, this.locale);
	}

	rate(value: number): string {
		return fill(this.words.perSecond, this.bytes(value));
	}

	cpuLimit({ cpu }: UsageLimits): string {
		return cpu === undefined ? this.words.noLimit : fill(this.words.cpuLimit, this.percent(cpu));
	}

	memoryLimit({ memory, memoryLimit }: UsagePoint, limits: UsageLimits): string {
		return limits.memory === undefined
			? this.words.noLimit
			: fill(this.words.memoryOf, this.bytes(limits.memory), this.percent((memory / (memoryLimit || 1)) * 100));
	}

	total(word: string, value: number): string {
		return fill(this.words.total, word, this.bytes(value));
	}
}

/** Puts values in place of "{0}" and "{1}". */
function fill(text: string, ...values: readonly string[]): string {
	return text.replace(/\{(\d)\}/g, (place, index: string) => values[Number(index)] ?? place);
}
