// Running with choices, making a container anew, and logs in an editor: click by click.
//   MYDOCKER_TEST_REGISTRY   "localhost:PORT", holding the demo images
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { freePort } from '../../scripts/background.mjs';
import { openVSCode, photographFailures } from './session.mjs';

const image = `${process.env.MYDOCKER_TEST_REGISTRY}/demo/web`;

describe('a person runs with choices and reads logs in an editor', function () {
	this.bail(true);
	let session;
	let workbench;
	let port;

	before(async () => {
		session = await openVSCode({ settings: { 'mydocker.logs.showOnRun': false } });
		workbench = session.workbench;
		port = await freePort();
	});
	after(() => session?.close());

	const mydocker = (...args) => session.mydocker(...args);
	photographFailures(() => session);

	it('run: a list of what is chosen, of which any part can be changed before Enter', async () => {
		await workbench.openMyDocker();
		await workbench.clickWelcomeLink('images', 'Pull');
		await workbench.typeInQuickInput(image);
		await workbench.waitForRow('images', 'demo/web:latest');
		await workbench.clickInlineAction('images', 'demo/web', 'mydocker.image.run');
		await workbench.typeInQuickInput('site');
		assert.match(await workbench.waitForQuickInput(/Environment/), /8123\/tcp, or the next free/);
		await workbench.pick('Ports');
		await workbench.waitForQuickInput(/host:container/);
		await workbench.typeInQuickInput(`${port}:8123`);
		await workbench.waitForQuickInput(new RegExp(`${port}:8123`));
		await workbench.acceptQuickInput();
		await workbench.waitForRow('containers', 'running');
		await workbench.expandRow('containers', 'site');
		assert.equal((await workbench.waitForRow('containers', '→ 8123/tcp')).label, `127.0.0.1:${port}`);
	});

	it('run: a port that another container has is told while it is typed', async () => {
		await workbench.clickInlineAction('images', 'demo/web', 'mydocker.image.run');
		await workbench.typeInQuickInput('second');
		await workbench.waitForQuickInput(/Environment/);
		await workbench.pick('Ports');
		await workbench.waitForQuickInput(/host:container/);
		await workbench.typeInQuickInput(`${port}:8123`);
		await workbench.waitForQuickInput(new RegExp(`container site has port ${port}`));
		// Escape goes back to the list, a second one leaves it.
		await workbench.page.keyboard.press('Escape');
		await workbench.waitForQuickInput(/Environment/);
		await workbench.leaveQuickInput();
	});

	it('run: an environment file and a folder of the workspace', async () => {
		fs.writeFileSync(path.join(session.folder, '.env'), 'MODE=dev\n');
		await workbench.clickInlineAction('images', 'demo/web', 'mydocker.image.run');
		await workbench.typeInQuickInput('mounted');
		await workbench.waitForQuickInput(/Environment file/);
		await workbench.typeInQuickInput('Environment file');
		await workbench.waitForQuickInput(/Another file/);
		await workbench.typeInQuickInput('.env');
		await workbench.waitForQuickInput(/workspace\/\.env/);
		await workbench.typeInQuickInput('Folders and volumes');
		await workbench.waitForQuickInput(/Another folder/);
		await workbench.typeInQuickInput(session.folder);
		await workbench.waitForQuickInput(/Path inside the container/);
		await workbench.typeInQuickInput('/src:ro');
		await workbench.waitForQuickInput(/:\/src:ro/);
		await workbench.acceptQuickInput();
		await workbench.waitForRow('containers', /mounted.*running/);
		const [{ Config: config, HostConfig: host }] = JSON.parse(mydocker('inspect', 'mounted'));
		assert.ok(config.Env.includes('MODE=dev'), config.Env.join());
		assert.deepEqual(host.Binds, [`${session.folder}:/src:ro`]);
		mydocker('rm', '-f', 'mounted');
		await workbench.waitForNoRow('containers', 'mounted');
	});

	it('preset: is kept in the settings of the workspace, and offered', async () => {
		await workbench.clickInlineAction('images', 'demo/web', 'mydocker.image.run');
		await workbench.typeInQuickInput('preset');
		await workbench.waitForQuickInput(/Environment/);
		await workbench.pick('Save as preset');
		await workbench.waitForQuickInput(/Name of the preset/);
		await workbench.typeInQuickInput('my page');
		await workbench.waitForNotification(/Saved the preset/);
		const settings = JSON.parse(fs.readFileSync(path.join(session.folder, '.vscode/settings.json'), 'utf8'));
		assert.equal(settings['mydocker.run.presets']['my page'].image.includes('demo/web'), true);
		await workbench.leaveQuickInput();
		await workbench.clickViewAction('containers', 'mydocker.container.run');
		assert.match(await workbench.waitForQuickInput(/Presets/), /my page/);
		await workbench.leaveQuickInput();
	});

	it('edit and recreate: the container comes back with what was changed', async () => {
		await workbench.clickContextMenu('containers', 'site', 'mydocker.container.recreate');
		await workbench.waitForQuickInput(/Stop, remove and run anew/);
		await workbench.pick('Environment');
		await workbench.waitForQuickInput(/NAME=value/);
		await workbench.typeInQuickInput('GREETING=hello');
		await workbench.waitForQuickInput(/GREETING/);
		await workbench.acceptQuickInput();
		const environment = () =>
			JSON.parse(mydocker('inspect', 'site'))[0]?.Config.Env.filter((line) => line.startsWith('GREETING')) ?? [];
		const deadline = Date.now() + 30_000;
		let found = [];
		while (found.length === 0 && Date.now() < deadline) {
			// Between the old one and the new one there is none of this name.
			found = mydocker('ps', '-aq', '--filter', 'name=^site$') === '' ? [] : environment();
		}
		assert.deepEqual(found, ['GREETING=hello']);
		// The old one is there beside the new one until the new one runs.
		await workbench.until(
			'the new one alone is left',
			() => mydocker('ps', '-aq') === mydocker('ps', '-q', '--filter', 'name=^site$'),
		);
		await workbench.until('its row alone is left', async () => {
			const rows = (await workbench.rows('containers')).filter(({ label }) => label.startsWith('site'));
			return rows.length === 1 && rows[0].label === 'site' && rows[0].description.includes('running');
		});
		assert.deepEqual(await workbench.errors(), []);
	});

	it('change limits: of a container that goes on running', async () => {
		await workbench.clickContextMenu('containers', 'site', 'mydocker.container.limits');
		await workbench.waitForQuickInput(/Memory/);
		await workbench.typeInQuickInput('64m');
		await workbench.waitForQuickInput(/CPUs/);
		await workbench.typeInQuickInput('0.5');
		await workbench.waitForQuickInput(/unless it was stopped/);
		await workbench.pick('unless-stopped');
		await workbench.waitForNoQuickInput();
		const limits = () => {
			const [{ State: state, HostConfig: host }] = JSON.parse(mydocker('inspect', 'site'));
			return [state.Status, host.Memory, host.NanoCpus, host.RestartPolicy.Name].join();
		};
		const wanted = `running,${64 * 1024 ** 2},500000000,unless-stopped`;
		const deadline = Date.now() + 30_000;
		while (limits() !== wanted && Date.now() < deadline);
		assert.equal(limits(), wanted);
		assert.deepEqual(await workbench.errors(), []);
	});

	it('logs in an editor: follow, and a filter leaves only the wanted lines', async () => {
		await workbench.clickContextMenu('containers', 'site', 'mydocker.container.openLogs');
		await workbench.waitForEditor(/web: tick 2\b/);
		await workbench.runCommand('mydocker.log.filter');
		await workbench.waitForQuickInput(/Only lines with/);
		await workbench.pick('Only lines with');
		await workbench.waitForQuickInput(/Text, upper and lower case/);
		await workbench.typeInQuickInput('listening');
		await workbench.leaveQuickInput();
		const text = await workbench.waitForEditor(/^web: listening on[^\n]*$/);
		assert.doesNotMatch(text, /tick/);
		await session.page.locator('.codelens-decoration', { hasText: 'Filtered: with “listening”' }).waitFor();
	});

	it('logs: a wrong regular expression is told while it is typed, and the old filter stays', async () => {
		await workbench.runCommand('mydocker.log.filter');
		await workbench.waitForQuickInput(/Only lines with/);
		await workbench.pick('Only lines with');
		await workbench.waitForQuickInput(/Text, upper and lower case/);
		await workbench.page.locator('.quick-input-widget:visible [aria-label="Take as Regular Expression"]').click();
		await workbench.waitForQuickInput(/Regular expression, upper and lower case/);
		await workbench.typeInQuickInput('tick (\\d+');
		await workbench.waitForQuickInput(/This is not a regular expression: .*[Uu]nterminated group/);
		await workbench.fillQuickInput('tick [12]$');
		await workbench.waitForQuickInput(/alike; nothing for all lines/);
		await workbench.leaveQuickInput();
		await session.page.locator('.codelens-decoration', { hasText: 'Filtered: with “listening”' }).waitFor();
		assert.match(await workbench.waitForEditor(/^web: listening on/), /^web: listening on[^\n]*$/);
	});

	it('doctor: says that the engine works', async () => {
		await workbench.runCommand('mydocker.engine.doctor');
		assert.match((await workbench.waitForRow('engine', 'Runtime')).spoken, /Runtime, works: (runc|crun)/);
	});
});
