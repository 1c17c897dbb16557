import * as fs from 'node:fs';
import * as http from 'node:http';
import * as os from 'node:os';
import * as path from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { createClient } from '../../../src/api/client';
import { globalFlags, nouns, rows } from '../../../src/cli/commands';
import { Output } from '../../../src/cli/output';
import { parseCommandLine } from '../../../src/cli/program';
import type { Session } from '../../../src/cli/session';

export interface VerbResult {
	readonly code: number;
	readonly stdout: string;
	readonly stderr: string;
	/** "METHOD /path?query" and its JSON body, of each request but the agreement on a version. */
	readonly requests: readonly (readonly [string, unknown])[];
}

/**
 * Runs a command line against a small server that answers each "METHOD /path" with a status and a JSON value, and
 * everything else with 404, and with `input` to read; for what a command asks of the engine and makes of its answer.
 */
export async function runVerb(
	args: readonly string[],
	answers: Readonly<Record<string, readonly [number, unknown]>> = {},
	{ input = '', isTerminal = false }: { readonly input?: string; readonly isTerminal?: boolean } = {},
): Promise<VerbResult> {
	const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'mydocker-verbs-'));
	const requests: (readonly [string, unknown])[] = [];
	const server = http.createServer((incoming, response) => {
		const chunks: Buffer[] = [];
		incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
		incoming.on('end', () => {
			const url = decodeURIComponent((incoming.url ?? '').replace(/^\/v[\d.]+/, ''));
			const name = `${incoming.method ?? ''} ${url}`;
			const text = Buffer.concat(chunks).toString();
			if (!url.startsWith('/_ping')) {
				requests.push([name, text === '' ? undefined : (JSON.parse(text) as unknown)]);
			}
			const missing = [404, { message: `nothing at ${name}` }] as const;
			const [status, value] = url.startsWith('/_ping') ? [200, 'OK'] : (answers[name] ?? missing);
			response.writeHead(status, { 'content-type': 'application/json', 'api-version': '1.47' });
			response.end(value === undefined ? '' : JSON.stringify(value));
		});
	});
	const socket = path.join(folder, 'api.sock');
	await new Promise<void>((resolve) => server.listen(socket, resolve));
	const [stdout, stderr] = [new PassThrough(), new PassThrough()];
	try {
		const { request } = parseCommandLine({ rows, nouns, flags: globalFlags }, args);
		if ('help' in request) {
			throw new Error(`${args.join(' ')} asks for help`);
		}
		const session = {
			client: createClient(() => Promise.resolve(socket)),
			output: new Output({ stdout, stderr } as unknown as NodeJS.Process, (error) => {
				throw error;
			}),
			input: Object.assign(Readable.from(input === '' ? [] : [input]), { isTTY: isTerminal }),
			signal: new AbortController().signal,
			now: 0,
		} as unknown as Session;
		const code = await (await request.row.load())(session, request.operands, request.flags);
		const text = (stream: PassThrough): string => String(stream.read() ?? '');
		return { code, stdout: text(stdout), stderr: text(stderr), requests };
	} finally {
		server.closeAllConnections();
		server.close();
		fs.rmSync(folder, { recursive: true });
	}
}
