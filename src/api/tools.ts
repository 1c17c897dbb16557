import type { Client } from './client';
import { execOutput } from './exec-output';
import { LogLines } from './log-lines';
import { createPlanned } from './planned-container';
import { EMPTY_PLAN, parsePort, type RunPlan } from './run-plan';

/** What a model hands in, checked like any other input from outside. */
export type ToolInput = Readonly<Record<string, unknown>>;

export interface ToolCall {
	readonly client: Client;
	readonly input: ToolInput;
	readonly signal: AbortSignal;
	/** Labels of containers that are made. */
	readonly labels?: Readonly<Record<string, string>>;
	/** Told what happens meanwhile. */
	readonly report?: (message: string) => void;
}

/** An engine that tools may use, under the name that a model knows it by. */
export interface ToolEngine {
	readonly name: string;
	readonly client: Client;
}

/** Something that a language model may do with an engine. */
export interface Tool {
	/** It tells of every engine, unless one is named. */
	readonly isOfAll?: boolean;
	/** It changes nothing: nobody has to be asked. */
	readonly isReadOnly?: boolean;
	/** It may end or remove what cannot be had back. */
	readonly isDestructive?: boolean;
	/** It reaches beyond the engine. */
	readonly isOpenWorld?: boolean;
	/** What a model can do when it failed. */
	readonly hint: string;
	readonly run: (call: ToolCall) => Promise<unknown>;
}

/** Lines of a log that a model gets at most, and characters of any answer. */
const MOST_LINES = 500;
const MOST_CHARACTERS = 40_000;
/** Bytes of what a command printed, so that its JSON fits into an answer. */
const MOST_OUTPUT = 15_000;
const SECONDS_OF_EVENTS = 3600;
const FIND_NAMES = 'List the containers with mydocker_list_containers and use a name from there.';
const FIND_IMAGES = 'List the images with mydocker_list_images, or pull one with mydocker_pull_image.';
const ASK_DOCTOR =
	'Have "mydocker system doctor" run in a terminal, or "MyDocker: Run Doctor" in VS Code, to see what the engine lacks.';

/** The tools by the names that package.json describes them under, for VS Code's language models and for MCP. */
export const tools: Readonly<Record<string, Tool>> = {
	mydocker_list_containers: {
		...{ isReadOnly: true, isOfAll: true },
		hint: ASK_DOCTOR,
		run: async ({ client, signal }) =>
			(await client.containers.list({ all: true, signal })).map((row) => ({
				name: row.Names[0]?.replace(/^\//, ''),
				id: row.Id.slice(0, 12),
				image: row.Image,
				state: row.State,
				status: row.Status,
				ports: row.Ports,
			})),
	},
	mydocker_list_images: {
		...{ isReadOnly: true, isOfAll: true },
		hint: ASK_DOCTOR,
		run: async ({ client, signal }) =>
			(await client.images.list({ signal })).map((row) => ({
				tags: row.RepoTags,
				id: row.Id.slice(0, 19),
				bytes: row.Size,
			})),
	},
	mydocker_list_networks_and_volumes: {
		...{ isReadOnly: true, isOfAll: true },
		hint: ASK_DOCTOR,
		run: async ({ client, signal }) => ({
			networks: (await client.networks.list({ signal })).map(({ Name, Driver, IPAM }) => ({
				Name,
				Driver,
				IPAM,
			})),
			volumes: (await client.volumes.list({ signal })).map(({ Name, Driver, Labels }) => ({
				Name,
				Driver,
				Labels,
			})),
		}),
	},
	mydocker_inspect_container: {
		isReadOnly: true,
		hint: FIND_NAMES,
		run: ({ client, input, signal }) => client.containers.inspect(text(input, 'container'), { signal }),
	},
	mydocker_read_logs: { isReadOnly: true, hint: FIND_NAMES, run: readLogs },
	mydocker_read_stats: { isReadOnly: true, hint: FIND_NAMES, run: readStats },
	mydocker_read_disk_usage: { isReadOnly: true, isOfAll: true, hint: ASK_DOCTOR, run: readDiskUsage },
	mydocker_read_events: {
		...{ isReadOnly: true, isOfAll: true },
		hint: 'Leave "seconds" out for the last hour.',
		run: readEvents,
	},
	mydocker_pull_image: {
		isOpenWorld: true,
		hint: 'Check the name: registry/repository:tag. An image that needs a login cannot be pulled by this tool.',
		run: async ({ client, input, signal, report }) => {
			let last = '';
			for await (const { status } of client.images.pull(text(input, 'image'), { signal })) {
				if (status !== undefined && status !== last) {
					last = status;
					report?.(status);
				}
			}
			return last;
		},
	},
	mydocker_run_container: { isOpenWorld: true, hint: FIND_IMAGES, run: runContainer },
	mydocker_start_container: {
		hint: FIND_NAMES,
		run: ({ client, input, signal }) => client.containers.start(text(input, 'container'), { signal }),
	},
	mydocker_stop_container: {
		isDestructive: true,
		hint: FIND_NAMES,
		run: ({ client, input, signal }) => client.containers.stop(text(input, 'container'), { signal }),
	},
	mydocker_exec_in_container: {
		...{ isDestructive: true, isOpenWorld: true },
		hint: `Only a running container takes commands. ${FIND_NAMES}`,
		run: execute,
	},
	mydocker_remove_container: {
		isDestructive: true,
		hint: 'A running container has to be stopped first: mydocker_stop_container.',
		run: ({ client, input, signal }) => client.containers.remove(text(input, 'container'), { signal }),
	},
};

/**
 * Runs a tool on the engine that the input names, else on the one that has the container, all of them, or the first;
 * `engines` has at least one. Gives its answer as text of bounded length, which says of what engine it is where there are
 * several. What went wrong is thrown with what a model can do next.
 */
export async function callTool(
	tool: Tool,
	{ engines, ...call }: Omit<ToolCall, 'client'> & { readonly engines: readonly ToolEngine[] },
): Promise<string> {
	return hinted(tool, async () => {
		const chosen = await enginesFor(tool, engines, call);
		const [only] = chosen;
		const value =
			tool.isOfAll === true && engines.length > 1
				? (await Promise.all(chosen.map((engine) => named(tool, engine, call)))).flat()
				: only && (await tool.run({ ...call, client: only.client }));
		const answer = typeof value === 'string' ? value : value === undefined ? 'done' : JSON.stringify(value);
		return answer.slice(0, MOST_CHARACTERS);
	});
}

/** The engine that a tool will change something on, for the question before it. Throws as callTool. */
export async function engineFor(
	tool: Tool,
	engines: readonly ToolEngine[],
	call: Pick<ToolCall, 'input' | 'signal'>,
): Promise<ToolEngine | undefined> {
	return hinted(tool, async () => (await enginesFor(tool, engines, call))[0]);
}

async function enginesFor(
	tool: Tool,
	engines: readonly ToolEngine[],
	{ input, signal }: Pick<ToolCall, 'input' | 'signal'>,
): Promise<readonly ToolEngine[]> {
	const { engine: wanted, container } = input;
	const names = (some: readonly ToolEngine[]): string => some.map(({ name }) => `"${name}"`).join(', ');
	if (wanted !== undefined) {
		const found = engines.filter(({ name }) => name === wanted);
		if (found.length === 0) {
			throw new Error(`There is no engine ${JSON.stringify(wanted)}; there are ${names(engines)}`);
		}
		return found.slice(0, 1);
	}
	if (tool.isOfAll === true || typeof container !== 'string' || engines.length === 1) {
		return tool.isOfAll === true ? engines : engines.slice(0, 1);
	}
	const owners = await ownersOf(engines, container, signal);
	if (owners.length > 1) {
		throw new Error(`"${container}" is on the engines ${names(owners)}: say which in "engine"`);
	}
	return owners.length === 0 ? engines.slice(0, 1) : owners;
}

/** One that does not answer has nothing that could be used. */
async function ownersOf(
	engines: readonly ToolEngine[],
	container: string,
	signal: AbortSignal,
): Promise<readonly ToolEngine[]> {
	const looks = await Promise.allSettled(
		engines.map(({ client }) => client.containers.inspect(container, { signal })),
	);
	signal.throwIfAborted();
	return engines.filter((_, index) => looks[index]?.status === 'fulfilled');
}

/** What a tool tells of one of several engines: each thing, or all, with its name; also that it does not answer. */
async function named(
	tool: Tool,
	{ name: engine, client }: ToolEngine,
	call: Omit<ToolCall, 'client'>,
): Promise<readonly object[]> {
	try {
		const value = await tool.run({ ...call, client });
		return (Array.isArray(value) ? value : [value]).map((one: unknown) => ({ engine, ...(one as object) }));
	} catch (error) {
		call.signal.throwIfAborted();
		return [{ engine, error: error instanceof Error ? error.message : String(error) }];
	}
}

async function hinted<T>(tool: Tool, work: () => Promise<T>): Promise<T> {
	try {
		return await work();
	} catch (error) {
		const reason = error instanceof Error ? error.message : String(error);
		throw new Error(`${reason}. ${tool.hint}`, { cause: error });
	}
}

async function readLogs({ client, input, signal }: ToolCall): Promise<string> {
	const wanted = Math.min(number(input, 'lines') ?? 100, MOST_LINES);
	const query = typeof input['query'] === 'string' ? input['query'].toLowerCase() : '';
	const lines = new LogLines(() => ' …');
	const found: string[] = [];
	const take = (more: readonly { readonly time: string | undefined; readonly text: string }[]): void => {
		for (const line of more) {
			if (line.text.toLowerCase().includes(query)) {
				found.push(`${line.time ?? ''} ${line.text}`);
			}
		}
		// The last ones count.
		found.splice(0, Math.max(found.length - wanted, 0));
	};
	const request = { timestamps: true, signal, ...(query === '' ? { tail: wanted } : {}) };
	for await (const chunk of client.containers.logs(text(input, 'container'), request)) {
		take(lines.take(chunk));
	}
	take(lines.takeRest());
	return found.length > 0 ? found.join('\n') : 'No line of the log matches.';
}

async function readStats({ client, input, signal }: ToolCall): Promise<unknown> {
	for await (const stats of client.containers.stats(text(input, 'container'), { stream: false, signal })) {
		return {
			memory: stats.memory_stats,
			cpu: stats.cpu_stats,
			before: stats.precpu_stats,
			networks: stats.networks,
		};
	}
	return {};
}

async function readEvents({ client, input, signal }: ToolCall): Promise<unknown> {
	const now = Math.floor(Date.now() / 1000);
	const events: unknown[] = [];
	const since = String(now - (number(input, 'seconds') ?? SECONDS_OF_EVENTS));
	for await (const { Type, Action, Actor, time } of client.events({ since, until: String(now), signal })) {
		events.push({ time, Type, Action, name: Actor.Attributes?.['name'] ?? Actor.ID.slice(0, 12) });
	}
	return events.slice(-MOST_LINES);
}

async function readDiskUsage({ client, signal }: ToolCall): Promise<unknown> {
	const { LayersSize, Images, Containers, Volumes, Other } = await client.diskUsage({ signal });
	return {
		layersBytes: LayersSize,
		images: (Images ?? []).map(({ RepoTags, Id, Size }) => ({ tags: RepoTags, id: Id.slice(0, 19), bytes: Size })),
		containers: (Containers ?? []).map(({ Names, State, SizeRw }) => ({
			name: Names[0]?.replace(/^\//, ''),
			state: State,
			bytes: SizeRw,
		})),
		volumes: (Volumes ?? []).map(({ Name, UsageData }) => ({ name: Name, bytes: UsageData?.Size })),
		other: Other,
	};
}

/** Runs a command in a container to its end; gives its exit code and what it printed, the end of it when it is long. */
async function execute({ client, input, signal }: ToolCall): Promise<unknown> {
	const Cmd = list(input, 'command');
	if (Cmd.length === 0) {
		throw new Error('"command" is missing');
	}
	const request = { Cmd, AttachStdout: true, AttachStderr: true };
	const limits = { most: MOST_OUTPUT, isEndEnough: true, signal };
	const { exitCode, all } = await execOutput(client.execs, text(input, 'container'), request, limits);
	return { exitCode, output: all };
}

async function runContainer({ client, input, labels = {} }: ToolCall): Promise<unknown> {
	const id = await createPlanned(client, planOfInput(input), { labels });
	await client.containers.start(id);
	return { id: id.slice(0, 12) };
}

function planOfInput(input: ToolInput): RunPlan {
	const ports = list(input, 'ports');
	const wrong = ports.find((port) => parsePort(port) === undefined);
	if (wrong !== undefined) {
		throw new Error(`"${wrong}" is no port: write "8080:80"`);
	}
	return {
		...EMPTY_PLAN,
		image: text(input, 'image'),
		name: typeof input['name'] === 'string' ? input['name'] : '',
		ports: input['ports'] === undefined ? undefined : ports,
		env: list(input, 'env'),
		command: list(input, 'command'),
	};
}

function text(input: ToolInput, name: string): string {
	const value = input[name];
	if (typeof value !== 'string' || value === '') {
		throw new Error(`"${name}" is missing`);
	}
	return value;
}

function list(input: ToolInput, name: string): string[] {
	const value = input[name];
	return Array.isArray(value) ? value.filter((item): item is string => typeof item === 'string') : [];
}

function number(input: ToolInput, name: string): number | undefined {
	const value = input[name];
	return typeof value === 'number' && Number.isFinite(value) && value > 0 ? Math.floor(value) : undefined;
}
