import * as assert from 'node:assert/strict';
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import * as path from 'node:path';
import { createInterface } from 'node:readline';
import { tools } from '../../src/api/tools';
import { busyboxLayer, imageOf } from './fixture';
import { load } from './loading';
import { embeddedEngine, type EngineProcess } from './subject';
import { dist, within, Workspace } from './workspace';

interface Answer {
	readonly id: number;
	readonly result?: {
		readonly protocolVersion?: string;
		readonly tools?: readonly {
			readonly name: string;
			readonly annotations: object;
			readonly inputSchema: object;
		}[];
		readonly content?: readonly { readonly text: string }[];
		readonly isError?: boolean;
	};
}

/** `mydocker mcp` as an agent uses it. */
describe('mydocker mcp', function () {
	this.timeout(60_000);
	const workspace = new Workspace('mcp');
	let engine: EngineProcess;
	let agents: ChildProcessWithoutNullStreams[] = [];

	before(async () => {
		engine = embeddedEngine(workspace);
		await load(engine.client, imageOf([busyboxLayer()]), 'mcp:1');
	});

	afterEach(() => {
		agents.forEach((agent) => agent.kill('SIGKILL'));
		agents = [];
	});

	after(() => workspace.dispose());

	const start = (...flags: string[]) => {
		const args = [path.join(dist, 'cli.js'), '--root', engine.root, 'mcp', ...flags];
		const agent = spawn(process.execPath, args);
		agents.push(agent);
		const waiting = new Map<number, (answer: Answer) => void>();
		createInterface({ input: agent.stdout }).on('line', (line) => {
			const answer = JSON.parse(line) as Answer;
			waiting.get(answer.id)?.(answer);
		});
		let last = 0;
		const ask = async (method: string, params: object = {}): Promise<NonNullable<Answer['result']>> => {
			const id = ++last;
			const answered = new Promise<Answer>((resolve) => waiting.set(id, resolve));
			agent.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', id, method, params })}\n`);
			const answer = await within(method, 30_000, answered);
			return answer.result ?? assert.fail(JSON.stringify(answer));
		};
		const call = async (name: string, input: object = {}): Promise<string> => {
			const { content, isError } = await ask('tools/call', { name: `mydocker_${name}`, arguments: input });
			return `${isError === true ? 'error: ' : ''}${content?.[0]?.text ?? ''}`;
		};
		return { agent, ask, call };
	};

	it('an agent: runs, reads and removes a container; a failure tells the next step; the end of stdin ends it', async () => {
		const { agent, ask, call } = start();
		const { protocolVersion } = await ask('initialize', { protocolVersion: '2025-06-18', capabilities: {} });
		assert.equal(protocolVersion, '2025-06-18');
		const command = ['sh', '-c', 'echo one; echo two; exec sleep 60'];
		await call('run_container', { image: 'mcp:1', name: 'agents', command, ports: [] });
		assert.match(await call('list_containers'), /"name":"agents".*"state":"running"/);
		const output = await call('exec_in_container', {
			container: 'agents',
			command: ['sh', '-c', 'echo in; exit 3'],
		});
		assert.deepEqual(JSON.parse(output), { exitCode: 3, output: 'in\n' });
		assert.match(await call('remove_container', { container: 'agents' }), /^error: .*mydocker_stop_container/);
		await engine.client.containers.kill('agents');
		await engine.client.containers.wait('agents', { condition: 'not-running' }).then(({ exit }) => exit);
		assert.match(await call('read_logs', { container: 'agents', query: 'TWO' }), /^\S+ two$/);
		assert.equal(await call('remove_container', { container: 'agents' }), 'done');
		assert.match(await call('inspect_container', { container: 'agents' }), /^error: .*mydocker_list_containers/);
		const ended = once(agent, 'exit');
		agent.stdin.end();
		assert.deepEqual(await within('the end', 30_000, ended), [0, null]);
	});

	it('--read-only: offers only what changes nothing; each tool says what it may do', async () => {
		const all = (await start().ask('tools/list')).tools ?? [];
		assert.deepEqual(all.map(({ name }) => name).sort(), Object.keys(tools).sort());
		assert.deepEqual(all.find(({ name }) => name === 'mydocker_remove_container')?.annotations, {
			...{ readOnlyHint: false, destructiveHint: true, openWorldHint: false },
		});
		const { ask } = start('--read-only');
		const some = (await ask('tools/list')).tools ?? [];
		assert.deepEqual(
			some.map(({ name }) => name).sort(),
			Object.entries(tools)
				.filter(([, { isReadOnly }]) => isReadOnly)
				.map(([name]) => name)
				.sort(),
		);
		await assert.rejects(ask('tools/call', { name: 'mydocker_remove_container' }), /There is no tool/);
	});

	it('--also: another engine, by the name that is given to it; what is on both has to say which', async () => {
		const { call } = start('--also', `second=unix://${engine.socket}`);
		await call('run_container', { image: 'mcp:1', name: 'twice', command: ['true'], engine: 'second' });
		const rows = JSON.parse(await call('list_containers')) as { engine: string; name: string }[];
		assert.deepEqual(
			rows.map(({ engine: whose, name }) => [whose, name]),
			[
				['MyDocker', 'twice'],
				['second', 'twice'],
			],
		);
		assert.match(
			await call('inspect_container', { container: 'twice' }),
			/^error: .*"MyDocker", "second": say which/,
		);
		await engine.client.containers.remove('twice', { force: true });
		assert.match(await call('list_containers', { engine: 'third' }), /^error: There is no engine "third"/);
	});
});
