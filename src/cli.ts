import * as path from 'node:path';
import { build } from './api/build';
import { globalFlags, nouns, rows } from './cli/commands';
import { CommandError, systemCode } from './cli/errors';
import type { Values } from './cli/flags';
import { addUsage } from './cli/help';
import { Interrupts } from './cli/interrupts';
import { Output } from './cli/output';
import { parseCommandLine } from './cli/program';
import type { Invocation } from './cli/program';
import type { Session } from './cli/session';

/** A program that its reader has left ends as SIGPIPE would end it. */
const BROKEN_PIPE = 141;

async function main(): Promise<void> {
	const output = new Output(process, endWithReader);
	const interrupts = new Interrupts(process, (code, message) => {
		if (message !== undefined) {
			output.error(message);
		}
		process.exit(code);
	});
	const exitCode = await runCommandLine(output, interrupts);
	await output.flush();
	// Not left to the event loop: a terminal or pipe on stdin would keep it going.
	process.exit(exitCode);
}

/** Gives the exit code; what was thrown becomes a message and an exit code here, and nowhere else. */
async function runCommandLine(output: Output, interrupts: Interrupts): Promise<number> {
	let isDebug = false;
	try {
		const line = parseCommandLine({ rows, nouns, flags: globalFlags }, process.argv.slice(2));
		// parseCommandLine reads the global flags by this very table.
		const globals = line.globals as Values<typeof globalFlags>;
		isDebug = globals.debug;
		if (globals.version) {
			output.line(`MyDocker version ${build.version}, build ${new Date(build.time).toISOString()}`);
			return 0;
		}
		if ('help' in line.request) {
			output.stdout.write(line.request.help);
			return 0;
		}
		return await invoke(line.request, globals, output, interrupts);
	} catch (error) {
		if (interrupts.signal.aborted) {
			return interrupts.exitCode;
		}
		const { explain } = await import('./cli/explain');
		output.error(isDebug && error instanceof Error ? (error.stack ?? error.message) : explain(error));
		return error instanceof CommandError ? error.exitCode : 1;
	}
}

async function invoke(
	invocation: Invocation,
	globals: Values<typeof globalFlags>,
	output: Output,
	interrupts: Interrupts,
): Promise<number> {
	const { row, name, operands, flags } = invocation;
	const [action, { chooseTarget, openClient }] = await Promise.all([row.load(), import('./cli/connection')]);
	const debug = (message: string): void => {
		if (globals.debug) {
			output.error(message);
		}
	};
	const session: Session = {
		client: openClient(chooseTarget(globals, process.env), path.join(__dirname, 'engine.js'), debug),
		output,
		// A getter, because to look at stdin is to open it.
		get input() {
			return process.stdin;
		},
		signal: interrupts.signal,
		interrupts,
		now: Date.now(),
	};
	try {
		return await action(session, operands, flags);
	} catch (error) {
		throw addUsage(error, name, row.usage);
	}
}

function endWithReader(error: Error): void {
	if (systemCode(error) !== 'EPIPE') {
		throw error;
	}
	process.exit(BROKEN_PIPE);
}

void main();
