import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { EngineError, systemCode } from '../errors';
import { findProgram, run } from '../exec';
import { CONSOLE, consoleCommand } from './console';
import { commandLine, identify, signalProcess } from './process';
import { readText } from './shim';

/** Rows and columns; 0 leaves it open, as docker does until the first resize. */
export interface TerminalSize {
	readonly rows: number;
	readonly columns: number;
}

/**
 * A terminal on this side of a runtime that sends none (see console.ts for those that do): script(1) makes one, and the
 * runtime joins the container's to it or gives this one to the container. script takes a text for a shell and no
 * arguments: the text is this constant, and what varies lies in files beside it, in a folder of the terminal:
 *   arguments   program and arguments that run in the terminal, one a line
 *   size        "rows columns"
 *   tty         the terminal's device, /dev/pts/N
 *
 * The device is named before the size is read, so a resize that comes meanwhile is seen by one of both. The terminal
 * is raw before anything is written to it; only line ends are still translated here, because runc switches that off in
 * the container's own terminal, so a program in raw mode gets a CR before each LF that it has not written. What the runtime has to say is in its log and must not be shown in the terminal.
 */
const TEXT = `cd "$MYDOCKER_TERMINAL" || exit
unset MYDOCKER_TERMINAL
tty >.tty && mv .tty tty && read -r rows columns <size || exit
stty raw -echo opost onlcr rows "$rows" columns "$columns" || exit
set --
while IFS= read -r argument; do
	set -- "$@" "$argument"
done <arguments
cd /
exec "$@" 2>/dev/null
`;

/**
 * Program and arguments that run `command` in a terminal of its own, described by files in `folder`, which exists. `run`
 * is the store's run folder.
 */
export function terminalCommand(
	command: readonly string[],
	{ folder, run, size }: { readonly folder: string; readonly run: string; readonly size?: TerminalSize | undefined },
): string[] {
	writeSize(folder, size ?? { rows: 0, columns: 0 });
	if (command.includes(CONSOLE)) {
		return consoleCommand(command, { folder, run });
	}
	const broken = command.find((argument) => argument.includes('\n'));
	if (broken !== undefined) {
		throw new EngineError('invalid', `Cannot make a terminal: the path "${broken}" contains a line break`);
	}
	fs.writeFileSync(path.join(folder, 'arguments'), command.map((argument) => `${argument}\n`).join(''));
	return ['env', 'SHELL=/bin/sh', `MYDOCKER_TERMINAL=${folder}`, 'script', '-qefc', TEXT, '/dev/null'];
}

/** Gives the terminal another size; the programs in it get SIGWINCH. One that has ended is no error. */
export async function resizeTerminal(folder: string, size: TerminalSize): Promise<void> {
	writeSize(folder, size);
	const receiver = Number(readText(path.join(folder, 'terminal.pid')));
	// Its folder among its arguments says that it is this one and no later process with the same number.
	const identity = commandLine(receiver)?.includes(folder) === true ? identify(receiver) : undefined;
	if (identity !== undefined) {
		signalProcess(identity, os.constants.signals.SIGWINCH);
		return;
	}
	const device = readText(path.join(folder, 'tty'))?.trim() ?? '';
	if (/^\/dev\/pts\/\d+$/.test(device)) {
		await run('stty', ['-F', device, 'rows', String(size.rows), 'columns', String(size.columns)], {
			timeout: 10_000,
		});
	}
}

/** Throws EngineError "unsupported" that names the package when this machine cannot make a terminal for `command`. */
export async function checkTerminals(command: readonly string[]): Promise<void> {
	if (command.includes(CONSOLE)) {
		return;
	}
	const hasPrograms = findProgram('script') !== undefined && findProgram('stty') !== undefined;
	if (!hasPrograms || !/util-linux/.test((await run('script', ['--version'], { timeout: 10_000 })).stdout)) {
		throw new EngineError(
			'unsupported',
			'Cannot make a terminal: the program "script" of util-linux is not installed; install the package ' +
				'"bsdutils" (Debian, Ubuntu), "util-linux-script" (Fedora) or "util-linux"',
		);
	}
}

function writeSize(folder: string, { rows, columns }: TerminalSize): void {
	try {
		fs.writeFileSync(path.join(folder, 'size.new'), `${rows} ${columns}\n`);
		fs.renameSync(path.join(folder, 'size.new'), path.join(folder, 'size'));
	} catch (error) {
		// The folder goes with what ran in the terminal.
		if (systemCode(error) !== 'ENOENT') {
			throw error;
		}
	}
}
