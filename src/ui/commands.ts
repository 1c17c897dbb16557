import { commands, env, l10n, type Disposable } from 'vscode';
import { removeImages, tagImage } from './images';
import { removeContainers, restartContainers, startContainers, stopContainers } from './lifecycle';
import type { Parts } from './parts';
import { containersFor, imagesFor } from './pick';
import { pullImage } from './pull';
import { runContainer } from './run';

type Handler = (parts: Parts, ...called: unknown[]) => unknown;

/**
 * Every command of the extension; package.json tells how each looks and when it is there. A handler gets what VS Code
 * hands to a command of a view: the row it was called on and all selected rows. Called without, from the palette, it
 * asks with a picker that lists only what fits.
 */
const table: Readonly<Record<string, Handler>> = {
	'mydocker.image.pull': pullImage,
	'mydocker.image.run': runFromRow,
	'mydocker.image.tag': tagImage,
	'mydocker.image.inspect': inspectImage,
	'mydocker.image.copyName': copyImageName,
	'mydocker.image.remove': removeImages,
	'mydocker.container.run': runContainer,
	'mydocker.container.start': startContainers,
	'mydocker.container.stop': stopContainers,
	'mydocker.container.restart': restartContainers,
	'mydocker.container.logs': showLogs,
	'mydocker.container.inspect': inspectContainer,
	'mydocker.container.copyId': copyContainerId,
	'mydocker.container.remove': removeContainers,
	'mydocker.refresh': ({ model }) => model.reload(),
	'mydocker.engine.showLog': ({ log }) => {
		log.show();
	},
};

/** Registers the table. Whatever a command throws becomes one message (failure.ts). */
export function registerCommands(parts: Parts): Disposable[] {
	return Object.entries(table).map(([id, handler]) =>
		commands.registerCommand(id, async (...called: unknown[]) => {
			try {
				return await handler(parts, ...called);
			} catch (error) {
				parts.failures.show(error);
				return undefined;
			}
		}),
	);
}

/** The row's selection is no answer to the questions that a run asks. */
function runFromRow(parts: Parts, image?: unknown): unknown {
	return runContainer(parts, image);
}

async function showLogs({ model, logs }: Parts, ...called: unknown[]): Promise<void> {
	const title = l10n.t('Show Logs');
	for (const id of await containersFor(model, called, { title, none: l10n.t('There are no containers yet.') })) {
		await logs.show(id);
	}
}

async function inspectContainer({ model, inspections }: Parts, ...called: unknown[]): Promise<void> {
	const title = l10n.t('Inspect Container');
	for (const id of await containersFor(model, called, { title, none: l10n.t('There are no containers yet.') })) {
		await inspections.showContainer(id);
	}
}

async function inspectImage({ model, inspections }: Parts, ...called: unknown[]): Promise<void> {
	for (const name of await imagesFor(model, called, { title: l10n.t('Inspect Image') })) {
		await inspections.showImage(name);
	}
}

async function copyContainerId({ model }: Parts, ...called: unknown[]): Promise<void> {
	const title = l10n.t('Copy Container ID');
	const ids = await containersFor(model, called, { title, none: l10n.t('There are no containers yet.') });
	await copyLines(ids);
}

async function copyImageName({ model }: Parts, ...called: unknown[]): Promise<void> {
	await copyLines(await imagesFor(model, called, { title: l10n.t('Copy Image Name') }));
}

async function copyLines(lines: readonly string[]): Promise<void> {
	if (lines.length > 0) {
		await env.clipboard.writeText(lines.join('\n'));
	}
}
