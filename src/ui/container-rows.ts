import { env, l10n, type MarkdownString } from 'vscode';
import { formatAgo, formatDuration } from './amounts';
import type { Model } from './model';
import type { ContainerRow } from './rows';
import { shortId, shortName } from './names';
import type { Drawing, RowSource } from './row-tree';
import { facts } from './tooltip';

/** Exit codes of a container that was asked to stop: SIGINT, SIGKILL, SIGTERM. No fault of its own. */
const STOPPED_BY_SIGNAL = new Set([130, 137, 143]);
const SECONDS_TOO_FEW_TO_SAY = 60;

/** The rows of the Containers view. */
export function containerSource(model: Model): RowSource {
	return {
		load: () => model.ready(),
		keys: () => model.containers.map((row) => row.id),
		draw: (id) => {
			const row = model.container(id);
			return row === undefined ? GONE : drawContainer(row, model.isBusy(id), Date.now());
		},
		tooltip: (id) => {
			const row = model.container(id);
			return row && containerTooltip(row);
		},
	};
}

/** A row that left between a list and its drawing. */
const GONE: Drawing = { label: '', description: '', icon: 'blank', context: 'gone', spoken: '' };

function drawContainer(row: ContainerRow, isBusy: boolean, now: number): Drawing {
	const seconds = Math.max(now - row.since, 0) / 1000;
	const words = [stateWords(row), ageWords(row, seconds)];
	const isUnderWay = isBusy || ['starting', 'stopping', 'restarting', 'removing'].includes(row.state);
	return {
		label: row.name,
		description: [...words, imageWords(row)].join(' · '),
		...(isUnderWay ? { icon: 'loading~spin' } : stateIcon(row)),
		context: `container;${isBusy ? 'busy' : row.state}`,
		spoken: l10n.t('Container {0}, {1}, image {2}', row.name, words.join(', '), row.image),
	};
}

/** A container made from an image id shows the short id, not 64 digits. */
function imageWords(row: ContainerRow): string {
	return /^(sha256:)?[0-9a-f]{12,64}$/.test(row.image) ? shortId(row.image) : shortName(row.image);
}

function stateIcon(row: ContainerRow): Pick<Drawing, 'icon' | 'color'> {
	switch (row.state) {
		case 'running':
			return { icon: 'circle-large-filled', color: 'testing.iconPassed' };
		case 'paused':
			return { icon: 'debug-pause', color: 'charts.yellow' };
		case 'exited':
			return hasFailed(row)
				? { icon: 'error', color: 'testing.iconFailed' }
				: { icon: 'circle-large-outline', color: 'disabledForeground' };
		case 'dead':
			return { icon: 'warning', color: 'list.warningForeground' };
		default:
			return { icon: 'circle-large-outline', color: 'charts.blue' };
	}
}

function hasFailed(row: ContainerRow): boolean {
	return row.exitCode !== undefined && row.exitCode !== 0 && !STOPPED_BY_SIGNAL.has(row.exitCode);
}

/** The state in words. An engine's state without a word here is shown as it is. */
function stateWords(row: ContainerRow): string {
	switch (row.state) {
		case 'created':
			return l10n.t('created');
		case 'starting':
			return l10n.t('starting');
		case 'running':
			return l10n.t('running');
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

/** How long a container has been running, or how long ago its state began. */
function ageWords(row: ContainerRow, seconds: number): string {
	if (seconds < SECONDS_TOO_FEW_TO_SAY) {
		return l10n.t('just now');
	}
	return row.state === 'running' || row.state === 'paused'
		? formatDuration(seconds, env.language)
		: formatAgo(seconds, env.language);
}

function containerTooltip(row: ContainerRow): MarkdownString {
	return facts(row.name, [
		[l10n.t('State'), `${stateWords(row)}, ${ageWords(row, Math.max(Date.now() - row.since, 0) / 1000)}`],
		[l10n.t('Image'), row.image],
		[l10n.t('Command'), row.command],
		[l10n.t('Ports'), row.ports.join(', ')],
		[l10n.t('Created'), new Date(row.created).toLocaleString(env.language)],
		[l10n.t('ID'), shortId(row.id)],
	]);
}
