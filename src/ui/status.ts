/** What an engine's list says of a container in words only: how it ended, and since when it has been in its state. */
export interface StatusFacts {
	/** Only of a container that has exited. */
	readonly exitCode?: number;
	/** Seconds in this state, as coarse as the engine's words are. */
	readonly age?: number;
}

const SECONDS: Readonly<Record<string, number>> = {
	second: 1,
	minute: 60,
	hour: 3600,
	day: 86_400,
	week: 604_800,
	month: 2_592_000,
	year: 31_536_000,
};

/**
 * Reads docker's status text: "Up 5 seconds", "Up 2 hours (healthy)", "Exited (137) About a minute ago", "Created".
 * GET /containers/json gives the exit code and the time of the last change nowhere else, and one inspection a row would
 * cost 500 requests for 500 containers. Docker, Podman and our engine write the same English words here.
 */
export function parseStatus(text: string): StatusFacts {
	const exit = /^(?:Exited|Restarting) \((\d+)\)/.exec(text);
	const age = parseAge(text);
	return {
		...(exit?.[1] === undefined ? {} : { exitCode: Number(exit[1]) }),
		...(age === undefined ? {} : { age }),
	};
}

/** The inverse of docker's HumanDuration, in seconds. */
function parseAge(text: string): number | undefined {
	if (text.includes('Less than a second')) {
		return 0;
	}
	const match = /(About an?|\d+) (second|minute|hour|day|week|month|year)s?\b/.exec(text);
	const unit = SECONDS[match?.[2] ?? ''];
	if (match?.[1] === undefined || unit === undefined) {
		return undefined;
	}
	return match[1].startsWith('About') ? unit : Number(match[1]) * unit;
}
