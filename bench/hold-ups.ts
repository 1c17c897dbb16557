/** Milliseconds between two looks. */
const INTERVAL = 1;

/** The longest times for which an event loop did nothing else, in milliseconds. */
export interface HoldUps {
	/** By work of the process: its own code and garbage collection, all threads together. */
	readonly own: number;
	/** With the time in which the machine gave its processors to others. */
	readonly withWaits: number;
}

/**
 * Measures how long this process holds up its event loop. On a machine that has more to do than processors, a loop that
 * does nothing is late as well, so what counts is for how much of a delay the process was at work. It would miss a
 * loop that waits for a program or a file.
 */
export function watchHoldUps(): () => HoldUps {
	let [own, withWaits] = [0, 0];
	let [at, worked] = [performance.now(), cpuTime()];
	const look = (): void => {
		const [now, work] = [performance.now(), cpuTime()];
		const late = now - at - INTERVAL;
		own = Math.max(own, Math.min(late, work - worked));
		withWaits = Math.max(withWaits, late);
		[at, worked] = [now, work];
	};
	const timer = setInterval(look, INTERVAL);
	return () => {
		clearInterval(timer);
		look();
		return { own, withWaits };
	};
}

/** Milliseconds of CPU that the process has used. */
function cpuTime(): number {
	const { user, system } = process.cpuUsage();
	return (user + system) / 1000;
}
