import type { Info, Version } from '../api/types';

export type CheckStatus = 'good' | 'warning' | 'bad';

/** What was looked at: the engine itself, the parts that it needs, and what it warns of. */
export type CheckName = 'engine' | 'runtime' | 'networks' | 'storage' | 'limits' | 'security' | 'folder';

/** A fact about the engine, in its own words; the view puts it into sentences. */
export interface Check {
	readonly name: CheckName | `warning-${number}`;
	readonly status: CheckStatus;
	readonly value: string;
}

/** What an engine tells of itself, as a list of what works and what does not. */
export function checksOf(info: Info, version: Version): Check[] {
	const runtime = version.Components?.find(({ Name }) => Name === info.DefaultRuntime);
	const networks = info.Plugins?.Network ?? [];
	const security = (info.SecurityOptions ?? []).map((option) => option.replace(/^name=/, '').replace(/,.*$/, ''));
	const engine = version.Platform?.Name || version.Components?.[0]?.Name || '';
	return [
		{ name: 'engine', status: 'good', value: `${engine} ${version.Version}`.trim() },
		{
			name: 'runtime',
			status: info.DefaultRuntime === '' ? 'bad' : 'good',
			value: `${info.DefaultRuntime} ${runtime?.Version ?? ''}`.trim(),
		},
		{ name: 'networks', status: networks.includes('bridge') ? 'good' : 'warning', value: networks.join(', ') },
		{ name: 'storage', status: 'good', value: info.Driver },
		{
			name: 'limits',
			status: info.CgroupDriver === 'none' ? 'warning' : 'good',
			value: `cgroup ${info.CgroupVersion ?? ''}, ${info.CgroupDriver ?? ''}`,
		},
		{ name: 'security', status: 'good', value: security.join(', ') },
		{ name: 'folder', status: 'good', value: info.DockerRootDir },
		...(info.Warnings ?? []).map((value, index): Check => ({ name: `warning-${index}`, status: 'warning', value })),
	];
}
