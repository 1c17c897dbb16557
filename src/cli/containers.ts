import { ApiError } from '../api/client';
import { parseTime } from '../api/time';
import type { ContainerSummary } from '../api/types';
import { CommandError } from './errors';
import { explain } from './explain';
import { age, ellipsis, localTime, portList, shortId, size } from './format';
import type { Action } from './row';
import type { Session } from './session';
import { renderList } from './table';
import type { Fields } from './table';

export interface ListFlags {
	readonly all: boolean;
	readonly filter: Readonly<Record<string, readonly string[]>>;
	readonly format: string | undefined;
	readonly last: number | undefined;
	readonly latest: boolean;
	readonly noTrunc: boolean;
	readonly quiet: boolean;
	readonly size?: boolean;
}

const HEADERS = {
	Command: 'COMMAND',
	CreatedAt: 'CREATED AT',
	ID: 'CONTAINER ID',
	Image: 'IMAGE',
	Labels: 'LABELS',
	LocalVolumes: 'LOCAL VOLUMES',
	Mounts: 'MOUNTS',
	Names: 'NAMES',
	Networks: 'NETWORKS',
	Ports: 'PORTS',
	RunningFor: 'CREATED',
	Size: 'SIZE',
	State: 'STATE',
	Status: 'STATUS',
};
const COLUMNS = ['ID', 'Image', 'Command', 'RunningFor', 'Status', 'Ports', 'Names'];

/** `mydocker ps` */
export const list: Action<ListFlags> = async (session, _operands, flags) => {
	const limit = flags.last ?? (flags.latest ? 1 : undefined);
	const containers = await session.client.containers.list({
		signal: session.signal,
		all: flags.all,
		filters: flags.filter,
		// Docker too measures for a format that names it.
		size: flags.size === true || /\.Size\b/.test(flags.format ?? ''),
		...(limit !== undefined && { limit }),
	});
	session.output.stdout.write(renderContainers(containers, flags, session.now));
	return 0;
};

/** The text of a container list; docker's columns. `now` in Unix milliseconds. */
export function renderContainers(containers: readonly ContainerSummary[], flags: ListFlags, now: number): string {
	const items = containers.map((container) => containerFields(container, flags.noTrunc, now));
	if (flags.quiet && flags.format === undefined) {
		return items.map((item) => `${item.ID}\n`).join('');
	}
	return renderList(flags.format, items, {
		headers: HEADERS,
		columns: flags.size === true ? [...COLUMNS, 'Size'] : COLUMNS,
	});
}

function containerFields(container: ContainerSummary, isWhole: boolean, now: number): Fields & { readonly ID: string } {
	const mounts = container.Mounts?.map(mountName) ?? [];
	return {
		Command: JSON.stringify(isWhole ? container.Command : ellipsis(container.Command, 20)),
		CreatedAt: localTime(container.Created),
		ID: isWhole ? container.Id : shortId(container.Id),
		Image: imageName(container, isWhole),
		Label: (name) => (Object.hasOwn(container.Labels, name) ? (container.Labels[name] ?? '') : ''),
		Labels: Object.entries(container.Labels)
			.map(([name, value]) => `${name}=${value}`)
			.join(','),
		LocalVolumes: String(mounts.filter(({ isVolume }) => isVolume).length),
		Mounts: mounts.map(({ name }) => (isWhole ? name : ellipsis(name, 15))).join(','),
		Names: containerNames(container, isWhole),
		Networks: Object.keys(container.NetworkSettings?.Networks ?? {}).join(','),
		Ports: portList(container.Ports),
		RunningFor: age(container.Created, now),
		Size: sizes(container),
		State: container.State,
		Status: container.Status,
	};
}

/** What it has written, and that with its image. */
function sizes({ SizeRw = 0, SizeRootFs = 0 }: ContainerSummary): string {
	return SizeRootFs === 0 ? size(SizeRw) : `${size(SizeRw)} (virtual ${size(SizeRootFs)})`;
}

/** An image that has lost its name is shown by its id; a digest beside a name is left out. */
function imageName(container: ContainerSummary, isWhole: boolean): string {
	if (container.Image === '') {
		return '<no image>';
	}
	if (isWhole) {
		return container.Image;
	}
	const id = shortId(container.ImageID);
	return shortId(container.Image) === id ? id : container.Image.replace(/@sha256:[0-9a-f]{64}$/, '');
}

/** Without docker's leading slash; names that other containers link to this one by are shown by --no-trunc only. */
function containerNames(container: ContainerSummary, isWhole: boolean): string {
	const names = container.Names.map((name) => name.replace(/^\//, ''));
	return names.filter((name) => isWhole || !name.includes('/')).join(',');
}

function mountName(mount: object): { readonly name: string; readonly isVolume: boolean } {
	const { Name: name, Source: source, Type: type } = mount as { Name?: string; Source?: string; Type?: string };
	return { name: (name ?? '') === '' ? (source ?? '') : (name ?? ''), isVolume: type === 'volume' };
}

/** `mydocker stop` */
export const stop: Action<{ readonly signal: string | undefined; readonly timeout: number | undefined }> = (
	session,
	names,
	flags,
) =>
	each(session, names, (name) =>
		session.client.containers.stop(name, {
			signal: session.signal,
			...(flags.timeout !== undefined && { timeout: flags.timeout }),
			...(flags.signal !== undefined && { stopSignal: flags.signal }),
		}),
	);

/** `mydocker restart` */
export const restart: Action<{ readonly signal: string | undefined; readonly timeout: number | undefined }> = (
	session,
	names,
	flags,
) =>
	each(session, names, (name) =>
		session.client.containers.restart(name, {
			signal: session.signal,
			...(flags.timeout !== undefined && { timeout: flags.timeout }),
			...(flags.signal !== undefined && { stopSignal: flags.signal }),
		}),
	);

/** `mydocker pause` */
export const pause: Action<object> = (session, names) =>
	each(session, names, (name) => session.client.containers.pause(name, { signal: session.signal }));

/** `mydocker unpause` */
export const unpause: Action<object> = (session, names) =>
	each(session, names, (name) => session.client.containers.unpause(name, { signal: session.signal }));

/** `mydocker kill` */
export const kill: Action<{ readonly signal: string | undefined }> = (session, names, flags) =>
	each(session, names, (name) =>
		session.client.containers.kill(name, {
			signal: session.signal,
			...(flags.signal !== undefined && { killSignal: flags.signal }),
		}),
	);

/** `mydocker rm`; with --force what is not there is told, but counts as removed. */
export const remove: Action<{ readonly force: boolean; readonly volumes: boolean }> = (session, names, flags) =>
	each(
		session,
		names,
		(name) => session.client.containers.remove(name, { signal: session.signal, ...flags }),
		(error) => flags.force && error instanceof ApiError && error.status === 404,
	);

/** `mydocker rename` */
export const rename: Action<object> = async (session, [container = '', name = '']) => {
	if (name === '') {
		throw new CommandError('Error: Neither old nor new names may be empty');
	}
	try {
		await session.client.containers.rename(container, name, { signal: session.signal });
	} catch (error) {
		session.signal.throwIfAborted();
		throw new CommandError(`${explain(error)}\nError: failed to rename container named ${container}`);
	}
	return 0;
};

/** `mydocker wait`: the exit code of each, in the order asked. */
export const wait: Action<object> = (session, names) =>
	each(session, names, async (name) => {
		const { exit } = await session.client.containers.wait(name, { signal: session.signal });
		return String(await exit);
	});

/**
 * Does `action` for all containers at once, prints what it gives (the name, when nothing) in the order they were named
 * as each is done, and then what failed. The exit code is 1 when one failed that is not `excused`.
 */
async function each(
	session: Session,
	names: readonly string[],
	action: (name: string) => Promise<unknown>,
	excused: (error: unknown) => boolean = () => false,
): Promise<number> {
	const results = names.map(async (name) => {
		try {
			const given = await action(name);
			return { text: typeof given === 'string' ? given : name };
		} catch (error) {
			return { error };
		}
	});
	const failures: unknown[] = [];
	for (const pending of results) {
		const result = await pending;
		session.signal.throwIfAborted();
		if ('error' in result) {
			failures.push(result.error);
		} else {
			session.output.line(result.text);
		}
	}
	failures.forEach((failure) => {
		session.output.error(explain(failure));
	});
	return failures.every(excused) ? 0 : 1;
}

export interface LogsFlags {
	readonly follow: boolean;
	readonly since: string | undefined;
	readonly tail: string;
	readonly timestamps: boolean;
	readonly details: boolean;
	readonly until: string | undefined;
}

/** `mydocker logs`: both streams of the container, each on ours. */
export const logs: Action<LogsFlags> = async (session, [container = ''], flags) => {
	const chunks = session.client.containers.logs(container, {
		signal: session.signal,
		follow: flags.follow,
		// As docker: what is no number means all.
		tail: /^\d+$/.test(flags.tail) ? Number(flags.tail) : 'all',
		timestamps: flags.timestamps,
		details: flags.details,
		...(flags.since !== undefined && { since: checkTime('since', flags.since) }),
		...(flags.until !== undefined && { until: checkTime('until', flags.until) }),
	});
	for await (const chunk of chunks) {
		await session.output.write(chunk.stream, chunk.data);
	}
	return 0;
};

/** The time as Unix seconds; throws CommandError in docker's words. */
export function checkTime(flag: string, value: string): string {
	try {
		return parseTime(value);
	} catch (error) {
		if (!(error instanceof RangeError)) {
			throw error;
		}
		const reason = `failed to parse value as time or duration: ${JSON.stringify(value)}`;
		throw new CommandError(`invalid value for "${flag}": ${reason}`);
	}
}
