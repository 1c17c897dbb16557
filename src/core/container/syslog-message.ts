import { FRAGMENT, type Stream } from './json-lines';

/** Docker's names of the two RFCs; "" is the older form without a host name that a local syslog expects. */
export type SyslogFormat = '' | 'rfc3164' | 'rfc5424' | 'rfc5424micro';

export interface SyslogSender {
	readonly format: SyslogFormat;
	/** 0 to 23 (RFC 5424, table 1). */
	readonly facility: number;
	readonly tag: string;
	readonly hostname: string;
	readonly pid: number;
}

const FACILITIES =
	'kern user mail daemon auth syslog lpr news uucp cron authpriv ftp - - - - local0 local1 local2 local3 local4 local5 local6 local7'.split(
		' ',
	);

/** Number of a facility's name or decimal number; undefined for any other text. Docker's default is daemon. */
export function syslogFacility(text: string): number | undefined {
	if (text === '') {
		return FACILITIES.indexOf('daemon');
	}
	const number = /^\d+$/.test(text) ? Number(text) : text === '-' ? -1 : FACILITIES.indexOf(text);
	return number >= 0 && number < FACILITIES.length ? number : undefined;
}

/** Severity error for standard error, informational for standard output, as docker (RFC 5424, section 6.2.1). */
export function syslogPriority(facility: number, stream: Stream): number {
	return facility * 8 + (stream === 'stderr' ? 3 : 6);
}

/** What stands before each line, byte for byte as docker's driver writes it. */
export function syslogHead(sender: SyslogSender, stream: Stream, time: Date): string {
	const { format, hostname, tag, pid } = sender;
	const priority = `<${syslogPriority(sender.facility, stream)}>`;
	switch (format) {
		case '':
			return `${priority}${stamp(time)} ${tag}[${pid}]: `;
		case 'rfc3164':
			return `${priority}${stamp(time)} ${hostname} ${tag}[${pid}]: `;
		case 'rfc5424':
		case 'rfc5424micro':
			return `${priority}1 ${rfc3339Local(time, format === 'rfc5424micro')} ${hostname} ${tag} ${pid} ${tag} - `;
	}
}

const MONTHS = 'Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec'.split(' ');

/** Go's time.Stamp, local time: "Nov  4 15:48:26". */
function stamp(time: Date): string {
	const day = String(time.getDate()).padStart(2);
	return `${MONTHS[time.getMonth()] ?? ''} ${day} ${clock(time)}`;
}

/** RFC 3339 in the local zone; a Date has milliseconds, the last three digits are zeros. */
function rfc3339Local(time: Date, hasMicroseconds: boolean): string {
	const date = [time.getFullYear(), time.getMonth() + 1, time.getDate()].map(twoDigits).join('-');
	const fraction = hasMicroseconds ? `.${String(time.getMilliseconds()).padStart(3, '0')}000` : '';
	const offset = -time.getTimezoneOffset();
	const zone = `${offset < 0 ? '-' : '+'}${twoDigits(Math.floor(Math.abs(offset) / 60))}:${twoDigits(Math.abs(offset) % 60)}`;
	return `${date}T${clock(time)}${fraction}${offset === 0 ? 'Z' : zone}`;
}

function clock(time: Date): string {
	return [time.getHours(), time.getMinutes(), time.getSeconds()].map(twoDigits).join(':');
}

function twoDigits(number: number): string {
	return String(number).padStart(2, '0');
}

const NEWLINE = 10;

/** Output cut into lines without their ends, longer ones into docker's 16 KiB; empty ones are left out, as docker does. */
export function* syslogLines(output: Buffer): Generator<Buffer, void, void> {
	for (let from = 0; from < output.length;) {
		const newline = output.indexOf(NEWLINE, from);
		const end = newline < 0 ? output.length : newline;
		const to = Math.min(end, fragmentEnd(output, from));
		if (to > from) {
			yield output.subarray(from, to);
		}
		from = to === end ? end + 1 : to;
	}
}

/** Not inside of a UTF-8 sequence. */
function fragmentEnd(output: Buffer, from: number): number {
	const limit = from + FRAGMENT;
	let end = limit;
	while (end > limit - 4 && ((output[end] ?? 0) & 0xc0) === 0x80) {
		end--;
	}
	return end > limit - 4 ? end : limit;
}

/** Bytes of whole lines and whole fragments at the beginning of the output; all of it when nothing follows. */
export function wholeLines(output: Buffer, isFinal: boolean): number {
	const lineEnd = output.lastIndexOf(NEWLINE) + 1;
	if (isFinal) {
		return output.length;
	}
	return lineEnd + Math.floor((output.length - lineEnd) / FRAGMENT) * FRAGMENT;
}
