import * as fs from 'node:fs';
import { EngineError, systemCode } from '../errors';

/** Where a syslog server listens. */
export type SyslogAddress =
	| { readonly protocol: 'udp' | 'tcp' | 'tcp+tls'; readonly host: string; readonly port: number }
	/** A stream or datagram socket; `paths` are tried in turn. */
	| { readonly protocol: 'unix'; readonly paths: readonly string[] };

/** Those of the machine's own syslog, as docker looks for them. */
const LOCAL = ['/dev/log', '/var/run/syslog', '/var/run/log'];

const DEFAULT_PORT = 514;

/** Docker's syslog-address; "" is the machine's own syslog. Throws EngineError "invalid" with docker's texts. */
export function parseSyslogAddress(text: string): SyslogAddress {
	if (text === '') {
		return { protocol: 'unix', paths: LOCAL };
	}
	const [, protocol = '', rest = ''] = /^(udp|tcp|tcp\+tls|unix|unixgram):\/\/(.*)$/.exec(text) ?? [];
	if (protocol === 'unix' || protocol === 'unixgram') {
		return { protocol: 'unix', paths: [rest] };
	}
	const [, host = '', port] = /^(\[[\da-fA-F:.%]+\]|[^:/?#[\]]*)(?::(\d{1,5}))?$/.exec(rest) ?? [];
	if ((protocol !== 'udp' && protocol !== 'tcp' && protocol !== 'tcp+tls') || host === '' || Number(port) > 65535) {
		throw new EngineError('invalid', `syslog-address should be in form proto://address, got ${text}`);
	}
	return { protocol, host: host.replace(/^\[|\]$/g, ''), port: Number(port ?? DEFAULT_PORT) };
}

/** Throws docker's error when a socket that was named is not there. */
export function checkSyslogSocket(address: SyslogAddress): void {
	const [first, ...others] = address.protocol === 'unix' ? address.paths : [];
	if (first === undefined || others.length > 0) {
		return;
	}
	try {
		fs.statSync(first);
	} catch (error) {
		const reason = systemCode(error) === 'ENOENT' ? 'no such file or directory' : String(systemCode(error));
		throw new EngineError('invalid', `stat ${first}: ${reason}`);
	}
}
