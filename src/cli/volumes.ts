import { eachInTurn } from './in-turn';
import { keyValues } from './networks';
import type { Action } from './row';
import { renderList } from './table';

interface ListFlags {
	readonly filter: Readonly<Record<string, readonly string[]>>;
	readonly format: string | undefined;
	readonly quiet: boolean;
}

const LISTING = {
	headers: { Driver: 'DRIVER', Mountpoint: 'MOUNTPOINT', Name: 'VOLUME NAME', Scope: 'SCOPE' },
	columns: ['Driver', 'Name'],
};

/** `mydocker volume list` */
export const list: Action<ListFlags> = async (session, _operands, flags) => {
	const volumes = await session.client.volumes.list({ signal: session.signal, filters: flags.filter });
	const items = volumes.map(({ Driver, Mountpoint, Name, Scope }) => ({ Driver, Mountpoint, Name, Scope }));
	session.output.stdout.write(
		flags.quiet ? items.map(({ Name }) => `${Name}\n`).join('') : renderList(flags.format, items, LISTING),
	);
	return 0;
};

interface CreateFlags {
	readonly driver: string | undefined;
	readonly label: readonly string[];
	readonly opt: readonly string[];
}

/** `mydocker volume create`: prints the name. */
export const create: Action<CreateFlags> = async (session, [name = ''], flags) => {
	const body = {
		Name: name,
		Driver: flags.driver ?? 'local',
		Labels: keyValues(flags.label),
		DriverOpts: keyValues(flags.opt),
	};
	session.output.line((await session.client.volumes.create(body, { signal: session.signal })).Name);
	return 0;
};

/** `mydocker volume remove`; with --force one that is not there counts as gone. */
export const remove: Action<{ readonly force: boolean }> = (session, names, flags) =>
	eachInTurn(
		session,
		names,
		async (name) => {
			await session.client.volumes.remove(name, { signal: session.signal, force: flags.force });
			return name;
		},
		flags.force,
	);
