// A webview in the window: its page as its user sees it, and what axe-core finds wrong in it.
import { createRequire } from 'node:module';
import fs from 'node:fs';

const patience = 60_000;
const axe = fs.readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** The frame of the webview whose page has an element for the selector. */
export async function webviewFrame(page, selector) {
	// VS Code keeps the page in a frame of a frame; a hidden panel has none.
	const place = page.frameLocator('iframe.webview.ready').frameLocator('#active-frame').locator(selector).first();
	await place.waitFor({ timeout: patience });
	const handle = await place.elementHandle({ timeout: patience });
	return handle.ownerFrame();
}

/** The problems of a frame's page that axe-core calls serious or critical, in words. */
export async function seriousProblems(frame) {
	await frame.evaluate(axe);
	const { violations } = await frame.evaluate(
		// The document stands inside of VS Code's, so what belongs to a whole page is not its own to have.
		() => globalThis.axe.run(globalThis.document, { rules: { region: { enabled: false } } }),
	);
	return violations
		.filter(({ impact }) => impact === 'serious' || impact === 'critical')
		.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.map(({ html }) => html).join(' ')}`);
}
