/** What is asked of registries beside pulling and pushing: logging in, and looking what is there. */
import { EngineError } from '../errors';
import { Connection } from './connection';
import type { RegistryAuth } from './credentials';
import { RegistrySettingsFile } from './registry-settings';
import type { RegistrySettings } from './registry-settings';

/** What comes with a request to a registry. */
export interface RegistryOptions {
	readonly auth?: RegistryAuth | undefined;
	/** Go before those of the store's file. */
	readonly settings?: RegistrySettings | undefined;
	readonly signal?: AbortSignal | undefined;
}

const HOST = /^(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9a-fA-F:]+\])(?::\d{1,5})?$/;
const MAX_ANSWER = 64 * 1024;

export class Registries {
	readonly settings: RegistrySettingsFile;

	/** `root` is the store's folder. */
	constructor(root: string) {
		this.settings = new RegistrySettingsFile(root);
	}

	/**
	 * Tries the credentials (distribution-spec, "Determining Support"). Gives the identity token that may be kept in place of
	 * the password, where the registry has such. Throws EngineError "unauthorized" when they are wrong.
	 */
	async login(server: string, options: RegistryOptions): Promise<{ readonly identityToken?: string }> {
		const host = registryHost(server);
		return this.connected(host, options, async (connection) => {
			const request = {
				action: `log in to registry "${host}"`,
				target: '/v2/',
				scope: '',
				signal: options.signal,
			};
			await connection.read(request, MAX_ANSWER);
			const identityToken = connection.identityToken;
			return identityToken === undefined ? {} : { identityToken };
		});
	}

	private async connected<T>(
		host: string,
		{ auth, settings }: RegistryOptions,
		work: (connection: Connection) => Promise<T>,
	): Promise<T> {
		const connection = new Connection(this.settings.origin(host, auth, settings), true);
		try {
			return await work(connection);
		} finally {
			connection.close();
		}
	}
}

/** The host of what a person calls a registry: "https://index.docker.io/v1/", "registry.example:5000". */
export function registryHost(server: string): string {
	const host = server.replace(/^https?:\/\//, '').split('/', 1)[0] ?? '';
	if (host === '' || host === 'index.docker.io' || host === 'registry-1.docker.io') {
		return 'docker.io';
	}
	if (!HOST.test(host)) {
		throw new EngineError('invalid', `"${host.slice(0, 200)}" is not the host of a registry`);
	}
	return host;
}
