import { l10n } from 'vscode';
import type { ReferenceProblem } from './names';

/** What to tell a person who types a reference. While it is typed, what is only unfinished is not wrong yet. */
export function referenceMessage(problem: ReferenceProblem | undefined, isFinal: boolean): string | undefined {
	switch (problem) {
		case undefined:
			return undefined;
		case 'blank':
			return isFinal ? l10n.t('Type the name of an image, for example nginx:latest') : undefined;
		case 'unfinished':
			return isFinal ? l10n.t('The name is not finished') : undefined;
		case 'scheme':
			return l10n.t('Leave out "https://": a name begins with the registry, for example ghcr.io/owner/image');
		case 'space':
			return l10n.t('A name has no spaces');
		case 'uppercase':
			return l10n.t('A repository is written in lower case');
		case 'digest':
			return l10n.t('A new name has a tag, not a digest');
		case 'malformed':
			return l10n.t('This is not a name of an image: registry/repository:tag');
	}
}
