import assert from 'node:assert/strict';
import * as fs from 'node:fs';

interface Command {
	readonly command: string;
	readonly title: string;
	readonly category?: string;
	readonly icon?: string;
	readonly enablement?: string;
}

interface MenuItem {
	/** Undefined for a submenu. */
	readonly command?: string;
	readonly submenu?: string;
	readonly when?: string;
	readonly group?: string;
}

interface Manifest {
	readonly icon: string;
	readonly contributes: {
		readonly commands: readonly Command[];
		readonly menus: Readonly<Record<string, readonly MenuItem[]>>;
		readonly submenus: readonly { readonly id: string }[];
		readonly keybindings: readonly { readonly command: string; readonly when?: string; readonly args?: object }[];
		readonly views: Readonly<Record<string, readonly { readonly id: string }[]>>;
		readonly viewsContainers: { readonly activitybar: readonly { readonly icon: string }[] };
		readonly viewsWelcome: readonly { readonly view: string; readonly when?: string }[];
		readonly configuration: {
			readonly properties: Readonly<
				Record<
					string,
					{ readonly default?: unknown; readonly scope?: string; readonly markdownDescription?: string }
				>
			>;
		};
	};
}

describe('package.json', () => {
	const manifest = JSON.parse(fs.readFileSync('package.json', 'utf8')) as Manifest;
	const { commands, menus, submenus, keybindings, views, viewsContainers, viewsWelcome, configuration } =
		manifest.contributes;
	const ids = commands.map(({ command }) => command).sort();
	const english = JSON.parse(fs.readFileSync('package.nls.json', 'utf8')) as Record<string, string>;

	it('commands: are those of the command table', () => {
		const source = fs.readFileSync('src/ui/commands.ts', 'utf8');
		const table = [...source.matchAll(/^\t'(mydocker\.[A-Za-z.]+)':/gm)].map((match) => match[1]).sort();
		assert.deepEqual(table, ids);
	});

	it('menus of rows: what a submenu holds is not beside it as well', () => {
		const rows = menus['view/item/context'] ?? [];
		const beside = rows.flatMap(({ submenu, when }) => {
			const view = /view == \S+/.exec(when ?? '')?.[0] ?? '';
			const held = new Set(menus[submenu ?? '']?.map(({ command }) => command));
			return rows.filter(
				(row) => held.has(row.command) && row.when?.includes(view) && !row.group?.startsWith('inline'),
			);
		});
		assert.deepEqual(beside, []);
	});

	it('commands: each has title, category and enablement', () => {
		assert.deepEqual(
			commands.filter(
				({ command, title, category, enablement }) =>
					title !== `%command.${command.replace('mydocker.', '')}%` || !category || !enablement,
			),
			[],
		);
	});

	it('commands: no two look the same in the palette', () => {
		const hidden = (menus['commandPalette'] ?? [])
			.filter(({ when }) => when === 'false')
			.map(({ command }) => command);
		const names = commands
			.filter(({ command }) => !hidden.includes(command))
			.map(({ category = '', title }) => `${category}: ${english[title.replaceAll('%', '')] ?? ''}`);
		assert.equal(new Set(names).size, names.length);
	});

	it('menus and links: name commands that exist', () => {
		const linked = Object.values(english)
			.flatMap((text) => [...text.matchAll(/command:(mydocker\.[A-Za-z.]+)/g)])
			.map((match) => match[1] ?? '');
		const entries = Object.values(menus).flat();
		const named = [...entries.flatMap(({ command = [] }) => command), ...linked];
		assert.deepEqual(
			named.filter((command) => !ids.includes(command)),
			[],
		);
		const menuIds = [...submenus.map(({ id }) => id)].sort();
		assert.deepEqual([...new Set(entries.flatMap(({ submenu = [] }) => submenu))].sort(), menuIds);
		assert.deepEqual(
			menuIds.filter((id) => (menus[id]?.length ?? 0) < 2),
			[],
		);
	});

	it('menus: what is a button has an icon', () => {
		const buttons = Object.values(menus)
			.flat()
			.filter(({ group }) => /^(inline|navigation)/.test(group ?? ''))
			.flatMap(({ command = [] }) => command);
		assert.deepEqual(
			buttons.filter((id) => !/^\$\([a-z-]+\)$/.test(commands.find(({ command }) => command === id)?.icon ?? '')),
			[],
		);
	});

	it('menus: are bound to a view that exists', () => {
		const known = Object.values(views).flatMap((list) => list.map(({ id }) => id));
		const wrong = [...(menus['view/title'] ?? []), ...(menus['view/item/context'] ?? [])].filter(
			({ when = '' }) => {
				const named = [...when.matchAll(/view == ([\w.]+)/g)].map((match) => match[1] ?? '');
				return named.length === 0 || named.some((id) => !known.includes(id));
			},
		);
		assert.deepEqual(wrong, []);
	});

	it('keys: are for commands that exist, and only where their view has the focus', () => {
		const wrong = keybindings.filter(({ command, when = '', args }) => {
			const view = /^focusedView == mydocker\.(\w+) && listFocus && !inputFocus$/.exec(when)?.[1];
			const isForRows = JSON.stringify(args) === JSON.stringify({ view });
			return !ids.includes(command) || view === undefined || (args !== undefined && !isForRows);
		});
		assert.deepEqual(wrong, []);
	});

	it('settings: are no more than a person looks through', () => {
		assert.ok(Object.keys(configuration.properties).length <= 25);
	});

	it('views: each says what to do when it is empty', () => {
		for (const { id } of Object.values(views).flat()) {
			const when = viewsWelcome.filter(({ view }) => view === id).map((welcome) => welcome.when ?? '');
			for (const state of ['restricted', 'ready', 'failed', 'unsupported']) {
				assert.ok(
					when.some((clause) => clause.includes(state)),
					`${id}: ${state}`,
				);
			}
		}
	});

	it('settings: are those that settings.ts reads, with the same defaults, described and scoped', () => {
		const source = fs.readFileSync('src/ui/settings.ts', 'utf8');
		const read = Object.fromEntries(
			[...source.matchAll(/get\('([\w.]+)', ('\w*'|\w+|\{\})\)/g)].map((match) => [
				`mydocker.${match[1] ?? ''}`,
				JSON.parse((match[2] ?? '').replaceAll("'", '"')) as unknown,
			]),
		);
		const declared = Object.entries(configuration.properties);
		assert.deepEqual(Object.fromEntries(declared.map(([key, value]) => [key, value.default])), read);
		assert.deepEqual(
			declared.filter(([, { scope, markdownDescription }]) => !scope || !markdownDescription),
			[],
		);
	});

	it('icons: are there', () => {
		for (const file of [manifest.icon, ...viewsContainers.activitybar.map(({ icon }) => icon)]) {
			assert.ok(fs.statSync(file).size > 0, file);
		}
	});
});
