import { env, l10n, type MarkdownString } from 'vscode';
import { formatAgo, formatBytes, formatDuration } from './amounts';
import { bare } from './engine-keys';
import { groupKey, groupOf, partKey, partOf } from './keys';
import type { Model } from './model';
import { shortId, shortName } from './names';
import { browserUrl, portText, publishedPorts } from './port';
import { GONE, type Drawing, type RowSource } from './row-tree';
import { isAlive, type ContainerRow, type PortRow } from './rows';
import type { RowUsage } from './row-usage';
import type { Scope } from './scope';
import { sparkline } from './sparkline';
import { facts } from './tooltip';
import type { UsagePoint } from './usage-points';

/** Exit codes of a container that was asked to stop: SIGINT, SIGKILL, SIGTERM. No fault of its own. */
const STOPPED_BY_SIGNAL = new Set([130, 137, 143]);
const SECONDS_TOO_FEW_TO_SAY = 60;
/** Percent of one processor that are the highest block of a row in which there is no more. */
const MUCH_CPU = 10;

/** The rows of the Containers view: groups, containers and their published ports. */
export function containerSource(model: Model, scope: Scope, usage: RowUsage): RowSource {
	const members = membersByGroup(scope);
	return {
		load: () => model.ready(),
		keys: (parent) => {
			if (parent === undefined) {
				return topKeys(scope, members());
			}
			const group = groupOf(parent);
			if (group !== undefined) {
				return (members().get(group) ?? []).map((row) => row.id);
			}
			const row = model.container(parent);
			return row === undefined ? [] : publishedPorts(row).map((port) => portKey(row, port));
		},
		draw: (key) => {
			const group = groupOf(key);
			if (group !== undefined) {
				return drawGroup(group, members().get(group) ?? []);
			}
			const port = portOfKey(model, key);
			if (port !== undefined) {
				return drawPort(port);
			}
			const row = model.container(key);
			return row === undefined ? GONE : withUsage(drawContainer(row, model, Date.now()), usage.trail(key));
		},
		tooltip: (key) => {
			const row = model.container(key);
			return row && containerTooltip(row, model.fault(key), usage.get(key));
		},
		parent: (key) => {
			const row = model.container(key);
			const group = row && scope.groupOf(row);
			return group === undefined ? partOf(key, 'port')?.owner : groupKey(group);
		},
	};
}

/** The containers of a group as they are shown; undefined for a row that is no group. */
export function containersOfGroup(scope: Scope, key: string): readonly string[] | undefined {
	const group = groupOf(key);
	return group === undefined
		? undefined
		: scope.rows.filter((row) => scope.groupOf(row) === group).map((row) => row.id);
}

/** The port that a row is about. */
export function portOfKey(model: Model, key: string): PortRow | undefined {
	const part = partOf(key, 'port');
	const row = part && model.container(part.owner);
	return row && publishedPorts(row).find((port) => portKey(row, port) === key);
}

function portKey(row: ContainerRow, port: PortRow): string {
	return partKey('port', row.id, portText(port));
}

/** Made anew only when the shown containers have changed. */
function membersByGroup(scope: Scope): () => ReadonlyMap<string, readonly ContainerRow[]> {
	let from: Scope['rows'] | undefined;
	let groups = new Map<string, ContainerRow[]>();
	return () => {
		if (from !== scope.rows) {
			from = scope.rows;
			groups = new Map();
			for (const row of from) {
				const group = scope.groupOf(row);
				if (group !== undefined) {
					groups.set(group, [...(groups.get(group) ?? []), row]);
				}
			}
		}
		return groups;
	};
}

/** Groups by name first, then what is in none. */
function topKeys(scope: Scope, groups: ReadonlyMap<string, unknown>): string[] {
	const single = groups.size === 0 ? scope.rows : scope.rows.filter((row) => scope.groupOf(row) === undefined);
	return [...[...groups.keys()].sort().map(groupKey), ...single.map((row) => row.id)];
}

function drawGroup(name: string, rows: readonly ContainerRow[]): Drawing {
	const alive = rows.filter((row) => isAlive(row.state)).length;
	const running = rows.filter((row) => row.state === 'running').length;
	const failing = rows.filter((row) => row.health === 'unhealthy' || hasFailed(row)).length;
	const words = [
		l10n.t('{0} of {1} running', running, rows.length),
		...(failing === 0 ? [] : [l10n.t('{0} failing', failing)]),
	];
	return {
		label: bare(name),
		description: words.join(' · '),
		icon: 'server-environment',
		...(failing > 0 ? { color: 'list.warningForeground' } : {}),
		context: `group;${alive > 0 ? 'running' : ''};${alive < rows.length ? 'stopped' : ''};`,
		spoken: l10n.t('Group {0}, {1}', bare(name), words.join(', ')),
		children: 'expanded',
	};
}

function drawPort(port: PortRow): Drawing {
	const url = browserUrl(port);
	const text = portText(port);
	return {
		label:
			port.host === undefined
				? text
				: `${port.host.ip.includes(':') ? `[${port.host.ip}]` : port.host.ip}:${port.host.port}`,
		description: `→ ${port.port}/${port.protocol}`,
		icon: url === undefined ? 'plug' : 'globe',
		context: `port;${url === undefined ? 'plain' : 'web'}`,
		spoken: l10n.t(
			'Port {0} of this machine leads to port {1}',
			port.host?.port ?? '',
			`${port.port}/${port.protocol}`,
		),
	};
}

/** A container's row; `now` in Unix milliseconds. */
export function drawContainer(row: ContainerRow, model: Model, now: number): Drawing {
	const isBusy = model.isBusy(row.id);
	const fault = model.fault(row.id);
	const seconds = Math.max(now - row.since, 0) / 1000;
	const words = [stateWords(row), ageWords(row, seconds)];
	const isUnderWay = isBusy || ['starting', 'stopping', 'restarting', 'removing'].includes(row.state);
	const ports = publishedPorts(row);
	const failure = fault === undefined ? [] : [l10n.t('failed: {0}', fault)];
	const web = ports.some((port) => browserUrl(port) !== undefined) ? 'web' : '';
	return {
		label: row.name,
		description: [...failure, ...words, imageWords(row)].join(' · '),
		...(isUnderWay ? { icon: 'loading~spin' } : fault === undefined ? stateIcon(row) : FAILED),
		context: `container;${isBusy ? 'busy' : row.state};${web}`,
		spoken: [
			l10n.t('Container {0}, {1}, image {2}', row.name, words.join(', '), row.image),
			...(ports.length === 0 ? [] : [l10n.t('ports {0}', ports.map(portText).join(', '))]),
			...failure,
		].join(', '),
		...(ports.length === 0 ? {} : { children: 'collapsed' as const }),
	};
}

/** What it uses comes first of what may be cut off. A screen reader is not told: it would read the row again and again. */
function withUsage(drawing: Drawing, trail: readonly UsagePoint[]): Drawing {
	const last = trail.at(-1);
	if (last === undefined) {
		return drawing;
	}
	const cpu = trail.map((point) => point.cpu);
	const description = `${sparkline(cpu, MUCH_CPU)} ${usageWords(last)} · ${drawing.description}`;
	return { ...drawing, description };
}

function usageWords({ cpu, memory }: UsagePoint): string {
	const percent = (cpu / 100).toLocaleString(env.language, { style: 'percent', maximumFractionDigits: 1 });
	return `${percent} · ${formatBytes(memory, env.language)}`;
}

/** A container made from an image id shows the short id, not 64 digits. */
function imageWords(row: ContainerRow): string {
	return /^(sha256:)?[0-9a-f]{12,64}$/.test(row.image) ? shortId(row.image) : shortName(row.image);
}

const FAILED = { icon: 'error', color: 'testing.iconFailed' } as const;

function stateIcon(row: ContainerRow): Pick<Drawing, 'icon' | 'color'> {
	switch (row.state) {
		case 'running':
			return row.health === 'unhealthy'
				? { icon: 'warning', color: 'list.warningForeground' }
				: { icon: 'circle-large-filled', color: 'charts.green' };
		case 'paused':
			return { icon: 'debug-pause', color: 'charts.yellow' };
		case 'exited':
			return hasFailed(row) ? FAILED : { icon: 'circle-large-outline', color: 'disabledForeground' };
		case 'dead':
			return { icon: 'warning', color: 'list.warningForeground' };
		default:
			return { icon: 'circle-large-outline', color: 'charts.blue' };
	}
}

function hasFailed(row: ContainerRow): boolean {
	return (
		row.state === 'exited' &&
		row.exitCode !== undefined &&
		row.exitCode !== 0 &&
		!STOPPED_BY_SIGNAL.has(row.exitCode)
	);
}

/** The state in words. An engine's state without a word here is shown as it is. */
export function stateWords(row: ContainerRow): string {
	switch (row.state) {
		case 'created':
			return l10n.t('created');
		case 'starting':
			return l10n.t('starting');
		case 'running':
			return healthWords(row);
		case 'paused':
			return l10n.t('paused');
		case 'stopping':
			return l10n.t('stopping');
		case 'restarting':
			return l10n.t('restarting');
		case 'removing':
			return l10n.t('being removed');
		case 'exited':
			return row.exitCode === undefined || row.exitCode === 0
				? l10n.t('exited')
				: l10n.t('exited ({0})', row.exitCode);
		case 'dead':
			return l10n.t('dead');
		default:
			return row.state;
	}
}

function healthWords({ health }: ContainerRow): string {
	switch (health) {
		case 'healthy':
			return l10n.t('running, healthy');
		case 'unhealthy':
			return l10n.t('running, unhealthy');
		case 'starting':
			return l10n.t('running, health not known yet');
		default:
			return l10n.t('running');
	}
}

/** How long a container has been running, or how long ago its state began. */
function ageWords(row: ContainerRow, seconds: number): string {
	if (seconds < SECONDS_TOO_FEW_TO_SAY) {
		return l10n.t('just now');
	}
	return row.state === 'running' || row.state === 'paused'
		? formatDuration(seconds, env.language)
		: formatAgo(seconds, env.language);
}

function containerTooltip(row: ContainerRow, fault: string | undefined, usage?: UsagePoint): MarkdownString {
	const networks = Object.entries(row.networks).map(([name, address]) => (address ? `${name} (${address})` : name));
	return facts(row.name, [
		[l10n.t('Failed'), fault ?? ''],
		[l10n.t('State'), `${stateWords(row)}, ${ageWords(row, Math.max(Date.now() - row.since, 0) / 1000)}`],
		[l10n.t('CPU and memory'), usage === undefined ? '' : usageWords(usage)],
		[l10n.t('Image'), row.image],
		[l10n.t('Command'), row.command],
		[l10n.t('Ports'), row.ports.map((port) => ({ text: portText(port), command: portCommand(row, port) }))],
		[l10n.t('Networks'), networks.join(', ')],
		[l10n.t('Network driver'), row.networkDriver],
		[
			l10n.t('Volumes'),
			row.volumes
				.map(bare)
				.map((name) => (name.length === 64 ? shortId(name) : name))
				.join(', '),
		],
		[l10n.t('Folders'), row.binds.join(', ')],
		[l10n.t('Created'), new Date(row.created).toLocaleString(env.language)],
		[l10n.t('ID'), shortId(row.id)],
	]);
}

/** A port is opened by our command, which finds the way from a remote window. */
function portCommand(row: ContainerRow, port: PortRow): { id: string; argument: string } | undefined {
	return browserUrl(port) === undefined
		? undefined
		: { id: 'mydocker.container.openInBrowser', argument: portKey(row, port) };
}
