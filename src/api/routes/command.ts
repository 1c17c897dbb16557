import { EngineError } from '../../core/errors';
import { build } from '../build';
import type { HandedCommand } from '../command-line';
import type { ApiRequest } from '../request';
import { route, type Route } from '../route';
import { RAW_STREAM } from '../stream';

export const commandRoutes: readonly Route[] = [route('POST', '/mydocker/command', carryOut)];

/** Any answer but 101 leaves the command to its caller. */
async function carryOut(request: ApiRequest): Promise<void> {
	const { upgrade } = request.parts;
	if (upgrade === undefined) {
		throw new EngineError('invalid', 'Cannot carry out command: the connection was not asked to be upgraded');
	}
	const carry = await request.core.commandLine(readCommand(upgrade.body));
	if (carry === undefined) {
		throw new EngineError('unsupported', 'This command has to be carried out by its caller');
	}
	request.hijack(RAW_STREAM);
	await carry(upgrade.socket, request.signal);
}

/** The body of POST /mydocker/command; EngineError "conflict" when it is of another build than this engine. */
export function readCommand(body: Buffer): HandedCommand {
	const fields = body.toString().split('\0');
	const [time, cwd, terminals, rows, columns, count] = fields;
	if (Number(time) !== build.time) {
		throw new EngineError('conflict', 'Cannot carry out command: it comes from another build of mydocker');
	}
	const first = 6;
	const last = first + Number(count);
	if (cwd?.startsWith('/') !== true || terminals?.length !== 3 || !(last < fields.length)) {
		throw new EngineError('invalid', 'Cannot carry out command: it is not complete');
	}
	const variables = fields.slice(last, -1).map((text) => {
		const mark = text.indexOf('=');
		return [text.slice(0, mark), text.slice(mark + 1)];
	});
	return {
		cwd,
		words: fields.slice(first, last),
		env: Object.fromEntries(variables) as Record<string, string>,
		isTerminal: { stdin: terminals[0] === '1', stdout: terminals[1] === '1', stderr: terminals[2] === '1' },
		size: { rows: Number(rows) || 0, columns: Number(columns) || 0 },
	};
}
