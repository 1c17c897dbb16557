import { EventEmitter, lm, McpStdioServerDefinition, workspace, type Disposable, type ExtensionContext } from 'vscode';
import { build } from '../api/build';
import type { Engines } from './engines';
import { settings } from './settings';

/** Under which package.json declares it. A VS Code that reads its `when` asks only while `mydocker.mcp` is on. */
const PROVIDER = 'mydocker.mcp';

/** Names `mydocker mcp`, on this window's engines, to VS Code, which starts it when an agent needs it. */
export function registerMcpServer(context: ExtensionContext, engines: Engines): Pick<Disposable, 'dispose'>[] {
	const changed = new EventEmitter<void>();
	const program = context.asAbsolutePath('dist/cli.js');
	const provideMcpServerDefinitions = (): McpStdioServerDefinition[] =>
		workspace.isTrusted && settings.isMcpOffered
			? [
					new McpStdioServerDefinition(
						'MyDocker',
						process.execPath,
						['--', program, ...engineFlags(engines, context.globalStorageUri.fsPath)],
						// VS Code's own Node runs the program, so that no other has to be installed.
						{ ELECTRON_RUN_AS_NODE: '1' },
						`${build.version} ${build.time}`,
					),
				]
			: [];
	return [
		changed,
		engines.onDidSwitch(() => {
			changed.fire();
		}),
		workspace.onDidChangeConfiguration((event) => {
			if (event.affectsConfiguration('mydocker.mcp')) {
				changed.fire();
			}
		}),
		workspace.onDidGrantWorkspaceTrust(() => {
			changed.fire();
		}),
		lm.registerMcpServerDefinitionProvider(PROVIDER, {
			onDidChangeMcpServerDefinitions: changed.event,
			provideMcpServerDefinitions,
		}),
	];
}

/** The first engine by the flags of every command, the others by those of this one. */
function engineFlags({ used, chosen, isOwn }: Engines, root: string): string[] {
	const { context, host } = chosen;
	const first = isOwn ? ['--root', root] : context === undefined ? ['--host', host] : ['--context', context];
	const others = used.slice(1).flatMap((engine) => ['--also', engine.context ?? `${engine.name}=${engine.host}`]);
	return [...first, 'mcp', ...others];
}
