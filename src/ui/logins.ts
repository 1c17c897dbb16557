import { workspace, type LogOutputChannel, type SecretStorage } from 'vscode';
import { Credentials, hostOf } from '../api/credentials';
import type { RegistryContext } from '../api/registry-client';
import type { RegistryAuth, RegistrySettings } from '../api/types';
import { settings } from './settings';

/**
 * What this window knows of registries: logins in VS Code's secret storage, those of docker's and podman's files, and the
 * settings. A request gets what is of its own registry only.
 */
export class Logins implements RegistryContext {
	private readonly files = new Credentials();

	constructor(
		private readonly secrets: SecretStorage,
		private readonly log: LogOutputChannel,
	) {}

	readonly auth = async (name: string): Promise<RegistryAuth | undefined> =>
		(await this.own(hostOf(name))) ??
		(await this.files.findUsable(name, (message) => {
			this.log.warn(message);
		}));

	readonly settings = (): RegistrySettings => {
		const http = workspace.getConfiguration('http');
		const proxy = http.get<string>('proxy') ?? '';
		const except = http.get<string[]>('noProxy') ?? [];
		return {
			...(settings.registryMirrors === null ? {} : { mirrors: settings.registryMirrors }),
			...(settings.insecureRegistries === null ? {} : { insecure: settings.insecureRegistries }),
			...(settings.registryCertificates === null ? {} : { certificates: settings.registryCertificates }),
			...(proxy === '' ? {} : { proxy }),
			...(proxy === '' || except.length === 0 ? {} : { noProxy: except.join(',') }),
		};
	};

	async keep(registry: string, auth: RegistryAuth): Promise<void> {
		await this.secrets.store(secretKey(registry), JSON.stringify(auth));
	}

	/** False when there was none. */
	async forget(registry: string): Promise<boolean> {
		const isKnown = (await this.own(registry)) !== undefined;
		await this.secrets.delete(secretKey(registry));
		return isKnown;
	}

	private async own(registry: string): Promise<RegistryAuth | undefined> {
		const text = await this.secrets.get(secretKey(registry));
		return text === undefined ? undefined : (JSON.parse(text) as RegistryAuth); // `keep` alone writes it
	}
}

function secretKey(registry: string): string {
	return `registry:${registry}`;
}
