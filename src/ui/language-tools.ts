import { lm, type Disposable, type ExtensionContext, type LanguageModelTool } from 'vscode';
import type { ToolInput } from '../api/tools';
import type { Engines } from './engines';
import type { Models } from './model';

type Tool = Required<LanguageModelTool<ToolInput>>;

/** Registers the tools that package.json describes; VS Code hides them where AI is off. What they do is loaded with the first use. */
export function registerLanguageTools(
	{ extension }: Pick<ExtensionContext, 'extension'>,
	parts: { readonly engines: Engines; readonly model: Models },
): Disposable[] {
	const { contributes } = extension.packageJSON as {
		readonly contributes: { readonly languageModelTools: readonly { readonly name: string }[] };
	};
	return contributes.languageModelTools.map(({ name }) => {
		let loading: Promise<Tool> | undefined;
		const load = (): Promise<Tool> =>
			(loading ??= import('./agent-tool').then(({ agentTool }) => agentTool(name, parts)));
		return lm.registerTool<ToolInput>(name, {
			prepareInvocation: async (...call) => (await load()).prepareInvocation(...call),
			invoke: async (...call) => (await load()).invoke(...call),
		});
	});
}
