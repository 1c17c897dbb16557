// What containers use: the stats panel, figures in the rows, disk usage and events.
//   MYDOCKER_TEST_REGISTRY   "localhost:PORT", holding the demo images
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { openVSCode, photographFailures } from './session.mjs';
import { seriousProblems, webviewFrame } from './webview.mjs';

const image = `${process.env.MYDOCKER_TEST_REGISTRY}/demo/busybox`;
const patience = 60_000;
const dark = { 'workbench.colorTheme': 'Dark Modern' };

describe('a person watches what containers use', function () {
	this.bail(true);
	let session;
	let workbench;
	let frame;

	before(async () => {
		session = await openVSCode({ settings: { 'mydocker.logs.showOnRun': false } });
		workbench = session.workbench;
		await workbench.openMyDocker();
		await workbench.clickWelcomeLink('images', 'Pull');
		await workbench.typeInQuickInput(image);
		await workbench.waitForRow('images', 'demo/busybox:latest');
		// As in the window's terminal.
		mydocker(
			'run',
			'-d',
			'--name',
			'busy',
			'--memory',
			'64m',
			'--cpus',
			'0.5',
			image,
			'sh',
			'-c',
			'while :; do :; done',
		);
		await workbench.waitForRow('containers', 'running');
	});
	after(() => session?.close());
	photographFailures(() => session);

	const mydocker = (...args) => session.mydocker(...args);
	/** Waits until an element of the panel says what the pattern matches. */
	const reads = async (selector, pattern) => {
		const element = frame.locator(selector, { hasText: pattern }).first();
		await element.waitFor({ timeout: patience });
		return element.innerText();
	};
	/** Writes the settings of the workspace, as its user does; VS Code follows them at once. */
	const useSettings = (settings) => {
		const folder = path.join(session.folder, '.vscode');
		fs.mkdirSync(folder, { recursive: true });
		fs.writeFileSync(path.join(folder, 'settings.json'), JSON.stringify(settings));
	};
	const photo = async (name) => {
		if (process.env.MYDOCKER_TEST_PHOTOS) {
			await session.page.screenshot({ path: path.join(process.env.MYDOCKER_TEST_PHOTOS, `${name}.png`) });
		}
	};

	it('stats: a panel with figures that move, the limits, and the processes', async () => {
		await workbench.clickContextMenu('containers', 'busy', 'mydocker.container.stats');
		frame = await webviewFrame(session.page, '#cpu-now');
		assert.match(await reads('#state', /running/), /^running · demo\/busybox/);
		await reads('#cpu-now', /^[1-9][\d.]*%$/);
		assert.equal(await reads('#cpu-more-0', /at most/), 'of 50% at most');
		assert.match(await reads('#memory-more-0', /MB/), /^of 67\.1 MB, [\d.]+%$/);
		await reads('#processes td.long', /while :; do :; done/);
		await photo('stats-light');
	});

	it('stats: keys reach the charts, and arrows go from point to point', async () => {
		await frame.locator('#range').focus();
		await session.page.keyboard.press('Tab');
		assert.equal(await frame.evaluate(() => globalThis.document.activeElement.id), 'cpu-chart');
		await session.page.keyboard.press('ArrowLeft');
		await reads('#at', /\d:\d\d/);
		await session.page.keyboard.press('Escape');
		await frame.locator('#at:empty').waitFor({ state: 'attached', timeout: patience });
	});

	it('stats: the charts are a table as well, for who cannot see them', async () => {
		await frame.locator('#figures summary').focus();
		await session.page.keyboard.press('Enter');
		await frame.locator('#rows tr').first().waitFor({ timeout: patience });
		const cells = await frame.locator('#rows tr').first().locator('th, td').allInnerTexts();
		assert.equal(cells.length, 8);
		assert.match(cells.join(' '), /^[\d:]+ [AP]M [\d.]+% [\d.]+ [kM]?B/);
	});

	it('stats: axe finds nothing serious, in light, dark and high contrast', async () => {
		assert.deepEqual(await seriousProblems(frame), []);
		for (const [theme, body, name] of [
			['Default High Contrast Light', 'vscode-high-contrast-light', 'contrast-light'],
			['Default High Contrast', 'vscode-high-contrast:not(.vscode-high-contrast-light)', 'contrast-dark'],
			['Dark Modern', 'vscode-dark', 'dark'],
		]) {
			useSettings({ 'workbench.colorTheme': theme });
			await frame.locator(`body.${body}`).waitFor({ timeout: patience });
			assert.deepEqual(await seriousProblems(frame), [], theme);
			await photo(`stats-${name}`);
		}
	});

	it('stats: a panel that was hidden has all its points again', async () => {
		await workbench.clickContextMenu('containers', 'busy', 'mydocker.container.inspect');
		await workbench.waitForEditor(/"Id"/);
		await session.page.keyboard.press('Control+w');
		frame = await webviewFrame(session.page, '#cpu-now');
		await frame.locator('#figures summary').click({ timeout: patience });
		await frame.locator('#rows tr').nth(4).waitFor({ timeout: patience });
	});

	it('stats: come back when the window is loaded anew', async () => {
		await workbench.reload();
		frame = await webviewFrame(session.page, '#cpu-now');
		assert.match(await reads('#state', /running/), /^running · demo\/busybox/);
		await reads('#cpu-now', /^[1-9][\d.]*%$/);
		await reads('#processes td.long', /while :; do :; done/);
	});

	it('stats: say that the engine does not answer, and try again when they are asked to', async () => {
		const extensions = path.join(session.temporary, 'vscode/extensions');
		const [extension] = fs.readdirSync(extensions).filter((name) => name.startsWith('mydocker.mydocker-'));
		const engine = path.join(extensions, extension, 'dist/engine.js');
		fs.renameSync(engine, `${engine}.away`);
		const { pid } = JSON.parse(fs.readFileSync(path.join(session.store, 'run/engine.json'), 'utf8'));
		process.kill(pid, 'SIGKILL');
		await reads('#state', /The engine does not answer: .*Cannot find module '[^']*engine.js'/);
		await photo('stats-no-engine');
		fs.renameSync(`${engine}.away`, engine);
		await frame.locator('#retry').click({ timeout: patience });
		await reads('#state', /running/);
		await frame.locator('#retry').waitFor({ state: 'hidden', timeout: patience });
		// The window has told it as well; that goes with its button.
		await workbench.clickNotificationButton('Cannot start the engine', 'Retry');
		await reads('#processes td.long', /while :; do :; done/);
	});

	it('stats: say that the container has stopped, and that it is gone', async () => {
		mydocker('stop', '-t', '0', 'busy');
		await reads('#state', /exited/);
		await reads('#processes', /No processes/);
		mydocker('start', 'busy');
		await reads('#state', /running/);
		await reads('#processes td.long', /while :; do :; done/);
		mydocker('rm', '-f', 'busy');
		await reads('#state', /has been removed/);
		assert.deepEqual(await workbench.errors(), []);
	});

	it('rows: figures come when the settings ask for them, and go with the setting', async () => {
		mydocker('run', '-d', '--name', 'busy', '--cpus', '0.2', image, 'sh', '-c', 'while :; do :; done');
		await workbench.waitForRow('containers', 'running');
		useSettings({ ...dark, 'mydocker.containers.showUsage': true });
		const row = await workbench.waitForRow('containers', /\d% · [\d.]+ [kM]?B · running/);
		assert.doesNotMatch(row.spoken, /%/);
		await photo('rows-dark');
		useSettings(dark);
		await workbench.waitForNoRow('containers', /\d% · /);
	});

	it('disk usage: a view by its command; what takes room, the biggest first, and prune at hand', async () => {
		mydocker('run', '--name', 'old', image, 'dd', 'if=/dev/zero', 'of=/big', 'bs=1M', 'count=3');
		await workbench.runCommand('mydocker.system.diskUsage');
		await workbench.waitForRow('diskUsage', /Containers.* · 1 of 2 running · 3[\d.]* MB can be freed/);
		await workbench.expandRow('diskUsage', 'Containers');
		const row = await workbench.waitForRow('diskUsage', 'old');
		assert.match(row.description, /^3[\d.]* MB · not running$/);
		const labels = (await workbench.rows('diskUsage')).map(({ label }) => label);
		assert.deepEqual(labels.slice(labels.indexOf('Containers')), [
			'Containers',
			'old',
			'busy',
			'Volumes',
			'Build cache',
		]);
		await photo('disk-usage-dark');
		await workbench.clickInlineAction('diskUsage', 'Containers', 'mydocker.container.prune');
		assert.match(await workbench.waitForQuickInput(/old/), /Prune Containers/);
		await workbench.leaveQuickInput();
		mydocker('rm', 'old');
		await workbench.waitForNoRow('diskUsage', 'old');
	});

	it('events: a view by its command; newest first, of one container from its menu, filtered by kind', async () => {
		await workbench.runCommand('mydocker.system.events');
		await workbench.waitForRow('events', /old.*removed/);
		mydocker('tag', image, 'box:1');
		mydocker('stop', '-t', '0', 'busy');
		await workbench.waitForRow('events', /busy.*exited \(137\)/);
		await photo('events-dark');
		await workbench.clickContextMenu('containers', 'busy', 'mydocker.container.events');
		await workbench.waitForNoRow('events', /^old/);
		assert.deepEqual([...new Set((await workbench.rows('events')).map(({ label }) => label))], ['busy']);
		await workbench.clickViewAction('events', 'mydocker.events.filter');
		await workbench.waitForQuickInput(/Filter Events \(1/);
		await workbench.pick('Containers');
		await workbench.acceptChecklist();
		await workbench.waitForQuickInput(/Filter Events \(2/);
		await workbench.typeInQuickInput('box:1');
		await workbench.waitForRow('events', /box:1.*tagged/);
		await workbench.waitForNoRow('events', /exited/);
		assert.deepEqual(await workbench.errors(), []);
	});

	it('a virtual workspace: views and runs are as ever, and its folder is not offered as a mount', async () => {
		const url = session.server.url.replace(/folder=[^&]*/, 'folder=memfs:/shop');
		await session.page.goto(url, { waitUntil: 'commit' });
		await workbench.openMyDocker();
		await workbench.waitForRow('containers', /busy.*exited/);
		await workbench.clickContextMenu('containers', 'busy', 'mydocker.container.start');
		await workbench.waitForRow('containers', /busy.*running/);
		await workbench.clickInlineAction('images', 'demo/busybox', 'mydocker.image.run');
		await workbench.acceptQuickInput();
		await workbench.waitForQuickInput(/Folders and volumes/);
		await workbench.pick('Folders and volumes');
		const text = await workbench.waitForQuickInput(/Another folder…/);
		assert.doesNotMatch(text, /shop/);
		await photo('virtual');
		await session.page.keyboard.press('Escape'); // Back to the form.
		await workbench.waitForQuickInput(/Copy as/);
		await workbench.leaveQuickInput();
		assert.deepEqual(await workbench.errors(), []);
	});
});
