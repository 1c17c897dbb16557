import * as os from 'node:os';
import * as path from 'node:path';
import { createClient } from '../api/client';
import type { Client } from '../api/client';
import { reachEngine } from '../api/connect';
import { CommandError } from './errors';

/** The global flags that choose an engine. */
export interface ConnectionFlags {
	readonly host: string | undefined;
	readonly root: string | undefined;
	readonly debug: boolean;
}

/** Which engine a command drives. */
export type Target =
	{ readonly kind: 'socket'; readonly path: string } | { readonly kind: 'store'; readonly root: string };

/**
 * Decides by flags, then by MYDOCKER_HOST and MYDOCKER_ROOT, then the user's own store. Throws CommandError for a host
 * that is not a unix socket.
 */
export function chooseTarget(flags: ConnectionFlags, env: NodeJS.ProcessEnv): Target {
	if (flags.host !== undefined && flags.root !== undefined) {
		throw new CommandError('conflicting options: cannot specify both --host and --root', 125);
	}
	const host = flags.host ?? (flags.root === undefined ? env['MYDOCKER_HOST'] : undefined);
	if (host !== undefined && host !== '') {
		return { kind: 'socket', path: socketPath(host) };
	}
	return { kind: 'store', root: path.resolve(flags.root ?? (env['MYDOCKER_ROOT'] || defaultRoot(env))) };
}

/** A client of the chosen engine. Our own engine is started by the first call, when it is not running. */
export function openClient(target: Target, engine: string, log: (message: string) => void): Client {
	const context = {
		auth: async (name: string) => {
			const { Credentials } = await import('../api/credentials');
			return new Credentials().find(name);
		},
	};
	if (target.kind === 'socket') {
		return createClient(() => Promise.resolve(target.path), context);
	}
	return createClient((signal) => reachEngine({ root: target.root, engine, log }, signal), context);
}

function defaultRoot(env: NodeJS.ProcessEnv): string {
	return path.join(env['XDG_DATA_HOME'] || path.join(os.homedir(), '.local', 'share'), 'mydocker');
}

function socketPath(host: string): string {
	const match = /^unix:\/\/(\/.+)$/.exec(host);
	if (match?.[1] === undefined) {
		throw new CommandError(`Cannot use host "${host}": give a socket as unix:///path`, 125);
	}
	return match[1];
}
