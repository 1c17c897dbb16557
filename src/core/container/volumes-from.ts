import { EngineError } from '../errors';
import type { Container, IsolationConfig, Mount } from '../types';
import type { CreateOptions } from './create';
import { donorOf } from './sharing';

/**
 * The options with what they refer to in other containers: the mounts of --volumes-from, unless the container mounts
 * something of its own in their place, and the whole id in --pid and --ipc container:NAME, which stays right after a rename.
 * `get` throws "not-found" when there is no such container.
 */
export function withOthers(options: CreateOptions, get: (nameOrId: string) => Container): CreateOptions {
	const { isolation } = options.config;
	if (isolation === undefined) {
		return options;
	}
	const whole: IsolationConfig = {
		...isolation,
		...(isolation.pid === undefined ? {} : { pid: wholeMode(isolation.pid, get) }),
		...(isolation.ipc === undefined ? {} : { ipc: wholeMode(isolation.ipc, get) }),
	};
	const own = options.config.mounts ?? [];
	const mounts = new Map((isolation.volumes_from ?? []).flatMap((text) => mountsOf(text, get)).map(byDestination));
	for (const { destination } of own) {
		mounts.delete(destination);
	}
	return { ...options, config: { ...options.config, isolation: whole, mounts: [...own, ...mounts.values()] } };
}

function wholeMode(mode: string, get: (nameOrId: string) => Container): string {
	const other = donorOf(mode);
	return other === undefined ? mode : `container:${get(other).id}`;
}

/** "container", "container:ro", "container:rw": volumes and bind mounts, as docker. */
function mountsOf(text: string, get: (nameOrId: string) => Container): Mount[] {
	const [name = '', mode = 'rw', ...rest] = text.split(':');
	if (name === '' || rest.length > 0) {
		throw new EngineError('invalid', `invalid volumes-from specification: ${text}`);
	}
	const modes = mode.split(',');
	if (!modes.every((one) => ['ro', 'rw', 'z', 'Z'].includes(one))) {
		throw new EngineError('invalid', `invalid mode: ${mode}`);
	}
	return get(name)
		.config.mounts.filter(({ type }) => type !== 'tmpfs')
		.map((mount) => ({ ...mount, read_only: mount.read_only || modes.includes('ro') }));
}

function byDestination(mount: Mount): [string, Mount] {
	return [mount.destination, mount];
}
