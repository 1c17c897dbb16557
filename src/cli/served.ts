/**
 * A command in the engine's own process (api/command-line): the same rows and actions as in a process of its own, with
 * the caller's words, environment and streams.
 */
import { EventEmitter } from 'node:events';
import * as os from 'node:os';
import { Readable, Writable, type Duplex } from 'node:stream';
import { FRAMES, type CarryOut, type CommandHost, type HandedCommand } from '../api/command-line';
import { createClient } from '../api/client';
import { Credentials } from '../api/credentials';
import { carryOut, invoke, type Globals } from './carry-out';
import { globalFlags, nouns, rows } from './commands';
import { chooseTarget } from './connection';
import { CommandError } from './errors';
import { Interrupts } from './interrupts';
import { Output } from './output';
import { parseCommandLine, type CommandLine as ParsedLine, type Invocation } from './program';
import { fullReference } from './pull';
import { OWN_NAME } from './current-context';
import type { Session } from './session';

/** First names of the rows that read no file of the caller's, ask nobody anything and need no terminal. */
const SERVED = new Set([
	...['container create', 'container run', 'container exec', 'container list', 'container logs', 'container inspect'],
	...[
		'container start',
		'container stop',
		'container restart',
		'container kill',
		'container wait',
		'container remove',
	],
	...[
		'container pause',
		'container unpause',
		'container rename',
		'container update',
		'container top',
		'container port',
	],
	...[
		'container diff',
		'image list',
		'image pull',
		'image inspect',
		'image history',
		'image tag',
		'image remove',
		'inspect',
	],
	...['network create', 'network list', 'network inspect', 'network remove', 'network connect', 'network disconnect'],
	...['volume create', 'volume list', 'volume inspect', 'volume remove', 'system df', 'system info', 'system events'],
]);

/** Flags that name a file, or want a terminal: of the engine's process neither is the caller's. */
const UNSERVED_FLAGS = ['tty', 'envFile', 'labelFile', 'cidfile', 'securityOpt'];

/** Bytes before the data of a frame: its kind, and the length of the data. */
const HEAD = 5;
/** Bytes of input at once; command.pl sends no more. */
const LONGEST_FRAME = 64 * 1024;

/** Carries out commands for `host`. */
export function serveCommands(host: CommandHost): (command: HandedCommand) => CarryOut | undefined {
	return (command) => {
		const invocation = servedInvocation(command, host);
		return invocation && ((connection, signal) => run(invocation, command, { host, connection, signal }));
	};
}

/** The command, when it is for this engine and can be carried out away from its caller. Mistakes are the caller's to tell. */
function servedInvocation({ words, env, cwd }: HandedCommand, { root, hasImage }: CommandHost): Invocation | undefined {
	let line: ParsedLine;
	try {
		line = parseCommandLine({ rows, nouns, flags: globalFlags }, words);
		// parseCommandLine reads the global flags by this very table.
		const globals = line.globals as Globals;
		const target = chooseTarget(globals, env, cwd);
		if (target.kind !== 'store' || target.root !== root || globals.debug || globals.version) {
			return undefined;
		}
	} catch (error) {
		if (error instanceof CommandError) {
			return undefined;
		}
		throw error;
	}
	// What is looked for in the home folder is looked for in that of this process.
	return 'help' in line.request || env['HOME'] !== os.homedir() || !isServed(line.request, { hasImage, env })
		? undefined
		: line.request;
}

function isServed(
	{ row, operands, flags }: Invocation,
	{ hasImage, env }: Pick<CommandHost, 'hasImage'> & Pick<HandedCommand, 'env'>,
): boolean {
	const [name = ''] = row.names;
	if (!SERVED.has(name) || UNSERVED_FLAGS.some((flag) => isGiven(flags[flag]))) {
		return false;
	}
	const image = operands[0] ?? '';
	const makes = name === 'container run' || name === 'container create';
	const pulls = name === 'image pull' || (makes && (flags['pull'] === 'always' || !hasImage(image)));
	return !pulls || !new Credentials(env).needsCaller(fullReference(image));
}

function isGiven(flag: unknown): boolean {
	return Array.isArray(flag) ? flag.length > 0 : flag !== undefined && flag !== false;
}

async function run(
	invocation: Invocation,
	command: HandedCommand,
	{ host, connection, signal }: { host: CommandHost; connection: Duplex; signal: AbortSignal },
): Promise<void> {
	const caller = new Caller(connection, command);
	const leave = new AbortController();
	const end = (code: number): void => {
		caller.send(FRAMES.toCaller.exit, String(code));
		connection.end();
		leave.abort();
	};
	const output = new Output(caller, () => {
		// The caller has gone, which `signal` tells.
	});
	const interrupts = new Interrupts(caller.signals, (code, message) => {
		if (message !== undefined) {
			output.error(message);
		}
		end(code);
	});
	const credentials = new Credentials(command.env);
	const session: Session = {
		client: createClient(() => Promise.resolve(host.address), { auth: (name) => credentials.find(name) }),
		engineName: OWN_NAME,
		...{ output, interrupts, env: command.env, cwd: command.cwd, input: caller.stdin, now: Date.now() },
		signal: AbortSignal.any([interrupts.signal, signal, leave.signal]),
	};
	const code = await carryOut(() => invoke(invocation, session), { output, interrupts, isDebug: () => false });
	if (!session.signal.aborted || interrupts.signal.aborted) {
		await output.flush();
		end(code);
	}
}

/** Streams and signals of the process that handed the command over. */
class Caller {
	readonly stdout: NodeJS.WriteStream;
	readonly stderr: NodeJS.WriteStream;
	readonly stdin: NodeJS.ReadStream;
	readonly signals = new EventEmitter();
	private rest: Buffer = Buffer.alloc(0);

	constructor(
		private readonly connection: Duplex,
		{ isTerminal, size }: HandedCommand,
	) {
		const output = (kind: number, isTTY: boolean): NodeJS.WriteStream => {
			const stream = new Writable({
				// Done when it has left, so that a slow reader there slows the container down.
				write: (data: Buffer, _encoding, done) => void connection.write(framed(kind, data), done),
			});
			return Object.assign(stream, { isTTY, ...size }) as unknown as NodeJS.WriteStream;
		};
		this.stdout = output(FRAMES.toCaller.stdout, isTerminal.stdout);
		this.stderr = output(FRAMES.toCaller.stderr, isTerminal.stderr);
		// Asked for piece by piece: what nobody reads here stays the caller's.
		const input = new Readable({
			read: () => {
				this.send(FRAMES.toCaller.wantsInput, '');
			},
		});
		this.stdin = Object.assign(input, { isTTY: isTerminal.stdin }) as unknown as NodeJS.ReadStream;
		connection.on('data', (data: Buffer) => {
			this.receive(data);
		});
	}

	send(kind: number, text: string): void {
		this.connection.write(framed(kind, Buffer.from(text)));
	}

	private receive(data: Buffer): void {
		this.rest = this.rest.length === 0 ? data : Buffer.concat([this.rest, data]);
		while (this.rest.length >= HEAD) {
			const length = this.rest.readUInt32BE(1);
			if (length > LONGEST_FRAME) {
				this.connection.destroy();
				return;
			}
			if (this.rest.length < HEAD + length) {
				return;
			}
			this.take(this.rest[0], this.rest.subarray(HEAD, HEAD + length));
			this.rest = this.rest.subarray(HEAD + length);
		}
	}

	private take(kind: number | undefined, data: Buffer): void {
		if (kind === FRAMES.toEngine.input) {
			this.stdin.push(data.length === 0 ? null : data);
			return;
		}
		const name = `SIG${data.toString('latin1')}`;
		if (!this.signals.emit(name, name)) {
			this.send(FRAMES.toCaller.dieOf, name.slice('SIG'.length));
		}
	}
}

function framed(kind: number, data: Buffer): Buffer {
	const head = Buffer.alloc(HEAD);
	head.writeUInt8(kind);
	head.writeUInt32BE(data.length, 1);
	return Buffer.concat([head, data]);
}
