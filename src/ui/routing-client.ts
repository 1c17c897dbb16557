import { l10n } from 'vscode';
import type { Client } from '../api/client';
import { bare, engineIn } from './engine-keys';

/**
 * The client of all engines that a window uses. A call goes to the engine that its ids and names say (engine-keys.ts), one
 * that says none to the window's first engine when the call is made. What has begun goes on with the engine it began with.
 */
export class RoutingClient implements Client {
	/** `choose` gives the client of an engine, of the window's first one without an id. */
	constructor(private readonly choose: (engine: string | undefined) => Client) {}

	readonly images = this.routed('images');
	readonly registries = this.routed('registries');
	readonly containers = this.routed('containers');
	readonly execs = this.routed('execs');
	readonly networks = this.routed('networks');
	readonly volumes = this.routed('volumes');

	readonly version: Client['version'] = (options) => this.choose(undefined).version(options);
	readonly info: Client['info'] = (options) => this.choose(undefined).info(options);
	readonly doctor: Client['doctor'] = (options) => this.choose(undefined).doctor(options);
	readonly diskUsage: Client['diskUsage'] = (options) => this.choose(undefined).diskUsage(options);
	readonly events: Client['events'] = (options) => this.choose(undefined).events(options);

	/** The client of the engine that the key says, or of the first one for now: whatever is chosen later. */
	at(key: string): RoutingClient {
		const client = this.choose(engineIn(key));
		return new RoutingClient(() => client);
	}

	private routed<Name extends 'images' | 'registries' | 'containers' | 'execs' | 'networks' | 'volumes'>(
		name: Name,
	): Client[Name] {
		const call = (method: PropertyKey, values: readonly unknown[]): unknown => {
			const calls = this.choose(engineOf(values))[name] as unknown as Readonly<
				Record<PropertyKey, (...values: unknown[]) => unknown>
			>;
			return calls[method]?.(...values.map(bareValue));
		};
		return new Proxy({} as Client[Name], {
			get:
				(_, method) =>
				(...values: unknown[]) =>
					call(method, values),
		});
	}
}

/** The client of the engine that the key says, for what has to stay with it. */
export function pinned(client: Client, key: string): Client {
	return client instanceof RoutingClient ? client.at(key) : client;
}

/** Throws when a call is about two engines. */
function engineOf(values: readonly unknown[]): string | undefined {
	const keys = values.flat().filter((value) => typeof value === 'string');
	const engines = new Set(keys.map(engineIn).filter((engine) => engine !== undefined));
	if (engines.size > 1) {
		throw new Error(l10n.t('This is about things of several engines. Choose those of one engine.'));
	}
	return [...engines][0];
}

function bareValue(value: unknown): unknown {
	if (Array.isArray(value)) {
		return value.map(bareValue);
	}
	return typeof value === 'string' ? bare(value) : value;
}
