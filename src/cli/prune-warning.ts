/** What a prune says and asks before it removes anything: docker's words. */
import { isOlderVersion } from '../api/transport';
import { plain } from './output';
import { confirm } from './prompt';
import type { Session } from './session';

export interface WarningFlags {
	readonly filter: Readonly<Record<string, readonly string[]>>;
	readonly dryRun: boolean;
	readonly force: boolean;
}

export interface Warning {
	/** What goes. */
	readonly what: string | readonly string[];
	/** A line of ours, for a person. */
	readonly hint?: string | undefined;
}

/** Whether the prune may go on: asks, unless nothing will be removed or --force was given. */
export async function mayPrune(
	session: Session,
	flags: WarningFlags,
	find: () => Warning | Promise<Warning>,
): Promise<boolean> {
	if (flags.force || flags.dryRun) {
		return true;
	}
	const { what, hint } = await find();
	const lines = typeof what === 'string' ? [`WARNING! This will remove ${what}.`] : listed(what, flags.filter);
	session.output.line([...lines, ...(hint === undefined ? [] : [hint])].join('\n'));
	return confirm(session, 'Are you sure you want to continue?');
}

/** The warning of `system prune`, which alone tells the filters. */
function listed(what: readonly string[], filter: WarningFlags['filter']): string[] {
	const filters = Object.entries(filter).flatMap(([name, values]) => values.map((value) => `${name}=${value}`));
	return [
		...['WARNING! This will remove:', ...what.map((one) => `  - ${one}`), ''],
		...(filters.length === 0 ? [] : ['  Items to be pruned will be filtered with:']),
		...filters.sort().map((one) => plain(`  - ${one}`)),
		...(filters.length === 0 ? [] : ['']),
	];
}

export function unusedImages(isAll: boolean): string {
	return isAll ? 'all images without at least one container associated to them' : 'all dangling images';
}

/** Whether a prune of volumes takes those with a name as well: engines before version 1.42 always do. */
export async function takesNamedVolumes({ client, signal }: Session, isAll: boolean): Promise<boolean> {
	return isAll || isOlderVersion((await client.version({ signal })).ApiVersion, '1.42');
}
