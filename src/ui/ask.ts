import { InputBoxValidationSeverity, QuickInputButtons, window, type InputBoxValidationMessage } from 'vscode';

export interface Question {
	readonly title: string;
	readonly prompt: string;
	readonly placeholder?: string;
	readonly value?: string;
	/** Part of `value` that typing replaces: [start, end). */
	readonly selection?: readonly [number, number];
	/** Number of this question and of all, when there are several. */
	readonly step?: readonly [number, number];
	/**
	 * What is wrong with the answer so far. `isFinal` when Enter was pressed: what is only unfinished while typing is
	 * wrong then. A message that is a warning does not stop anybody.
	 */
	readonly check?: (value: string, isFinal: boolean) => string | InputBoxValidationMessage | undefined;
	/** `value` itself may be wrong, which is told before anybody types. */
	readonly isDoubtful?: boolean;
}

/** The answer to go back to the question before. */
export const BACK = Symbol('back');

/** Asks for one line. Gives the trimmed answer, BACK for the button of later steps, undefined for Escape. */
export async function ask(question: Question): Promise<string | typeof BACK | undefined> {
	const box = window.createInputBox();
	try {
		box.title = question.title;
		box.prompt = question.prompt;
		box.placeholder = question.placeholder;
		box.value = question.value ?? '';
		if (question.selection) {
			box.valueSelection = question.selection;
		}
		if (question.step) {
			[box.step, box.totalSteps] = question.step;
			box.buttons = question.step[0] > 1 ? [QuickInputButtons.Back] : [];
		}
		const check = (isFinal: boolean): boolean => {
			const problem = question.check?.(box.value.trim(), isFinal);
			box.validationMessage = problem;
			return problem === undefined || isWarning(problem);
		};
		if (question.isDoubtful === true) {
			check(false);
		}
		return await new Promise((resolve) => {
			box.onDidChangeValue(() => check(false));
			box.onDidTriggerButton(() => {
				resolve(BACK);
			});
			box.onDidHide(() => {
				resolve(undefined);
			});
			box.onDidAccept(() => {
				if (check(true)) {
					resolve(box.value.trim());
				}
			});
			box.show();
		});
	} finally {
		box.dispose();
	}
}

function isWarning(problem: string | InputBoxValidationMessage): boolean {
	return typeof problem !== 'string' && problem.severity !== InputBoxValidationSeverity.Error;
}
