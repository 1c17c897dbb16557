import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import * as v from 'valibot';
import { EngineError, systemCode } from '../errors';

/** What a client sends to log in to one registry (docker's X-Registry-Auth). */
export interface RegistryAuth {
	readonly username?: string;
	readonly password?: string;
	/** An OAuth 2 refresh token, given in place of a password. */
	readonly identitytoken?: string;
	/** A bearer token that is sent as it is. */
	readonly registrytoken?: string;
}

/** The key of Docker Hub in docker's credential file. */
const HUB_KEY = 'https://index.docker.io/v1/';

const entrySchema = v.looseObject({
	auth: v.optional(v.string()),
	username: v.optional(v.string()),
	password: v.optional(v.string()),
	identitytoken: v.optional(v.string()),
	registrytoken: v.optional(v.string()),
});
const fileSchema = v.looseObject({ auths: v.nullish(v.record(v.string(), entrySchema), {}) });

/**
 * The credentials for a registry: those given, when they say anything, else those of `docker login` in
 * $DOCKER_CONFIG/config.json. Undefined when there are none. Credential helpers come with issue 6.
 */
export function credentialsFor(registry: string, given: RegistryAuth | undefined): RegistryAuth | undefined {
	return given && isUsable(given) ? given : credentialsInFile(registry, configFile());
}

/** The entry for `registry` in a file of docker's form; undefined when there is no file or no entry. */
export function credentialsInFile(registry: string, file: string): RegistryAuth | undefined {
	let text: string;
	try {
		text = fs.readFileSync(file, 'utf8');
	} catch (error) {
		// ENOTDIR: HOME is a file, as for system users.
		if (systemCode(error) === 'ENOENT' || systemCode(error) === 'ENOTDIR') {
			return undefined;
		}
		throw error;
	}
	for (const [key, entry] of Object.entries(parseFile(text, file).auths)) {
		if (hostOf(key) === (registry === 'docker.io' ? hostOf(HUB_KEY) : registry)) {
			const credentials = credentialsIn(entry);
			return isUsable(credentials) ? credentials : undefined;
		}
	}
	return undefined;
}

function configFile(): string {
	return path.join(process.env['DOCKER_CONFIG'] || path.join(os.homedir(), '.docker'), 'config.json');
}

function parseFile(text: string, file: string): v.InferOutput<typeof fileSchema> {
	try {
		return v.parse(fileSchema, JSON.parse(text));
	} catch (error) {
		if (error instanceof SyntaxError || error instanceof v.ValiError) {
			// The cause would quote the file, credentials and all.
			throw new EngineError('invalid', `Cannot read credentials "${file}": it is not docker's configuration`);
		}
		throw error;
	}
}

/** Keys are hosts, but older versions of docker wrote whole addresses. */
function hostOf(key: string): string {
	return key.replace(/^https?:\/\//, '').split('/', 1)[0] ?? '';
}

function credentialsIn(entry: v.InferOutput<typeof entrySchema>): RegistryAuth {
	const decoded = Buffer.from(entry.auth ?? '', 'base64')
		.toString('utf8')
		.replace(/\0+$/, '');
	const colon = decoded.indexOf(':');
	const username = colon < 0 ? entry.username : decoded.slice(0, colon);
	const password = colon < 0 ? entry.password : decoded.slice(colon + 1);
	return {
		...(username === undefined ? {} : { username }),
		...(password === undefined ? {} : { password }),
		...(entry.identitytoken === undefined ? {} : { identitytoken: entry.identitytoken }),
		...(entry.registrytoken === undefined ? {} : { registrytoken: entry.registrytoken }),
	};
}

function isUsable(auth: RegistryAuth): boolean {
	return (
		Boolean(auth.registrytoken) || Boolean(auth.identitytoken) || (Boolean(auth.username) && Boolean(auth.password))
	);
}
