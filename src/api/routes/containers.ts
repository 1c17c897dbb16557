import { EngineError } from '../../core/errors';
import { rfc3339 } from '../../core/events';
import { isReadable } from '../../core/container/log-drivers';
import { parseExposed } from '../../core/network/ports';
import type { Container } from '../../core/types';
import { containerSizes } from '../container-size';
import { createOptions } from '../create';
import { requestedSize } from '../console-size';
import { hasLabels, matches, nameExpression } from '../filters';
import type { FilterValues } from '../filters';
import { Gathered } from '../gathered';
import { readDetachKeys, sendInput, sendOutput } from '../hijack';
import type { ApiRequest, Core } from '../request';
import { route } from '../route';
import type { Route } from '../route';
import { exposedPorts, portKey } from '../network-shapes';
import { containerInspect, containerSummary, stateWord } from '../shapes';
import { frame, MULTIPLEXED_STREAM, RAW_STREAM } from '../stream';
import { isOlderVersion } from '../transport';
import { parsePlatform } from './images';

const STATES = ['created', 'running', 'paused', 'restarting', 'removing', 'exited', 'dead', 'stopping'];
const LIST_FILTERS = [
	...['id', 'name', 'label', 'status', 'ancestor', 'exited', 'before', 'since'],
	...['network', 'volume', 'health', 'is-task', 'publish', 'expose', 'isolation'],
];
const CONDITIONS = ['not-running', 'next-exit', 'removed'] as const;

export const containerRoutes: readonly Route[] = [
	route('GET', '/containers/json', list),
	route('POST', '/containers/create', create),
	route('GET', '/containers/{id}/json', inspect),
	route('POST', '/containers/{id}/start', start),
	route('POST', '/containers/{id}/stop', stop),
	route('POST', '/containers/{id}/restart', restart),
	route('POST', '/containers/{id}/kill', kill),
	route('POST', '/containers/{id}/rename', rename),
	route('POST', '/containers/{id}/wait', wait),
	route('POST', '/containers/{id}/resize', resize),
	route('POST', '/containers/{id}/attach', attach),
	route('GET', '/containers/{id}/logs', logs),
	route('DELETE', '/containers/{id}', remove),
];

async function list(request: ApiRequest): Promise<void> {
	const { core } = request;
	const filters = request.filters(LIST_FILTERS);
	const limit = Math.max(request.integer('limit') ?? 0, 0);
	checkStates(filters);
	const names = (filters.get('name') ?? []).map(nameExpression);
	const showsStopped = request.flag('all') || limit > 0 || filters.has('status');
	const order = core.containers.list();
	const position = (name: string, otherwise: number) =>
		(filters.get(name) ?? []).reduce((_, wanted) => order.indexOf(core.containers.get(wanted)), otherwise);
	// Newest first: "before" a container are those further down the list.
	const span = order.slice(position('before', -1) + 1, position('since', order.length));
	const passing = span.filter(
		(container) =>
			(showsStopped || isRunning(container)) &&
			(names.length === 0 || names.some((name) => nameMatches(container.name, name))) &&
			containerPasses(container, filters, core),
	);
	const shown = limit > 0 ? passing.slice(0, limit) : passing;
	const now = Date.now();
	const sizes = request.flag('size') ? await sizesOf(shown, request) : [];
	const imageOf = imageNames(core);
	const rows = shown.map((container) => containerSummary(container, imageOf(container), now, core));
	request.json(sizes.length === 0 ? rows : rows.map((row, index) => ({ ...row, ...sizes[index] })));
}

/** The reference that a container was made from, or its image's id when the reference means another image now. */
function imageNames(core: Core): (container: Container) => string {
	const ids = new Map<string, string | undefined>();
	return (container) => {
		const { image } = container.config;
		if (!ids.has(image)) {
			ids.set(image, core.images.find(image)?.id);
		}
		return ids.get(image) === container.image_id ? image : container.image_id;
	};
}

/** One after the other: each walks a tree. One that goes meanwhile has none. */
async function sizesOf(containers: readonly Container[], { core, signal }: ApiRequest): Promise<object[]> {
	const sizes: object[] = [];
	for (const container of containers) {
		const isThere = core.containers.find(container.id) !== undefined;
		sizes.push(isThere ? await containerSizes(container, core, signal) : {});
	}
	return sizes;
}

function isRunning(container: Container): boolean {
	return ['running', 'paused', 'restarting', 'stopping'].includes(stateWord(container));
}

function checkStates(filters: FilterValues): void {
	for (const state of filters.get('status') ?? []) {
		if (!STATES.includes(state)) {
			throw new EngineError('invalid', `invalid filter 'status=${state}'`);
		}
	}
}

function containerPasses(container: Container, filters: FilterValues, core: Core): boolean {
	const state = stateWord(container);
	const isExact = (wanted: string) => !Number.isNaN(Number(wanted)) && Number(wanted) === container.exit_code;
	return (
		matches(filters, 'id', (wanted) => container.id.startsWith(wanted)) &&
		// A container that is being stopped runs still.
		matches(filters, 'status', (wanted) => wanted === state || (wanted === 'running' && state === 'stopping')) &&
		matches(
			filters,
			'exited',
			(wanted) => !isRunning(container) && container.started_at !== '' && isExact(wanted),
		) &&
		matches(filters, 'ancestor', (wanted) => core.images.find(wanted)?.id === container.image_id) &&
		matches(filters, 'network', (wanted) => isOnNetwork(container, wanted, core)) &&
		matches(filters, 'volume', (wanted) =>
			container.config.mounts.some((mount) => mount.destination === wanted || mount.source === wanted),
		) &&
		matches(filters, 'health', (wanted) => wanted === (container.health ?? 'none')) &&
		matches(filters, 'is-task', (wanted) => wanted === 'false' || wanted === '0') &&
		matches(filters, 'publish', (wanted) => hasPort(container.config.network.ports.map(portKey), wanted)) &&
		matches(filters, 'expose', (wanted) => hasPort(exposedPorts(container.config.network), wanted)) &&
		hasLabels(filters, container.labels)
	);
}

/** By name or id. */
function isOnNetwork({ config }: Container, wanted: string, { networks }: Core): boolean {
	const network = networks.find(wanted);
	const { mode, endpoints } = config.network;
	return (
		network !== undefined &&
		[mode, ...endpoints.map((endpoint) => endpoint.network)].some((name) => networks.find(name)?.id === network.id)
	);
}

/** "80", "80/udp" and "8000-8080/tcp" mean any of these ports. */
function hasPort(ports: readonly string[], wanted: string): boolean {
	return parseExposed(wanted).some(({ port, protocol }) => ports.includes(`${port}/${protocol}`));
}

/** Docker matches the name with and without its leading slash. */
function nameMatches(name: string, expression: RegExp): boolean {
	return expression.test(`/${name}`) || expression.test(name);
}

async function create(request: ApiRequest): Promise<void> {
	const asked = createOptions(await request.body(), request.text('name'));
	const platform = parsePlatform(request.text('platform'));
	const made = await request.core.containers.create({
		...asked.options,
		...(platform === undefined ? {} : { platform }),
	});
	request.json({ Id: made.container.id, Warnings: [...asked.warnings, ...made.warnings] }, 201);
}

async function inspect(request: ApiRequest): Promise<void> {
	const { core, signal } = request;
	const container = core.containers.get(request.parameter('id'));
	const sizes = request.flag('size') ? await containerSizes(container, core, signal) : {};
	request.json({ ...containerInspect(container, core, await core.facts()), ...sizes });
}

async function start(request: ApiRequest): Promise<void> {
	await request.core.containers.start(request.parameter('id'));
	request.empty();
}

async function stop(request: ApiRequest): Promise<void> {
	await request.core.containers.stop(request.parameter('id'), stopOptions(request));
	request.empty();
}

async function restart(request: ApiRequest): Promise<void> {
	await request.core.containers.restart(request.parameter('id'), stopOptions(request));
	request.empty();
}

function stopOptions(request: ApiRequest): { timeout?: number; signal?: string } {
	const timeout = request.integer('t');
	const signal = request.text('signal');
	return { ...(timeout === undefined ? {} : { timeout }), ...(signal === undefined ? {} : { signal }) };
}

async function kill(request: ApiRequest): Promise<void> {
	await request.core.containers.kill(request.parameter('id'), request.text('signal'));
	request.empty();
}

function rename(request: ApiRequest): void {
	const name = request.text('name');
	if (name === undefined) {
		throw new EngineError('invalid', 'Neither old nor new names may be empty');
	}
	request.core.containers.rename(request.parameter('id'), name.replace(/^\//, ''));
	request.empty();
}

async function remove(request: ApiRequest): Promise<void> {
	if (request.flag('link')) {
		throw new EngineError('unsupported', 'Cannot remove link: to remove links is not supported');
	}
	const options = { force: request.flag('force'), volumes: request.flag('v') };
	await request.core.containers.remove(request.parameter('id'), options);
	request.empty();
}

/** Answers with headers as soon as the wait is registered: docker's client starts the container only then. */
async function wait(request: ApiRequest): Promise<void> {
	const condition = CONDITIONS.find((known) => known === (request.text('condition') ?? 'not-running'));
	if (condition === undefined) {
		throw new EngineError('invalid', `invalid condition: "${request.text('condition') ?? ''}"`);
	}
	const { containers } = request.core;
	// An id stays the same container when a rename comes between.
	const { id } = containers.get(request.parameter('id'));
	const waiting = containers.wait(id, condition, request.signal);
	request.begin('application/json');
	const { exitCode, error } = await waiting;
	const failure = error === '' ? {} : { Error: { Message: error } };
	request.end(JSON.stringify({ StatusCode: exitCode, ...failure }) + '\n');
}

async function resize(request: ApiRequest): Promise<void> {
	await request.core.containers.resize(request.parameter('id'), requestedSize(request));
	request.empty(200);
}

async function logs(request: ApiRequest): Promise<void> {
	const [stdout, stderr] = [request.flag('stdout'), request.flag('stderr')];
	if (!stdout && !stderr) {
		throw new EngineError('invalid', 'Bad parameters: you must choose at least one stream');
	}
	const container = request.core.containers.get(request.parameter('id'));
	if (!isReadable(container.config.log_config)) {
		throw new EngineError('unsupported', 'configured logging driver does not support reading');
	}
	const [since, until] = [request.time('since'), request.time('until')];
	const tail = parseTail(request.text('tail'));
	const entries = request.core.containers.logs(container.id, {
		stdout,
		stderr,
		follow: request.flag('follow'),
		signal: request.signal,
		...(since === undefined ? {} : { since }),
		...(until === undefined ? {} : { until }),
		...(tail === undefined ? {} : { tail }),
	});
	const timestamps = request.flag('timestamps');
	const details = request.flag('details');
	request.begin(outputType(container, request));
	const output = new Gathered((data) => request.write(data));
	for await (const { time, stream, data, attributes } of entries) {
		const before = `${timestamps ? `${rfc3339(time)} ` : ''}${details ? detailsText(attributes) : ''}`;
		const text = before === '' ? data : Buffer.concat([Buffer.from(before), data]);
		await output.add(container.config.tty ? text : frame(stream, text));
	}
	await output.flush();
	request.end();
}

/** "a=1,b=2 ", with query escapes as docker writes them. */
function detailsText(attributes: Readonly<Record<string, string>> = {}): string {
	const pairs = Object.entries(attributes).map(([name, value]) => `${queryEscape(name)}=${queryEscape(value)}`);
	return `${pairs.join(',')} `;
}

/** Go's url.QueryEscape. */
function queryEscape(text: string): string {
	return new URLSearchParams({ x: text }).toString().slice(2).replaceAll('*', '%2A');
}

/** Docker takes whatever is no number, and a negative one, for "all". */
function parseTail(text: string | undefined): number | undefined {
	return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

/** Before API 1.42 frames had no type of their own. */
function outputType(container: Container, request: ApiRequest): string {
	return container.config.tty || isOlderVersion(request.parts.version, '1.42') ? RAW_STREAM : MULTIPLEXED_STREAM;
}

/** A two-way stream of a container's output and input; also before its start, so that no output is missed. */
async function attach(request: ApiRequest): Promise<void> {
	const { containers } = request.core;
	const container = containers.get(request.parameter('id'));
	const isRaw = container.config.tty;
	const detachKeys = readDetachKeys(request.text('detachKeys') ?? '');
	const streams = { stdout: request.flag('stdout'), stderr: request.flag('stderr') };
	if (!request.flag('stream')) {
		const { output } = request.hijack(outputType(container, request));
		const past = request.flag('logs') ? containers.logs(container.id, { ...streams, signal: request.signal }) : [];
		await sendOutput(past, output, { isRaw, signal: request.signal });
		return;
	}
	const wantsInput = request.flag('stdin');
	const attachment = containers.attach(container.id, {
		...streams,
		stdin: wantsInput,
		logs: request.flag('logs'),
		signal: request.signal,
	});
	try {
		const { input, output } = request.hijack(outputType(container, request));
		if (wantsInput) {
			void sendInput(input, attachment, isRaw ? detachKeys : undefined);
		} else {
			input.resume();
		}
		await sendOutput(attachment.output, output, { isRaw, signal: request.signal });
	} finally {
		attachment.close();
	}
}
