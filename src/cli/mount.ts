import * as path from 'node:path';
import { FlagError } from './errors';
import { createFlags } from './run-flags';
import { parseSize } from './size';

/** A member of HostConfig.Mounts. */
export interface MountJson {
	Type: string;
	Source?: string;
	Target?: string;
	ReadOnly?: boolean;
	Consistency?: string;
	BindOptions?: { Propagation?: string; NonRecursive?: boolean };
	TmpfsOptions?: { SizeBytes?: number; Mode?: number };
	VolumeOptions?: {
		NoCopy?: boolean;
		Labels?: Record<string, string>;
		DriverConfig?: { Name?: string; Options?: Record<string, string> };
	};
}

/**
 * Reads `--mount type=bind,src=…,dst=…`, comma-separated values as docker takes them. A relative source counts from
 * `cwd`. Throws FlagError with docker's words; whether the engine has the type is for the engine to say.
 */
export function parseMount(value: string, cwd: string): MountJson {
	const refuse = (reason: string): never => {
		throw new FlagError(createFlags.mount.spelling, value, reason);
	};
	const mount: MountJson = { Type: 'volume' };
	for (const field of splitFields(value)) {
		const equals = field.indexOf('=');
		const key = (equals < 0 ? field : field.slice(0, equals)).toLowerCase();
		if (equals < 0 && !['readonly', 'ro', 'volume-nocopy', 'bind-nonrecursive'].includes(key)) {
			refuse(`invalid field '${field}' must be a key=value pair`);
		}
		const set = keys.get(key) ?? refuse(`unexpected key '${key}' in '${field}'`);
		const text = equals < 0 ? 'true' : field.slice(equals + 1);
		if (!set(mount, text, cwd)) {
			refuse(`invalid value for ${key}: ${text}`);
		}
	}
	const mixed = Object.entries({
		...{ bind: mount.BindOptions, tmpfs: mount.TmpfsOptions, volume: mount.VolumeOptions },
	}).find(([type, options]) => options !== undefined && type !== mount.Type);
	if (mixed !== undefined) {
		refuse(`cannot mix '${mixed[0]}-*' options with mount type '${mount.Type}'`);
	}
	if ((mount.Target ?? '') === '') {
		refuse('target is required');
	}
	return mount;
}

/** Puts a value into the mount; false when it cannot be read. */
type Setter = (mount: MountJson, text: string, cwd: string) => boolean;

const source: Setter = (mount, text, cwd) => {
	mount.Source = text === '.' || text.startsWith('./') ? path.resolve(cwd, text) : text;
	return true;
};

const target: Setter = (mount, text) => {
	mount.Target = text;
	return true;
};

const readOnly: Setter = (mount, text) => {
	if (['1', 'true'].includes(text.toLowerCase())) {
		mount.ReadOnly = true;
	}
	return ['0', '1', 'false', 'true'].includes(text.toLowerCase());
};

const keys: ReadonlyMap<string, Setter> = new Map(
	Object.entries<Setter>({
		type: (mount, text) => {
			mount.Type = text.toLowerCase();
			return true;
		},
		source,
		src: source,
		target,
		dst: target,
		destination: target,
		readonly: readOnly,
		ro: readOnly,
		consistency: (mount, text) => {
			mount.Consistency = text.toLowerCase();
			return true;
		},
		'volume-nocopy': (mount, text) => {
			mount.VolumeOptions = { ...mount.VolumeOptions, NoCopy: ['1', 'true'].includes(text.toLowerCase()) };
			return ['0', '1', 'false', 'true'].includes(text.toLowerCase());
		},
		'volume-label': (mount, text) => {
			mount.VolumeOptions = { ...mount.VolumeOptions, Labels: { ...mount.VolumeOptions?.Labels, ...pair(text) } };
			return true;
		},
		'volume-driver': (mount, text) => {
			const driver = { ...mount.VolumeOptions?.DriverConfig, Name: text };
			mount.VolumeOptions = { ...mount.VolumeOptions, DriverConfig: driver };
			return true;
		},
		'volume-opt': (mount, text) => {
			const driver = mount.VolumeOptions?.DriverConfig;
			const Options = { ...driver?.Options, ...pair(text) };
			mount.VolumeOptions = { ...mount.VolumeOptions, DriverConfig: { ...driver, Options } };
			return true;
		},
		'bind-propagation': (mount, text) => {
			mount.BindOptions = { ...mount.BindOptions, Propagation: text.toLowerCase() };
			return true;
		},
		'bind-nonrecursive': (mount, text) => {
			mount.BindOptions = { ...mount.BindOptions, NonRecursive: ['1', 'true'].includes(text.toLowerCase()) };
			return ['0', '1', 'false', 'true'].includes(text.toLowerCase());
		},
		'tmpfs-size': (mount, text) => {
			const size = parseSize(text);
			if (typeof size === 'number') {
				mount.TmpfsOptions = { ...mount.TmpfsOptions, SizeBytes: size };
			}
			return typeof size === 'number';
		},
		'tmpfs-mode': (mount, text) => {
			if (/^[0-7]+$/.test(text)) {
				mount.TmpfsOptions = { ...mount.TmpfsOptions, Mode: parseInt(text, 8) };
			}
			return /^[0-7]+$/.test(text);
		},
	}),
);

/** "name=value"; a name alone has an empty value. */
function pair(text: string): Record<string, string> {
	const equals = text.indexOf('=');
	return equals < 0 ? { [text]: '' } : { [text.slice(0, equals)]: text.slice(equals + 1) };
}

/** Fields between commas; a field in double quotes may hold commas, and "" for a quote. */
function splitFields(value: string): string[] {
	const fields = value.match(/(?:^|,)(?:"(?:[^"]|"")*"|[^,]*)/g) ?? [];
	return fields
		.map((field) => field.replace(/^,/, ''))
		.map((field) => (/^".*"$/s.test(field) ? field.slice(1, -1).replaceAll('""', '"') : field));
}
