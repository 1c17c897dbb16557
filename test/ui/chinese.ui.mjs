// The same window in Chinese: what MyDocker says there, and that none of it is English.
//   MYDOCKER_TEST_REGISTRY   "localhost:PORT", holding the demo images
import assert from 'node:assert/strict';
import { englishIn } from './english.mjs';
import { openVSCode, photographFailures } from './session.mjs';
import { webviewFrame } from './webview.mjs';

describe('a person whose VS Code speaks Chinese', function () {
	this.bail(true);
	let session;
	let workbench;

	before(async () => {
		session = await openVSCode({ locale: 'zh-cn', viewport: { width: 1280, height: 1400 } });
		workbench = session.workbench;
	});
	after(() => session?.close());
	photographFailures(() => session);

	const mydocker = (...args) => session.mydocker(...args);
	/** Says that a text of ours has no English sentence in it, and gives the text. */
	const isChinese = (text) => {
		assert.deepEqual(englishIn(text), [], text);
		return text;
	};
	/** The same of all that a view's rows show and what a screen reader says of them. */
	const hasChineseRows = async (view) => {
		const rows = await workbench.rows(view);
		assert.notEqual(rows.length, 0);
		isChinese(rows.flatMap(({ label, description, spoken }) => [label, description, spoken]).join('\n'));
	};
	const readsMenu = async (view, text) => {
		await workbench.row(view, text).click({ button: 'right' });
		const menu = session.page.locator('.monaco-menu').first();
		await menu.waitFor();
		isChinese(await menu.innerText());
		await session.page.keyboard.press('Escape');
		await menu.waitFor({ state: 'detached' });
	};

	it('reads the views in Chinese', async () => {
		await workbench.openMyDocker();
		await workbench.waitForWelcome('images', /还没有镜像/);
		isChinese(await workbench.waitForWelcome('containers', /还没有容器/));
	});

	it('pulls and runs in Chinese', async () => {
		await workbench.clickViewAction('images', 'mydocker.image.pull');
		isChinese(await workbench.waitForQuickInput(/拉取镜像/));
		assert.match(await workbench.quickInputPlaceholder(), /镜像名称/);
		await workbench.typeInQuickInput(`${process.env.MYDOCKER_TEST_REGISTRY}/demo/web`);
		await workbench.waitForRow('images', 'demo/web:latest');
		await workbench.clickInlineAction('images', 'demo/web', 'mydocker.image.run');
		isChinese(await workbench.quickInputText());
		await workbench.acceptQuickInput();
		isChinese(await workbench.waitForQuickInput(/端口/));
		await workbench.acceptQuickInput();
		const row = await workbench.waitForRow('containers', '运行中');
		assert.match(row.spoken, /容器 web/);
	});

	it('is asked for an image in Chinese, with what the registry has', async () => {
		await workbench.clickViewAction('images', 'mydocker.image.pull');
		await workbench.fillQuickInput(`${process.env.MYDOCKER_TEST_REGISTRY}/demo/web:`);
		isChinese(await workbench.waitForQuickInput(/在镜像仓库中/));
		await workbench.leaveQuickInput();
	});

	it('reads the figures of a container and the layers of an image in Chinese', async () => {
		await workbench.clickContextMenu('containers', 'web', 'mydocker.container.stats');
		const frame = await webviewFrame(session.page, '#processes td');
		isChinese(await frame.locator('body').innerText());
		await workbench.clickContextMenu('images', 'demo/web', 'mydocker.image.layers');
		const text = await workbench.waitForEditor(/第 2 层/);
		isChinese(text.split('\n').slice(0, 8).join('\n'));
	});

	it('reads rows and their menus in Chinese', async () => {
		mydocker('network', 'create', 'shop');
		mydocker('volume', 'create', 'orders');
		await workbench.openView('networks');
		await workbench.openView('volumes');
		await workbench.waitForRow('networks', 'shop');
		await workbench.waitForRow('volumes', 'orders');
		for (const [view, name] of [
			['containers', 'web'],
			['images', 'demo/web'],
			['networks', 'shop'],
			['volumes', 'orders'],
		]) {
			await hasChineseRows(view);
			await readsMenu(view, name);
		}
	});

	it('reads disk usage, events and the engine in Chinese', async () => {
		await workbench.runCommand('mydocker.system.diskUsage');
		await workbench.waitForRow('diskUsage', '可释放');
		await hasChineseRows('diskUsage');
		await workbench.runCommand('mydocker.system.events');
		await workbench.waitForRow('events', '已启动');
		await hasChineseRows('events');
		await workbench.runCommand('mydocker.engine.doctor');
		await workbench.waitForRow('engine', /运行时.*测试容器/);
		await hasChineseRows('engine');
	});

	it('stops in Chinese', async () => {
		await workbench.clickInlineAction('containers', '运行中', 'mydocker.container.stop');
		await workbench.waitForRow('containers', '已退出');
		await workbench.waitForOutput(/已退出，退出码 0/);
		assert.deepEqual(await workbench.errors(), []);
	});

	it('is told in Chinese what went wrong in the engine', async () => {
		await workbench.runCommand('mydocker.image.pull');
		await workbench.typeInQuickInput(`${process.env.MYDOCKER_TEST_REGISTRY}/demo/missing`);
		isChinese(await workbench.waitForNotification(/在镜像仓库中找不到镜像/));
	});
});
