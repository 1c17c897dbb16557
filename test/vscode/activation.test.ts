import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import * as path from 'node:path';
import * as vscode from 'vscode';
import { extension, tell, until } from './extension';

interface Manifest {
	readonly contributes: { readonly commands: readonly { readonly command: string }[] };
}

describe('activation', () => {
	it('activate: starts nothing and leaves the list for later', async () => {
		const isFirst = !extension().isActive;
		const { model } = await extension().activate();
		if (isFirst) {
			assert.equal(model.state, 'idle');
		}
	});

	it('the code: is loaded within the budget of 50 ms of CPU', function () {
		// Activation itself cannot be told from what else the host does meanwhile; loading is one synchronous call.
		const file = path.join(extension().extensionPath, 'dist', 'extension.js');
		const load = createRequire(file);
		const costs = Array.from({ length: 5 }, () => {
			Reflect.deleteProperty(load.cache, file);
			const before = process.cpuUsage();
			load(file);
			const { user, system } = process.cpuUsage(before);
			return (user + system) / 1000;
		}).sort((a, b) => a - b);
		tell(this, `${costs.map((cost) => cost.toFixed(1)).join(', ')} ms`);
		assert.ok((costs[2] ?? Infinity) < 50, costs.join());
	});

	it('commands: those of package.json are there', async () => {
		const { contributes } = extension().packageJSON as Manifest;
		const declared = contributes.commands.map(({ command }) => command);
		const registered = new Set(await vscode.commands.getCommands(true));
		assert.deepEqual(
			declared.filter((id) => !registered.has(id)),
			[],
		);
	});

	it('views: looking at them starts the engine and fills them', async () => {
		const { model } = await extension().activate();
		await vscode.commands.executeCommand('mydocker.containers.focus');
		await vscode.commands.executeCommand('mydocker.images.focus');
		await until(
			'the model is ready',
			() => model.state === 'ready',
			() => `${model.state} ${String(model.failure)}`,
		);
	});

	it('an action on nothing: fails with a message, not with an exception', async () => {
		assert.equal(await vscode.commands.executeCommand('mydocker.container.start', 'no-such-container'), undefined);
	});
});
