import { isIPv6 } from 'node:net';
import { CommandError } from './errors';
import type { Action } from './row';

/** `mydocker port CONTAINER [PORT[/PROTOCOL]]` */
export const port: Action<object> = async (session, [container = '', wanted]) => {
	const inspected = await session.client.containers.inspect(container, { signal: session.signal });
	const ports = (inspected.NetworkSettings.Ports ?? {}) as Record<
		string,
		readonly { readonly HostIp: string; readonly HostPort: string }[] | null
	>;
	const key = wanted?.includes('/') === false ? `${wanted}/tcp` : wanted;
	const place = (ip: string, number: string): string => (isIPv6(ip) ? `[${ip}]:${number}` : `${ip}:${number}`);
	const shown = Object.entries(ports).filter(([name]) => key === undefined || name === key);
	const lines = shown.flatMap(([name, bindings]) =>
		(bindings ?? []).map(({ HostIp, HostPort }) =>
			key === undefined ? `${name} -> ${place(HostIp, HostPort)}` : place(HostIp, HostPort),
		),
	);
	if (key !== undefined && lines.length === 0) {
		throw new CommandError(`Error: No public port '${key}' published for ${container}`);
	}
	lines.sort().forEach((line) => {
		session.output.line(line);
	});
	return 0;
};
