import assert from 'node:assert/strict';
import * as vscode from 'vscode';
import type { Api } from '../../src/extension';
import { environment, extension } from './extension';

interface Schema {
	readonly type?: string;
	readonly items?: Schema;
	readonly properties?: Readonly<Record<string, Schema>>;
	readonly required?: readonly string[];
	readonly description?: string;
}

interface ToolManifest {
	readonly contributes: {
		readonly mcpServerDefinitionProviders: readonly object[];
		readonly languageModelTools: readonly {
			readonly name: string;
			readonly modelDescription: string;
			readonly when?: string;
			readonly inputSchema: Schema;
		}[];
	};
}

describe('language model tools', function () {
	this.timeout(60_000);
	const name = `lm-${process.pid}`;
	let api: Api;

	before(async () => {
		api = await extension().activate();
	});
	after(async () => {
		await api.client.containers.remove(name, { force: true }).catch(() => undefined);
	});

	const call = async (tool: string, input: object = {}): Promise<string> => {
		const result = await vscode.lm.invokeTool(`mydocker_${tool}`, { input, toolInvocationToken: undefined });
		return result.content.map((part) => (part instanceof vscode.LanguageModelTextPart ? part.value : '')).join('');
	};

	it('schemas: are complete, arrays say of what, and all hide where AI is off', () => {
		const { languageModelTools: declared } = (extension().packageJSON as ToolManifest).contributes;
		assert.equal(declared.length, 14);
		for (const { name: tool, inputSchema, modelDescription, when } of declared) {
			assert.ok(modelDescription.length > 40 && when === '!config.chat.disableAIFeatures', tool);
			assert.equal(inputSchema.type, 'object', tool);
			assert.equal(inputSchema.properties?.['engine']?.type, 'string', tool);
			for (const [key, schema] of Object.entries(inputSchema.properties ?? {})) {
				assert.ok(schema.type && schema.description, `${tool} ${key}`);
				assert.ok(schema.type !== 'array' || schema.items?.type === 'string', `${tool} ${key}`);
			}
			assert.ok(
				(inputSchema.required ?? []).every((key) => key in (inputSchema.properties ?? {})),
				tool,
			);
		}
	});

	it('a container: is run, listed, read, stopped and removed', async () => {
		const image = `${environment('MYDOCKER_TEST_REGISTRY')}/demo/busybox:latest`;
		await call('pull_image', { image });
		await call('run_container', { image, name, command: ['sh', '-c', 'echo one; echo two; sleep 60'] });
		assert.match(await call('list_containers'), new RegExp(`"${name}".*"running"`));
		assert.match(await call('inspect_container', { container: name }), /"Status":"running"/);
		assert.match(await call('read_stats', { container: name }), /"memory"/);
		assert.deepEqual(
			JSON.parse(await call('exec_in_container', { container: name, command: ['sh', '-c', 'echo in; exit 3'] })),
			{
				exitCode: 3,
				output: 'in\n',
			},
		);
		assert.match(await call('read_disk_usage'), new RegExp(`"name":"${name}","state":"running","bytes":\\d+`));
		await call('stop_container', { container: name });
		assert.match(await call('read_logs', { container: name, query: 'TWO' }), /^\S+ two$/);
		assert.match(await call('read_events'), /"start"/);
		await call('remove_container', { container: name });
		assert.doesNotMatch(await call('list_containers'), new RegExp(name));
	});

	it('MCP: the same tools are declared for other agents, unless AI is off', () => {
		const { mcpServerDefinitionProviders: providers } = (extension().packageJSON as ToolManifest).contributes;
		const when = 'config.mydocker.mcp && !config.chat.disableAIFeatures';
		assert.deepEqual(providers, [{ id: 'mydocker.mcp', label: 'MyDocker', when }]);
	});

	it('what is not there: the error tells the model what to do next', async () => {
		await assert.rejects(call('inspect_container', { container: 'no-such' }), /mydocker_list_containers/);
		await assert.rejects(call('exec_in_container', { container: 'any' }), /"command" is missing/);
		await assert.rejects(call('read_logs', {}), /"container" is missing/);
		await assert.rejects(
			call('list_images', { engine: 'no-such' }),
			/There is no engine "no-such"; there are "MyDocker"/,
		);
	});
});
