import * as path from 'node:path';
import { createClient } from '../api/client';
import type { Client } from '../api/client';
import { reachEngine } from '../api/connect';
import { hostText, InvalidHost, parseHost, type Endpoint } from '../api/endpoint';
import { chosenContext, defaultRoot, OWN_CONTEXT, OWN_NAME } from './current-context';
import { CommandError } from './errors';

/** The global flags that choose an engine. */
export interface ConnectionFlags {
	readonly context: string | undefined;
	readonly host: string | undefined;
	readonly root: string | undefined;
	readonly debug: boolean;
}

/** Which engine a command drives. */
export type Target =
	| { readonly kind: 'host'; readonly endpoint: Endpoint }
	| { readonly kind: 'context'; readonly name: string }
	| { readonly kind: 'store'; readonly root: string };

/**
 * Decides by flags, then by MYDOCKER_HOST, MYDOCKER_CONTEXT and MYDOCKER_ROOT, then by `context use`, then the user's own
 * store. DOCKER_HOST is what the context "default" leads to. Throws CommandError for flags that conflict and for a host
 * that cannot be read.
 */
export function chooseTarget(flags: ConnectionFlags, env: NodeJS.ProcessEnv, cwd: string): Target {
	if (flags.host !== undefined && flags.context !== undefined) {
		throw new CommandError('conflicting options: cannot specify both --host and --context');
	}
	if (flags.host !== undefined && flags.root !== undefined) {
		throw new CommandError('conflicting options: cannot specify both --host and --root', 125);
	}
	if (flags.host !== undefined) {
		return hostTarget(flags.host);
	}
	if (flags.context !== undefined && flags.root === undefined) {
		return contextTarget(flags.context, env, cwd);
	}
	if (flags.root !== undefined) {
		return { kind: 'store', root: path.resolve(cwd, flags.root) };
	}
	return env['MYDOCKER_HOST'] ? hostTarget(env['MYDOCKER_HOST']) : contextTarget(chosenContext(env), env, cwd);
}

/** What the engine is called beside others: our own, its docker context, or where it is. */
export function nameOfTarget(target: Target): string {
	switch (target.kind) {
		case 'store':
			return OWN_NAME;
		case 'context':
			return target.name;
		case 'host':
			return hostText(target.endpoint);
	}
}

/** A client of the chosen engine. Our own engine is started by the first call, when it is not running. */
export function openClient(target: Target, engine: string, log: (message: string) => void): Client {
	const context = {
		auth: async (name: string) => {
			const { Credentials } = await import('../api/credentials');
			return new Credentials().findUsable(name, (message) => {
				process.stderr.write(`Warning: ${message}\n`);
			});
		},
	};
	if (target.kind === 'store') {
		return createClient((signal) => reachEngine({ root: target.root, engine, log }, signal), context);
	}
	return createClient(async (signal) => {
		const { attachEngine } = await import('../api/attach');
		return attachEngine(await endpointOf(target), { signal, isInteractive: process.stdin.isTTY });
	}, context);
}

function contextTarget(name: string, env: NodeJS.ProcessEnv, cwd: string): Target {
	return name === OWN_CONTEXT
		? { kind: 'store', root: path.resolve(cwd, env['MYDOCKER_ROOT'] || defaultRoot(env)) }
		: { kind: 'context', name };
}

function hostTarget(host: string): Target {
	try {
		return { kind: 'host', endpoint: parseHost(host) };
	} catch (error) {
		throw error instanceof InvalidHost ? new CommandError(error.message, 125) : error;
	}
}

async function endpointOf(target: Exclude<Target, { readonly kind: 'store' }>): Promise<Endpoint> {
	if (target.kind === 'host') {
		return target.endpoint;
	}
	const { findContext } = await import('./contexts');
	const { endpoint, problem } = await findContext(target.name);
	if (endpoint === undefined) {
		throw new CommandError(`Cannot use context "${target.name}": ${problem ?? 'it names no engine'}`);
	}
	return endpoint;
}
