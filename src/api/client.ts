import { containerArchiveCalls, imageArchiveCalls } from './image-archive-calls';
import type { ContainerArchiveCalls, ImageArchiveCalls } from './image-archive-calls';
import { imageLayerCalls } from './image-layer-calls';
import type { ImageLayerCalls } from './image-layer-calls';
import { archiveCalls, type Archive } from './archive';
import { execCalls, type ExecCalls, type TerminalSize } from './exec-calls';
import { execFiles, orElse } from './exec-files';
import { jsonMessages } from './stream';
import type { OutputChunk } from './stream';
import { dockersEvent } from './podman';
import { parseTime } from './time';
import { prune } from './prune-calls';
import type { Pruned, PruneOptions } from './prune-calls';
import { splitReference } from './references';
import { registryCalls, registryHeaders } from './registry-client';
import type { RegistryCalls, RegistryContext } from './registry-client';
import { volumeArchiveCalls, type VolumeArchiveCalls } from './volume-archive-calls';
import { openStream, output, type Attachment } from './two-way';
import { ApiError, bodyOf, isOlderVersion, Transport, type Cancel, type EngineAddress } from './transport';
import type {
	ContainerInspect,
	ContainerSummary,
	CreateContainerBody,
	CreatedContainer,
	CreateNetworkBody,
	CreateVolumeBody,
	DiskUsage,
	DoctorFinding,
	EndpointJson,
	EventMessage,
	HostConfigJson,
	ImageDeleteItem,
	ImageInspect,
	ImageSummary,
	Info,
	NetworkJson,
	ProgressMessage,
	RegistryAuth,
	TopJson,
	StatsJson,
	Version,
	VolumeJson,
} from './types';

export { ApiError, type Cancel } from './transport';
export type { Attachment } from './two-way';
export type { ExecCalls, TerminalSize } from './exec-calls';
export type { Archive, PathStat } from './archive';
export type { OutputChunk } from './stream';

export type Filters = Readonly<Record<string, readonly string[]>>;

export interface LogsOptions extends Cancel {
	readonly follow?: boolean;
	/** RFC 3339, Unix seconds with fraction, or a duration before now such as "10m". */
	readonly since?: string;
	readonly until?: string;
	/** Number of last lines; all by default. */
	readonly tail?: number | 'all';
	readonly timestamps?: boolean;
	/** What the log options labels, env and tag wrote, before each line. */
	readonly details?: boolean;
	/** Both streams by default. */
	readonly stdout?: boolean;
	readonly stderr?: boolean;
}

/**
 * Client of any Docker Engine API. `connect` gives the path of the engine's socket and may start the engine first
 * (api/connect); it is asked again whenever a connection is refused, so that an engine that left or was killed comes
 * back by itself. Methods throw ApiError for an engine's refusal, and AbortError when cancelled.
 */
export interface Client {
	version(options?: Cancel): Promise<Version>;
	info(options?: Cancel): Promise<Info>;
	/** What was looked at on the engine's machine, and how to mend it. Only our engine answers; others are ApiError 404. */
	doctor(options?: Cancel): Promise<DoctorFinding[]>;
	/** Measures what the engine keeps on the disk, which may take seconds. */
	diskUsage(options?: Cancel): Promise<DiskUsage>;
	/** Ends when the signal aborts; throws when the connection breaks. */
	events(
		options: Cancel & { readonly since?: string; readonly until?: string; readonly filters?: Filters },
	): AsyncIterable<EventMessage>;

	readonly images: ImageArchiveCalls &
		ImageLayerCalls & {
			list(options?: Cancel & { readonly all?: boolean; readonly filters?: Filters }): Promise<ImageSummary[]>;
			inspect(name: string, options?: Cancel): Promise<ImageInspect>;
			/** Progress lines as they come; throws ApiError when the pull fails. Aborting cancels the pull in the engine. */
			pull(
				reference: string,
				options?: Cancel & {
					readonly platform?: string;
					readonly auth?: RegistryAuth;
					/** Every tag of the repository; the reference has none then. */
					readonly allTags?: boolean;
				},
			): AsyncIterable<ProgressMessage>;
			/** As pull. Without tag: all tags of the repository. */
			push(name: string, options?: Cancel & { readonly auth?: RegistryAuth }): AsyncIterable<ProgressMessage>;
			/** `target` is "repository[:tag]". */
			tag(source: string, target: string, options?: Cancel): Promise<void>;
			remove(name: string, options?: Cancel & { readonly force?: boolean }): Promise<ImageDeleteItem[]>;
		};

	readonly registries: RegistryCalls;

	readonly containers: ContainerArchiveCalls & {
		list(
			options?: Cancel & {
				readonly all?: boolean;
				readonly filters?: Filters;
				readonly limit?: number;
				/** With SizeRw and SizeRootFs, for which all their files are looked at. */
				readonly size?: boolean;
			},
		): Promise<ContainerSummary[]>;
		inspect(id: string, options?: Cancel & { readonly size?: boolean }): Promise<ContainerInspect>;
		create(
			body: CreateContainerBody,
			options?: Cancel & { readonly name?: string; readonly platform?: string },
		): Promise<CreatedContainer>;
		/** Starting a running container is a success that changes nothing. */
		start(id: string, options?: Cancel): Promise<void>;
		/** `timeout` in seconds. Stopping a stopped container is a success. */
		stop(id: string, options?: Cancel & { readonly timeout?: number; readonly stopSignal?: string }): Promise<void>;
		restart(
			id: string,
			options?: Cancel & { readonly timeout?: number; readonly stopSignal?: string },
		): Promise<void>;
		kill(id: string, options?: Cancel & { readonly killSignal?: string }): Promise<void>;
		rename(id: string, name: string, options?: Cancel): Promise<void>;
		remove(id: string, options?: Cancel & { readonly force?: boolean; readonly volumes?: boolean }): Promise<void>;
		pause(id: string, options?: Cancel): Promise<void>;
		unpause(id: string, options?: Cancel): Promise<void>;
		/** What ps(1) shows of the container's processes; `psArguments` are its options, "-ef" by default. */
		top(id: string, options?: Cancel & { readonly psArguments?: string }): Promise<TopJson>;
		resize(id: string, size: TerminalSize, options?: Cancel): Promise<void>;
		/**
		 * Resolves as soon as the engine watches (so a start after it cannot be missed); `exit` resolves with the code.
		 * Condition "not-running" (default), "next-exit" or "removed".
		 */
		wait(
			id: string,
			options?: Cancel & { readonly condition?: 'not-running' | 'next-exit' | 'removed' },
		): Promise<{ readonly exit: Promise<number> }>;
		logs(id: string, options?: LogsOptions): AsyncIterable<OutputChunk>;
		/** Changes limits and the restart policy; gives sentences for the user. */
		update(id: string, body: HostConfigJson, options?: Cancel): Promise<readonly string[]>;
		/**
		 * One sample a second until the container is removed; with `stream` false a single one, which `oneShot` takes
		 * at once and without the one before it.
		 */
		stats(
			id: string,
			options?: Cancel & { readonly stream?: boolean; readonly oneShot?: boolean },
		): AsyncIterable<StatsJson>;
		/** Files of the container, running or not. */
		archive(id: string): Archive;
		attach(
			id: string,
			options?: Cancel & {
				readonly stdin?: boolean;
				readonly stdout?: boolean;
				readonly stderr?: boolean;
				readonly logs?: boolean;
				/** Keys that leave a terminal, "ctrl-p,ctrl-q" by default. */
				readonly detachKeys?: string;
				/** Whether the container has a terminal; without it older engines are asked. */
				readonly hasTerminal?: boolean;
			},
		): Promise<Attachment>;
	};

	readonly execs: ExecCalls;

	readonly networks: {
		list(options?: Cancel & { readonly filters?: Filters }): Promise<NetworkJson[]>;
		inspect(name: string, options?: Cancel): Promise<NetworkJson>;
		create(body: CreateNetworkBody, options?: Cancel): Promise<{ readonly Id: string; readonly Warning: string }>;
		remove(name: string, options?: Cancel): Promise<void>;
		prune(options?: PruneOptions): Promise<PrunedNetworks>;
		connect(
			name: string,
			container: string,
			options?: Cancel & { readonly endpoint?: EndpointJson },
		): Promise<void>;
		disconnect(name: string, container: string, options?: Cancel & { readonly force?: boolean }): Promise<void>;
	};

	readonly volumes: VolumeArchiveCalls & {
		list(options?: Cancel & { readonly filters?: Filters }): Promise<VolumeJson[]>;
		inspect(name: string, options?: Cancel): Promise<VolumeJson>;
		/** Gives the volume that is there when the name is taken. */
		create(body: CreateVolumeBody, options?: Cancel): Promise<VolumeJson>;
		remove(name: string, options?: Cancel & { readonly force?: boolean }): Promise<void>;
		/** Files of the volume, whether a container uses it or not; our engine only. */
		archive(name: string): Archive;
		prune(options?: PruneOptions): Promise<PrunedVolumes>;
	};
}

export interface PrunedNetworks extends Pruned {
	/** Names. */
	readonly NetworksDeleted: readonly string[] | null;
}

export interface PrunedVolumes extends Pruned {
	readonly VolumesDeleted: readonly string[] | null;
	readonly SpaceReclaimed: number;
}

/** Makes a client; see the interface. Without a context, registries are used anonymously. */
export function createClient(
	connect: (signal?: AbortSignal) => Promise<string | EngineAddress>,
	context?: RegistryContext,
): Client {
	const transport = new Transport(connect);
	return {
		version: (options) => transport.json<Version>({ method: 'GET', path: '/version', signal: options?.signal }),
		info: (options) => transport.json<Info>({ method: 'GET', path: '/info', signal: options?.signal }),
		doctor: (options) =>
			transport.json<DoctorFinding[]>({ method: 'GET', path: '/mydocker/doctor', signal: options?.signal }),
		diskUsage: (options) =>
			transport.json<DiskUsage>({ method: 'GET', path: '/system/df', signal: options?.signal }),
		events: (options) => events(transport, options),
		images: { ...imageCalls(transport, context), ...imageArchiveCalls(transport), ...imageLayerCalls(transport) },
		registries: registryCalls(transport, context),
		containers: { ...containerCalls(transport), ...containerArchiveCalls(transport) },
		execs: execCalls(transport),
		networks: networkCalls(transport),
		volumes: volumeCalls(transport),
	};
}

async function* events(
	transport: Transport,
	options: Parameters<Client['events']>[0],
): AsyncGenerator<EventMessage, void> {
	try {
		const response = await transport.open({
			method: 'GET',
			path: '/events',
			query: {
				since: unixTime(options.since),
				until: unixTime(options.until),
				filters: filtersOf(options.filters),
			},
			signal: options.signal,
		});
		for await (const message of jsonMessages(bodyOf(response, options.signal))) {
			yield dockersEvent(message as EventMessage);
		}
	} catch (error) {
		if (options.signal?.aborted === true) {
			return;
		}
		throw error;
	}
	if (options.until === undefined && options.signal?.aborted !== true) {
		throw new Error('The engine ended the stream of events');
	}
}

function imageCalls(
	transport: Transport,
	context: RegistryContext | undefined,
): Omit<Client['images'], keyof ImageArchiveCalls | keyof ImageLayerCalls> {
	const image = (name: string) => `/images/${encodeName(name)}`;
	return {
		list: (options) =>
			transport.json<ImageSummary[]>({
				method: 'GET',
				path: '/images/json',
				query: { all: options?.all, filters: filtersOf(options?.filters) },
				signal: options?.signal,
			}),
		inspect: (name, options) =>
			transport.json<ImageInspect>({ method: 'GET', path: `${image(name)}/json`, signal: options?.signal }),
		pull: (reference, options) => pull(transport, context, reference, options),
		push: (name, options) => push(transport, context, name, options),
		tag: (source, target, options) => {
			const { name, tag } = splitReference(target);
			return transport.done({
				method: 'POST',
				path: `${image(source)}/tag`,
				query: { repo: name, tag: tag ?? 'latest' },
				isIdempotent: true,
				signal: options?.signal,
			});
		},
		remove: (name, options) =>
			transport.json<ImageDeleteItem[]>({
				method: 'DELETE',
				path: image(name),
				query: { force: options?.force },
				signal: options?.signal,
			}),
	};
}

async function* pull(
	transport: Transport,
	context: RegistryContext | undefined,
	reference: string,
	options: Parameters<Client['images']['pull']>[1] = {},
): AsyncGenerator<ProgressMessage> {
	const { name, tag } = splitReference(reference);
	const response = await transport.open({
		method: 'POST',
		path: '/images/create',
		// Without a tag, engines pull every tag of the repository.
		query: {
			fromImage: name,
			tag: options.allTags === true ? undefined : (tag ?? 'latest'),
			platform: options.platform,
		},
		headers: await registryHeaders(context, reference, options.auth),
		isIdempotent: true,
		signal: options.signal,
	});
	yield* progressOf(response, options.signal);
}

async function* push(
	transport: Transport,
	context: RegistryContext | undefined,
	reference: string,
	options: Parameters<Client['images']['push']>[1] = {},
): AsyncGenerator<ProgressMessage> {
	const { name, tag } = splitReference(reference);
	const headers = await registryHeaders(context, reference, options.auth);
	const response = await transport.open({
		method: 'POST',
		path: `/images/${encodeName(name)}/push`,
		query: { tag },
		// Docker wants the header even when there are no credentials.
		headers: { 'X-Registry-Auth': 'e30=', ...headers },
		isIdempotent: true,
		signal: options.signal,
	});
	yield* progressOf(response, options.signal);
}

async function* progressOf(
	response: AsyncIterable<Buffer>,
	signal: AbortSignal | undefined,
): AsyncGenerator<ProgressMessage> {
	for await (const value of jsonMessages(bodyOf(response, signal))) {
		const message = value as ProgressMessage;
		const failure = message.errorDetail?.message ?? message.error;
		if (failure !== undefined) {
			throw new ApiError(failure, 0, message.code);
		}
		yield message;
	}
}

function containerCalls(transport: Transport): Omit<Client['containers'], keyof ContainerArchiveCalls> {
	const container = (id: string, verb = '') => `/containers/${encodeURIComponent(id)}${verb}`;
	return {
		list: (options) =>
			transport.json<ContainerSummary[]>({
				method: 'GET',
				path: '/containers/json',
				query: {
					...{ all: options?.all, limit: options?.limit, size: options?.size },
					filters: filtersOf(options?.filters),
				},
				signal: options?.signal,
			}),
		inspect: (id, options) =>
			transport.json<ContainerInspect>({
				method: 'GET',
				path: container(id, '/json'),
				query: { size: options?.size },
				signal: options?.signal,
			}),
		create: (body, options) =>
			transport.json<CreatedContainer>({
				method: 'POST',
				path: '/containers/create',
				query: { name: options?.name, platform: options?.platform },
				body,
				signal: options?.signal,
			}),
		start: (id, options) =>
			transport.done({
				method: 'POST',
				path: container(id, '/start'),
				// Not repeated when the connection is lost: the container may have run and ended meanwhile.
				signal: options?.signal,
			}),
		stop: (id, options) =>
			transport.done({
				method: 'POST',
				path: container(id, '/stop'),
				query: { t: options?.timeout, signal: options?.stopSignal },
				isIdempotent: true,
				signal: options?.signal,
			}),
		restart: (id, options) =>
			transport.done({
				method: 'POST',
				path: container(id, '/restart'),
				query: { t: options?.timeout, signal: options?.stopSignal },
				signal: options?.signal,
			}),
		kill: (id, options) =>
			transport.done({
				method: 'POST',
				path: container(id, '/kill'),
				query: { signal: options?.killSignal },
				signal: options?.signal,
			}),
		rename: (id, name, options) =>
			transport.done({
				method: 'POST',
				path: container(id, '/rename'),
				query: { name },
				signal: options?.signal,
			}),
		remove: (id, options) =>
			transport.done({
				method: 'DELETE',
				path: container(id),
				query: { force: options?.force, v: options?.volumes },
				signal: options?.signal,
			}),
		pause: (id, options) =>
			transport.done({ method: 'POST', path: container(id, '/pause'), signal: options?.signal }),
		unpause: (id, options) =>
			transport.done({ method: 'POST', path: container(id, '/unpause'), signal: options?.signal }),
		top: (id, options) =>
			transport.json<TopJson>({
				method: 'GET',
				path: container(id, '/top'),
				query: { ps_args: options?.psArguments },
				signal: options?.signal,
			}),
		resize: (id, { rows, columns }, options) =>
			transport.done({
				method: 'POST',
				path: container(id, '/resize'),
				query: { h: rows, w: columns },
				signal: options?.signal,
			}),
		wait: (id, options) => wait(transport, container(id, '/wait'), options),
		logs: (id, options) => logs(transport, container(id), options),
		update: async (id, body, options) => {
			const { Warnings } = await transport.json<{ readonly Warnings: readonly string[] | null }>({
				...{ method: 'POST', path: container(id, '/update'), body, signal: options?.signal },
			});
			return Warnings ?? [];
		},
		stats: (id, options) => stats(transport, container(id, '/stats'), options),
		archive: (id) => {
			const own = archiveCalls(transport, container(id), `/mydocker${container(id)}`);
			return { ...own, ...orElse(own, execFiles(execCalls(transport), id)) };
		},
		attach: (id, options) => attach(transport, container(id), options),
	};
}

function networkCalls(transport: Transport): Client['networks'] {
	const network = (name: string, verb = '') => `/networks/${encodeURIComponent(name)}${verb}`;
	return {
		list: (options) =>
			transport.json<NetworkJson[]>({
				method: 'GET',
				path: '/networks',
				query: { filters: filtersOf(options?.filters) },
				signal: options?.signal,
			}),
		inspect: (name, options) =>
			transport.json<NetworkJson>({ method: 'GET', path: network(name), signal: options?.signal }),
		create: (body, options) =>
			transport.json({
				method: 'POST',
				path: '/networks/create',
				// Engines before API 1.44 would make a second network of the same name.
				body: { CheckDuplicate: true, ...body },
				signal: options?.signal,
			}),
		remove: (name, options) => transport.done({ method: 'DELETE', path: network(name), signal: options?.signal }),
		prune: (options) => prune<PrunedNetworks>(transport, '/networks/prune', options),
		connect: (name, container, options) =>
			transport.done({
				method: 'POST',
				path: network(name, '/connect'),
				body: { Container: container, EndpointConfig: options?.endpoint ?? {} },
				signal: options?.signal,
			}),
		disconnect: (name, container, options) =>
			transport.done({
				method: 'POST',
				path: network(name, '/disconnect'),
				body: { Container: container, Force: options?.force ?? false },
				signal: options?.signal,
			}),
	};
}

function volumeCalls(transport: Transport): Client['volumes'] {
	const volume = (name: string) => `/volumes/${encodeURIComponent(name)}`;
	return {
		list: async (options) => {
			const list = await transport.json<{ readonly Volumes: VolumeJson[] | null }>({
				method: 'GET',
				path: '/volumes',
				query: { filters: filtersOf(options?.filters) },
				signal: options?.signal,
			});
			return list.Volumes ?? [];
		},
		inspect: (name, options) =>
			transport.json<VolumeJson>({ method: 'GET', path: volume(name), signal: options?.signal }),
		create: (body, options) =>
			transport.json<VolumeJson>({
				method: 'POST',
				path: '/volumes/create',
				body,
				signal: options?.signal,
			}),
		remove: (name, options) =>
			transport.done({
				method: 'DELETE',
				path: volume(name),
				query: { force: options?.force },
				signal: options?.signal,
			}),
		archive: (name) => archiveCalls(transport, `/mydocker${volume(name)}`, `/mydocker${volume(name)}`),
		...volumeArchiveCalls(transport),
		prune: (options) => prune<PrunedVolumes>(transport, '/volumes/prune', options),
	};
}

async function wait(
	transport: Transport,
	path: string,
	options: Parameters<Client['containers']['wait']>[1] = {},
): Promise<{ readonly exit: Promise<number> }> {
	const response = await transport.open({
		method: 'POST',
		path,
		query: { condition: options.condition ?? 'not-running' },
		isIdempotent: true,
		signal: options.signal,
	});
	const exit = readExit(bodyOf(response, options.signal));
	// A caller that lost interest in `exit` must not bring the process down when the connection breaks.
	exit.catch(() => undefined);
	return { exit };
}

async function readExit(body: AsyncIterable<Buffer>): Promise<number> {
	for await (const value of jsonMessages(body)) {
		const { StatusCode, Error: failure } = value as { StatusCode: number; Error?: { Message?: string } | null };
		if (failure?.Message !== undefined && failure.Message !== '') {
			throw new ApiError(failure.Message, 0, undefined);
		}
		return StatusCode;
	}
	throw new ApiError('The engine ended the wait without an exit code', 0, undefined);
}

async function* logs(transport: Transport, path: string, options: LogsOptions = {}): AsyncGenerator<OutputChunk, void> {
	const isTerminal = await hasTerminal(transport, path, options.signal);
	const response = await transport.open({
		method: 'GET',
		path: `${path}/logs`,
		query: {
			stdout: options.stdout ?? true,
			stderr: options.stderr ?? true,
			follow: options.follow,
			timestamps: options.timestamps,
			details: options.details,
			tail: options.tail ?? 'all',
			since: unixTime(options.since),
			until: unixTime(options.until),
		},
		signal: options.signal,
	});
	yield* output(bodyOf(response, options.signal), response.headers['content-type'], isTerminal);
}

async function* stats(
	transport: Transport,
	path: string,
	options: Parameters<Client['containers']['stats']>[1] = {},
): AsyncGenerator<StatsJson, void> {
	const response = await transport.open({
		method: 'GET',
		path,
		query: { stream: options.stream ?? true, 'one-shot': options.oneShot },
		signal: options.signal,
	});
	for await (const sample of jsonMessages(bodyOf(response, options.signal))) {
		yield sample as StatsJson;
	}
}

async function attach(
	transport: Transport,
	path: string,
	options: Parameters<Client['containers']['attach']>[1] = {},
): Promise<Attachment> {
	const { signal } = options;
	const isTerminal = options.hasTerminal ?? (await hasTerminal(transport, path, signal));
	const query = {
		stream: true,
		stdin: options.stdin,
		stdout: options.stdout ?? true,
		stderr: options.stderr ?? true,
		logs: options.logs,
		detachKeys: options.detachKeys,
	};
	return openStream(transport, { method: 'POST', path: `${path}/attach`, query, signal }, isTerminal);
}

/** Before API 1.42 the Content-Type does not tell frames from a terminal's output; undefined since then. */
async function hasTerminal(
	transport: Transport,
	path: string,
	signal: AbortSignal | undefined,
): Promise<boolean | undefined> {
	if (!isOlderVersion(await transport.apiVersion(signal), '1.42')) {
		return undefined;
	}
	const container = await transport.json<ContainerInspect>({ method: 'GET', path: `${path}/json`, signal });
	return container.Config.Tty === true;
}

/** Slashes stay: an image's name is several segments of the path. */
function encodeName(name: string): string {
	return name.split('/').map(encodeURIComponent).join('/');
}

function filtersOf(filters: Filters | undefined): string | undefined {
	return filters === undefined ? undefined : JSON.stringify(filters);
}

/** The API takes Unix seconds with a fraction; people give more kinds of time. */
function unixTime(text: string | undefined): string | undefined {
	return text === undefined ? undefined : parseTime(text);
}
