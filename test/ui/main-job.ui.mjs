// What a person does with MyDocker, click by click, in a real VS Code with the real engine, registry and runtime.
//   MYDOCKER_TEST_REGISTRY   "localhost:PORT", holding the demo images
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { slowDown } from '../../scripts/slow-registry.mjs';
import { openVSCode, photographFailures } from './session.mjs';

const registry = process.env.MYDOCKER_TEST_REGISTRY;

describe('a person pulls, runs, reads logs and stops', function () {
	// Each test goes on where the one before ended, as the person does.
	this.bail(true);
	let session;
	let workbench;

	before(async () => {
		session = await openVSCode();
		workbench = session.workbench;
	});
	after(() => session?.close());
	photographFailures(() => session);

	it('side bar: both views are empty and say how to begin', async () => {
		await workbench.openMyDocker();
		assert.match(await workbench.waitForWelcome('images', /No images/), /Pull Image/);
		assert.match(await workbench.waitForWelcome('containers', /No containers/), /Pull an image/);
	});

	it('pull: says what is wrong with a name while it is typed', async () => {
		await workbench.clickViewAction('images', 'mydocker.image.pull');
		await workbench.typeInQuickInput('Demo/Web');
		assert.match(await workbench.waitForQuickInput(/lower case/), /Pull Image/);
		await workbench.leaveQuickInput();
	});

	it('pull: Cancel ends it, and there is neither a row nor an error', async () => {
		const slow = await slowDown(registry, 200_000);
		try {
			await workbench.clickWelcomeLink('images', 'Pull');
			await workbench.typeInQuickInput(`${slow.host}/demo/web`);
			const row = await workbench.waitForRow('images', /B of .*B, .*layers/);
			assert.match(row.spoken, /^Pulling .*demo\/web/);
			await workbench.clickInlineAction('images', 'layers', 'mydocker.image.cancelPull');
			await workbench.waitForNoRow('images', 'layers');
			assert.deepEqual(await workbench.errors(), []);
			await workbench.waitForWelcome('images', /No images/);
		} finally {
			await slow.stop();
		}
	});

	it('pull: a typed name becomes a row', async () => {
		await workbench.clickWelcomeLink('images', 'Pull');
		await workbench.typeInQuickInput(`${registry}/demo/web`);
		const row = await workbench.waitForRow('images', 'demo/web:latest');
		assert.match(`${row.label} ${row.description}`, /demo\/web:latest.* MB/);
		assert.deepEqual(await workbench.errors(), []);
	});

	it('run: the button of the row, a name and Enter start a container whose log is shown', async () => {
		await workbench.clickInlineAction('images', 'demo/web', 'mydocker.image.run');
		await workbench.typeInQuickInput('website');
		await workbench.waitForQuickInput(/Command/);
		await workbench.acceptQuickInput();
		const row = await workbench.waitForRow('containers', 'running');
		assert.equal(row.label, 'website');
		assert.match(row.spoken, /website.*running.*demo\/web/);
		await workbench.waitForOutput(/web: tick 3\b/);
		assert.equal(await workbench.outputChannel(), 'MyDocker: website');
	});

	it('logs: come in order, every line once', async () => {
		assertTicksAreWhole(await workbench.waitForOutput(/web: tick 5\b/));
	});

	it('stop: the button of the row; the row says that it exited, the log how', async () => {
		await workbench.clickInlineAction('containers', 'website', 'mydocker.container.stop');
		const row = await workbench.waitForRow('containers', 'exited');
		assert.equal(row.label, 'website');
		await workbench.waitForOutput(/web: stopping after \d+ seconds\n.*exited with code 0/);
	});

	it('start: the same row runs again and the same log goes on', async () => {
		await workbench.clickInlineAction('containers', 'website', 'mydocker.container.start');
		await workbench.waitForRow('containers', 'running');
		await workbench.waitForOutput(/started again[^]*web: tick 1\b/);
		assert.equal((await workbench.rows('containers')).length, 1);
	});

	it('engine killed: the container goes on, and the log has every line', async () => {
		const { pid } = JSON.parse(fs.readFileSync(path.join(session.store, 'run/engine.json'), 'utf8'));
		const before = lastTick(await workbench.waitForOutput(/web: tick 2\b/));
		process.kill(pid, 'SIGKILL');
		const text = await workbench.waitForOutput((shown) => lastTick(shown) >= before + 5);
		assertTicksAreWhole(text);
		await workbench.waitForRow('containers', /website.*running/);
	});

	it('window reloaded: the container goes on, and its log is there from the first line', async () => {
		await workbench.reload();
		await workbench.openMyDocker();
		await workbench.waitForRow('containers', 'running');
		assertTicksAreWhole(await workbench.showLog('website', /web: tick \d+$/));
	});

	it('tag: another name is another row of the same image', async () => {
		await workbench.clickContextMenu('images', 'demo/web', 'mydocker.image.tag');
		await workbench.typeInQuickInput('mine:1');
		await workbench.waitForRow('images', 'mine:1');
		await workbench.waitForRow('images', 'demo/web');
	});

	it('inspect: shows the JSON of the container', async () => {
		await workbench.clickContextMenu('containers', 'website', 'mydocker.container.inspect');
		assert.match(await workbench.waitForEditor(/"Id": "[0-9a-f]{64}"/), /"Name": "\/website"/);
	});

	it('palette: a command asks which container it is for', async () => {
		await workbench.runCommand('mydocker.container.restart');
		await workbench.pick('website');
		await workbench.waitForOutput(/stopping after \d+ seconds[^]*web: tick 1\b/);
	});

	it('remove image: one that a container uses is kept, and the message says why', async () => {
		await workbench.clickContextMenu('images', 'mine:1', 'mydocker.image.remove');
		await workbench.answerDialog('Remove');
		await workbench.waitForNoRow('images', 'mine:1');
		await workbench.waitForRow('images', 'demo/web');
	});

	it('remove container: asks first, then the row is gone', async () => {
		await workbench.clickContextMenu('containers', 'website', 'mydocker.container.remove');
		assert.match(await workbench.answerDialog('Remove'), /website/);
		await workbench.waitForNoRow('containers', 'website');
		await workbench.waitForWelcome('containers', /No containers/);
	});

	it('remove image: the last name takes the row with it', async () => {
		await workbench.clickContextMenu('images', 'demo/web', 'mydocker.image.remove');
		await workbench.answerDialog('Remove');
		await workbench.waitForWelcome('images', /No images/);
		assert.deepEqual(await workbench.errors(), []);
	});
});

function ticks(text) {
	return [...text.matchAll(/web: tick (\d+)/g)].map((match) => Number(match[1]));
}

function lastTick(text) {
	return ticks(text).at(-1);
}

/** The lines on the screen count up by one, a restart apart. */
function assertTicksAreWhole(text) {
	const seen = ticks(text);
	assert.ok(seen.length > 1, `there are ticks in:\n${text}`);
	const gap = seen.findIndex((tick, index) => index > 0 && tick !== seen[index - 1] + 1 && tick !== 1);
	assert.equal(gap, -1, `a line is lost or doubled:\n${text}`);
}
