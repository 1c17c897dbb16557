/** Where registries are and how they are reached: mirrors, insecure hosts, certificates, proxies. */
import * as os from 'node:os';
import * as path from 'node:path';
import * as v from 'valibot';
import { EngineError, systemCode } from '../errors';
import { certificatesFor } from './certificates';
import type { RegistryAccess } from './connection';
import type { RegistryAuth } from './credentials';
import { environmentProxies } from './proxy';
import type { Reference } from './reference';
import { readSmallFile } from './small-file';

/** What the file <store>/registries.json, or a client with its request, says. All members may be left out. */
export interface RegistrySettings {
	/**
	 * Where to look first, by the beginning of a name: "docker.io" → ["mirror.example:5000"], "quay.io/org" →
	 * ["http://10.0.0.7/quay-org"]. What follows the beginning is added to the mirror's path.
	 */
	readonly mirrors?: Readonly<Record<string, readonly string[]>>;
	/** "host", "host:port" or "10.0.0.0/8": certificates are not checked, plain HTTP is tried. */
	readonly insecure?: readonly string[];
	/** Folders as /etc/docker/certs.d: in each a folder a host, "registry.example:5000/ca.crt". */
	readonly certificates?: readonly string[];
	/** For http and https addresses, instead of HTTP_PROXY and HTTPS_PROXY. */
	readonly proxy?: string;
	/** Hosts that are reached without proxy, instead of NO_PROXY. */
	readonly noProxy?: string;
	/** Seconds without a byte after which a server counts as dead; 60 by default. */
	readonly timeout?: number;
}

const MAX_SETTINGS = 256 * 1024;
const strings = v.array(v.string());
const settingsSchema = v.strictObject({
	mirrors: v.exactOptional(v.record(v.string(), strings)),
	insecure: v.exactOptional(strings),
	certificates: v.exactOptional(strings),
	proxy: v.exactOptional(v.string()),
	noProxy: v.exactOptional(v.string()),
	timeout: v.exactOptional(v.pipe(v.number(), v.minValue(0.1), v.maxValue(3600))),
});

/** Checks settings from outside; `origin` names them in the error. */
export function parseSettings(value: unknown, origin: string): RegistrySettings {
	const result = v.safeParse(settingsSchema, value);
	if (!result.success) {
		const [issue] = result.issues;
		const where = v.getDotPath(issue);
		const reason = `${where === null ? '' : `${where}: `}${issue.message}`;
		throw new EngineError('invalid', `Cannot use registry settings of ${origin}: ${reason}`);
	}
	for (const mirror of Object.values(result.output.mirrors ?? {}).flat()) {
		parseMirror(mirror, origin);
	}
	return result.output;
}

/** Knows where each registry is; reads its file anew each time, so that a change counts at once. */
export class RegistrySettingsFile {
	private readonly file: string;

	/** `root` is the store's folder. */
	constructor(
		root: string,
		private readonly env: NodeJS.ProcessEnv = process.env,
	) {
		this.file = path.join(root, 'registries.json');
	}

	/**
	 * The ways to a repository in the order in which they are to be tried: its mirrors, then its own registry, which alone
	 * gets the credentials. `given` are settings of the request: they go before those of the file.
	 */
	sources(
		reference: Pick<Reference, 'registry' | 'repository'>,
		auth: RegistryAuth | undefined,
		given: RegistrySettings | undefined,
	): readonly RegistryAccess[] {
		const settings = merged(this.read(), given ?? {});
		const origin = this.access(reference.registry, settings, auth);
		const mirrors = mirrorsOf(reference, settings).map(({ host, repository, protocol }) => ({
			...this.access(host, settings, undefined),
			repository,
			isMirror: true,
			...(protocol === undefined ? {} : { protocol }),
		}));
		return [...mirrors, origin];
	}

	/** The way to a registry itself. */
	access(host: string, settings: RegistrySettings, auth: RegistryAuth | undefined): RegistryAccess {
		const env = environmentProxies(this.env);
		const proxy =
			settings.proxy === undefined || settings.proxy === ''
				? env
				: { http: settings.proxy, https: settings.proxy, except: settings.noProxy ?? env.except ?? '' };
		return {
			host,
			...(auth === undefined ? {} : { credentials: auth }),
			transport: {
				insecure: settings.insecure ?? [],
				proxy,
				...(settings.timeout === undefined ? {} : { idle: settings.timeout * 1000 }),
				...certificatesFor(host, [...(settings.certificates ?? []), ...certificateFolders(this.env)]),
			},
		};
	}

	/** The way to the registry with the settings of file and request. */
	origin(host: string, auth: RegistryAuth | undefined, given: RegistrySettings | undefined): RegistryAccess {
		return this.access(host, merged(this.read(), given ?? {}), auth);
	}

	private read(): RegistrySettings {
		let text: string;
		try {
			text = readSmallFile(this.file, MAX_SETTINGS);
		} catch (error) {
			if (systemCode(error) === 'ENOENT') {
				return {};
			}
			throw error;
		}
		try {
			return parseSettings(JSON.parse(text), `"${this.file}"`);
		} catch (error) {
			if (error instanceof SyntaxError) {
				throw new EngineError('invalid', `Cannot use registry settings of "${this.file}": ${error.message}`);
			}
			throw error;
		}
	}
}

function merged(file: RegistrySettings, given: RegistrySettings): RegistrySettings {
	return {
		...file,
		...given,
		mirrors: { ...file.mirrors, ...given.mirrors },
		insecure: [...(given.insecure ?? []), ...(file.insecure ?? [])],
		certificates: [...(given.certificates ?? []), ...(file.certificates ?? [])],
	};
}

interface Mirror {
	readonly host: string;
	readonly repository: string;
	readonly protocol?: 'http:' | 'https:';
}

/** The mirrors of the longest beginning of the name. */
function mirrorsOf(
	{ registry, repository }: Pick<Reference, 'registry' | 'repository'>,
	{ mirrors = {} }: RegistrySettings,
): Mirror[] {
	const name = `${registry}/${repository}`;
	const [prefix] = Object.keys(mirrors)
		.filter((beginning) => name === beginning || name.startsWith(`${beginning}/`))
		.sort((one, other) => other.length - one.length);
	return (prefix === undefined ? [] : (mirrors[prefix] ?? [])).map((text) => {
		const { host, path: base, protocol } = parseMirror(text, 'mirrors');
		const rest = name.slice((prefix ?? '').length).replace(/^\//, '');
		const mirrored = [base, rest].filter((part) => part !== '').join('/');
		return { host, repository: mirrored, ...(protocol === undefined ? {} : { protocol }) };
	});
}

/** "http://host:port/path", "host/path" */
function parseMirror(text: string, origin: string): { host: string; path: string; protocol?: 'http:' | 'https:' } {
	const [, scheme, host, rest = ''] =
		/^(?:(https?:)\/\/)?((?:[A-Za-z0-9.-]+|\[[0-9a-fA-F:]+\])(?::\d{1,5})?)((?:\/[a-z0-9._-]+)*)\/?$/.exec(text) ??
		[];
	if (host === undefined || rest.split('/').some((part) => /^\.+$/.test(part))) {
		const shown = text.replace(/\/\/[^/@]*@/, '//…@'); // a password does not belong there, and not in a log
		throw new EngineError(
			'invalid',
			`Cannot use registry settings of ${origin}: mirror "${shown}" is not [http[s]://]host[:port][/path]`,
		);
	}
	const protocol = scheme === 'http:' || scheme === 'https:' ? scheme : undefined;
	return { host, path: rest.slice(1), ...(protocol === undefined ? {} : { protocol }) };
}

function certificateFolders(env: NodeJS.ProcessEnv): string[] {
	const configuration = env['XDG_CONFIG_HOME'] || path.join(os.homedir(), '.config');
	return [
		path.join(configuration, 'docker', 'certs.d'),
		path.join(configuration, 'containers', 'certs.d'),
		'/etc/docker/certs.d',
		'/etc/containers/certs.d',
	];
}
