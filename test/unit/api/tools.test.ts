import assert from 'node:assert/strict';
import { ApiError, type Client } from '../../../src/api/client';
import { callTool, engineFor, tools, type ToolEngine, type ToolInput } from '../../../src/api/tools';

/** An engine that has containers of these names and notes which it removes; without names it does not answer. */
function engine(name: string, containers: readonly string[] | undefined, removed: string[] = []): ToolEngine {
	const silent = (): never => {
		throw new Error('does not answer');
	};
	const list = async (): Promise<object[]> =>
		Promise.resolve((containers ?? silent()).map((one) => ({ Names: [`/${one}`], Id: one, State: 'running' })));
	const inspect = async (one: string): Promise<object> =>
		(containers ?? silent()).includes(one)
			? Promise.resolve({ Name: `/${one}`, on: name })
			: Promise.reject(new ApiError(`No such container: ${one}`, 404, 'not-found'));
	const remove = async (one: string): Promise<void> => {
		removed.push(`${one} on ${name}`);
		return Promise.resolve();
	};
	return { name, client: { containers: { list, inspect, remove } } as unknown as Client };
}

const signal = new AbortController().signal;

describe('tools on several engines', () => {
	const engines = [
		engine('MyDocker', ['web', 'both']),
		engine('workshop', ['db', 'both']),
		engine('gone', undefined),
	];
	const call = async (name: string, input: ToolInput = {}, on: readonly ToolEngine[] = engines): Promise<string> =>
		callTool(tools[`mydocker_${name}`] ?? assert.fail(name), { engines: on, input, signal });
	const rows = async (input: ToolInput, on = engines): Promise<unknown[]> =>
		(JSON.parse(await call('list_containers', input, on)) as Record<string, unknown>[]).map(
			({ engine: whose, name, error }) => [whose, name ?? error],
		);

	it('a list has the rows of all, each with its engine, and says which does not answer; with one it is as ever', async () => {
		assert.deepEqual(await rows({}), [
			['MyDocker', 'web'],
			['MyDocker', 'both'],
			['workshop', 'db'],
			['workshop', 'both'],
			['gone', 'does not answer'],
		]);
		assert.deepEqual(await rows({ engine: 'workshop' }), [
			['workshop', 'db'],
			['workshop', 'both'],
		]);
		assert.deepEqual(await rows({}, engines.slice(0, 1)), [
			[undefined, 'web'],
			[undefined, 'both'],
		]);
	});

	it('a container is found on the engine that has it; on two the engine has to be said', async () => {
		assert.deepEqual(JSON.parse(await call('inspect_container', { container: 'db' })), {
			Name: '/db',
			on: 'workshop',
		});
		const named = await call('inspect_container', { container: 'both', engine: 'workshop' });
		assert.deepEqual(JSON.parse(named), { Name: '/both', on: 'workshop' });
		await assert.rejects(
			call('inspect_container', { container: 'both' }),
			/^Error: "both" is on the engines "MyDocker", "workshop": say which in "engine"\. /,
		);
		await assert.rejects(
			call('inspect_container', { container: 'none' }),
			/^Error: No such container: none\. List/,
		);
	});

	it('nothing is removed before it is clear where', async () => {
		const removed: string[] = [];
		const on = [engine('MyDocker', ['both'], removed), engine('workshop', ['db', 'both'], removed)];
		await assert.rejects(call('remove_container', { container: 'both' }, on), /say which/);
		await assert.rejects(
			call('remove_container', { container: 'db', engine: 'other' }, on),
			/^Error: There is no engine "other"; there are "MyDocker", "workshop"\. /,
		);
		await call('remove_container', { container: 'db' }, on);
		await call('remove_container', { container: 'both', engine: 'MyDocker' }, on);
		assert.deepEqual(removed, ['db on workshop', 'both on MyDocker']);
	});

	it('what is made is made on the first, unless another is named', async () => {
		const run = tools['mydocker_run_container'] ?? assert.fail();
		const on = async (input: ToolInput): Promise<string | undefined> =>
			(await engineFor(run, engines, { input, signal }))?.name;
		assert.deepEqual([await on({ image: 'a' }), await on({ image: 'a', engine: 'gone' })], ['MyDocker', 'gone']);
	});
});
