import * as os from 'node:os';
import * as path from 'node:path';
import { contextId, dockerFolder, isContextName, readContexts, type Context, type Place } from '../api/contexts';
import { chosenContext, defaultRoot, OWN_CONTEXT, writeCurrentContext } from './current-context';
import { CommandError } from './errors';
import { inspectAll } from './inspect';
import type { Action } from './row';
import { renderList } from './table';

const HEADERS = { Name: 'NAME', Description: 'DESCRIPTION', DockerEndpoint: 'DOCKER ENDPOINT', Error: 'ERROR' };

/** `mydocker context ls`: docker's contexts, and ours for our own engine. */
export const list: Action<{ readonly format: string | undefined; readonly quiet: boolean }> = async (
	{ output },
	_operands,
	{ format, quiet },
) => {
	const current = chosenContext(process.env);
	const contexts = (await allContexts()).sort((a, b) => (a.name < b.name ? -1 : 1));
	if (quiet) {
		output.stdout.write(contexts.map(({ name }) => `${name}\n`).join(''));
		return 0;
	}
	const isPlain = format === undefined || format === '' || format === 'table';
	const items = contexts.map(({ name, description, host, problem }) => ({
		Current: name === current,
		Description: description,
		DockerEndpoint: host,
		Error: problem ?? '',
		Name: isPlain && name === current ? `${name} *` : name,
	}));
	output.stdout.write(renderList(format, items, { headers: HEADERS, columns: Object.keys(HEADERS) }));
	return 0;
};

/** `mydocker context show` */
export const show: Action<object> = (session) => {
	session.output.line(chosenContext(process.env));
	return Promise.resolve(0);
};

/** `mydocker context use`: for this program alone; `docker` keeps its own. */
export const use: Action<object> = async ({ output }, [name = '']) => {
	await findContext(name);
	writeCurrentContext(process.env, name);
	output.line(name);
	const over = ['MYDOCKER_HOST', 'MYDOCKER_CONTEXT', 'MYDOCKER_ROOT'].find(
		(variable) => (process.env[variable] ?? '') !== '',
	);
	output.error(
		over === undefined
			? `Current context is now "${name}"`
			: `Warning: ${over} environment variable overrides the active context. To use "${name}", either set the global --context flag, or unset ${over} environment variable.`,
	);
	return 0;
};

/** `mydocker context inspect`: the current one without a name. */
export const inspect: Action<{ readonly format: string | undefined }> = (session, names, { format }) =>
	inspectAll(session, names.length === 0 ? [chosenContext(process.env)] : names, format, async (_session, name) => {
		const context = await findContext(name);
		const inMemory = context.folder === '';
		const object = {
			Name: context.name,
			Metadata: context.metadata,
			Endpoints: { docker: { Host: context.host, SkipTLSVerify: context.skipsVerification } },
			TLSMaterial: tlsFiles(context),
			Storage: {
				MetadataPath: inMemory ? '<IN MEMORY>' : context.folder,
				TLSPath: inMemory ? '<IN MEMORY>' : context.tlsFolder,
			},
		};
		return { object };
	});

/** Throws CommandError in docker's words. */
export async function findContext(name: string): Promise<Context> {
	const context = (await allContexts()).find((one) => one.name === name);
	if (context !== undefined) {
		return context;
	}
	if (!isContextName(name)) {
		throw new CommandError(
			`context name ${JSON.stringify(name)} is invalid, names are validated against regexp "^[a-zA-Z0-9][a-zA-Z0-9_.+-]+$"`,
		);
	}
	const file = path.join(dockerFolder(place()), 'contexts', 'meta', contextId(name), 'meta.json');
	throw new CommandError(`context "${name}": context not found: open ${file}: no such file or directory`);
}

async function allContexts(): Promise<Context[]> {
	const contexts = await readContexts(place());
	return [ownContext(), ...contexts.filter(({ name }) => name !== OWN_CONTEXT)];
}

function ownContext(): Context {
	const socket = path.join(process.env['MYDOCKER_ROOT'] || defaultRoot(process.env), 'run', 'api.sock');
	return {
		name: OWN_CONTEXT,
		description: "MyDocker's own engine, started when it is needed",
		host: `unix://${socket}`,
		endpoint: { kind: 'unix', path: socket },
		problem: undefined,
		folder: '',
		tlsFolder: '',
		metadata: {},
		skipsVerification: false,
	};
}

function tlsFiles({ endpoint }: Context): Record<string, string[]> {
	const tls = endpoint?.kind === 'tcp' ? endpoint.tls : undefined;
	const files = [tls?.ca, tls?.cert, tls?.key].flatMap((file) => (file === undefined ? [] : [path.basename(file)]));
	return files.length === 0 ? {} : { docker: files };
}

function place(): Place {
	return { env: process.env, home: os.homedir() };
}
