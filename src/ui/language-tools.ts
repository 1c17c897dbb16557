import {
	l10n,
	LanguageModelTextPart,
	LanguageModelToolResult,
	lm,
	type CancellationToken,
	type Disposable,
	type LanguageModelTool,
	type PreparedToolInvocation,
} from 'vscode';
import type { Client } from '../api/client';
import { sentence } from './failure';
import { LogLines } from './log-lines';
import type { Model } from './model';
import { EMPTY_PLAN, parsePort, type RunPlan } from './run-plan';
import { createContainer } from './run';

type Input = Readonly<Record<string, unknown>>;

interface Tool {
	/** What a person is asked before it runs; a tool that only reads asks nothing. */
	readonly confirm?: (input: Input) => string;
	readonly run: (client: Client, input: Input, signal: AbortSignal) => Promise<unknown>;
	/** What a model can do when it failed. */
	readonly hint: string;
}

/** Lines of a log that a model gets at most, and characters of any answer. */
const MOST_LINES = 500;
const MOST_CHARACTERS = 40_000;
/** Of what a command printed, so that its JSON fits into an answer. */
const MOST_OUTPUT = 15_000;
const SECONDS_OF_EVENTS = 3600;
const FIND_NAMES = 'List the containers with mydocker_list_containers and use a name from there.';
const FIND_IMAGES = 'List the images with mydocker_list_images, or pull one with mydocker_pull_image.';

/** The tools by the names that package.json describes them under. */
const tools: Readonly<Record<string, Tool>> = {
	mydocker_list_containers: {
		hint: 'Run the command "MyDocker: Run Doctor" to see what the engine lacks.',
		run: async (client, _, signal) =>
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
		hint: 'Run the command "MyDocker: Run Doctor" to see what the engine lacks.',
		run: async (client, _, signal) =>
			(await client.images.list({ signal })).map((row) => ({
				tags: row.RepoTags,
				id: row.Id.slice(0, 19),
				bytes: row.Size,
			})),
	},
	mydocker_list_networks_and_volumes: {
		hint: 'Run the command "MyDocker: Run Doctor" to see what the engine lacks.',
		run: async (client, _, signal) => ({
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
		hint: FIND_NAMES,
		run: (client, input, signal) => client.containers.inspect(text(input, 'container'), { signal }),
	},
	mydocker_read_logs: { hint: FIND_NAMES, run: readLogs },
	mydocker_read_stats: {
		hint: FIND_NAMES,
		run: async (client, input, signal) => {
			for await (const stats of client.containers.stats(text(input, 'container'), { stream: false, signal })) {
				return {
					memory: stats.memory_stats,
					cpu: stats.cpu_stats,
					before: stats.precpu_stats,
					networks: stats.networks,
				};
			}
			return {};
		},
	},
	mydocker_read_disk_usage: {
		hint: 'Run the command "MyDocker: Run Doctor" to see what the engine lacks.',
		run: readDiskUsage,
	},
	mydocker_read_events: { hint: 'Leave "seconds" out for the last hour.', run: readEvents },
	mydocker_pull_image: {
		hint: 'Check the name: registry/repository:tag. An image that needs a login cannot be pulled by this tool.',
		confirm: (input) => l10n.t('Pull {0}', text(input, 'image')),
		run: async (client, input, signal) => {
			let last = '';
			for await (const message of client.images.pull(text(input, 'image'), { signal })) {
				last = message.status ?? last;
			}
			return last;
		},
	},
	mydocker_run_container: {
		hint: FIND_IMAGES,
		confirm: (input) => l10n.t('Run {0}', [text(input, 'image'), ...list(input, 'command')].join(' ')),
		run: async (client, input) => {
			const id = await createContainer(client, planOfInput(input));
			await client.containers.start(id);
			return { id: id.slice(0, 12) };
		},
	},
	mydocker_start_container: {
		hint: FIND_NAMES,
		confirm: (input) => l10n.t('Start {0}', text(input, 'container')),
		run: (client, input, signal) => client.containers.start(text(input, 'container'), { signal }),
	},
	mydocker_stop_container: {
		hint: FIND_NAMES,
		confirm: (input) => l10n.t('Stop {0}', text(input, 'container')),
		run: (client, input, signal) => client.containers.stop(text(input, 'container'), { signal }),
	},
	mydocker_exec_in_container: {
		hint: `Only a running container takes commands. ${FIND_NAMES}`,
		confirm: (input) => l10n.t('Run {0} in {1}', list(input, 'command').join(' '), text(input, 'container')),
		run: execute,
	},
	mydocker_remove_container: {
		hint: 'A running container has to be stopped first: mydocker_stop_container.',
		confirm: (input) => l10n.t('Remove {0}? Files written inside and logs go for good.', text(input, 'container')),
		run: (client, input, signal) => client.containers.remove(text(input, 'container'), { signal }),
	},
};

/** Registers the tools; VS Code hides them where AI is off, and does not load anything until one is used. */
export function registerLanguageTools(client: Client, model: Model): Disposable[] {
	return Object.entries(tools).map(([name, tool]) => lm.registerTool(name, new RegisteredTool(tool, client, model)));
}

class RegisteredTool implements LanguageModelTool<Input> {
	constructor(
		private readonly tool: Tool,
		private readonly client: Client,
		private readonly model: Model,
	) {}

	prepareInvocation({ input }: { readonly input: Input }): PreparedToolInvocation | undefined {
		const message = this.tool.confirm?.(input);
		return message === undefined ? undefined : { confirmationMessages: { title: 'MyDocker', message } };
	}

	async invoke({ input }: { readonly input: Input }, token: CancellationToken): Promise<LanguageModelToolResult> {
		const abort = new AbortController();
		token.onCancellationRequested(() => {
			abort.abort();
		});
		try {
			const value = await this.model.during([], () => this.tool.run(this.client, input, abort.signal));
			const answer = typeof value === 'string' ? value : value === undefined ? 'done' : JSON.stringify(value);
			return new LanguageModelToolResult([new LanguageModelTextPart(answer.slice(0, MOST_CHARACTERS))]);
		} catch (error) {
			throw new Error(`${sentence(error)}. ${this.tool.hint}`, { cause: error });
		}
	}
}

async function readLogs(client: Client, input: Input, signal: AbortSignal): Promise<string> {
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

async function readEvents(client: Client, input: Input, signal: AbortSignal): Promise<unknown> {
	const now = Math.floor(Date.now() / 1000);
	const events: unknown[] = [];
	const since = String(now - (number(input, 'seconds') ?? SECONDS_OF_EVENTS));
	for await (const { Type, Action, Actor, time } of client.events({ since, until: String(now), signal })) {
		events.push({ time, Type, Action, name: Actor.Attributes?.['name'] ?? Actor.ID.slice(0, 12) });
	}
	return events.slice(-MOST_LINES);
}

async function readDiskUsage(client: Client, _: Input, signal: AbortSignal): Promise<unknown> {
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
async function execute(client: Client, input: Input, signal: AbortSignal): Promise<unknown> {
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

function planOfInput(input: Input): RunPlan {
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

/** What a model hands in is checked like any other input from outside. */
function text(input: Input, name: string): string {
	const value = input[name];
	if (typeof value !== 'string' || value === '') {
		throw new Error(`"${name}" is missing`);
	}
	return value;
}

function list(input: Input, name: string): string[] {
	const value = input[name];
	return Array.isArray(value) ? value.filter((item): item is string => typeof item === 'string') : [];
}

function number(input: Input, name: string): number | undefined {
	const value = input[name];
	return typeof value === 'number' && Number.isFinite(value) && value > 0 ? Math.floor(value) : undefined;
}
