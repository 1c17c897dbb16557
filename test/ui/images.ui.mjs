// Finding an image to pull, and giving space back: click by click.
//   MYDOCKER_TEST_REGISTRY   "localhost:PORT", holding the demo images
import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import { openVSCode, photographFailures } from './session.mjs';

const registry = process.env.MYDOCKER_TEST_REGISTRY;
const busybox = `${registry}/demo/busybox`;

/** The registry behind a door that only ann with the password "secret" passes; it gives its lists one entry a page. */
async function guardedRegistry() {
	const key = `Basic ${Buffer.from('ann:secret').toString('base64')}`;
	const door = http.createServer((request, response) => {
		const { authorization, ...headers } = request.headers;
		if (authorization !== key) {
			response.writeHead(401, { 'www-authenticate': 'Basic realm="door"', 'content-type': 'application/json' });
			response.end(JSON.stringify({ errors: [{ code: 'UNAUTHORIZED', message: 'authentication required' }] }));
			return;
		}
		const url = new URL(
			request.url.replace(/\bn=\d+/, 'n=1'),
			`http://${registry.replace('localhost', '127.0.0.1')}`,
		);
		const behind = http.request(
			url,
			{ method: request.method, headers: { ...headers, host: url.host } },
			(answer) => {
				response.writeHead(answer.statusCode, answer.headers);
				answer.pipe(response);
			},
		);
		behind.on('error', () => response.destroy());
		request.pipe(behind);
	});
	door.listen(0, '127.0.0.1');
	await once(door, 'listening');
	return { host: `localhost:${door.address().port}`, close: () => door.closeAllConnections() ?? door.close() };
}

describe('a person finds images and gives space back', function () {
	this.bail(true);
	let session;
	let workbench;
	let guarded;

	before(async () => {
		guarded = await guardedRegistry();
		session = await openVSCode();
		workbench = session.workbench;
	});
	after(async () => {
		await session?.close();
		await guarded?.close();
	});
	photographFailures(() => session);

	const mydocker = (...args) => session.mydocker(...args);

	it('pull box: finds the repositories of a registry when asked to, then lists their tags', async () => {
		await workbench.openMyDocker();
		await workbench.clickViewAction('images', 'mydocker.image.pull');
		await workbench.fillQuickInput(`${registry}/bus`);
		await workbench.pick(`Search ${registry} for “bus”`);
		await workbench.pick('demo/busybox');
		await workbench.waitForQuickInput(/demo\/busybox:latest\s*in the registry/);
		await workbench.pick('demo/busybox:latest');
		await workbench.waitForRow('images', 'demo/busybox:latest');
	});

	it('pull box: a registry that does not answer is told beside what was typed', async () => {
		await workbench.clickViewAction('images', 'mydocker.image.pull');
		await workbench.fillQuickInput('localhost:1/demo/web:1');
		await workbench.waitForQuickInput(/pull · no list of tags: .*localhost:1/);
		await workbench.leaveQuickInput();
		assert.deepEqual(await workbench.errors(), []);
	});

	it('pull box: offers what was pulled, and Enter takes what was typed', async () => {
		await workbench.clickViewAction('images', 'mydocker.image.pull');
		await workbench.fillQuickInput('busy');
		await workbench.waitForQuickInput(/demo\/busybox:latest\s*pulled lately/);
		await workbench.typeInQuickInput(`${registry}/demo/web`);
		await workbench.waitForRow('images', 'demo/web:latest');
	});

	it('layers: a document with what each layer holds; its outline is the tree of layers', async () => {
		await workbench.clickContextMenu('images', 'demo/web:latest', 'mydocker.image.layers');
		const text = await workbench.waitForEditor(/Layer 0 +[\d.]+ MB +\+\d+ ~0 -0/);
		assert.match(text, /3 layers with files/);
		assert.match(text, /A +[\d.]+ [kM]?B +\/bin\/busybox/);
		await workbench.page.screenshot({ path: 'out/ui/layers.png' });
	});

	it('compare layers: two images side by side, with what only one of them has', async () => {
		await workbench.clickContextMenu('images', 'demo/busybox:latest', 'mydocker.image.compareLayers');
		await workbench.waitForQuickInput(/Compare .*demo\/busybox:latest with/);
		await workbench.pick('demo/web');
		await workbench.waitForEditor(/A +[\d.]+ [kM]?B +\/www\/index.html/);
		assert.doesNotMatch(await workbench.waitForEditor(/Layer 0/), /\/bin\/busybox/);
		await workbench.page.screenshot({ path: 'out/ui/compare-layers.png' });
		assert.deepEqual(await workbench.errors(), []);
	});

	it('prune containers: a list with bytes; only what is checked goes', async () => {
		mydocker('run', '--name', 'writer', busybox, 'sh', '-c', 'head -c 3000000 /dev/zero > /big');
		mydocker('create', '--name', 'keeper', busybox);
		await workbench.waitForRow('containers', 'keeper');
		await workbench.clickViewMenu('containers', 'mydocker.container.prune');
		const text = await workbench.waitForQuickInput(/2 checked, 3(\.\d+)? MB/);
		assert.match(text, /writer[^]*keeper/);
		await workbench.pick('keeper');
		await workbench.waitForQuickInput(/1 checked/);
		await workbench.acceptChecklist();
		await workbench.waitForNotification(/Removed 1 container: 3(\.\d+)? MB freed/);
		await workbench.waitForNoRow('containers', 'writer');
		await workbench.waitForRow('containers', 'keeper');
	});

	it('prune images: those that no container uses, none with a name checked from the start', async () => {
		await workbench.clickViewAction('images', 'mydocker.image.prune');
		const text = await workbench.waitForQuickInput(/0 checked/);
		assert.doesNotMatch(text, /busybox/);
		await workbench.pick('demo/web');
		await workbench.waitForQuickInput(/1 checked/);
		await workbench.acceptChecklist();
		await workbench.waitForNotification(/Removed 1 image: [\d.]+ [kM]?B freed/);
		await workbench.waitForNoRow('images', 'demo/web');
	});

	it('prune everything: one list by kind, and volumes only when they are checked', async () => {
		mydocker('network', 'create', 'idle');
		mydocker('volume', 'create', 'data');
		await workbench.runCommand('mydocker.system.prune');
		const text = await workbench.waitForQuickInput(/2 checked/);
		for (const row of [
			/keeper.*\n.*Containers that do not run/,
			/busybox.*used by keeper\n.*Images that nothing running uses/,
			/idle.*\n.*Networks without a container/,
			/data.*\n.*Volumes without a container/,
		]) {
			assert.match(text, row);
		}
		await workbench.page.screenshot({ path: 'out/ui/prune-everything.png' });
		await workbench.acceptChecklist();
		await workbench.waitForNotification(/Removed 1 container and 1 network/);
		assert.equal(mydocker('volume', 'ls', '-q'), 'data');
		assert.match(mydocker('images', '-q'), /\w/);
		assert.deepEqual(await workbench.errors(), []);
	});

	it('registries: one that wants a login says so, with the way to log in; a wrong password is told', async () => {
		await workbench.openMyDocker();
		await workbench.runCommand('mydocker.registries.browse');
		await workbench.waitForRow('registries', 'docker.io');
		for (const view of ['containers', 'images']) {
			await workbench.closeView(view); // room for all rows
		}
		await workbench.clickViewAction('registries', 'mydocker.registries.add');
		await workbench.typeInQuickInput(guarded.host);
		await workbench.waitForRow('registries', guarded.host);
		await workbench.restMouse();
		await workbench.expandRow('registries', guarded.host);
		await workbench.waitForRow('registries', /Log in to see what is there.*authentication required/);
		await workbench.page.screenshot({ path: 'out/ui/registry-login.png' });
		await workbench.clickInlineAction('registries', 'Log in to see', 'mydocker.registries.login');
		await workbench.waitForQuickInput(/User name/);
		await workbench.typeInQuickInput('ann');
		await workbench.waitForQuickInput(/Password/);
		await workbench.typeInQuickInput('wrong');
		await workbench.waitForNotification(/log in/i);
		await workbench.waitForRow('registries', 'Log in to see');
	});

	it('registries: after the login there are its repositories, page by page, and a tag is pulled', async () => {
		await workbench.clickInlineAction('registries', 'Log in to see', 'mydocker.registries.login');
		await workbench.waitForQuickInput(/User name/);
		await workbench.typeInQuickInput('ann');
		await workbench.waitForQuickInput(/Password/);
		await workbench.typeInQuickInput('secret');
		await workbench.waitForRow('registries', 'demo/busybox');
		await workbench.clickInlineAction('registries', 'There is more', 'mydocker.registries.more');
		await workbench.waitForRow('registries', 'demo/web');
		await workbench.expandRow('registries', 'demo/web');
		await workbench.clickInlineAction('registries', 'latest', 'mydocker.registries.pull');
		await workbench.waitForRow('registries', /latest.*on this machine/);
		const labels = (await workbench.rows('registries')).map(({ label }) => label);
		assert.deepEqual(
			labels.filter((label) => label.startsWith('demo/')),
			['demo/busybox', 'demo/web'],
		);
		assert.match(mydocker('images'), new RegExp(`${guarded.host}/demo/web +latest`));
		await workbench.page.screenshot({ path: 'out/ui/registries.png' });
	});
});
