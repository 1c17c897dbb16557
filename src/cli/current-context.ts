import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { systemCode } from './errors';

/** The context of MyDocker's own engine. */
export const OWN_CONTEXT = 'mydocker';
/** What it is called beside other engines, as in VS Code. */
export const OWN_NAME = 'MyDocker';
const LONGEST_FILE = 64 * 1024;

/** The context that is used where no flag and no MYDOCKER_HOST names an engine. */
export function chosenContext(env: NodeJS.ProcessEnv): string {
	return env['MYDOCKER_CONTEXT'] || (env['MYDOCKER_ROOT'] ? OWN_CONTEXT : readCurrentContext(env));
}

/** The folder of the user's own store. */
export function defaultRoot(env: NodeJS.ProcessEnv): string {
	return path.join(env['XDG_DATA_HOME'] || path.join(os.homedir(), '.local', 'share'), 'mydocker');
}

/** The context that `mydocker context use` chose; our own engine without one. Docker's choice is docker's. */
export function readCurrentContext(env: NodeJS.ProcessEnv): string {
	const text = readOrEmpty(configFile(env));
	try {
		const config: unknown = text === '' ? undefined : JSON.parse(text);
		const name: unknown =
			typeof config === 'object' && config !== null ? Reflect.get(config, 'currentContext') : undefined;
		return typeof name === 'string' && name !== '' ? name : OWN_CONTEXT;
	} catch (error) {
		if (!(error instanceof SyntaxError)) {
			throw error;
		}
		return OWN_CONTEXT; // A file that somebody else broke keeps nobody from his own engine.
	}
}

/** Keeps the choice, whole or not at all. */
export function writeCurrentContext(env: NodeJS.ProcessEnv, name: string): void {
	const file = configFile(env);
	fs.mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
	// Node's own module for it is loaded by this first use only, and takes a while.
	const temporary = `${file}.${crypto.randomUUID()}.tmp`;
	fs.writeFileSync(temporary, `${JSON.stringify({ currentContext: name })}\n`, { mode: 0o600, flag: 'wx' });
	fs.renameSync(temporary, file);
}

function configFile(env: NodeJS.ProcessEnv): string {
	return path.join(env['XDG_CONFIG_HOME'] || path.join(os.homedir(), '.config'), 'mydocker', 'config.json');
}

function readOrEmpty(file: string): string {
	try {
		return fs.statSync(file).size > LONGEST_FILE ? '' : fs.readFileSync(file, 'utf8');
	} catch (error) {
		if (['ENOENT', 'ENOTDIR', 'EACCES'].includes(systemCode(error) ?? '')) {
			return '';
		}
		throw error;
	}
}
