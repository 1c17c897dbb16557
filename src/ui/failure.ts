import { commands, env, l10n, window, workspace, type LogOutputChannel } from 'vscode';
import { shortenPaths } from './names';

/** A message for the user that is no fault: nothing to pick, nothing to do. */
export class Notice extends Error {
	override readonly name = 'Notice';
}

/** Why nothing may be started or reached in this window; undefined when it may. Only our own engine needs Linux. */
export function refusal(isOwnEngine: boolean): Notice | undefined {
	if (isOwnEngine && process.platform !== 'linux') {
		return new Notice(
			l10n.t('The engine of MyDocker needs Linux: WSL, a remote window or a dev container has it.'),
		);
	}
	return workspace.isTrusted
		? undefined
		: new Notice(l10n.t('MyDocker starts nothing in a workspace that is not trusted.'));
}

/** A failure that a second try may mend: running `command` with `argument` again. */
export class Failure extends Error {
	override readonly name = 'Failure';
	constructor(
		override readonly cause: unknown,
		readonly command: string,
		readonly argument?: string,
	) {
		super(localSentence(cause), { cause });
	}
}

/** True for a cancelled call, which nobody is told about. */
export function isAbort(error: unknown): boolean {
	return error instanceof Error && error.name === 'AbortError';
}

/** The engine's own sentence, or whatever was thrown: for logs. */
export function sentence(error: unknown): string {
	return error instanceof Error ? error.message : String(error);
}

let inLanguageOfWindow = (message: string): string => message;

/** From when this resolves on `localSentence` speaks the window's language. `folder` is the extension's. */
export async function learnLanguage(folder: string): Promise<void> {
	if (!/^en\b/.test(env.language)) {
		const { loadEngineWords } = await import('./engine-words');
		inLanguageOfWindow = (await loadEngineWords(folder, env.language)) ?? inLanguageOfWindow;
	}
}

/** The same for people, in the window's language as far as that is known. */
export function localSentence(error: unknown): string {
	return inLanguageOfWindow(sentence(error));
}

/** The one place where an error becomes a message. */
export class Failures {
	/** The messages that are on the screen: nobody is told the same twice. */
	private readonly open = new Set<string>();

	constructor(private readonly log: LogOutputChannel) {}

	/** Shows the engine's sentence, with a way to try again where that may help, and the log. Does not wait for an answer. */
	show(thrown: unknown): void {
		const error = thrown instanceof Failure ? thrown.cause : thrown;
		if (isAbort(error)) {
			return;
		}
		if (error instanceof Notice) {
			void window.showInformationMessage(error.message);
			return;
		}
		this.log.error(error instanceof Error ? error : String(error));
		const message = shortenPaths(localSentence(error));
		if (this.open.has(message)) {
			return;
		}
		this.open.add(message);
		const retry = l10n.t('Retry');
		const showLog = l10n.t('Show Log');
		const answers = thrown instanceof Failure ? [retry, showLog] : [showLog];
		void window.showErrorMessage(message, ...answers).then((answer) => {
			this.open.delete(message);
			if (answer === retry && thrown instanceof Failure) {
				void commands.executeCommand(thrown.command, thrown.argument);
			} else if (answer === showLog) {
				void commands.executeCommand('mydocker.engine.showLog');
			}
		});
	}
}
