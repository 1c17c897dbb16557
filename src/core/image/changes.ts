/** Instructions of a Dockerfile that change an image's configuration: `--change` of commit and import. */
import * as path from 'node:path';
import { EngineError } from '../errors';
import { jsonIn } from '../json';

/** image-spec, config.md, "config": what a container starts with. */
export interface RunConfiguration {
	readonly User?: string;
	readonly ExposedPorts?: Readonly<Record<string, object>>;
	readonly Env?: readonly string[];
	readonly Entrypoint?: readonly string[] | null;
	readonly Cmd?: readonly string[] | null;
	readonly Volumes?: Readonly<Record<string, object>> | null;
	readonly WorkingDir?: string;
	readonly Labels?: Readonly<Record<string, string>>;
	readonly StopSignal?: string;
	readonly OnBuild?: readonly string[] | null;
}

export const emptyConfig: RunConfiguration = {};

type Change = (config: RunConfiguration, text: string) => RunConfiguration;

/** Applies them in their order; throws EngineError "invalid" with docker's words for what is no such instruction. */
export function applyChanges(config: RunConfiguration, changes: readonly string[]): RunConfiguration {
	let changed = config;
	let hasCommand = false;
	for (const line of changes.flatMap((text) => text.split('\n')).filter((text) => text.trim() !== '')) {
		const [, word = '', rest = ''] = /^\s*(\S+)\s*([^]*?)\s*$/.exec(line) ?? [];
		const instruction = word.toUpperCase();
		const change = CHANGES[instruction];
		if (change === undefined) {
			throw new EngineError(
				'invalid',
				OTHERS.includes(instruction)
					? `${word.toLowerCase()} is not a valid change command`
					: `dockerfile parse error: unknown instruction: ${instruction}`,
			);
		}
		if (rest === '') {
			throw new EngineError('invalid', `${instruction} requires at least one argument`);
		}
		changed = change(changed, rest);
		hasCommand ||= instruction === 'CMD';
		if (instruction === 'ENTRYPOINT' && !hasCommand) {
			changed = { ...changed, Cmd: null };
		}
	}
	return changed;
}

const OTHERS = ['FROM', 'RUN', 'COPY', 'ADD', 'ARG', 'MAINTAINER', 'SHELL', 'HEALTHCHECK'];

const CHANGES: Readonly<Record<string, Change>> = {
	CMD: (config, text) => ({ ...config, Cmd: command(text) }),
	ENTRYPOINT: (config, text) => ({ ...config, Entrypoint: command(text) }),
	ENV: (config, text) => {
		const pairs = keyValues('ENV', text);
		const kept = (config.Env ?? []).filter((line) => !pairs.some(([name]) => line.startsWith(`${name}=`)));
		return { ...config, Env: [...kept, ...pairs.map(([name, value]) => `${name}=${value}`)] };
	},
	LABEL: (config, text) => ({
		...config,
		Labels: { ...config.Labels, ...Object.fromEntries(keyValues('LABEL', text)) },
	}),
	EXPOSE: (config, text) => {
		const ports = words(text).map((port) => (port.includes('/') ? port.toLowerCase() : `${port}/tcp`));
		const wrong = ports.find((port) => !/^\d{1,5}(-\d{1,5})?\/(tcp|udp|sctp)$/.test(port));
		if (wrong !== undefined) {
			throw new EngineError('invalid', `invalid containerPort: ${wrong}`);
		}
		return { ...config, ExposedPorts: { ...config.ExposedPorts, ...emptyMembers(ports) } };
	},
	VOLUME: (config, text) => {
		const list = jsonList(text) ?? words(text);
		return { ...config, Volumes: { ...config.Volumes, ...emptyMembers(list) } };
	},
	USER: (config, text) => ({ ...config, User: text }),
	WORKDIR: (config, text) => ({ ...config, WorkingDir: path.posix.resolve('/', config.WorkingDir ?? '', text) }),
	STOPSIGNAL: (config, text) => ({ ...config, StopSignal: text }),
	ONBUILD: (config, text) => ({ ...config, OnBuild: [...(config.OnBuild ?? []), text] }),
};

/** The list of JSON's form, or the text for a shell. */
function command(text: string): string[] {
	return jsonList(text) ?? ['/bin/sh', '-c', text];
}

function jsonList(text: string): string[] | undefined {
	if (!text.startsWith('[')) {
		return undefined;
	}
	const list = jsonIn(text);
	return Array.isArray(list) && list.every((word) => typeof word === 'string') ? list : undefined;
}

/** `a=b c="d e"`, or the old form `a b c` for one. */
function keyValues(instruction: string, text: string): [string, string][] {
	const list = words(text);
	if (!(list[0] ?? '').includes('=')) {
		const [, name = '', value = ''] = /^(\S+)\s*([^]*)$/.exec(text) ?? [];
		if (value === '') {
			throw new EngineError('invalid', `${instruction} must have two arguments`);
		}
		return [[name, value]];
	}
	return list.map((word) => {
		const equals = word.indexOf('=');
		if (equals < 1) {
			throw new EngineError(
				'invalid',
				`Syntax error - can't find = in "${word}". Must be of the form: name=value`,
			);
		}
		return [word.slice(0, equals), word.slice(equals + 1)];
	});
}

/** Words of a shell's line: quotes and backslashes are taken off. */
function words(text: string): string[] {
	const list = text.match(/(?:\\.|"(?:\\.|[^"\\])*"|'[^']*'|[^\s"'\\])+/gs) ?? [];
	return list.map((word) =>
		word.replace(
			/\\(.)|"((?:\\.|[^"\\])*)"|'([^']*)'/gs,
			(_, escaped?: string, double?: string, single?: string) =>
				escaped ?? double?.replace(/\\(["\\$])/g, '$1') ?? single ?? '',
		),
	);
}

function emptyMembers(names: readonly string[]): Record<string, object> {
	return Object.fromEntries(names.map((name) => [name, {}]));
}
