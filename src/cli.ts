import * as path from 'node:path';
import { build } from './api/build';
import { carryOut, invoke, type Globals } from './cli/carry-out';
import { globalFlags, nouns, rows } from './cli/commands';
import { systemCode } from './cli/errors';
import { Interrupts } from './cli/interrupts';
import { Output } from './cli/output';
import { parseCommandLine } from './cli/program';
import type { Invocation } from './cli/program';

/** A program that its reader has left ends as SIGPIPE would end it. */
const BROKEN_PIPE = 141;

/** Runs the command line of this process, then ends it. */
export async function main(): Promise<void> {
	const output = new Output(process, endWithReader);
	const interrupts = new Interrupts(process, (code, message) => {
		if (message !== undefined) {
			output.error(message);
		}
		process.exit(code);
	});
	let isDebug = false;
	const run = async (): Promise<number> => {
		const line = parseCommandLine({ rows, nouns, flags: globalFlags }, process.argv.slice(2));
		// parseCommandLine reads the global flags by this very table.
		const globals = line.globals as Globals;
		isDebug = globals.debug;
		if (globals.version) {
			output.line(`MyDocker version ${build.version}, build ${new Date(build.time).toISOString()}`);
			return 0;
		}
		if ('help' in line.request) {
			output.stdout.write(line.request.help);
			return 0;
		}
		return runHere(line.request, globals, { output, interrupts });
	};
	const exitCode = await carryOut(run, { output, interrupts, isDebug: () => isDebug });
	await output.flush();
	// Not left to the event loop: a terminal or pipe on stdin would keep it going.
	process.exit(exitCode);
}

/** What the engine loads to carry out commands itself; see api/command-line. */
export const loadServed = (): Promise<typeof import('./cli/served')> => import('./cli/served');

async function runHere(
	invocation: Invocation,
	globals: Globals,
	{ output, interrupts }: { readonly output: Output; readonly interrupts: Interrupts },
): Promise<number> {
	const { chooseTarget, nameOfTarget, openClient } = await import('./cli/connection');
	const debug = (message: string): void => {
		if (globals.debug) {
			output.error(message);
		}
	};
	const target = chooseTarget(globals, process.env, process.cwd());
	return invoke(invocation, {
		client: openClient(target, path.join(__dirname, 'engine.js'), debug),
		engineName: nameOfTarget(target),
		output,
		// A getter, because to look at stdin is to open it.
		get input() {
			return process.stdin;
		},
		env: process.env,
		cwd: process.cwd(),
		signal: interrupts.signal,
		interrupts,
		now: Date.now(),
	});
}

function endWithReader(error: Error): void {
	if (systemCode(error) !== 'EPIPE') {
		throw error;
	}
	process.exit(BROKEN_PIPE);
}
