import { createReadStream } from 'node:fs';
import { env, l10n, ProgressLocation, Uri, window } from 'vscode';
import { formatBytes } from './amounts';
import { ask } from './ask';
import { signalOf } from './cancel';
import { beside } from './engine-keys';
import { Failure } from './failure';
import { referenceProblem, shortId, shortName, suggestName } from './names';
import type { Parts } from './parts';
import { containersFor, imagesFor, loadOrThrow } from './pick';
import { pinned } from './routing-client';
import { PushMeter, type PushReading } from './push-meter';
import { referenceMessage } from './reference-message';
import { askArchive, askTarget, writeWhole } from './saved-files';
import { withProgress } from './transfer';

type Needs = Pick<Parts, 'client' | 'model'>;
/** Milliseconds between two readings that are shown. */
const REPORT_EVERY = 200;

/** Export Container…: its own files as a tar. A test may hand in the file. */
export async function exportContainer({ client, model }: Needs, first?: unknown, given?: unknown): Promise<void> {
	const title = l10n.t('Export Container');
	const [id] = await containersFor(model, [first], { title, none: l10n.t('There are no containers yet.') });
	const name = model.container(id ?? '')?.name ?? shortId(id ?? '');
	const target = id === undefined ? undefined : given instanceof Uri ? given : await askTarget(title, `${name}.tar`);
	if (id === undefined || target === undefined) {
		return;
	}
	await withProgress(l10n.t('Exporting {0}', name), async (signal, count) => {
		const tar = await model.during([id], () => client.containers.export(id, { signal }));
		await writeWhole(target.fsPath, count(tar), { signal });
	});
}

/** Commit Container…: makes an image of it, under a name that is asked for unless a caller hands it in. */
export async function commitContainer(
	{ client, model, views }: Needs & Pick<Parts, 'views'>,
	first?: unknown,
	given?: unknown,
): Promise<void> {
	const title = l10n.t('Commit Container');
	const [id] = await containersFor(model, [first], { title, none: l10n.t('There are no containers yet.') });
	const name = model.container(id ?? '')?.name ?? '';
	const target =
		id === undefined
			? undefined
			: typeof given === 'string'
				? given
				: await askImageName(title, l10n.t('Name of the new image'), `${name.toLowerCase()}:latest`);
	if (id === undefined || target === undefined) {
		return;
	}
	await model.act(id, () => client.containers.commit(id, { target }));
	views.tellImage(l10n.t('The image {0} is made.', target), beside(id, target));
}

/** Save Image…: one or several as one tar, which docker and podman load. A test may hand in the file. */
export async function saveImages({ client, model }: Needs, ...called: unknown[]): Promise<void> {
	const title = l10n.t('Save Image');
	const names = await imagesFor(model, called, { title });
	const [name] = names;
	const [, given] = called;
	const file = `${names.length > 1 ? 'images' : suggestName(name ?? '', new Set())}.tar`;
	const target = name === undefined ? undefined : given instanceof Uri ? given : await askTarget(title, file);
	if (name === undefined || target === undefined) {
		return;
	}
	const label = names.length > 1 ? l10n.t('Saving {0} images', names.length) : l10n.t('Saving {0}', shortName(name));
	await withProgress(label, async (signal, count) => {
		const tar = await model.during(names, () => client.images.save(names, { signal }));
		await writeWhole(target.fsPath, count(tar), { signal });
	});
}

/** Load Images…: those of an archive of `save`, with their names. A test may hand in the file. */
export async function loadImages({ client, model }: Needs, given?: unknown): Promise<void> {
	await loadOrThrow(model);
	const title = l10n.t('Load Images');
	const source = given instanceof Uri ? given : await askArchive(title, l10n.t('Load'));
	if (source === undefined) {
		return;
	}
	const said: string[] = [];
	await withProgress(title, async (signal, count) => {
		const tar = count(createReadStream(source.fsPath) as AsyncIterable<Buffer>);
		await model.during([], async () => {
			for await (const { stream = '' } of client.images.load(tar, { signal })) {
				said.push(stream.trim());
			}
		});
	});
	void window.showInformationMessage(
		said.filter(Boolean).join(' · ') || l10n.t('The archive has no image with a name.'),
	);
}

/** Import Image…: a root file system becomes an image. A test may hand in file and name. */
export async function importImage(
	{ client, model, views }: Needs & Pick<Parts, 'views'>,
	given?: unknown,
	name?: unknown,
): Promise<void> {
	await loadOrThrow(model);
	const title = l10n.t('Import Image');
	const source = given instanceof Uri ? given : await askArchive(title, l10n.t('Import'));
	const offered =
		source === undefined ? '' : suggestName(source.path.split('/').pop()?.replace(/\..*/, '') ?? '', new Set());
	const target =
		source === undefined
			? undefined
			: typeof name === 'string'
				? name
				: await askImageName(title, l10n.t('Name of the new image'), `${offered.toLowerCase()}:latest`);
	if (source === undefined || target === undefined) {
		return;
	}
	await withProgress(l10n.t('Importing {0}', target), async (signal, count) => {
		const tar = count(createReadStream(source.fsPath) as AsyncIterable<Buffer>);
		await model.during([], () => client.images.import(tar, { target, signal }));
	});
	views.tellImage(l10n.t('The image {0} is made.', target), model.keyOf(target));
}

/** Push Image…: to the registry that its name begins with; another name is given to it first when it is typed. */
export async function pushImage(
	{ client, model, log }: Needs & Pick<Parts, 'log'>,
	first?: unknown,
	given?: unknown,
): Promise<void> {
	const title = l10n.t('Push Image');
	const [source] = await imagesFor(model, [first], { title });
	const target =
		source === undefined
			? undefined
			: typeof given === 'string'
				? given
				: await askImageName(
						title,
						l10n.t('Registry, repository and tag to push to'),
						model.image(source)?.tag ?? '',
					);
	if (source === undefined || target === undefined) {
		return;
	}
	if (target !== model.image(source)?.tag) {
		await client.images.tag(source, target);
	}
	try {
		await model.during([source], () => pushInNotification(pinned(client, source), target));
	} catch (error) {
		throw new Failure(error, 'mydocker.image.push', beside(source, target));
	}
	log.info(`Pushed ${target}`);
	void window.showInformationMessage(l10n.t('Pushed {0}.', target));
}

async function pushInNotification(client: Parts['client'], target: string): Promise<void> {
	const options = {
		location: ProgressLocation.Notification,
		title: l10n.t('Pushing {0}', target),
		cancellable: true,
	};
	await window.withProgress(options, async (progress, token) => {
		const meter = new PushMeter();
		let lastReport = 0;
		for await (const message of client.images.push(target, { signal: signalOf(token) })) {
			meter.add(message);
			if (Date.now() - lastReport >= REPORT_EVERY) {
				lastReport = Date.now();
				progress.report({ message: pushWords(meter.read()) });
			}
		}
	});
}

function pushWords({ layers, finishedLayers, bytes, total }: PushReading): string {
	const words = l10n.t('{0} of {1} layers', finishedLayers, layers);
	return total === 0
		? words
		: `${l10n.t('{0} of {1}', formatBytes(bytes, env.language), formatBytes(total, env.language))}, ${words}`;
}

async function askImageName(title: string, prompt: string, value: string): Promise<string | undefined> {
	const answer = await ask({
		title,
		prompt,
		value,
		placeholder: 'repository:tag',
		selection: [0, value.length],
		check: (typed, isFinal) => referenceMessage(referenceProblem(typed, { noDigest: true }), isFinal),
	});
	return typeof answer === 'string' ? answer : undefined;
}
