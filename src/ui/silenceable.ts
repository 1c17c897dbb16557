import { l10n, type Memento } from 'vscode';
import { settings } from './settings';

/** A notice of a kind that a person may never want to see again. */
export interface Notice<Kind extends string> {
	readonly kind: Kind;
	readonly text: string;
	/** The button that leads on. */
	readonly button: string;
	readonly follow: () => PromiseLike<unknown>;
}

/** Shows notices unless the setting or an earlier answer silences their kind. */
export class SilenceableNotices<Kind extends string> {
	constructor(
		private readonly memento: Memento,
		/** What the silenced kinds are kept by. */
		private readonly key: string,
		private readonly showMessage: (text: string, ...buttons: string[]) => PromiseLike<string | undefined>,
	) {}

	isWanted(kind: Kind): boolean {
		return settings.areNoticesShown && !this.silent.includes(kind);
	}

	async show({ kind, text, button, follow }: Notice<Kind>): Promise<void> {
		const never = l10n.t('Do Not Show Again');
		const answer = await this.showMessage(text, button, never);
		if (answer === button) {
			await follow();
		} else if (answer === never) {
			await this.memento.update(this.key, [...this.silent, kind]);
		}
	}

	private get silent(): readonly string[] {
		return this.memento.get<string[]>(this.key, []);
	}
}
