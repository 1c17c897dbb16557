import type { LogLine } from '../api/log-lines';

/** A line of one of several logs. */
export interface NamedLine extends LogLine {
	/** Of the container. */
	readonly name: string;
}

/** Lines that are given out at once. */
const BATCH = 500;

/**
 * Lines of several logs, which come in batches and each log in order, as one in the order of time, in batches. Reads no
 * further ahead than it has to.
 */
export async function* mergeByTime(
	sources: readonly AsyncIterable<readonly NamedLine[]>[],
): AsyncGenerator<readonly NamedLine[], void> {
	const [only] = sources;
	if (only !== undefined && sources.length === 1) {
		yield* only;
		return;
	}
	const iterators = sources.map((source) => source[Symbol.asyncIterator]());
	try {
		yield* merge(iterators);
	} finally {
		for (const iterator of iterators) {
			await iterator.return?.();
		}
	}
}

/** Where a source is: the batch that is being given out, undefined at the end. */
interface Place {
	readonly iterator: AsyncIterator<readonly NamedLine[]>;
	batch: readonly NamedLine[] | undefined;
	at: number;
}

async function* merge(
	iterators: readonly AsyncIterator<readonly NamedLine[]>[],
): AsyncGenerator<readonly NamedLine[], void> {
	const places = iterators.map((iterator): Place => ({ iterator, batch: [], at: 0 }));
	await Promise.all(places.map(fill));
	let merged: NamedLine[] = [];
	for (;;) {
		const place = earliest(places);
		const line = place?.batch?.[place.at];
		if (place === undefined || line === undefined) {
			yield merged;
			return;
		}
		merged.push(line);
		place.at++;
		if (place.at >= (place.batch?.length ?? 0)) {
			await fill(place);
		}
		if (merged.length >= BATCH) {
			yield merged;
			merged = [];
		}
	}
}

/** Reads on until there is a line, or the end. */
async function fill(place: Place): Promise<void> {
	do {
		const next = await place.iterator.next();
		place.batch = next.done === true ? undefined : next.value;
		place.at = 0;
	} while (place.batch?.length === 0);
}

/** The place whose next line is the oldest; undefined when all are at their ends. */
function earliest(places: readonly Place[]): Place | undefined {
	return places.reduce<Place | undefined>((best, place) => {
		const line = place.batch?.[place.at];
		return line !== undefined && (best === undefined || timeOf(line) < timeOf(best.batch?.[best.at]))
			? place
			: best;
	}, undefined);
}

/** RFC 3339 with nine digits and "Z", as engines write it, sorts as text; a line without a time comes at once. */
function timeOf(line: NamedLine | undefined): string {
	return line?.time ?? '';
}
