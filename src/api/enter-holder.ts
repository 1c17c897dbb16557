import { spawn } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { EngineError, messageOf } from '../core/errors';
import { joinScope } from '../core/system/delegation';
import { enter, findHolder, makeHolder, openHold, type Holder } from '../core/system/holder';
import type { Ownership } from './election';
import type { EngineLog } from './engine-log';

export interface InsideDescriptors {
	/** The listening socket that owns the store. */
	readonly lock: number;
	/** Says that this process is inside. */
	readonly arrived: () => void;
}

const ARRIVED = 4;
const LOCK = 5;

/** What `continueInside` gives the process inside. */
export const insideDescriptors: InsideDescriptors = {
	lock: LOCK,
	arrived: () => {
		fs.writeSync(ARRIVED, 'in');
		fs.closeSync(ARRIVED);
	},
};

/** A holder can end between the look and the entry, when the last shim goes at that moment. */
const TRIES = 3;

/**
 * Starts the engine anew inside the namespaces of the store's holder, as their root, and hands the store over to it.
 * The caller, who owns the store, has nothing more to do. Throws EngineError "unsupported" where user namespaces are
 * forbidden.
 */
export async function continueInside(
	ownership: Ownership,
	options: {
		readonly root: string;
		readonly idle: number;
		readonly runtime: string | undefined;
		readonly report: number | undefined;
		readonly log: EngineLog;
	},
): Promise<void> {
	const runFolder = path.join(options.root, 'run');
	fs.mkdirSync(runFolder, { recursive: true, mode: 0o700 });
	const hold = await openHold(runFolder);
	const refusal = await joinScope(options.root);
	if (refusal !== '') {
		options.log.write(`Warning: systemd delegates no control group: ${refusal}`);
	}
	for (let tries = 1; ; tries++) {
		const holder = findHolder(runFolder) ?? (await makeHolder(runFolder));
		const failure = await startInside(holder, { ...options, ownership, hold });
		if (failure === undefined) {
			return;
		}
		if (tries === TRIES) {
			throw new EngineError(
				'internal',
				`Cannot enter the namespaces of process ${holder.process.pid}: ${failure}`,
			);
		}
		options.log.write(`Warning: entering the namespaces of process ${holder.process.pid} failed: ${failure}`);
	}
}

/** Resolves once the new process is inside; with what nsenter(1) said when it is not. */
async function startInside(
	holder: Holder,
	options: {
		readonly root: string;
		readonly idle: number;
		readonly runtime: string | undefined;
		readonly report: number | undefined;
		readonly ownership: Ownership;
		readonly hold: number;
	},
): Promise<string | undefined> {
	const { root, idle, runtime, report, ownership, hold } = options;
	const engine = process.argv[1] ?? '';
	const [program = '', ...words] = [
		...enter(holder),
		...[process.execPath, engine, '--inside', '--root', root, '--idle', String(idle)],
		...(runtime === undefined ? [] : ['--runtime', runtime]),
		...(report === undefined ? [] : ['--report', '3']),
	];
	const child = spawn(program, words, {
		detached: true,
		cwd: '/',
		env: process.env,
		// The last keeps the holder alive while it is open: nobody reads or writes it.
		stdio: ['ignore', 'inherit', 'inherit', report ?? 'ignore', 'pipe', ownership.descriptor, hold],
	});
	child.unref();
	return new Promise((resolve) => {
		child.once('error', (error) => {
			resolve(messageOf(error));
		});
		child.stdio[ARRIVED]?.once('data', () => {
			resolve(undefined);
		});
		child.once('exit', (code) => {
			resolve(`nsenter ended with ${code ?? 'a signal'}`);
		});
	});
}
