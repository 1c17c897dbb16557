import { FileDecoration, l10n, StatusBarAlignment, Uri, window, type Disposable } from 'vscode';
import { LOG_SCHEME, type LogEditors } from './log-editor';
import { filterWords } from './log-words';

/** Says which lines of a log its editor shows: in the status bar and by a mark on the tab. */
export class LogState implements Disposable {
	private readonly item = window.createStatusBarItem('mydocker.log', StatusBarAlignment.Right, 101);
	private readonly subscriptions: readonly Pick<Disposable, 'dispose'>[];

	constructor(private readonly editors: LogEditors) {
		this.item.name = l10n.t('MyDocker: filter of the log');
		this.item.command = 'mydocker.log.filter';
		const draw = (): void => {
			this.draw();
		};
		this.subscriptions = [
			this.item,
			window.onDidChangeActiveTextEditor(draw),
			editors.onDidChoose(draw),
			window.registerFileDecorationProvider({
				onDidChangeFileDecorations: editors.onDidChoose,
				provideFileDecoration: (uri) => this.decorate(uri),
			}),
		];
	}

	dispose(): void {
		for (const subscription of this.subscriptions) {
			subscription.dispose();
		}
	}

	private draw(): void {
		const uri = window.activeTextEditor?.document.uri;
		const words = this.words(uri);
		if (words === '') {
			this.item.hide();
			return;
		}
		this.item.text = `$(filter) ${words}`;
		this.item.tooltip = l10n.t('Only some lines of this log are shown: {0}. Click to change.', words);
		this.item.accessibilityInformation = { label: this.item.tooltip, role: 'button' };
		this.item.show();
	}

	/** A letter on the tab: a title of its own has no document. */
	private decorate(uri: Uri): FileDecoration | undefined {
		const words = this.words(uri);
		return words === '' ? undefined : new FileDecoration(l10n.t('F'), words);
	}

	private words(uri: Uri | undefined): string {
		const document = uri?.scheme === LOG_SCHEME ? this.editors.find(uri) : undefined;
		return document === undefined ? '' : filterWords(document.choices);
	}
}
