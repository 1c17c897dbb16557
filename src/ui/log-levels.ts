import { Range, ThemeColor, window, type Disposable, type TextEditor, type TextEditorDecorationType } from 'vscode';
import { levelAt, type LogLevel } from './log-filter';

/**
 * Colours the levels of errors and warnings: VS Code's language of logs knows only words that stand for themselves, not the
 * level of a JSON line. Only lines on the screen are looked at.
 */
export class LogLevels implements Disposable {
	private readonly colors = {
		error: colored('editorError.foreground'),
		warning: colored('editorWarning.foreground'),
	};

	draw(editor: TextEditor): void {
		const { document, visibleRanges } = editor;
		const ranges: Record<LogLevel, Range[]> = { debug: [], info: [], warning: [], error: [] };
		for (const { start, end } of visibleRanges) {
			for (let line = start.line; line <= end.line && line < document.lineCount; line++) {
				const found = levelAt(document.lineAt(line).text);
				if (found !== undefined) {
					ranges[found.level].push(new Range(line, found.start, line, found.end));
				}
			}
		}
		editor.setDecorations(this.colors.error, ranges.error);
		editor.setDecorations(this.colors.warning, ranges.warning);
	}

	dispose(): void {
		this.colors.error.dispose();
		this.colors.warning.dispose();
	}
}

function colored(color: string): TextEditorDecorationType {
	return window.createTextEditorDecorationType({ color: new ThemeColor(color), fontWeight: 'bold' });
}
