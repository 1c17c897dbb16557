import * as process from 'node:process';
import { EngineError } from '../../core/errors';
import type { EngineEvent } from '../../core/events';
import type { EngineFacts } from '../../core/system/info';
import { build } from '../build';
import { hasLabels, matches } from '../filters';
import type { FilterValues } from '../filters';
import type { ApiRequest } from '../request';
import { API_VERSION, MINIMUM_API_VERSION, route } from '../route';
import type { Route } from '../route';
import { eventJson } from '../shapes';
import type { DoctorFinding, Info, Version } from '../types';

const EVENT_FILTERS = ['type', 'event', 'container', 'image', 'label', 'network', 'volume', 'daemon', 'scope'];
/** A client that lets this many events wait does not read. */
const WAITING_EVENTS = 10_000;
/** Milliseconds; setTimeout cannot wait longer. */
const LONGEST_TIMER = 2 ** 31 - 1;

export const systemRoutes: readonly Route[] = [
	route('GET', '/_ping', ping),
	route('HEAD', '/_ping', ping),
	route('GET', '/version', async (request) => {
		request.json(version(await request.core.facts()));
	}),
	route('GET', '/info', async (request) => {
		request.json(info(request, await request.core.facts()));
	}),
	route('GET', '/events', events),
	route('GET', '/plugins', (request) => {
		request.json([]);
	}),
	route('GET', '/mydocker/doctor', async (request) => {
		const findings = await request.core.examine();
		request.json(
			findings.map(({ subject, status, message, sentences, remedy }): DoctorFinding => ({
				Subject: subject,
				Status: status,
				Message: message,
				Sentences: sentences.map(({ text, values }) => ({ Text: text, Values: values })),
				Remedy: remedy,
			})),
		);
	}),
	route('POST', '/mydocker/shutdown', (request) => {
		request.empty();
		request.core.shutdown();
	}),
];

function ping(request: ApiRequest): void {
	request
		.header('Builder-Version', '1')
		.header('Cache-Control', 'no-cache, no-store, must-revalidate')
		.send(200, 'OK', 'text/plain; charset=utf-8');
}

function version(facts: EngineFacts): Version {
	const details = {
		ApiVersion: API_VERSION,
		Arch: facts.architecture,
		BuildTime: new Date(build.time).toISOString(),
		Experimental: 'false',
		GitCommit: '',
		GoVersion: '',
		KernelVersion: facts.kernelVersion,
		MinAPIVersion: MINIMUM_API_VERSION,
		Os: 'linux',
	};
	return {
		Platform: { Name: 'MyDocker' },
		Components: [
			{ Name: 'Engine', Version: build.version, Details: details },
			{ Name: facts.runtime.name, Version: facts.runtime.version, Details: { GitCommit: '' } },
		],
		Version: build.version,
		ApiVersion: API_VERSION,
		MinAPIVersion: MINIMUM_API_VERSION,
		GitCommit: '',
		GoVersion: `node ${process.version}`,
		Os: 'linux',
		Arch: facts.architecture,
		KernelVersion: facts.kernelVersion,
		BuildTime: details.BuildTime,
	};
}

function info({ core }: ApiRequest, facts: EngineFacts): Info {
	const containers = core.containers.list();
	const images = new Set(core.images.list().map((image) => image.id));
	const running = containers.filter(({ status }) => status === 'running' || status === 'stopping').length;
	const paused = containers.filter(({ status }) => status === 'paused').length;
	return {
		ID: '',
		Containers: containers.length,
		ContainersRunning: running,
		ContainersPaused: paused,
		ContainersStopped: containers.length - running - paused,
		Images: images.size,
		Driver: facts.storageDriver,
		DriverStatus: facts.storageStatus,
		Plugins: {
			Volume: ['local'],
			Network: facts.networkDrivers,
			Authorization: null,
			Log: ['json-file', 'syslog'],
		},
		MemoryLimit: facts.hasLimits,
		SwapLimit: false,
		CpuCfsPeriod: facts.hasLimits,
		CpuCfsQuota: facts.hasLimits,
		CPUShares: facts.hasLimits,
		CPUSet: facts.hasLimits,
		PidsLimit: facts.hasLimits,
		IPv4Forwarding: true,
		Debug: false,
		OomKillDisable: false,
		SystemTime: new Date().toISOString(),
		LoggingDriver: 'json-file',
		CgroupDriver: facts.cgroupDriver,
		CgroupVersion: facts.cgroupVersion,
		KernelVersion: facts.kernelVersion,
		OperatingSystem: facts.operatingSystem,
		OSVersion: '',
		OSType: 'linux',
		Architecture: facts.machine,
		IndexServerAddress: 'https://index.docker.io/v1/',
		RegistryConfig: {
			IndexConfigs: {
				'docker.io': { Mirrors: [], Name: 'docker.io', Official: true, Secure: true },
			},
			InsecureRegistryCIDRs: ['127.0.0.0/8', '::1/128'],
			Mirrors: [],
		},
		NCPU: facts.cpus,
		MemTotal: facts.memory,
		DockerRootDir: core.root,
		HttpProxy: '',
		HttpsProxy: '',
		NoProxy: '',
		Name: facts.hostname,
		Labels: [],
		ExperimentalBuild: false,
		ServerVersion: build.version,
		Runtimes: Object.fromEntries(facts.runtimes.map(({ name, path }) => [name, { path }])),
		DefaultRuntime: facts.runtime.name,
		Swarm: { NodeID: '', LocalNodeState: 'inactive', ControlAvailable: false, Error: '', RemoteManagers: null },
		LiveRestoreEnabled: true,
		Isolation: '',
		InitBinary: '',
		SecurityOptions: facts.securityOptions,
		Warnings: facts.warnings,
	} as Info;
}

/** Kept events since a time, then new ones until a time or until the client leaves. */
async function events(request: ApiRequest): Promise<void> {
	const filters = request.filters(EVENT_FILTERS);
	const since = request.time('since');
	const until = request.time('until');
	const feed = new EventFeed((event) => (until === undefined || event.time <= until) && eventPasses(event, filters));
	const unsubscribe = request.core.events.subscribe((event) => {
		feed.add(event);
	});
	const left = until === undefined ? undefined : Number(until / 1_000_000n) - Date.now();
	const end = () => {
		feed.end();
	};
	const timer = left === undefined ? undefined : setTimeout(end, Math.min(Math.max(left, 0), LONGEST_TIMER));
	request.signal.addEventListener('abort', end, { once: true });
	try {
		if (since !== undefined || until !== undefined) {
			for (const event of request.core.events.since(since ?? 0n)) {
				feed.add(event);
			}
		}
		request.begin('application/json');
		for (let next = await feed.take(); next.length > 0; next = await feed.take()) {
			await request.write(next.map((event) => eventJson(event) + '\n').join(''));
		}
		request.end();
	} finally {
		clearTimeout(timer);
		unsubscribe();
	}
}

/** Holds events for a client that reads slower than they come. */
class EventFeed {
	private waiting: EngineEvent[] = [];
	private isOver = false;
	private wake: () => void = () => undefined;

	constructor(private readonly isWanted: (event: EngineEvent) => boolean) {}

	add(event: EngineEvent): void {
		if (this.isWanted(event)) {
			this.waiting.push(event);
			this.wake();
		}
	}

	end(): void {
		this.isOver = true;
		this.wake();
	}

	/** All that wait, at least one; empty when the feed is over. Throws when the client does not read. */
	async take(): Promise<EngineEvent[]> {
		while (this.waiting.length === 0 && !this.isOver) {
			await new Promise<void>((resolve) => {
				this.wake = resolve;
			});
		}
		if (this.waiting.length > WAITING_EVENTS) {
			throw new EngineError('internal', 'Cannot send events: the client does not read them');
		}
		const taken = this.waiting;
		this.waiting = [];
		return taken;
	}
}

/** Docker's event filters: several values of one filter are alternatives, several filters must all match. */
export function eventPasses(event: EngineEvent, filters: FilterValues): boolean {
	const { type, action, id, attributes } = event;
	const isOf = (noun: EngineEvent['type']) => (value: string) =>
		type === noun && (id.startsWith(value) || attributes['name'] === value);
	return (
		matches(filters, 'type', (value) => value === type) &&
		matches(filters, 'event', (value) => value === action || action.startsWith(`${value}:`)) &&
		matches(filters, 'scope', (value) => value === 'local') &&
		matches(filters, 'container', isOf('container')) &&
		matches(filters, 'network', isOf('network')) &&
		matches(filters, 'volume', isOf('volume')) &&
		matches(filters, 'daemon', isOf('daemon')) &&
		matches(filters, 'image', (value) => imageMatches(event, value)) &&
		hasLabels(filters, attributes)
	);
}

function imageMatches({ type, id, attributes }: EngineEvent, wanted: string): boolean {
	const image = type === 'image' ? id : (attributes['image'] ?? '');
	const names = [image, type === 'image' ? (attributes['name'] ?? image) : image];
	return names.some((name) => name === wanted || name.replace(/:[^:/]*$/, '') === wanted);
}
