import { summarizeUsage } from '../api/disk-usage';
import type { PruneFailureJson, Pruned, PruneOptions } from '../api/prune-calls';
import { ApiError } from '../api/transport';
import type { DiskUsage, OtherUsageKind } from '../api/types';
import { age, shortId, size } from './format';
import { plain } from './output';
import { mayPrune, takesNamedVolumes, unusedImages, type Warning, type WarningFlags } from './prune-warning';
import type { Action } from './row';
import type { Session } from './session';
import { renderList } from './table';

type PruneFlags = WarningFlags;
type ImageFlags = PruneFlags & { readonly all: boolean };
type VolumeFlags = PruneFlags & { readonly all: boolean };
type SystemFlags = ImageFlags & { readonly volumes: boolean };

/** `mydocker container prune` */
export const pruneContainers: Action<PruneFlags> = async (session, _operands, flags) =>
	(await mayPrune(session, flags, () => ({ what: 'all stopped containers' })))
		? report(session, [await containers(session, flags)], flags)
		: 0;

/** `mydocker image prune` */
export const pruneImages: Action<ImageFlags> = async (session, _operands, flags) =>
	(await mayPrune(session, flags, () => imageWarning(session, flags)))
		? report(session, [await images(session, flags)], flags)
		: 0;

/** `mydocker network prune` */
export const pruneNetworks: Action<PruneFlags> = async (session, _operands, flags) =>
	(await mayPrune(session, flags, () => ({ what: 'all custom networks not used by at least one container' })))
		? report(session, [await networks(session, flags)], flags)
		: 0;

/** `mydocker volume prune` */
export const pruneVolumes: Action<VolumeFlags> = async (session, _operands, flags) =>
	(await mayPrune(session, flags, () => volumeWarning(session, flags)))
		? report(session, [await volumes(session, flags)], flags)
		: 0;

/** `mydocker system prune`: docker's order: containers, networks, volumes when asked for, images. */
export const pruneSystem: Action<SystemFlags> = async (session, _operands, flags) => {
	if (!(await mayPrune(session, flags, () => systemWarning(session, flags)))) {
		return 0;
	}
	const after = { ...flags, isAfterContainers: flags.dryRun };
	const done = [await containers(session, flags), await networks(session, flags)];
	if (flags.volumes) {
		done.push(await volumes(session, { ...after, all: false }));
	}
	done.push(await images(session, after));
	return report(session, done, flags);
};

/** To a person it tells the bytes, which the engine has at hand, where it is ours. */
async function imageWarning(session: Session, flags: ImageFlags): Promise<Warning> {
	const what = unusedImages(flags.all);
	if (!session.input.isTTY) {
		return { what };
	}
	try {
		const { SpaceReclaimed: space } = await session.client.images.prune(
			options(session, { ...flags, dryRun: true }, imageFilters(flags)),
		);
		return { what, hint: `${size(space, 4)} would come free; --dry-run lists what goes.` };
	} catch (error) {
		if (error instanceof ApiError && error.code === 'unsupported') {
			return { what };
		}
		throw error;
	}
}

async function volumeWarning(session: Session, flags: VolumeFlags): Promise<Warning> {
	const which = (await takesNamedVolumes(session, flags.all)) ? 'all local' : 'anonymous local';
	return { what: `${which} volumes not used by at least one container` };
}

async function systemWarning(session: Session, flags: SystemFlags): Promise<Warning> {
	const kinds = ['all stopped containers', 'all networks not used by at least one container'];
	if (flags.volumes) {
		const which = (await takesNamedVolumes(session, false)) ? 'all' : 'all anonymous';
		kinds.push(`${which} volumes not used by at least one container`);
	}
	const hint = session.input.isTTY ? '--dry-run lists what goes.' : undefined;
	return { what: [...kinds, unusedImages(flags.all)], hint };
}

/** What one prune did, or would do. */
interface Done {
	/** Undefined for what takes no room. */
	readonly space?: number;
	readonly failures: readonly PruneFailureJson[];
}

interface After {
	readonly isAfterContainers?: boolean;
}

async function containers(session: Session, flags: PruneFlags): Promise<Done> {
	const pruned = await session.client.containers.prune(options(session, flags, flags.filter));
	return print(session, flags, {
		title: 'Containers',
		lines: pruned.ContainersDeleted ?? [],
		space: pruned.SpaceReclaimed,
		pruned,
	});
}

async function images(session: Session, flags: ImageFlags & After): Promise<Done> {
	const pruned = await session.client.images.prune(options(session, flags, imageFilters(flags)));
	const lines = (pruned.ImagesDeleted ?? []).map((item) =>
		item.Untagged === undefined ? `deleted: ${item.Deleted ?? ''}` : `untagged: ${item.Untagged}`,
	);
	return print(session, flags, { title: 'Images', lines, space: pruned.SpaceReclaimed, pruned });
}

function imageFilters({ filter, all }: ImageFlags): PruneFlags['filter'] {
	return { ...filter, dangling: [all ? 'false' : 'true'] };
}

async function networks(session: Session, flags: PruneFlags): Promise<Done> {
	const pruned = await session.client.networks.prune(options(session, flags, flags.filter));
	return print(session, flags, { title: 'Networks', lines: pruned.NetworksDeleted ?? [], pruned });
}

async function volumes(session: Session, flags: VolumeFlags & After): Promise<Done> {
	const filters = { ...flags.filter, ...(flags.all && { all: ['true'] }) };
	const pruned = await session.client.volumes.prune(options(session, flags, filters));
	return print(session, flags, {
		title: 'Volumes',
		lines: pruned.VolumesDeleted ?? [],
		space: pruned.SpaceReclaimed,
		pruned,
	});
}

function options(session: Session, flags: PruneFlags & After, filters: PruneFlags['filter']): PruneOptions {
	return {
		signal: session.signal,
		filters,
		...(flags.dryRun && { isDryRun: true, isAfterContainers: flags.isAfterContainers ?? false }),
	};
}

interface Printed {
	readonly title: string;
	readonly lines: readonly string[];
	readonly space?: number;
	readonly pruned: Pruned;
}

/** Docker's list; of what would go, with its bytes. */
function print(session: Session, flags: PruneFlags, { title, lines, space, pruned }: Printed): Done {
	if (lines.length > 0) {
		const bytes = space === undefined ? '' : ` (${size(space, 4)})`;
		const head = flags.dryRun ? `${title} that would be deleted${bytes}:` : `Deleted ${title}:`;
		session.output.line([head, ...lines.map(plain), ''].join('\n'));
	}
	return { ...(space !== undefined && { space }), failures: pruned.Failures ?? [] };
}

/** The sum, then what could not be removed. */
function report(session: Session, done: readonly Done[], flags: PruneFlags): number {
	const spaces = done.flatMap(({ space }) => (space === undefined ? [] : [space]));
	if (spaces.length > 0) {
		const what = flags.dryRun ? 'reclaimable' : 'reclaimed';
		session.output.line(
			`Total ${what} space: ${size(
				spaces.reduce((sum, space) => sum + space, 0),
				4,
			)}`,
		);
	}
	const failures = done.flatMap((one) => one.failures);
	for (const { Kind: kind, Name: name, Reason: reason } of failures) {
		session.output.error(plain(`Cannot remove ${kind} "${name}": ${reason}`));
	}
	return failures.length === 0 ? 0 : 1;
}

interface UsageFlags {
	readonly format: string | undefined;
	readonly verbose: boolean;
}

const SUMMARY = {
	headers: { Type: 'TYPE', TotalCount: 'TOTAL', Active: 'ACTIVE', Size: 'SIZE', Reclaimable: 'RECLAIMABLE' },
	columns: ['Type', 'TotalCount', 'Active', 'Size', 'Reclaimable'],
};

/** `mydocker system df` */
export const diskUsage: Action<UsageFlags> = async (session, _operands, flags) => {
	const usage = await session.client.diskUsage({ signal: session.signal });
	session.output.stdout.write(
		flags.verbose ? verbose(usage, session.now) : renderList(flags.format, summary(usage), SUMMARY),
	);
	return 0;
};

const TYPES = { image: 'Images', container: 'Containers', volume: 'Local Volumes', 'build-cache': 'Build Cache' };

function summary(usage: DiskUsage): Record<string, string>[] {
	const rows = summarizeUsage(usage).map(({ kind, total, active, size: used, reclaimable }) =>
		row(TYPES[kind], total, active, used, reclaimable),
	);
	const others = (usage.Other ?? []).filter(({ Size }) => Size > 0);
	return [...rows, ...others.map(({ Kind, Size }) => otherRow(OTHERS[Kind], Size))];
}

const OTHERS: Readonly<Record<OtherUsageKind, string>> = {
	logs: 'Container Logs',
	copies: 'Copied Roots',
	'partial-downloads': 'Partial Downloads',
	engine: 'Engine Files',
};

/** What docker has no row for. */
function otherRow(type: string, used: number): Record<string, string> {
	return { Type: type, TotalCount: '', Active: '', Size: size(used, 4), Reclaimable: '' };
}

function row(type: string, total: number, active: number, used: number, reclaimable: number): Record<string, string> {
	const share = used > 0 ? ` (${Math.floor((reclaimable * 100) / used)}%)` : '';
	return {
		...{ Type: type, TotalCount: String(total), Active: String(active) },
		...{ Size: size(used, 4), Reclaimable: `${size(reclaimable, 4)}${type === 'Build Cache' ? '' : share}` },
	};
}

function verbose(usage: DiskUsage, now: number): string {
	const images = (usage.Images ?? []).flatMap((image) =>
		(image.RepoTags?.length ? image.RepoTags : ['<none>:<none>']).map((name) => ({
			Repository: name.slice(0, name.lastIndexOf(':')),
			Tag: name.slice(name.lastIndexOf(':') + 1),
			ID: shortId(image.Id),
			CreatedSince: age(image.Created, now),
			Size: size(image.Size),
			SharedSize: size(Math.max(image.SharedSize ?? 0, 0), 4),
			UniqueSize: size(image.Size - Math.max(image.SharedSize ?? 0, 0), 4),
			Containers: String(image.Containers),
		})),
	);
	const containers = (usage.Containers ?? []).map((container) => ({
		...{ ID: shortId(container.Id), Image: container.Image, Command: `"${container.Command}"` },
		...{ Size: size(container.SizeRw ?? 0), CreatedSince: age(container.Created, now) },
		...{ Status: container.Status, Names: container.Names.map((name) => name.replace(/^\//, '')).join() },
	}));
	const volumes = (usage.Volumes ?? []).map(({ Name, UsageData }) => ({
		...{ Name, Links: String(UsageData?.RefCount ?? 0), Size: size(Math.max(UsageData?.Size ?? 0, 0)) },
	}));
	return [
		'Images space usage:\n',
		renderList(undefined, images, {
			headers: {
				...{ Repository: 'REPOSITORY', Tag: 'TAG', ID: 'IMAGE ID', CreatedSince: 'CREATED', Size: 'SIZE' },
				...{ SharedSize: 'SHARED SIZE', UniqueSize: 'UNIQUE SIZE', Containers: 'CONTAINERS' },
			},
			columns: ['Repository', 'Tag', 'ID', 'CreatedSince', 'Size', 'SharedSize', 'UniqueSize', 'Containers'],
		}),
		'\nContainers space usage:\n',
		renderList(undefined, containers, {
			headers: {
				...{ ID: 'CONTAINER ID', Image: 'IMAGE', Command: 'COMMAND', Size: 'SIZE', CreatedSince: 'CREATED' },
				...{ Status: 'STATUS', Names: 'NAMES' },
			},
			columns: ['ID', 'Image', 'Command', 'Size', 'CreatedSince', 'Status', 'Names'],
		}),
		'\nLocal Volumes space usage:\n',
		renderList(undefined, volumes, {
			headers: { Name: 'VOLUME NAME', Links: 'LINKS', Size: 'SIZE' },
			columns: ['Name', 'Links', 'Size'],
		}),
		'\nBuild cache usage: 0B\n',
	]
		.map((part) => (part.endsWith('\n') ? part : `${part}\n`))
		.join('\n')
		.replace(/\n{3,}/g, '\n\n');
}
