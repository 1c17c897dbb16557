/** `docker commit`: an image from a container's own files and settings. */
import { nowNanoseconds, rfc3339 } from '../events';
import { EngineError } from '../errors';
import type { Container, Image } from '../types';
import { applyChanges } from './changes';
import type { RunConfiguration } from './changes';
import type { Images } from './images';
import type { StoredLayer } from './assembly';

export interface CommitOptions {
	readonly author: string;
	readonly message: string;
	readonly changes: readonly string[];
	/** "repository:tag"; "" leaves the image without a name. */
	readonly name: string;
	readonly signal: AbortSignal;
}

/** Makes the image; `upper` is what the container has written. Throws EngineError `Cannot commit container …`. */
export async function commitImage(
	images: Images,
	container: Container,
	{ upper, ...options }: CommitOptions & { readonly upper: string },
): Promise<Image> {
	const base = images.parts(container.image_id);
	const { config } = container;
	const document = base.configuration;
	const changed = applyChanges(runConfiguration(container, document), options.changes);
	const name = options.name === '' ? undefined : images.tagName(options.name);
	try {
		return await images.assemble(async (assembly) => {
			const { signal } = options;
			assembly.keep(base.layers);
			const layer = await assembly.layer({ kind: 'upper', path: upper }, { signal });
			const created = rfc3339(nowNanoseconds());
			const history = {
				created,
				created_by: config.command.join(' '),
				...(options.author === '' ? {} : { author: options.author }),
				...(options.message === '' ? {} : { comment: options.message }),
			};
			const bytes = Buffer.from(
				JSON.stringify({
					...document,
					created,
					author: options.author,
					// A base that docker made has its own here.
					comment: options.message,
					config: changed,
					container: container.id,
					history: [...historyOf(document, base.layers), history],
					rootfs: { type: 'layers', diff_ids: [...base.layers.map(({ diffId }) => diffId), layer.diffId] },
				}),
			);
			const image = assembly.image(bytes, [...base.layers, layer]);
			if (name !== undefined) {
				assembly.tag(image, name);
			}
			return image;
		});
	} catch (error) {
		options.signal.throwIfAborted();
		throw error instanceof EngineError
			? new EngineError(error.code, `Cannot commit container "${container.name}": ${error.message}`, {
					cause: error,
				})
			: error;
	}
}

/** An image may leave its history out; then its layers count as one entry each. */
function historyOf(document: Readonly<Record<string, unknown>>, layers: readonly StoredLayer[]): unknown[] {
	const { history } = document;
	return Array.isArray(history) && history.length > 0 ? history : layers.map(() => ({}));
}

function runConfiguration(container: Container, document: Readonly<Record<string, unknown>>): RunConfiguration {
	const { config, labels } = container;
	const base = (document['config'] ?? {}) as RunConfiguration;
	const ports = Object.fromEntries(config.network.exposed_ports.map((port) => [port, {}]));
	return {
		...base,
		User: config.user,
		...(Object.keys(ports).length === 0 ? {} : { ExposedPorts: ports }),
		Env: config.env,
		Entrypoint: config.entrypoint.length === 0 ? null : config.entrypoint,
		Cmd: config.command.length === 0 ? null : config.command,
		WorkingDir: config.working_dir,
		Labels: labels,
		// As docker: what the base wants done in builds is not handed on.
		OnBuild: null,
	};
}
