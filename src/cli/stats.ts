import { setTimeout as delay } from 'node:timers/promises';
import type { EventMessage, StatsJson } from '../api/types';
import { blockBytes, cpuPercent, memoryInUse, networkBytes } from '../api/usage';
import { CommandError } from './errors';
import { explain } from './explain';
import { memorySize, shortId, size } from './format';
import type { Action } from './row';
import type { Session } from './session';
import { renderList } from './table';
import type { Fields } from './table';

export interface StatsFlags {
	readonly all: boolean;
	readonly format: string | undefined;
	readonly noStream: boolean;
	readonly noTrunc: boolean;
}

const HEADERS = {
	BlockIO: 'BLOCK I/O',
	CPUPerc: 'CPU %',
	Container: 'CONTAINER',
	ID: 'CONTAINER ID',
	MemPerc: 'MEM %',
	MemUsage: 'MEM USAGE / LIMIT',
	Name: 'NAME',
	NetIO: 'NET I/O',
	PIDs: 'PIDS',
};
const COLUMNS = ['ID', 'Name', 'CPUPerc', 'MemUsage', 'MemPerc', 'NetIO', 'BlockIO', 'PIDs'];

/** Milliseconds between two drawings of the table, docker's. */
const REDRAW_EVERY = 500;

/** `mydocker stats`: the containers named, else all that run. */
export const stats: Action<StatsFlags> = async (session, names, flags) => {
	const shown = names.length > 0 ? names : await listed(session, flags.all);
	if (flags.noStream) {
		return once(session, shown, flags);
	}
	return live(session, shown, { flags, isFixed: names.length > 0 });
};

async function listed(session: Session, all: boolean): Promise<string[]> {
	const containers = await session.client.containers.list({ all, signal: session.signal });
	return containers.map(({ Id }) => shortId(Id));
}

async function once(session: Session, names: readonly string[], flags: StatsFlags): Promise<number> {
	const answers = await Promise.allSettled(
		names.map(async (name) => {
			for await (const sample of session.client.containers.stats(name, {
				stream: false,
				signal: session.signal,
			})) {
				return statsFields(name, sample, flags.noTrunc);
			}
			throw new CommandError(`the engine gave no statistics of ${name}`);
		}),
	);
	session.signal.throwIfAborted();
	const rows = answers.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : []));
	const failures = answers.flatMap((answer) => (answer.status === 'rejected' ? [explain(answer.reason)] : []));
	if (rows.length > 0 || failures.length === 0) {
		session.output.stdout.write(render(rows, flags));
	}
	failures.forEach((failure) => {
		session.output.error(failure);
	});
	return failures.length === 0 ? 0 : 1;
}

function render(rows: readonly Fields[], flags: StatsFlags): string {
	return renderList(flags.format, rows, { headers: HEADERS, columns: COLUMNS });
}

/** Reads one stream a container and draws what came last, twice a second. */
async function live(
	session: Session,
	names: readonly string[],
	{ flags, isFixed }: { readonly flags: StatsFlags; readonly isFixed: boolean },
): Promise<number> {
	const board = new Board(session, flags);
	const first = await Promise.all(names.map((name) => board.add(name)));
	const failures = first.filter((failure) => failure !== undefined);
	if (failures.length > 0) {
		board.close();
		throw new CommandError(failures.join('\n'));
	}
	if (!isFixed) {
		void followEvents(session, board, flags.all);
	}
	try {
		while (!isFixed || board.isBusy) {
			draw(session, render(board.rows(), flags));
			await delay(REDRAW_EVERY, undefined, { signal: session.signal });
		}
	} finally {
		board.close();
	}
	return 0;
}

/** Draws over what was drawn before; what is no terminal gets one text after the other. */
function draw({ output }: Session, text: string): void {
	const { stdout } = output;
	stdout.write(stdout.isTTY ? `\u001b[H${text.replaceAll('\n', '\u001b[K\n')}\u001b[J` : text);
}

async function followEvents(session: Session, board: Board, all: boolean): Promise<void> {
	const filters = { type: ['container'], event: ['create', 'start', 'die', 'destroy'] };
	try {
		for await (const { Action, Actor } of session.client.events({ signal: session.signal, filters })) {
			react(board, Action, { Actor, all });
		}
	} catch (error) {
		if (!session.signal.aborted) {
			session.output.error(explain(error));
		}
	}
}

function react(
	board: Board,
	action: EventMessage['Action'],
	{ Actor, all }: Pick<EventMessage, 'Actor'> & { readonly all: boolean },
): void {
	const name = shortId(Actor.ID);
	if (action === 'start' || (action === 'create' && all)) {
		void board.add(name);
	} else if (action === 'destroy' || (action === 'die' && !all)) {
		board.remove(name);
	}
}

/** The rows of a live table, each with the stream that feeds it. */
class Board {
	private readonly entries = new Map<string, { fields: Fields | undefined; readonly stream: AbortController }>();

	constructor(
		private readonly session: Session,
		private readonly flags: StatsFlags,
	) {}

	/** True while a stream goes on. */
	get isBusy(): boolean {
		return this.entries.size > 0;
	}

	rows(): Fields[] {
		return [...this.entries.values()].flatMap(({ fields }) => (fields === undefined ? [] : [fields]));
	}

	/** Resolves with the first sample, or with why there is none. */
	async add(name: string): Promise<string | undefined> {
		if (this.entries.has(name)) {
			return undefined;
		}
		const stream = new AbortController();
		this.entries.set(name, { fields: undefined, stream });
		return new Promise((resolve) => {
			void this.follow(name, stream, () => {
				resolve(undefined);
			}).then((failure) => {
				this.entries.delete(name);
				resolve(failure);
			});
		});
	}

	remove(name: string): void {
		this.entries.get(name)?.stream.abort();
		this.entries.delete(name);
	}

	close(): void {
		for (const name of [...this.entries.keys()]) {
			this.remove(name);
		}
	}

	private async follow(name: string, stream: AbortController, onFirst: () => void): Promise<string | undefined> {
		const signal = AbortSignal.any([stream.signal, this.session.signal]);
		try {
			for await (const sample of this.session.client.containers.stats(name, { stream: true, signal })) {
				const entry = this.entries.get(name);
				if (entry?.stream === stream) {
					entry.fields = statsFields(name, sample, this.flags.noTrunc);
				}
				onFirst();
			}
			return undefined;
		} catch (error) {
			return signal.aborted ? undefined : explain(error);
		}
	}
}

/** One row, with docker's numbers; `container` is the name that was asked for. */
export function statsFields(container: string, sample: StatsJson, isWhole: boolean): Fields {
	const [used, limit] = [memoryInUse(sample.memory_stats), sample.memory_stats.limit ?? 0];
	const [network, block] = [networkBytes(sample), blockBytes(sample)];
	return {
		BlockIO: `${size(block.read)} / ${size(block.written)}`,
		CPUPerc: percent(cpuPercent(sample.precpu_stats, sample.cpu_stats)),
		Container: container,
		ID: isWhole ? sample.id : shortId(sample.id),
		MemPerc: percent(limit === 0 ? 0 : (used / limit) * 100),
		MemUsage: `${memorySize(used)} / ${memorySize(limit)}`,
		Name: sample.name.replace(/^\//, ''),
		NetIO: `${size(network.received)} / ${size(network.sent)}`,
		PIDs: String(sample.pids_stats.current ?? 0),
	};
}

function percent(value: number): string {
	return `${value.toFixed(2)}%`;
}
