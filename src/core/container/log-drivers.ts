import { EngineError } from '../errors';
import type { LogConfig } from '../types';
import { JsonFileLog } from './json-file';
import type { Stream } from './json-lines';
import type { LogDriver, LogEntry } from './log';
import { attributesJson, checkLogAttributes, logAttributes, type LogSubject } from './log-attributes';
import { SYSLOG_BUFFER, SYSLOG_OPTIONS, SyslogLog, checkSyslogOptions, syslogOptions } from './syslog';
import { wholeLines } from './syslog-message';

const DEFAULT_MAX_SIZE = 10_000_000;
const DEFAULT_MAX_FILES = 3;

/**
 * Checks a log configuration and gives it in docker's spelling: the seed's max_size and max_files mean max-size and
 * max-file. Throws EngineError "invalid" with docker's texts, "unsupported" for drivers that we do not have.
 */
export function parseLogConfig(config: LogConfig): LogConfig {
	const type = config.type === '' ? 'json-file' : config.type;
	if (type === 'none') {
		return { type, options: {} };
	}
	const known = KNOWN_OPTIONS[type];
	if (known === undefined) {
		throw new EngineError('unsupported', `logger: no log driver named '${type}' is registered`);
	}
	const options = Object.fromEntries(Object.entries(config.options).map(([name, value]) => [canonical(name), value]));
	bufferSize(options);
	for (const name of Object.keys(options)) {
		if (!known.includes(name) && !COMMON_OPTIONS.includes(name)) {
			throw new EngineError('invalid', `unknown log opt '${name}' for ${type} log driver`);
		}
	}
	checkLogAttributes(options);
	if (type === 'syslog') {
		checkSyslogOptions(options);
		hasCopy(options);
		jsonFileOptions(copyOptions(options));
	} else {
		jsonFileOptions(options);
	}
	return { type, options };
}

/** The log driver of a container whose configuration went through `parseLogConfig`. */
export function createLog(
	{ type, options }: LogConfig,
	file: string,
	subject: () => LogSubject,
	warn: (message: string) => void,
): LogDriver {
	if (type === 'none') {
		return new NoLog();
	}
	const attributes = (): string => attributesJson(logAttributes(options, subject()));
	const local = (limits: Options): LogDriver =>
		new JsonFileLog(file, { ...jsonFileOptions(limits), attributes, warn });
	if (type === 'syslog') {
		const copy = hasCopy(options) ? local(copyOptions(options)) : new NoLog();
		const limit = bufferSize(options) ?? SYSLOG_BUFFER;
		return new SyslogLog(copy, { ...syslogOptions(options), subject, limit, warn });
	}
	return local(options);
}

/** True when what was logged can be read again. */
export function isReadable({ type, options }: LogConfig): boolean {
	return type === 'syslog' ? hasCopy(options) : type !== 'none';
}

type Options = Readonly<Record<string, string>>;

/** Those of docker's drivers. */
const KNOWN_OPTIONS: Readonly<Record<string, readonly string[]>> = {
	'json-file': ['max-size', 'max-file', 'compress', 'labels', 'labels-regex', 'env', 'env-regex', 'tag'],
	syslog: SYSLOG_OPTIONS,
};

/** What docker takes for any driver. */
const COMMON_OPTIONS = [
	...['mode', 'max-buffer-size'],
	...['cache-disabled', 'cache-max-size', 'cache-max-file', 'cache-compress'],
];

/** Docker's defaults for the local copy of what another driver sends away. */
function copyOptions(options: Options): Options {
	return {
		'max-size': options['cache-max-size'] ?? '20m',
		'max-file': options['cache-max-file'] ?? '5',
		compress: options['cache-compress'] ?? 'true',
	};
}

function hasCopy(options: Options): boolean {
	return !parseBoolean(options['cache-disabled'] ?? 'false');
}

/** Bytes of max-buffer-size. No driver of ours ever blocks a container, so the mode changes nothing else. */
function bufferSize({ mode = '', 'max-buffer-size': size }: Options): number | undefined {
	if (!['', 'blocking', 'non-blocking'].includes(mode)) {
		throw new EngineError('invalid', `logger: logging mode not supported: ${mode}`);
	}
	if (size === undefined) {
		return undefined;
	}
	if (mode !== 'non-blocking') {
		const reason = "logger: max-buffer-size option is only supported with 'mode=non-blocking'";
		throw new EngineError('invalid', reason);
	}
	const [, number, unit = ''] = /^(\d+(?:\.\d+)?) ?([kmgtp]?)(?:i?b)?$/i.exec(size) ?? [];
	if (number === undefined) {
		throw new EngineError('invalid', `error parsing option max-buffer-size: invalid size: '${size}'`);
	}
	return Math.floor(Number(number) * 1024 ** ' kmgtp'.indexOf(unit.toLowerCase() || ' '));
}

function canonical(name: string): string {
	return name === 'max_size' ? 'max-size' : name === 'max_files' ? 'max-file' : name;
}

function jsonFileOptions(options: Options): {
	maxSize: number;
	maxFiles: number;
	compress: boolean;
} {
	const size = options['max-size'];
	const files = options['max-file'];
	const maxSize = size === undefined ? DEFAULT_MAX_SIZE : parseSize(size);
	const maxFiles = files === undefined ? DEFAULT_MAX_FILES : Number(/^[+-]?\d+$/.test(files) ? files : NaN);
	if (Number.isNaN(maxFiles)) {
		throw new EngineError('invalid', `invalid value for max-file: "${files ?? ''}"`);
	}
	if (maxFiles < 1) {
		throw new EngineError('invalid', 'max-file cannot be less than 1');
	}
	return { maxSize, maxFiles, compress: isCompressed(options, { maxSize, maxFiles }) };
}

/** As docker, whose defaults are no limit and one file, both other options must be given. */
function isCompressed(
	{ compress, ...others }: Readonly<Record<string, string>>,
	{ maxSize, maxFiles }: { maxSize: number; maxFiles: number },
): boolean {
	if (compress === undefined) {
		return false;
	}
	const value = parseBoolean(compress);
	const isLimited = others['max-size'] !== undefined && maxSize !== Infinity;
	if (value && !(isLimited && others['max-file'] !== undefined && maxFiles > 1)) {
		throw new EngineError('invalid', 'compress cannot be true when max-file is less than 2 or max-size is not set');
	}
	return value;
}

function parseBoolean(text: string): boolean {
	const value = GO_BOOLEANS.get(text);
	if (value === undefined) {
		throw new EngineError('invalid', `strconv.ParseBool: parsing ${JSON.stringify(text)}: invalid syntax`);
	}
	return value;
}

/** Those that Go's strconv.ParseBool takes. */
const GO_BOOLEANS: ReadonlyMap<string, boolean> = new Map([
	...['1', 't', 'T', 'TRUE', 'true', 'True'].map((text): [string, boolean] => [text, true]),
	...['0', 'f', 'F', 'FALSE', 'false', 'False'].map((text): [string, boolean] => [text, false]),
]);

const UNITS: Readonly<Record<string, number>> = { '': 1, k: 1e3, m: 1e6, g: 1e9, t: 1e12, p: 1e15 };

/** Docker's FromHumanSize: "10m", "2k", "1.5 MB"; k is 1000. "-1" and "unlimited" are ours. */
function parseSize(text: string): number {
	if (text === '-1' || text === 'unlimited') {
		return Infinity;
	}
	const match = /^(\d+(?:\.\d+)?) ?([kmgtp]?)b?$/i.exec(text);
	const size = Number(match?.[1]) * (UNITS[match?.[2]?.toLowerCase() ?? ''] ?? NaN);
	if (!(size >= 1)) {
		throw new EngineError('invalid', `invalid size: '${text}'`);
	}
	return Math.floor(size);
}

/** The driver "none": output goes to attached clients only. */
class NoLog implements LogDriver {
	readonly checkpoint = { inode: 0, size: 0, encoder: { last: '0', stdout: '0', stderr: '0' } };

	begin(): void {
		// Nothing is kept.
	}

	prepare(): boolean {
		return false;
	}

	take(_stream: Stream, data: Buffer, isFinal: boolean): number {
		return wholeLines(data, isFinal);
	}

	pause(): void {
		// Nothing is open.
	}

	finish(): void {
		// Nobody reads.
	}

	close(): void {
		// Nothing is open.
	}

	read(): AsyncIterable<LogEntry> {
		throw new EngineError('unsupported', 'configured logging driver does not support reading');
	}
}
