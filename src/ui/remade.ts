import { planBody, type RunPlan } from '../api/run-plan';
import type {
	ContainerConfigJson,
	ContainerInspect,
	CreateContainerBody,
	EndpointJson,
	HostConfigJson,
	ImageConfigJson,
} from '../api/types';

/** What makes a container anew. */
export interface Remade {
	readonly body: CreateContainerBody;
	/** Networks beside that of the body's mode: engines before API 1.44 take no second one when they create. */
	readonly networks: readonly (readonly [name: string, endpoint: EndpointJson])[];
}

/** The plan that the old container was made by, as planOf gives it, and the one that is wanted now. */
export interface Change {
	readonly before: RunPlan;
	readonly plan: RunPlan;
	/** Lines of the plan's environment file. */
	readonly env: readonly string[];
}

/**
 * All that the old container was told, with what differs between the plans: it keeps labels, user, capabilities, devices,
 * terminal, networks and their aliases, also those that no plan knows. What it had of its image is left to the image,
 * which may be a newer one now. Its anonymous volumes go over to the new container, as compose does.
 */
export function remade(old: ContainerInspect, image: ImageConfigJson, { before, plan, env }: Change): Remade {
	const [last, next] = [before, plan].map((one) => planBody(one, { env: [], exposed: [], labels: {} }));
	const host = hostConfig(old, last?.HostConfig ?? {}, next?.HostConfig ?? {});
	const mode = modeOf(host);
	const own = ownConfig(old, image);
	const isOfMode = isNetwork(mode);
	const hasCommand = !isSame(plan.command, before.command);
	const command = plan.command.length > 0 ? plan.command : undefined;
	const networks = isOfMode ? endpoints(old, { from: modeOf(old.HostConfig), to: mode }) : [];
	const main = networks.find(([name]) => name === mode);
	return {
		body: {
			...own,
			Image: plan.image,
			Env: [...env, ...plan.env],
			// An entrypoint of its own makes the engine forget the image's command.
			Cmd: hasCommand || own.Entrypoint === undefined ? command : old.Config.Cmd,
			...(isOfMode && host['UTSMode'] !== 'host' ? {} : { Hostname: undefined, MacAddress: undefined }),
			ExposedPorts: { ...own.ExposedPorts, ...keysOf(host.PortBindings) },
			HostConfig: host,
			...(main === undefined || mode === 'bridge' || isSame(main[1], {})
				? {}
				: { NetworkingConfig: { EndpointsConfig: { [mode]: main[1] } } }),
		} as CreateContainerBody,
		networks: networks.filter((network) => network !== main),
	};
}

/** The old one's, with what the plan changes. */
function hostConfig(old: ContainerInspect, last: HostConfigJson, next: HostConfigJson): HostConfigJson {
	const changed = [
		'PortBindings',
		'NetworkMode',
		'Memory',
		'NanoCpus',
		'RestartPolicy',
		'AutoRemove',
		'Binds',
	].filter((member) => !isSame(last[member], next[member]));
	const host: HostConfigJson = {
		...old.HostConfig,
		...Object.fromEntries(changed.map((member) => [member, next[member]])),
		// The engine derives it from the memory.
		...(changed.includes('Memory') ? { MemorySwap: undefined } : {}),
	};
	return old.HostConfig.AutoRemove === true ? host : withAnonymousVolumes(old, host);
}

interface MountPoint {
	readonly Type?: string;
	readonly Name?: string;
	readonly Source?: string;
	readonly Target?: string;
	readonly Destination?: string;
	readonly RW?: boolean;
}

function withAnonymousVolumes(old: ContainerInspect, host: HostConfigJson): HostConfigJson {
	const points = old.Mounts as readonly MountPoint[];
	const nameAt = (place: string | undefined): string | undefined =>
		points.find(({ Type, Destination }) => Type === 'volume' && Destination === place)?.Name;
	const mounts = ((host['Mounts'] as readonly MountPoint[] | null | undefined) ?? []).map((mount) =>
		mount.Type === 'volume' && !mount.Source ? { ...mount, Source: nameAt(mount.Target) } : mount,
	);
	const binds = [...(old.HostConfig.Binds ?? []), ...(host.Binds ?? [])];
	const known = new Set([...binds.map((bind) => bind.split(':')[1]), ...mounts.map(({ Target }) => Target)]);
	const anonymous = points.filter(
		({ Type, Name, Destination }) => Type === 'volume' && Boolean(Name) && !known.has(Destination),
	);
	return {
		...host,
		...(mounts.length > 0 ? { Mounts: mounts } : {}),
		Binds: [
			...(host.Binds ?? []),
			...anonymous.map(({ Name, Destination, RW }) => `${Name}:${Destination}${RW === false ? ':ro' : ''}`),
		],
	};
}

/** The old one's without what is the image's or follows from its id. */
function ownConfig(
	old: ContainerInspect,
	image: ImageConfigJson,
): { readonly [Member in keyof ContainerConfigJson]?: ContainerConfigJson[Member] | undefined } {
	const { Config: config, HostConfig: host } = old;
	const ofImage = image as unknown as Readonly<Record<string, unknown>>;
	const own = Object.entries(config).filter(([member, value]) => !isSame(value, ofImage[member]));
	const published = new Set(Object.keys(host.PortBindings ?? {}));
	const exposed = Object.entries(without(config.ExposedPorts, image.ExposedPorts));
	return {
		...Object.fromEntries(own),
		Labels: without(config.Labels, image.Labels),
		Volumes: without(config.Volumes, image.Volumes),
		ExposedPorts: Object.fromEntries(exposed.filter(([port]) => !published.has(port))),
		...(config.Hostname === old.Id.slice(0, 12) ? { Hostname: undefined } : {}),
	};
}

/** What the old one was told about its networks; the one of its mode goes when the mode is another now. */
function endpoints(
	old: ContainerInspect,
	{ from, to }: { readonly from: string; readonly to: string },
): [name: string, endpoint: EndpointJson][] {
	const all = Object.entries(old.NetworkSettings.Networks as Readonly<Record<string, EndpointJson>>);
	return all
		.filter(([name]) => isNetwork(name) && (name === to || name !== from))
		.map(([name, { Aliases, IPAMConfig, Links, DriverOpts }]) => {
			const aliases = (Aliases ?? []).filter((alias) => alias !== old.Id.slice(0, 12));
			const told = { Aliases: name === 'bridge' ? [] : aliases, IPAMConfig, Links, DriverOpts };
			return [name, Object.fromEntries(Object.entries(told).filter(([, value]) => !isNothing(value)))];
		});
}

function modeOf({ NetworkMode: mode = '' }: HostConfigJson): string {
	return mode === '' || mode === 'default' ? 'bridge' : mode;
}

function isNetwork(mode: string): boolean {
	return mode !== 'host' && mode !== 'none' && !mode.startsWith('container:');
}

function isNothing(value: unknown): boolean {
	return value === undefined || value === null || (typeof value === 'object' && Object.keys(value).length === 0);
}

/** As JSON, where what is not there is as good as nothing. */
function isSame(one: unknown, other: unknown): boolean {
	const text = (value: unknown): string => (isNothing(value) || value === '' ? '' : JSON.stringify(value));
	return text(one) === text(other);
}

/** The members that the other has not, or has with another value. */
function without<Value>(
	record: Readonly<Record<string, Value>> | null | undefined,
	other: Readonly<Record<string, Value>> | null | undefined,
): Record<string, Value> {
	const isTheirs = (name: string, value: Value): boolean =>
		other !== null && other !== undefined && name in other && isSame(value, other[name]);
	return Object.fromEntries(Object.entries(record ?? {}).filter(([name, value]) => !isTheirs(name, value)));
}

function keysOf(record: object | null | undefined): Record<string, object> {
	return Object.fromEntries(Object.keys(record ?? {}).map((key) => [key, {}]));
}
