/** Instructions of a Dockerfile that change an image's configuration: `--change` of commit and import. */
import * as path from 'node:path';
import { EngineError } from '../errors';
import { jsonIn } from '../json';
import { expanded } from './expansion';
import { healthcheckOf } from './healthcheck-change';
import type { HealthcheckJson } from './healthcheck-change';

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
	readonly Healthcheck?: HealthcheckJson;
}

export const emptyConfig: RunConfiguration = {};

type Change = (config: RunConfiguration, text: string) => RunConfiguration;

/** Applies them in their order; throws EngineError "invalid" with docker's words for what is no such instruction. */
export function applyChanges(config: RunConfiguration, changes: readonly string[]): RunConfiguration {
	let changed = config;
	let hasCommand = false;
	const lines = changes.flatMap((text) => text.split('\n')).filter((text) => /^\s*[^\s#]/.test(text));
	if (lines.length === 0 && changes.length > 0) {
		throw new EngineError('invalid', 'file with no instructions');
	}
	for (const line of lines) {
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

const OTHERS = ['FROM', 'RUN', 'COPY', 'ADD', 'ARG', 'MAINTAINER', 'SHELL'];

const CHANGES: Readonly<Record<string, Change>> = {
	CMD: (config, text) => ({ ...config, Cmd: command(text) }),
	ENTRYPOINT: (config, text) => ({ ...config, Entrypoint: command(text) }),
	ENV: (config, text) => {
		const pairs = keyValues('ENV', text, config);
		const kept = (config.Env ?? []).filter((line) => !pairs.some(([name]) => line.startsWith(`${name}=`)));
		return { ...config, Env: [...kept, ...pairs.map(([name, value]) => `${name}=${value}`)] };
	},
	LABEL: (config, text) => ({
		...config,
		Labels: { ...config.Labels, ...Object.fromEntries(keyValues('LABEL', text, config)) },
	}),
	EXPOSE: (config, text) => {
		const ports = words(text, config).map((port) => (port.includes('/') ? port.toLowerCase() : `${port}/tcp`));
		const wrong = ports.find((port) => !/^\d{1,5}(-\d{1,5})?\/(tcp|udp|sctp)$/.test(port));
		if (wrong !== undefined) {
			throw new EngineError('invalid', `invalid containerPort: ${wrong}`);
		}
		return { ...config, ExposedPorts: { ...config.ExposedPorts, ...emptyMembers(ports) } };
	},
	VOLUME: (config, text) => {
		const list = jsonList(text)?.map((word) => value(word, config)) ?? words(text, config);
		return { ...config, Volumes: { ...config.Volumes, ...emptyMembers(list) } };
	},
	USER: (config, text) => ({ ...config, User: value(text, config) }),
	WORKDIR: (config, text) => ({
		...config,
		WorkingDir: path.posix.resolve('/', config.WorkingDir ?? '', value(text, config)),
	}),
	STOPSIGNAL: (config, text) => ({ ...config, StopSignal: value(text, config) }),
	HEALTHCHECK: (config, text) => ({ ...config, Healthcheck: healthcheckOf(text, jsonList) }),
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
function keyValues(instruction: string, text: string, config: RunConfiguration): [string, string][] {
	const list = rawWords(text);
	if (!(list[0] ?? '').includes('=')) {
		const [, name = '', rest = ''] = /^(\S+)\s*([^]*)$/.exec(text) ?? [];
		if (rest === '') {
			throw new EngineError('invalid', `${instruction} must have two arguments`);
		}
		return [[value(name, config), value(rest, config)]];
	}
	return list.map((word) => {
		const equals = word.indexOf('=');
		if (equals < 1) {
			throw new EngineError(
				'invalid',
				`Syntax error - can't find = in "${word}". Must be of the form: name=value`,
			);
		}
		return [value(word.slice(0, equals), config), value(word.slice(equals + 1), config)];
	});
}

/** Words of a shell's line, with their quotes. */
function rawWords(text: string): string[] {
	return text.match(/(?:\\.|"(?:\\.|[^"\\])*"|'[^']*'|[^\s"'\\])+/gs) ?? [];
}

function words(text: string, config: RunConfiguration): string[] {
	return rawWords(text).map((word) => value(word, config));
}

/** Without quotes, and with the values that the environment has before this instruction. */
function value(text: string, config: RunConfiguration): string {
	return expanded(text, config.Env ?? []);
}

function emptyMembers(names: readonly string[]): Record<string, object> {
	return Object.fromEntries(names.map((name) => [name, {}]));
}
