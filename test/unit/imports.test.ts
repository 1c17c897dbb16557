import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';

/** Which of our folders and files each folder may import; what is not named may import only itself. */
const ALLOWED: Readonly<Record<string, readonly string[]>> = {
	'src/core/image/': ['src/core/image/', 'src/core/storage/', 'src/core/*'],
	'src/core/files/': ['src/core/files/', 'src/core/image/tar', 'src/core/image/inflate', 'src/core/*'],
	'src/core/storage/': [
		'src/core/storage/',
		'src/core/files/tree',
		'src/core/image/tar',
		'src/core/image/opaque',
		'src/core/image/erofs',
		'src/core/image/layer-mounts',
		'src/core/image/layer-namespace',
		'src/core/*',
	],
	'src/core/container/': ['src/core/'],
	'src/core/system/': ['src/core/'],
	'src/core/': ['src/core/'],
	'src/api/': ['src/api/', 'src/core/'],
	'src/engine.ts': ['src/api/', 'src/core/'],
	'src/cli/': ['src/cli/', 'src/api/'],
	'src/cli.ts': ['src/cli/', 'src/api/'],
	'src/cli-start.ts': ['src/api/code-cache'],
	'src/ui/': ['src/ui/', 'src/api/'],
	'src/extension.ts': ['src/ui/', 'src/api/'],
	// In the browser: what it takes of the extension knows neither vscode nor Node.
	'src/webview/': ['src/webview/', 'src/ui/amounts', 'src/ui/stats-messages', 'src/ui/usage-points'],
};
const MAY_IMPORT_VSCODE = ['src/ui/', 'src/extension.ts'];
const CLIENT_SIDE = ['src/cli/', 'src/cli.ts', 'src/cli-start.ts', 'src/ui/', 'src/extension.ts'];

const root = findRoot(__dirname);
const files = sources('src');

describe('import rules', () => {
	for (const file of files) {
		it(`${file} imports only what its folder may`, () => {
			assert.deepEqual(
				imports(file).filter((target) => !isAllowed(file, target)),
				[],
			);
		});
	}

	it('no front reaches the core through the API it imports', () => {
		for (const file of files.filter((name) => startsWithAny(name, CLIENT_SIDE))) {
			const core = [...reachable(file)].filter((name) => name.startsWith('src/core/'));
			assert.deepEqual(core, [], `${file} reaches ${core.join()}`);
		}
	});
});

function isAllowed(file: string, target: string): boolean {
	if (target === 'vscode') {
		return startsWithAny(file, MAY_IMPORT_VSCODE);
	}
	if (!target.startsWith('src/')) {
		return true;
	}
	const folder = Object.keys(ALLOWED).find((prefix) => file.startsWith(prefix));
	return (ALLOWED[folder ?? ''] ?? []).some((allowed) =>
		allowed.endsWith('*') ? path.dirname(target) === path.dirname(allowed) : target.startsWith(allowed),
	);
}

function imports(file: string): string[] {
	const text = fs.readFileSync(path.join(root, file), 'utf8');
	return [...text.matchAll(/(?:from|import|require)\s*\(?\s*'([^']+)'/g)].map(([, target = '']) =>
		target.startsWith('.') ? path.posix.join(path.posix.dirname(file), target) : target,
	);
}

/** Files whose code the bundle of `file` would hold: type imports do not count. */
function reachable(file: string, seen = new Set<string>()): Set<string> {
	const text = fs.readFileSync(path.join(root, file), 'utf8').replace(/import type [^;]*;/g, '');
	for (const [, target = ''] of text.matchAll(/(?:from|import)\s*\(?\s*'(\.[^']*)'/g)) {
		const name = `${path.posix.join(path.posix.dirname(file), target)}.ts`;
		if (!seen.has(name)) {
			seen.add(name);
			reachable(name, seen);
		}
	}
	return seen;
}

function sources(folder: string): string[] {
	return fs
		.readdirSync(path.join(root, folder), { recursive: true, encoding: 'utf8' })
		.filter((name) => name.endsWith('.ts'))
		.map((name) => `${folder}/${name}`)
		.sort();
}

function startsWithAny(name: string, prefixes: readonly string[]): boolean {
	return prefixes.some((prefix) => name.startsWith(prefix));
}

function findRoot(from: string): string {
	return fs.existsSync(path.join(from, 'package.json')) ? from : findRoot(path.dirname(from));
}
