/**
 * The credentials that docker's and podman's programs keep for a user: configuration files and credential helpers
 * (docs.docker.com/reference/cli/docker/login, containers-auth.json(5)). Used by the fronts, which send the engine those of
 * the one registry that a request is for.
 */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import type { RegistryAuth } from './types';
import { errorCode } from './transport';

/** Docker Hub's key in docker's files and helpers. */
export const HUB_KEY = 'https://index.docker.io/v1/';
/** The user name with which helpers mark an identity token. */
const TOKEN_USER = '<token>';
/** Characters that a helper may answer with. */
const LONGEST_ANSWER = 1024 * 1024;
/** Milliseconds; a helper may ask the person to unlock a keychain. */
const HELPER_TIMEOUT = 120_000;

type Json = Record<string, unknown>;

/** A parsed file of docker's form. */
interface Configuration {
	readonly auths: Readonly<Record<string, Json>>;
	readonly helpers: Readonly<Record<string, string>>;
	readonly store: string;
}

/** Finds, keeps and removes credentials. Nothing is cached: another program may log in at any time. */
export class Credentials {
	constructor(private readonly env: NodeJS.ProcessEnv = process.env) {}

	/**
	 * The credentials for "docker.io/library/nginx" or for a registry alone; undefined when there are none. Throws when a
	 * file is damaged or a helper fails; the message holds nothing of what is secret.
	 */
	async find(name: string): Promise<RegistryAuth | undefined> {
		for (const configuration of this.configurations()) {
			const found = await findIn(configuration, name, this.env);
			if (found !== undefined) {
				return found;
			}
		}
		return undefined;
	}

	/**
	 * As `find`, for what anybody may be allowed to do, such as a pull: what is wrong with a file or a helper is told to
	 * `warn`, and the next one is asked.
	 */
	async findUsable(name: string, warn: (message: string) => void): Promise<RegistryAuth | undefined> {
		for (const read of this.sources()) {
			try {
				const json = read();
				const found = json && (await findIn(parse(json), name, this.env));
				if (found !== undefined) {
					return found;
				}
			} catch (error) {
				if (!(error instanceof Error)) {
					throw error;
				}
				warn(error.message);
			}
		}
		return undefined;
	}

	/**
	 * True when `find` is for the person's own process to do: a helper may ask for something, a file may be named from the
	 * current folder, and what is wrong with one is told there.
	 */
	needsCaller(name: string): boolean {
		const named = [this.env['DOCKER_CONFIG'], this.env['REGISTRY_AUTH_FILE'], this.env['XDG_CONFIG_HOME']];
		if (named.some((file) => file && !path.isAbsolute(file))) {
			return true;
		}
		try {
			return [...this.configurations()].some((configuration) => helperOf(configuration, name) !== undefined);
		} catch (error) {
			if (error instanceof Error) {
				return true;
			}
			throw error;
		}
	}

	/** Hosts of the registries that the files name, damaged files left out. */
	registries(): readonly string[] {
		try {
			return [...this.configurations()].flatMap(({ auths, helpers }) =>
				[...Object.keys(auths), ...Object.keys(helpers)].map((key) => hostOf(key)),
			);
		} catch (error) {
			// Whoever logs in or pulls is told what is wrong with the file.
			if (error instanceof Error) {
				return [];
			}
			throw error;
		}
	}

	/** Keeps the credentials of a registry, as `docker login` does; tells the file when they lie there unencrypted. */
	async save(registry: string, auth: RegistryAuth): Promise<{ readonly file?: string }> {
		const key = keyOf(registry);
		const { json, helper } = this.open(registry);
		const auths = member(json, 'auths');
		if (helper !== undefined) {
			const secret = auth.identitytoken
				? { Username: TOKEN_USER, Secret: auth.identitytoken }
				: { Username: auth.username ?? '', Secret: auth.password ?? '' };
			await runHelper(helper, 'store', JSON.stringify({ ServerURL: key, ...secret }), this.env);
			this.write({ ...json, auths: { ...auths, [key]: {} } });
			return {};
		}
		const basic = `${auth.username ?? ''}:${auth.identitytoken ? '' : (auth.password ?? '')}`;
		const entry = {
			auth: Buffer.from(basic).toString('base64'),
			...(auth.identitytoken ? { identitytoken: auth.identitytoken } : {}),
		};
		this.write({ ...json, auths: { ...auths, [key]: entry } });
		return { file: this.file };
	}

	/** Forgets the credentials of a registry; false when there were none. */
	async remove(registry: string): Promise<boolean> {
		const { json, helper } = this.open(registry);
		const auths = member(json, 'auths');
		const rest = Object.fromEntries(Object.entries(auths).filter(([key]) => hostOf(key) !== hostOf(registry)));
		const isKnown = Object.keys(rest).length < Object.keys(auths).length;
		if (helper !== undefined) {
			const known = await findIn(parse(json), registry, this.env);
			if (known !== undefined) {
				await runHelper(helper, 'erase', keyOf(registry), this.env);
			}
			if (known === undefined && !isKnown) {
				return false;
			}
		}
		if (isKnown) {
			this.write({ ...json, auths: rest });
		}
		return isKnown || helper !== undefined;
	}

	/** Docker's configuration file. */
	get file(): string {
		return path.join(this.env['DOCKER_CONFIG'] || path.join(os.homedir(), '.docker'), 'config.json');
	}

	private *configurations(): Generator<Configuration> {
		for (const read of this.sources()) {
			const json = read();
			if (json !== undefined) {
				yield parse(json);
			}
		}
	}

	/** What may hold credentials, in the order in which it counts; each gives undefined where there is no such file. */
	private sources(): (() => Json | undefined)[] {
		const inline = this.env['DOCKER_AUTH_CONFIG'];
		const runtime = this.env['XDG_RUNTIME_DIR'];
		const configuration = this.env['XDG_CONFIG_HOME'] || path.join(os.homedir(), '.config');
		const files = [
			this.file,
			this.env['REGISTRY_AUTH_FILE'] ?? '',
			runtime ? path.join(runtime, 'containers', 'auth.json') : '',
			path.join(configuration, 'containers', 'auth.json'),
		];
		return [
			...(inline ? [() => parseJson(inline, 'DOCKER_AUTH_CONFIG')] : []),
			...files.filter((file) => file !== '').map((file) => () => readJson(file)),
		];
	}

	private open(registry: string): { json: Json; helper: string | undefined } {
		const json = readJson(this.file) ?? {};
		return { json, helper: helperOf(parse(json), registry) };
	}

	private write(json: Json): void {
		// Where the file is a link, its target is replaced, as docker does.
		const file = fs.existsSync(this.file) ? fs.realpathSync(this.file) : this.file;
		fs.mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
		const temporary = `${file}.${randomBytes(6).toString('hex')}`;
		try {
			fs.writeFileSync(temporary, `${JSON.stringify(json, undefined, '\t')}\n`, { mode: 0o600, flag: 'wx' });
			fs.renameSync(temporary, file);
		} finally {
			fs.rmSync(temporary, { force: true });
		}
	}
}

/** What a person calls a registry, "https://index.docker.io/v1/", "registry.example/", as the host in references. */
export function hostOf(registry: string): string {
	const host = registry.replace(/^https?:\/\//, '').split('/', 1)[0] ?? '';
	return host === 'index.docker.io' || host === 'registry-1.docker.io' || host === '' ? 'docker.io' : host;
}

/** The key of a registry in docker's files and helpers. */
export function keyOf(registry: string): string {
	const host = hostOf(registry);
	return host === 'docker.io' ? HUB_KEY : host;
}

async function findIn(
	configuration: Configuration,
	name: string,
	env: NodeJS.ProcessEnv,
): Promise<RegistryAuth | undefined> {
	const helper = helperOf(configuration, name);
	if (helper !== undefined) {
		return askHelper(helper, keyOf(name), env);
	}
	const normalized = new Map(Object.entries(configuration.auths).map(([key, entry]) => [nameOf(key), entry]));
	const parts = [hostOf(name), ...name.split('/').slice(1)];
	// Podman's file may have credentials of a part of a registry: the longest name counts.
	for (let length = parts.length; length > 0; length--) {
		const entry = normalized.get(parts.slice(0, length).join('/'));
		const auth = entry && authIn(entry);
		if (auth !== undefined) {
			return auth;
		}
	}
	return undefined;
}

/** "quay.io/org" for "quay.io/org", "docker.io" for "https://index.docker.io/v1/". */
function nameOf(key: string): string {
	const rest = key
		.replace(/^https?:\/\//, '')
		.replace(/\/+$/, '')
		.split('/')
		.slice(1);
	const isOldPath = rest.length === 1 && /^v[12]$/.test(rest[0] ?? '');
	return [hostOf(key), ...(isOldPath ? [] : rest)].join('/');
}

function authIn(entry: Json): RegistryAuth | undefined {
	const value = (name: string): string => (typeof entry[name] === 'string' ? entry[name] : '');
	const decoded = Buffer.from(value('auth'), 'base64').toString('utf8').replace(/\0+$/, '');
	const colon = decoded.indexOf(':');
	const username = colon < 0 ? value('username') : decoded.slice(0, colon);
	const password = colon < 0 ? value('password') : decoded.slice(colon + 1);
	const auth = {
		...(username === '' ? {} : { username }),
		...(password === '' ? {} : { password }),
		...(value('identitytoken') === '' ? {} : { identitytoken: value('identitytoken') }),
		...(value('registrytoken') === '' ? {} : { registrytoken: value('registrytoken') }),
	};
	const isUsable = auth.registrytoken || auth.identitytoken || (auth.username && auth.password);
	return isUsable ? auth : undefined;
}

function helperOf({ helpers, store }: Configuration, name: string): string | undefined {
	const host = hostOf(name);
	const own = Object.entries(helpers).find(([key]) => hostOf(key) === host)?.[1];
	return own ?? (store === '' ? undefined : store);
}

async function askHelper(helper: string, key: string, env: NodeJS.ProcessEnv): Promise<RegistryAuth | undefined> {
	const answer = await runHelper(helper, 'get', key, env);
	if (answer === undefined) {
		return undefined;
	}
	const json = parseJson(answer, `docker-credential-${helper}`);
	const username = typeof json['Username'] === 'string' ? json['Username'] : '';
	const secret = typeof json['Secret'] === 'string' ? json['Secret'] : '';
	if (username === '' || secret === '') {
		return undefined;
	}
	return username === TOKEN_USER ? { identitytoken: secret } : { username, password: secret };
}

/** Runs docker-credential-<helper>; gives its answer, undefined when it knows of no such credentials. */
async function runHelper(
	helper: string,
	action: 'get' | 'store' | 'erase',
	input: string,
	env: NodeJS.ProcessEnv,
): Promise<string | undefined> {
	if (!/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(helper)) {
		throw new Error(`Cannot use credential helper "${helper.slice(0, 100)}": its name has impossible characters`);
	}
	const program = `docker-credential-${helper}`;
	const { code, output, complaint } = await run(program, action, input, env);
	if (code === 0) {
		return output;
	}
	const said = (output.trim() || complaint.trim()).slice(0, 300);
	if (action !== 'store' && /credentials not found|no credentials server URL/i.test(said)) {
		return undefined;
	}
	// Of a helper that was about to give a secret, the answer is not quoted.
	const reason = action === 'get' && output.includes('"Secret"') ? '' : `: ${said}`;
	throw new Error(`Cannot ${action} credentials with ${program}: it ended with code ${code}${reason}`);
}

function run(
	program: string,
	action: string,
	input: string,
	env: NodeJS.ProcessEnv,
): Promise<{ code: number; output: string; complaint: string }> {
	return new Promise((resolve, reject) => {
		const child = spawn(program, [action], {
			env,
			stdio: ['pipe', 'pipe', 'pipe'],
		});
		// Not spawn's own timeout: that one goes on, and holds the process, when the program is not there.
		const timer = setTimeout(() => child.kill('SIGKILL'), HELPER_TIMEOUT);
		const said = { output: '', complaint: '' };
		child.stdout.setEncoding('utf8').on('data', (text: string) => {
			said.output = (said.output + text).slice(0, LONGEST_ANSWER);
		});
		child.stderr.setEncoding('utf8').on('data', (text: string) => {
			said.complaint = (said.complaint + text).slice(0, LONGEST_ANSWER);
		});
		child.stdin.on('error', () => {
			// A helper may end without reading; its exit code tells how it went.
		});
		child.stdin.end(input);
		child.once('error', (error) => {
			clearTimeout(timer);
			const reason = errorCode(error) === 'ENOENT' ? 'it is not installed' : error.message;
			reject(new Error(`Cannot run credential helper "${program}": ${reason}`));
		});
		child.once('close', (code) => {
			clearTimeout(timer);
			resolve({ code: code ?? 137, ...said });
		});
	});
}

function readJson(file: string): Json | undefined {
	let text: string;
	try {
		text = fs.readFileSync(file, 'utf8');
	} catch (error) {
		// ENOTDIR: HOME is a file, as for system users.
		if (errorCode(error) === 'ENOENT' || errorCode(error) === 'ENOTDIR') {
			return undefined;
		}
		throw error;
	}
	return text.trim() === '' ? undefined : parseJson(text, file);
}

/** Throws without the cause: it would quote the text, credentials and all. */
function parseJson(text: string, origin: string): Json {
	let value: unknown;
	try {
		value = JSON.parse(text);
	} catch (error) {
		if (!(error instanceof SyntaxError)) {
			throw error;
		}
	}
	if (!isObject(value)) {
		throw new Error(`Cannot read credentials "${origin}": it is not docker's configuration`);
	}
	return value;
}

function parse(json: Json): Configuration {
	const auths = Object.entries(member(json, 'auths')).filter((entry): entry is [string, Json] => isObject(entry[1]));
	const helpers = Object.entries(member(json, 'credHelpers')).filter(
		(entry): entry is [string, string] => typeof entry[1] === 'string',
	);
	const store = json['credsStore'];
	return {
		auths: Object.fromEntries(auths),
		helpers: Object.fromEntries(helpers),
		store: typeof store === 'string' ? store : '',
	};
}

function member(json: Json, name: string): Json {
	const value = json[name];
	return isObject(value) ? value : {};
}

function isObject(value: unknown): value is Json {
	return typeof value === 'object' && value !== null && !Array.isArray(value);
}
