// The same window in Chinese: what MyDocker says there.
//   MYDOCKER_TEST_REGISTRY   "localhost:PORT", holding the demo images
import assert from 'node:assert/strict';
import { openVSCode, photographFailures } from './session.mjs';

describe('a person whose VS Code speaks Chinese', function () {
	this.bail(true);
	let session;
	let workbench;

	before(async () => {
		session = await openVSCode({ locale: 'zh-cn' });
		workbench = session.workbench;
	});
	after(() => session?.close());
	photographFailures(() => session);

	it('reads the views in Chinese', async () => {
		await workbench.openMyDocker();
		await workbench.waitForWelcome('images', /还没有镜像/);
		await workbench.waitForWelcome('containers', /还没有容器/);
	});

	it('pulls and runs in Chinese', async () => {
		await workbench.clickViewAction('images', 'mydocker.image.pull');
		await workbench.waitForQuickInput(/拉取镜像/);
		assert.match(await workbench.quickInputPlaceholder(), /镜像名称/);
		await workbench.typeInQuickInput(`${process.env.MYDOCKER_TEST_REGISTRY}/demo/web`);
		await workbench.waitForRow('images', 'demo/web:latest');
		await workbench.clickInlineAction('images', 'demo/web', 'mydocker.image.run');
		await workbench.acceptQuickInput();
		await workbench.acceptQuickInput();
		const row = await workbench.waitForRow('containers', '运行中');
		assert.match(row.spoken, /容器 web/);
	});

	it('stops in Chinese', async () => {
		await workbench.clickInlineAction('containers', '运行中', 'mydocker.container.stop');
		await workbench.waitForRow('containers', '已退出');
		await workbench.waitForOutput(/已退出，退出码 0/);
	});
});
