import { ApiError } from '../api/client';
import { Credentials, hostOf, HUB_KEY, keyOf } from '../api/credentials';
import type { RegistryAuth } from '../api/types';
import { CommandError } from './errors';
import { plain } from './output';
import { prompt, readAll } from './prompt';
import type { Action } from './row';
import type { Session } from './session';

export interface LoginFlags {
	readonly username: string | undefined;
	readonly password: string | undefined;
	readonly passwordStdin: boolean;
}

/** `mydocker login`: tries the credentials, then keeps them where docker keeps its own. */
export const login: Action<LoginFlags> = async (session, [server = HUB_KEY], flags) => {
	const credentials = new Credentials();
	const registry = hostOf(server);
	if (flags.password !== undefined) {
		session.output.error('WARNING! Using --password via the CLI is insecure. Use --password-stdin.');
	}
	const isNew = flags.username !== undefined || flags.password !== undefined || flags.passwordStdin;
	const known = isNew ? undefined : await credentials.find(registry);
	const accepted = (known && (await tryKnown(session, registry, known))) ?? (await ask(session, registry, flags));
	const { file } = await credentials.save(registry, accepted);
	if (file !== undefined) {
		session.output.error(
			`WARNING! Your password will be stored unencrypted in ${file}.\n` +
				'Configure a credential helper to remove this warning. See\n' +
				'https://docs.docker.com/engine/reference/commandline/login/#credentials-store\n',
		);
	}
	session.output.line('Login Succeeded');
	return 0;
};

/** `mydocker logout` */
export const logout: Action<object> = async (session, [server = HUB_KEY]) => {
	const registry = hostOf(server);
	const shown = registry === 'docker.io' ? keyOf(registry) : registry;
	const credentials = new Credentials();
	const wasKnown = await credentials.remove(registry);
	session.output.line(wasKnown ? `Removing login credentials for ${shown}` : `Not logged in to ${shown}`);
	return 0;
};

/** The known credentials when the registry still takes them. */
async function tryKnown(session: Session, registry: string, known: RegistryAuth): Promise<RegistryAuth | undefined> {
	session.output.line('Authenticating with existing credentials...');
	try {
		return await accept(session, registry, known);
	} catch (error) {
		if (!(error instanceof ApiError) || error.code !== 'unauthorized') {
			throw error;
		}
		session.output.error(`Login did not succeed, error: ${plain(error.message)}`);
		return undefined;
	}
}

async function ask(session: Session, registry: string, flags: LoginFlags): Promise<RegistryAuth> {
	const username = flags.username;
	if (flags.passwordStdin) {
		if (flags.password !== undefined) {
			throw new CommandError('--password and --password-stdin are mutually exclusive');
		}
		if (!username) {
			throw new CommandError('Must provide --username with --password-stdin');
		}
		const password = (await readAll(session.input)).replace(/\r?\n$/, '');
		return accept(session, registry, { username, password });
	}
	const isComplete = Boolean(username) && flags.password !== undefined;
	if (!isComplete && !session.input.isTTY) {
		throw new CommandError('Error: Cannot perform an interactive login from a non TTY device');
	}
	const name = username || (await prompt(session, 'Username: ', { isSecret: false }));
	if (name === '') {
		throw new CommandError('Error: Non-null Username Required');
	}
	const password = flags.password ?? (await prompt(session, 'Password: ', { isSecret: true }));
	if (password === '') {
		throw new CommandError('Error: Password Required');
	}
	return accept(session, registry, { username: name, password });
}

/** Gives what to keep: the identity token in place of the password, where the registry has such. */
async function accept(session: Session, registry: string, auth: RegistryAuth): Promise<RegistryAuth> {
	const { IdentityToken } = await session.client.registries.login(
		{ ...auth, serveraddress: keyOf(registry) },
		{ signal: session.signal },
	);
	if (!IdentityToken) {
		return auth;
	}
	return { ...(auth.username === undefined ? {} : { username: auth.username }), identitytoken: IdentityToken };
}
