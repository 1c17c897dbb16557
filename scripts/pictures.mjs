// The pictures of the README: a window with several containers, networks and volumes, and what can be opened from it.
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';

const folder = 'docs/images';

/** Takes the pictures in the window of a session in which the tour has been done; `image` is its demo/web. */
export async function takePictures({ workbench, page, store }, { image, theme }) {
	fs.mkdirSync(folder, { recursive: true });
	const shot = async (suffix = '') => {
		await workbench.restMouse();
		await page.screenshot({ path: path.join(folder, `${theme}${suffix}.png`) });
	};
	const mydocker = (...args) =>
		execFileSync(path.join(store, 'bin/mydocker'), args, {
			encoding: 'utf8',
			env: { ...process.env, MYDOCKER_ROOT: store },
		});

	mydocker('rm', '-f', 'web');
	mydocker('network', 'create', 'shop');
	mydocker('volume', 'create', 'orders');
	const project = ['-l', 'com.docker.compose.project=shop', '--network', 'shop'];
	mydocker('run', '-d', '--name', 'shop-web-1', ...project, '-p', '127.0.0.1::8123', image);
	mydocker('run', '-d', '--name', 'shop-orders-1', ...project, '-v', 'orders:/data', image);
	mydocker('create', '--name', 'shop-migrate-1', ...project, image);
	mydocker('run', '-d', '--name', 'site', '-p', '127.0.0.1::8123', image);
	await page.keyboard.press('Control+J'); // the Output panel of the tour goes
	await workbench.openView('networks');
	await workbench.openView('volumes');
	await workbench.waitForRow('volumes', 'used by shop-orders-1');
	await workbench.expandRow('containers', /^site/);
	await workbench.waitForRow('containers', '→ 8123/tcp');
	await workbench.clickInlineAction('containers', /^shop\d/, 'mydocker.container.openLogs');
	await workbench.waitForEditor(/tick 9\b/);
	await shot();

	await workbench.clickContextMenu('images', 'demo/web:latest', 'mydocker.image.layers');
	await workbench.waitForEditor(/Layer 0/);
	await shot('-layers');
}
