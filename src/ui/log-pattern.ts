import { l10n, ThemeIcon, window } from 'vscode';
import { problemOf, type LogPattern } from './log-filter';

/**
 * Asks for what lines have to contain: text, or with the button a regular expression, whose mistakes are told while it is
 * typed. Gives "none" for no pattern, undefined for Escape.
 */
export async function askPattern(
	title: string,
	before: LogPattern | undefined,
): Promise<LogPattern | 'none' | undefined> {
	const box = window.createInputBox();
	try {
		let isRegExp = before?.isRegExp ?? false;
		const draw = (): boolean => {
			const problem = problemOf({ text: box.value, isRegExp });
			box.prompt = isRegExp
				? l10n.t('Regular expression, upper and lower case alike; nothing for all lines')
				: l10n.t('Text, upper and lower case alike; nothing for all lines');
			box.buttons = [
				isRegExp
					? { iconPath: new ThemeIcon('whole-word'), tooltip: l10n.t('Take as Text') }
					: { iconPath: new ThemeIcon('regex'), tooltip: l10n.t('Take as Regular Expression') },
			];
			box.validationMessage = problem && l10n.t('This is not a regular expression: {0}', problem);
			return problem === undefined;
		};
		box.title = title;
		box.value = before?.text ?? '';
		draw();
		return await new Promise((resolve) => {
			box.onDidChangeValue(draw);
			box.onDidTriggerButton(() => {
				isRegExp = !isRegExp;
				draw();
			});
			box.onDidHide(() => {
				resolve(undefined);
			});
			box.onDidAccept(() => {
				if (draw()) {
					resolve(box.value === '' ? 'none' : { text: box.value, isRegExp });
				}
			});
			box.show();
		});
	} finally {
		box.dispose();
	}
}
