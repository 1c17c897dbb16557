import { commands, env, l10n, window } from 'vscode';
import { bare, lastingKey } from './engine-keys';
import { shortName } from './names';
import type { Parts } from './parts';
import { imagesFor } from './pick';
import { Notice } from './failure';

type Needs = Pick<Parts, 'client' | 'model'>;

/**
 * Check for Newer Image: asks the registries what the tags name now, and offers to pull what is another image than the
 * one here. NewerImages asks by itself where the setting says so.
 */
export async function checkForNewer({ client, model }: Needs, ...called: unknown[]): Promise<void> {
	const names = await imagesFor(model, called, { title: l10n.t('Check for Newer Image') });
	const tagged = names.flatMap((name) => model.image(name) ?? []).filter(({ tag }) => tag !== undefined);
	if (tagged.length === 0) {
		if (names.length > 0) {
			throw new Notice(l10n.t('An image without a tag has no newer version.'));
		}
		return;
	}
	const found = await model.during(
		tagged.map(({ name }) => name),
		() => Promise.all(tagged.map(async (row) => ({ row, remote: await client.registries.image(row.name) }))),
	);
	const newer = found.filter(({ row, remote }) => remote.Id !== bare(row.id)).map(({ row }) => row.name);
	if (newer.length === 0) {
		const list = tagged.map(({ name }) => shortName(name)).join(', ');
		void window.showInformationMessage(l10n.t('{0}: the registry has the same image.', list));
		return;
	}
	const pull = l10n.t('Pull');
	const list = newer.map(shortName).join(', ');
	if ((await window.showInformationMessage(l10n.t('{0}: the registry has another image.', list), pull)) === pull) {
		await pullAll(newer);
	}
}

/** Pull Newer Image: again what the names stand for in their registries. */
export async function pullNewer({ model }: Needs, ...called: unknown[]): Promise<void> {
	const title = l10n.t('Pull Newer Image');
	await pullAll(await imagesFor(model, called, { title, fits: ({ tag }) => tag !== undefined }));
}

async function pullAll(names: readonly string[]): Promise<void> {
	await Promise.all(names.map((name) => commands.executeCommand('mydocker.image.pull', lastingKey(name))));
}

/** Copy Digest: names that always mean the same image, "repository@sha256:…", a line each. */
export async function copyDigests({ model }: Needs, ...called: unknown[]): Promise<void> {
	const names = await imagesFor(model, called, { title: l10n.t('Copy Digest') });
	const digests = names.flatMap((name) => model.image(name)?.digest ?? []);
	if (digests.length > 0) {
		await env.clipboard.writeText(digests.join('\n'));
	} else if (names.length > 0) {
		throw new Notice(l10n.t('Only an image that a registry has, has a digest.'));
	}
}
