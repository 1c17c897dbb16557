import { l10n, window } from 'vscode';
import { ask } from './ask';
import type { Parts } from './parts';
import { containersFor } from './pick';
import { nameMessage, pickRestart } from './run-form';
import { EMPTY_PLAN, parseSize } from '../api/run-plan';
import { isAlive } from './rows';

type Needs = Pick<Parts, 'client' | 'model'>;

/** Of kill(1), what people send to containers; the first is docker's default. */
const SIGNALS = ['SIGKILL', 'SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2'];
/** Docker's least memory of a container. */
const LEAST_MEMORY = 6 * 1024 ** 2;

/** Rename Container…: `name` is asked for unless a caller hands it in. */
export async function renameContainer({ client, model }: Needs, first?: unknown, name?: unknown): Promise<void> {
	const [id] = await containersFor(model, [first], {
		title: l10n.t('Rename Container'),
		none: l10n.t('There are no containers yet.'),
	});
	const target = id === undefined ? undefined : typeof name === 'string' ? name : await askNewName(model, id);
	if (id !== undefined && target !== undefined) {
		await model.act(id, () => client.containers.rename(id, target));
	}
}

async function askNewName(model: Parts['model'], id: string): Promise<string | undefined> {
	const value = model.container(id)?.name ?? '';
	const taken = new Set(model.containers.filter((row) => row.id !== id).map((row) => row.name));
	const answer = await ask({
		title: l10n.t('Rename {0}', value),
		prompt: l10n.t('New name of the container'),
		value,
		selection: [0, value.length],
		check: (typed, isFinal) =>
			typed === '' && isFinal ? l10n.t('Type a name') : nameMessage(typed, taken, isFinal),
	});
	return typeof answer === 'string' && answer !== value ? answer : undefined;
}

/** Kill Container…: sends a signal, which a person picks unless a caller hands it in. */
export async function killContainers({ client, model }: Needs, ...called: unknown[]): Promise<void> {
	const ids = await containersFor(model, called, {
		title: l10n.t('Kill Container'),
		none: l10n.t('No container is running.'),
		fits: (row) => isAlive(row.state),
	});
	const [, given] = called;
	const killSignal = ids.length === 0 ? undefined : typeof given === 'string' ? given : await pickSignal();
	if (killSignal !== undefined) {
		await Promise.all(ids.map((id) => model.act(id, () => client.containers.kill(id, { killSignal }))));
	}
}

async function pickSignal(): Promise<string | undefined> {
	const words: Readonly<Record<string, string>> = {
		SIGKILL: l10n.t('ends it at once; it cannot save anything'),
		SIGTERM: l10n.t('asks it to end'),
		SIGINT: l10n.t('as Ctrl+C in a terminal'),
		SIGHUP: l10n.t('many servers read their settings again'),
	};
	const items = SIGNALS.map((label) => ({ label, description: words[label] ?? '' }));
	return (await window.showQuickPick(items, { title: l10n.t('Signal to Send') }))?.label;
}

/** Change Limits…: memory, CPUs and restart policy of a container that goes on meanwhile. */
export async function changeLimits({ client, model }: Needs, first?: unknown): Promise<void> {
	const [id] = await containersFor(model, [first], {
		title: l10n.t('Change Limits'),
		none: l10n.t('There are no containers yet.'),
	});
	if (id === undefined) {
		return;
	}
	const { HostConfig: host } = await client.containers.inspect(id);
	const title = l10n.t('Limits of {0}', model.container(id)?.name ?? id);
	const memory = await askMemory(title, host.Memory ?? 0);
	const cpus = memory === undefined ? undefined : await askCpus(title, host.NanoCpus ?? 0);
	const current = host.RestartPolicy?.Name ?? '';
	const plan = cpus === undefined ? undefined : await pickRestart({ ...EMPTY_PLAN, restart: current });
	if (memory === undefined || cpus === undefined || plan === undefined) {
		return;
	}
	const restart = plan.restart || 'no';
	await model.act(id, () =>
		client.containers.update(id, {
			// Docker gives a new container as much swap again, and refuses a limit above the one of both.
			...(memory === 0 ? {} : { Memory: memory, MemorySwap: 2 * memory }),
			...(cpus === 0 ? {} : { NanoCpus: cpus }),
			...(restart === (current || 'no') ? {} : { RestartPolicy: { Name: restart, MaximumRetryCount: 0 } }),
		}),
	);
}

/** Bytes, 0 to leave it as it is. */
async function askMemory(title: string, bytes: number): Promise<number | undefined> {
	const answer = await ask({
		title,
		step: [1, 3],
		prompt: l10n.t('Memory, such as 512m or 2g; nothing leaves it as it is'),
		value: bytes === 0 ? '' : `${Math.round(bytes / 1024 ** 2)}m`,
		check: (value, isFinal) =>
			isFinal && value !== '' && (parseSize(value) ?? 0) < LEAST_MEMORY
				? l10n.t('Type a size of at least 6m')
				: undefined,
	});
	return typeof answer === 'string' ? (parseSize(answer) ?? 0) : undefined;
}

/** Billionths of a CPU, 0 to leave them as they are. */
async function askCpus(title: string, nanoCpus: number): Promise<number | undefined> {
	const answer = await ask({
		title,
		step: [2, 3],
		prompt: l10n.t('CPUs, such as 0.5 or 2; nothing leaves them as they are'),
		value: nanoCpus === 0 ? '' : String(nanoCpus / 1e9),
		check: (value, isFinal) =>
			isFinal && value !== '' && !/^\d*\.?\d+$/.test(value) ? l10n.t('Type a number') : undefined,
	});
	return typeof answer === 'string' ? Math.round(Number(answer) * 1e9) : undefined;
}
