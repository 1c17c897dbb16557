import { ProgressView } from './progress';
import { fullReference, withDefaultTag } from './pull';
import type { Action } from './row';
import { CommandError } from './errors';
import { splitReference } from '../api/references';

export interface PushFlags {
	readonly allTags: boolean;
	readonly quiet: boolean;
}

/** `mydocker push` */
export const push: Action<PushFlags> = async (session, [name = ''], flags) => {
	const hasTag = splitReference(name).tag !== undefined;
	if (flags.allTags && hasTag) {
		throw new CommandError("tag can't be used with --all-tags/-a");
	}
	const reference = flags.allTags ? name : withDefaultTag(name);
	const stream = session.output.stdout;
	if (!hasTag && !flags.allTags && !flags.quiet) {
		session.output.line('Using default tag: latest');
	}
	const view = new ProgressView({ isTerminal: stream.isTTY, columns: stream.columns });
	for await (const message of session.client.images.push(reference, { signal: session.signal })) {
		if (!flags.quiet && message.aux === undefined) {
			stream.write(view.render(message));
		}
	}
	if (flags.quiet) {
		session.output.line(fullReference(reference));
	}
	return 0;
};
