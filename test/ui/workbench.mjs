// VS Code's window as its user sees it: what can be read there, and what can be clicked. Everything waits for what it
// needs, as long as `patience` says; nothing sleeps.
import fs from 'node:fs';
import path from 'node:path';

const patience = 60_000;

/** A text of package.json, such as "%view.images%", in the language; English by default. */
function words(text, locale) {
	const file = locale ? `package.nls.${locale}.json` : 'package.nls.json';
	return text.replace(/^%(.*)%$/, (_, key) => readJson(file)[key]);
}

function readJson(name) {
	return JSON.parse(fs.readFileSync(path.join(import.meta.dirname, '../..', name), 'utf8'));
}

/** One of our commands as the user sees it: { title, category }. */
export function commandWords(command, locale) {
	const { title, category } = readJson('package.json').contributes.commands.find((each) => each.command === command);
	return { title: words(title, locale), category: words(category, locale) };
}

/** The submenu of a view's context menu that a command is in; undefined for one that is in the menu itself. */
function submenuOf(view, command) {
	const { menus, submenus } = readJson('package.json').contributes;
	const entries = menus['view/item/context'].filter(({ when }) => when.includes(`view == mydocker.${view}`));
	const id = entries.find(({ submenu }) => menus[submenu]?.some((entry) => entry.command === command))?.submenu;
	return submenus.find((each) => each.id === id);
}

/** A button by its title; one whose command has a key says so after it: "Remove… (Delete)". */
function titled(title) {
	return `.action-label:is([aria-label="${title}"], [aria-label^="${title} ("])`;
}

export class Workbench {
	/** `locale` is the display language of the window, English by default. */
	constructor(page, locale) {
		this.page = page;
		this.locale = locale;
	}

	/** Opens MyDocker's side bar by its icon in the activity bar. */
	async openMyDocker() {
		const icon = this.page.locator('.activitybar .action-item', {
			has: this.page.locator('[aria-label^="MyDocker"]'),
		});
		await icon.first().waitFor({ timeout: patience });
		// A click on the icon of the side bar that a reload has just brought back closes it.
		for (let tries = 0; !(await this.#appears(this.view('containers'))); tries++) {
			if (tries === 5) {
				throw new Error('The side bar of MyDocker does not open');
			}
			await icon.first().click({ timeout: patience });
		}
	}

	/**
	 * Shows a container's log by the button of its row, until the Output panel is on it: a reload restores the panel with
	 * another channel, which may come after the click.
	 */
	async showLog(name, pattern) {
		for (let tries = 1; ; tries++) {
			await this.clickInlineAction('containers', name, 'mydocker.container.logs');
			try {
				return await this.waitForOutput(pattern, patience / 4);
			} catch (error) {
				if (tries === 4) {
					throw new Error(`The Output panel is on ${await this.outputChannel()}`, { cause: error });
				}
			}
		}
	}

	/** Waits a moment for tooltips to go, since one stays that the mouse comes back to. That of an icon may stay anyway. */
	async #tooltipGoes() {
		const tooltip = this.page.locator('.workbench-hover:visible').first();
		await tooltip.waitFor({ state: 'detached', timeout: patience / 30 }).catch(() => undefined);
	}

	/** Says whether something is on the screen within the time of a slow redraw. */
	async #appears(locator) {
		return locator.waitFor({ timeout: patience / 30 }).then(
			() => true,
			() => false,
		);
	}

	/** Makes the side bar wider by dragging its edge, and takes the mouse away from everything that has a tooltip. */
	async widenSideBar(pixels) {
		const box = await this.page.locator('.part.sidebar').boundingBox({ timeout: patience });
		const [x, y] = [box.x + box.width, box.y + box.height / 3];
		await this.page.mouse.move(x, y);
		await this.page.mouse.down();
		await this.page.mouse.move(x + pixels, y, { steps: 5 });
		await this.page.mouse.up();
		await this.restMouse();
	}

	/** Moves the mouse to where it points at nothing. */
	async restMouse() {
		const { width } = this.page.viewportSize();
		await this.page.mouse.move(width - 20, 20);
	}

	/** A view in the side bar: "containers", "images", "networks" or "volumes". */
	view(id) {
		const header = this.page.locator(`.pane-header[aria-label^="${words(`%view.${id}%`, this.locale)}"]`);
		return this.page.locator('.sidebar .pane', { has: header });
	}

	/** Opens a view that is collapsed, by a click on its header. */
	async openView(id) {
		await this.#setView(id, 'true');
	}

	/** Collapses a view, which makes room for the others. */
	async closeView(id) {
		await this.#setView(id, 'false');
	}

	async #setView(id, expanded) {
		const header = this.view(id).locator('.pane-header');
		if ((await header.getAttribute('aria-expanded', { timeout: patience })) !== expanded) {
			await header.click();
		}
	}

	/** Opens the rows below a row. */
	async expandRow(view, text) {
		const isOpen = this.view(view).locator('.monaco-list-row[aria-expanded="true"]', { hasText: text }).first();
		for (const deadline = Date.now() + patience; ;) {
			await this.row(view, text).locator('.monaco-tl-twistie').click({ timeout: patience });
			try {
				await isOpen.waitFor({ timeout: 5000 });
				return;
			} catch (error) {
				// Rows that come meanwhile move this one away from below the mouse.
				if (Date.now() > deadline) {
					throw error;
				}
			}
		}
	}

	/** The row of a view that shows the text in its label or description. */
	row(view, text) {
		return this.view(view).locator('.monaco-list-row', { hasText: text }).first();
	}

	/** The rows of a view as they are now: { label, description, spoken }. */
	async rows(view) {
		return this.view(view)
			.locator('.monaco-list-row')
			.evaluateAll((rows) =>
				rows.map((row) => ({
					label: row.querySelector('.label-name')?.textContent ?? '',
					description: row.querySelector('.label-description')?.textContent ?? '',
					spoken: row.getAttribute('aria-label') ?? '',
				})),
			);
	}

	/** Waits until a row shows the text, and gives it. */
	async waitForRow(view, text, timeout = patience) {
		await this.row(view, text).waitFor({ timeout });
		const rows = await this.rows(view);
		return rows.find(({ label, description }) => matches(`${label} ${description}`, text)) ?? rows[0];
	}

	/** Waits until no row shows the text. */
	async waitForNoRow(view, text, timeout = patience) {
		await this.row(view, text).waitFor({ state: 'detached', timeout });
	}

	/** Clicks the button of one of our commands that appears on a row under the mouse. */
	async clickInlineAction(view, text, command) {
		const { title } = commandWords(command, this.locale);
		const row = this.row(view, text);
		const action = row.locator(`.actions ${titled(title)}`);
		// The tooltip of another row, which the mouse has just left, may come late and lie over this one.
		for (let tries = 1; ; tries++) {
			await this.restMouse();
			await this.#tooltipGoes();
			try {
				await row.hover({ timeout: patience / 6 });
				await action.click({ timeout: patience / 6 });
				return;
			} catch (error) {
				if (tries === 6) {
					throw error;
				}
			}
		}
	}

	/** Clicks the entry of one of our commands in a row's context menu. */
	async clickContextMenu(view, text, command) {
		await this.row(view, text).click({ button: 'right', timeout: patience });
		const submenu = submenuOf(view, command);
		if (submenu !== undefined) {
			await this.#pointInMenu(words(submenu.label, this.locale));
			await this.page.keyboard.press('ArrowRight');
		}
		// A click soon after the menu has opened counts as the end of the click that opened it, so Enter chooses.
		await this.#pointInMenu(commandWords(command, this.locale).title);
		await this.page.keyboard.press('Enter');
	}

	/** Moves the mouse to an entry of the menu that is open, until the entry is the one that Enter takes. */
	async #pointInMenu(title) {
		// The entry of a submenu that is open holds the entries of that.
		const entry = '.monaco-menu .action-item:not(:has(.monaco-submenu))';
		await this.page.locator(entry, { hasText: title }).first().hover({ timeout: patience });
		await this.page.locator(`${entry}.focused`, { hasText: title }).waitFor({ timeout: patience });
	}

	/** Clicks the button of one of our commands in a view's title. */
	async clickViewAction(view, command) {
		const { title } = commandWords(command, this.locale);
		await this.view(view).locator('.pane-header').hover({ timeout: patience });
		await this.view(view)
			.locator(`.pane-header ${titled(title)}`)
			.click({ timeout: patience });
	}

	/** Clicks a link in the text that an empty view shows. */
	async clickWelcomeLink(view, text) {
		const welcome = this.view(view).locator('.welcome-view-content');
		await welcome.locator('a, .monaco-button', { hasText: text }).first().click({ timeout: patience });
	}

	/** Waits until an empty view says what the pattern matches, and gives the text. */
	async waitForWelcome(view, pattern, timeout = patience) {
		const welcome = this.view(view).locator('.welcome-view-content');
		return this.#wait(
			async () => (await welcome.allInnerTexts()).map(spaces).join('\n'),
			(text) => pattern.test(text),
			`no text like ${pattern} in ${view}`,
			timeout,
		);
	}

	/** Types into the input box at the top of the window and presses Enter. */
	async typeInQuickInput(text) {
		const input = this.page.locator('.quick-input-widget:visible .quick-input-box input');
		await input.waitFor({ timeout: patience });
		await input.fill(text);
		await input.press('Enter');
	}

	/** Takes what the input box at the top offers, with Enter, and waits for the next question or the end. */
	async acceptQuickInput() {
		const before = await this.quickInputText();
		await this.page.locator('.quick-input-widget:visible .quick-input-box input').press('Enter');
		await this.#wait(
			async () => (await this.page.locator('.quick-input-widget:visible').allInnerTexts()).map(spaces).join('\n'),
			(text) => text !== before,
			'an end of the question',
			patience,
		);
	}

	/** What the input box at the top asks: its title, its question and what it objects to. */
	async quickInputText() {
		const widget = this.page.locator('.quick-input-widget:visible');
		await widget.waitFor({ timeout: patience });
		return spaces(await widget.innerText());
	}

	/** What the input box at the top shows while nothing is typed. */
	async quickInputPlaceholder() {
		const input = this.page.locator('.quick-input-widget:visible .quick-input-box input');
		return input.getAttribute('placeholder', { timeout: patience });
	}

	/** Types into the input box at the top of the window, without Enter. */
	async fillQuickInput(text) {
		const input = this.page.locator('.quick-input-widget:visible .quick-input-box input');
		await input.waitFor({ timeout: patience });
		await input.fill(text);
	}

	/** Waits until the question at the top says what the pattern matches, and gives its text. */
	async waitForQuickInput(pattern, timeout = patience) {
		return this.#wait(
			async () => (await this.page.locator('.quick-input-widget:visible').allInnerTexts()).map(spaces).join('\n'),
			(text) => pattern.test(text),
			`no question like ${pattern}`,
			timeout,
		);
	}

	/** Chooses a row of the list at the top of the window. */
	async pick(text) {
		const rows = this.page.locator('.quick-input-widget:visible .monaco-list-row', { hasText: text });
		await rows.first().click({ timeout: patience });
	}

	/** Clicks the entry of one of our commands in the menu behind the three dots of a view's title. */
	async clickViewMenu(view, command) {
		const { title } = commandWords(command, this.locale);
		await this.view(view).locator('.pane-header').hover({ timeout: patience });
		await this.view(view).locator('.pane-header .codicon-toolbar-more').click({ timeout: patience });
		await this.#pointInMenu(title);
		await this.page.keyboard.press('Enter');
	}

	/** Runs one of our commands by its name in the command palette. */
	async runCommand(command) {
		const { title, category } = commandWords(command, this.locale);
		const entry = `${category}: ${title}`;
		await this.waitForNoQuickInput();
		await this.page.keyboard.press('F1');
		const input = this.page.locator('.quick-input-widget:visible .quick-input-box input');
		await input.waitFor({ timeout: patience });
		await input.fill(`>${entry}`);
		const rows = this.page.locator('.quick-input-widget:visible .monaco-list-row', { hasText: entry });
		await rows.first().waitFor({ timeout: patience });
		const placeholder = await input.getAttribute('placeholder');
		await input.press('Enter');
		// What the command asks comes in the same box, much later when it is the first one and starts the extension.
		await this.page
			.locator(`.quick-input-widget:visible .quick-input-box input[placeholder=${JSON.stringify(placeholder)}]`)
			.waitFor({ state: 'detached', timeout: patience });
	}

	/** Takes what is checked in the list at the top of the window. */
	async acceptChecklist() {
		const button = this.page.locator('.quick-input-widget:visible .monaco-button', { hasText: 'OK' });
		await button.click({ timeout: patience });
	}

	/** Leaves the question at the top of the window, as with Escape. */
	async leaveQuickInput() {
		const input = this.page.locator('.quick-input-widget:visible .quick-input-box input');
		await input.waitFor({ timeout: patience });
		await input.press('Escape');
		await this.waitForNoQuickInput();
	}

	/** The rows of the list at the top of the window: what each says. */
	async choices() {
		const rows = this.page.locator('.quick-input-widget:visible .monaco-list-row');
		await rows.first().waitFor({ timeout: patience });
		return (await rows.allInnerTexts()).map((text) => spaces(text).replace(/\s*\n\s*/g, ' '));
	}

	async waitForNoQuickInput() {
		await this.page.locator('.quick-input-widget:visible').waitFor({ state: 'detached', timeout: patience });
	}

	/** Presses a button of the modal dialog; gives what the dialog said. */
	async answerDialog(button) {
		const dialog = this.page.locator('.monaco-dialog-box');
		await dialog.waitFor({ timeout: patience });
		const text = spaces(await dialog.innerText());
		await dialog.locator('.monaco-button', { hasText: button }).first().click({ timeout: patience });
		await dialog.waitFor({ state: 'detached', timeout: patience });
		return text;
	}

	/** The lines of the Output panel that are on the screen: those at its end, since it follows. */
	async outputText() {
		return readLines(this.page.locator('.part.panel .view-line'));
	}

	/** Waits until the Output panel shows what is wanted (a pattern, or a function that says so), and gives the text. */
	async waitForOutput(wanted, timeout = patience) {
		const isGood = wanted instanceof RegExp ? (text) => wanted.test(text) : wanted;
		return this.#wait(() => this.outputText(), isGood, `no text like ${wanted} in the Output panel`, timeout);
	}

	/** The name of the channel that the Output panel shows. */
	async outputChannel() {
		const select = this.page.locator('.part.panel select[aria-label="Switch Output"]').first();
		return select.evaluate((element) => element.selectedOptions[0]?.textContent ?? '', undefined, {
			timeout: patience,
		});
	}

	/** What the notifications on the screen say. */
	async notifications() {
		return (await this.page.locator('.notifications-toasts .notification-list-item').allInnerTexts()).map(spaces);
	}

	/** Waits until a notification says what the pattern matches, and gives its text. */
	async waitForNotification(pattern, timeout = patience) {
		const texts = await this.#wait(
			() => this.notifications(),
			(found) => found.some((text) => pattern.test(text)),
			`no notification like ${pattern}`,
			timeout,
		);
		return texts.find((text) => pattern.test(text));
	}

	/** Waits until no notification shows the text. */
	async waitForNoNotification(text, timeout = patience) {
		const notification = this.page.locator('.notifications-toasts .notification-list-item', { hasText: text });
		await notification.first().waitFor({ state: 'detached', timeout });
	}

	/** Waits until the editor shows what the pattern matches, and gives the lines that are on the screen. */
	async waitForEditor(pattern, timeout = patience) {
		return this.#wait(
			async () => readLines(this.page.locator('.part.editor .view-line')),
			(text) => pattern.test(text),
			`no text like ${pattern} in the editor`,
			timeout,
		);
	}

	/** Clicks a button of the notification that shows the text. */
	async clickNotificationButton(text, button) {
		const notification = this.page.locator('.notifications-toasts .notification-list-item', { hasText: text });
		await notification.locator('.monaco-button', { hasText: button }).first().click({ timeout: patience });
	}

	/** All errors that the window shows at this moment. */
	async errors() {
		const errors = this.page.locator('.notifications-toasts .notification-list-item', {
			has: this.page.locator('.codicon-error'),
		});
		return (await errors.allInnerTexts()).map(spaces);
	}

	/** Loads the window anew, as its user does with F5. */
	async reload() {
		await this.page.reload({ waitUntil: 'commit' });
		await this.page.locator('.monaco-workbench .activitybar').waitFor({ timeout: 4 * patience });
	}

	/** Waits until `isThere` says so. */
	async until(what, isThere, timeout = patience) {
		await this.#wait(isThere, Boolean, `no sign that ${what}`, timeout);
	}

	/** Asks again, in step with the window's own redraws, until the answer is good. */
	async #wait(ask, isGood, complaint, timeout) {
		const deadline = Date.now() + timeout;
		for (;;) {
			const answer = await ask();
			if (isGood(answer)) {
				return answer;
			}
			if (Date.now() > deadline) {
				throw new Error(
					`After ${timeout / 1000} s there is ${complaint}; there is:\n${[answer].flat().join('\n')}`,
				);
			}
			await this.page.evaluate(() => new Promise((resolve) => requestAnimationFrame(resolve)));
		}
	}
}

/** The lines that an editor has drawn, from top to bottom; the window keeps them in no order. */
async function readLines(locator) {
	const lines = await locator.evaluateAll((elements) =>
		elements.map((element) => ({ top: Number.parseFloat(element.style.top), text: element.textContent ?? '' })),
	);
	return spaces(
		lines
			.sort((a, b) => a.top - b.top)
			.map(({ text }) => text)
			.join('\n'),
	);
}

function matches(text, wanted) {
	return typeof wanted === 'string' ? text.includes(wanted) : wanted.test(text);
}

/** VS Code draws spaces as no-break spaces. */
function spaces(text) {
	return text.replace(/\u00a0/g, ' ').trim();
}
