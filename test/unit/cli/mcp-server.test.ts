import assert from 'node:assert/strict';
import { McpServer } from '../../../src/cli/mcp-server';

type Message = Readonly<Record<string, unknown>>;

describe('Model Context Protocol', () => {
	let sent: (Message | readonly Message[])[];
	let server: McpServer;
	const take = async (message: unknown): Promise<unknown> => {
		sent = [];
		await server.take(typeof message === 'string' ? message : JSON.stringify(message));
		return sent.length > 1 ? sent : sent[0];
	};
	const ask = (method: string, params?: object, id: string | number = 1): Promise<unknown> =>
		take({ jsonrpc: '2.0', id, method, params });
	const errorOf = async (message: unknown): Promise<unknown> => {
		const { id, error } = (await take(message)) as { id: unknown; error: { code: number } };
		return [id, error.code];
	};

	beforeEach(() => {
		server = new McpServer({
			version: '1.2.3',
			instructions: 'Be brief.',
			tools: [{ name: 'echo' }, { name: 'wait' }],
			send: (message) => sent.push(message as Message),
			call: async (name, input, { signal, report }) => {
				if (name === 'wait') {
					await new Promise((resolve) => {
						signal.addEventListener('abort', resolve);
					});
					signal.throwIfAborted();
				}
				if (typeof input['text'] !== 'string') {
					throw new Error('"text" is missing');
				}
				report('half');
				return Promise.resolve(input['text']);
			},
		});
	});

	it('initialize: takes a known revision and offers its newest for another', async () => {
		const revision = async (protocolVersion: string): Promise<unknown> =>
			((await ask('initialize', { protocolVersion })) as { result: Message }).result['protocolVersion'];
		assert.equal(await revision('2024-11-05'), '2024-11-05');
		assert.equal(await revision('2025-06-18'), '2025-06-18');
		assert.equal(await revision('2099-01-01'), '2025-11-25');
		const answer = await ask('initialize', {}, 'first');
		assert.deepEqual(answer, {
			jsonrpc: '2.0',
			id: 'first',
			result: {
				protocolVersion: '2025-11-25',
				capabilities: { tools: {} },
				serverInfo: { name: 'mydocker', title: 'MyDocker', version: '1.2.3' },
				instructions: 'Be brief.',
			},
		});
	});

	it('ping and tools/list: are answered, notifications and responses are not', async () => {
		assert.deepEqual(await ask('ping', undefined, 0), { jsonrpc: '2.0', id: 0, result: {} });
		const list = { tools: [{ name: 'echo' }, { name: 'wait' }] };
		assert.deepEqual(await ask('tools/list'), { jsonrpc: '2.0', id: 1, result: list });
		assert.equal(await take({ jsonrpc: '2.0', method: 'notifications/initialized' }), undefined);
		assert.equal(await take({ jsonrpc: '2.0', method: 'no/such' }), undefined);
		assert.equal(await take({ jsonrpc: '2.0', id: 7, result: {} }), undefined);
	});

	it('tools/call: gives the answer as text, and a failure as a result that the model reads', async () => {
		const result = (text: string, isError: boolean) => ({ content: [{ type: 'text', text }], isError });
		assert.deepEqual(await ask('tools/call', { name: 'echo', arguments: { text: 'hello' } }), {
			jsonrpc: '2.0',
			id: 1,
			result: result('hello', false),
		});
		assert.deepEqual(await ask('tools/call', { name: 'echo' }), {
			jsonrpc: '2.0',
			id: 1,
			result: result('"text" is missing', true),
		});
	});

	it('tools/call: tells progress to who asks for it', async () => {
		const params = { name: 'echo', arguments: { text: 'x' }, _meta: { progressToken: 't' } };
		const [progress] = (await ask('tools/call', params)) as readonly Message[];
		assert.deepEqual(progress, {
			jsonrpc: '2.0',
			method: 'notifications/progress',
			params: { progressToken: 't', progress: 1, message: 'half' },
		});
	});

	it('notifications/cancelled: ends the call, which is not answered', async () => {
		const waiting = ask('tools/call', { name: 'wait', arguments: {} }, 'w');
		await server.take(
			JSON.stringify({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 'w' } }),
		);
		assert.equal(await waiting, undefined);
	});

	it('a batch: is answered as one', async () => {
		const answer = await take([
			{ jsonrpc: '2.0', id: 1, method: 'ping' },
			{ jsonrpc: '2.0', method: 'notifications/initialized' },
			{ jsonrpc: '2.0', id: 2, method: 'ping' },
		]);
		assert.deepEqual(answer, [
			{ jsonrpc: '2.0', id: 1, result: {} },
			{ jsonrpc: '2.0', id: 2, result: {} },
		]);
	});

	it('what is no request: is refused with the code of JSON-RPC', async () => {
		assert.deepEqual(await errorOf('{'), [null, -32700]);
		assert.deepEqual(await errorOf('null'), [null, -32600]);
		assert.deepEqual(await errorOf({ id: 1, method: 'ping' }), [null, -32600]);
		assert.deepEqual(await errorOf({ jsonrpc: '2.0', id: 1 }), [1, -32600]);
		assert.deepEqual(await errorOf({ jsonrpc: '2.0', id: 1, method: 'toString' }), [1, -32601]);
		const call = (params: object) => errorOf({ jsonrpc: '2.0', id: 1, method: 'tools/call', params });
		assert.deepEqual(await call({ name: 'toString' }), [1, -32602]);
		assert.deepEqual(await call({ name: 'echo', arguments: [] }), [1, -32602]);
	});
});
