/** Docker's contexts: names for engines, kept in files below ~/.docker (docker/cli, cli/context/store). */
import { createHash } from 'node:crypto';
import * as fs from 'node:fs/promises';
import * as path from 'node:path';
import { InvalidHost, parseHost, type Endpoint, type TlsMaterial } from './endpoint';
import { errorCode } from './transport';

/** Where to look; the defaults of a process are `process.env` and `os.homedir()`. */
export interface Place {
	readonly env: NodeJS.ProcessEnv;
	readonly home: string;
}

/** A context as its file tells it. */
export interface Context {
	readonly name: string;
	readonly description: string;
	/** As written; "" when it has none. */
	readonly host: string;
	/** Undefined when it cannot be used; `problem` says why. */
	readonly endpoint: Endpoint | undefined;
	readonly problem: string | undefined;
	/** The folder of its meta.json, and that of its certificates; "" for "default", which has no files. */
	readonly folder: string;
	readonly tlsFolder: string;
	/** Its metadata and endpoints as they stand in the file, for `inspect`. */
	readonly metadata: Readonly<Record<string, unknown>>;
	readonly skipsVerification: boolean;
}

/** Docker's name for what DOCKER_HOST says, or else its usual socket. */
export const DEFAULT_CONTEXT = 'default';
const USUAL_HOST = process.platform === 'win32' ? 'npipe:////./pipe/docker_engine' : 'unix:///var/run/docker.sock';
/** docker's restricted name (cli/context/store). */
const NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.+-]+$/;
const LONGEST_FILE = 1024 * 1024;
const MOST_CONTEXTS = 500;

export function isContextName(name: string): boolean {
	return NAME.test(name) && name !== DEFAULT_CONTEXT;
}

/** The folder of docker's client configuration. */
export function dockerFolder({ env, home }: Place): string {
	return env['DOCKER_CONFIG'] || path.join(home, '.docker');
}

/** What docker calls "default": DOCKER_HOST with its TLS variables, or the usual socket. */
export function defaultContext(place: Place): Context {
	const { env } = place;
	const host = env['DOCKER_HOST'] || USUAL_HOST;
	const certificates = env['DOCKER_CERT_PATH'] || dockerFolder(place);
	const hasTls = (env['DOCKER_TLS_VERIFY'] ?? '') !== '' || (env['DOCKER_TLS'] ?? '') !== '';
	const tls: TlsMaterial | undefined = hasTls
		? {
				ca: path.join(certificates, 'ca.pem'),
				cert: path.join(certificates, 'cert.pem'),
				key: path.join(certificates, 'key.pem'),
				isVerified: (env['DOCKER_TLS_VERIFY'] ?? '') !== '',
			}
		: undefined;
	return {
		name: DEFAULT_CONTEXT,
		description: 'Current DOCKER_HOST based configuration',
		...hostOf(host, tls),
		folder: '',
		tlsFolder: '',
		metadata: {},
		skipsVerification: false,
	};
}

/** All contexts by name, "default" first. A file that cannot be read is left out; one with a bad host has a problem. */
export async function readContexts(place: Place): Promise<Context[]> {
	const folder = path.join(dockerFolder(place), 'contexts');
	const names = await listFolder(path.join(folder, 'meta'));
	const found = await Promise.all(names.slice(0, MOST_CONTEXTS).map((id) => readContext(folder, id)));
	const contexts = found.filter((one) => one !== undefined).sort((a, b) => (a.name < b.name ? -1 : 1));
	return [defaultContext(place), ...contexts];
}

/** Docker's current context; DOCKER_HOST goes before the file, as docker has it. */
export async function currentContext(place: Place): Promise<string> {
	if ((place.env['DOCKER_HOST'] ?? '') !== '') {
		return DEFAULT_CONTEXT;
	}
	const named = place.env['DOCKER_CONTEXT'] || (await readJson(path.join(dockerFolder(place), 'config.json')));
	const name = typeof named === 'string' ? named : member(named, 'currentContext');
	return typeof name === 'string' && name !== '' ? name : DEFAULT_CONTEXT;
}

async function readContext(folder: string, id: string): Promise<Context | undefined> {
	const meta = path.join(folder, 'meta', id);
	const value = await readJson(path.join(meta, 'meta.json'));
	const name = member(value, 'Name');
	// The folder is named by the name, so that no file can take another context's name.
	if (typeof name !== 'string' || !isContextName(name) || contextId(name) !== id) {
		return undefined;
	}
	const docker = member(member(value, 'Endpoints'), 'docker');
	const host = member(docker, 'Host');
	const description = member(member(value, 'Metadata'), 'Description');
	const tlsFolder = path.join(folder, 'tls', id);
	const skipsVerification = member(docker, 'SkipTLSVerify') === true;
	const metadata = member(value, 'Metadata');
	return {
		name,
		description: typeof description === 'string' ? description : '',
		...hostOf(host, await tlsOf(path.join(tlsFolder, 'docker'), skipsVerification)),
		folder: meta,
		tlsFolder,
		metadata: typeof metadata === 'object' && metadata !== null ? { ...metadata } : {},
		skipsVerification,
	};
}

export function contextId(name: string): string {
	return createHash('sha256').update(name).digest('hex');
}

async function tlsOf(folder: string, skipsVerification: boolean): Promise<TlsMaterial | undefined> {
	const files = await listFolder(folder);
	if (files.length === 0 && !skipsVerification) {
		return undefined;
	}
	const file = (name: string) => (files.includes(name) ? path.join(folder, name) : undefined);
	return { ca: file('ca.pem'), cert: file('cert.pem'), key: file('key.pem'), isVerified: !skipsVerification };
}

function hostOf(host: unknown, tls: TlsMaterial | undefined): Pick<Context, 'host' | 'endpoint' | 'problem'> {
	const text = typeof host === 'string' ? host : '';
	try {
		return { host: text, endpoint: parseHost(host, tls), problem: undefined };
	} catch (error) {
		if (error instanceof InvalidHost) {
			return { host: text, endpoint: undefined, problem: error.message };
		}
		throw error;
	}
}

/** Undefined for a file that is not there, too large, or no JSON. */
async function readJson(file: string): Promise<unknown> {
	try {
		const stat = await fs.stat(file);
		if (!stat.isFile() || stat.size > LONGEST_FILE) {
			return undefined;
		}
		return JSON.parse(await fs.readFile(file, 'utf8')) as unknown;
	} catch (error) {
		if (error instanceof SyntaxError || isUnreadable(error)) {
			return undefined;
		}
		throw error;
	}
}

async function listFolder(folder: string): Promise<string[]> {
	try {
		return await fs.readdir(folder);
	} catch (error) {
		if (isUnreadable(error)) {
			return [];
		}
		throw error;
	}
}

function isUnreadable(error: unknown): boolean {
	return ['ENOENT', 'ENOTDIR', 'EACCES', 'EPERM', 'ELOOP', 'EISDIR'].includes(errorCode(error) ?? '');
}

function member(value: unknown, name: string): unknown {
	return typeof value === 'object' && value !== null && Object.hasOwn(value, name)
		? Reflect.get(value, name)
		: undefined;
}
