import type { Client } from './client';
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

/** Something that a language model may do with the engine. */
export interface Tool {
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
/** Of what a command printed, so that its JSON fits into an answer. */
const MOST_OUTPUT = 15_000;
const SECONDS_OF_EVENTS = 3600;
const FIND_NAMES = 'List the containers with mydocker_list_containers and use a name from there.';
const FIND_IMAGES = 'List the images with mydocker_list_images, or pull one with mydocker_pull_image.';
const ASK_DOCTOR =
	'Have "mydocker system doctor" run in a terminal, or "MyDocker: Run Doctor" in VS Code, to see what the engine lacks.';

/** The tools by the names that package.json describes them under, for VS Code's language models and for MCP. */
export const tools: Readonly<Record<string, Tool>> = {
	mydocker_list_containers: {
		isReadOnly: true,
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
		isReadOnly: true,
		hint: ASK_DOCTOR,
		run: async ({ client, signal }) =>
			(await client.images.list({ signal })).map((row) => ({
				tags: row.RepoTags,
				id: row.Id.slice(0, 19),
				bytes: row.Size,
			})),
	},
	mydocker_list_networks_and_volumes: {
		isReadOnly: true,
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
	mydocker_read_disk_usage: { isReadOnly: true, hint: ASK_DOCTOR, run: readDiskUsage },
	mydocker_read_events: { isReadOnly: true, hint: 'Leave "seconds" out for the last hour.', run: readEvents },
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

/** Runs a tool; gives its answer as text of bounded length. What went wrong is thrown with what a model can do next. */
export async function callTool(tool: Tool, call: ToolCall): Promise<string> {
	try {
		const value = await tool.run(call);
		const answer = typeof value === 'string' ? value : value === undefined ? 'done' : JSON.stringify(value);
		return answer.slice(0, MOST_CHARACTERS);
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
	const { execs } = client;
	const Cmd = list(input, 'command');
	if (Cmd.length === 0) {
		throw new Error('"command" is missing');
	}
	const request = { Cmd, AttachStdout: true, AttachStderr: true };
	const id = await execs.create(text(input, 'container'), request, { signal });
	let output = '';
	for await (const { data } of (await execs.start(id, { tty: false, signal })).output) {
		output = (output + data.toString()).slice(-MOST_OUTPUT);
	}
	return { exitCode: (await execs.inspect(id, { signal })).ExitCode, output };
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
