import { splitReference } from '../api/references';
import { CommandError } from './errors';
import type { Action } from './row';
import type { Session } from './session';
import { ProgressView } from './progress';

export interface PullFlags {
	readonly platform: string | undefined;
	readonly quiet: boolean;
	readonly allTags?: boolean;
}

/** `mydocker pull` */
export const pull: Action<PullFlags> = async (session, [name = ''], flags) => {
	const hasTag = splitReference(name).tag !== undefined;
	if (flags.allTags === true && hasTag) {
		throw new CommandError("tag can't be used with --all-tags/-a");
	}
	const reference = flags.allTags === true ? name : withDefaultTag(name);
	if (reference !== name && !flags.quiet) {
		session.output.line('Using default tag: latest');
	}
	await pullImage(session, reference, { ...flags, stream: 'stdout' });
	session.output.line(fullReference(reference));
	return 0;
};

/** Pulls and shows the progress on `stream`, unless `quiet`. */
export async function pullImage(
	session: Session,
	reference: string,
	options: PullFlags & { readonly stream: 'stdout' | 'stderr' },
): Promise<void> {
	const stream = session.output[options.stream];
	const view = new ProgressView({ isTerminal: stream.isTTY, columns: stream.columns });
	const messages = session.client.images.pull(reference, {
		signal: session.signal,
		...(options.platform !== undefined && { platform: options.platform }),
		...(options.allTags === true && { allTags: true }),
	});
	for await (const message of messages) {
		if (!options.quiet) {
			stream.write(view.render(message));
		}
	}
}

/** "nginx" → "nginx:latest"; a reference that has a tag or digest stays. */
export function withDefaultTag(reference: string): string {
	return splitReference(reference).tag === undefined ? `${reference}:latest` : reference;
}

/** "nginx:1" → "docker.io/library/nginx:1", as docker prints what it has pulled. */
export function fullReference(reference: string): string {
	const [first = '', ...rest] = reference.split('/');
	if (rest.length > 0 && (/[.:]/.test(first) || first === 'localhost')) {
		return reference;
	}
	return rest.length > 0 ? `docker.io/${reference}` : `docker.io/library/${reference}`;
}
