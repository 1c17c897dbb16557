import { l10n } from 'vscode';
import type { LogLevel, LogPattern } from './log-filter';
import type { LogChoices } from './log-view';

/** Which lines are shown, in words; "" for all. */
export function filterWords({ include, exclude, level, since, until, tail, stream }: LogChoices): string {
	return [
		...(include ? [l10n.t('with {0}', quoted(include))] : []),
		...(exclude ? [l10n.t('without {0}', quoted(exclude))] : []),
		...(level ? [levelWords(level)] : []),
		...(stream === 'both' ? [] : [stream]),
		...(since === '' ? [] : [l10n.t('since {0}', since)]),
		...(until === '' ? [] : [l10n.t('until {0}', until)]),
		...(tail === undefined ? [] : [l10n.t('last {0} lines', tail)]),
	].join(' · ');
}

/** A level and those above it. */
export function levelWords(level: LogLevel): string {
	switch (level) {
		case 'debug':
			return l10n.t('all levels');
		case 'info':
			return l10n.t('information and above');
		case 'warning':
			return l10n.t('warnings and errors');
		case 'error':
			return l10n.t('errors');
	}
}

/** A pattern as people write it. */
export function quoted({ text, isRegExp }: LogPattern): string {
	return isRegExp ? `/${text}/` : l10n.t('“{0}”', text);
}
