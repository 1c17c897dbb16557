import {
	l10n,
	LanguageModelTextPart,
	LanguageModelToolResult,
	lm,
	type CancellationToken,
	type Disposable,
	type LanguageModelTool,
	type PreparedToolInvocation,
} from 'vscode';
import type { Client } from '../api/client';
import { callTool, tools, type Tool, type ToolInput } from '../api/tools';
import type { Model } from './model';
import { workspaceLabels } from './scope';

/** What a person is asked before a tool runs that changes something. */
const questions: Readonly<Record<string, (input: ToolInput) => string>> = {
	mydocker_pull_image: (input) => l10n.t('Pull {0}', words(input, 'image')),
	mydocker_run_container: (input) => l10n.t('Run {0}', [words(input, 'image'), words(input, 'command')].join(' ')),
	mydocker_start_container: (input) => l10n.t('Start {0}', words(input, 'container')),
	mydocker_stop_container: (input) => l10n.t('Stop {0}', words(input, 'container')),
	mydocker_exec_in_container: (input) => l10n.t('Run {0} in {1}', words(input, 'command'), words(input, 'container')),
	mydocker_remove_container: (input) =>
		l10n.t('Remove {0}? Files written inside and logs go for good.', words(input, 'container')),
};

/** Registers the tools; VS Code hides them where AI is off, and does not load anything until one is used. */
export function registerLanguageTools(client: Client, model: Model): Disposable[] {
	return Object.entries(tools).map(([name, tool]) =>
		lm.registerTool(name, new RegisteredTool(tool, { client, model, question: questions[name] })),
	);
}

interface ToolParts {
	readonly client: Client;
	readonly model: Model;
	readonly question: ((input: ToolInput) => string) | undefined;
}

class RegisteredTool implements LanguageModelTool<ToolInput> {
	constructor(
		private readonly tool: Tool,
		private readonly parts: ToolParts,
	) {}

	prepareInvocation({ input }: { readonly input: ToolInput }): PreparedToolInvocation | undefined {
		const message = this.parts.question?.(input);
		return message === undefined ? undefined : { confirmationMessages: { title: 'MyDocker', message } };
	}

	async invoke({ input }: { readonly input: ToolInput }, token: CancellationToken): Promise<LanguageModelToolResult> {
		const abort = new AbortController();
		token.onCancellationRequested(() => {
			abort.abort();
		});
		const { client, model } = this.parts;
		const call = { client, input, signal: abort.signal, labels: workspaceLabels() };
		const answer = await model.during([], () => callTool(this.tool, call));
		return new LanguageModelToolResult([new LanguageModelTextPart(answer)]);
	}
}

/** A value of the input as it can be shown, whatever a model has put there. */
function words(input: ToolInput, name: string): string {
	const value = input[name];
	return Array.isArray(value) ? value.join(' ') : typeof value === 'string' ? value : `"${name}"?`;
}
