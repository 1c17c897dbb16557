// Networks, volumes, published ports, and finding containers: click by click.
//   MYDOCKER_TEST_REGISTRY   "localhost:PORT", holding the demo images
import assert from 'node:assert/strict';
import { openVSCode, photographFailures } from './session.mjs';

const image = `${process.env.MYDOCKER_TEST_REGISTRY}/demo/web`;

describe('a person connects containers, keeps data and finds things', function () {
	this.bail(true);
	let session;
	let workbench;

	before(async () => {
		session = await openVSCode();
		workbench = session.workbench;
	});
	after(() => session?.close());
	photographFailures(() => session);

	const mydocker = (...args) => session.mydocker(...args);

	it('networks and volumes: are closed at first, and say what they are when opened', async () => {
		await workbench.openMyDocker();
		assert.equal((await workbench.rows('networks')).length, 0);
		await workbench.openView('networks');
		await workbench.openView('volumes');
		assert.match((await workbench.waitForRow('networks', 'bridge')).description, /built in/);
		await workbench.waitForWelcome('volumes', /No volumes yet/);
	});

	it('create network: a name and Enter', async () => {
		await workbench.clickViewAction('networks', 'mydocker.network.create');
		await workbench.typeInQuickInput('app');
		await workbench.waitForQuickInput(/Subnet/);
		await workbench.acceptQuickInput();
		const row = await workbench.waitForRow('networks', 'app');
		assert.match(row.description, /^bridge · \d+\.\d+\.\d+\.\d+\/\d+ · not in use$/);
		assert.match(row.spoken, /^Network app, bridge/);
	});

	it('create network: a subnet of another network is told while it is typed', async () => {
		const [, subnet] = /(\d+\.\d+\.\d+\.\d+\/\d+)/.exec(
			(await workbench.waitForRow('networks', 'app')).description,
		);
		await workbench.clickViewAction('networks', 'mydocker.network.create');
		await workbench.typeInQuickInput('other');
		await workbench.waitForQuickInput(/Subnet/);
		await workbench.typeInQuickInput(subnet);
		await workbench.waitForQuickInput(/network app has these addresses/);
		await workbench.leaveQuickInput();
	});

	it('create volume: the link of the empty view', async () => {
		await workbench.clickWelcomeLink('volumes', 'Create Volume');
		await workbench.typeInQuickInput('data');
		assert.match((await workbench.waitForRow('volumes', 'data')).description, /not in use/);
	});

	it('what runs elsewhere: shows up by its events, with its network, its volume and its ports', async () => {
		mydocker('pull', '-q', image);
		mydocker('run', '-d', '--name', 'site', '-p', '127.0.0.1::8123', '--network', 'app', '-v', 'data:/data', image);
		mydocker('run', '-d', '--name', 'shop-web-1', '-l', 'com.docker.compose.project=shop', image);
		mydocker('create', '--name', 'shop-job-1', '-l', 'com.docker.compose.project=shop', image);
		await workbench.waitForRow('networks', /1 container/);
		await workbench.waitForRow('volumes', /used by site/);
		await workbench.expandRow('containers', /^site/);
		const row = await workbench.waitForRow('containers', '→ 8123/tcp');
		assert.match(row.label, /^127\.0\.0\.1:\d+$/);
	});

	it('groups: a compose project is a row with counts', async () => {
		assert.equal((await workbench.waitForRow('containers', '1 of 2 running')).label, 'shop');
	});

	it('group: its button stops all that run in it', async () => {
		await workbench.clickInlineAction('containers', 'shop', 'mydocker.container.stop');
		await workbench.waitForRow('containers', '0 of 2 running');
	});

	it('filter: the rows follow while a person types; Show All takes it back', async () => {
		await workbench.clickViewAction('containers', 'mydocker.containers.filter');
		await workbench.typeInQuickInput('site');
		await workbench.waitForNoRow('containers', 'shop');
		await workbench.waitForRow('containers', /^site/);
		await workbench.clickViewAction('containers', 'mydocker.containers.showAll');
		await workbench.waitForRow('containers', 'shop');
	});

	it('running only: hides what does not run', async () => {
		await workbench.runCommand('mydocker.containers.runningOnly');
		await workbench.waitForNoRow('containers', 'shop');
		await workbench.runCommand('mydocker.containers.showAll');
		await workbench.waitForRow('containers', 'shop');
	});

	it('hide: a row’s menu hides its project for this workspace; the view says so and brings it back', async () => {
		// The tooltip of the button that was clicked last would be in the way.
		await workbench.restMouse();
		await workbench.clickContextMenu('containers', 'shop', 'mydocker.container.hide');
		await workbench.pick('Of the project shop');
		await workbench.waitForNoRow('containers', 'shop');
		const message = workbench.view('containers').locator('.message', { hasText: '1 of 3 · 2 hidden' });
		await message.waitFor({ timeout: 60_000 });
		assert.match(await workbench.view('containers').innerText(), /1 of 3 running/);
		await workbench.clickViewMenu('containers', 'mydocker.hidden.show');
		await workbench.waitForRow('containers', 'shop');
	});

	it('hide rules: are edited as text, and the rows follow; what is no rule is told', async () => {
		await workbench.runCommand('mydocker.hidden.hide');
		await workbench.waitForNoRow('containers', 'shop');
		await workbench.runCommand('mydocker.hidden.edit');
		await workbench.fillQuickInput('shop');
		await workbench.waitForQuickInput(/“shop” is no rule/);
		await workbench.fillQuickInput('name:shop-job-* repository:*/demo/*');
		await workbench.waitForRow('containers', '0 of 1 running');
		await workbench.waitForWelcome('images', /Rules of this workspace hide all/);
		await workbench.typeInQuickInput('');
		await workbench.waitForRow('containers', '0 of 2 running');
		await workbench.waitForRow('images', 'demo/web');
	});

	it('selection and open rows: stay when states change', async () => {
		await workbench.row('containers', /^site/).click();
		// The click has closed it.
		await workbench.expandRow('containers', /^site/);
		mydocker('restart', '-t', '0', 'site');
		mydocker('start', 'shop-job-1');
		await workbench.waitForRow('containers', '1 of 2 running');
		const row = workbench.row('containers', /^site/);
		assert.equal(await row.getAttribute('aria-selected'), 'true');
		assert.equal(await row.getAttribute('aria-expanded'), 'true');
	});

	it('open rows: are open again after a filter that had taken them away', async () => {
		const row = workbench.row('containers', /^site/);
		await workbench.runCommand('mydocker.containers.filter');
		await workbench.typeInQuickInput('shop');
		await workbench.waitForNoRow('containers', /^site/);
		await workbench.runCommand('mydocker.containers.showAll');
		await row.waitFor({ timeout: 60_000 });
		assert.equal(await row.getAttribute('aria-expanded'), 'true');
	});

	it('disconnect: the button of the row below the network', async () => {
		await workbench.expandRow('networks', 'app');
		await workbench.clickInlineAction('networks', /^site/, 'mydocker.network.disconnect');
		await workbench.waitForNoRow('networks', /^site/);
	});

	it('a refused action: is told on the row, not in a message', async () => {
		await workbench.clickInlineAction('volumes', 'data', 'mydocker.volume.remove');
		assert.match(await workbench.answerDialog('Remove'), /kept until they are removed: site\./);
		assert.match((await workbench.waitForRow('volumes', 'failed:')).description, /volume is in use/);
		assert.deepEqual(await workbench.errors(), []);
	});

	it('prune networks: lists what goes, and removes what is checked', async () => {
		await workbench.clickViewAction('networks', 'mydocker.network.prune');
		const text = await workbench.waitForQuickInput(/1 checked/);
		assert.match(text, /app/);
		assert.doesNotMatch(text, /\n(bridge|host|none)/);
		await workbench.page.locator('.quick-input-widget:visible .monaco-button', { hasText: 'OK' }).click();
		await workbench.waitForNoRow('networks', 'app');
	});
});
