import type { Cancel, Transport } from './transport';
import { openStream, type Attachment } from './two-way';
import type { CreateExecBody, ExecInspect } from './types';

/** Rows and columns of a terminal. */
export interface TerminalSize {
	readonly rows: number;
	readonly columns: number;
}

/** Further processes in running containers. */
export interface ExecCalls {
	/** Makes an exec and gives its id. */
	create(container: string, body: CreateExecBody, options?: Cancel): Promise<string>;
	/** Starts it with its streams; `tty` as it was made. They end when it has ended. */
	start(id: string, options: Cancel & { readonly tty: boolean; readonly size?: TerminalSize }): Promise<Attachment>;
	/** Starts it without streams; resolves once it runs. */
	startDetached(id: string, options?: Cancel & { readonly tty?: boolean }): Promise<void>;
	resize(id: string, size: TerminalSize, options?: Cancel): Promise<void>;
	inspect(id: string, options?: Cancel): Promise<ExecInspect>;
	/** SIGHUP, as when a terminal is closed; of our engine alone. */
	hangUp(id: string): Promise<void>;
}

/** Makes the calls; see the interface. */
export function execCalls(transport: Transport): ExecCalls {
	const exec = (id: string, verb: string) => `/exec/${encodeURIComponent(id)}${verb}`;
	return {
		create: async (container, body, options) => {
			const path = `/containers/${encodeURIComponent(container)}/exec`;
			const made = await transport.json<{ readonly Id: string }>({
				method: 'POST',
				path,
				body,
				signal: options?.signal,
			});
			return made.Id;
		},
		start: (id, { tty, size, signal }) =>
			openStream(
				transport,
				{ method: 'POST', path: exec(id, '/start'), body: startBody(tty, false, size), signal },
				tty,
			),
		startDetached: (id, options) =>
			transport.done({
				method: 'POST',
				path: exec(id, '/start'),
				body: startBody(options?.tty ?? false, true),
				signal: options?.signal,
			}),
		resize: (id, { rows, columns }, options) =>
			transport.done({
				method: 'POST',
				path: exec(id, '/resize'),
				query: { h: rows, w: columns },
				signal: options?.signal,
			}),
		hangUp: (id) => transport.done({ method: 'POST', path: `/mydocker${exec(id, '/hangup')}` }),
		inspect: (id, options) =>
			transport.json<ExecInspect>({ method: 'GET', path: exec(id, '/json'), signal: options?.signal }),
	};
}

function startBody(tty: boolean, detach: boolean, size?: TerminalSize): object {
	return { Detach: detach, Tty: tty, ...(size === undefined ? {} : { ConsoleSize: [size.rows, size.columns] }) };
}
