import { commands, env, l10n } from 'vscode';
import { ask } from './ask';
import { Notice } from './failure';
import { referenceProblem } from './names';
import type { Parts } from './parts';
import { partsOfOne } from './one-engine';
import { pullImage } from './pull';
import { ownerOfNote, registryPlace } from './registry-rows';

type Needs = Pick<Parts, 'client' | 'registryRows'>;

/** Browse Registries: shows the view, which is hidden at first. */
export async function browseRegistries({ model }: Pick<Parts, 'model'>): Promise<void> {
	const refused = model.refusal;
	if (refused !== undefined) {
		throw refused;
	}
	await commands.executeCommand('mydocker.registries.focus');
}

/** Add Registry or Repository…: to the view; on a registry's row one of its repositories. */
export async function addToRegistries({ registryRows }: Needs, key?: unknown, given?: unknown): Promise<void> {
	const place = registryPlace(key);
	const answer =
		typeof given === 'string'
			? given
			: await ask({
					title: l10n.t('Add Registry or Repository'),
					prompt: l10n.t('Host of a registry, or a repository in it'),
					placeholder: 'ghcr.io/owner/name',
					value: place === undefined ? '' : `${place.name}/`,
					check: (value, isFinal) =>
						isFinal && !isHost(value) && referenceProblem(value, { noDigest: true }) !== undefined
							? l10n.t('This is no registry and no repository, such as ghcr.io or ghcr.io/owner/name')
							: undefined,
				});
	if (typeof answer === 'string' && answer !== '') {
		await registryRows.add(isHost(answer) ? `${answer.replace(/\/$/, '')}/` : answer.replace(/:[^/:]*$/, ''));
	}
}

/** Forget: takes away what a person has added. */
export async function forgetRegistry({ registryRows }: Needs, key?: unknown): Promise<void> {
	const place = registryPlace(key);
	if (place !== undefined && !(await registryRows.forget(place.name))) {
		throw new Notice(l10n.t('{0} is there for an image, a login or a setting.', place.name));
	}
}

/** Show More: the next page below the row that the note stands below. */
export async function showMoreOfRegistry({ registryRows }: Needs, key?: unknown): Promise<void> {
	const owner = ownerOfNote(key);
	if (owner !== undefined) {
		await registryRows.more(owner);
	}
}

/** Refresh: asks anew for a row, or for all. */
export function refreshRegistries({ registryRows }: Needs, key?: unknown): void {
	registryRows.refresh(typeof key === 'string' ? key : undefined);
}

/** Pull: the row's tag. */
export async function pullFromRegistry(parts: Parts, key?: unknown): Promise<void> {
	const here = await partsOfOne(parts, []);
	await (here && pullImage(here, reference(key)));
}

/** Copy Name: of a repository or a tag. */
export async function copyRegistryName(_: Needs, key?: unknown): Promise<void> {
	const name = reference(key);
	if (name !== undefined) {
		await env.clipboard.writeText(name);
	}
}

/** Copy Digest: the name that always means the image of the tag, "repository@sha256:…". */
export async function copyRegistryDigest({ client }: Needs, key?: unknown): Promise<void> {
	const name = reference(key);
	if (name !== undefined) {
		const { Digest } = await client.registries.image(name);
		await env.clipboard.writeText(`${name.replace(/:[^/:]*$/, '')}@${Digest}`);
	}
}

/** What a row names, as a pull takes it. */
function reference(key: unknown): string | undefined {
	return registryPlace(key)?.name.replace(/ .*$/s, '');
}

function isHost(text: string): boolean {
	return /^([A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+|localhost)(:\d{1,5})?\/?$|^[A-Za-z0-9.-]+:\d{1,5}\/?$/.test(text);
}
