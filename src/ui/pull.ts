import { env, l10n, ProgressLocation, window } from 'vscode';
import { formatBytes } from './amounts';
import { ask, BACK } from './ask';
import { Failure } from './failure';
import { referenceProblem, type ReferenceProblem } from './names';
import type { Parts } from './parts';
import { PullMeter, type PullReading } from './pull-meter';

/** Milliseconds between two updates of the notification. */
const REPORT_EVERY = 100;

/** Pull Image…: asks for a reference when it has none, then pulls. Gives the reference, undefined when left. */
export async function pullImage(
	parts: Pick<Parts, 'client' | 'model' | 'views' | 'log'>,
	given?: unknown,
): Promise<string | undefined> {
	const reference = typeof given === 'string' ? given : await askReference();
	if (reference === undefined) {
		return undefined;
	}
	try {
		await parts.model.during([], () => pullWithProgress(parts, reference));
	} catch (error) {
		throw new Failure(error, 'mydocker.image.pull', reference);
	}
	parts.log.info(`Pulled ${reference}`);
	return reference;
}

async function askReference(): Promise<string | undefined> {
	const answer = await ask({
		title: l10n.t('Pull Image'),
		prompt: l10n.t('Name of the image, with its registry unless it is on Docker Hub'),
		placeholder: 'nginx:latest',
		check: (value, isFinal) => referenceMessage(referenceProblem(value), isFinal),
	});
	return answer === BACK ? undefined : answer;
}

/** What to tell a person who types a reference. While it is typed, what is only unfinished is not wrong yet. */
export function referenceMessage(problem: ReferenceProblem | undefined, isFinal: boolean): string | undefined {
	switch (problem) {
		case undefined:
			return undefined;
		case 'blank':
			return isFinal ? l10n.t('Type the name of an image, for example nginx:latest') : undefined;
		case 'unfinished':
			return isFinal ? l10n.t('The name is not finished') : undefined;
		case 'scheme':
			return l10n.t('Leave out "https://": a name begins with the registry, for example ghcr.io/owner/image');
		case 'space':
			return l10n.t('A name has no spaces');
		case 'uppercase':
			return l10n.t('A repository is written in lower case');
		case 'digest':
			return l10n.t('A new name has a tag, not a digest');
		case 'malformed':
			return l10n.t('This is not a name of an image: registry/repository:tag');
	}
}

async function pullWithProgress({ client, views }: Pick<Parts, 'client' | 'views'>, reference: string): Promise<void> {
	const title = l10n.t('Pulling {0}', reference);
	await window.withProgress(
		{ location: ProgressLocation.Notification, title, cancellable: true },
		async (progress, token) => {
			const abort = new AbortController();
			token.onCancellationRequested(() => {
				abort.abort();
			});
			progress.report({ message: l10n.t('asking the registry…') });
			const meter = new PullMeter();
			let lastReport = 0;
			let reported = 0;
			for await (const message of client.images.pull(reference, { signal: abort.signal })) {
				const now = Date.now();
				meter.add(message, now);
				if (now - lastReport >= REPORT_EVERY) {
					const reading = meter.read(now);
					progress.report({ message: readingWords(reading), increment: (reading.fraction - reported) * 100 });
					lastReport = now;
					reported = reading.fraction;
				}
			}
		},
	);
	views.showPulledImage(reference);
}

function readingWords(reading: PullReading): string {
	if (reading.layers === 0) {
		return l10n.t('asking the registry…');
	}
	const layers = l10n.t('{0} of {1} layers', reading.finishedLayers, reading.layers);
	if (reading.isUnpacking) {
		return l10n.t('{0}, unpacking', layers);
	}
	if (reading.total === 0) {
		return layers;
	}
	const bytes = l10n.t(
		'{0} of {1}',
		formatBytes(reading.bytes, env.language),
		formatBytes(reading.total, env.language),
	);
	const rate = reading.rate > 0 ? `, ${l10n.t('{0}/s', formatBytes(reading.rate, env.language))}` : '';
	return `${layers}, ${bytes}${rate}`;
}
