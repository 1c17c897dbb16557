import { l10n, window } from 'vscode';
import { hostOf, keyOf } from '../api/credentials';
import { ask, BACK } from './ask';
import { Notice } from './failure';
import type { Parts } from './parts';
import { registryPlace } from './registry-rows';

/** Log In to Registry…: tries the credentials, then keeps them in VS Code's secret storage. */
export async function loginToRegistry(
	{ client, logins, registryRows }: Pick<Parts, 'client' | 'logins' | 'registryRows'>,
	key?: unknown,
): Promise<void> {
	const title = l10n.t('Log In to Registry');
	const server = registryPlace(key)?.name ?? (await askRegistry(title));
	if (server === undefined) {
		return;
	}
	const registry = hostOf(server);
	const username = await ask({ title, prompt: l10n.t('User name for {0}', registry), check: required });
	if (username === undefined || username === BACK) {
		return;
	}
	const password = await window.showInputBox({
		title,
		prompt: l10n.t('Password or access token of {0} for {1}', username, registry),
		password: true,
		ignoreFocusOut: true,
	});
	if (!password) {
		return;
	}
	const { IdentityToken } = await client.registries.login({ username, password, serveraddress: keyOf(registry) });
	await logins.keep(registry, IdentityToken ? { username, identitytoken: IdentityToken } : { username, password });
	await registryRows.add(`${registry}/`);
	registryRows.refresh(`registry ${registry}`);
	void window.showInformationMessage(l10n.t('Logged in to {0}.', registry));
}

/** Log Out of Registry…: forgets what VS Code's secret storage has; docker's own files stay as they are. */
export async function logoutFromRegistry(
	{ logins, registryRows }: Pick<Parts, 'logins' | 'registryRows'>,
	key?: unknown,
): Promise<void> {
	const server = registryPlace(key)?.name ?? (await askRegistry(l10n.t('Log Out of Registry')));
	if (server === undefined) {
		return;
	}
	const registry = hostOf(server);
	if (!(await logins.forget(registry))) {
		throw new Notice(l10n.t('VS Code keeps no login for {0}.', registry));
	}
	registryRows.refresh(`registry ${registry}`);
	void window.showInformationMessage(l10n.t('Logged out of {0}.', registry));
}

async function askRegistry(title: string): Promise<string | undefined> {
	const answer = await ask({
		title,
		prompt: l10n.t('Host of the registry'),
		value: 'docker.io',
		placeholder: 'ghcr.io',
		check: (value, isFinal) => {
			const isHost = /^[A-Za-z0-9.-]+(:\d{1,5})?$/.test(hostOf(value));
			return isHost || !isFinal ? undefined : l10n.t('This is not the host of a registry, such as ghcr.io');
		},
	});
	return answer === BACK ? undefined : answer;
}

function required(value: string, isFinal: boolean): string | undefined {
	return value === '' && isFinal ? l10n.t('Type a user name') : undefined;
}
