// Restricted Mode: in a folder that nobody trusts nothing starts, and each view says so with the one next step.
//   MYDOCKER_TEST_REGISTRY   "localhost:PORT", holding the demo images
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { promisify } from 'node:util';
import { openVSCode, photographFailures } from './session.mjs';
import { commandWords } from './workbench.mjs';

describe('a person opens a folder that is not trusted', function () {
	this.bail(true);
	let session;
	let workbench;
	/** In front of the registry; counts the connections. */
	let door;
	let calls = 0;

	before(async () => {
		const [host, port] = process.env.MYDOCKER_TEST_REGISTRY.replace('localhost', '127.0.0.1').split(':');
		door = net.createServer((near) => {
			calls++;
			const far = net.connect(Number(port), host);
			near.pipe(far).pipe(near);
			near.on('error', () => far.destroy());
			far.on('error', () => near.destroy());
		});
		door.listen(0, '127.0.0.1');
		await once(door, 'listening');
		session = await openVSCode({
			asksForTrust: true,
			settings: {
				'security.workspace.trust.startupPrompt': 'never',
				'security.workspace.trust.banner': 'never',
				'mydocker.images.checkForNewer': true,
			},
		});
		workbench = session.workbench;
	});
	after(async () => {
		await session?.close();
		door?.close();
	});
	photographFailures(() => session);

	/** Programs with this store on their command line or in their environment's way: our engine and what it starts. */
	const ours = () =>
		fs.readdirSync('/proc').filter((pid) => {
			try {
				return /^\d+$/.test(pid) && fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(session.store);
			} catch (error) {
				if (error.code === 'ENOENT' || error.code === 'ESRCH') {
					return false; // it has ended meanwhile
				}
				throw error;
			}
		});

	it('every view says that nothing starts, and how to trust the folder', async () => {
		await workbench.openMyDocker();
		for (const view of ['containers', 'images', 'networks', 'volumes', 'engine']) {
			await workbench.openView(view);
			assert.match(
				await workbench.waitForWelcome(view, /starts nothing while this workspace is not trusted/),
				/Manage Workspace Trust/,
			);
		}
	});

	it('commands are not offered', async () => {
		await workbench.page.keyboard.press('F1');
		await workbench.fillQuickInput(`>${commandWords('mydocker.image.pull').title}`);
		await workbench.waitForQuickInput(/No matching|similar/i);
		await workbench.leaveQuickInput();
	});

	it('nothing of ours runs, and there is no store', async () => {
		assert.deepEqual(ours(), []);
		assert.equal(fs.existsSync(path.join(session.store, 'run')), false);
		assert.deepEqual(await workbench.errors(), []);
		await workbench.page.screenshot({ path: 'out/ui/restricted.png' });
	});

	it('no registry is asked for newer images, even while an engine runs that has some', async () => {
		const extensions = path.join(session.temporary, 'vscode/extensions');
		const name = fs.readdirSync(extensions).find((each) => each.startsWith('mydocker.mydocker'));
		const program = path.join(extensions, name, 'dist/cli.js');
		const image = `localhost:${door.address().port}/demo/web`;
		await promisify(execFile)(process.execPath, [program, '--root', session.store, 'pull', '-q', image]);
		assert.notEqual(calls, 0);
		calls = 0;
		assert.notDeepEqual(ours(), []);
		await workbench.waitForWelcome('images', /starts nothing while this workspace is not trusted/);
		assert.equal(calls, 0);
		process.kill(JSON.parse(fs.readFileSync(path.join(session.store, 'run/engine.json'), 'utf8')).pid);
		await workbench.until('the engine has ended', () => ours().length === 0);
	});

	it('trusting the folder starts the engine, the views fill, and newer images are asked for', async () => {
		assert.equal(calls, 0);
		await workbench.clickWelcomeLink('containers', 'Manage Workspace Trust');
		const trust = workbench.page.locator('.workspace-trust-editor .monaco-button', { hasText: /^Trust$/ });
		await trust.first().click({ timeout: 60_000 });
		await workbench.waitForRow('images', 'demo/web:latest');
		await workbench.waitForRow('networks', 'bridge');
		assert.notDeepEqual(ours(), []);
		await workbench.until('the registry is asked', () => calls > 0);
	});
});
