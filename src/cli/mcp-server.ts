/** Revisions of the Model Context Protocol that are spoken, the newest first (https://modelcontextprotocol.io/specification). */
const REVISIONS = ['2025-11-25', '2025-06-18', '2025-03-26', '2024-11-05'];

/** Error codes of JSON-RPC 2.0 (https://www.jsonrpc.org/specification#error_object). */
const PARSE_ERROR = -32700;
const INVALID_REQUEST = -32600;
const METHOD_NOT_FOUND = -32601;
const INVALID_PARAMS = -32602;
const INTERNAL_ERROR = -32603;

/** A tool as `tools/list` names it. */
export interface ToolDefinition {
	readonly name: string;
	readonly [member: string]: unknown;
}

export interface McpServerOptions {
	/** Of this program. */
	readonly version: string;
	readonly instructions: string;
	readonly tools: readonly ToolDefinition[];
	/** Runs a tool of the list; its answer, or what it throws, goes to the model. */
	readonly call: (
		name: string,
		input: Readonly<Record<string, unknown>>,
		options: { readonly signal: AbortSignal; readonly report: (message: string) => void },
	) => Promise<string>;
	/** Takes messages for the other side. */
	readonly send: (message: object) => void;
}

type Fields = Readonly<Record<string, unknown>>;
type Id = string | number;

/** A fault that the other side is told as an error of the protocol. */
class RequestError extends Error {
	constructor(
		readonly code: number,
		message: string,
	) {
		super(message);
	}
}

/** The server's side of the Model Context Protocol, tools only; whoever reads and writes lines uses it. */
export class McpServer {
	/** Calls that are under way, by the id of their request. */
	private readonly calls = new Map<Id, AbortController>();

	constructor(private readonly options: McpServerOptions) {}

	/** Takes one line. Resolves when what it asked for has been answered. Never throws. */
	async take(line: string): Promise<void> {
		let message: unknown;
		try {
			message = JSON.parse(line);
		} catch (error) {
			this.options.send(failure(null, PARSE_ERROR, `Cannot read the message: ${String(error)}`));
			return;
		}
		if (!Array.isArray(message)) {
			const answer = await this.answer(message);
			if (answer !== undefined) {
				this.options.send(answer);
			}
			return;
		}
		// Revision 2025-03-26 has batches, of which the answers are one.
		const answers = (await Promise.all(message.map((each) => this.answer(each)))).filter(
			(answer) => answer !== undefined,
		);
		if (answers.length > 0) {
			this.options.send(answers);
		}
	}

	/** Ends what is under way. */
	close(): void {
		for (const call of this.calls.values()) {
			call.abort();
		}
	}

	/** Undefined for what is not to be answered: notifications, responses, and requests that were cancelled. */
	private async answer(message: unknown): Promise<object | undefined> {
		if (!isFields(message) || message['jsonrpc'] !== '2.0') {
			return failure(null, INVALID_REQUEST, 'A message is an object with "jsonrpc": "2.0"');
		}
		const { id, method } = message;
		const params = isFields(message['params']) ? message['params'] : {};
		if (typeof method !== 'string') {
			return 'result' in message || 'error' in message
				? undefined
				: failure(isId(id) ? id : null, INVALID_REQUEST, '"method" is missing');
		}
		if (!isId(id)) {
			this.notice(method, params);
			return undefined;
		}
		const abort = new AbortController();
		this.calls.set(id, abort);
		try {
			const result = await this.request(method, params, abort.signal);
			return abort.signal.aborted ? undefined : { jsonrpc: '2.0', id, result };
		} catch (error) {
			return error instanceof RequestError
				? failure(id, error.code, error.message)
				: failure(id, INTERNAL_ERROR, String(error));
		} finally {
			this.calls.delete(id);
		}
	}

	private notice(method: string, { requestId }: Fields): void {
		if (method === 'notifications/cancelled' && isId(requestId)) {
			this.calls.get(requestId)?.abort();
		}
	}

	private request(method: string, params: Fields, signal: AbortSignal): object | Promise<object> {
		const { version, instructions, tools } = this.options;
		switch (method) {
			case 'initialize':
				return {
					// Another revision than the one asked for is the other side's to accept or to leave.
					protocolVersion: REVISIONS.find((known) => known === params['protocolVersion']) ?? REVISIONS[0],
					capabilities: { tools: {} },
					serverInfo: { name: 'mydocker', title: 'MyDocker', version },
					instructions,
				};
			case 'ping':
				return {};
			case 'tools/list':
				return { tools };
			case 'tools/call':
				return this.callTool(params, signal);
			default:
				throw new RequestError(METHOD_NOT_FOUND, `There is no method "${method}"`);
		}
	}

	/** What a tool throws is a result: the model reads it and can do better. */
	private async callTool(params: Fields, signal: AbortSignal): Promise<object> {
		const { name, arguments: input = {}, _meta: meta } = params;
		if (typeof name !== 'string' || !this.options.tools.some((tool) => tool.name === name)) {
			const names = this.options.tools.map((tool) => tool.name).join(', ');
			throw new RequestError(INVALID_PARAMS, `There is no tool "${String(name)}"; the tools are ${names}`);
		}
		if (!isFields(input)) {
			throw new RequestError(INVALID_PARAMS, '"arguments" is no object');
		}
		const report = this.reporter(isFields(meta) ? meta['progressToken'] : undefined);
		try {
			return result(await this.options.call(name, input, { signal, report }), false);
		} catch (error) {
			return result(error instanceof Error ? error.message : String(error), true);
		}
	}

	/** Tells progress to who asked for it. */
	private reporter(progressToken: unknown): (message: string) => void {
		let progress = 0;
		return (message) => {
			if (isId(progressToken)) {
				progress++;
				const params = { progressToken, progress, message };
				this.options.send({ jsonrpc: '2.0', method: 'notifications/progress', params });
			}
		};
	}
}

function result(text: string, isError: boolean): object {
	return { content: [{ type: 'text', text }], isError };
}

function failure(id: Id | null, code: number, message: string): object {
	return { jsonrpc: '2.0', id, error: { code, message } };
}

function isFields(value: unknown): value is Fields {
	return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isId(value: unknown): value is Id {
	return typeof value === 'string' || typeof value === 'number';
}
