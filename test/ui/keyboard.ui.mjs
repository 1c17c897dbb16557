// The main job without a mouse, in a dark window: pull, run, logs, stop, remove.
//   MYDOCKER_TEST_REGISTRY   "localhost:PORT", holding the demo images
import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import path from 'node:path';
import { commandWords } from './workbench.mjs';
import { openVSCode, photographFailures } from './session.mjs';

const image = `${process.env.MYDOCKER_TEST_REGISTRY}/demo/web`;
const patience = 60_000;

describe('a person who uses keys only, in the dark', function () {
	this.bail(true);
	let session;
	let workbench;
	let keyboard;

	before(async function () {
		this.timeout(4 * patience);
		session = await openVSCode({
			settings: { 'mydocker.logs.showOnRun': false, 'workbench.colorTheme': 'Dark Modern' },
		});
		workbench = session.workbench;
		keyboard = session.page.keyboard;
		// The palette lists the commands that are there when it opens; with them comes the icon.
		await session.page.locator('.activitybar [aria-label^="MyDocker"]').first().waitFor({ timeout: patience });
		// VS Code holds the first command back until all its extension hosts have started, for a minute if one does not.
		await workbench.runCommand('mydocker.image.pull');
		await workbench.waitForQuickInput(/Pull Image/, 2 * patience);
		await workbench.leaveQuickInput();
	});
	after(() => session?.close());
	photographFailures(() => session);

	/** VS Code's own command that goes to a view, and opens the side bar for it. */
	const focusContainers = async () => {
		await workbench.waitForNoQuickInput();
		await keyboard.press('F1');
		await workbench.fillQuickInput('>MyDocker: Focus on Containers View');
		await workbench.waitForQuickInput(/Focus on Containers View/);
		await keyboard.press('Enter');
		await workbench.view('containers').locator(':focus').first().waitFor({ timeout: patience });
	};
	/** Goes down from the top of the list to the row. */
	const focusRow = async (text) => {
		await focusContainers();
		await keyboard.press('Home');
		const focused = workbench.view('containers').locator('.monaco-list-row.focused', { hasText: text });
		await focused.waitFor({ timeout: patience });
	};

	it('pull', async () => {
		await workbench.runCommand('mydocker.image.pull');
		await workbench.typeInQuickInput(image);
		await focusContainers();
		await workbench.waitForRow('images', 'demo/web:latest');
	});

	it('run', async () => {
		await workbench.runCommand('mydocker.container.run');
		await workbench.waitForQuickInput(/demo\/web/);
		await keyboard.press('Enter');
		await workbench.waitForQuickInput(/[Nn]ame/);
		await workbench.typeInQuickInput('keys');
		await workbench.waitForQuickInput(/Command/);
		await workbench.acceptQuickInput();
		await workbench.waitForRow('containers', 'running');
	});

	it('logs', async () => {
		await focusRow('keys');
		await keyboard.press('Control+Alt+l');
		await workbench.waitForEditor(/web: tick \d/);
		if (process.env.MYDOCKER_TEST_PHOTOS) {
			await session.page.screenshot({ path: path.join(process.env.MYDOCKER_TEST_PHOTOS, 'keyboard-dark.png') });
		}
	});

	it('stop, by the menu of the row', async () => {
		await focusRow('keys');
		await keyboard.press('Shift+F10');
		const { title } = commandWords('mydocker.container.stop');
		const menu = session.page.locator('.monaco-menu');
		await menu.first().waitFor({ timeout: patience });
		const focused = menu.locator('.action-item.focused', { hasText: title });
		const items = await menu.locator('.action-item').count();
		for (let presses = 0; (await focused.count()) === 0; presses++) {
			assert.ok(presses <= items, `no key leads to ${title}`);
			await keyboard.press('ArrowDown');
		}
		await keyboard.press('Enter');
		await workbench.waitForRow('containers', 'exited');
	});

	it('remove', async () => {
		await focusRow('keys');
		await keyboard.press('Delete');
		const dialog = session.page.locator('.monaco-dialog-box');
		await dialog.locator(':focus', { hasText: 'Remove' }).waitFor({ timeout: patience });
		await keyboard.press('Enter');
		await workbench.waitForWelcome('containers', /No containers/);
		assert.deepEqual(await workbench.errors(), []);
	});

	it('500 containers: selection, focus and what is open stay as they are while events come', async () => {
		const calls = new EngineCalls(session.store);
		const create = (name, project) => {
			const Labels = project === undefined ? {} : { 'com.docker.compose.project': project };
			return calls.post(`/containers/create?name=${name}`, { Image: image, Cmd: ['true'], Labels });
		};
		await Promise.all(['closed', 'open'].flatMap((group) => [1, 2, 3].map((n) => create(`${group}-${n}`, group))));
		await inTurns(500, (n) => create(`many-${n}`));
		await workbench.waitForRow('containers', 'open-2');
		await workbench.view('containers').locator('.pane-header', { hasText: 'of 506 running' }).waitFor();

		await focusContainers();
		await keyboard.press('Home');
		await keyboard.press('ArrowLeft');
		await workbench.waitForNoRow('containers', 'closed-2');
		const chosen = () => workbench.view('containers').locator('.monaco-list-row.focused', { hasText: 'open-2' });
		for (let presses = 0; (await chosen().count()) === 0; presses++) {
			assert.ok(presses < 10, 'the arrow leads to open-2');
			await keyboard.press('ArrowDown');
		}
		await keyboard.press('Enter');
		await chosen().and(session.page.locator('.selected')).waitFor({ timeout: patience });

		await inTurns(100, (n) => calls.post(`/containers/many-${n}/rename?name=other-${n}`));
		await Promise.all(['open-1', 'open-2', 'closed-1'].map((name) => calls.post(`/containers/${name}/start`)));
		await workbench.waitForRow('containers', /open-2.*exited/);
		await workbench.waitForRow('containers', /open-1.*exited/);
		const state = async (text) => {
			const row = workbench.row('containers', text);
			return Promise.all(['aria-selected', 'aria-expanded'].map((name) => row.getAttribute(name)));
		};
		assert.deepEqual(await state(/^open-2/), ['true', null]);
		assert.deepEqual([(await state(/^closed/))[1], (await state(/^open(?!-)/))[1]], ['false', 'true']);
		assert.equal(await chosen().count(), 1);
		assert.deepEqual(await workbench.errors(), []);
	});
});

/** Calls `work` with 1 to `count`, eight at a time. */
async function inTurns(count, work) {
	let next = 1;
	const turn = async () => {
		while (next <= count) {
			await work(next++);
		}
	};
	await Promise.all(Array.from({ length: 8 }, turn));
}

/** Calls of the Engine API, without a process for each. */
class EngineCalls {
	#socketPath;
	#agent = new http.Agent({ keepAlive: true });

	constructor(store) {
		this.#socketPath = path.join(store, 'run/api.sock');
	}

	async post(place, body) {
		const options = { method: 'POST', path: place, socketPath: this.#socketPath, agent: this.#agent };
		const headers = { 'Content-Type': 'application/json' };
		const request = http.request({ ...options, headers });
		request.end(body === undefined ? undefined : JSON.stringify(body));
		const [response] = await once(request, 'response');
		const text = (await response.toArray()).join('');
		assert.ok(response.statusCode < 300, `${place}: ${text}`);
	}
}
