import { EngineError } from '../errors';
import type { LogConfig } from '../types';
import { JsonFileLog } from './json-file';
import type { Stream } from './json-lines';
import type { LogDriver, LogEntry } from './log';
import { attributesJson, checkLogAttributes, logAttributes, type LogSubject } from './log-attributes';

const DEFAULT_MAX_SIZE = 10_000_000;
const DEFAULT_MAX_FILES = 3;

/**
 * Checks a log configuration and gives it in docker's spelling: the seed's max_size and max_files mean max-size and
 * max-file. Throws EngineError "invalid" with docker's texts, "unsupported" for drivers and options still to come.
 */
export function parseLogConfig(config: LogConfig): LogConfig {
	const type = config.type === '' ? 'json-file' : config.type;
	if (type === 'none') {
		return { type, options: {} };
	}
	if (type !== 'json-file') {
		throw new EngineError('unsupported', `Cannot create container: log driver "${type}" is not supported yet`);
	}
	const options = Object.fromEntries(Object.entries(config.options).map(([name, value]) => [canonical(name), value]));
	for (const name of Object.keys(options)) {
		if (!KNOWN_OPTIONS.includes(name)) {
			throw new EngineError('invalid', `unknown log opt '${name}' for json-file log driver`);
		}
	}
	jsonFileOptions(options);
	checkLogAttributes(options);
	return { type, options };
}

/** The log driver of a container whose configuration went through `parseLogConfig`. */
export function createLog(
	config: LogConfig,
	file: string,
	subject: () => LogSubject,
	warn: (message: string) => void,
): LogDriver {
	if (config.type === 'none') {
		return new NoLog();
	}
	const attributes = (): string => attributesJson(logAttributes(config.options, subject()));
	return new JsonFileLog(file, { ...jsonFileOptions(config.options), attributes, warn });
}

/** Those of docker's json-file driver. */
const KNOWN_OPTIONS = ['max-size', 'max-file', 'compress', 'labels', 'labels-regex', 'env', 'env-regex', 'tag'];

function canonical(name: string): string {
	return name === 'max_size' ? 'max-size' : name === 'max_files' ? 'max-file' : name;
}

function jsonFileOptions(options: Readonly<Record<string, string>>): {
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
	const value = GO_BOOLEANS.get(compress);
	if (value === undefined) {
		throw new EngineError('invalid', `strconv.ParseBool: parsing ${JSON.stringify(compress)}: invalid syntax`);
	}
	const isLimited = others['max-size'] !== undefined && maxSize !== Infinity;
	if (value && !(isLimited && others['max-file'] !== undefined && maxFiles > 1)) {
		throw new EngineError('invalid', 'compress cannot be true when max-file is less than 2 or max-size is not set');
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

	take(_stream: Stream, data: Buffer): number {
		return data.length;
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
