import { readFile } from 'node:fs/promises';
import * as path from 'node:path';
import { createInterface } from 'node:readline';
import { build } from '../api/build';
import { callTool, tools, type ToolEngine } from '../api/tools';
import { chooseTarget, nameOfTarget, openClient } from './connection';
import { CommandError } from './errors';
import { McpServer, type ToolDefinition } from './mcp-server';
import type { Action } from './row';
import type { Session } from './session';

/** The part of the extension's package.json that describes the tools. */
interface Manifest {
	readonly contributes: {
		readonly languageModelTools: readonly {
			readonly name: string;
			readonly modelDescription: string;
			readonly inputSchema: object;
		}[];
	};
}

/** Milliseconds after the end of stdin until calls that are under way are cancelled. */
const GRACE = 10_000;

/** `mydocker mcp`: serves the tools over stdin and stdout until stdin ends. */
export const mcp: Action<{ readonly readOnly: boolean; readonly also: readonly string[] }> = async (
	session,
	_operands,
	{ readOnly, also },
) => {
	const { client, output, engineName: name } = session;
	const engines = [{ name, client }, ...also.map((engine) => otherEngine(session, engine))];
	const server = new McpServer({
		version: build.version,
		instructions:
			engines.length === 1
				? 'Containers, images, networks and volumes of the MyDocker engine on this machine. It starts by itself when it is needed.'
				: `Containers, images, networks and volumes of the engines ${engines.map((one) => one.name).join(', ')}.`,
		tools: await definitions(readOnly),
		call: (name, input, { signal, report }) => {
			const tool = tools[name];
			if (tool === undefined) {
				throw new CommandError(`No tool "${name}"`);
			}
			return callTool(tool, { engines, input, signal: AbortSignal.any([signal, session.signal]), report });
		},
		send: (message) => {
			output.line(JSON.stringify(message));
		},
	});
	const underWay = new Set<Promise<void>>();
	for await (const line of createInterface({ input: session.input, signal: session.signal })) {
		if (line.trim() !== '') {
			const taken = server.take(line).finally(() => underWay.delete(taken));
			underWay.add(taken);
		}
	}
	// Answers that come soon have a reader when the messages were piped in.
	const grace = AbortSignal.any([session.signal, AbortSignal.timeout(GRACE)]);
	grace.addEventListener('abort', () => {
		server.close();
	});
	await Promise.all(underWay);
	return 0;
};

/** What `--also` names: "workshop", "unix:///run/podman/podman.sock" or "Podman=unix:///run/podman/podman.sock". */
function otherEngine({ env, cwd, output }: Session, text: string): ToolEngine {
	const [, name, host] = /^(?:([^=/:]+)=)?([a-z]+:\/\/.*)$/.exec(text) ?? [];
	const flags = { context: host === undefined ? text : undefined, host, root: undefined, debug: false };
	const target = chooseTarget(flags, env, cwd);
	const client = openClient(target, path.join(__dirname, 'engine.js'), (message) => {
		output.error(message);
	});
	return { name: name ?? nameOfTarget(target), client };
}

/** The tools as package.json describes them to language models, with what clients go by when they ask a person. */
async function definitions(isReadOnly: boolean): Promise<ToolDefinition[]> {
	const file = path.join(__dirname, '..', 'package.json');
	const { contributes } = JSON.parse(await readFile(file, 'utf8')) as Manifest;
	return contributes.languageModelTools.flatMap(({ name, modelDescription, inputSchema }) => {
		const tool = tools[name];
		if (tool === undefined || (isReadOnly && tool.isReadOnly !== true)) {
			return [];
		}
		const annotations = {
			readOnlyHint: tool.isReadOnly ?? false,
			destructiveHint: tool.isDestructive ?? false,
			openWorldHint: tool.isOpenWorld ?? false,
		};
		return [{ name, description: modelDescription, inputSchema, annotations }];
	});
}
