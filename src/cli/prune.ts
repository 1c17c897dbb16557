import { summarizeUsage } from '../api/disk-usage';
import type { DiskUsage } from '../api/types';
import { age, shortId, size } from './format';
import type { Action } from './row';
import type { Session } from './session';
import { renderList } from './table';

export interface PruneFlags {
	readonly filter: Readonly<Record<string, readonly string[]>>;
	readonly dryRun: boolean;
}

/** `mydocker container prune`; removes at once, as a script wants it. */
export const pruneContainers: Action<PruneFlags> = async (session, _operands, flags) => {
	session.output.line(`Total reclaimed space: ${size(await containers(session, flags), 4)}`);
	return 0;
};

/** `mydocker image prune` */
export const pruneImages: Action<PruneFlags & { readonly all: boolean }> = async (session, _operands, flags) => {
	session.output.line(`Total reclaimed space: ${size(await images(session, flags), 4)}`);
	return 0;
};

/** `mydocker system prune`: docker's order: containers, networks, volumes when asked for, images. */
export const pruneSystem: Action<PruneFlags & { readonly all: boolean; readonly volumes: boolean }> = async (
	session,
	_operands,
	flags,
) => {
	const { client, output, signal } = session;
	let space = await containers(session, flags);
	if (!flags.dryRun) {
		const networks = await client.networks.prune({ signal, filters: flags.filter });
		print(session, 'Deleted Networks:', networks);
		if (flags.volumes) {
			const { VolumesDeleted: volumes, SpaceReclaimed } = await client.volumes.prune({
				signal,
				filters: flags.filter,
			});
			print(session, 'Deleted Volumes:', volumes);
			space += SpaceReclaimed;
		}
	}
	space += await images(session, flags);
	output.line(`Total reclaimed space: ${size(space, 4)}`);
	return 0;
};

async function containers(session: Session, flags: PruneFlags): Promise<number> {
	const pruned = await session.client.containers.prune({
		signal: session.signal,
		filters: flags.filter,
		isDryRun: flags.dryRun,
	});
	print(session, 'Deleted Containers:', pruned.ContainersDeleted ?? []);
	return pruned.SpaceReclaimed;
}

async function images(session: Session, flags: PruneFlags & { readonly all: boolean }): Promise<number> {
	const filters = { ...flags.filter, dangling: [flags.all ? 'false' : 'true'] };
	const pruned = await session.client.images.prune({ signal: session.signal, filters, isDryRun: flags.dryRun });
	const lines = (pruned.ImagesDeleted ?? []).map((item) =>
		item.Untagged === undefined ? `deleted: ${item.Deleted ?? ''}` : `untagged: ${item.Untagged}`,
	);
	print(session, 'Deleted Images:', lines);
	return pruned.SpaceReclaimed;
}

function print(session: Session, title: string, lines: readonly string[]): void {
	if (lines.length > 0) {
		session.output.line([title, ...lines, ''].join('\n'));
	}
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
	return summarizeUsage(usage).map(({ kind, total, active, size: used, reclaimable }) =>
		row(TYPES[kind], total, active, used, reclaimable),
	);
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
