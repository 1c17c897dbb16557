/** HEALTHCHECK of a Dockerfile. */
import { EngineError } from '../errors';

/** Docker's extension of the image configuration; nanoseconds. */
export interface HealthcheckJson {
	readonly Test: readonly string[];
	readonly Interval?: number;
	readonly Timeout?: number;
	readonly StartPeriod?: number;
	readonly Retries?: number;
}

const FLAGS: Readonly<Record<string, 'Interval' | 'Timeout' | 'StartPeriod' | 'Retries'>> = {
	...{ interval: 'Interval', timeout: 'Timeout', 'start-period': 'StartPeriod', retries: 'Retries' },
};

/**
 * `[--interval=…] [--timeout=…] [--start-period=…] [--retries=…] CMD …`, or `NONE`; `listOf` reads the list of JSON's
 * form. Throws EngineError "invalid" with docker's words.
 */
export function healthcheckOf(text: string, listOf: (text: string) => string[] | undefined): HealthcheckJson {
	const [, flags = '', type = '', command = ''] = /^((?:--\S*\s*)*)(\S*)\s*([^]*)$/.exec(text) ?? [];
	const options = Object.fromEntries((flags.match(/\S+/g) ?? []).map(option));
	switch (type.toUpperCase()) {
		case 'NONE':
			if (command !== '') {
				throw new EngineError('invalid', 'HEALTHCHECK NONE takes no arguments');
			}
			return { Test: ['NONE'] };
		case 'CMD': {
			if (command === '') {
				throw new EngineError('invalid', 'Missing command after HEALTHCHECK CMD');
			}
			const list = listOf(command);
			return { Test: list === undefined ? ['CMD-SHELL', command] : ['CMD', ...list], ...options };
		}
	}
	throw new EngineError('invalid', `Unknown type ${JSON.stringify(type.toUpperCase())} in HEALTHCHECK (try CMD)`);
}

function option(flag: string): [string, number] {
	const [, name = '', value] = /^--([^=]*)(?:=(.*))?$/s.exec(flag) ?? [];
	const member = Object.hasOwn(FLAGS, name) ? FLAGS[name] : undefined;
	if (member === undefined) {
		throw new EngineError('invalid', `Unknown flag: ${name}`);
	}
	if (value === undefined) {
		throw new EngineError('invalid', `Missing a value on flag: ${name}`);
	}
	return [member, member === 'Retries' ? retries(value) : nanoseconds(value, name)];
}

function retries(text: string): number {
	if (!/^\d{1,9}$/.test(text) || Number(text) === 0) {
		throw new EngineError('invalid', `--retries must be at least 1 (not ${text})`);
	}
	return Number(text);
}

const UNITS: Readonly<Record<string, number>> = { ns: 1, us: 1e3, µs: 1e3, ms: 1e6, s: 1e9, m: 60e9, h: 3600e9 };

/** "1m30s" */
function nanoseconds(text: string, name: string): number {
	if (!/^-?(0|(\d+(\.\d*)?(ns|us|µs|ms|s|m|h))+)$/.test(text)) {
		throw new EngineError('invalid', `time: invalid duration ${JSON.stringify(text)}`);
	}
	const parts = [...text.matchAll(/([\d.]+)([a-zµ]+)/g)];
	const sum = parts.reduce((total, [, amount, unit = '']) => total + Number(amount) * (UNITS[unit] ?? 0), 0);
	if (sum < 1e6 || text.startsWith('-')) {
		throw new EngineError('invalid', `Interval ${JSON.stringify(name)} cannot be less than 1ms`);
	}
	return Math.round(sum);
}
