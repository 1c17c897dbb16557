import { isIPv6 } from 'node:net';
import type { Port } from '../api/types';

const DECIMAL = ['B', 'kB', 'MB', 'GB', 'TB', 'PB', 'EB'];
const BINARY = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB'];

/** "4.26MB": powers of 1000, as docker's image list shows sizes. */
export function size(bytes: number, digits = 3): string {
	return scaled(bytes, 1000, DECIMAL, digits);
}

/** "23.54GiB": powers of 1024, as docker shows memory. */
export function memorySize(bytes: number): string {
	return scaled(bytes, 1024, BINARY, 4);
}

function scaled(bytes: number, base: number, units: readonly string[], digits: number): string {
	let value = bytes;
	let unit = 0;
	// 999.6 is shown with the next unit: rounded to three digits it would be 1000 of this one.
	while (Number(value.toPrecision(digits)) >= base && unit < units.length - 1) {
		value /= base;
		unit++;
	}
	return `${Number(value.toPrecision(digits))}${units[unit] ?? ''}`;
}

/** "3 weeks", "About an hour": docker's words for a length of time in milliseconds. */
export function duration(milliseconds: number): string {
	const seconds = Math.floor(milliseconds / 1000);
	const minutes = Math.floor(seconds / 60);
	const hours = Math.floor(seconds / 3600 + 0.5);
	const steps: readonly (readonly [boolean, string])[] = [
		[seconds < 1, 'Less than a second'],
		[seconds === 1, '1 second'],
		[seconds < 60, `${seconds} seconds`],
		[minutes === 1, 'About a minute'],
		[minutes < 60, `${minutes} minutes`],
		[hours === 1, 'About an hour'],
		[hours < 48, `${hours} hours`],
		[hours < 24 * 7 * 2, `${Math.floor(hours / 24)} days`],
		[hours < 24 * 30 * 2, `${Math.floor(hours / 24 / 7)} weeks`],
		[hours < 24 * 365 * 2, `${Math.floor(hours / 24 / 30)} months`],
	];
	return steps.find(([applies]) => applies)?.[1] ?? `${Math.floor(seconds / 3600 / 24 / 365)} years`;
}

/** "3 weeks ago", from Unix seconds to `now` in Unix milliseconds. */
export function age(created: number, now: number): string {
	return `${duration(now - created * 1000)} ago`;
}

/** "2024-05-01 13:37:00 +0200 GMT+2", local time from Unix seconds. */
export function localTime(unix: number): string {
	const date = new Date(unix * 1000);
	const local = new Date(date.getTime() - date.getTimezoneOffset() * 60_000).toISOString();
	const parts = new Intl.DateTimeFormat('en-US', { timeZoneName: 'short' }).formatToParts(date);
	const zone = parts.find((part) => part.type === 'timeZoneName')?.value ?? '';
	return `${local.slice(0, 10)} ${local.slice(11, 19)} ${offset(date).replace(':', '')} ${zone}`;
}

/** RFC 3339 with nine digits in local time, as docker prints events; `nanoseconds` since 1970. */
export function rfc3339(nanoseconds: bigint): string {
	const date = new Date(Number(nanoseconds / 1_000_000n));
	const local = new Date(date.getTime() - date.getTimezoneOffset() * 60_000).toISOString();
	const fraction = (nanoseconds % 1_000_000_000n).toString().padStart(9, '0');
	return `${local.slice(0, 19)}.${fraction}${date.getTimezoneOffset() === 0 ? 'Z' : offset(date)}`;
}

function offset(date: Date): string {
	const minutes = -date.getTimezoneOffset();
	const two = (value: number): string => String(Math.floor(Math.abs(value))).padStart(2, '0');
	return `${minutes < 0 ? '-' : '+'}${two(minutes / 60)}:${two(minutes % 60)}`;
}

/** The first twelve digits of an id, without "sha256:". */
export function shortId(id: string): string {
	return id.replace(/^sha256:/, '').slice(0, 12);
}

/** At most `width` characters, the last one "…" when something is left out. */
export function ellipsis(text: string, width: number): string {
	const characters = Array.from(text);
	return characters.length <= width ? text : `${characters.slice(0, width - 1).join('')}…`;
}

/** "0.0.0.0:8080->80/tcp, 443/tcp": docker's PORTS column; neighbours become a range. */
export function portList(ports: readonly Port[]): string {
	const groups = new Map<string, { ip: string; type: string; ranges: [number, number][] }>();
	const mapped: string[] = [];
	for (const port of [...ports].sort(comparePorts)) {
		const ip = port.IP ?? '';
		if (ip !== '' && port.PublicPort !== port.PrivatePort) {
			mapped.push(`${hostPort(ip, String(port.PublicPort ?? 0))}->${port.PrivatePort}/${port.Type}`);
			continue;
		}
		const group = groups.get(`${ip}/${port.Type}`) ?? { ip, type: port.Type, ranges: [] };
		groups.set(`${ip}/${port.Type}`, group);
		const last = group.ranges.at(-1);
		if (last?.[1] === port.PrivatePort - 1) {
			last[1]++;
		} else {
			group.ranges.push([port.PrivatePort, port.PrivatePort]);
		}
	}
	const same = [...groups.values()].flatMap(({ ip, type, ranges }) =>
		ranges.map(([first, last]) => {
			const range = first === last ? String(first) : `${first}-${last}`;
			return `${ip === '' ? '' : `${hostPort(ip, range)}->`}${range}/${type}`;
		}),
	);
	return [...same, ...mapped].join(', ');
}

function hostPort(ip: string, port: string): string {
	return isIPv6(ip) ? `[${ip}]:${port}` : `${ip}:${port}`;
}

function comparePorts(a: Port, b: Port): number {
	return (
		a.PrivatePort - b.PrivatePort ||
		compare(a.IP ?? '', b.IP ?? '') ||
		(a.PublicPort ?? 0) - (b.PublicPort ?? 0) ||
		compare(a.Type, b.Type)
	);
}

/** By characters, whatever the locale. */
function compare(a: string, b: string): number {
	return a < b ? -1 : a > b ? 1 : 0;
}
