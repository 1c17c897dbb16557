import { l10n, QuickPickItemKind, ThemeIcon, window, type QuickPickItem } from 'vscode';
import { ApiError, type Client } from '../api/client';
import type { HostConfigJson } from '../api/types';
import { splitArguments } from './arguments';
import { ask, BACK } from './ask';
import { drawImage } from './image-rows';
import { isContainerName, suggestName } from './names';
import type { Model } from './model';
import type { Parts } from './parts';
import { loadOrThrow } from './pick';
import { pullImage } from './pull';
import { settings } from './settings';

/** What a person says about a new container. */
export interface RunChoices {
	/** The engine makes one up when there is none. */
	readonly name?: string;
	/** Instead of the image's own command. */
	readonly command?: readonly string[];
}

/**
 * Run…: asks for the image when it has none, for a name and a command unless `choices` are given, then creates and
 * starts a container and follows its log. Enter twice takes the defaults. Gives the container's id, undefined when the
 * user left.
 */
export async function runContainer(parts: Parts, given?: unknown, choices?: unknown): Promise<string | undefined> {
	const { client, model, logs } = parts;
	await loadOrThrow(model);
	const image = typeof given === 'string' ? given : await pickImage(parts);
	if (image === undefined) {
		return undefined;
	}
	// Without an image the arguments are VS Code's, not a caller's.
	const chosen = typeof given === 'string' && isChoices(choices) ? choices : await askChoices(model, image);
	if (chosen === undefined) {
		return undefined;
	}
	return model.during([image], async () => {
		const id = await createContainer(client, image, chosen);
		await client.containers.start(id);
		if (settings.showLogsOnRun) {
			await logs.show(id);
		}
		return id;
	});
}

/** Every port that the image exposes can be reached on this machine's loopback, and from nowhere else. */
async function createContainer(client: Client, image: string, choices: RunChoices): Promise<string> {
	const { Config: config } = await client.images.inspect(image);
	const body = { Image: image, ...(choices.command?.length ? { Cmd: choices.command } : {}) };
	const options = choices.name ? { name: choices.name } : {};
	const bindings = loopbackBindings(Object.keys(config.ExposedPorts ?? {}));
	try {
		const { Id: id } = await client.containers.create({ ...body, HostConfig: { PortBindings: bindings } }, options);
		return id;
	} catch (error) {
		// A machine without bridge networks: the container shares the host's, where its ports are there anyway.
		if (error instanceof ApiError && error.code === 'unsupported') {
			return (await client.containers.create(body, options)).Id;
		}
		throw error;
	}
}

/** The same number on the host, or the next that is free. */
function loopbackBindings(ports: readonly string[]): NonNullable<HostConfigJson['PortBindings']> {
	return Object.fromEntries(
		ports.map((port) => [port, [{ HostIp: '127.0.0.1', HostPort: `${Number.parseInt(port)}-65535` }]]),
	);
}

function isChoices(value: unknown): value is RunChoices {
	return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** An image that is here, or one that is pulled first. */
async function pickImage(parts: Parts): Promise<string | undefined> {
	const { model } = parts;
	const used = new Set(model.containers.map((container) => container.imageId));
	const pullFirst: QuickPickItem = {
		label: l10n.t('Pull another image…'),
		iconPath: new ThemeIcon('cloud-download'),
	};
	const choices = model.images.map((row) => {
		const drawing = drawImage(row, { model, isUsed: used.has(row.id) });
		return {
			key: row.name,
			label: drawing.label,
			description: drawing.description,
			iconPath: new ThemeIcon(drawing.icon),
		};
	});
	const separator: QuickPickItem = { label: '', kind: QuickPickItemKind.Separator };
	const picked = await window.showQuickPick<QuickPickItem>(
		choices.length === 0 ? [pullFirst] : [...choices, separator, pullFirst],
		{ title: l10n.t('Run Container'), placeHolder: l10n.t('Image to run'), matchOnDescription: true },
	);
	if (picked === pullFirst) {
		return pullImage(parts);
	}
	return picked === undefined || !('key' in picked) ? undefined : String(picked.key);
}

async function askChoices(model: Model, image: string): Promise<RunChoices | undefined> {
	const label = model.image(image)?.tag ?? image;
	const title = l10n.t('Run {0}', label);
	const taken = new Set(model.containers.map((row) => row.name));
	let name = suggestName(label, taken);
	for (;;) {
		const answer = await ask({
			title,
			step: [1, 2],
			prompt: l10n.t('Name of the container, or nothing for a made-up one'),
			value: name,
			check: (value, isFinal) => nameMessage(value, taken, isFinal),
		});
		if (typeof answer !== 'string') {
			return undefined;
		}
		name = answer;
		const command = await ask({
			title,
			step: [2, 2],
			prompt: l10n.t('Command, or nothing for the one of the image'),
			placeholder: l10n.t('for example: sh -c "echo hello"'),
			check: (value, isFinal) =>
				isFinal && splitArguments(value) === undefined ? l10n.t('A quotation mark is not closed') : undefined,
		});
		if (command !== BACK) {
			return command === undefined ? undefined : { name, command: splitArguments(command) ?? [] };
		}
	}
}

function nameMessage(value: string, taken: ReadonlySet<string>, isFinal: boolean): string | undefined {
	if (value === '' || (value.length === 1 && !isFinal)) {
		return undefined;
	}
	if (!isContainerName(value)) {
		return l10n.t('A name has at least two letters, digits, "_", "." or "-", and begins with a letter or a digit');
	}
	return taken.has(value) ? l10n.t('Another container has this name') : undefined;
}
