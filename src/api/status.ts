import type { Container } from '../core/types';

/** "Up 5 seconds", "Exited (0) 2 minutes ago", …: docker's own words and roundings. `now` is Unix milliseconds. */
export function statusText(container: Container, now: number): string {
	const since = (time: string) => humanDuration((now - Date.parse(time)) / 1000);
	const ended = `(${container.exit_code}) ${since(container.finished_at)} ago`;
	const restarting = `Restarting ${ended}`;
	const before = container.started_at === '' || container.finished_at === '' ? 'Created' : `Exited ${ended}`;
	switch (container.status) {
		case 'running':
		case 'stopping':
			return `Up ${since(container.started_at)}${healthWords(container)}`;
		case 'paused':
			return `Up ${since(container.started_at)} (Paused)`;
		case 'restarting':
			return restarting;
		case 'removing':
			return 'Removal In Progress';
		case 'dead':
			return 'Dead';
		case 'starting':
			return container.restart_count > 0 ? restarting : before;
		case 'created':
		case 'exited':
			return before;
	}
}

/** " (healthy)" */
function healthWords({ health }: Container): string {
	return health === undefined ? '' : health === 'starting' ? ' (health: starting)' : ` (${health})`;
}

/** A length of time in seconds, in words, rounded as docker does (go-units HumanDuration). */
export function humanDuration(seconds: number): string {
	if (seconds < 1) {
		return 'Less than a second';
	}
	if (seconds < 2) {
		return '1 second';
	}
	if (seconds < 60) {
		return `${Math.floor(seconds)} seconds`;
	}
	const minutes = Math.floor(seconds / 60);
	if (minutes < 60) {
		return minutes === 1 ? 'About a minute' : `${minutes} minutes`;
	}
	const hours = Math.floor(seconds / 3600 + 0.5);
	if (hours < 48) {
		return hours === 1 ? 'About an hour' : `${hours} hours`;
	}
	if (hours < 24 * 14) {
		return `${Math.floor(hours / 24)} days`;
	}
	if (hours < 24 * 60) {
		return `${Math.floor(hours / 24 / 7)} weeks`;
	}
	if (hours < 24 * 365 * 2) {
		return `${Math.floor(hours / 24 / 30)} months`;
	}
	return `${Math.floor(Math.floor(seconds / 3600) / 24 / 365)} years`;
}
