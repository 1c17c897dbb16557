import type { ContainerSummary, ImageSummary } from '../api/types';
import { splitRegistry } from './names';
import { parseStatus } from './status';

/** A container as a row needs it. */
export interface ContainerRow {
	readonly id: string;
	readonly name: string;
	/** As its creator wrote it. */
	readonly image: string;
	readonly imageId: string;
	readonly command: string;
	/** created, running, paused, restarting, stopping, removing, exited, dead */
	readonly state: string;
	/** Of an exited container. */
	readonly exitCode: number | undefined;
	/** Unix milliseconds since when it has been in its state, as exact as the engine says. */
	readonly since: number;
	readonly ports: readonly string[];
	readonly created: number;
}

/** One name of an image, or an image without a name. */
export interface ImageRow {
	/** "repository:tag", or the image's id when it has no name. The engine takes either. */
	readonly name: string;
	readonly id: string;
	/** Undefined for a dangling image, and for one that was pulled by digest. */
	readonly tag: string | undefined;
	/** "repository@sha256:…" of an image without a tag. */
	readonly digest: string | undefined;
	/** Bytes. */
	readonly size: number;
	/** Unix milliseconds. */
	readonly created: number;
}

/** True while a container has a process. */
export function isAlive(state: string): boolean {
	return state === 'running' || state === 'paused' || state === 'restarting' || state === 'stopping';
}

/** `now` in Unix milliseconds is when the engine answered. */
export function containerRow(summary: ContainerSummary, now: number): ContainerRow {
	const { exitCode, age } = parseStatus(summary.Status);
	const isNew = summary.State === 'created';
	return {
		id: summary.Id,
		name: summary.Names[0]?.replace(/^\//, '') ?? summary.Id.slice(0, 12),
		image: summary.Image,
		imageId: summary.ImageID,
		command: summary.Command,
		state: summary.State,
		exitCode: isNew ? undefined : exitCode,
		since: isNew || age === undefined ? summary.Created * 1000 : now - age * 1000,
		ports: summary.Ports.map((port) =>
			port.PublicPort === undefined
				? `${port.PrivatePort}/${port.Type}`
				: `${port.PublicPort} → ${port.PrivatePort}/${port.Type}`,
		),
		created: summary.Created * 1000,
	};
}

/** By name without the registry, as they are shown; images without a name last. */
export function imageRows(summaries: readonly ImageSummary[]): ReadonlyMap<string, ImageRow> {
	const rows = summaries.flatMap((summary): ImageRow[] => {
		const common = { id: summary.Id, size: summary.Size, created: summary.Created * 1000 };
		const tags = (summary.RepoTags ?? []).filter((tag) => !tag.includes('<none>'));
		const digest = (summary.RepoDigests ?? []).find((name) => !name.includes('<none>'));
		return tags.length > 0
			? tags.map((tag) => ({ ...common, name: tag, tag, digest }))
			: [{ ...common, name: summary.Id, tag: undefined, digest }];
	});
	const order = (row: ImageRow): string =>
		`${row.tag === undefined ? '~' : ''}${splitRegistry(row.name).rest} ${row.name}`;
	rows.sort((a, b) => (order(a) < order(b) ? -1 : 1));
	return new Map(rows.map((row) => [row.name, row]));
}
