import type { Memento } from 'vscode';
import { ApiError, type Client } from '../api/client';
import { execOutput } from '../api/exec-output';
import { pinned } from './routing-client';

/** From the best to the least. */
const SHELLS = ['bash', 'zsh', 'fish', 'ash', 'sh'];

/** How a shell is opened; "" leaves it to the image. */
export interface ShellChoice {
	/** Name or path of the program. */
	readonly shell: string;
	/** As docker takes it: "name", "uid" or "user:group". */
	readonly user: string;
	readonly workdir: string;
}

export const NO_CHOICE: ShellChoice = { shell: '', user: '', workdir: '' };

const KEY = 'terminals.choices';
/** Images whose choices are kept. */
const MOST = 50;

/** What was chosen for shells, by image, for this workspace. */
export class ShellChoices {
	constructor(private readonly memento: Memento) {}

	get(image: string): ShellChoice | undefined {
		return this.all.find(([name]) => name === image)?.[1];
	}

	/** Keeps it; what leaves all to the image is forgotten. */
	async set(image: string, choice: ShellChoice): Promise<void> {
		const others = this.all.filter(([name]) => name !== image);
		const isChosen = Object.values(choice).some((value) => value !== '');
		await this.memento.update(KEY, [...(isChosen ? [[image, choice]] : []), ...others].slice(0, MOST));
	}

	private get all(): readonly (readonly [string, ShellChoice])[] {
		return this.memento.get<readonly (readonly [string, ShellChoice])[]>(KEY, []);
	}
}

/** What a container may say of its shells: bytes and milliseconds. */
const LONGEST_ANSWER = { most: 4096, within: 10_000 };

/** Names or paths of the shells that a running container has, the best first; empty when it has none. */
export async function shellsOf(client: Client, container: string): Promise<string[]> {
	const { execs } = pinned(client, container);
	const search = `for shell in ${SHELLS.join(' ')}; do command -v $shell; done; exit 0`;
	try {
		const request = { Cmd: ['sh', '-c', search], AttachStdout: true };
		const { exitCode, stdout } = await execOutput(execs, container, request, LONGEST_ANSWER);
		return exitCode === 0 ? stdout.split('\n').filter((line) => line !== '') : [];
	} catch (error) {
		// What an engine says when it cannot start a program.
		if (error instanceof ApiError && error.status === 400) {
			return [];
		}
		throw error;
	}
}
