/**
 * Prints the figures that the project promises, beside docker's in the same run.
 *
 *   npm run bench [-- NAME…]      run, memory, many, size, activate, ui, logs, net, pull; all by default
 *
 * MYDOCKER_BENCH_PULL=typical,huge measures these images only (tiny, typical, many, huge, zstd), MYDOCKER_BENCH_ROUNDS=1
 * fewer rounds, and MYDOCKER_BENCH_DISK=/dev/shm puts the disks that are pulled to in memory.
 *
 * MYDOCKER_BENCH_NET=root or rootless measures the ports of one user only.
 *
 * A figure over its target is shown as such and fails nothing.
 */
import { Workspace } from '../test/engine/workspace';
import { measureActivate } from './activate';
import { table, type Figure } from './figure';
import { measureLogs } from './logs';
import { measureMany } from './many';
import { measureMemory } from './memory';
import { makeProduct, type Product } from './product';
import { measureNet } from './net';
import { measurePull } from './pull';
import { startRivals, type Rivals } from './rivals';
import { measureRun } from './run';
import { measureSize } from './size';
import { measureUi } from './ui';

interface Bench {
	readonly workspace: Workspace;
	/** Made at the first call. */
	readonly product: () => Product;
	/** Starts the engines at the first call. */
	readonly rivals: () => Promise<Rivals>;
}

const benches: Readonly<Record<string, (bench: Bench) => Figure[] | Promise<Figure[]>>> = {
	size: ({ product }) => measureSize(product()),
	activate: ({ workspace, product }) => measureActivate(workspace, product()),
	ui: ({ workspace, product }) => measureUi(workspace, product()),
	run: async ({ rivals }) => measureRun(await rivals()),
	memory: async ({ rivals }) => measureMemory(await rivals()),
	many: async ({ workspace, rivals }) => measureMany(workspace, await rivals()),
	logs: async ({ rivals }) => measureLogs(await rivals()),
	net: ({ workspace }) => measureNet(workspace),
	pull: ({ workspace, product }) => measurePull(workspace, product()),
};

async function main(names: readonly string[]): Promise<void> {
	const unknown = names.filter((name) => !(name in benches));
	if (unknown.length > 0) {
		throw new Error(`Cannot measure "${unknown.join(' ')}": there are ${Object.keys(benches).join(', ')}`);
	}
	const workspace = new Workspace('bench');
	try {
		let made: Product | undefined;
		const product = (): Product => (made ??= makeProduct(workspace));
		let started: Promise<Rivals> | undefined;
		const rivals = (): Promise<Rivals> => (started ??= startRivals(workspace, product()));
		const figures: Figure[] = [];
		for (const [name, measure] of Object.entries(benches)) {
			if (names.length === 0 || names.includes(name)) {
				process.stderr.write(`Measuring ${name}…\n`);
				figures.push(...(await measure({ workspace, product, rivals })));
			}
		}
		process.stdout.write(`${table(figures)}\n`);
	} finally {
		await workspace.dispose();
	}
}

main(process.argv.slice(2)).catch((error: unknown) => {
	process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
	process.exitCode = 1;
});
