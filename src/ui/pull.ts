import { l10n, ProgressLocation, window } from 'vscode';
import { bare, lastingKey } from './engine-keys';
import { Failure, Notice } from './failure';
import { pullOf } from './keys';
import type { Parts } from './parts';
import { askImage, recentPulls, rememberPull } from './pull-box';
import { readingWords } from './pulls';

type Needs = Pick<Parts, 'client' | 'model' | 'pulls' | 'views' | 'globalMemento' | 'log'>;

/** Pull Image…: asks for a reference when it has none, then pulls. Gives the reference, undefined when left. */
export async function pullImage(parts: Needs, given?: unknown): Promise<string | undefined> {
	const { client, model, globalMemento, log } = parts;
	const reference =
		typeof given === 'string'
			? bare(given)
			: await askImage({ model, registries: client.registries, recent: recentPulls(globalMemento) });
	if (reference === undefined) {
		return undefined;
	}
	try {
		await model.during([], () => pullWithProgress(parts, reference));
	} catch (error) {
		throw new Failure(error, 'mydocker.image.pull', lastingKey(model.keyOf(reference)));
	}
	log.info(`Pulled ${reference}`);
	await rememberPull(globalMemento, reference);
	return model.keyOf(reference);
}

/** The row of the pull tells how far it is; who does not see the view has a notification. */
async function pullWithProgress({ model, pulls, views }: Needs, reference: string): Promise<void> {
	const key = model.keyOf(reference);
	await (views.areImagesVisible
		? window.withProgress({ location: { viewId: 'mydocker.images' } }, () => pulls.pull(key))
		: pullInNotification(pulls, key));
	views.tellImage(l10n.t('Pulled {0}.', reference), key);
}

async function pullInNotification(pulls: Parts['pulls'], reference: string): Promise<void> {
	const title = l10n.t('Pulling {0}', bare(reference));
	await window.withProgress(
		{ location: ProgressLocation.Notification, title, cancellable: true },
		async (progress, token) => {
			token.onCancellationRequested(() => {
				pulls.cancel(reference);
			});
			let reported = 0;
			const subscription = pulls.onDidChange(() => {
				const reading = pulls.reading(reference);
				if (reading !== undefined) {
					progress.report({ message: readingWords(reading), increment: (reading.fraction - reported) * 100 });
					reported = reading.fraction;
				}
			});
			try {
				await pulls.pull(reference);
			} finally {
				subscription.dispose();
			}
		},
	);
}

/** Cancel Pull: ends the pull of the row, else of the one that the user picks. */
export async function cancelPull({ model, pulls }: Pick<Parts, 'model' | 'pulls'>, key?: unknown): Promise<void> {
	const { references } = pulls;
	if (references.length === 0) {
		throw new Notice(l10n.t('Nothing is being pulled.'));
	}
	const called = typeof key === 'string' ? pullOf(key) : undefined;
	const reference =
		called ??
		(references.length === 1
			? references[0]
			: (
					await window.showQuickPick(
						references.map((pulled) => ({
							pulled,
							label: bare(pulled),
							description: model.engineName(pulled),
						})),
						{ title: l10n.t('Cancel Pull') },
					)
				)?.pulled);
	if (reference !== undefined) {
		pulls.cancel(reference);
	}
}
