// Restricted Mode: in a folder that nobody trusts nothing starts, and each view says so with the one next step.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { openVSCode, photographFailures } from './session.mjs';
import { commandWords } from './workbench.mjs';

describe('a person opens a folder that is not trusted', function () {
	this.bail(true);
	let session;
	let workbench;

	before(async () => {
		session = await openVSCode({
			asksForTrust: true,
			settings: { 'security.workspace.trust.startupPrompt': 'never', 'security.workspace.trust.banner': 'never' },
		});
		workbench = session.workbench;
	});
	after(() => session?.close());
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

	it('trusting the folder starts the engine, and the views fill', async () => {
		await workbench.clickWelcomeLink('containers', 'Manage Workspace Trust');
		const trust = workbench.page.locator('.workspace-trust-editor .monaco-button', { hasText: /^Trust$/ });
		await trust.first().click({ timeout: 60_000 });
		await workbench.waitForWelcome('images', /No images yet/);
		await workbench.waitForRow('networks', 'bridge');
		assert.notDeepEqual(ours(), []);
	});
});
