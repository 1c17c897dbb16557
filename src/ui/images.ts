import { InputBoxValidationSeverity, l10n, window } from 'vscode';
import { ApiError } from '../api/client';
import { ask } from './ask';
import { beside } from './engine-keys';
import { localSentence } from './failure';
import { forEach } from './lifecycle';
import type { Model } from './model';
import { referenceProblem, shortId } from './names';
import type { Parts } from './parts';
import { imagesFor } from './pick';
import { referenceMessage } from './reference-message';

/** Tag Image…: gives an image another name. */
export async function tagImage(
	{ client, model }: Pick<Parts, 'client' | 'model'>,
	image?: unknown,
	target?: unknown,
): Promise<void> {
	// VS Code hands a command of a tree the row and the selection; only a name is a target.
	const [source] = await imagesFor(model, [image], { title: l10n.t('Tag Image') });
	if (source === undefined) {
		return;
	}
	const name = typeof target === 'string' ? target : await askName(model, source);
	if (name !== undefined) {
		await model.act(source, () => client.images.tag(source, name));
	}
}

async function askName(model: Model, source: string): Promise<string | undefined> {
	const row = model.image(source);
	const value = row?.tag ?? '';
	const answer = await ask({
		title: l10n.t('Tag {0}', row?.tag ?? shortId(source)),
		prompt: l10n.t('New name of the image; the old one stays'),
		placeholder: 'repository:tag',
		value,
		selection: [value.lastIndexOf(':') + 1, value.length],
		check: (typed, isFinal) => {
			const problem = referenceMessage(referenceProblem(typed, { noDigest: true }), isFinal);
			const other = model.image(beside(source, typed.includes(':') ? typed : `${typed}:latest`));
			return (
				problem ??
				(other !== undefined && other.id !== row?.id
					? {
							message: l10n.t('Another image has this name and will lose it'),
							severity: InputBoxValidationSeverity.Warning,
						}
					: undefined)
			);
		},
	});
	return typeof answer === 'string' ? answer : undefined;
}

/** Remove Image…: asks once and says what goes. Force is offered only when the engine says that it would help. */
export async function removeImages(
	{ client, model }: Pick<Parts, 'client' | 'model'>,
	...called: unknown[]
): Promise<void> {
	const names = await imagesFor(model, called, { title: l10n.t('Remove Image') });
	if (names.length === 0 || !(await confirmRemoval(model, names))) {
		return;
	}
	await forEach(names, (name) =>
		model.act(name, async () => {
			try {
				await client.images.remove(name);
			} catch (error) {
				if (!isForcible(error)) {
					throw error;
				}
				if (await confirmForce(localSentence(error))) {
					await client.images.remove(name, { force: true });
				}
			}
		}),
	);
}

async function confirmRemoval(model: Model, names: readonly string[]): Promise<boolean> {
	const remove = l10n.t('Remove');
	const [first = ''] = names;
	const message =
		names.length === 1
			? l10n.t('Remove image "{0}"?', model.image(first)?.tag ?? shortId(first))
			: l10n.t('Remove {0} images?', names.length);
	const detail =
		names.length === 1 ? whatGoes(model, first) : names.map((name) => whatGoes(model, name, true)).join('\n');
	return (await window.showWarningMessage(message, { modal: true, detail }, remove)) === remove;
}

/** Removing one of several names leaves the image. */
function whatGoes(model: Model, name: string, isListed = false): string {
	const row = model.image(name);
	const others = model.images
		.filter((other) => other.id === row?.id && other.name !== name)
		.map((other) => other.tag ?? shortId(other.name));
	const words =
		others.length > 0
			? l10n.t('Only this name goes. The image keeps: {0}', others.join(', '))
			: l10n.t('Its layers go unless another image uses them.');
	return isListed ? `${row?.tag ?? shortId(name)}: ${words}` : words;
}

/**
 * Docker and our engine say in words only whether force would help: "(must force)" and "(must be forced)" against
 * "(cannot be forced)". The status is 409 for all of them.
 */
function isForcible(error: unknown): error is ApiError {
	return error instanceof ApiError && error.status === 409 && /\(must (be )?forced?\)/.test(error.message);
}

async function confirmForce(reason: string): Promise<boolean> {
	const force = l10n.t('Force Remove');
	return (await window.showWarningMessage(reason, { modal: true }, force)) === force;
}
