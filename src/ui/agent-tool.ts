import {
	l10n,
	LanguageModelTextPart,
	LanguageModelToolResult,
	type CancellationToken,
	type LanguageModelTool,
	type PreparedToolInvocation,
} from 'vscode';
import { callTool, engineFor, tools, type Tool, type ToolEngine, type ToolInput } from '../api/tools';
import { signalOf } from './cancel';
import { keyOn } from './engine-keys';
import type { Engines } from './engines';
import type { Models } from './model';
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

interface ToolParts {
	readonly engines: Engines;
	readonly model: Models;
}

/** What VS Code is given for a tool of package.json, which are those of api/tools.ts. */
export function agentTool(name: string, parts: ToolParts): Required<LanguageModelTool<ToolInput>> {
	const tool = tools[name];
	if (tool === undefined) {
		throw new Error(`There is no tool "${name}"`);
	}
	return new AgentTool(tool, { ...parts, question: questions[name] });
}

class AgentTool implements LanguageModelTool<ToolInput> {
	/** The engine that a person was told of, by the input: nothing is done on another one. */
	private readonly told = new Map<string, string>();

	constructor(
		private readonly tool: Tool,
		private readonly parts: ToolParts & { readonly question: ((input: ToolInput) => string) | undefined },
	) {}

	async prepareInvocation(
		{ input }: { readonly input: ToolInput },
		token: CancellationToken,
	): Promise<PreparedToolInvocation | undefined> {
		const question = this.parts.question?.(input);
		if (question === undefined) {
			return undefined;
		}
		const engine = this.parts.engines.areSeveral
			? await engineFor(this.tool, this.engines, { input, signal: signalOf(token) })
			: undefined;
		const name = JSON.stringify(input);
		this.told.delete(name);
		if (engine !== undefined) {
			this.told.set(name, engine.name);
		}
		const message = engine === undefined ? question : l10n.t('On the engine {0}: {1}', engine.name, question);
		return { confirmationMessages: { title: 'MyDocker', message } };
	}

	async invoke({ input }: { readonly input: ToolInput }, token: CancellationToken): Promise<LanguageModelToolResult> {
		const { model, engines } = this.parts;
		const name = JSON.stringify(input);
		const engine = this.told.get(name);
		this.told.delete(name);
		const call = {
			engines: this.engines,
			input: engine === undefined ? input : { ...input, engine },
			signal: signalOf(token),
			labels: workspaceLabels(),
		};
		const keys = engines.usedIds.map((id) => keyOn(id, ''));
		const answer = await model.during(keys, () => callTool(this.tool, call));
		return new LanguageModelToolResult([new LanguageModelTextPart(answer)]);
	}

	private get engines(): readonly ToolEngine[] {
		const { engines } = this.parts;
		return engines.used.map(({ id, name }) => ({ name, client: engines.clientOf(id) }));
	}
}

/** A value of the input as it can be shown, whatever a model has put there. */
function words(input: ToolInput, name: string): string {
	const value = input[name];
	return Array.isArray(value) ? value.join(' ') : typeof value === 'string' ? value : `"${name}"?`;
}
