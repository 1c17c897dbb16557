import { l10n, QuickPickItemKind, ThemeIcon, window, type Memento, type QuickPickItem } from 'vscode';
import { ask, BACK, type Question } from './ask';
import { bare } from './engine-keys';
import { partsAt } from './one-engine';
import type { Parts } from './parts';
import { pullImage } from './pull';
import { NO_CHOICE, shellsOf, type ShellChoice } from './shells';
import { runningContainers } from './terminals';

/** Open Terminal: a shell in each container. */
export async function openTerminals({ model, terminals }: Parts, ...called: unknown[]): Promise<void> {
	for (const id of await runningContainers(model, called, l10n.t('Open Terminal'))) {
		terminals.openShell(id);
	}
}

/** Open Terminal As…: asks for user, folder and shell; the next terminals of the image are opened so as well. */
export async function openTerminalAs({ client, model, terminals }: Parts, ...called: unknown[]): Promise<void> {
	const title = l10n.t('Open Terminal As');
	const [id] = await runningContainers(model, called, title);
	if (id === undefined) {
		return;
	}
	const image = terminals.imageOf(id);
	const { Config } = await client.containers.inspect(id);
	const choice = await askChoice(title, {
		before: terminals.choices.get(image) ?? NO_CHOICE,
		user: Config.User || 'root',
		workdir: Config.WorkingDir || '/',
		shells: await shellsOf(client, id),
	});
	if (choice !== undefined) {
		await terminals.choices.set(image, choice);
		terminals.openShell(id);
	}
}

/** Debug Shell…: a shell of another image beside a container, for one that has none. */
export async function openDebugShell(parts: Parts, ...called: unknown[]): Promise<void> {
	const { terminals, globalMemento } = parts;
	const title = l10n.t('Debug Shell');
	const [id] = await runningContainers(parts.model, called, title);
	// A second argument that is no list of rows is a caller's image.
	const given = typeof called[1] === 'string' ? called[1] : undefined;
	if (id === undefined) {
		return;
	}
	// The image has to be on the container's engine.
	const there = partsAt(parts, id);
	const picked = given ?? (await pickDebugImage(there, title));
	if (picked === undefined) {
		return;
	}
	const image = there.model.image(picked) === undefined ? await pullImage(there, picked || undefined) : picked;
	if (image !== undefined) {
		await globalMemento.update(DEBUG_IMAGE, bare(image));
		terminals.openDebugShell(id, image);
	}
}

/** Attach Terminal: what the container itself shows and reads. */
export async function attachTerminals({ model, terminals }: Parts, ...called: unknown[]): Promise<void> {
	for (const id of await runningContainers(model, called, l10n.t('Attach Terminal'))) {
		terminals.attach(id);
	}
}

interface Known {
	readonly before: ShellChoice;
	/** What the image says. */
	readonly user: string;
	readonly workdir: string;
	/** Of the container. */
	readonly shells: readonly string[];
}

/** Undefined when the person leaves. */
async function askChoice(title: string, known: Known): Promise<ShellChoice | undefined> {
	let choice = known.before;
	const questions = questionsFor(known);
	let index = 0;
	for (let question = questions[index]; question !== undefined; question = questions[index]) {
		const { member, ...words } = question;
		const answer = await ask({ ...words, title, value: choice[member], step: [index + 1, questions.length] });
		if (answer === undefined) {
			return undefined;
		}
		if (answer === BACK) {
			index--;
		} else {
			choice = { ...choice, [member]: answer };
			index++;
		}
	}
	return choice;
}

interface MemberQuestion extends Pick<Question, 'prompt' | 'placeholder' | 'check'> {
	readonly member: keyof ShellChoice;
}

function questionsFor({ user, workdir, shells }: Known): readonly MemberQuestion[] {
	return [
		{
			member: 'user',
			prompt: l10n.t('User, or user:group; nothing for {0}', user),
			placeholder: user,
		},
		{
			member: 'workdir',
			prompt: l10n.t('Folder in the container; nothing for {0}', workdir),
			placeholder: workdir,
			check: (value, isFinal) =>
				isFinal && value !== '' && !value.startsWith('/') ? l10n.t('The path has to begin with /') : undefined,
		},
		{
			member: 'shell',
			prompt:
				shells.length === 0
					? l10n.t('Program to open')
					: l10n.t('Shell; there are {0}. Nothing for the first', shells.join(', ')),
			placeholder: shells[0] ?? '/bin/sh',
		},
	];
}

const DEBUG_IMAGE = 'debugShell.image';
/** Small, in every registry's mirror, and has what one needs to look around. */
const BUSYBOX = 'docker.io/library/busybox:latest';
/** Images that are known to have a shell. */
const WITH_SHELL = /(^|[/._-])(busybox|alpine|debian|ubuntu|fedora|netshoot|toolbox)([:@._-]|$)/;

interface ImageItem extends QuickPickItem {
	/** "" asks for a name. */
	readonly image?: string;
}

/** The image of the last time, those that are here, busybox to be pulled; "" for another one. */
async function pickDebugImage(
	parts: Pick<Parts, 'model' | 'globalMemento'>,
	title: string,
): Promise<string | undefined> {
	const items = debugImages(parts.model, parts.globalMemento);
	const picked = await window.showQuickPick(items, {
		title,
		placeHolder: l10n.t('Image whose shell and programs are used'),
		matchOnDescription: true,
	});
	return picked?.image;
}

function debugImages(model: Parts['model'], memento: Memento): ImageItem[] {
	const last = memento.get<string>(DEBUG_IMAGE);
	const rank = (name: string): number => (name === last ? 0 : WITH_SHELL.test(name) ? 1 : 2);
	const here = model.images.map(({ name }) => bare(name)).sort((a, b) => rank(a) - rank(b));
	const isHere = here.some((name) => name === last || WITH_SHELL.test(name));
	const item = (image: string, icon: string, label: string): ImageItem => ({
		image,
		label,
		iconPath: new ThemeIcon(icon),
	});
	const pulls: ImageItem[] = [
		item(BUSYBOX, 'cloud-download', l10n.t('Pull {0}', 'busybox')),
		item('', 'cloud-download', l10n.t('Pull another image…')),
	];
	const locals = here.map((name) => item(name, 'layers', name));
	const separator: ImageItem = { label: '', kind: QuickPickItemKind.Separator };
	return isHere ? [...locals, separator, ...pulls] : [...pulls, separator, ...locals];
}
