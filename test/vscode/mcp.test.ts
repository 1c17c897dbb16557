import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import * as vscode from 'vscode';
import type { Api } from '../../src/extension';
import type { Engines } from '../../src/ui/engines';
import { registerMcpServer } from '../../src/ui/mcp';
import { extension, until } from './extension';

type Provider = vscode.McpServerDefinitionProvider<vscode.McpStdioServerDefinition>;

/** `mydocker mcp` as VS Code is told of it, and as VS Code starts it. */
describe('MCP server', function () {
	this.timeout(60_000);
	/** Both are off in the test's window. */
	const wanted = { 'mydocker.mcp': true, 'chat.disableAIFeatures': false };
	let api: Api;

	before(async () => {
		api = await extension().activate();
		await configure(wanted);
	});

	after(() => configure({ 'mydocker.mcp': undefined, 'chat.disableAIFeatures': true }));

	async function configure(values: object): Promise<void> {
		const settings = vscode.workspace.getConfiguration();
		for (const [name, value] of Object.entries(values)) {
			await settings.update(name, value, vscode.ConfigurationTarget.Global);
		}
	}

	/** What the provider of this window's own engine says. */
	async function definition(): Promise<vscode.McpStdioServerDefinition> {
		const { DockerRootDir: root } = await api.client.info();
		const registered: Provider[] = [];
		const real = vscode.lm.registerMcpServerDefinitionProvider;
		Object.assign(vscode.lm, {
			registerMcpServerDefinitionProvider: (id: string, provider: Provider) => {
				assert.equal(id, 'mydocker.mcp');
				registered.push(provider);
				return new vscode.Disposable(() => undefined);
			},
		});
		try {
			const context = {
				asAbsolutePath: (file: string) => vscode.Uri.joinPath(extension().extensionUri, file).fsPath,
				globalStorageUri: vscode.Uri.file(root),
			} as vscode.ExtensionContext;
			const engines = {
				used: [{}],
				chosen: {},
				isOwn: true,
				onDidSwitch: new vscode.EventEmitter<void>().event,
			} as unknown as Engines;
			registerMcpServer(context, engines).forEach((part) => {
				part.dispose();
			});
		} finally {
			Object.assign(vscode.lm, { registerMcpServerDefinitionProvider: real });
		}
		const given = await registered[0]?.provideMcpServerDefinitions(new vscode.CancellationTokenSource().token);
		return given?.[0] ?? assert.fail('no definition');
	}

	it('the definition: its program, started as it is told, lists the tools and carries one out', async () => {
		const { label, command, args, env, cwd } = await definition();
		assert.equal(label, 'MyDocker');
		const variables = Object.entries(env).map(([name, value]): [string, string] => [name, String(value)]);
		const server = spawn(command, args, {
			...{ cwd: cwd?.fsPath ?? '/', env: { ...process.env, ...Object.fromEntries(variables) } },
		});
		const lines = createInterface({ input: server.stdout });
		let last = 0;
		const ask = async (method: string, params: object): Promise<string> => {
			const answer = once(lines, 'line') as Promise<[string]>;
			server.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', id: ++last, method, params })}\n`);
			return (await answer)[0];
		};
		try {
			const client = {
				protocolVersion: '2025-06-18',
				capabilities: {},
				clientInfo: { name: 'test', version: '1' },
			};
			assert.match(await ask('initialize', client), /"serverInfo":\{"name":"mydocker"/);
			assert.match(await ask('tools/list', {}), /"name":"mydocker_list_networks_and_volumes"/);
			const call = { name: 'mydocker_list_networks_and_volumes', arguments: {} };
			assert.match(await ask('tools/call', call), /\\"Name\\":\\"bridge\\"/);
		} finally {
			server.kill();
		}
	});

	it('VS Code: is told of it, starts it and uses its tools', async () => {
		const tool = () => vscode.lm.tools.find(({ name }) => /^mcp_.*mydocker_list_networks_and_volumes$/.test(name));
		await until(
			'VS Code has started it',
			async () => {
				await vscode.commands.executeCommand('workbench.mcp.startServer', '*', {
					...{ autoTrustChanges: true, waitForLiveTools: true },
				});
				return tool() !== undefined;
			},
			() => vscode.lm.tools.map(({ name }) => name).join(),
			45_000,
		);
		const { name } = tool() ?? assert.fail();
		const { content } = await vscode.lm.invokeTool(name, { input: {}, toolInvocationToken: undefined });
		const text = content.map((part) => (part instanceof vscode.LanguageModelTextPart ? part.value : '')).join('');
		assert.match(text, /"Name":"bridge"/);
		await vscode.commands.executeCommand('workbench.mcp.stopServer', '*');
	});
});
