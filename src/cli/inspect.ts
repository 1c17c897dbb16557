import { ApiError } from '../api/client';
import { CommandError, TemplateError } from './errors';
import { explain } from './explain';
import type { Action } from './row';
import type { Session } from './session';
import { compileTemplate } from './template';
import type { Template } from './template';
import { CONTAINER_TYPE, IMAGE_TYPE, NETWORK_TYPE, VOLUME_TYPE } from './template-types';
import type { Type } from './template-types';

/** What is shown, and what docker calls its type, for templates. */
export interface Found {
	readonly object: object;
	readonly type?: Type;
}

export type Find = (session: Session, name: string) => Promise<Found>;

const findContainer: Find = async ({ client, signal }, name) => ({
	object: await client.containers.inspect(name, { signal }),
	type: CONTAINER_TYPE,
});
const findMeasured: Find = async ({ client, signal }, name) => ({
	object: await client.containers.inspect(name, { signal, size: true }),
	type: CONTAINER_TYPE,
});
const findImage: Find = async ({ client, signal }, name) => ({
	object: await client.images.inspect(name, { signal }),
	type: IMAGE_TYPE,
});
const findNetwork: Find = async ({ client, signal }, name) => ({
	object: await client.networks.inspect(name, { signal }),
	type: NETWORK_TYPE,
});
const findVolume: Find = async ({ client, signal }, name) => ({
	object: await client.volumes.inspect(name, { signal }),
	type: VOLUME_TYPE,
});

/** A container, an image, a network or a volume of that name, in docker's order. */
const findAny =
	(container: Find): Find =>
	async (session, name) => {
		for (const find of [container, findImage, findNetwork, findVolume]) {
			try {
				return await find(session, name);
			} catch (error) {
				if (!(error instanceof ApiError) || error.status !== 404) {
					throw error;
				}
			}
		}
		throw new CommandError(`Error: No such object: ${name}`);
	};

interface InspectFlags {
	readonly format: string | undefined;
	readonly size: boolean;
}

/** `mydocker inspect` */
export const inspect: Action<InspectFlags & { readonly type: string | undefined }> = (session, names, flags) => {
	const container = flags.size ? findMeasured : findContainer;
	const finds: Readonly<Record<string, Find>> = {
		...{ container, image: findImage, network: findNetwork, volume: findVolume },
	};
	const type = flags.type ?? '';
	const find = type === '' ? findAny(container) : Object.hasOwn(finds, type) ? finds[type] : undefined;
	if (find === undefined) {
		throw new CommandError(
			`unknown type: ${JSON.stringify(type)}: must be one of "container", "image", "network", "volume"`,
		);
	}
	return inspectAll(session, names, flags.format, find);
};

/** `mydocker container inspect` */
export const inspectContainers: Action<InspectFlags> = (session, names, flags) =>
	inspectAll(session, names, flags.format, flags.size ? findMeasured : findContainer);

/** `mydocker image inspect` */
export const inspectImages: Action<{ readonly format: string | undefined }> = (session, names, flags) =>
	inspectAll(session, names, flags.format, findImage);

/** `mydocker network inspect` */
export const inspectNetworks: Action<{ readonly format: string | undefined }> = (session, names, flags) =>
	inspectAll(session, names, flags.format, findNetwork);

/** `mydocker volume inspect` */
export const inspectVolumes: Action<{ readonly format: string | undefined }> = (session, names, flags) =>
	inspectAll(session, names, flags.format, findVolume);

/** Prints what was found, `[]` when nothing was, and then what failed. */
export async function inspectAll(
	session: Session,
	names: readonly string[],
	format: string | undefined,
	find: Find,
): Promise<number> {
	const show = objectRenderer(format);
	const found: Found[] = [];
	const failures: string[] = [];
	for (const name of names) {
		try {
			found.push(await find(session, name));
		} catch (error) {
			session.signal.throwIfAborted();
			failures.push(explain(error));
		}
	}
	session.output.stdout.write(show(found));
	failures.forEach((failure) => {
		session.output.error(failure);
	});
	return failures.length > 0 ? 1 : 0;
}

/** How objects are printed: a JSON array as docker indents it, one line of JSON, or a template a line each. */
export function objectRenderer(format: string | undefined): (found: readonly Found[]) => string {
	if (format === undefined || format === '') {
		return (found) => `${JSON.stringify(objectsOf(found), undefined, 4)}\n`;
	}
	if (format === 'json') {
		return (found) => `${JSON.stringify(objectsOf(found))}\n`;
	}
	const template = compileObjectTemplate(format);
	return (found) => found.map(({ object, type }) => `${template(object, type)}\n`).join('');
}

function objectsOf(found: readonly Found[]): object[] {
	return found.map(({ object }) => object);
}

/** A template for `--format`; what is wrong with it is CommandError in docker's words, 64 when it cannot be read. */
export function compileObjectTemplate(format: string): Template {
	const template = explaining(64, () => compileTemplate(format));
	return (data, type) => explaining(1, () => template(data, type));
}

function explaining<T>(exitCode: number, step: () => T): T {
	try {
		return step();
	} catch (error) {
		if (error instanceof TemplateError) {
			throw new CommandError(`template parsing error: ${error.message}`, exitCode);
		}
		throw error;
	}
}
