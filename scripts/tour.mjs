// The main job, done once through the window as its user does it: pull, run, read the log, tag, stop.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';

/**
 * Does every step in the window of the session (test/ui/session.mjs); `registry` is "localhost:PORT". Prints each step with its
 * result and time and saves what the window then shows into `folder`. Throws an error that names the step that failed.
 */
export async function tour({ workbench, page }, { registry, folder }) {
	fs.rmSync(folder, { recursive: true, force: true });
	fs.mkdirSync(folder, { recursive: true });
	const image = `${registry}/demo/web`;
	let number = 0;
	let port;
	const step = async (name, work) => {
		number++;
		const start = Date.now();
		const shot = (suffix = '') =>
			page.screenshot({
				path: path.join(folder, `${String(number).padStart(2, '0')}-${slug(name)}${suffix}.png`),
			});
		try {
			const result = await work(shot);
			await workbench.restMouse();
			await shot();
			console.log(`  ✓ ${name.padEnd(28)} ${((Date.now() - start) / 1000).toFixed(1).padStart(5)} s   ${result}`);
		} catch (error) {
			await shot('-failed').catch((second) => console.error(`No screenshot: ${second.message}`));
			const errors = await workbench.errors().catch(() => []);
			const told = errors.length > 0 ? `\nThe window says: ${errors.join(' | ')}` : '';
			throw new Error(`Step ${number}, "${name}", failed: ${error.message}${told}\nSee ${folder}`, {
				cause: error,
			});
		}
	};

	await step('Open MyDocker', async () => {
		await workbench.openMyDocker();
		await workbench.widenSideBar(110);
		return `Images: "${firstLine(await workbench.waitForWelcome('images', /No images/))}"`;
	});
	await step('Ask to pull an image', async () => {
		await workbench.clickWelcomeLink('images', 'Pull');
		return firstLine(await workbench.quickInputText());
	});
	await step('Pull the image', async (shot) => {
		await workbench.typeInQuickInput(image);
		const progress = (await workbench.waitForRow('images', /[\d.]+ MB of [\d.]+ MB/)).description;
		await workbench.restMouse();
		await shot('-progress');
		const row = await workbench.waitForRow('images', 'demo/web:latest');
		return `${progress.match(/[\d.]+ MB of [\d.]+ MB/)?.[0] ?? ''} … ${row.label} · ${row.description}`;
	});
	await step('Run it', async (shot) => {
		await workbench.clickInlineAction('images', 'demo/web', 'mydocker.image.run');
		await workbench.quickInputText();
		await shot('-name');
		await workbench.acceptQuickInput();
		await workbench.acceptQuickInput();
		const row = await workbench.waitForRow('containers', 'running');
		return `${row.label} · ${row.description}`;
	});
	await step('Watch its log', async () => {
		port = Number(/:(\d+)/.exec(await workbench.waitForOutput(/listening on \S+:\d+/))[1]);
		const text = await workbench.waitForOutput(/web: tick \d+$/);
		return `${await workbench.outputChannel()} · "${text.split('\n').at(-1)}"`;
	});
	await step('Ask its page', async () => {
		const html = await get(`http://127.0.0.1:${port}/`);
		assert.match(html, /It works/);
		return `http://localhost:${port} · "${/<h1>(.*)<\/h1>/.exec(html)[1]}"`;
	});
	await step('Tag the image', async () => {
		await workbench.clickContextMenu('images', 'demo/web', 'mydocker.image.tag');
		await workbench.typeInQuickInput('my/web:1');
		const row = await workbench.waitForRow('images', 'my/web:1');
		return `${row.label} · ${row.description}`;
	});
	await step('Stop the container', async () => {
		await workbench.clickInlineAction('containers', 'running', 'mydocker.container.stop');
		const row = await workbench.waitForRow('containers', 'exited');
		await workbench.waitForOutput(/exited with code 0/);
		return `${row.label} · ${row.description}`;
	});
}

function get(url) {
	return new Promise((resolve, reject) => {
		const request = http.get(url, { timeout: 10_000 }, (response) => {
			response.setEncoding('utf8');
			let text = '';
			response.on('data', (chunk) => (text += chunk));
			response.on('error', reject);
			response.on('end', () => resolve(text));
		});
		request.on('timeout', () => request.destroy(new Error(`no answer from ${url}`)));
		request.on('error', reject);
	});
}

function firstLine(text) {
	return text.split('\n')[0];
}

function slug(name) {
	return name.toLowerCase().replace(/[^a-z]+/g, '-');
}
